use proptest::prelude::*;
use rstest::rstest;
use serde_json::json;

use super::*;

fn canonical_of(text: &str) -> String {
    Payload::parse(text).unwrap().canonical().to_owned()
}

#[rstest]
#[case(
    r#"{ "payee": "ACME", "amount": 120.50, "a": [true, null, -0.0, 1e2, 9007199254740991] }"#,
    r#"{"a":[true,null,0,100,9007199254740991],"amount":120.5,"payee":"ACME"}"#
)]
#[case(
    r#"{"n":[0.1,1e-7,5e-324,4.50,2e-3,-9007199254740991.0]}"#,
    r#"{"n":[0.1,1e-7,5e-324,4.5,0.002,-9007199254740991]}"#
)]
#[case("\n{}\t", "{}")]
fn good_payloads(#[case] text: &str, #[case] wanted: &str) {
    assert_eq!(canonical_of(text), wanted);
}

#[rstest]
#[case(r#"{"a":1,"a":1}"#, "/a", "stands twice")]
#[case(r#"{"a":[{"b":1,"c":2,"\u0062":1}]}"#, "/a/0/b", "stands twice")]
#[case(r#"{"a":9007199254740992}"#, "/a", "past 2^53 - 1")]
#[case(r#"{"a":-9007199254740992.0}"#, "/a", "past 2^53 - 1")]
#[case(r#"{"a":12345678901234567890}"#, "/a", "past 2^53 - 1")]
#[case(r#"{"a":[1,1e400]}"#, "/a/1", "past 2^53 - 1")]
#[case(r#"{"a":1e-400}"#, "/a", "fewer digits")]
#[case(r#"{"a":0.10000000000000001}"#, "/a", "fewer digits")]
#[case(r#"{"a":9007199254740990.9}"#, "/a", "fewer digits")]
#[case(r#"{"a":"\ud800"}"#, "/a", "surrogate")]
#[case(r#"{"a":["\udc00\ud800"]}"#, "/a/0", "surrogate")]
#[case(r#"{"a":{"\ud83d":1}}"#, "/a", "surrogate")]
#[case("[]", "", "is an object")]
#[case("1", "", "is an object")]
#[case(r#"{"a":1} {}"#, "", "not JSON")]
#[case(r#"{"a":01}"#, "", "not JSON")]
#[case(r#"{"a":NaN}"#, "", "not JSON")]
#[case("", "", "not JSON")]
fn bad_payloads(#[case] text: &str, #[case] place: &str, #[case] words: &str) {
    let problem = Payload::parse(text).unwrap_err();
    let path: String = problem
        .path
        .iter()
        .map(|step| match step {
            Step::Name(name) => format!("/{name}"),
            Step::Index(index) => format!("/{index}"),
        })
        .collect();
    assert_eq!(path, place);
    assert!(problem.sentence.contains(words), "{problem}");
}

