//! The parsed body. The happy path parses bytes straight into the type, so that secrets are wrapped from the first byte;
//! only a body that does not fit is looked at again, to say what to mend.

use std::{future::Future, pin::Pin, time::Duration};

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::header,
    web::{Buf, Bytes, BytesMut, Data},
};
use futures_core::Stream;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value, value::RawValue};
use utoipa::ToSchema;

use super::explain;
use crate::{
    app::App,
    config::LimitsConfig,
    domain::{decimal, refusal::Code},
    error::{Error, Result},
};

/// The body as `T` (contract 0.2): JSON or a form; no body counts as `{}`; unknown members are ignored.
pub struct Json<T>(pub T);

impl<T: DeserializeOwned + ToSchema + 'static> FromRequest for Json<T> {
    type Error = Error;
    type Future = Pin<Box<dyn Future<Output = Result<Self>>>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let app = request.app_data::<Data<App>>().cloned();
        let kind = kind(request);
        let payload = payload.take();
        Box::pin(async move {
            let app = app.ok_or_else(|| anyhow::anyhow!("the app is missing"))?;
            let bytes = read(payload, &app.config.limits).await?;
            parse(&bytes, kind).map(Json)
        })
    }
}

/// How the body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// `application/json`.
    Json,
    /// `application/x-www-form-urlencoded`.
    Form,
    /// The request does not say.
    Unsaid,
    /// Something else.
    Other,
}

/// What the `Content-Type` header says.
#[must_use]
pub fn kind(request: &HttpRequest) -> Kind {
    let Some(value) = request.headers().get(header::CONTENT_TYPE) else { return Kind::Unsaid };
    let essence = value.to_str().unwrap_or("?").split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    match essence.as_str() {
        "" => Kind::Unsaid,
        "application/json" => Kind::Json,
        "application/x-www-form-urlencoded" => Kind::Form,
        _ => Kind::Other,
    }
}

/// Reads a whole body, within the limits of size and time.
///
/// # Errors
/// `413 request.body_too_large`, `408 request.timeout`, `400 request.invalid` for one that breaks off.
pub async fn read(payload: Payload, limits: &LimitsConfig) -> Result<Bytes> {
    // The time is for all of it: a byte now and then does not help.
    let time = Duration::from_secs(limits.body_seconds);
    tokio::time::timeout(time, read_all(payload, limits.body_bytes)).await.map_err(|_| Code::RequestTimeout.refuse())?
}

async fn read_all(mut payload: Payload, limit: usize) -> Result<Bytes> {
    let mut body = BytesMut::new();
    while let Some(chunk) = std::future::poll_fn(|context| Pin::new(&mut payload).poll_next(context)).await {
        let chunk = chunk.map_err(|_| Code::InvalidRequest.refuse())?;
        if body.len() + chunk.len() > limit {
            // Reading on would let a client keep us busy; the connection ends with the answer.
            return Err(Code::BodyTooLarge.into());
        }
        body.extend_from_slice(chunk.chunk());
    }
    Ok(body.freeze())
}

/// Whether a parameter stands twice in a form or a query, which OAuth forbids (RFC 6749 3.1, 3.2): of two, one could be checked and the
/// other used.
#[must_use]
pub fn has_repeated(form: &[u8]) -> bool {
    let mut seen = std::collections::HashSet::new();
    !url::form_urlencoded::parse(form).all(|(name, _)| seen.insert(name))
}

/// Parses a body.
pub fn parse<T: DeserializeOwned + ToSchema>(bytes: &[u8], kind: Kind) -> Result<T> {
    let bytes = if kind == Kind::Unsaid || bytes.is_empty() { b"{}".as_slice() } else { bytes };
    match kind {
        Kind::Other if bytes != b"{}" => Err(Code::UnsupportedMediaType.into()),
        Kind::Form if bytes != b"{}" => {
            let pairs: Vec<(String, String)> =
                serde_urlencoded::from_bytes(bytes).map_err(|_| Code::MalformedJson.refuse())?;
            let members: Map<String, Value> =
                pairs.into_iter().map(|(name, text)| (name, Value::String(text))).collect();
            let text = serde_json::to_vec(&members).map_err(anyhow::Error::from)?;
            parse_json(&text)
        }
        _ => parse_json(bytes),
    }
}

