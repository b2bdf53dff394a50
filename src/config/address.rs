//! Addresses of other services as the configuration spells them.

use secrecy::{ExposeSecret, SecretString};
use url::Url;

/// An HTTP endpoint of the operator's that takes messages (contract 6.2).
#[derive(Clone, Debug)]
pub struct HookTarget {
    /// Where to POST; may hold a secret in its path or query, so it is never printed whole.
    pub url: SecretString,
    /// The whole value of the `Authorization` header.
    pub authorization: Option<SecretString>,
}

/// Whether a host name or address is this machine: connections to it cross no network.
#[must_use]
pub fn is_loopback(host: &str) -> bool {
    let host = host.trim_start_matches('[').trim_end_matches(']');
    host.eq_ignore_ascii_case("localhost")
        || host.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// Reads an `http` or `https` URL with a host and without a fragment.
///
/// # Errors
/// A sentence naming `key` and what to write; the value itself is not in it.
pub fn http_url(key: &str, value: &str) -> Result<Url, String> {
    let fix = "write a URL such as https://messages.example.com/send";
    let url = Url::parse(value).map_err(|error| format!("{key} is not a URL ({error}): {fix}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!("{key} has the scheme `{}`, not http or https: {fix}", url.scheme()));
    }
    if url.fragment().is_some() {
        return Err(format!("{key} has a fragment (`#...`), which is never sent: take it off"));
    }
    Ok(url)
}

/// Reads a hook's URL and its `Authorization` value.
///
/// # Errors
/// Sentences naming the keys `<section>.hook_url` and `<section>.hook_authorization`.
pub fn hook(
    section: &str,
    url: &SecretString,
    authorization: Option<&SecretString>,
) -> Result<HookTarget, Vec<String>> {
    let mut problems = Vec::new();
    let key = format!("{section}.hook_url");
    if let Err(problem) = http_url(&key, url.expose_secret()) {
        problems.push(problem);
    }
    let printable = |value: &SecretString| value.expose_secret().bytes().all(|byte| (b' '..=b'~').contains(&byte));
    if authorization.is_some_and(|value| value.expose_secret().trim().is_empty() || !printable(value)) {
        problems.push(format!(
            "{section}.hook_authorization is empty or has characters a header cannot carry: write the whole header value, \
             such as `Bearer <token>`"
        ));
    }
    if problems.is_empty() {
        Ok(HookTarget { url: url.clone(), authorization: authorization.cloned() })
    } else {
        Err(problems)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_is_this_machine_only() {
        for host in ["localhost", "LOCALHOST", "127.0.0.1", "127.8.9.1", "::1", "[::1]"] {
            assert!(is_loopback(host), "{host}");
        }
        for host in ["localhost.example.com", "10.0.0.1", "mail", "", "0.0.0.0"] {
            assert!(!is_loopback(host), "{host}");
        }
    }

    #[test]
    fn a_bad_hook_is_told_by_key_and_without_its_secret() {
        let problems = hook("sms", &"ftp://secret.example/x".into(), Some(&"a\nb".into())).unwrap_err();
        assert_eq!(problems.len(), 2);
        assert!(problems[0].starts_with("sms.hook_url has the scheme `ftp`"));
        assert!(problems[1].starts_with("sms.hook_authorization"));
        assert!(!problems.concat().contains("secret.example"));
    }
}
