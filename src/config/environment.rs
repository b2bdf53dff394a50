//! Keys from the environment: `COUNTERSIGN_<SECTION>__<KEY>`.
//!
//! A value stays the text it is, and becomes a number or a boolean only where the key is one: a password of digits or a number with
//! a plus sign comes through whole.

use config::{Value, ValueKind};

const PREFIX: &str = "COUNTERSIGN_";

/// Keys that hold lists; their values are separated by commas.
const LISTS: [&str; 10] = [
    "trusted_proxies",
    "unlimited_clients",
    "allowed_calling_codes",
    "peppers",
    "scopes",
    "algorithms",
    "older_master_key_files",
    "allowed_networks",
    "proxies",
    "redeemers",
];

/// Every key the environment sets, as the path of the key and its value. Other variables of the prefix are no keys of ours.
pub(super) fn keys(environment: impl IntoIterator<Item = (String, String)>) -> Vec<(String, Value)> {
    let mut keys: Vec<_> = environment.into_iter().filter_map(|(name, text)| key(&name, &text)).collect();
    // Entries of a list in order, so that the second is not set before there is a first.
    keys.sort_by(|(one, _), (other, _)| one.cmp(other));
    keys
}

fn key(name: &str, text: &str) -> Option<(String, Value)> {
    let path = name.strip_prefix(PREFIX)?;
    let (section, keys) = path.split_once("__")?;
    let mut path = section.to_ascii_lowercase();
    for key in keys.split("__") {
        // An entry of a list of tables: COUNTERSIGN_TRUSTED_ISSUERS__0__ISSUER.
        match key.parse::<u8>() {
            Ok(index) => path.extend(["[", &index.to_string(), "]"]),
            Err(_) => path.extend([".", &key.to_ascii_lowercase()]),
        }
    }
    // A set of methods is an entry of a list of lists: COUNTERSIGN_OPERATIONS__0__METHODS__0.
    let is_list = |last: &str| LISTS.contains(&last) || last.starts_with("methods[");
    let is_list = path.rsplit('.').next().is_some_and(is_list);
    let kind = if is_list {
        let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
        ValueKind::Array(parts.map(|part| Value::from(part.to_owned())).collect())
    } else {
        ValueKind::String(text.to_owned())
    };
    Some((path, Value::new(Some(&format!("the environment variable {name}")), kind)))
}
