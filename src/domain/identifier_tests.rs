use super::*;
use proptest::prelude::*;
use rstest::rstest;

#[rstest]
#[case("a@b.c", true)]
#[case("Ada.Lovelace+x@Example.COM", true)]
#[case("a@b@c.d", true)]
#[case("@@a.b", true)]
#[case("用户@例子.广告", true)]
#[case("a@b", false)]
#[case("@b.c", false)]
#[case("a@.c", false)]
#[case("a@b.", false)]
#[case("a@b..", true)]
#[case("a b@c.d", false)]
#[case("a@b.c\r\nBcc: x@y.z", false)]
#[case("a@b.c\u{0}", false)]
#[case("a\u{FEFF}@b.c", false)]
#[case("a\u{A0}@b.c", false)]
#[case("a\u{85}@b.c", false)]
#[case("", false)]
fn email_shapes(#[case] text: &str, #[case] fits: bool) {
    assert_eq!(EmailAddress::parse(text).is_ok(), fits, "{text:?}");
}

#[rstest]
#[case("ada@example.com", true)]
#[case("ada@bücher.example", true)]
#[case("a@b@c.d", false)]
#[case("a@[127.0.0.1]", false)]
#[case("Ada<a@b.c>", false)]
#[case(".a@b.c", false)]
fn only_mailboxes_are_deliverable(#[case] text: &str, #[case] deliverable: bool) {
    assert_eq!(EmailAddress::parse(text).unwrap().is_deliverable(), deliverable, "{text:?}");
}

#[test]
fn a_letter_outside_ascii_is_none_inside() {
    let key = |text: &str| EmailAddress::parse(text).unwrap().key();
    assert_ne!(key("\u{212A}ate@x.y"), key("kate@x.y"));
    assert_ne!(key("\u{130}da@x.y"), key("ida@x.y"));
    // Mail to the domain goes to the same place.
    assert_eq!(key("a@\u{212A}.y"), key("a@k.y"));
}

#[test]
fn an_address_keeps_its_spelling_and_lowers_its_domain() {
    let address = EmailAddress::parse("Ada.L@EXAMPLE.com").unwrap();
    assert_eq!(address.as_str(), "Ada.L@example.com");
    assert_eq!(address.key(), "ada.l@example.com");
    assert_eq!((address.local(), address.domain()), ("Ada.L", "example.com"));
    assert_eq!(address.masked(), "A***@example.com");
    assert_eq!(format!("{address:?}"), "EmailAddress(A***@example.com)");
    assert_eq!(serde_json::to_string(&address).unwrap(), r#""Ada.L@example.com""#);
    assert!(EmailAddress::parse("ÄΣ@x.y").unwrap().key() == EmailAddress::parse("äσ@x.y").unwrap().key());
}

#[test]
fn lengths_are_counted_in_characters() {
    let of_length = |length: usize| format!("{}@b.c", "é".repeat(length - 4));
    assert!(EmailAddress::parse(&of_length(257)).is_err());
    assert!(EmailAddress::parse(&of_length(256)).unwrap().exceeds_column());
    assert!(!EmailAddress::parse(&of_length(128)).unwrap().exceeds_column());
}

#[test]
fn a_wrong_body_names_the_reason() {
    let error = serde_json::from_str::<EmailAddress>(r#""nobody""#).unwrap_err();
    assert!(error.to_string().starts_with("not an e-mail address"));
    assert!(serde_json::from_str::<EmailAddress>("7").is_err());
}

#[rstest]
#[case("14155552671", Some("14155552671"))]
#[case("15005550006", Some("15005550006"))]
#[case("4407700900123", Some("447700900123"))]
#[case("447700900123", Some("447700900123"))]
#[case("8109012345678", Some("819012345678"))]
#[case("390612345678", Some("390612345678"))] // Italy keeps its zero
#[case("4915112345678", Some("4915112345678"))]
#[case("2250701234567", Some("2250701234567"))] // so does Côte d'Ivoire
#[case("0014155552671", None)]
#[case("2101234567", None)] // no such country
#[case("123456", None)]
#[case("1234567890123456", None)]
#[case("44", None)]
fn phones_are_normalised(#[case] sent: &str, #[case] canonical: Option<&str>) {
    let number = PhoneNumber::parse(sent).unwrap().normalized();
    assert_eq!(number.as_ref().map(E164::as_str), canonical);
}

#[test]
fn a_phone_hides_its_digits() {
    let phone = PhoneNumber::parse("14155552671").unwrap();
    assert_eq!(format!("{phone:?}"), "PhoneNumber(***71)");
    assert_eq!(format!("{:?}", phone.normalized().unwrap()), "E164(***71)");
    assert_eq!(phone.normalized().unwrap().plus(), "+14155552671");
    assert_eq!(PhoneNumber::parse("12345").unwrap().masked(), "***");
}

#[rstest]
#[case("+14155552671")]
#[case("1415 555")]
#[case("")]
#[case("１２３４５６７")]
#[case("1234567\n")]
fn phones_are_digits_alone(#[case] text: &str) {
    assert!(PhoneNumber::parse(text).is_err());
}

#[rstest]
#[case("ada", true)]
#[case("_9", true)]
#[case("A1_b", true)]
#[case("9a", false)]
#[case("", false)]
#[case("añ", false)]
#[case("a-b", false)]
#[case("ada\n", false)]
fn username_shapes(#[case] text: &str, #[case] fits: bool) {
    assert_eq!(Username::parse(text).is_ok(), fits);
}

#[test]
fn schemas_carry_pattern_and_length() {
    let schema = serde_json::to_value(<EmailAddress as utoipa::PartialSchema>::schema()).unwrap();
    assert_eq!(schema["pattern"], EMAIL_PATTERN);
    assert_eq!(schema["maxLength"], 256);
    assert_eq!(<Username as utoipa::ToSchema>::name(), "Username");
}

proptest! {
    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC*") {
        if let Ok(address) = EmailAddress::parse(&text) {
            prop_assert_eq!(&EmailAddress::parse(address.as_str()).unwrap(), &address);
            let key = EmailAddress::parse(&address.key()).map(|key| key.key());
            prop_assert!(key.is_err() || key == Ok(address.key()));
            let _ = (address.is_deliverable(), address.masked());
        }
        let _ = Username::parse(&text);
        let _ = PhoneNumber::parse(&text);
    }

    #[test]
    fn mail_like_text_never_breaks(text in "[a.@ \\[\"<é+(]{0,40}@[a.@\\-é]{0,40}") {
        if let Ok(address) = EmailAddress::parse(&text) {
            let _ = (address.is_deliverable(), address.masked());
        }
    }

    #[test]
    fn any_digits_are_normalised_or_not(digits in "[0-9]{1,40}") {
        if let Some(number) = PhoneNumber::parse(&digits).unwrap().normalized() {
            prop_assert!((7..=15).contains(&number.as_str().len()));
            prop_assert!(number.as_str().bytes().all(|byte| byte.is_ascii_digit()));
            prop_assert_eq!(E164::of(number.as_str()), Some(number));
        }
    }
}
