//! Where a webhook goes, as operators say it (contract 6.5).

use std::collections::BTreeMap;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde::{Deserialize, Deserializer, Serialize, de::Error as _};
use url::Url;

use crate::{crypto::sealer::Sealer, domain::id::HookId, error::Result, storage::hooks::StoredHook, web::fields};

/// Tries after the first, unless said otherwise.
const RETRIES: i64 = 3;

/// Where a webhook goes.
#[derive(Clone, Serialize, Deserialize, utoipa::ToSchema)]
pub struct HookConfig {
    /// Where to POST; http or https. Addresses that are not public are refused unless `webhooks.allowed_networks` has them.
    #[schema(
        value_type = String, max_length = 2048, pattern = "^https?://[!-~]+$",
        example = "https://example.com/webhooks"
    )]
    pub url: HookUrl,
    /// Headers to send along; they may not be those of the signatures, nor those of the connection.
    #[serde(default, deserialize_with = "fields::not_null", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, value_type = Option<BTreeMap<String, HeaderText>>)]
    headers: Option<Headers>,
    /// How often to try again after a try that failed; 3 unless said otherwise.
    #[serde(default, deserialize_with = "retries", skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, minimum = 0, maximum = 3)]
    retries: Option<u8>,
}

impl HookConfig {
    /// How often to try again.
    #[must_use]
    pub fn retries(&self) -> i64 {
        self.retries.map_or(RETRIES, i64::from)
    }

    /// The operator's own headers.
    #[must_use]
    pub fn headers(&self) -> HeaderMap {
        let own = self.headers.iter().flat_map(|headers| headers.0.iter());
        own.filter_map(|(name, value)| Some((name.parse().ok()?, value.0.parse().ok()?))).collect()
    }
}

fn retries<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<u8>, D::Error> {
    let number = u8::deserialize(deserializer)?;
    if number <= 3 { Ok(Some(number)) } else { Err(D::Error::custom("0 to 3")) }
}

/// An http or https URL.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct HookUrl {
    text: String,
    url: Url,
}

impl HookUrl {
    /// The URL.
    #[must_use]
    pub fn get(&self) -> &Url {
        &self.url
    }
}

impl TryFrom<String> for HookUrl {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_http = text.starts_with("http://") || text.starts_with("https://");
        let is_plain = is_http && text.len() <= 2048 && text.bytes().all(|byte| byte.is_ascii_graphic());
        let url = Url::parse(&text).ok().filter(|url| is_plain && url.has_host());
        url.map(|url| Self { text, url }).ok_or("an http or https URL")
    }
}

impl From<HookUrl> for String {
    fn from(url: HookUrl) -> Self {
        url.text
    }
}

/// The value of a header.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(max_length = 4096, pattern = "^[ -~]*$")]
pub struct HeaderText(String);

impl TryFrom<String> for HeaderText {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let fits = text.len() <= 4096 && text.bytes().all(|byte| (b' '..=b'~').contains(&byte));
        if fits && HeaderValue::from_str(&text).is_ok() { Ok(Self(text)) } else { Err("printable ASCII") }
    }
}

/// At most 20 headers.
#[derive(Clone, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, HeaderText>")]
struct Headers(BTreeMap<String, HeaderText>);

impl TryFrom<BTreeMap<String, HeaderText>> for Headers {
    type Error = &'static str;

    fn try_from(headers: BTreeMap<String, HeaderText>) -> Result<Self, Self::Error> {
        if headers.len() <= 20 && headers.keys().all(|name| is_free(name)) {
            Ok(Self(headers))
        } else {
            Err("at most 20 headers, and none of those we set")
        }
    }
}

/// Whether an operator may set a header of that name: it is none of the signatures', and none that says where a request ends or goes.
fn is_free(name: &str) -> bool {
    const OURS: [&str; 15] = [
        "logto-signature-sha-256",
        "webhook-id",
        "webhook-timestamp",
        "webhook-signature",
        "host",
        "content-length",
        "content-encoding",
        "transfer-encoding",
        "connection",
        "keep-alive",
        "te",
        "trailer",
        "upgrade",
        "expect",
        "proxy-authorization",
    ];
    name.len() <= 128 && name.parse::<HeaderName>().is_ok_and(|name| !OURS.contains(&name.as_str()))
}

/// Config and key of a stored hook, unsealed.
pub fn unseal(sealer: &Sealer, hook: &StoredHook) -> Result<(HookConfig, String)> {
    let id = hook.id.as_str();
    let config = sealer.open("hooks", id, "config", &hook.config)?;
    let key = sealer.open("hooks", id, "signing_key", &hook.signing_key)?;
    let config = serde_json::from_slice(&config).map_err(|error| anyhow::anyhow!("hooks: row {id}: {error}"))?;
    Ok((config, String::from_utf8_lossy(&key).into_owned()))
}

/// The stored form of a hook's config.
pub fn seal_config(sealer: &Sealer, id: &HookId, config: &HookConfig) -> Result<Vec<u8>> {
    let plain = serde_json::to_vec(config).map_err(anyhow::Error::from)?;
    sealer.seal("hooks", id.as_str(), "config", &plain)
}

/// The stored form of a hook's signing key.
pub fn seal_key(sealer: &Sealer, id: &HookId, key: &str) -> Result<Vec<u8>> {
    sealer.seal("hooks", id.as_str(), "signing_key", key.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fits(config: &str) -> bool {
        serde_json::from_str::<HookConfig>(config).is_ok()
    }

    #[test]
    fn what_a_request_is_made_of_is_not_for_operators_to_set() {
        assert!(fits(
            r#"{"url":"https://a.example/x?y=z","headers":{"Authorization":"Bearer x","User-Agent":"me"},"retries":0}"#
        ));
        for wrong in [
            "{}",
            r#"{"url":"ftp://a.example"}"#,
            r#"{"url":"file:///etc/passwd"}"#,
            r#"{"url":"http://"}"#,
            r#"{"url":"gopher://127.0.0.1/"}"#,
            r#"{"url":"http://a.example/ b"}"#,
            r#"{"url":"http://a.example","retries":4}"#,
            r#"{"url":"http://a.example","retries":-1}"#,
            r#"{"url":"http://a.example","headers":{"Host":"b.example"}}"#,
            r#"{"url":"http://a.example","headers":{"Content-Length":"1"}}"#,
            r#"{"url":"http://a.example","headers":{"Webhook-Signature":"v1,x"}}"#,
            r#"{"url":"http://a.example","headers":{"Logto-Signature-Sha-256":"x"}}"#,
            r#"{"url":"http://a.example","headers":{"a b":"x"}}"#,
            r#"{"url":"http://a.example","headers":{"a":"x\r\nb: c"}}"#,
        ] {
            assert!(!fits(wrong), "{wrong}");
        }
    }
}
