//! A new application: for the management API and for the command line.

use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use sqlx::types::Json;

use crate::{
    app::App,
    audit::{self, Actor},
    crypto::{assertions, digest::digest, jwks},
    domain::{
        application::{ApplicationType, ClientSettings, Connection, GrantType},
        id::{ApplicationId, random_text},
        refusal::{Code, Refusal},
    },
    error::Result,
    storage::{
        Session,
        applications::{self, Application},
    },
    web::{
        explain,
        fields::{self, Text},
    },
};

/// A name for people.
pub type Name = Text<1, 256>;
/// A sentence for people.
pub type Description = Text<0, 2048>;

/// An application to be created.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NewApplication {
    /// Its id; random by default. The command line may choose it, callers of the API may not.
    #[serde(skip)]
    pub id: Option<ApplicationId>,
    /// For people.
    #[schema(value_type = String, min_length = 1, max_length = 256, example = "Back office")]
    pub name: Name,
    /// What kind of client it is.
    #[serde(rename = "type")]
    pub kind: ApplicationType,
    /// For people.
    #[schema(value_type = Option<String>, max_length = 2048)]
    pub description: Option<Description>,
    /// Where users come back to.
    pub oidc_client_metadata: Option<OidcClientMetadata>,
    /// Third-party applications may not change accounts.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub is_third_party: Option<bool>,
    /// What this service lets it do.
    pub custom_client_metadata: Option<CustomClientMetadata>,
    /// Free for the operator.
    #[schema(value_type = Option<std::collections::HashMap<String, Value>>)]
    pub custom_data: Option<Map<String, Value>>,
    /// May use the management API; for first-party applications of type `MachineToMachine` only.
    #[schema(value_type = Option<bool>)]
    pub is_management: Option<bool>,
}

/// Where users come back to.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase", default)]
pub struct OidcClientMetadata {
    /// After signing in.
    #[schema(value_type = Option<Vec<RedirectUri>>, max_items = 100)]
    redirect_uris: Uris,
    /// After signing out.
    #[schema(value_type = Option<Vec<RedirectUri>>, max_items = 100)]
    post_logout_redirect_uris: Uris,
}

/// An absolute URI without a fragment (RFC 6749 3.1.2), and not of a scheme that runs code.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(
    max_length = 2048,
    pattern = "^[A-Za-z][0-9A-Za-z+.\\-]*:[0-9A-Za-z._~:/?\\[\\]@!$&'()*+,;=%\\-]+$",
    example = "https://app.example.com/callback"
)]
struct RedirectUri(String);

impl TryFrom<String> for RedirectUri {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        if is_redirect_uri(&text) { Ok(Self(text)) } else { Err("an absolute URI without a fragment") }
    }
}

/// At most 100 of them.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(try_from = "Option<Vec<RedirectUri>>")]
struct Uris(Vec<RedirectUri>);

impl TryFrom<Option<Vec<RedirectUri>>> for Uris {
    type Error = &'static str;

    fn try_from(uris: Option<Vec<RedirectUri>>) -> Result<Self, Self::Error> {
        let uris = uris.unwrap_or_default();
        if uris.len() <= 100 { Ok(Self(uris)) } else { Err("at most 100 URIs") }
    }
}

/// Apps have schemes of their own; those that run code in a browser are nobody's.
fn is_redirect_uri(text: &str) -> bool {
    const RUNS_CODE: [&str; 3] = ["javascript", "data", "vbscript"];
    let is_uri_letter = |byte: u8| byte.is_ascii_alphanumeric() || b"._~:/?[]@!$&'()*+,;=%-".contains(&byte);
    let says_something = text.split_once(':').is_some_and(|(_, rest)| !rest.is_empty());
    let is_clean = says_something && text.len() <= 2048 && text.bytes().all(is_uri_letter);
    let fits = |url: url::Url| !RUNS_CODE.contains(&url.scheme()) && url.fragment().is_none();
    is_clean && url::Url::parse(text).is_ok_and(fits)
}

