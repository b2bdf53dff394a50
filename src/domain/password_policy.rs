//! What a new password may be (contract 5.2): the settings' `passwordPolicy` and its check.

use serde::{Deserialize, Serialize, Serializer, ser::SerializeStruct};
use serde_json::json;
use utoipa::{
    ToSchema,
    openapi::{
        RefOr,
        schema::{ArrayBuilder, ObjectBuilder, Schema, Type},
    },
};

use super::{
    identifier::is_js_whitespace,
    refusal::{Code, Refusal},
};

/// The longest password a policy may allow, in UTF-16 units; nothing longer is searched for phrases, which keeps a check cheap.
pub const LONGEST: usize = 4096;
/// The most words a policy may reject.
const MAX_WORDS: usize = 1000;
/// The longest of those words.
const MAX_WORD: usize = 256;

/// `passwordPolicy` of the sign-in settings. Members left out take their defaults, so a part of it is a whole policy.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
#[schema(default)]
pub struct PasswordPolicy {
    /// How long.
    pub length: LengthRule,
    /// How varied.
    pub character_types: CharacterTypesRule,
    /// What it may not be made of.
    pub rejects: RejectRule,
}

/// Length in UTF-16 units.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "UncheckedLength")]
#[schema(default)]
pub struct LengthRule {
    /// The fewest, at least 1.
    #[schema(minimum = 1, maximum = 4096, required = false)]
    pub min: usize,
    /// The most, not below `min`.
    #[schema(minimum = 1, maximum = 4096, required = false)]
    pub max: usize,
}

impl Default for LengthRule {
    fn default() -> Self {
        Self { min: 8, max: 256 }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct UncheckedLength {
    min: usize,
    max: usize,
}

impl Default for UncheckedLength {
    fn default() -> Self {
        let LengthRule { min, max } = LengthRule::default();
        Self { min, max }
    }
}

impl TryFrom<UncheckedLength> for LengthRule {
    type Error = &'static str;

    fn try_from(raw: UncheckedLength) -> Result<Self, Self::Error> {
        let UncheckedLength { min, max } = raw;
        if min < 1 || max > LONGEST {
            return Err("the length of a password lies between 1 and 4096");
        }
        if min > max {
            return Err("min is above max");
        }
        Ok(Self { min, max })
    }
}

/// How many of the four classes (lower case, upper case, digits, symbols) must occur.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(try_from = "UncheckedTypes")]
#[schema(default)]
pub struct CharacterTypesRule {
    /// 1 to 4.
    #[schema(minimum = 1, maximum = 4, required = false)]
    pub min: usize,
}

impl Default for CharacterTypesRule {
    fn default() -> Self {
        Self { min: 1 }
    }
}

#[derive(Deserialize)]
#[serde(default)]
struct UncheckedTypes {
    min: usize,
}

impl Default for UncheckedTypes {
    fn default() -> Self {
        Self { min: CharacterTypesRule::default().min }
    }
}

impl TryFrom<UncheckedTypes> for CharacterTypesRule {
    type Error = &'static str;

    fn try_from(raw: UncheckedTypes) -> Result<Self, Self::Error> {
        match raw.min {
            min @ 1..=4 => Ok(Self { min }),
            _ => Err("there are 1 to 4 character types"),
        }
    }
}

/// What is rejected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(default, rename_all = "camelCase")]
#[schema(default)]
pub struct RejectRule {
    /// Passwords known from leaks.
    pub pwned: bool,
    /// Runs such as `aaaa`, `1234`, `qwerty`.
    pub repetition_and_sequence: bool,
    /// The user's own name, username, e-mail or phone.
    pub user_info: bool,
    /// These words, whatever their letter case.
    #[serde(deserialize_with = "words")]
    #[schema(schema_with = words_schema)]
    pub words: Vec<String>,
}

impl Default for RejectRule {
    fn default() -> Self {
        Self { pwned: true, repetition_and_sequence: true, user_info: true, words: Vec::new() }
    }
}

/// What [`words`] takes.
fn words_schema() -> impl Into<RefOr<Schema>> {
    let word = ObjectBuilder::new().schema_type(Type::String).max_length(Some(MAX_WORD));
    ArrayBuilder::new()
        .items(word)
        .max_items(Some(MAX_WORDS))
        .description(Some("These words, whatever their letter case."))
}

fn words<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<Vec<String>, D::Error> {
    let words = Vec::<String>::deserialize(deserializer)?;
    if words.len() > MAX_WORDS || words.iter().any(|word| word.chars().count() > MAX_WORD) {
        return Err(serde::de::Error::custom("at most 1000 words of at most 256 characters"));
    }
    Ok(words)
}

/// What is known of the user whose password it will be.
#[derive(Clone, Copy, Default)]
pub struct UserInfo<'a> {
    /// Full name.
    pub name: Option<&'a str>,
    /// Username.
    pub username: Option<&'a str>,
    /// Primary e-mail address.
    pub email: Option<&'a str>,
    /// Primary phone, digits alone.
    pub phone: Option<&'a str>,
}

/// One way in which a password misses the policy; its JSON is an element of the contract's `data` array.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Issue {
    /// Fewer units than this.
    TooShort(usize),
    /// More units than this.
    TooLong(usize),
    /// Something other than printable ASCII.
    UnsupportedCharacters,
    /// Fewer classes of characters than this.
    CharacterTypes(usize),
    /// Known from leaks.
    Pwned,
    /// Mostly the same character.
    Repetition,
    /// Mostly runs of the alphabet or the keyboard.
    Sequence,
    /// Mostly what is known of the user.
    UserInfo,
    /// Mostly rejected words.
    Words,
}

