use std::collections::BTreeMap;

use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn statement(english: &str) -> Statement {
    let japanese = format!("確認: {english}");
    let messages = BTreeMap::from([("en".to_owned(), english.to_owned()), ("ja".to_owned(), japanese)]);
    Statement::new(&messages, None).unwrap()
}

fn payload(value: &Value) -> Payload {
    Payload::parse(&value.to_string()).unwrap()
}

fn shown(template: &str, value: &Value) -> Result<String, Vec<Problem>> {
    render(&statement(template), &payload(value), Locale::En)
}

#[test]
fn a_payment_reads_well_in_every_language() {
    let messages = BTreeMap::from([
        ("en".to_owned(), "Pay {amount} {currency} to {payee.name}".to_owned()),
        ("ja".to_owned(), "{payee.name} に {amount} {currency} を支払う".to_owned()),
    ]);
    let statement = Statement::new(&messages, None).unwrap();
    let payload = payload(&json!({ "amount": "1234567.5", "currency": "EUR", "payee": { "name": "ACME GmbH" } }));
    let shown = |locale| render(&statement, &payload, locale).unwrap();
    assert_eq!(shown(Locale::En), "Pay 1,234,567.50 EUR to ACME GmbH");
    assert_eq!(shown(Locale::Ja), "ACME GmbH に 1,234,567.50 EUR を支払う");
}

#[test]
fn english_stands_in_for_a_language_that_is_missing() {
    let statement = Statement::new(&BTreeMap::from([("en".to_owned(), "Do {what}".to_owned())]), None).unwrap();
    assert_eq!(render(&statement, &payload(&json!({ "what": "it" })), Locale::Ja).unwrap(), "Do it");
}

#[rstest]
#[case(json!("120.50"), "EUR", "120.50 EUR")]
#[case(json!("120.5"), "EUR", "120.50 EUR")]
#[case(json!("120"), "EUR", "120.00 EUR")]
#[case(json!(120.5), "EUR", "120.50 EUR")]
#[case(json!(1000), "USD", "1,000.00 USD")]
#[case(json!(999), "USD", "999.00 USD")]
#[case(json!(-1234.5), "USD", "-1,234.50 USD")]
#[case(json!(0), "USD", "0.00 USD")]
#[case(json!("0.05"), "USD", "0.05 USD")]
#[case(json!(1_234_567), "JPY", "1,234,567 JPY")]
#[case(json!("1.234"), "BHD", "1.234 BHD")]
#[case(json!("1"), "KWD", "1.000 KWD")]
#[case(json!("1.5"), "CLF", "1.5000 CLF")]
#[case(json!("123456789012345678901234.5"), "USD", "123,456,789,012,345,678,901,234.50 USD")]
fn money_has_the_decimals_of_its_currency(#[case] amount: Value, #[case] currency: &str, #[case] expected: &str) {
    let value = json!({ "amount": amount, "currency": currency });
    assert_eq!(shown("{amount} {currency}", &value).unwrap(), expected);
    assert_eq!(shown("{amount}", &value).unwrap(), expected, "an amount is never shown without its currency");
}

#[rstest]
#[case(json!("120.505"), json!("EUR"), "more decimals")]
#[case(json!("120.500"), json!("EUR"), "more decimals")]
#[case(json!(0.001), json!("EUR"), "more decimals")]
#[case(json!("1.5"), json!("JPY"), "more decimals")]
#[case(json!("1"), json!("eur"), "ISO 4217")]
#[case(json!("1"), json!("EURO"), "ISO 4217")]
#[case(json!("1"), json!("QQQ"), "ISO 4217")]
#[case(json!("1"), json!("XAU"), "ISO 4217")]
#[case(json!("1"), json!(978), "ISO 4217")]
#[case(json!("1"), json!(null), "ISO 4217")]
#[case(json!("1e3"), json!("EUR"), "such as 120.50")]
#[case(json!(1e-7), json!("EUR"), "such as 120.50")]
#[case(json!("1,000"), json!("EUR"), "such as 120.50")]
#[case(json!("1."), json!("EUR"), "such as 120.50")]
#[case(json!(".5"), json!("EUR"), "such as 120.50")]
#[case(json!("+1"), json!("EUR"), "such as 120.50")]
#[case(json!("--1"), json!("EUR"), "such as 120.50")]
#[case(json!("007"), json!("EUR"), "such as 120.50")]
#[case(json!("１２"), json!("EUR"), "such as 120.50")]
#[case(json!(" 1"), json!("EUR"), "such as 120.50")]
#[case(json!(""), json!("EUR"), "such as 120.50")]
#[case(json!("1234567890123456789012345"), json!("EUR"), "such as 120.50")]
#[case(json!(true), json!("EUR"), "such as 120.50")]
#[case(json!(null), json!("EUR"), "such as 120.50")]
fn money_is_never_rounded_or_guessed(#[case] amount: Value, #[case] currency: Value, #[case] words: &str) {
    let problems = shown("{amount}", &json!({ "amount": amount, "currency": currency })).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.sentence.contains(words), "{problem}");
    assert_eq!(problem.path, [Step::Name("amount".to_owned())]);
}

#[test]
fn an_amount_without_a_currency_is_a_value_like_others_and_pairs_lie_in_one_object() {
    assert_eq!(shown("Take {amount}", &json!({ "amount": "3 pills" })).unwrap(), "Take 3 pills");
    let value = json!({ "currency": "JPY", "fee": { "amount": "1.5" } });
    assert_eq!(shown("{fee.amount}", &value).unwrap(), "1.5");
    let value = json!({ "fee": { "amount": "1.5", "currency": "EUR" }, "currency": "JPY" });
    assert_eq!(shown("{fee.amount} of {currency}", &value).unwrap(), "1.50 EUR of JPY");
    let money = BTreeMap::from([("total".to_owned(), "unit".to_owned())]);
    let messages = BTreeMap::from([("en".to_owned(), "{total} {unit} {amount}".to_owned())]);
    let own = Statement::new(&messages, Some(&money)).unwrap();
    let value = json!({ "total": 5, "unit": "CHF", "amount": 1000, "currency": "EUR" });
    assert_eq!(render(&own, &payload(&value), Locale::En).unwrap(), "5.00 CHF 1000");
}

