//! Checking an export, with no database and no service at hand: which line is the first that is not what was signed.

use std::{collections::BTreeSet, fmt, io::BufRead};

use jsonwebtoken::jwk::JwkSet;
use serde_json::Value;

use super::{
    canonical::{canonical, hex, link},
    signed,
};
use crate::crypto::digest::digest;

/// The longest line looked at, in bytes.
const LONGEST: u64 = 4 << 20;

/// A sound export.
#[derive(Debug, PartialEq, Eq)]
pub struct Report {
    /// Whose it is, as it says.
    pub issuer: String,
    /// Places of the first and the last event; the first is greater when there are none.
    pub places: (i64, i64),
    /// The hash of the last event.
    pub hash: String,
    /// When it was exported, in seconds since 1970.
    pub exported_at: i64,
    /// Keys that signed something in it.
    pub kids: BTreeSet<String>,
}

/// The first line that is wrong, and why.
#[derive(Debug, PartialEq, Eq)]
pub struct Problem {
    /// From 1 on. One past the last when a line is missing there.
    pub line: u64,
    /// In words.
    pub reason: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.reason)
    }
}

/// Reads an export to its end. Without `keys`, those in its first line count, and all rests on whether they are the service's own.
pub fn verify(source: &mut impl BufRead, keys: Option<JwkSet>) -> Result<Report, Problem> {
    let mut number = 1;
    let first = read(source, number)?.ok_or_else(|| problem(number, "the file is empty"))?;
    let mut state = State::begin(&first, keys).map_err(|reason| Problem { line: number, reason })?;
    loop {
        number += 1;
        let Some(line) = read(source, number)? else {
            return Err(problem(number, "the signed end is missing: the file was cut off before this line"));
        };
        let at = |Wrong { back, reason }: Wrong| Problem { line: number.saturating_sub(back), reason };
        let Some(end) = state.take(&line).map_err(at)? else { continue };
        if read(source, number + 1)?.is_some() {
            return Err(problem(number + 1, "something follows the signed end"));
        }
        return Ok(Report {
            issuer: end.iss,
            places: (state.start.seq + 1, end.seq),
            hash: end.hash,
            exported_at: end.iat,
            kids: state.kids,
        });
    }
}

fn problem(line: u64, reason: &str) -> Problem {
    Problem { line, reason: reason.to_owned() }
}

/// The next line without its line feed; `None` at the end of the file.
fn read(source: &mut impl BufRead, number: u64) -> Result<Option<String>, Problem> {
    let mut bytes = Vec::new();
    let mut limited = std::io::Read::take(&mut *source, LONGEST);
    let length = limited.read_until(b'\n', &mut bytes).map_err(|error| problem(number, &error.to_string()))?;
    if length == 0 {
        return Ok(None);
    }
    if bytes.pop() != Some(b'\n') {
        return Err(problem(number, "the line is cut off: it has no line feed at its end"));
    }
    String::from_utf8(bytes).map(Some).map_err(|_| problem(number, "the line is not UTF-8"))
}

/// What is wrong, and how many lines before the current one.
struct Wrong {
    back: u64,
    reason: String,
}

impl<T: Into<String>> From<T> for Wrong {
    fn from(reason: T) -> Self {
        Self { back: 0, reason: reason.into() }
    }
}

struct State {
    keys: JwkSet,
    kids: BTreeSet<String>,
    start: signed::Start,
    start_digest: String,
    seq: i64,
    hash: String,
    checkpoint: i64,
}

impl State {
    fn begin(line: &str, keys: Option<JwkSet>) -> Result<Self, String> {
        let (_, value) = parse(line)?;
        let text = only(&value, "start").ok_or("an export begins with a line that has `start`")?;
        let keys = match keys {
            Some(keys) => keys,
            None => signed::claimed_keys(text).map_err(|error| format!("the start is {error}"))?,
        };
        let (start, kid) = signed::verify::<signed::Start>(text, signed::START, &keys)
            .map_err(|error| format!("the start has {error}"))?;
        if start.format != signed::FORMAT {
            return Err(format!("the export has the format {}; this program reads {}", start.format, signed::FORMAT));
        }
        Ok(Self {
            keys,
            kids: BTreeSet::from([kid]),
            start_digest: hex(&digest(line.as_bytes())),
            seq: start.seq,
            hash: start.hash.clone(),
            checkpoint: start.seq,
            start,
        })
    }