#[test]
fn depth_and_size_have_limits() {
    let nested = |levels: usize| format!("{}1{}", r#"{"a":"#.repeat(levels), "}".repeat(levels));
    Payload::parse(&nested(MAX_DEPTH)).unwrap();
    assert_eq!(Payload::parse(&nested(MAX_DEPTH + 1)).unwrap_err().path.len(), MAX_DEPTH);
    let listed = format!(r#"{{"a":{}{}}}"#, "[".repeat(100_000), "]".repeat(100_000));
    assert!(Payload::parse(&listed).unwrap_err().sentence.contains("16 levels"));

    let sized = |bytes: usize| format!(r#" {{ "a": "{}" }} "#, "x".repeat(bytes - 8));
    assert_eq!(canonical_of(&sized(MAX_BYTES)).len(), MAX_BYTES);
    assert!(Payload::parse(&sized(MAX_BYTES + 1)).unwrap_err().sentence.contains("16384 bytes"));
}

#[test]
fn a_problem_comes_through_the_parser_whole() {
    let text = r#"[{" at line ] \" ":{"a":1,"a":2}}]"#;
    let error = serde_json::from_str::<Vec<Payload>>(text).unwrap_err();
    let path = vec![Step::Name(" at line ] \" ".to_owned()), Step::Name("a".to_owned())];
    let wanted = Problem { path, sentence: "The member stands twice in its object.".into() };
    assert_eq!(Problem::in_error(&error.to_string()), Some(wanted.clone()));
    assert_eq!(Problem::in_error(&wanted.to_string()), Some(wanted));
    assert_eq!(Problem::in_error("invalid type: payload problem []"), None);
}

#[test]
fn debug_shows_nothing_and_serde_gives_it_back() {
    let payload = Payload::parse(r#"{"b":[1.0,"x"],"a":{}}"#).unwrap();
    assert_eq!(format!("{payload:?}"), "Payload(20 bytes)");
    let stored = serde_json::to_string(&payload).unwrap();
    assert_eq!(serde_json::from_str::<Payload>(&stored).unwrap(), payload);
    assert_eq!(serde_json::from_value::<Payload>(json!({ "a": {}, "b": [1, "x"] })).unwrap(), payload);
    serde_json::from_value::<Payload>(json!({ "a": u64::MAX })).unwrap_err();
}

/// Any value that a payload may hold.
pub(super) fn any_value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        (-9_007_199_254_740_991_i64..=9_007_199_254_740_991).prop_map(Value::from),
        (-1.0e15..1.0e15_f64).prop_map(Value::from),
        any::<f64>().prop_filter("small", |number| number.abs() < 1.0e-3).prop_map(Value::from),
        any::<String>().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 32, 5, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..5).prop_map(Value::from),
            prop::collection::btree_map(any::<String>(), inner, 0..5).prop_map(|map| map.into_iter().collect()),
        ]
    })
}

fn any_members() -> impl Strategy<Value = Value> {
    prop::collection::btree_map(any::<String>(), any_value(), 1..6).prop_map(|map| map.into_iter().collect())
}

/// The same with members the other way round, and white space wherever it may be.
fn rewritten(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[ {}\n]", items.iter().map(rewritten).collect::<Vec<_>>().join("\t, ")),
        Value::Object(members) => {
            let write = |(name, value): (&String, &Value)| format!("{} :\r\n{}", json!(name), rewritten(value));
            format!("{{ {} }}", members.iter().rev().map(write).collect::<Vec<_>>().join(" ,"))
        }
        other => other.to_string(),
    }
}

/// Changes the scalar that `at` counts to; `false` when there are fewer.
fn change(value: &mut Value, at: &mut usize) -> bool {
    match value {
        Value::Array(items) => items.iter_mut().any(|item| change(item, at)),
        Value::Object(members) => members.values_mut().any(|item| change(item, at)),
        _ if *at > 0 => {
            *at -= 1;
            false
        }
        scalar => {
            *scalar = match &*scalar {
                Value::Bool(truth) => json!(!truth),
                Value::Number(number) => number.to_string().into(),
                Value::String(text) => format!("{text} ").into(),
                _ => json!(0),
            };
            true
        }
    }
}

proptest! {
    #[test]
    fn the_canonical_form_is_its_own_and_knows_no_order_or_space(value in any_members()) {
        let payload = Payload::parse(&value.to_string()).unwrap();
        prop_assert_eq!(&canonical_of(payload.canonical()), payload.canonical());
        prop_assert_eq!(&canonical_of(&rewritten(&value)), payload.canonical());
    }

    #[test]
    fn any_changed_scalar_changes_it(value in any_members(), mut at in 0..8_usize) {
        let mut other = value.clone();
        prop_assume!(change(&mut other, &mut at));
        prop_assert_ne!(canonical_of(&other.to_string()), canonical_of(&value.to_string()));
    }

    #[test]
    fn two_writings_of_a_number_are_one_payload_only_if_they_are_one_number(
        whole in 0..1_000_000_u64, fraction in "[0-9]{1,24}", other in "[0-9]{1,24}",
    ) {
        let parse = |fraction: &str| Payload::parse(&format!(r#"{{"a":{whole}.{fraction}}}"#));
        if let (Ok(one), Ok(two)) = (parse(&fraction), parse(&other)) {
            prop_assert_eq!(one == two, fraction.trim_end_matches('0') == other.trim_end_matches('0'));
        }
    }

    #[test]
    fn nothing_from_outside_breaks_it(text in "[\\[\\]{}\",:0-9eE.+\\-\\\\ud8a ]{0,60}") {
        let _ = Payload::parse(&text);
    }
}
