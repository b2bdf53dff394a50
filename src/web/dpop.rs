//! DPoP (RFC 9449; contract `auth0.md` 5): the proof of a request, held against the request, before anything else is looked at.

use std::time::Duration;

use actix_web::{
    HttpRequest,
    http::{
        Method,
        header::{self, HeaderMap, HeaderName, HeaderValue},
    },
};
use serde_json::json;
use url::Url;

use super::oauth::OauthError;
use crate::{
    app::App,
    clock::LEEWAY,
    crypto::dpop::{ALGORITHMS, Proof, ProofProblem},
    domain::{id::ApplicationId, refusal::Code, target::Target, time::Timestamp},
    error::{Error, Result},
    storage::{
        applications::{self, Application},
        seen_ids,
    },
};

/// Carries the proof.
pub const PROOF: HeaderName = HeaderName::from_static("dpop");
/// Carries the nonce for the next proof.
pub const NONCE: HeaderName = HeaderName::from_static("dpop-nonce");

/// How far the time of a proof may be from ours, either way.
const WINDOW: Duration = Duration::from_secs(60);
/// The same for proofs whose nonce shows that they are fresh: clocks of phones are often wrong.
const WINDOW_WITH_NONCE: Duration = Duration::from_secs(300);

/// The request that a proof must be made for.
#[derive(Clone, Copy)]
pub enum Aim<'a> {
    /// The one that came.
    Own(&'a HttpRequest),
    /// One at another back end, which a proxy asks about: its proof stands in the headers of `asked`.
    Forwarded {
        /// The question.
        asked: &'a HttpRequest,
        /// What it is about.
        target: &'a Target,
    },
}

impl Aim<'_> {
    /// The headers with the token and the proof.
    #[must_use]
    pub fn headers(&self) -> &HeaderMap {
        match self {
            Self::Own(request) | Self::Forwarded { asked: request, .. } => request.headers(),
        }
    }

    fn takes_method(&self, htm: &str) -> bool {
        match self {
            // The edge has made GET of HEAD.
            Self::Own(request) => {
                htm == request.method().as_str() || (htm == "HEAD" && request.method() == Method::GET)
            }
            Self::Forwarded { target, .. } => htm == target.method,
        }
    }

    fn takes_address(&self, app: &App, htu: &str) -> bool {
        match self {
            Self::Own(request) => is_address(&app.urls.root, request.path(), htu),
            Self::Forwarded { target, .. } => target.is_at(htu),
        }
    }
}

/// Why a request is refused for its proof.
#[derive(Debug)]
pub enum Problem {
    /// A nonce of ours is missing, or is an old one.
    Nonce,
    /// The proof is missing or wrong.
    Proof(ProofProblem),
    /// Ours, not the proof's.
    Failed(Error),
}

impl From<ProofProblem> for Problem {
    fn from(problem: ProofProblem) -> Self {
        Self::Proof(problem)
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

impl From<sqlx::Error> for Problem {
    fn from(error: sqlx::Error) -> Self {
        Self::Failed(error.into())
    }
}

/// As resources tell it.
impl From<Problem> for Error {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Nonce => Code::DpopNonce.into(),
            Problem::Proof(problem) => Code::DpopProof.with(json!({ "reason": problem.to_string() })).into(),
            Problem::Failed(error) => error,
        }
    }
}

/// As token endpoints tell it (RFC 9449 5, 8).
impl From<Problem> for OauthError {
    fn from(problem: Problem) -> Self {
        match problem {
            Problem::Nonce => Self::new("use_dpop_nonce", Code::DpopNonce.sentence()),
            Problem::Proof(problem) => Self::new("invalid_dpop_proof", problem.to_string()),
            Problem::Failed(error) => error.into(),
        }
    }
}

/// The thumbprint of the key that a token request proves to hold; tokens are bound to it. `None` when it shows no proof, and need not.
///
/// To be asked before anything is spent or counted: a client without a nonce comes again with the same code.
pub async fn key_of(app: &App, request: &HttpRequest, application: &Application) -> Result<Option<String>, Problem> {
    if !request.headers().contains_key(PROOF) && !application.client_settings.require_proof_of_possession {
        return Ok(None);
    }
    let proof = fitting(app, Aim::Own(request))?;
    judge_time(app, &proof, !application.is_confidential())?;
    spend(app, &proof).await?;
    Ok(Some(proof.jkt))
}

/// Refuses a request that does not come from the holder of the key that its access token is bound to.
pub async fn require_holder(
    app: &App,
    aim: Aim<'_>,
    token: &str,
    jkt: &str,
    application: Option<&ApplicationId>,
) -> Result<()> {
    let proof = fitting(app, aim)?;
    if !proof.is_for(token) {
        return Err(Problem::from(ProofProblem::Token).into());
    }
    if proof.jkt != jkt {
        return Err(Problem::from(ProofProblem::OtherKey).into());
    }
    let needs_nonce = proof.claims.nonce.is_none() && !is_confidential(app, application).await?;
    judge_time(app, &proof, needs_nonce)?;
    Ok(spend(app, &proof).await?)
}

async fn is_confidential(app: &App, application: Option<&ApplicationId>) -> Result<bool> {
    let Some(id) = application else { return Ok(false) };
    let found = applications::find(&mut app.db.read().await?, id).await?;
    Ok(found.is_some_and(|application| application.is_confidential()))
}