/// The decimals of ISO 4217 where they are not two.
#[test]
fn currencies_have_the_decimals_of_the_standard() {
    let decimals = |code: &str| Currency::from_code(code).and_then(Currency::exponent);
    for code in "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX UYI VND VUV XAF XOF XPF".split(' ') {
        assert_eq!(decimals(code), Some(0), "{code}");
    }
    for code in "BHD IQD JOD KWD LYD OMR TND".split(' ') {
        assert_eq!(decimals(code), Some(3), "{code}");
    }
    for code in ["CLF", "UYW"] {
        assert_eq!(decimals(code), Some(4), "{code}");
    }
    let two = "AED AUD BGN BRL CAD CHF CNY CZK DKK EUR GBP HKD HUF IDR INR MGA MRU MXN MYR NOK NZD PHP PLN RON SAR SEK SGD SLE \
               THB TRY TWD UAH USD VES XCD XCG ZAR ZWG";
    for code in two.split_ascii_whitespace() {
        assert_eq!(decimals(code), Some(2), "{code}");
    }
}

#[rstest]
#[case(json!({}), "must be here")]
#[case(json!({ "a": null }), "must be here")]
#[case(json!({ "a": [] }), "must be here")]
#[case(json!({ "a": { "b": 1 } }), "must be here")]
#[case(json!({ "a": "" }), "not be empty")]
#[case(json!({ "a": " \u{3000}" }), "not be empty")]
#[case(json!({ "a": "x\ny" }), "invisible")]
#[case(json!({ "a": "x\u{202E}y" }), "invisible")]
#[case(json!({ "a": "x\u{200B}y" }), "invisible")]
#[case(json!({ "a": "x\u{2029}y" }), "invisible")]
#[case(json!({ "a": "x\u{E0041}y" }), "invisible")]
fn what_cannot_be_shown_is_told(#[case] value: Value, #[case] words: &str) {
    let problems = shown("Do {a}", &value).unwrap_err();
    let [problem] = problems.as_slice() else { panic!("{problems:?}") };
    assert!(problem.sentence.contains(words), "{problem}");
    assert_eq!(problem.path, [Step::Name("a".to_owned())]);
}

#[test]
fn every_problem_is_told_with_its_place() {
    let problems = shown("{a.b} {c} {d}", &json!({ "a": { "b": [] }, "d": 1 })).unwrap_err();
    let path = |names: &[&str]| names.iter().map(|name| Step::Name((*name).to_owned())).collect::<Vec<_>>();
    let paths: Vec<_> = problems.into_iter().map(|problem| problem.path).collect();
    assert_eq!(paths, [path(&["a", "b"]), path(&["c"])]);
}

#[rstest]
#[case(json!(true), "true")]
#[case(json!(1.0), "1")]
#[case(json!(0.000_000_1), "1e-7")]
#[case(json!("{code} {b} <b>https://x.example</b>"), "{code} {b} <b>https://x.example</b>")]
fn values_stay_what_they_are(#[case] a: Value, #[case] expected: &str) {
    assert_eq!(shown("{a}", &json!({ "a": a, "b": "secret" })).unwrap(), expected);
}

#[test]
fn a_long_value_shows_both_ends_and_a_long_text_is_refused() {
    let value = format!("head{}tail", "é".repeat(100));
    let text = shown("{a}", &json!({ "a": value })).unwrap();
    assert_eq!(text.chars().count(), LONGEST_VALUE);
    assert!(text.starts_with("headé") && text.contains("é…é") && text.ends_with("étail"), "{text}");
    let whole = "x".repeat(LONGEST_VALUE);
    assert_eq!(shown("{a}", &json!({ "a": whole })).unwrap(), whole);
    shown("{a}{a}{a}{a}{a}", &json!({ "a": whole })).unwrap();
    let problems = shown("{a}{a}{a}{a}{a}.", &json!({ "a": whole })).unwrap_err();
    assert!(problems[0].path.is_empty() && problems[0].sentence.contains("320"), "{problems:?}");
}

proptest! {
    #[test]
    fn what_is_shown_is_short_inert_and_the_same_for_the_same_payload(
        a in prop_oneof![".{0,90}", "[a-z \u{202E}\u{200B}\n{}<]{1,8}"],
        amount in prop_oneof!["-?[0-9]{1,26}(\\.[0-9]{1,4})?", ".{0,8}"],
        currency in prop_oneof![Just("EUR"), Just("JPY"), Just("eur"), Just("")],
        number in any::<i32>(),
    ) {
        let value = json!({ "a": a, "b": { "c": number }, "amount": amount, "currency": currency });
        let payload = payload(&value);
        let again = Payload::parse(payload.canonical()).unwrap();
        let statement = statement("{a}: {b.c}, {amount}");
        for locale in Locale::ALL {
            let text = render(&statement, &payload, *locale);
            prop_assert_eq!(&text, &render(&statement, &again, *locale));
            if let Ok(text) = text {
                prop_assert!(text.chars().count() <= LONGEST, "{}", text);
                prop_assert!(!text.chars().any(inert::is_unseen), "{}", text);
                prop_assert!(text.ends_with(currency), "{}", text);
            }
        }
    }
}