impl Issue {
    /// The code of the contract.
    #[must_use]
    pub const fn code(self) -> &'static str {
        match self {
            Self::TooShort(_) => "password_rejected.too_short",
            Self::TooLong(_) => "password_rejected.too_long",
            Self::UnsupportedCharacters => "password_rejected.unsupported_characters",
            Self::CharacterTypes(_) => "password_rejected.character_types",
            Self::Pwned => "password_rejected.pwned",
            Self::Repetition => "password_rejected.restricted.repetition",
            Self::Sequence => "password_rejected.restricted.sequence",
            Self::UserInfo => "password_rejected.restricted.user_info",
            Self::Words => "password_rejected.restricted.words",
        }
    }
}

impl Serialize for Issue {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut body = serializer.serialize_struct("Issue", 2)?;
        body.serialize_field("code", self.code())?;
        match self {
            Self::TooShort(min) | Self::CharacterTypes(min) => {
                body.serialize_field("interpolation", &json!({ "min": min }))?;
            }
            Self::TooLong(max) => body.serialize_field("interpolation", &json!({ "max": max }))?,
            _ => {}
        }
        body.end()
    }
}

/// `422 password.rejected` with the issues as `data`; nothing when there are none.
pub fn refusal(issues: &[Issue]) -> Result<(), Refusal> {
    if issues.is_empty() { Ok(()) } else { Err(Code::PasswordRejected.with(json!(issues))) }
}

impl PasswordPolicy {
    /// Every way in which `candidate` misses the policy, in the contract's order; none when it may be used.
    ///
    /// `is_common` says whether a password is on a list of leaked ones; it is asked only when the policy wants it.
    pub fn check(&self, candidate: &str, user: &UserInfo<'_>, is_common: &dyn Fn(&str) -> bool) -> Vec<Issue> {
        let units: Vec<u16> = candidate.encode_utf16().collect();
        let mut issues = Vec::new();
        if units.len() < self.length.min {
            issues.push(Issue::TooShort(self.length.min));
        } else if units.len() > self.length.max {
            issues.push(Issue::TooLong(self.length.max));
        }
        match character_types(candidate) {
            None => issues.push(Issue::UnsupportedCharacters),
            Some(types) if types < self.character_types.min => {
                issues.push(Issue::CharacterTypes(self.character_types.min));
            }
            Some(_) => {}
        }
        if self.rejects.pwned && is_common(candidate) {
            issues.push(Issue::Pwned);
        }
        if units.len() <= LONGEST {
            issues.extend(self.rejects.phrases(&units, user));
        }
        issues
    }
}

/// How many of the four classes occur; `None` when something else does too.
fn character_types(candidate: &str) -> Option<usize> {
    let mut seen = [false; 4];
    for letter in candidate.chars() {
        let [lower, upper, digit, symbol] = &mut seen;
        let class = match letter {
            'a'..='z' => lower,
            'A'..='Z' => upper,
            '0'..='9' => digit,
            ' '..='~' => symbol,
            _ => return None,
        };
        *class = true;
    }
    Some(seen.into_iter().filter(|class| *class).count())
}

