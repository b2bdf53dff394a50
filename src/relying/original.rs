//! The request that a proxy asks about, out of what it wrote (contract `operations.md`, "Forward auth").
//!
//! Three ways of saying it: `X-Original-Method`, `-Host` and `-URI` (nginx, `HAProxy`); `X-Forwarded-Method`, `-Host` and `-Uri` (Caddy,
//! Traefik); or the request itself, its path behind ours (Envoy). What is missing, stands twice, or comes in two ways at once is
//! refused: one of them would be the client's own.

use actix_web::{
    HttpRequest,
    http::header::{HeaderMap, HeaderValue},
};

use crate::{
    domain::target::{Target, TargetProblem},
    web::forwarded,
};

/// One way of saying it in headers: method, host, URI.
type Family = [&'static str; 3];

const ORIGINAL: Family = ["x-original-method", "x-original-host", "x-original-uri"];
const FORWARDED: Family = ["x-forwarded-method", "x-forwarded-host", "x-forwarded-uri"];

/// Headers by which some back ends take another method or path than the one of the request line.
const OVERRIDES: [&str; 5] =
    ["x-http-method-override", "x-http-method", "x-method-override", "x-original-url", "x-rewrite-url"];

/// Headers that count here; a client that sends one twice may be understood in two ways.
const SINGLE: [&str; 5] = ["authorization", "dpop", "verification-id", "logto-verification-id", "content-digest"];

/// Why it is not known what a proxy asks about.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Problem {
    /// A header is missing or stands twice, or there are two ways at once.
    Headers,
    /// The back end may be told of another method or path.
    Override,
    /// It could be read in two ways.
    Target(TargetProblem),
}

impl Problem {
    /// For `data.reason`, logs and metrics.
    #[must_use]
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Headers => "what the proxy says of the original request is missing or said twice",
            Self::Override => "the request names another method or path in a header",
            Self::Target(problem) => problem.sentence(),
        }
    }
}

impl From<TargetProblem> for Problem {
    fn from(problem: TargetProblem) -> Self {
        Self::Target(problem)
    }
}

/// Reads it.
pub fn read(request: &HttpRequest) -> Result<Target, Problem> {
    let headers = request.headers();
    if OVERRIDES.iter().any(|name| headers.contains_key(*name)) {
        return Err(Problem::Override);
    }
    if SINGLE.iter().any(|name| headers.get_all(*name).count() > 1) {
        return Err(Problem::Headers);
    }
    let is_said = |names: &[&str]| names.iter().any(|name| headers.contains_key(*name));
    // `X-Forwarded-Host` alone says nothing: many proxies write it beside anything.
    let forwarded = is_said(&["x-forwarded-method", "x-forwarded-uri"]);
    let appended = appended(request);
    match (appended, is_said(&ORIGINAL), forwarded) {
        (Some(uri), false, false) => {
            let host = single(headers, "host").ok_or(Problem::Headers)?;
            Ok(Target::read(request.method().as_str().as_bytes(), host, uri.as_bytes())?)
        }
        (None, true, false) => said(headers, ORIGINAL),
        (None, false, true) => said(headers, FORWARDED),
        _ => Err(Problem::Headers),
    }
}

fn said(headers: &HeaderMap, family: Family) -> Result<Target, Problem> {
    let [Some(method), Some(host), Some(uri)] = family.map(|name| single(headers, name)) else {
        return Err(Problem::Headers);
    };
    Ok(Target::read(method, host, uri)?)
}

fn single<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a [u8]> {
    let mut lines = headers.get_all(name).map(HeaderValue::as_bytes);
    lines.next().filter(|_| lines.next().is_none())
}

/// The target behind our own path, as Envoy appends it; `None` when nothing is there.
fn appended(request: &HttpRequest) -> Option<&str> {
    let target = request.uri().path_and_query()?.as_str();
    target.strip_prefix(forwarded::PATH).filter(|rest| rest.starts_with('/'))
}