/// What this service lets an application do. On a change, members that are absent stay as they are, and null is the default again.
#[derive(Clone, Debug, Default, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CustomClientMetadata {
    /// May exchange subject tokens; true unless said otherwise, and never for third-party applications.
    pub allow_token_exchange: Option<bool>,
    /// Grants it may use. By default `authorization_code`, `refresh_token` and the one for codes that were sent; for type
    /// `MachineToMachine` only `client_credentials`.
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<GrantType>>, max_items = 10)]
    pub grant_types: Option<Option<Few<GrantType, 10>>>,
    /// Connections its users may sign in by, in the order they are offered; both by default.
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Connection>>, max_items = 2)]
    pub connections: Option<Option<Few<Connection, 2>>>,
    /// Origins (`https://app.example.com`) whose pages may sign users in across origins.
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<Origin>>, max_items = 100)]
    pub cors_allowed_origins: Option<Option<Few<Origin, 100>>>,
    /// Whether its `auth0-forwarded-for` header names the client whose requests it passes on; for applications with a secret.
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub trust_forwarded_for: Option<Option<bool>>,
    /// Whether it gets tokens with a DPoP proof only, which binds them to a key (RFC 9449).
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<bool>)]
    pub require_proof_of_possession: Option<Option<bool>>,
    /// A JWK set of public keys with which it may authenticate instead of by a secret (`private_key_jwt`, RFC 7523).
    #[serde(default, deserialize_with = "fields::given", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<JwkSet>)]
    pub jwks: Option<Option<JwkSet>>,
}

impl CustomClientMetadata {
    /// What is stored, as it is shown.
    pub(super) fn shown(application: &Application) -> Self {
        let settings = &application.client_settings.0;
        let grants = settings.grant_types.clone();
        let kind = application.application_type();
        let default = || kind.map(|kind| GrantType::defaults(kind).to_vec()).unwrap_or_default();
        Self {
            allow_token_exchange: Some(application.allow_token_exchange),
            grant_types: Some(Some(Few(grants.unwrap_or_else(default)))),
            connections: Some(Some(Few(settings.connections().to_vec()))),
            cors_allowed_origins: Some(Some(Few(settings.cors_allowed_origins.iter().cloned().map(Origin).collect()))),
            trust_forwarded_for: Some(Some(settings.trust_forwarded_for)),
            require_proof_of_possession: Some(Some(settings.require_proof_of_possession)),
            jwks: Some(settings.jwks.as_ref().map(JwkSet::stored)),
        }
    }

    /// Puts the members that are present into `settings`.
    pub(super) fn apply(self, settings: &mut ClientSettings) {
        if let Some(grants) = self.grant_types {
            settings.grant_types = grants.map(|few| few.0);
        }
        if let Some(connections) = self.connections {
            settings.connections = connections.map(|few| few.0);
        }
        if let Some(origins) = self.cors_allowed_origins {
            settings.cors_allowed_origins =
                origins.map(|few| few.0).unwrap_or_default().into_iter().map(|one| one.0).collect();
        }
        if let Some(trusted) = self.trust_forwarded_for {
            settings.trust_forwarded_for = trusted.unwrap_or_default();
        }
        if let Some(required) = self.require_proof_of_possession {
            settings.require_proof_of_possession = required.unwrap_or_default();
        }
        if let Some(jwks) = self.jwks {
            settings.jwks = jwks.map(JwkSet::into_stored);
        }
    }
}

/// Public keys of an application, each with a `kid` of its own when there are several. Each verifies signatures by RS256, PS256 or ES256.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(try_from = "UncheckedJwkSet")]
pub struct JwkSet {
    /// JWKs without private members (RFC 7517 4).
    #[schema(value_type = Vec<std::collections::HashMap<String, Value>>, min_items = 1, max_items = 10)]
    keys: Vec<Value>,
}

#[derive(Deserialize)]
struct UncheckedJwkSet {
    keys: Vec<Value>,
}

impl TryFrom<UncheckedJwkSet> for JwkSet {
    type Error = &'static str;

    fn try_from(UncheckedJwkSet { keys }: UncheckedJwkSet) -> Result<Self, Self::Error> {
        if !(1..=10).contains(&keys.len()) {
            return Err("1 to 10 keys");
        }
        let is_good = |key: &Value| jwks::public(key).is_some() && jwks::verifies(key, assertions::ALGORITHMS);
        if !keys.iter().all(is_good) {
            return Err("public keys for RS256, PS256 or ES256 only");
        }
        let ids: Vec<_> = keys.iter().map(|key| key.get("kid").and_then(Value::as_str)).collect();
        let different: std::collections::HashSet<_> = ids.iter().flatten().collect();
        if keys.len() > 1 && different.len() < keys.len() {
            return Err("a `kid` of its own for each key");
        }
        Ok(Self { keys })
    }
}

