//! `[[trusted_issuers]]`: whose access tokens are taken besides our own (contract D3).

use std::path::PathBuf;

use serde::Deserialize;
use url::{Host, Url};

/// Signature algorithms a foreign issuer may use. `none` and the `HS` family are never among them: a public key would
/// serve as the secret.
pub const ALGORITHMS: &[&str] = &["RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "EdDSA"];

/// One issuer whose access tokens are taken here.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TrustedIssuer {
    /// The `iss` claim, character for character, such as `https://login.example.com/`.
    pub issuer: String,
    /// The `aud` claim names this one, or one of these.
    pub audience: Audience,
    /// The scopes its tokens are granted here, whatever the token itself says.
    #[serde(default = "default_scopes")]
    pub scopes: Vec<String>,
    /// The algorithms its tokens may be signed with; see [`ALGORITHMS`].
    #[serde(default = "default_algorithms")]
    pub algorithms: Vec<String>,
    /// Put in front of `sub` to make the external id by which a user is found.
    #[serde(default)]
    pub external_id_prefix: String,
    /// Where the discovery document is, when it is not at `<issuer>/.well-known/openid-configuration`.
    pub discovery_url: Option<String>,
    /// Where the keys are; nothing is discovered then.
    pub jwks_url: Option<String>,
    /// A PEM file of certificate authorities that vouch for the issuer's server, besides those of the system.
    pub ca_file: Option<PathBuf>,
}

/// One audience or several.
#[derive(Clone, Debug, Deserialize)]
#[serde(untagged, expecting = "a text or a list of texts, such as audience = \"account\"")]
pub enum Audience {
    /// One.
    One(String),
    /// Any of these.
    Several(Vec<String>),
}

impl Audience {
    /// All of them.
    #[must_use]
    pub fn as_slice(&self) -> &[String] {
        match self {
            Self::One(one) => std::slice::from_ref(one),
            Self::Several(several) => several,
        }
    }
}

fn default_scopes() -> Vec<String> {
    vec!["openid".to_owned()]
}

fn default_algorithms() -> Vec<String> {
    vec!["RS256".to_owned(), "ES256".to_owned()]
}

/// What is wrong with the section: one line each, with key, expected shape and fix. Empty when all is well.
#[must_use]
pub fn problems(issuers: &[TrustedIssuer]) -> Vec<String> {
    let mut found = Vec::new();
    for (at, entry) in issuers.iter().enumerate() {
        let mut say = |key: &str, text: String| found.push(format!("trusted_issuers[{at}].{key}: {text}"));
        if let Err(text) = check_url(&entry.issuer) {
            say("issuer", text);
        }
        if issuers.iter().take(at).any(|earlier| earlier.issuer == entry.issuer) {
            say("issuer", format!("\"{}\" is listed twice; keep one entry for each issuer", entry.issuer));
        }
        for (key, url) in [("discovery_url", &entry.discovery_url), ("jwks_url", &entry.jwks_url)] {
            if let Some(Err(text)) = url.as_deref().map(check_url) {
                say(key, text);
            }
        }
        let audiences = entry.audience.as_slice();
        if audiences.is_empty() || audiences.iter().any(String::is_empty) {
            say(
                "audience",
                "expected one text or a list of them, none empty; set it to what the issuer puts into `aud`, \
                 such as \"account\""
                    .to_owned(),
            );
        }
        if entry.scopes.iter().any(|scope| scope.is_empty() || scope.contains(char::is_whitespace)) {
            say("scopes", "expected a list of single scopes; write [\"openid\", \"profile\"]".to_owned());
        }
        if let Some(text) = check_algorithms(&entry.algorithms) {
            say("algorithms", text);
        }
    }
    found
}

fn check_algorithms(algorithms: &[String]) -> Option<String> {
    let fix = format!("choose from {}", ALGORITHMS.join(", "));
    match algorithms.iter().find(|name| !ALGORITHMS.contains(&name.as_str())) {
        Some(name) => Some(format!("\"{name}\" is not an algorithm with a public key; {fix}")),
        None if algorithms.is_empty() => Some(format!("expected at least one algorithm; {fix}")),
        None => None,
    }
}

