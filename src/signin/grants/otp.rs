//! A code that was sent is shown (contract `auth0.md` 2).

use secrecy::{ExposeSecret, SecretString};

use super::{Granting, TokenAnswer, TokenRequest, standing};
use crate::{
    crypto::digest::digest,
    domain::{
        application::{Connection, GrantType},
        user::User,
    },
    error::Result,
    signin::{
        codes::{self, Address, Wrong},
        entering::{self, Entry, proof_of},
        issue::{self, Granted},
    },
    storage::{
        Session,
        sign_in_codes::{self, SignInCode},
    },
    web::oauth::OauthError,
};

/// Which code it is to be.
enum Way<'a> {
    /// The one that went to this address; `None` for what is no address.
    Named(Connection, Option<Address>),
    /// The one whose holder has this secret.
    Held(&'a SecretString),
}

/// Issues the tokens of a new session.
pub async fn grant(asked: &TokenRequest, granting: &Granting<'_>) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, client, .. } = granting;
    // Whatever can be refused without the code is refused before it is looked at.
    let code = asked.otp.as_ref().ok_or_else(|| missing("otp"))?.expose_secret();
    let way = way(asked, granting)?;
    if asked.redirect_uri.as_ref().is_some_and(|uri| !application.has_redirect_uri(uri)) {
        return Err(OauthError::new("invalid_request", "`redirect_uri` is not one of the application's"));
    }
    let scope = granted_scope(granting, asked.scope.as_deref());
    let audience = audience(granting, asked.target())?;

    let mut session = app.db.write().await?;
    let (connection, outcome) = match &way {
        Way::Named(connection, Some(address)) => {
            (*connection, codes::redeem_named(app, &mut session, address, code, application, client).await?)
        }
        Way::Named(connection, None) => (*connection, Err(Wrong::Mismatch)),
        Way::Held(secret) => {
            let hash = digest(secret.expose_secret().as_bytes());
            let found = sign_in_codes::find_held(&mut session, &hash).await?;
            let connection = connection_of(found.as_ref());
            (connection, codes::redeem(app, &mut session, found, code, application, client).await?)
        }
    };
    match outcome {
        Ok(user) => admit(granting, session, &user, connection, &scope, audience).await,
        Err(wrong) => {
            session.commit().await?;
            Err(match way {
                Way::Named(connection, _) => refusal(connection, wrong),
                Way::Held(_) => OauthError::new("invalid_request", "The code is not right, or no longer."),
            })
        }
    }
}

fn connection_of(found: Option<&SignInCode>) -> Connection {
    found.and_then(|row| Connection::parse(&row.connection)).unwrap_or(Connection::Email)
}

fn missing(name: &str) -> OauthError {
    OauthError::new("invalid_request", format!("Missing required parameter: {name}"))
}

fn way<'a>(asked: &'a TokenRequest, granting: &Granting<'_>) -> Result<Way<'a>, OauthError> {
    if let Some(secret) = &asked.auth_session {
        return Ok(Way::Held(secret));
    }
    let username = asked.username.as_deref().ok_or_else(|| missing("username"))?;
    let realm = asked.realm.as_deref().ok_or_else(|| missing("realm"))?;
    let connection = Connection::parse(realm)
        .filter(|connection| is_open(granting, *connection))
        .ok_or_else(|| OauthError::new("invalid_request", "`realm` is no connection of the application's"))?;
    Ok(Way::Named(connection, Address::parse(connection, username)))
}

/// Whether people may sign in to the application by that connection.
fn is_open(granting: &Granting<'_>, connection: Connection) -> bool {
    granting.app.config.sign_in.of(connection).enabled
        && granting.application.client_settings.connections().contains(&connection)
}

/// What is granted of what is asked for: what there is, and no refreshing to who may not.
#[must_use]
pub fn granted_scope(granting: &Granting<'_>, asked: Option<&str>) -> String {
    let may_refresh = granting.application.allows(GrantType::RefreshToken);
    let known = issue::known_scopes(asked.unwrap_or_default());
    let granted = known.split(' ').filter(|scope| may_refresh || *scope != "offline_access");
    granted.collect::<Vec<_>>().join(" ")
}

/// Another API the access token is to be for.
pub fn audience<'a>(granting: &Granting<'_>, asked: Option<&'a str>) -> Result<Option<&'a str>, OauthError> {
    let unknown = || OauthError::new("invalid_target", "there is no such audience; sign_in.audiences lists them");
    issue::audience(granting.app, asked).ok_or_else(unknown)
}

/// The words that clients compare (contract `auth0.md` 2.3).
#[must_use]
pub fn wording(connection: Connection, wrong: Wrong) -> &'static str {
    match (wrong, connection) {
        (Wrong::Mismatch, Connection::Email) => "Wrong email or verification code.",
        (Wrong::Mismatch, Connection::Sms) => "Wrong phone number or verification code.",
        (Wrong::Expired, _) => "The verification code has expired. Please try to login again.",
        (Wrong::Exhausted, _) => "You've reached the maximum number of attempts. Please try to login again.",
    }
}

fn refusal(connection: Connection, wrong: Wrong) -> OauthError {
    OauthError::new("invalid_grant", wording(connection, wrong)).with_status(403)
}

/// Opens the application's session and commits; then the tokens are made.
pub async fn admit(
    granting: &Granting<'_>,
    mut session: Session,
    user: &User,
    connection: Connection,
    scope: &str,
    audience: Option<&str>,
) -> Result<TokenAnswer, OauthError> {
    let Granting { app, application, issuer, client, user_agent, jkt } = *granting;
    let proof = proof_of(connection, app.now());
    let entry = Entry {
        user: &user.id,
        application: Some(application),
        parent: None,
        browser_hash: None,
        scope: Some(scope),
        proof: &proof,
        client,
        user_agent,
    };
    let sid = entering::open(app, &mut session, entry).await?;
    let granted = Granted {
        application,
        user,
        session: &sid,
        proof: Some(&proof),
        scope,
        audience,
        issuer,
        nonce: None,
        jkt,
        record: None,
    };
    let refresh_token = issue::refresh_token(app, &mut session, &granted).await?;
    standing::note(granting, &mut session, &granted, GrantType::PasswordlessOtp.name()).await?;
    session.commit().await?;
    standing::answer(granting, &granted, refresh_token.as_ref())
}
