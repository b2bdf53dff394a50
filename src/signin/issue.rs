//! Issuing tokens: access tokens (RFC 9068), ID tokens (OpenID Connect Core 2), refresh tokens (`security.md`, contract `auth0.md` 2).

use std::time::Duration;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use crate::{
    app::App,
    crypto::{
        digest::{base64url, digest},
        signing::SigningAlgorithm,
        tokens::{self, Claims, Confirmation, OneOrMany},
    },
    domain::{
        application::GrantType,
        id::{ApplicationId, RecordKey, SessionId, UserId, random_text},
        policy::{self, Acr, Met},
        time::Timestamp,
        user::User,
    },
    error::Result,
    storage::{
        Session,
        applications::Application,
        refresh_tokens::{self, RefreshToken},
        sessions::{self, NewSession, Proof},
    },
};

pub use crate::crypto::tokens::LIFE;

/// Scopes a user's token may have.
pub const USER_SCOPES: &[&str] = &[
    "openid",
    "offline_access",
    "profile",
    "email",
    "phone",
    "address",
    "custom_data",
    "identities",
    "urn:logto:scope:sessions",
    "urn:logto:scope:trusted_devices",
];

/// The scope of management tokens.
pub const MANAGEMENT_SCOPE: &str = "all";

/// The scope of relying services' tokens.
pub const REDEEM_SCOPE: &str = "redeem";

/// The scopes of `asked` that there are, in that order and once each.
#[must_use]
pub fn known_scopes(asked: &str) -> String {
    let mut known: Vec<&str> = Vec::new();
    for scope in asked.split_ascii_whitespace().filter(|scope| USER_SCOPES.contains(scope)) {
        if !known.contains(&scope) {
            known.push(scope);
        }
    }
    known.join(" ")
}

/// What an access token is to be for beside ours: `Some(None)` for ours alone, `None` where there is no such audience.
#[must_use]
pub fn audience<'a>(app: &App, asked: Option<&'a str>) -> Option<Option<&'a str>> {
    let Some(asked) = asked.filter(|asked| !asked.is_empty()) else { return Some(None) };
    let [root, _] = &app.urls.issuers;
    if asked == app.urls.account_audience || asked.strip_suffix("userinfo") == Some(root) {
        return Some(None);
    }
    app.config.sign_in.audiences.iter().any(|known| known == asked).then_some(Some(asked))
}

/// What tokens are issued for: one user's session in one application.
#[derive(Clone, Copy)]
pub struct Granted<'a> {
    /// To whom.
    pub application: &'a Application,
    /// For whom.
    pub user: &'a User,
    /// `sid`.
    pub session: &'a SessionId,
    /// How they signed in; `None` where somebody vouched for them.
    pub proof: Option<&'a Proof>,
    /// Separated by spaces.
    pub scope: &'a str,
    /// Another API the access token is for, beside ours; one of `sign_in.audiences`.
    pub audience: Option<&'a str>,
    /// One of `app.urls.issuers`.
    pub issuer: &'a str,
    /// Of the authorization request; the OTP grant has none.
    pub nonce: Option<&'a str>,
    /// The key whose holder alone may use the tokens (RFC 9449).
    pub jkt: Option<&'a str>,
    /// The verification record of a sign-in that was a step-up.
    pub record: Option<RecordKey>,
}

impl Granted<'_> {
    fn has_scope(&self, scope: &str) -> bool {
        self.scope.split_ascii_whitespace().any(|granted| granted == scope)
    }

    /// `sub`: with the connection in front where Auth0's libraries look for it (contract P5); [`Claims::user`] takes it off again.
    fn subject(&self) -> String {
        let connection = self.proof.and_then(|proof| proof.connection.as_deref());
        // The root issuer is theirs; the other one is `<public_url>/oidc`.
        match connection.filter(|_| self.issuer.ends_with('/')) {
            Some(connection) => format!("{connection}|{}", self.user.id),
            None => self.user.id.0.clone(),
        }
    }
}

/// The access token, for the account API and the audience that was asked for.
pub fn access_token(app: &App, granted: &Granted<'_>) -> Result<String> {
    let scope = granted.scope;
    let base = claims(app, &granted.subject(), &granted.application.id, scope, granted.issuer, app.now());
    tokens::sign(
        &app.keys,
        &Claims {
            aud: with_ours(app, granted.audience),
            sid: Some(granted.session.0.clone()),
            verification: granted.record.map(|record| base64url(&record.0)),
            auth_time: granted.proof.map(|proof| proof.auth_time.seconds()),
            acr: granted.proof.map(|proof| Acr::of(&proof.methods()).urn().to_owned()),
            amr: granted.proof.map(|proof| policy::amr(&proof.methods())),
            cnf: confirmation(granted.jkt),
            ..base
        },
    )
}