/// Fewer restricted characters than this in a row are no run.
const SHORTEST_RUN: usize = 3;
/// With more free characters than this a password is accepted, whatever else is in it.
const FREE_CHARACTERS: usize = 3;
const SEQUENCES: [&[u8]; 14] = [
    b"0123456789",
    b"abcdefghijklmnopqrstuvwxyz",
    b"qwertyuiop",
    b"asdfghjkl",
    b"zxcvbnm",
    b"1qaz",
    b"2wsx",
    b"3edc",
    b"4rfv",
    b"5tgb",
    b"6yhn",
    b"7ujm",
    b"8ik",
    b"9ol",
];

impl RejectRule {
    /// The kinds of restricted phrases found, in order of first sight, when too little else is left.
    fn phrases(&self, units: &[u16], user: &UserInfo<'_>) -> Vec<Issue> {
        let folded: Vec<u16> = units.iter().copied().map(fold).collect();
        let words: Vec<Vec<u16>> = self.words.iter().map(|word| folded_units(word)).collect();
        let facts = if self.user_info { user.phrases() } else { Vec::new() };
        let mut kinds: Vec<Issue> = Vec::new();
        let (mut marked, mut marked_until) = (0, 0);
        for (at, _) in units.iter().enumerate() {
            let (rest, folded_rest) = (units.get(at..).unwrap_or(&[]), folded.get(at..).unwrap_or(&[]));
            let runs = if self.repetition_and_sequence { (repetition(rest), sequence(rest)) } else { (0, 0) };
            let found = [
                (Issue::Repetition, runs.0),
                (Issue::Sequence, runs.1),
                (Issue::Words, longest_prefix(folded_rest, &words)),
                (Issue::UserInfo, longest_prefix(folded_rest, &facts)),
            ];
            for (kind, length) in found.into_iter().filter(|(_, length)| *length > 0) {
                marked_until = marked_until.max(at + length);
                if !kinds.contains(&kind) {
                    kinds.push(kind);
                }
            }
            marked += usize::from(at < marked_until);
        }
        if marked > units.len().saturating_sub(FREE_CHARACTERS).max(1) { kinds } else { Vec::new() }
    }
}

impl UserInfo<'_> {
    /// Everything of the user a password may start with, folded.
    fn phrases(&self) -> Vec<Vec<u16>> {
        let mut all = Vec::new();
        if let Some(name) = self.name {
            all.push(folded_units(name));
            all.push(folded_units(&name.replace(is_js_whitespace, "")));
            all.extend(name.split(' ').map(folded_units));
        }
        let local = self.email.and_then(|email| email.split('@').next());
        all.extend([self.username, local, self.phone].into_iter().flatten().map(folded_units));
        all
    }
}

fn longest_prefix(text: &[u16], phrases: &[Vec<u16>]) -> usize {
    phrases.iter().filter(|phrase| text.starts_with(phrase)).map(Vec::len).max().unwrap_or(0)
}

fn repetition(text: &[u16]) -> usize {
    let run = text.iter().take_while(|unit| Some(*unit) == text.first()).count();
    if run >= SHORTEST_RUN { run } else { 0 }
}

/// The longest prefix that is a piece of one of [`SEQUENCES`], forwards or backwards, all in lower or all in upper case.
fn sequence(text: &[u16]) -> usize {
    let upper: fn(&u8) -> u16 = |byte| u16::from(byte.to_ascii_uppercase());
    let lower: fn(&u8) -> u16 = |byte| u16::from(*byte);
    let common = |piece: &mut dyn Iterator<Item = u16>| piece.zip(text).take_while(|(a, b)| a == *b).count();
    let longest = SEQUENCES
        .iter()
        .flat_map(|keys| (0..keys.len()).map(move |at| keys.split_at(at)))
        .flat_map(|(before, after)| {
            [lower, upper].map(|case| {
                let forwards = common(&mut after.iter().map(case));
                let backwards = common(&mut after.first().into_iter().chain(before.iter().rev()).map(case));
                forwards.max(backwards)
            })
        })
        .max()
        .unwrap_or(0);
    if longest >= SHORTEST_RUN { longest } else { 0 }
}

/// Lower case of one UTF-16 unit, where that is again one unit: text and phrases stay as long as they were.
fn fold(unit: u16) -> u16 {
    let mut lower = char::from_u32(u32::from(unit)).into_iter().flat_map(char::to_lowercase);
    match (lower.next(), lower.next()) {
        (Some(letter), None) => u16::try_from(u32::from(letter)).unwrap_or(unit),
        _ => unit,
    }
}

fn folded_units(text: &str) -> Vec<u16> {
    text.encode_utf16().map(fold).collect()
}

#[cfg(test)]
#[path = "password_policy_tests.rs"]
mod tests;
