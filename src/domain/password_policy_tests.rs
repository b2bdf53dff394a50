use super::Issue::{
    CharacterTypes, Pwned, Repetition, Sequence, TooLong, TooShort, UnsupportedCharacters, UserInfo as OwnFacts, Words,
};
use super::*;
use proptest::prelude::*;
use rstest::rstest;

fn contract_policy() -> PasswordPolicy {
    let words = ["aaaaaate", "aaaaaaaa", "silverhand"];
    serde_json::from_value(json!({
        "length": {"min": 7, "max": 15}, "characterTypes": {"min": 3}, "rejects": {"words": words},
    }))
    .unwrap()
}

fn named(name: &'static str) -> UserInfo<'static> {
    UserInfo { name: Some(name), ..UserInfo::default() }
}

fn called(phone: &'static str) -> UserInfo<'static> {
    UserInfo { phone: Some(phone), ..UserInfo::default() }
}

#[rstest]
#[case("aL1!aL1!", UserInfo::default(), &[])]
#[case("silverHAnd213", UserInfo::default(), &[])]
#[case("lo9KI8mJu112", UserInfo::default(), &[])]
#[case("aL1!aL1!", named("aL1!"), &[OwnFacts])]
#[case("lo9KI8mju78911", UserInfo::default(), &[Sequence])]
#[case("lo9KI8MJU789111", UserInfo::default(), &[Sequence, Repetition])]
#[case("aaa😀", UserInfo::default(), &[TooShort(7), UnsupportedCharacters, Repetition])]
#[case("123456", called("12345"), &[TooShort(7), CharacterTypes(3), Pwned, Sequence, OwnFacts])]
#[case("aaaaaaaaAAAAAAAAbcdCOK", named("CO"), &[TooLong(15), CharacterTypes(3), Repetition, Words, Sequence, OwnFacts])]
fn the_contracts_vectors(#[case] candidate: &str, #[case] user: UserInfo<'_>, #[case] expected: &[Issue]) {
    let issues = contract_policy().check(candidate, &user, &|password| password == "123456");
    assert_eq!(issues, expected, "{candidate}");
}

#[rstest]
#[case(b"cba".as_slice(), 3)]
#[case(b"CBAa", 3)]
#[case(b"ab1", 0)]
#[case(b"aBc", 0)]
#[case(b"zaq1x", 4)]
#[case(b"ki8", 3)]
#[case(b"9876543210a", 10)]
#[case(b"", 0)]
fn sequences(#[case] text: &[u8], #[case] length: usize) {
    let units: Vec<u16> = text.iter().copied().map(u16::from).collect();
    assert_eq!(super::sequence(&units), length);
}

#[rstest]
#[case("Ada Lovelace", "adalovelace", true)]
#[case("Ada Lovelace", "LOVELACEada", true)]
#[case("Ada Lovelace", "ada lovelace", true)]
#[case("Ada Lovelace", "ada 7 mills", false)]
#[case("ÉCLAIR", "éclair", true)]
#[case("", "walnut-7-tree", false)]
#[case(" ", "walnut-7-tree", false)]
fn names_are_found(#[case] name: &'static str, #[case] candidate: &str, #[case] found: bool) {
    let issues = PasswordPolicy::default().check(candidate, &named(name), &|_| false);
    assert_eq!(issues.contains(&OwnFacts), found);
}

#[test]
fn username_and_local_part_are_found() {
    let user = UserInfo { username: Some("walnut"), email: Some("elm.oak@example.com"), ..Default::default() };
    assert_eq!(PasswordPolicy::default().check("walnutELM.OAK", &user, &|_| false), [OwnFacts]);
    let lenient: PasswordPolicy = serde_json::from_value(json!({"rejects": {"userInfo": false}})).unwrap();
    assert_eq!(lenient.check("walnutELM.OAK", &user, &|_| false), []);
}

#[test]
fn a_part_is_a_whole_policy() {
    let policy: PasswordPolicy =
        serde_json::from_value(json!({"length": {"min": 12}, "rejects": {"pwned": false}})).unwrap();
    let expected = json!({
        "length": {"min": 12, "max": 256}, "characterTypes": {"min": 1},
        "rejects": {"pwned": false, "repetitionAndSequence": true, "userInfo": true, "words": []},
    });
    assert_eq!(serde_json::to_value(policy).unwrap(), expected);
}

#[rstest]
#[case(json!({"length": {"min": 0}}))]
#[case(json!({"length": {"max": 5000}}))]
#[case(json!({"length": {"min": 300}}))]
#[case(json!({"length": {"min": 7.5}}))]
#[case(json!({"characterTypes": {"min": 0}}))]
#[case(json!({"characterTypes": {"min": 5}}))]
#[case(json!({"rejects": {"words": vec!["x"; 1001]}}))]
#[case(json!({"rejects": {"words": ["x".repeat(257)]}}))]
fn senseless_policies_are_refused(#[case] policy: serde_json::Value) {
    assert!(serde_json::from_value::<PasswordPolicy>(policy).is_err());
}

#[test]
fn issues_are_told_as_the_contract_says() {
    let refused = refusal(&[TooShort(8), CharacterTypes(2), TooLong(9), Pwned]).unwrap_err();
    assert_eq!(refused.code, Code::PasswordRejected);
    let expected = json!([
        {"code": "password_rejected.too_short", "interpolation": {"min": 8}},
        {"code": "password_rejected.character_types", "interpolation": {"min": 2}},
        {"code": "password_rejected.too_long", "interpolation": {"max": 9}},
        {"code": "password_rejected.pwned"},
    ]);
    assert_eq!(refused.data, Some(expected));
    assert!(refusal(&[]).is_ok());
}

#[test]
fn the_longest_password_is_checked_quickly() {
    let mut policy = PasswordPolicy::default();
    policy.rejects.words = (0..1000).map(|_| "a".repeat(255) + "b").collect();
    let issues = policy.check(&"a".repeat(60_000), &UserInfo::default(), &|_| false);
    assert_eq!(issues, [TooLong(256)]);
}

proptest! {
    #[test]
    fn any_text_is_judged(candidate in "\\PC{0,60}", name in "\\PC{0,12}") {
        let user = UserInfo { name: Some(&name), ..Default::default() };
        let _ = contract_policy().check(&candidate, &user, &|_| false);
    }
}