impl JwkSet {
    fn stored(members: &Map<String, Value>) -> Self {
        Self { keys: members.get("keys").and_then(Value::as_array).cloned().unwrap_or_default() }
    }

    fn into_stored(self) -> Map<String, Value> {
        Map::from_iter([("keys".to_owned(), Value::Array(self.keys))])
    }
}

/// At most `MOST` of them.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(try_from = "Vec<T>", bound(deserialize = "T: Deserialize<'de>"))]
pub struct Few<T, const MOST: usize>(pub Vec<T>);

impl<T, const MOST: usize> TryFrom<Vec<T>> for Few<T, MOST> {
    type Error = String;

    fn try_from(list: Vec<T>) -> Result<Self, Self::Error> {
        if list.len() <= MOST { Ok(Self(list)) } else { Err(format!("at most {MOST}")) }
    }
}

/// Scheme, host and port of a web page, as browsers write them in `Origin`: in lower case, without the default port. One that no
/// browser sends is matched by none.
#[derive(Clone, Debug, Deserialize, Serialize, utoipa::ToSchema)]
#[serde(try_from = "String")]
#[schema(max_length = 256, pattern = "^https?://[0-9a-z.:\\[\\]\\-]+$", example = "https://app.example.com")]
pub struct Origin(String);

impl TryFrom<String> for Origin {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_letter = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || b".:[]-".contains(&byte);
        let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
        let fits = rest.is_some_and(|rest| !rest.is_empty() && rest.bytes().all(is_letter)) && text.len() <= 256;
        if fits { Ok(Self(text)) } else { Err("an origin: scheme, host and port, nothing behind them") }
    }
}

/// Refuses the management API to any but first-party machines.
pub(super) fn require_manageable(kind: Option<ApplicationType>, is_third_party: bool) -> Result<(), Refusal> {
    if kind == Some(ApplicationType::MachineToMachine) && !is_third_party {
        return Ok(());
    }
    Err(explain::one("body", "isManagement", "Only first-party applications of type MachineToMachine may manage."))
}

/// Stores a new application in the caller's transaction, with its audit event. The secret, which only those that can keep one
/// get, is shown here and never again: its SHA-256 is all that is stored.
pub async fn create(
    app: &App,
    session: &mut Session,
    new: NewApplication,
    actor: Actor<'_>,
) -> Result<(Application, Option<SecretString>)> {
    let is_third_party = new.is_third_party.unwrap_or(false);
    let is_management = new.is_management.unwrap_or(false);
    if is_management {
        require_manageable(Some(new.kind), is_third_party)?;
    }
    let metadata = new.custom_client_metadata.unwrap_or_default();
    let asked = metadata.allow_token_exchange;
    if is_third_party && asked == Some(true) {
        return Err(Code::ThirdPartyTokenExchange.into());
    }
    let mut client_settings = ClientSettings::default();
    metadata.apply(&mut client_settings);
    let application = Application {
        id: new.id.unwrap_or_else(|| ApplicationId::random(&*app.random)),
        name: new.name.into(),
        description: new.description.map(Into::into).filter(|text: &String| !text.is_empty()),
        kind: new.kind.name().to_owned(),
        is_third_party,
        is_management,
        allow_token_exchange: asked.unwrap_or(!is_third_party),
        oidc_client_metadata: Json(members(&new.oidc_client_metadata.unwrap_or_default())?),
        custom_data: Json(new.custom_data.unwrap_or_default()),
        client_settings: Json(client_settings),
        created_at: app.now(),
    };
    if !applications::add_missing(session, &application).await? {
        return Err(explain::one("command line", "id", "There is an application with this id.").into());
    }
    let secret = new.kind.is_confidential().then(|| new_secret(app));
    if let Some(secret) = &secret {
        let hash = digest(secret.expose_secret().as_bytes());
        applications::add_secret(session, &application.id, &hash, "Default secret", application.created_at).await?;
    }
    let data = json!({
        "id": application.id, "type": application.kind, "isThirdParty": is_third_party, "isManagement": is_management,
    });
    audit::write(app, session, "application.created", actor, data).await?;
    Ok((application, secret))
}

/// 165 random bits.
pub(super) fn new_secret(app: &App) -> SecretString {
    random_text(&*app.random, 32).into()
}

pub(super) fn members(metadata: &OidcClientMetadata) -> Result<Map<String, Value>> {
    match serde_json::to_value(metadata).map_err(anyhow::Error::from)? {
        Value::Object(members) => Ok(members),
        _ => Ok(Map::new()),
    }
}