/// The one proof of a request, made for its method and address (contract `auth0.md` 5, checks 1 to 4).
fn fitting(app: &App, aim: Aim<'_>) -> Result<Proof, Problem> {
    let mut lines = aim.headers().get_all(PROOF);
    let (Some(line), None) = (lines.next(), lines.next()) else { return Err(ProofProblem::Header.into()) };
    let proof = Proof::read(line.to_str().map_err(|_| ProofProblem::Malformed)?)?;
    if !aim.takes_method(&proof.claims.htm) {
        return Err(ProofProblem::Method.into());
    }
    if !aim.takes_address(app, &proof.claims.htu) {
        return Err(ProofProblem::Address.into());
    }
    Ok(proof)
}

/// Whether `htu` names this path of the service as it is seen from outside; query and fragment do not matter (RFC 9449 4.3, 9).
fn is_address(root: &str, path: &str, htu: &str) -> bool {
    let (Ok(here), Ok(named)) = (Url::parse(&format!("{root}{path}")), Url::parse(htu)) else { return false };
    // Paths match in any letter case and with one slash at the end (contract 0.2).
    let bare = |url: &Url| url.path().strip_suffix('/').unwrap_or(url.path()).to_ascii_lowercase();
    named.origin() == here.origin()
        && named.username().is_empty()
        && named.password().is_none()
        && bare(&named) == bare(&here)
}

/// Checks 5 and 6: made just now, with a nonce of ours where one is due.
fn judge_time(app: &App, proof: &Proof, needs_nonce: bool) -> Result<(), Problem> {
    let now = app.now();
    let window = match &proof.claims.nonce {
        Some(nonce) if app.dpop_nonces.is_fresh(nonce, now) => WINDOW_WITH_NONCE,
        Some(_) => return Err(Problem::Nonce),
        // Before its time is looked at: a client whose clock is wrong must learn the nonce.
        None if needs_nonce => return Err(Problem::Nonce),
        None => WINDOW,
    };
    let made = made(proof);
    if made.since(now) > window || now.since(made) > window {
        return Err(ProofProblem::Time.into());
    }
    Ok(())
}

fn made(proof: &Proof) -> Timestamp {
    Timestamp(proof.claims.iat.0.saturating_mul(1000))
}

/// Check 7: once, on any node. Remembered until its time alone would refuse it on all of them.
async fn spend(app: &App, proof: &Proof) -> Result<(), Problem> {
    let mut session = app.db.write().await?;
    let until = made(proof).plus(WINDOW_WITH_NONCE).plus(LEEWAY);
    if !seen_ids::add(&mut session, &proof.id_hash(), until).await? {
        return Err(ProofProblem::Replayed.into());
    }
    Ok(session.commit().await?)
}

/// Whether a request shows its token under this scheme (RFC 9110 11.1: letter case does not matter).
#[must_use]
pub fn is_used(headers: &HeaderMap) -> bool {
    headers.get(header::AUTHORIZATION).and_then(token).is_some()
}

/// The token of an `Authorization` value of this scheme.
#[must_use]
pub fn token(value: &HeaderValue) -> Option<&str> {
    const SCHEME: &str = "DPoP ";
    // The scheme first: every request comes here, and reading all of its token as text costs more than the rest.
    let scheme = value.as_bytes().get(..SCHEME.len())?;
    if !scheme.eq_ignore_ascii_case(SCHEME.as_bytes()) {
        return None;
    }
    value.to_str().ok()?.get(SCHEME.len()..)
}

/// Completes the headers of an answer to a client that uses DPoP: the nonce for its next proof, and challenges under its scheme.
pub fn dress(app: &App, headers: &mut HeaderMap) {
    if let Ok(nonce) = HeaderValue::from_str(&app.dpop_nonces.current(app.now())) {
        headers.insert(NONCE, nonce);
    }
    if !headers.contains_key(header::CACHE_CONTROL) {
        // RFC 9449 8.2: a nonce must not come out of a cache.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    let challenge = headers.get(header::WWW_AUTHENTICATE).and_then(|value| value.to_str().ok());
    let challenge = challenge.and_then(|value| value.strip_prefix("Bearer "));
    let challenge = challenge.map(|rest| format!("DPoP {rest}, algs=\"{}\"", ALGORITHMS.join(" ")));
    if let Some(Ok(challenge)) = challenge.map(|text| HeaderValue::from_str(&text)) {
        headers.insert(header::WWW_AUTHENTICATE, challenge);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_the_one_that_clients_see() {
        let is = |htu| is_address("https://id.example.com", "/oauth/token", htu);
        for same in [
            "https://id.example.com/oauth/token",
            "https://id.example.com:443/oauth/token",
            "HTTPS://ID.example.com/oauth/token?a=b#c",
            "https://id.example.com/x/../oauth/token",
            "https://id.example.com/OAuth/token/",
        ] {
            assert!(is(same), "{same}");
        }
        for other in [
            "http://id.example.com/oauth/token",
            "https://id.example.com:444/oauth/token",
            "https://id.example.org/oauth/token",
            "https://id.example.com.evil.example/oauth/token",
            "https://me@id.example.com/oauth/token",
            "https://id.example.com/oauth/token2",
            "https://id.example.com/oauth//token",
            "https://id.example.com/oauth",
            "/oauth/token",
            "",
        ] {
            assert!(!is(other), "{other}");
        }
        assert!(is_address("https://a.example/id", "/oauth/token", "https://a.example/id/oauth/token"));
        assert!(!is_address("https://a.example/id", "/oauth/token", "https://a.example/oauth/token"));
    }

    #[test]
    fn the_scheme_has_no_letter_case() {
        let read = |value| token(&HeaderValue::from_bytes(value).unwrap()).map(str::to_owned);
        assert_eq!(read(b"DPoP abc").as_deref(), Some("abc"));
        assert_eq!(read(b"dpop abc").as_deref(), Some("abc"));
        for other in [&b"Bearer abc"[..], b"DPoP", b"", b"DPoP \xff"] {
            assert_eq!(read(other), None);
        }
    }
}
