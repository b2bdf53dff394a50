//! The payload of an operation: what the user agrees to, and what is signed. Read so strictly that no two readers see two payloads.

use std::{borrow::Cow, fmt};

use serde::{
    Deserialize, Deserializer, Serialize, Serializer,
    de::{Error as _, MapAccess, Visitor},
};
use serde_json::{Map, Value, value::RawValue};
use utoipa::openapi::{
    RefOr,
    schema::{AdditionalProperties, ObjectBuilder, Schema, Type},
};

use super::{canonical::canonical, decimal};

/// How deep objects and lists may lie in each other, the payload itself being the first.
pub const MAX_DEPTH: usize = 16;
/// The most bytes of the canonical form.
pub const MAX_BYTES: usize = 16 * 1024;
/// The greatest whole number that a double tells from its neighbours: 2^53 - 1.
const MAX_NUMBER: f64 = 9_007_199_254_740_991.0;

/// A JSON object (RFC 8259) that means the same to every reader, with its canonical form (RFC 8785).
///
/// Member names stand once in each object; a number is at most 2^53 - 1 either way and is, digit for digit, what its canonical form
/// says; at most [`MAX_DEPTH`] levels and [`MAX_BYTES`] bytes. Two are equal when their canonical forms are. `Debug` shows no content.
#[derive(Clone)]
pub struct Payload {
    members: Map<String, Value>,
    canonical: String,
}

/// One step of the way to a value.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Step {
    /// Into a list, from 0 on.
    Index(usize),
    /// Into an object.
    Name(String),
}

/// What is wrong with a payload, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// From the payload on; empty for the payload as a whole.
    pub path: Vec<Step>,
    /// What to mend, for whoever calls. It never quotes a value.
    pub sentence: Cow<'static, str>,
}

/// How a problem begins on its way through the parser.
const MARK: &str = "payload problem ";

impl Problem {
    /// A problem at a place.
    #[must_use]
    pub fn at(path: &[Step], sentence: &'static str) -> Self {
        Self { path: path.to_vec(), sentence: sentence.into() }
    }

    /// The problem in the text of an error that the parser made of it. No text of the parser's own begins like one.
    #[must_use]
    pub fn in_error(text: &str) -> Option<Self> {
        let text = text.strip_prefix(MARK)?;
        let mut steps = serde_json::Deserializer::from_str(text).into_iter::<Vec<Step>>();
        let path = steps.next()?.ok()?;
        let sentence = text.get(steps.byte_offset()..)?.trim_start();
        // The parser adds where it was.
        let sentence = sentence.split_once(" at line ").map_or(sentence, |(sentence, _)| sentence);
        Some(Self { path, sentence: sentence.to_owned().into() })
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = serde_json::to_string(&self.path).map_err(|_| fmt::Error)?;
        write!(f, "{MARK}{path} {}", self.sentence)
    }
}

impl Payload {
    /// Reads JSON text.
    ///
    /// # Errors
    /// The first problem, with its place.
    pub fn parse(text: &str) -> Result<Self, Problem> {
        let raw = serde_json::from_str::<&RawValue>(text).map_err(|_| Problem::at(&[], "This is not JSON."))?;
        let value = read(raw, &mut Vec::new(), 1)?;
        let canonical = canonical(&value).map_err(|_| Problem::at(&[], "This has no canonical form."))?;
        if canonical.len() > MAX_BYTES {
            return Err(Problem::at(&[], "A payload has at most 16384 bytes in its canonical form (RFC 8785)."));
        }
        match value {
            Value::Object(members) => Ok(Self { members, canonical }),
            _ => Err(Problem::at(&[], "A payload is an object.")),
        }
    }

    /// The canonical form (RFC 8785): what is digested. At most [`MAX_BYTES`] bytes.
    #[must_use]
    pub fn canonical(&self) -> &str {
        &self.canonical
    }

    /// The members. A number that is whole is an integer here, however it was written.
    #[must_use]
    pub fn members(&self) -> &Map<String, Value> {
        &self.members
    }
}

