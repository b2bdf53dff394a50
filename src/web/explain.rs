//! Says what is wrong with a body that did not fit, in the shape of contract 0.2, by holding it against the very schema
//! that the OpenAPI document publishes.

use jsonschema::{ValidationError, error::ValidationErrorKind};
use serde_json::{Value, json};
use utoipa::{PartialSchema, ToSchema};

use crate::domain::{
    payload::Problem,
    refusal::{Code, Refusal},
};

/// At most so many issues are listed.
const MOST: usize = 20;

struct Issue {
    code: &'static str,
    path: Vec<Value>,
    message: String,
    more: Vec<(&'static str, Value)>,
}

/// `guard.invalid_input`, with `data.issues` and `details`.
pub fn refuse<T: ToSchema>(
    value: &Value,
    part: &str,
    error: Option<&serde_path_to_error::Error<serde_json::Error>>,
) -> Refusal {
    let mut issues = by_schema::<T>(value);
    if issues.is_empty() {
        issues.push(by_parser(error));
    }
    listing(issues, part)
}

/// `guard.invalid_input` for what is wrong with a payload, if the parser stopped at one.
#[must_use]
pub fn payload_in(error: &serde_path_to_error::Error<serde_json::Error>) -> Option<Refusal> {
    Problem::in_error(&error.inner().to_string())?;
    Some(listing(vec![by_parser(Some(error))], "body"))
}

/// `guard.invalid_input` for one member or parameter, for what no schema says. `message` never quotes the value.
#[must_use]
pub fn one(part: &str, name: &str, message: &str) -> Refusal {
    let path = vec![Value::from(name)];
    listing(vec![Issue { code: "custom", path, message: message.to_owned(), more: Vec::new() }], part)
}

fn listing(issues: Vec<Issue>, part: &str) -> Refusal {
    let details = issues.iter().map(line).collect::<Vec<_>>().join("\n");
    let issues: Vec<Value> = issues.into_iter().map(to_json).collect();
    Refusal {
        details: Some(details),
        ..Code::InvalidInput.with(json!({ "issues": issues, "name": "ZodError", "part": part }))
    }
}

fn line(issue: &Issue) -> String {
    let path: Vec<String> =
        issue.path.iter().map(|step| step.as_str().map_or_else(|| step.to_string(), str::to_owned)).collect();
    format!("Error in key path \"{}\": ({}) {}", path.join("."), issue.code, issue.message)
}

fn to_json(issue: Issue) -> Value {
    let mut object = json!({ "code": issue.code, "path": issue.path, "message": issue.message });
    if let Some(members) = object.as_object_mut() {
        members.extend(issue.more.into_iter().map(|(name, value)| (name.to_owned(), value)));
    }
    object
}

/// What the parser said, when the schema finds nothing.
fn by_parser(error: Option<&serde_path_to_error::Error<serde_json::Error>>) -> Issue {
    let mut path: Vec<Value> = error.map(|error| error.path().iter().filter_map(step).collect()).unwrap_or_default();
    let problem = error.and_then(|error| Problem::in_error(&error.inner().to_string()));
    // The parser's own text may quote the value; a value may be a secret.
    let message = problem.as_ref().map_or("The value is not acceptable.", |problem| &problem.sentence).to_owned();
    path.extend(problem.into_iter().flat_map(|problem| problem.path).map(|step| json!(step)));
    Issue { code: "custom", path, message, more: Vec::new() }
}

fn step(segment: &serde_path_to_error::Segment) -> Option<Value> {
    match segment {
        serde_path_to_error::Segment::Seq { index } => Some(json!(index)),
        serde_path_to_error::Segment::Map { key } => Some(json!(key)),
        serde_path_to_error::Segment::Enum { variant } => Some(json!(variant)),
        serde_path_to_error::Segment::Unknown => None,
    }
}

/// Whether some list stands where the schema wants something else.
pub(super) fn has_misplaced_list<T: ToSchema>(value: &Value) -> bool {
    let Some((_, validator)) = schema::<T>() else { return false };
    validator.iter_errors(value).any(|error| is_about_a_list(&error))
}

fn is_about_a_list(error: &ValidationError<'_>) -> bool {
    match error.kind() {
        ValidationErrorKind::Type { .. } => error.instance().is_array(),
        ValidationErrorKind::OneOfNotValid { context } | ValidationErrorKind::AnyOf { context } => {
            context.iter().flatten().any(is_about_a_list)
        }
        _ => false,
    }
}

fn by_schema<T: ToSchema>(value: &Value) -> Vec<Issue> {
    let Some((document, validator)) = schema::<T>() else { return Vec::new() };
    validator.iter_errors(value).take(MOST).map(|error| issue(&error, &document, value)).collect()
}

/// The published schema of `T`, and what judges by it.
fn schema<T: ToSchema>() -> Option<(Value, jsonschema::Validator)> {
    let mut schemas = Vec::new();
    T::schemas(&mut schemas);
    let components: serde_json::Map<String, Value> =
        schemas.into_iter().filter_map(|(name, schema)| Some((name, serde_json::to_value(schema).ok()?))).collect();
    let Ok(Value::Object(mut document)) = serde_json::to_value(<T as PartialSchema>::schema()) else { return None };
    document.insert("components".to_owned(), json!({ "schemas": components }));
    let document = Value::Object(document);
    let validator = jsonschema::validator_for(&document).ok()?;
    Some((document, validator))
}

fn issue(error: &ValidationError<'_>, document: &Value, root: &Value) -> Issue {
    let instance = error.instance();
    let mut path: Vec<Value> = error
        .instance_path()
        .as_str()
        .split('/')
        .skip(1)
        .map(|step| step.parse::<u64>().map_or_else(|_| Value::from(step), Value::from))
        .collect();
    match error.kind() {
        ValidationErrorKind::Required { property } => {
            let expected = expected_of(document, root, &path, property).unwrap_or_else(|| "string".to_owned());
            path.push(property.clone());
            invalid_type(path, &expected, "undefined")
        }
        ValidationErrorKind::Type { kind } => {
            let expected = expected(&serde_json::to_value(kind_names(kind)).unwrap_or_default());
            invalid_type(path, &expected, received(instance))
        }
        ValidationErrorKind::MinLength { limit } | ValidationErrorKind::MinItems { limit } => Issue {
            code: "too_small",
            path,
            message: format!("Must contain at least {limit} character(s)"),
            more: vec![("minimum", json!(limit)), ("inclusive", json!(true)), ("type", json!(received(instance)))],
        },
        ValidationErrorKind::MaxLength { limit } | ValidationErrorKind::MaxItems { limit } => Issue {
            code: "too_big",
            path,
            message: format!("Must contain at most {limit} character(s)"),
            more: vec![("maximum", json!(limit)), ("inclusive", json!(true)), ("type", json!(received(instance)))],
        },
        ValidationErrorKind::Minimum { limit } => bound("too_small", path, "at least", "minimum", limit),
        ValidationErrorKind::Maximum { limit } => bound("too_big", path, "at most", "maximum", limit),
        ValidationErrorKind::Pattern { .. } | ValidationErrorKind::Format { .. } => Issue {
            code: "invalid_string",
            path,
            message: "Invalid".to_owned(),
            more: vec![("validation", json!("regex"))],
        },
        ValidationErrorKind::Enum { options } => Issue {
            code: "invalid_enum_value",
            path,
            message: "Invalid enum value".to_owned(),
            more: vec![("options", (**options).clone()), ("received", json!(received(instance)))],
        },
        ValidationErrorKind::OneOfNotValid { .. } | ValidationErrorKind::AnyOf { .. } => {
            if instance.get("type").is_some() || !instance.is_object() {
                path.push(json!("type"));
            }
            Issue { code: "invalid_union", path, message: "Invalid input".to_owned(), more: Vec::new() }
        }
        _ => Issue { code: "custom", path, message: "The value is not acceptable.".to_owned(), more: Vec::new() },
    }
}

fn bound(code: &'static str, path: Vec<Value>, word: &str, name: &'static str, limit: &Value) -> Issue {
    let more = vec![(name, limit.clone()), ("inclusive", json!(true)), ("type", json!("number"))];
    Issue { code, path, message: format!("Number must be {word} {limit}"), more }
}

fn invalid_type(path: Vec<Value>, expected: &str, received: &str) -> Issue {
    Issue {
        code: "invalid_type",
        path,
        message: format!("Expected {expected} but received {received}."),
        more: vec![("expected", json!(expected)), ("received", json!(received))],
    }
}

fn kind_names(kind: &jsonschema::error::TypeKind) -> Vec<String> {
    match kind {
        jsonschema::error::TypeKind::Single(name) => vec![name.to_string()],
        jsonschema::error::TypeKind::Multiple(names) => names.iter().map(|name| name.to_string()).collect(),
    }
}

/// `"string"` of `"string"`, or of `["string", "null"]`.
fn expected(kind: &Value) -> String {
    let names: Vec<&str> = match kind {
        Value::String(name) => vec![name],
        Value::Array(names) => names.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => Vec::new(),
    };
    match names.first() {
        Some(&"integer") => "number".to_owned(),
        Some(name) => (*name).to_owned(),
        None => "string".to_owned(),
    }
}

fn received(value: &Value) -> &'static str {
    match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(_) => "number",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    }
}

/// The type the schema gives a missing member.
fn expected_of(document: &Value, _root: &Value, path: &[Value], property: &Value) -> Option<String> {
    if !path.is_empty() {
        return None;
    }
    let mut schema = document.get("properties")?.get(property.as_str()?)?;
    if let Some(reference) = schema.get("$ref").and_then(Value::as_str) {
        schema = document.pointer(reference.strip_prefix('#')?)?;
    }
    Some(schema.get("type").map_or_else(|| "object".to_owned(), expected))
}
