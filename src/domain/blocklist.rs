//! Which e-mail addresses a new account or a changed address may have (contract 1.10).

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use utoipa::{
    PartialSchema, ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

use super::{
    identifier::{EmailAddress, MAX_WIRE, is_js_whitespace},
    method::Refusable,
    refusal::Code,
};

/// `emailBlocklistPolicy` of the sign-in settings. Members left out take their defaults.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
#[schema(default)]
pub struct EmailBlocklistPolicy {
    /// Kept for clients; nothing is applied, as in the contract outside its cloud.
    pub block_disposable_addresses: bool,
    /// Refuses addresses with `+` before the `@`.
    pub block_subaddressing: bool,
    /// When not empty, only addresses that match an entry are accepted.
    pub custom_allowlist: Items,
    /// Addresses that match an entry are refused.
    pub custom_blocklist: Items,
}

/// Entries of a list: `someone@example.com`, `@example.com`, each with `*` for any run of characters.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<String>")]
pub struct Items(Vec<String>);

/// One character of a domain's label.
macro_rules! letter {
    () => {
        r"[^\s@.\u0000-\u001F\u007F-\u009F\uFEFF]"
    };
}

/// A label.
macro_rules! label {
    () => {
        concat!(letter!(), "+")
    };
}

/// A label of more than stars.
macro_rules! telling {
    () => {
        concat!(r"\**[^\s@.*\u0000-\u001F\u007F-\u009F\uFEFF]", letter!(), "*")
    };
}

/// What [`is_item`] takes: two labels or more, one of them telling.
const ITEM_PATTERN: &str = concat!(
    r"^[^\s@\u0000-\u001F\u007F-\u009F\uFEFF]*@((",
    label!(),
    r"\.)*",
    telling!(),
    r"(\.",
    label!(),
    ")+|(",
    label!(),
    r"\.)+",
    telling!(),
    ")$"
);

impl PartialSchema for Items {
    fn schema() -> RefOr<Schema> {
        let item = ObjectBuilder::new()
            .schema_type(Type::String)
            .pattern(Some(ITEM_PATTERN))
            .max_length(Some(MAX_WIRE))
            .examples([serde_json::json!("*@example.com")]);
        ArrayBuilder::new()
            .items(item)
            .max_items(Some(MAX_ITEMS))
            .description(Some("Addresses, or domains written as `@example.com`; `*` stands for any run of characters."))
            .into()
    }
}

impl ToSchema for Items {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("AddressPatterns")
    }
}

/// The most entries of one list.
const MAX_ITEMS: usize = 1000;

impl TryFrom<Vec<String>> for Items {
    type Error = String;

    fn try_from(items: Vec<String>) -> Result<Self, Self::Error> {
        if items.len() > MAX_ITEMS {
            return Err(format!("a list has at most {MAX_ITEMS} entries"));
        }
        match items.iter().find(|item| !is_item(item)) {
            Some(item) => Err(format!("{item:?} is neither an e-mail address nor a domain written as @example.com")),
            None => Ok(Self(items)),
        }
    }
}

fn is_item(item: &str) -> bool {
    let Some((local, domain)) = item.rsplit_once('@') else { return false };
    let is_clean = !item.chars().any(|letter| is_js_whitespace(letter) || letter.is_control());
    let is_domain = domain.split('.').count() >= 2 && domain.split('.').all(|label| !label.is_empty());
    let says_something = domain.chars().any(|letter| letter != '*' && letter != '.');
    item.chars().count() <= MAX_WIRE && is_clean && is_domain && says_something && !local.contains('@')
}

impl EmailBlocklistPolicy {
    /// Checks in the contract's order: domain, plus sign, list of the allowed, list of the blocked.
    pub fn check(&self, address: &EmailAddress) -> Refusable<()> {
        if address.domain().is_empty() {
            return Err(Code::BlocklistInvalidEmail.refuse());
        }
        if self.block_subaddressing && address.local().contains('+') {
            return Err(Code::BlocklistSubaddressing.refuse());
        }
        let spellings = spellings(&address.key());
        let is_allowed = self.custom_allowlist.0.is_empty() || self.custom_allowlist.matches(&spellings);
        if !is_allowed || self.custom_blocklist.matches(&spellings) {
            return Err(Code::BlocklistEmail.refuse());
        }
        Ok(())
    }
}

impl Items {
    fn matches(&self, addresses: &[String]) -> bool {
        self.0.iter().flat_map(|item| spellings(&item.to_lowercase())).any(|item| {
            addresses.iter().any(|address| match item.strip_prefix('@') {
                Some(domain) => address.rsplit_once('@').is_some_and(|(_, theirs)| is_match(domain, theirs)),
                None => is_match(&item, address),
            })
        })
    }
}