#[cfg(test)]
mod tests {
    use actix_web::{http::Method, test::TestRequest};
    use rstest::rstest;

    use super::*;

    /// Headers, one a line, of a GET for that path.
    fn asked(path: &str, lines: &str) -> Result<String, Problem> {
        let mut request = TestRequest::with_uri(path).method(Method::GET);
        for (name, value) in lines.split(" | ").filter_map(|line| line.split_once(": ")) {
            request = request.append_header((name, value));
        }
        read(&request.to_http_request())
            .map(|target| format!("{} {}{}?{}", target.method, target.host, target.path, target.query))
    }

    const NGINX: &str = "x-original-method: POST | x-original-host: bank.example | x-original-uri: /a?b";
    const CADDY: &str = "x-forwarded-method: POST | x-forwarded-host: bank.example | x-forwarded-uri: /a?b";

    #[rstest]
    #[case("/forward-auth", NGINX, "POST bank.example/a?b")]
    #[case("/forward-auth", CADDY, "POST bank.example/a?b")]
    // Caddy 2.6 appends the original query to the question; it is not read there.
    #[case("/forward-auth?b", CADDY, "POST bank.example/a?b")]
    #[case("/forward-auth/a?b", "host: bank.example", "GET bank.example/a?b")]
    #[case("/forward-auth/", "host: bank.example", "GET bank.example/?")]
    fn three_ways_of_saying_it(#[case] path: &str, #[case] lines: &str, #[case] target: &str) {
        assert_eq!(asked(path, lines).as_deref(), Ok(target));
    }

    #[test]
    fn the_host_of_another_proxy_says_nothing() {
        assert!(asked("/forward-auth", &format!("{NGINX} | x-forwarded-host: other.example")).is_ok());
        assert_eq!(asked("/forward-auth", "x-forwarded-host: bank.example"), Err(Problem::Headers));
    }

    #[rstest]
    #[case("/forward-auth", "host: bank.example")]
    #[case("/forward-auth", "x-original-method: POST | x-original-uri: /a")]
    #[case("/forward-auth", "x-original-host: bank.example | x-original-uri: /a")]
    #[case("/forward-auth", "x-original-method: POST | x-original-host: bank.example")]
    #[case("/forward-auth", "x-forwarded-method: POST | x-forwarded-uri: /a")]
    #[case("/forward-auth", &format!("{NGINX} | {CADDY}"))]
    #[case("/forward-auth", &format!("{NGINX} | x-forwarded-uri: /b"))]
    #[case("/forward-auth", &format!("{CADDY} | x-original-method: GET"))]
    #[case("/forward-auth", &format!("{NGINX} | x-original-uri: /b"))]
    #[case("/forward-auth", &format!("{NGINX} | x-original-method: POST"))]
    #[case("/forward-auth", &format!("{CADDY} | x-forwarded-host: bank.example"))]
    #[case("/forward-auth", &format!("{NGINX} | authorization: a | authorization: b"))]
    #[case("/forward-auth", &format!("{NGINX} | verification-id: a | verification-id: a"))]
    #[case("/forward-auth/a", &format!("host: bank.example | {NGINX}"))]
    #[case("/forward-auth/a", &format!("host: bank.example | {CADDY}"))]
    #[case("/forward-auth/a", "host: bank.example | host: other.example")]
    #[case("/forward-auth/a", "")]
    fn two_ways_or_half_of_one_are_refused(#[case] path: &str, #[case] lines: &str) {
        assert_eq!(asked(path, lines), Err(Problem::Headers));
    }

    #[test]
    fn nobody_names_another_method_or_path() {
        for name in OVERRIDES {
            assert_eq!(asked("/forward-auth", &format!("{NGINX} | {name}: /x")), Err(Problem::Override));
        }
        let lines = "x-original-method: POST | x-original-host: bank.example | x-original-uri: /a/../b";
        assert_eq!(asked("/forward-auth", lines), Err(Problem::Target(TargetProblem::DotSegment)));
    }
}
