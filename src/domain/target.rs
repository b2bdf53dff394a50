//! What a request at another back end is aimed at, as a reverse proxy tells it: read once, in one spelling.
//!
//! A proxy and the back end behind it often read the same bytes differently: one merges slashes, one decodes twice, one cuts path
//! parameters off. Whatever two parties could read differently is refused here, so that what was agreed to is what happens.

use std::fmt::Write;

use std::{fmt, net::Ipv6Addr};

use percent_encoding::percent_decode;
use serde::Serialize;

/// The longest path, in bytes, as it was sent.
pub const LONGEST_PATH: usize = 2048;
/// The longest query, in bytes.
pub const LONGEST_QUERY: usize = 4096;
/// The longest method, in bytes.
const LONGEST_METHOD: usize = 32;
/// The longest host name, in bytes (RFC 1035 2.3.4).
const LONGEST_HOST: usize = 253;

/// Method, host, path and query of a request, normalised: reading one again changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Target {
    /// Upper case, such as `POST`.
    pub method: String,
    /// Lower case, without the ports 80 and 443, without a dot at the end: `bank.example`, `bank.example:8443`, `[::1]`.
    pub host: String,
    /// Begins with a slash. Percent-encoded only where RFC 3986 wants it, in upper case; no `.`, `..` or empty segments.
    pub path: String,
    /// What follows the first question mark, byte for byte; empty without one.
    pub query: String,
}

/// Why a target is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetProblem {
    /// The method is no word of capital letters.
    Method,
    /// The host is no name or address, or its port is no number.
    Host,
    /// Not of the form `/path?query`.
    Form,
    /// Path or query is too long.
    TooLong,
    /// A character that may not stand in an address as it is.
    Character,
    /// A percent sign without two hexadecimal digits, or text that is not UTF-8.
    Encoding,
    /// What would still be encoded after decoding once.
    EncodedTwice,
    /// An encoded character that would divide the path, end it, or control something.
    EncodedDelimiter,
    /// An empty segment: two slashes in a row.
    EmptySegment,
    /// A segment `.` or `..`, however it is spelled.
    DotSegment,
    /// A semicolon, which some back ends cut off together with what follows it.
    PathParameter,
}

impl TargetProblem {
    /// For logs and `data.reason` of the answer.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Method => "the method is not a word of capital letters",
            Self::Host => "the host is not a name or an address",
            Self::Form => "the target is not a path with a query",
            Self::TooLong => "path or query is too long",
            Self::Character => "the target has a character that must be percent-encoded",
            Self::Encoding => "the path is not percent-encoded UTF-8",
            Self::EncodedTwice => "the path is percent-encoded twice",
            Self::EncodedDelimiter => "the path has an encoded delimiter or control character",
            Self::EmptySegment => "the path has an empty segment",
            Self::DotSegment => "the path has a dot segment",
            Self::PathParameter => "the path has a semicolon",
        }
    }
}

impl fmt::Display for TargetProblem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.sentence())
    }
}

impl std::error::Error for TargetProblem {}

impl Target {
    /// Reads what a proxy wrote: method, `Host`, and the request target in origin form.
    ///
    /// # Errors
    /// The first thing that could be read in two ways.
    pub fn read(method: &[u8], host: &[u8], uri: &[u8]) -> Result<Self, TargetProblem> {
        let method = read_method(method)?;
        let host = read_host(host)?;
        let mut parts = uri.splitn(2, |byte| *byte == b'?');
        let (path, query) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default());
        Ok(Self { method, host, path: read_path(path)?, query: read_query(query)? })
    }

    /// Whether an `http` or `https` URL names this target, whatever its query (`htu`, RFC 9449 4.2).
    #[must_use]
    pub fn is_at(&self, url: &str) -> bool {
        let Some((scheme, rest)) = url.split_once("://") else { return false };
        let bare = rest.split(['?', '#']).next().unwrap_or_default();
        let (host, path) = bare.split_at(bare.find('/').unwrap_or(bare.len()));
        let path = if path.is_empty() { "/" } else { path };
        (scheme.eq_ignore_ascii_case("https") || scheme.eq_ignore_ascii_case("http"))
            && read_host(host.as_bytes()).is_ok_and(|host| host == self.host)
            && read_path(path.as_bytes()).is_ok_and(|path| path == self.path)
    }

    /// The segments of the path, decoded: what routes are held against. `/a/` has two, the second one empty.
    pub fn segments(&self) -> impl Iterator<Item = String> {
        decoded_segments(&self.path)
    }
}

/// Decoded segments of a path in its one spelling.
pub fn decoded_segments(path: &str) -> impl Iterator<Item = String> {
    path.split('/').skip(1).map(|segment| percent_decode(segment.as_bytes()).decode_utf8_lossy().into_owned())
}

/// A method is case-sensitive (RFC 9110 9.1), but not to every back end: only capitals are taken.
pub fn read_method(method: &[u8]) -> Result<String, TargetProblem> {
    let starts = method.first().is_some_and(u8::is_ascii_uppercase);
    let fits = method.iter().all(|byte| byte.is_ascii_uppercase() || *byte == b'-') && method.len() <= LONGEST_METHOD;
    if starts && fits { Ok(ascii(method)) } else { Err(TargetProblem::Method) }
}

