//! Access tokens of other issuers: those the configuration names, judged by the keys they publish.
//!
//! A token's own words choose which entry judges it and nothing more: issuer, audience, algorithms and scopes are the
//! entry's.

mod fetch;
mod keys;
mod store;

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::anyhow;
use jsonwebtoken::Algorithm;
use serde::Deserialize;

use crate::config::trusted_issuers::{TrustedIssuer, problems};
use crate::crypto::digest::digest;
use crate::crypto::jws::{self, NumericDate, OneOrMany, TokenProblem};
use crate::crypto::tokens::{Confirmation, is_access_token_type};
use crate::domain::time::Timestamp;
use crate::error::Result;

use store::KeyStore;

/// Seconds by which an issuer's clock may differ from ours.
const LEEWAY: i64 = 30;
/// The whole of one request to an issuer, body and all.
const TIMEOUT: Duration = Duration::from_secs(5);

/// The issuers that are trusted besides our own, with their keys. Made once; share it in an `Arc`.
pub struct TrustedIssuers {
    by_issuer: HashMap<String, Entry>,
}

struct Entry {
    config: TrustedIssuer,
    algorithms: Vec<Algorithm>,
    store: Arc<KeyStore>,
}

/// What a foreign token says once it is believed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExternalIdentity {
    /// Who issued the token, as configured.
    pub issuer: String,
    /// The subject, in the issuer's words.
    pub sub: String,
    /// What the entry puts in front of `sub`; see [`Self::external_id`].
    pub prefix: String,
    /// The scopes the entry grants; the token has no say.
    pub scopes: Vec<String>,
    /// The application (`client_id`, else `azp`).
    pub client_id: Option<String>,
    /// When the user proved who they are, in seconds since 1970; never later than the moment of judging.
    pub auth_time: Option<i64>,
    /// By which methods, in the issuer's words.
    pub amr: Option<Vec<String>>,
    /// When the token expires, in seconds since 1970.
    pub exp: i64,
    /// The key whose holder alone may use it (RFC 9449 6.1).
    pub jkt: Option<String>,
}

impl ExternalIdentity {
    /// The external id of the user it speaks for.
    #[must_use]
    pub fn external_id(&self) -> String {
        format!("{}{}", self.prefix, self.sub)
    }
}

/// The claims looked at (RFC 9068 2.2; RFC 7519 4.1).
#[derive(Debug, Deserialize)]
struct ForeignClaims {
    iss: String,
    sub: String,
    aud: OneOrMany,
    exp: NumericDate,
    nbf: Option<NumericDate>,
    client_id: Option<String>,
    azp: Option<String>,
    auth_time: Option<NumericDate>,
    amr: Option<OneOrMany>,
    /// One that we cannot confirm (a certificate, say) makes the token unreadable, and so refused.
    cnf: Option<Confirmation>,
}

impl TrustedIssuers {
    /// Made from `[[trusted_issuers]]`. Nothing is fetched before the first token.
    ///
    /// # Errors
    /// Failed with one line for each problem of the section, or when a `ca_file` cannot be used.
    pub fn new(entries: &[TrustedIssuer]) -> Result<Self> {
        Self::with_timeout(entries, TIMEOUT)
    }

    fn with_timeout(entries: &[TrustedIssuer], timeout: Duration) -> Result<Self> {
        let problems = problems(entries);
        if !problems.is_empty() {
            return Err(anyhow!(problems.join("\n")).into());
        }
        let mut by_issuer = HashMap::new();
        let mut shared = None;
        for config in entries {
            let client = match (&config.ca_file, &shared) {
                (None, Some(client)) => reqwest::Client::clone(client),
                (None, None) => shared.insert(fetch::client(timeout, None)?).clone(),
                (Some(file), _) => fetch::client(timeout, Some(file))?,
            };
            let algorithms = config.algorithms.iter().filter_map(|name| name.parse().ok()).collect();
            let store = Arc::new(KeyStore::new(config.clone(), client));
            by_issuer.insert(config.issuer.clone(), Entry { config: config.clone(), algorithms, store });
        }
        Ok(Self { by_issuer })
    }