/// The ID token, when `openid` was granted: RS256, as some libraries take nothing else (contract P6).
pub fn id_token(app: &App, granted: &Granted<'_>) -> Result<Option<String>> {
    if !granted.has_scope("openid") {
        return Ok(None);
    }
    let now = app.now();
    let mut claims = user_claims(granted.user, granted.scope);
    claims.insert("iss".to_owned(), granted.issuer.into());
    claims.insert("sub".to_owned(), granted.subject().into());
    claims.insert("aud".to_owned(), granted.application.id.as_str().into());
    claims.insert("iat".to_owned(), now.seconds().into());
    claims.insert("exp".to_owned(), now.plus(LIFE).seconds().into());
    claims.insert("sid".to_owned(), granted.session.as_str().into());
    if let Some(proof) = granted.proof {
        claims.insert("auth_time".to_owned(), proof.auth_time.seconds().into());
        claims.insert("acr".to_owned(), Acr::of(&proof.methods()).urn().into());
        claims.insert("amr".to_owned(), policy::amr(&proof.methods()).into());
    }
    if let Some(nonce) = granted.nonce {
        claims.insert("nonce".to_owned(), nonce.into());
    }
    app.keys.sign(SigningAlgorithm::Rs256, "JWT", &claims).map(Some)
}

/// What `scope` lets be known of a user (OpenID Connect Core 5.4; contract `auth0.md` 2.4), without `sub`.
#[must_use]
pub fn user_claims(user: &User, scope: &str) -> Map<String, Value> {
    let has = |wanted: &str| scope.split_ascii_whitespace().any(|scope| scope == wanted);
    let mut claims = Map::new();
    if has("profile") {
        let text = |member: &str| user.profile.get(member).cloned();
        let named = [
            ("family_name", "familyName"),
            ("given_name", "givenName"),
            ("middle_name", "middleName"),
            ("nickname", "nickname"),
            ("preferred_username", "preferredUsername"),
            ("profile", "profile"),
            ("website", "website"),
            ("gender", "gender"),
            ("birthdate", "birthdate"),
            ("zoneinfo", "zoneinfo"),
            ("locale", "locale"),
        ];
        claims.extend(named.into_iter().filter_map(|(claim, member)| Some((claim.to_owned(), text(member)?))));
        let phone = || user.primary_phone.as_ref().map(|digits| format!("+{digits}"));
        let known_as = user.name.clone().or_else(|| user.username.clone()).or_else(|| user.primary_email.clone());
        claims.insert("name".to_owned(), json!(known_as.or_else(phone)));
        claims.insert("picture".to_owned(), json!(user.avatar));
        claims.insert("username".to_owned(), json!(user.username));
        claims.insert("updated_at".to_owned(), user.updated_at.seconds().into());
    }
    if has("email") {
        claims.insert("email".to_owned(), json!(user.primary_email));
        claims.insert("email_verified".to_owned(), user.primary_email.is_some().into());
    }
    if has("phone") {
        let number = user.primary_phone.as_ref().map(|digits| format!("+{digits}"));
        // The claim's name in OpenID Connect, and the one Auth0's libraries know.
        claims.insert("phone_number_verified".to_owned(), number.is_some().into());
        claims.insert("phone_verified".to_owned(), number.is_some().into());
        claims.insert("phone_number".to_owned(), json!(number));
    }
    if has("address")
        && let Some(address) = user.profile.get("address")
    {
        claims.insert("address".to_owned(), address.clone());
    }
    if has("custom_data") {
        claims.insert("custom_data".to_owned(), Value::Object(user.custom_data.0.clone()));
    }
    claims.retain(|_, value| !value.is_null());
    claims
}

/// The first refresh token of a session, when `offline_access` was granted and the application may refresh.
pub async fn refresh_token(app: &App, session: &mut Session, granted: &Granted<'_>) -> Result<Option<SecretString>> {
    if !granted.has_scope("offline_access") || !granted.application.allows(GrantType::RefreshToken) {
        return Ok(None);
    }
    let mut bytes = [0; 32];
    app.random.fill(&mut bytes);
    let token = SecretString::from(BASE64_URL_SAFE_NO_PAD.encode(bytes));
    let now = app.now();
    let row = RefreshToken {
        session_id: granted.session.clone(),
        application_id: granted.application.id.clone(),
        user_id: granted.user.id.clone(),
        scope: granted.scope.to_owned(),
        audience: granted.audience.map(str::to_owned),
        dpop_jkt: bound_to(granted.application, granted.jkt),
        expires_at: refresh_expiry(app, now),
        used_at: None,
    };
    refresh_tokens::add(session, &digest(token.expose_secret().as_bytes()), &row, now).await?;
    Ok(Some(token))
}