/// A host with or without a port. Names in other scripts come as punycode, as HTTP has them, and stay it.
pub fn read_host(host: &[u8]) -> Result<String, TargetProblem> {
    let text = std::str::from_utf8(host).map_err(|_| TargetProblem::Host)?.to_ascii_lowercase();
    let (name, port) = match text.rsplit_once(':') {
        Some((name, port)) if !port.contains(']') => (name, Some(port)),
        _ => (text.as_str(), None),
    };
    let name = match name.strip_prefix('[') {
        Some(rest) => {
            let address = rest.strip_suffix(']').and_then(|text| text.parse::<Ipv6Addr>().ok());
            format!("[{}]", address.ok_or(TargetProblem::Host)?)
        }
        None => read_name(name)?.to_owned(),
    };
    match port {
        None | Some("80" | "443") => Ok(name),
        Some(port) if is_port(port) => Ok(format!("{name}:{port}")),
        Some(_) => Err(TargetProblem::Host),
    }
}

fn read_name(name: &str) -> Result<&str, TargetProblem> {
    let name = name.strip_suffix('.').unwrap_or(name);
    let is_label = |label: &str| {
        let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        (1..=63).contains(&label.len()) && label.bytes().all(fits)
    };
    if name.len() <= LONGEST_HOST && name.split('.').all(is_label) { Ok(name) } else { Err(TargetProblem::Host) }
}

/// Without a sign and without noughts in front, which some would read as another number.
fn is_port(port: &str) -> bool {
    port.parse::<u16>().is_ok_and(|number| number > 0 && number.to_string() == port)
}

/// A path in its one spelling.
pub fn read_path(path: &[u8]) -> Result<String, TargetProblem> {
    if path.first() != Some(&b'/') {
        return Err(TargetProblem::Form);
    }
    if path.len() > LONGEST_PATH {
        return Err(TargetProblem::TooLong);
    }
    let mut read = String::with_capacity(path.len());
    let mut decoded = Vec::with_capacity(path.len());
    let mut rest = path.iter().copied();
    while let Some(byte) = rest.next() {
        match byte {
            b';' => return Err(TargetProblem::PathParameter),
            b'%' => {
                let digits = [rest.next(), rest.next()].map(|digit| digit.and_then(hex));
                let [Some(high), Some(low)] = digits else { return Err(TargetProblem::Encoding) };
                let byte = high * 16 + low;
                if matches!(byte, b'/' | b'\\' | b'?' | b'#' | b';') || byte.is_ascii_control() {
                    return Err(TargetProblem::EncodedDelimiter);
                }
                decoded.push(byte);
                if is_unreserved(byte) {
                    read.push(char::from(byte));
                } else {
                    let _ = write!(read, "%{byte:02X}");
                }
            }
            byte if is_path_byte(byte) => {
                decoded.push(byte);
                read.push(char::from(byte));
            }
            _ => return Err(TargetProblem::Character),
        }
    }
    judge_decoded(&decoded)?;
    Ok(read)
}

/// What a back end sees that decodes the path once; no encoded slash is in it.
fn judge_decoded(decoded: &[u8]) -> Result<(), TargetProblem> {
    let text = std::str::from_utf8(decoded).map_err(|_| TargetProblem::Encoding)?;
    // C1 controls among others; the ASCII ones are refused before.
    if text.chars().any(char::is_control) {
        return Err(TargetProblem::EncodedDelimiter);
    }
    let is_escape = |triple: &[u8]| matches!(triple, [b'%', high, low] if hex(*high).and(hex(*low)).is_some());
    if decoded.windows(3).any(is_escape) {
        return Err(TargetProblem::EncodedTwice);
    }
    let mut segments = text.split('/').skip(1).peekable();
    while let Some(segment) = segments.next() {
        match segment {
            "." | ".." => return Err(TargetProblem::DotSegment),
            // A slash at the end is no empty segment, but part of the name.
            "" if segments.peek().is_some() => return Err(TargetProblem::EmptySegment),
            _ => {}
        }
    }
    Ok(())
}

/// Any visible ASCII character but the number sign, which never reaches a server in earnest.
fn read_query(query: &[u8]) -> Result<String, TargetProblem> {
    if query.len() > LONGEST_QUERY {
        return Err(TargetProblem::TooLong);
    }
    if query.iter().all(|byte| byte.is_ascii_graphic() && *byte != b'#') {
        Ok(ascii(query))
    } else {
        Err(TargetProblem::Character)
    }
}

fn ascii(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// RFC 3986 2.3.
fn is_unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~')
}

/// What a path may have unencoded: RFC 3986 3.3 without the semicolon.
fn is_path_byte(byte: u8) -> bool {
    is_unreserved(byte) || b"/!$&'()*+,=:@".contains(&byte)
}

#[cfg(test)]
#[path = "target_tests.rs"]
mod tests;
