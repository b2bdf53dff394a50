//! The ways to get a token: one file each, one line in [`grant`].

mod client_credentials;
mod code;
mod exchange;
pub mod otp;
mod refresh;
mod standing;
mod step_up;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use crate::{
    app::App,
    domain::application::GrantType,
    storage::applications::Application,
    web::{client::Client, fields, oauth::OauthError},
};

/// The grant of [`exchange`] (RFC 8693).
pub const TOKEN_EXCHANGE: &str = "urn:ietf:params:oauth:grant-type:token-exchange";

/// What every grant needs to know of the request.
pub struct Granting<'a> {
    /// What the process holds.
    pub app: &'a App,
    /// Who asks, authenticated.
    pub application: &'a Application,
    /// The issuer whose token endpoint was asked.
    pub issuer: &'a str,
    /// From where.
    pub client: &'a Client,
    /// By which program.
    pub user_agent: Option<&'a str>,
    /// The key whose possession was proved (RFC 9449).
    pub jkt: Option<&'a str>,
}

/// Issues what the request asks for.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    if asked.grant_type == TOKEN_EXCHANGE {
        let is_step_up = asked.subject_token_type.as_deref() == Some(step_up::ACCESS_TOKEN);
        return if is_step_up { step_up::grant(asked, granting).await } else { exchange::grant(asked, granting).await };
    }
    let unsupported =
        || OauthError::new("unsupported_grant_type", "the grant types are listed in the discovery document");
    let kind = GrantType::parse(&asked.grant_type).ok_or_else(unsupported)?;
    if !granting.application.allows(kind) {
        let description = format!("Grant type '{}' not allowed for the client.", asked.grant_type);
        return Err(OauthError::new("unauthorized_client", description).with_status(403));
    }
    match kind {
        GrantType::ClientCredentials => client_credentials::grant(asked, granting).await,
        GrantType::AuthorizationCode => code::grant(asked, granting).await,
        GrantType::RefreshToken => refresh::grant(asked, granting).await,
        GrantType::PasswordlessOtp => otp::grant(asked, granting).await,
    }
}

/// A request for a token (RFC 6749, RFC 7523, RFC 7636, RFC 8693; contract `auth0.md` 2.1).
#[derive(Default, Deserialize, utoipa::ToSchema)]
pub struct TokenRequest {
    /// One of those the discovery document lists.
    #[schema(example = "client_credentials")]
    pub grant_type: String,
    /// Unless in the Authorization header or an assertion.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    pub client_id: Option<String>,
    /// Unless in the Authorization header.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub client_secret: Option<SecretString>,
    /// `urn:ietf:params:oauth:client-assertion-type:jwt-bearer`, with an assertion.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    pub client_assertion_type: Option<String>,
    /// Instead of a secret: a JWT signed with a key the application has registered (RFC 7523 2.2).
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub client_assertion: Option<SecretString>,
    /// What the token is for: `<public_url>/api` for the management API, else another API that takes our tokens.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "https://default.logto.app/api")]
    pub resource: Option<String>,
    /// The same as `resource`.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    pub audience: Option<String>,
    /// Separated by spaces; empty is as good as absent.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "all")]
    pub scope: Option<String>,
    /// The authorization code.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub code: Option<SecretString>,
    /// For an authorization code: the one of the authorization request, when that had one. For a code that was sent: one of the
    /// application's, or none.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    pub redirect_uri: Option<String>,
    /// For a code that was sent: the address it went to, a phone with its plus sign.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "ada@example.com")]
    pub username: Option<String>,
    /// For a code that was sent: `email` or `sms`, as when it was asked for.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false, example = "email")]
    pub realm: Option<String>,
    /// The code that was sent.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub otp: Option<SecretString>,
    /// In place of `username` and `realm`: what `POST /otp/challenge` answered.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub auth_session: Option<SecretString>,
    /// For a code: what `code_challenge` was made from (RFC 7636).
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub code_verifier: Option<SecretString>,
    /// The newest refresh token.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub refresh_token: Option<SecretString>,
    /// For token exchange: the `subjectToken` of `POST /api/subject-tokens`, or the user's access token, to be stepped up.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub subject_token: Option<SecretString>,
    /// For token exchange: `urn:logto:token-type:impersonation_token`, or `urn:ietf:params:oauth:token-type:access_token`.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(nullable = false)]
    pub subject_token_type: Option<String>,
    /// For an access token that is stepped up: the id of a verified record of the user's.
    #[serde(default, deserialize_with = "fields::not_null")]
    #[schema(value_type = Option<String>, nullable = false)]
    pub verification_id: Option<SecretString>,
}

impl TokenRequest {
    /// What the token is to be for, by either name.
    #[must_use]
    pub fn target(&self) -> Option<&str> {
        self.resource.as_deref().or(self.audience.as_deref())
    }
}

/// A token.
#[derive(Serialize, utoipa::ToSchema)]
pub struct TokenAnswer {
    /// A JWT (RFC 9068).
    pub access_token: String,
    /// When `openid` was granted: who signed in, and how (OpenID Connect Core 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub id_token: Option<String>,
    /// When `offline_access` was granted: good for one refresh.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    pub refresh_token: Option<String>,
    /// Token exchange only (RFC 8693 2.2.1).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = "urn:ietf:params:oauth:token-type:access_token")]
    pub issued_token_type: Option<&'static str>,
    /// `Bearer`, or `DPoP` when only the holder of a key may use it.
    #[schema(example = "Bearer")]
    pub token_type: &'static str,
    /// Seconds.
    #[schema(example = 3600)]
    pub expires_in: u64,
    /// What was granted, separated by spaces.
    #[schema(example = "all")]
    pub scope: String,
}

impl Default for TokenAnswer {
    fn default() -> Self {
        Self {
            access_token: String::new(),
            id_token: None,
            refresh_token: None,
            issued_token_type: None,
            token_type: "Bearer",
            expires_in: 0,
            scope: String::new(),
        }
    }
}
