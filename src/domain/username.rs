//! What a username may be (contract 5.3): the settings' `usernamePolicy` and its check.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    identifier::{MAX_STORED, Username},
    method::Refusable,
    refusal::Code,
};

/// `usernamePolicy` of the sign-in settings. Members left out take their defaults, so a part of it is a whole policy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "Unchecked", rename_all = "camelCase")]
#[schema(default)]
pub struct UsernamePolicy {
    /// Whether names that differ only in letter case are different names.
    #[schema(required = false)]
    pub case_sensitive: bool,
    /// The fewest characters, 1 to 128.
    #[schema(minimum = 1, maximum = 128, required = false)]
    pub min_length: usize,
    /// The most characters, 1 to 128 and not below `minLength`.
    #[schema(minimum = 1, maximum = 128, required = false)]
    pub max_length: usize,
    /// Which classes of characters may occur. Letters of either case or the underscore must be among them.
    #[schema(required = false)]
    pub allowed_chars: AllowedChars,
}

/// Classes of characters in a username.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
#[schema(default)]
#[expect(clippy::struct_excessive_bools, reason = "the shape of the contract: one switch a class")]
pub struct AllowedChars {
    /// `a` to `z`.
    pub lowercase: bool,
    /// `A` to `Z`.
    pub uppercase: bool,
    /// `0` to `9`.
    pub numbers: bool,
    /// `_`.
    pub underscore: bool,
}

impl Default for AllowedChars {
    fn default() -> Self {
        Self { lowercase: true, uppercase: true, numbers: true, underscore: true }
    }
}

impl Default for UsernamePolicy {
    fn default() -> Self {
        Self { case_sensitive: true, min_length: 1, max_length: MAX_STORED, allowed_chars: AllowedChars::default() }
    }
}

#[derive(Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Unchecked {
    case_sensitive: bool,
    min_length: usize,
    max_length: usize,
    allowed_chars: AllowedChars,
}

impl Default for Unchecked {
    fn default() -> Self {
        let UsernamePolicy { case_sensitive, min_length, max_length, allowed_chars } = UsernamePolicy::default();
        Self { case_sensitive, min_length, max_length, allowed_chars }
    }
}

impl TryFrom<Unchecked> for UsernamePolicy {
    type Error = &'static str;

    fn try_from(raw: Unchecked) -> Result<Self, Self::Error> {
        let Unchecked { case_sensitive, min_length, max_length, allowed_chars } = raw;
        if min_length < 1 || max_length > MAX_STORED {
            return Err("the length of a username lies between 1 and 128");
        }
        if min_length > max_length {
            return Err("minLength is above maxLength");
        }
        if !(allowed_chars.lowercase || allowed_chars.uppercase || allowed_chars.underscore) {
            return Err("a username cannot start with a number, so letters or underscores must be allowed");
        }
        Ok(Self { case_sensitive, min_length, max_length, allowed_chars })
    }
}

impl UsernamePolicy {
    /// Checks in the contract's order: length, upper case, lower case, numbers, underscore. The hard floor is [`Username`] itself.
    pub fn check(&self, username: &Username) -> Refusable<()> {
        let text = username.as_str();
        let has = |class: fn(&u8) -> bool| text.as_bytes().iter().any(class);
        let AllowedChars { lowercase, uppercase, numbers, underscore } = self.allowed_chars;
        let broken = [
            (text.len() < self.min_length, Code::UsernameTooShort),
            (text.len() > self.max_length, Code::UsernameTooLong),
            (!uppercase && has(u8::is_ascii_uppercase), Code::UsernameUppercase),
            (!lowercase && has(u8::is_ascii_lowercase), Code::UsernameLowercase),
            (!numbers && has(u8::is_ascii_digit), Code::UsernameNumbers),
            (!underscore && has(|byte| *byte == b'_'), Code::UsernameUnderscore),
        ];
        broken.into_iter().find(|(is_broken, _)| *is_broken).map_or(Ok(()), |(_, code)| Err(code.refuse()))
    }

    /// The form in which two usernames are the same name.
    #[must_use]
    pub fn key(&self, username: &Username) -> String {
        if self.case_sensitive { username.as_str().to_owned() } else { username.key() }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rstest::rstest;
    use serde_json::json;

    #[rstest]
    #[case(json!({}), "Ada_9", None)]
    #[case(json!({"minLength": 4}), "ada", Some(Code::UsernameTooShort))]
    #[case(json!({"maxLength": 2, "allowedChars": {"uppercase": false}}), "ADA", Some(Code::UsernameTooLong))]
    #[case(json!({"allowedChars": {"uppercase": false, "lowercase": false}}), "Ada", Some(Code::UsernameUppercase))]
    #[case(json!({"allowedChars": {"lowercase": false, "numbers": false}}), "A9a", Some(Code::UsernameLowercase))]
    #[case(json!({"allowedChars": {"numbers": false, "underscore": false}}), "a_9", Some(Code::UsernameNumbers))]
    #[case(json!({"allowedChars": {"underscore": false}}), "a_9", Some(Code::UsernameUnderscore))]
    fn the_first_broken_rule_speaks(
        #[case] policy: serde_json::Value,
        #[case] name: &str,
        #[case] expected: Option<Code>,
    ) {
        let policy: UsernamePolicy = serde_json::from_value(policy).unwrap();
        let outcome = policy.check(&Username::parse(name).unwrap());
        assert_eq!(outcome.err().map(|refusal| refusal.code), expected);
    }

    #[test]
    fn the_default_is_the_contracts() {
        let all = json!({"lowercase": true, "uppercase": true, "numbers": true, "underscore": true});
        let expected = json!({"caseSensitive": true, "minLength": 1, "maxLength": 128, "allowedChars": all});
        assert_eq!(serde_json::to_value(UsernamePolicy::default()).unwrap(), expected);
    }

    #[rstest]
    #[case(json!({"minLength": 0}))]
    #[case(json!({"maxLength": 129}))]
    #[case(json!({"minLength": 9, "maxLength": 8}))]
    #[case(json!({"allowedChars": {"lowercase": false, "uppercase": false, "underscore": false}}))]
    fn senseless_policies_are_refused(#[case] policy: serde_json::Value) {
        assert!(serde_json::from_value::<UsernamePolicy>(policy).is_err());
    }

    #[test]
    fn case_matters_as_the_policy_says() {
        let ada = Username::parse("Ada").unwrap();
        let folded = UsernamePolicy { case_sensitive: false, ..UsernamePolicy::default() };
        assert_eq!((UsernamePolicy::default().key(&ada), folded.key(&ada)), ("Ada".to_owned(), "ada".to_owned()));
    }
}