/// The address itself and, for Gmail, which ignores dots and has two domains, the same mailbox without dots under both.
fn spellings(address: &str) -> Vec<String> {
    let mut all = vec![address.to_owned()];
    if let Some((local, "gmail.com" | "googlemail.com")) = address.rsplit_once('@') {
        let local = local.replace('.', "");
        all.push(format!("{local}@gmail.com"));
        all.push(format!("{local}@googlemail.com"));
    }
    all
}

/// Whether all of `text` fits `pattern`, where `*` stands for any run of characters. One pass: each piece between stars is
/// taken at its first place after the one before, which finds a fit whenever there is one.
fn is_match(pattern: &str, text: &str) -> bool {
    let Some((head, rest)) = pattern.split_once('*') else { return pattern == text };
    let (middle, tail) = rest.rsplit_once('*').unwrap_or(("", rest));
    let Some(mut text) = text.strip_prefix(head).and_then(|text| text.strip_suffix(tail)) else { return false };
    for piece in middle.split('*') {
        let Some((_, after)) = text.split_once(piece) else { return false };
        text = after;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use rstest::rstest;
    use serde_json::json;

    const NO: Option<Code> = Some(Code::BlocklistEmail);

    #[rstest]
    #[case(json!({}), "a@b.c", None)]
    #[case(json!({}), "a@b.c@", Some(Code::BlocklistInvalidEmail))]
    #[case(json!({"blockSubaddressing": true}), "a+x@b.c", Some(Code::BlocklistSubaddressing))]
    #[case(json!({"blockSubaddressing": true}), "a@b.c", None)]
    #[case(json!({"customAllowlist": ["@b.c"]}), "a@B.c", None)]
    #[case(json!({"customAllowlist": ["@b.c"]}), "a@x.b.c", NO)]
    #[case(json!({"customAllowlist": ["@b.c"], "customBlocklist": ["A@b.c"]}), "a@b.c", NO)]
    #[case(json!({"customBlocklist": ["a@b.c"]}), "aa@b.c", None)]
    #[case(json!({"customBlocklist": ["@*.b.c"]}), "a@x.b.c", NO)]
    #[case(json!({"customBlocklist": ["@*.b.c"]}), "a@b.c", None)]
    #[case(json!({"customBlocklist": ["test*@b.c"]}), "tester@b.c", NO)]
    #[case(json!({"customBlocklist": ["test*@b.c"]}), "atester@b.c", None)]
    #[case(json!({"customBlocklist": ["ad.a@gmail.com"]}), "a.da@googlemail.com", NO)]
    #[case(json!({"customBlocklist": ["@gmail.com"]}), "ada@googlemail.com", NO)]
    #[case(json!({"customBlocklist": ["@google*.com"]}), "ada@gmail.com", NO)]
    #[case(json!({"customBlocklist": ["ad.a@example.com"]}), "ada@example.com", None)]
    #[case(json!({"blockDisposableAddresses": true}), "a@mailinator.com", None)]
    fn lists(#[case] policy: serde_json::Value, #[case] address: &str, #[case] expected: Option<Code>) {
        let policy: EmailBlocklistPolicy = serde_json::from_value(policy).unwrap();
        let outcome = policy.check(&EmailAddress::parse(address).unwrap());
        assert_eq!(outcome.err().map(|refusal| refusal.code), expected);
    }

    #[rstest]
    #[case("b.c")]
    #[case("@b")]
    #[case("@*.*")]
    #[case("@b..c")]
    #[case("a b@c.d")]
    #[case("a@b@c.d")]
    #[case("")]
    fn entries_that_could_never_serve_are_refused(#[case] item: &str) {
        assert!(serde_json::from_value::<EmailBlocklistPolicy>(json!({"customBlocklist": [item]})).is_err());
    }

    #[rstest]
    #[case("a*b", "ab", true)]
    #[case("a*a", "a", false)]
    #[case("*ab*ab*", "xabab", true)]
    #[case("*ab*ab*", "xabxb", false)]
    #[case("**", "", true)]
    fn stars(#[case] pattern: &str, #[case] text: &str, #[case] fits: bool) {
        assert_eq!(is_match(pattern, text), fits);
    }

    /// The definition, exponential and plain.
    fn fits(pattern: &[u8], text: &[u8]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some((b'*', rest)) => (0..=text.len()).any(|taken| fits(rest, &text[taken..])),
            Some((letter, rest)) => text.first() == Some(letter) && fits(rest, &text[1..]),
        }
    }

    proptest! {
        #[test]
        fn the_quick_match_is_the_definition(pattern in "[ab*]{0,8}", text in "[ab]{0,10}") {
            prop_assert_eq!(is_match(&pattern, &text), fits(pattern.as_bytes(), text.as_bytes()));
        }
    }
}