/// The key a refresh token is bound to: that of the proof, for clients that show no secret (RFC 9449 5).
#[must_use]
pub fn bound_to(application: &Application, jkt: Option<&str>) -> Option<String> {
    jkt.filter(|_| !application.is_confidential()).map(str::to_owned)
}

/// When a refresh token that is issued now is worthless.
#[must_use]
pub fn refresh_expiry(app: &App, now: Timestamp) -> Timestamp {
    now.plus(Duration::from_secs(u64::from(app.config.sign_in.refresh_days) * 24 * 3600))
}

/// Opens a session for the user and issues its access token for the account API. `issuer` is one of `app.urls.issuers`.
pub async fn user_token(
    app: &App,
    session: &mut Session,
    user: &UserId,
    application: &ApplicationId,
    scope: &str,
    issuer: &str,
) -> Result<String> {
    bound_user_token(app, session, user, application, scope, issuer, None).await
}

/// The same, bound to the key of that thumbprint.
pub async fn bound_user_token(
    app: &App,
    session: &mut Session,
    user: &UserId,
    application: &ApplicationId,
    scope: &str,
    issuer: &str,
    jkt: Option<&str>,
) -> Result<String> {
    let sid = SessionId::random(&*app.random);
    let now = app.now();
    let expires_at = Some(now.plus(LIFE));
    let new = NewSession { scope: Some(scope), expires_at, ..NewSession::plain(&sid, user, Some(application), now) };
    sessions::add(session, new).await?;
    let claims = Claims {
        sid: Some(sid.0),
        cnf: confirmation(jkt),
        ..claims(app, user.as_str(), application, scope, issuer, now)
    };
    tokens::sign(&app.keys, &Claims { aud: OneOrMany::One(app.urls.account_audience.clone()), ..claims })
}

/// Issues an application's own token, for `audience`.
pub fn application_token(
    app: &App,
    application: &ApplicationId,
    scope: &str,
    audience: &str,
    issuer: &str,
    jkt: Option<&str>,
) -> Result<String> {
    let claims = claims(app, application.as_str(), application, scope, issuer, app.now());
    tokens::sign(&app.keys, &Claims { aud: OneOrMany::One(audience.to_owned()), cnf: confirmation(jkt), ..claims })
}

/// What a record proves, for a step-up token.
pub struct SteppedUp<'a> {
    /// The record.
    pub record: RecordKey,
    /// When the record dies, and the token with it.
    pub expires_at: Timestamp,
    /// What was proved.
    pub met: &'a Met,
    /// The claims of the user's token that is stepped up.
    pub base: &'a Claims,
    /// Separated by spaces.
    pub scope: &'a str,
    /// Another API the token is for, beside ours.
    pub audience: Option<&'a str>,
}

/// Issues a step-up token (RFC 9470): the user's session as it is, with what was just proved. Nothing renews it.
pub fn step_up_token(app: &App, stepped: &SteppedUp<'_>) -> Result<String> {
    let SteppedUp { base, met, .. } = stepped;
    let now = app.now();
    let application = ApplicationId(base.client_id.clone());
    let claims = claims(app, &base.sub, &application, stepped.scope, &base.iss, now);
    let methods = &met.methods;
    tokens::sign(
        &app.keys,
        &Claims {
            aud: with_ours(app, stepped.audience),
            exp: now.plus(LIFE).min(stepped.expires_at).seconds(),
            sid: base.sid.clone(),
            verification: Some(base64url(&stepped.record.0)),
            auth_time: Some(met.auth_time.seconds()),
            acr: Some(Acr::of(methods).urn().to_owned()),
            amr: Some(policy::amr(methods)),
            cnf: base.cnf.clone(),
            ..claims
        },
    )
}

/// Our own API, and the one that was asked for.
fn with_ours(app: &App, audience: Option<&str>) -> OneOrMany {
    let own = app.urls.account_audience.clone();
    match audience {
        Some(audience) if audience != own => OneOrMany::Many(vec![audience.to_owned(), own]),
        _ => OneOrMany::One(own),
    }
}

fn confirmation(jkt: Option<&str>) -> Option<Confirmation> {
    jkt.map(|jkt| Confirmation { jkt: jkt.to_owned() })
}

fn claims(app: &App, sub: &str, application: &ApplicationId, scope: &str, issuer: &str, now: Timestamp) -> Claims {
    Claims {
        iss: issuer.to_owned(),
        sub: sub.to_owned(),
        aud: OneOrMany::Many(Vec::new()),
        client_id: application.0.clone(),
        scope: scope.to_owned(),
        iat: now.seconds(),
        nbf: now.seconds(),
        exp: now.plus(LIFE).seconds(),
        jti: random_text(&*app.random, 26),
        sid: None,
        verification: None,
        auth_time: None,
        acr: None,
        amr: None,
        cnf: None,
    }
}