/// The members of an object as they stand, those of one name too.
struct Members<'a>(Vec<(String, &'a RawValue)>);

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct All;

        impl<'de> Visitor<'de> for All {
            type Value = Vec<(String, &'de RawValue)>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some(member) = map.next_entry()? {
                    members.push(member);
                }
                Ok(members)
            }
        }

        deserializer.deserialize_map(All).map(Self)
    }
}

/// Reads one value. Its parts are looked at as text: the parser itself keeps the last of two members of one name, and does not tell how
/// a number was written.
fn read(raw: &RawValue, path: &mut Vec<Step>, depth: usize) -> Result<Value, Problem> {
    let text = raw.get();
    let is_nested = text.starts_with(['{', '[']);
    if is_nested && depth > MAX_DEPTH {
        return Err(Problem::at(path, "A payload has at most 16 levels of objects and lists."));
    }
    // Of syntax, only half a surrogate pair is left to find.
    let misread = |path: &[Step]| Problem::at(path, "A text or a name has half of a surrogate pair.");
    if text.starts_with('{') {
        let Members(parts) = serde_json::from_str(text).map_err(|_| misread(path))?;
        let mut members = Map::new();
        for (name, part) in parts {
            path.push(Step::Name(name.clone()));
            if members.contains_key(&name) {
                return Err(Problem::at(path, "The member stands twice in its object."));
            }
            members.insert(name, read(part, path, depth + 1)?);
            path.pop();
        }
        return Ok(Value::Object(members));
    }
    if text.starts_with('[') {
        let parts: Vec<&RawValue> = serde_json::from_str(text).map_err(|_| misread(path))?;
        let mut items = Vec::with_capacity(parts.len());
        for (index, part) in parts.into_iter().enumerate() {
            path.push(Step::Index(index));
            items.push(read(part, path, depth + 1)?);
            path.pop();
        }
        return Ok(Value::Array(items));
    }
    if text.starts_with(|first: char| first == '-' || first.is_ascii_digit()) {
        return number(text).map_err(|sentence| Problem::at(path, sentence));
    }
    serde_json::from_str(text).map_err(|_| misread(path))
}

/// A number that is what it says (RFC 7493, 2.2): other readers take more digits than a double holds, or round another way.
fn number(text: &str) -> Result<Value, &'static str> {
    let unfit = "The number is not what a double holds: write fewer digits, or a text.";
    let double: f64 = text.parse().map_err(|_| unfit)?;
    if !(-MAX_NUMBER..=MAX_NUMBER).contains(&double) {
        return Err("The number is past 2^53 - 1: write it as a text.");
    }
    let value = Value::from(double);
    let canonical = canonical(&value).map_err(|_| unfit)?;
    if !decimal::is_same(text, &canonical) {
        return Err(unfit);
    }
    Ok(canonical.parse::<i64>().map_or(value, Value::from))
}

impl PartialEq for Payload {
    fn eq(&self, other: &Self) -> bool {
        self.canonical == other.canonical
    }
}

impl Eq for Payload {}

impl fmt::Debug for Payload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Payload({} bytes)", self.canonical.len())
    }
}

impl Serialize for Payload {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.members.serialize(serializer)
    }
}

/// From JSON text only: a [`Value`] no longer shows what was refused. Not within `flatten` or an untagged enum, which buffer; that fails.
impl<'de> Deserialize<'de> for Payload {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let raw = Box::<RawValue>::deserialize(deserializer)?;
        Self::parse(raw.get()).map_err(D::Error::custom)
    }
}

impl utoipa::PartialSchema for Payload {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::Object)
            .additional_properties(Some(AdditionalProperties::FreeForm(true)))
            .description(Some(
                "What the operation is to do: a JSON object without repeated member names, at most 16 levels deep and 16384 bytes in its \
                 canonical form (RFC 8785). Numbers lie within 2^53 - 1 and have no more digits than a double holds; others are texts.",
            ))
            .examples([serde_json::json!({ "amount": "120.50", "currency": "EUR", "payee": "ACME GmbH" })])
            .into()
    }
}

impl utoipa::ToSchema for Payload {
    fn name() -> Cow<'static, str> {
        Cow::Borrowed("Payload")
    }
}

#[cfg(test)]
#[path = "payload_tests.rs"]
mod tests;