fn parse_json<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Result<T> {
    if has_nul(bytes) {
        return Err(malformed_or_misshapen::<T>(bytes, None));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(bytes);
    let parsed = serde_path_to_error::deserialize(&mut deserializer);
    match parsed {
        Ok(_) if has_misplaced_list::<T>(bytes) => Err(malformed_or_misshapen::<T>(bytes, None)),
        Ok(value) if deserializer.end().is_ok() && bytes.trim_ascii_start().starts_with(b"{") => Ok(value),
        Ok(_) => Err(malformed_or_misshapen::<T>(bytes, None)),
        Err(error) => with_whole_numbers(bytes).ok_or_else(|| malformed_or_misshapen::<T>(bytes, Some(&error))),
    }
}

/// Whether a list stands where the published schema wants something else: the parser would take one for an object.
fn has_misplaced_list<T: ToSchema>(bytes: &[u8]) -> bool {
    // Looked at closely only where there may be a list.
    bytes.contains(&b'[') && serde_json::from_slice(bytes).is_ok_and(|value| explain::has_misplaced_list::<T>(&value))
}

/// To JSON Schema `75.0` is an integer, to the parser it is none: reads such a body again, with whole numbers written as such and every
/// other byte as it was, so that what was refused for another reason is refused again.
fn with_whole_numbers<T: DeserializeOwned + ToSchema>(bytes: &[u8]) -> Option<T> {
    serde_json::from_slice::<Map<String, Value>>(bytes).ok()?;
    let text = settled(std::str::from_utf8(bytes).ok()?)?;
    let is_fit = !has_misplaced_list::<T>(text.as_bytes());
    if is_fit { serde_json::from_str(&text).ok() } else { None }
}

/// JSON text with `75.0` and `7.5e1` as `75`, outside texts; `None` when no number is written so.
fn settled(json: &str) -> Option<String> {
    let mut text = String::with_capacity(json.len());
    let mut rest = json;
    let mut is_other = false;
    while let Some(first) = rest.chars().next() {
        let end = match first {
            '"' => end_of_text(rest),
            '-' | '0'..='9' => rest
                .find(|letter: char| !(letter.is_ascii_digit() || matches!(letter, '-' | '+' | '.' | 'e' | 'E')))
                .unwrap_or(rest.len()),
            other => other.len_utf8(),
        };
        let (token, after) = rest.split_at(end);
        let whole = token.contains(['.', 'e', 'E']).then(|| token.parse::<f64>().ok()).flatten();
        let whole = whole.map(|number| format!("{number:.0}")).filter(|_| first != '"');
        match whole.filter(|whole| whole.parse::<i64>().is_ok() && decimal::is_same(token, whole)) {
            Some(whole) => {
                text.push_str(&whole);
                is_other = true;
            }
            None => text.push_str(token),
        }
        rest = after;
    }
    is_other.then_some(text)
}

/// Where the text that `json` begins with ends, past its quote.
fn end_of_text(json: &str) -> usize {
    let mut is_escaped = true;
    let end = json.bytes().position(|byte| {
        let is_end = byte == b'"' && !is_escaped;
        // The first quote opens.
        is_escaped = byte == b'\\' && !is_escaped;
        is_end
    });
    end.map_or(json.len(), |end| end + 1)
}

/// Whether some text holds U+0000, which PostgreSQL cannot store: what one engine refuses, both refuse.
fn has_nul(bytes: &[u8]) -> bool {
    // Looked at closely only where it is written, or seems to be: a backslash may itself be escaped.
    fn within(value: &Value) -> bool {
        match value {
            Value::String(text) => text.contains('\0'),
            Value::Array(items) => items.iter().any(within),
            Value::Object(members) => members.iter().any(|(name, value)| name.contains('\0') || within(value)),
            _ => false,
        }
    }
    let is_written = bytes.windows(6).any(|window| window == br"\u0000");
    is_written && serde_json::from_slice::<Value>(bytes).is_ok_and(|value| within(&value))
}

/// Why a body was not taken: no JSON object at all, or one of another shape.
fn malformed_or_misshapen<T: ToSchema>(
    bytes: &[u8],
    error: Option<&serde_path_to_error::Error<serde_json::Error>>,
) -> Error {
    match serde_json::from_slice::<Value>(bytes) {
        Ok(Value::Object(members)) if members.contains_key("__proto__") => Code::MalformedJson.into(),
        Ok(value @ (Value::Object(_) | Value::Array(_))) => explain::refuse::<T>(&value, "body", error).into(),
        // JSON that no `Value` holds: numbers past a double, halves of surrogate pairs. Payloads tell of both.
        Err(_) if serde_json::from_slice::<&RawValue>(bytes).is_ok() => {
            error.and_then(explain::payload_in).map_or_else(|| Code::MalformedJson.into(), Error::from)
        }
        Ok(_) | Err(_) => Code::MalformedJson.into(),
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    #[serde(default)]
    struct Inner {
        words: Vec<String>,
    }

    impl Default for Inner {
        fn default() -> Self {
            Self { words: vec!["none".to_owned()] }
        }
    }

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    struct Outer {
        inner: Inner,
    }

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    struct Counted {
        count: u32,
    }

    #[test]
    fn a_whole_number_may_have_a_point() {
        let count = |body: &str| parse::<Counted>(body.as_bytes(), Kind::Json).map(|counted| counted.count);
        assert_eq!(count(r#"{"count":75.0}"#).unwrap(), 75);
        assert_eq!(count(r#"{"count":7.5e1}"#).unwrap(), 75);
        for body in [r#"{"count":7.5}"#, r#"{"count":-75.0}"#, r#"{"count":1e300}"#, "[75.0]", r#"{"count":75.0} x"#] {
            count(body).unwrap_err();
        }
    }

    #[test]
    fn only_whole_numbers_are_written_anew() {
        let written = r#"{"a":75.0,"b":["7.0\"",-1.5e1,{"c\\\\":2.0}],"d":1.5,"e":0.10,"e":9007199254740993.0,"f":1e300,"g":-0.0,"h":3}"#;
        let wanted =
            r#"{"a":75,"b":["7.0\"",-15,{"c\\\\":2}],"d":1.5,"e":0.10,"e":9007199254740993.0,"f":1e300,"g":-0,"h":3}"#;
        assert_eq!(settled(written).unwrap(), wanted);
        assert_eq!(settled(wanted), None);
    }

    #[derive(Debug, Deserialize, utoipa::ToSchema)]
    struct Bound {
        payload: crate::domain::payload::Payload,
    }

    #[test]
    fn a_payload_that_two_readers_would_read_apart_is_refused_with_its_place() {
        let good = r#"{"payload":{"amount":1.0,"payees":[{"name":"Ada"},[]]}}"#;
        let bound = parse::<Bound>(good.as_bytes(), Kind::Json).unwrap();
        assert_eq!(bound.payload.canonical(), r#"{"amount":1,"payees":[{"name":"Ada"},[]]}"#);
        for (payload, path, words) in [
            (r#"{"a":1.0,"b.c":[0,{"x":1,"x":1}]}"#, json!(["payload", "b.c", 1, "x"]), "stands twice"),
            (r#"{"a":1,"a":1}"#, json!(["payload", "a"]), "stands twice"),
            (r#"{"a":1.0,"n":9007199254740992}"#, json!(["payload", "n"]), "past 2^53 - 1"),
            (r#"{"a":1.0,"n":0.10000000000000001}"#, json!(["payload", "n"]), "fewer digits"),
            (r#"{" at line 9":1e400}"#, json!(["payload", " at line 9"]), "past 2^53 - 1"),
            (r#"{"x":["\ud800"]}"#, json!(["payload", "x", 0]), "surrogate"),
            (r#"[1.0]"#, json!(["payload"]), "Expected object but received array."),
            (r#""x""#, json!(["payload"]), "Expected object but received string."),
        ] {
            let body = format!(r#"{{"payload":{payload}}}"#);
            let error = parse::<Bound>(body.as_bytes(), Kind::Json).unwrap_err();
            let shown = error.shown();
            assert_eq!(shown.code, Code::InvalidInput, "{body}");
            let issue = &shown.data.as_ref().unwrap()["issues"][0];
            assert_eq!(issue["path"], path, "{body}");
            assert!(issue["message"].as_str().unwrap().contains(words), "{body}: {issue}");
            let broken = parse::<Bound>(body[..body.len() - 1].as_bytes(), Kind::Json).unwrap_err();
            assert_eq!(broken.shown().code, Code::MalformedJson, "{body}");
        }
    }

    #[test]
    fn an_array_is_taken_for_an_array_only() {
        let outer = parse::<Outer>(br#"{"inner":{"words":["[","\""]}}"#, Kind::Json).unwrap();
        assert_eq!(outer.inner.words, ["[", "\""]);
        for body in [r#"{"inner":[]}"#, r#"{"inner":[["x"]]}"#, r#"{"inner":{"words":[1]}}"#] {
            let error = parse::<Outer>(body.as_bytes(), Kind::Json).unwrap_err();
            assert_eq!(error.shown().code, Code::InvalidInput, "{body}");
        }
    }
}