/// Keys fetched in the clear could be anybody's: `https`, except on this very machine.
pub fn check_url(text: &str) -> Result<Url, String> {
    let problem = |what: &str| {
        format!("{what}, got \"{text}\"; write something like \"https://login.example.com/\" (http only on loopback)")
    };
    let url = Url::parse(text).map_err(|_| problem("expected an https URL"))?;
    let is_loopback = match url.host() {
        Some(Host::Domain(name)) => name == "localhost",
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Ipv6(address)) => address.is_loopback(),
        None => false,
    };
    match url.scheme() {
        _ if !url.username().is_empty() || url.password().is_some() => Err(problem("expected a URL without a login")),
        _ if url.fragment().is_some() => Err(problem("expected a URL without a fragment")),
        "https" => Ok(url),
        "http" if is_loopback => Ok(url),
        _ => Err(problem("expected an https URL")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn entry(change: &Value) -> TrustedIssuer {
        let mut entry = json!({ "issuer": "https://login.example.com/", "audience": "account" });
        entry.as_object_mut().unwrap().extend(change.as_object().unwrap().clone());
        serde_json::from_value(entry).unwrap()
    }

    #[test]
    fn issuer_and_audience_are_enough() {
        let entry = entry(&json!({}));
        assert_eq!(entry.scopes, ["openid"]);
        assert_eq!(entry.algorithms, ["RS256", "ES256"]);
        assert_eq!(entry.audience.as_slice(), ["account"]);
        assert_eq!(entry.external_id_prefix, "");
        assert!(problems(&[entry]).is_empty());
    }

    #[test]
    fn each_problem_names_its_key_and_a_fix() {
        let cases = [
            (json!({ "issuer": "http://login.example.com" }), "issuer"),
            (json!({ "issuer": "login.example.com" }), "issuer"),
            (json!({ "issuer": "https://user:pw@login.example.com" }), "issuer"),
            (json!({ "audience": [] }), "audience"),
            (json!({ "audience": "" }), "audience"),
            (json!({ "scopes": ["openid profile"] }), "scopes"),
            (json!({ "algorithms": [] }), "algorithms"),
            (json!({ "algorithms": ["none"] }), "algorithms"),
            (json!({ "algorithms": ["RS256", "HS256"] }), "algorithms"),
            (json!({ "jwks_url": "http://keys.example.com" }), "jwks_url"),
            (json!({ "discovery_url": "ftp://keys.example.com" }), "discovery_url"),
        ];
        for (change, key) in cases {
            let found = problems(&[entry(&change)]);
            assert_eq!(found.len(), 1, "{change}: {found:?}");
            assert!(found[0].starts_with(&format!("trusted_issuers[0].{key}: ")), "{found:?}");
            assert!(found[0].contains("; "), "no fix: {found:?}");
        }
        let twice = problems(&[entry(&json!({})), entry(&json!({}))]);
        assert!(twice[0].starts_with("trusted_issuers[1].issuer") && twice[0].contains("twice"), "{twice:?}");
    }

    #[test]
    fn http_is_for_loopback_only() {
        for url in ["http://localhost:8080", "http://127.0.0.1:1/", "http://[::1]:1", "https://a.example"] {
            assert!(check_url(url).is_ok(), "{url}");
        }
        for url in ["http://localhost.example.com", "http://10.0.0.1", "file:///etc/passwd", "https://a.example/#x"] {
            assert!(check_url(url).is_err(), "{url}");
        }
    }

    #[test]
    fn unknown_keys_are_errors() {
        let entry = json!({ "issuer": "https://a.example", "audience": "a", "audiences": ["b"] });
        assert!(serde_json::from_value::<TrustedIssuer>(entry).unwrap_err().to_string().contains("audiences"));
    }
}