    /// Judges a line; gives the end when it is that.
    fn take(&mut self, line: &str) -> Result<Option<signed::End>, Wrong> {
        let (text, value) = parse(line)?;
        if text != line {
            return Err("the line is not written the one way it may be".into());
        }
        if let Some(text) = only(&value, "checkpoint") {
            let claims = self.signed::<signed::Checkpoint>(text, signed::CHECKPOINT)?;
            self.at_head(claims.seq, &claims.hash, "checkpoint")?;
            self.follows(claims.previous)?;
            self.checkpoint = claims.seq;
            return Ok(None);
        }
        if let Some(text) = only(&value, "end") {
            let end = self.signed::<signed::End>(text, signed::END)?;
            self.at_head(end.seq, &end.hash, "end")?;
            self.follows(end.checkpoint)?;
            if end.start != self.start_digest {
                return Err("the end was signed for another export".into());
            }
            return Ok(Some(end));
        }
        self.event(value)?;
        Ok(None)
    }

    fn event(&mut self, value: Value) -> Result<(), Wrong> {
        let Value::Object(mut members) = value else { return Err("the line is no object".into()) };
        let hash = members.remove("hash").and_then(|hash| hash.as_str().map(str::to_owned));
        let (Some(hash), Some(seq)) = (hash, members.get("seq").and_then(Value::as_i64)) else {
            return Err("the line is neither an event, nor a checkpoint, nor the end".into());
        };
        let expected = self.seq + 1;
        if seq != expected {
            return Err(format!("here should be the event {expected}, but it is {seq}").into());
        }
        let content = canonical(&Value::Object(members)).map_err(|error| error.to_string())?;
        let made = hex(&link(&self.hash, &content));
        if made != hash {
            return Err(format!("the event {seq} is not the one that was chained").into());
        }
        (self.seq, self.hash) = (seq, hash);
        Ok(())
    }

    fn signed<T: serde::de::DeserializeOwned>(&mut self, text: &str, typ: &str) -> Result<T, Wrong> {
        let (claims, kid) =
            signed::verify(text, typ, &self.keys).map_err(|error| format!("what is signed here has {error}"))?;
        self.kids.insert(kid);
        Ok(claims)
    }

    fn at_head(&self, seq: i64, hash: &str, what: &str) -> Result<(), Wrong> {
        if self.checkpoint < seq && seq < self.seq {
            let back = u64::try_from(self.seq - seq).unwrap_or(0);
            return Err(Wrong {
                back,
                reason: format!("here should be the {what} after event {seq}, which stands further down"),
            });
        }
        if seq != self.seq {
            return Err(
                format!("here should be the event {}, but it is the {what} after event {seq}", self.seq + 1).into()
            );
        }
        if hash != self.hash {
            return Err(format!("the events up to {seq} are not those that were signed").into());
        }
        Ok(())
    }

    /// Whether the checkpoint before is the last one seen; one before the start of the file is not in it.
    fn follows(&self, previous: i64) -> Result<(), Wrong> {
        if previous == self.checkpoint || (previous < self.start.seq && self.checkpoint == self.start.seq) {
            return Ok(());
        }
        let back = u64::try_from(self.seq - previous).unwrap_or(0);
        if previous > self.checkpoint {
            return Err(Wrong { back, reason: format!("the checkpoint after event {previous} is missing here") });
        }
        Err(format!("the checkpoint after event {} was not signed by this service", self.checkpoint).into())
    }
}

/// The line as JSON, and as it should be written.
fn parse(line: &str) -> Result<(String, Value), String> {
    let value: Value = serde_json::from_str(line).map_err(|_| "the line is not JSON".to_owned())?;
    Ok((canonical(&value).map_err(|error| error.to_string())?, value))
}

/// The text of an object's one member of that name.
fn only<'v>(value: &'v Value, name: &str) -> Option<&'v str> {
    let members = value.as_object().filter(|members| members.len() == 1)?;
    members.get(name)?.as_str()
}