    /// Whether this issuer is one of them.
    #[must_use]
    pub fn knows(&self, issuer: &str) -> bool {
        self.by_issuer.contains_key(issuer)
    }

    /// Judges a token of one of the trusted issuers.
    ///
    /// Keys are fetched when the first token comes, again when one names an unknown key (at most once a minute), and
    /// behind a request when they are older than a quarter of an hour; those we have are kept when that fails.
    ///
    /// # Errors
    /// [`TokenProblem::KeysUnavailable`] when no key of the issuer could be fetched so far; else why it is not believed.
    pub async fn verify(&self, token: &str, now: Timestamp) -> Result<ExternalIdentity, TokenProblem> {
        let entry = self.by_issuer.get(&jws::claimed_issuer(token)?).ok_or(TokenProblem::Issuer)?;
        let seen = digest(token.as_bytes());
        let known = entry.store.current(now);
        if let Some(claims) = known.and_then(|set| set.verified.get(&seen)) {
            return entry.judge(&claims, now);
        }
        let header = jws::header(token)?;
        if !entry.algorithms.contains(&header.alg) {
            return Err(TokenProblem::Algorithm);
        }
        if !header.typ.as_deref().is_none_or(may_be_access_token) {
            return Err(TokenProblem::Type);
        }
        let kid = header.kid.as_deref();
        let set = entry.store.with_key(kid, header.alg, now).await?;
        let key = set.find(kid, header.alg).ok_or(TokenProblem::Key)?;
        let claims: Arc<ForeignClaims> = Arc::new(jws::verify(token, key, header.alg)?);
        let identity = entry.judge(&claims, now)?;
        set.verified.insert(seen, claims);
        Ok(identity)
    }

    /// Fetches the keys of every issuer once, for `countersign doctor`: how many can be used, or what is wrong.
    pub async fn probe(&self) -> Vec<(String, Result<usize>)> {
        let mut found = Vec::new();
        for (issuer, entry) in &self.by_issuer {
            found.push((issuer.clone(), entry.store.probe().await));
        }
        found.sort_by(|(one, _), (other, _)| one.cmp(other));
        found
    }
}

/// Many issuers still write `JWT`, or nothing; what is explicitly something else (a logout token, say) is not
/// taken (RFC 8725 3.11).
fn may_be_access_token(typ: &str) -> bool {
    typ.eq_ignore_ascii_case("JWT") || is_access_token_type(typ)
}

impl Entry {
    fn judge(&self, claims: &ForeignClaims, now: Timestamp) -> Result<ExternalIdentity, TokenProblem> {
        if claims.iss != self.config.issuer {
            return Err(TokenProblem::Issuer);
        }
        if !claims.aud.meets(self.config.audience.as_slice()) {
            return Err(TokenProblem::Audience);
        }
        if claims.sub.is_empty() {
            return Err(TokenProblem::Claims);
        }
        let now = now.seconds();
        jws::judge_times(claims.exp.0, claims.nbf.map(|date| date.0), now, LEEWAY)?;
        Ok(ExternalIdentity {
            issuer: claims.iss.clone(),
            sub: claims.sub.clone(),
            prefix: self.config.external_id_prefix.clone(),
            scopes: self.config.scopes.clone(),
            client_id: claims.client_id.clone().or_else(|| claims.azp.clone()),
            // A proof in the future would count as fresh for too long.
            auth_time: claims.auth_time.map(|date| date.0.min(now)),
            amr: claims.amr.as_ref().map(|amr| amr.as_slice().to_vec()),
            exp: claims.exp.0,
            jkt: claims.cnf.as_ref().map(|cnf| cnf.jkt.clone()),
        })
    }
}

#[cfg(test)]
mod tests;
