//! What is signed, and what is shown of it.

use std::{collections::BTreeMap, sync::LazyLock};

use countersign::{
    crypto::digest::payload_digest,
    domain::{inert, message::Locale, payload::Payload, statement::Statement},
    texts::statement::{LONGEST, render},
};

static STATEMENT: LazyLock<Statement> = LazyLock::new(|| {
    let texts =
        [("en", "Pay {amount} {currency} to {payee.name}"), ("ja", "{payee.name} に {amount} {currency} を支払う")];
    let texts: BTreeMap<_, _> = texts.map(|(tag, text)| (tag.to_owned(), text.to_owned())).into();
    Statement::new(&texts, None).unwrap()
});

/// A payload is refused with a place, or has one canonical form, one digest and one text; the text is short and hides nothing.
pub fn payloads(data: &[u8]) {
    let Ok(text) = std::str::from_utf8(data) else { return };
    let payload = match Payload::parse(text) {
        Ok(payload) => payload,
        Err(problem) => return assert!(!problem.sentence.is_empty()),
    };
    let again = Payload::parse(payload.canonical()).expect("the canonical form is no payload");
    assert_eq!(again.canonical(), payload.canonical(), "the canonical form has another");
    assert_eq!(payload_digest(&again), payload_digest(&payload));
    // What other readers of JSON see is what was digested.
    let seen: serde_json::Value = serde_json::from_str(text).expect("a payload is no JSON");
    let seen = Payload::parse(&seen.to_string()).expect("a payload reads as something else");
    assert_eq!(seen, payload, "two readers see two payloads");
    for locale in Locale::ALL {
        let shown = render(&STATEMENT, &payload, *locale);
        assert_eq!(shown, render(&STATEMENT, &again, *locale), "one payload is shown in two ways");
        if let Ok(shown) = shown {
            assert!(shown.chars().count() <= LONGEST && !shown.is_empty());
            assert!(!shown.chars().any(inert::is_unseen), "something is hidden in {shown:?}");
        }
    }
}
