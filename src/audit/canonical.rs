//! What is hashed: an event as canonical JSON (RFC 8785), after the hash before it. `docs/audit.md` says the same to outsiders.

use serde_json::{Map, Value, json};

use crate::{crypto::digest::digest, storage::audit::Stored};
pub use crate::{crypto::digest::hex, domain::canonical::canonical};

/// The hash before the first event, as hexadecimal text.
pub const GENESIS: &str = "0000000000000000000000000000000000000000000000000000000000000000";

/// Whether each number in it is whole and small enough for every reader of JSON.
#[must_use]
pub fn has_plain_numbers(value: &Value) -> bool {
    match value {
        Value::Number(number) => number.as_i64().is_some_and(|number| number.unsigned_abs() <= 1 << 53),
        Value::Array(items) => items.iter().all(has_plain_numbers),
        Value::Object(members) => members.values().all(has_plain_numbers),
        _ => true,
    }
}

/// An event at its place, as it is hashed and, with `hash`, exported.
#[must_use]
pub fn members(event: &Stored, seq: i64) -> Map<String, Value> {
    let value = json!({
        "applicationId": event.application_id,
        "at": event.at.to_iso(),
        "data": event.data.0,
        "id": event.id,
        "ip": event.ip,
        "requestId": event.request_id,
        "seq": seq,
        "type": event.kind,
        "userId": event.user_id,
    });
    match value {
        Value::Object(members) => members,
        _ => Map::new(),
    }
}

/// The hash of an event: SHA-256 over the previous hash as hexadecimal text, a line feed, and the event's canonical JSON.
#[must_use]
pub fn link(previous: &str, content: &str) -> [u8; 32] {
    digest(format!("{previous}\n{content}").as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fractions_are_not_plain() {
        assert!(has_plain_numbers(&json!({ "a": [1, -5, { "b": "0.5" }] })));
        assert!(!has_plain_numbers(&json!({ "a": [{ "b": 0.5 }] })));
        assert!(!has_plain_numbers(&json!({ "a": u64::MAX })));
    }

    #[test]
    fn a_hash_is_what_a_shell_makes_of_it() {
        // printf '%064d\n{"seq":1}' 0 | sha256sum
        let hash = "a453da8151216b5ae0a15c5377bc79da35cc4f629a9e9a3dcab70bf0b485609a";
        assert_eq!(hex(&link(GENESIS, r#"{"seq":1}"#)), hash);
    }
}
