//! The way out of a sign-in: the application's session, its authorization code, and the URL that carries it.

use actix_web::{HttpRequest, http::header};
use secrecy::ExposeSecret;

use super::{
    flow::Flow,
    request::{Asked, Back},
};
use crate::{
    app::App,
    crypto::digest::digest,
    domain::{
        id::{RecordKey, SessionId, UserId},
        refusal::Code,
    },
    error::Result,
    signin::{
        browser,
        entering::{self, Entry},
        redirecting,
    },
    storage::{
        Session,
        applications::Application,
        authorization_codes::AuthorizationCode,
        sessions::{self, Proof, Stored},
        users,
    },
    web::{client::Client, cookies::new_secret},
};

/// From where, by which program.
pub struct Source {
    /// From where.
    pub client: Client,
    /// By which program.
    pub user_agent: Option<String>,
}

impl Source {
    /// Of a request.
    #[must_use]
    pub fn of(request: &HttpRequest) -> Self {
        let user_agent = request.headers().get(header::USER_AGENT).and_then(|value| value.to_str().ok());
        Self { client: Client::of(request), user_agent: user_agent.map(str::to_owned) }
    }
}

/// The browser's own session, if its cookie names one that lives.
pub async fn browser_session(app: &App, request: &HttpRequest) -> Result<Option<Stored>> {
    let Some(secret) = browser::secret(app, request) else { return Ok(None) };
    let mut session = app.db.read().await?;
    let Some(found) = browser::find(app, &mut session, Some(&secret)).await? else { return Ok(None) };
    let user = users::find(&mut session, &found.user_id).await?;
    Ok(user.filter(|user| !user.is_suspended).map(|_| found))
}

/// Signs a person in at this browser; gives its session and the new secret of its cookie. Whoever signed in there before: the same
/// person goes on with the same session under another cookie, somebody else's ends.
pub async fn open_browser(
    app: &App,
    session: &mut Session,
    user: &UserId,
    proof: &Proof,
    before: Option<&Stored>,
    from: &Source,
) -> Result<(SessionId, String)> {
    let secret = new_secret(&*app.random);
    let hash = digest(secret.as_bytes());
    let now = app.now();
    if let Some(before) = before {
        if before.user_id == *user {
            let expires_at = now.plus(entering::browser_life(app));
            if sessions::renew_browser(session, &before.id, &hash, proof, now, expires_at).await? {
                return Ok((before.id.clone(), secret));
            }
        } else {
            sessions::end_browser(session, &before.id, now).await?;
        }
    }
    let entry = Entry {
        user,
        application: None,
        parent: None,
        browser_hash: Some(&hash),
        scope: None,
        proof,
        client: &from.client,
        user_agent: from.user_agent.as_deref(),
    };
    Ok((entering::open(app, session, entry).await?, secret))
}

/// Lets a person who is signed in at the browser into an application; gives the URL to go to.
///
/// An application that comes again for the same sign-in and scope goes on with the session it has. The access token carries `record`.
pub async fn admit(
    app: &App,
    session: &mut Session,
    application: &Application,
    asked: &Asked,
    (user, browser, proof): (&UserId, &SessionId, &Proof),
    from: &Source,
    record_hash: Option<RecordKey>,
) -> Result<String> {
    let now = app.now();
    let below = sessions::find_below(session, browser, &application.id, &asked.scope, proof.auth_time, now).await?;
    let id = match below {
        Some(id) if sessions::touch(session, &id, now).await? => id,
        _ => {
            let entry = Entry {
                user,
                application: Some(application),
                parent: Some(browser),
                browser_hash: None,
                scope: Some(&asked.scope),
                proof,
                client: &from.client,
                user_agent: from.user_agent.as_deref(),
            };
            entering::open(app, session, entry).await?
        }
    };
    let granted = AuthorizationCode {
        application_id: application.id.clone(),
        session_id: id,
        user_id: user.clone(),
        redirect_uri: Some(asked.redirect_uri.clone()),
        scope: asked.scope.clone(),
        audience: asked.audience.clone(),
        nonce: asked.nonce.clone(),
        code_challenge: asked.code_challenge.clone(),
        is_from_link: asked.is_from_link,
        dpop_jkt: asked.dpop_jkt.clone(),
        record_hash,
    };
    let code = redirecting::new_code(app, session, &granted).await?;
    Ok(url(app, &asked.into(), &[("code", Some(code.expose_secret()))]))
}

/// Lets in whoever is signed in at the browser, as they are now; `None` when they are not any more.
pub async fn admit_again(
    app: &App,
    session: &mut Session,
    application: &Application,
    asked: &Asked,
    browser: &Stored,
    from: &Source,
) -> Result<Option<String>> {
    let Some(proof) = browser.proof() else { return Ok(None) };
    // Held until the commit: a session that ends meanwhile gives nothing, and neither does a user who is suspended.
    let is_there = sessions::touch(session, &browser.id, app.now()).await?;
    let user = users::lock(session, &browser.user_id).await?.filter(|user| is_there && !user.is_suspended);
    let Some(user) = user else { return Ok(None) };
    // Silence consents to nothing: no record.
    admit(app, session, application, asked, (&user.id, &browser.id, &proof), from, None).await.map(Some)
}

/// The redirect URI with these parameters, the client's state and our issuer (RFC 9207).
#[must_use]
pub fn url(app: &App, back: &Back, parameters: &[(&str, Option<&str>)]) -> String {
    let issuer = app.urls.issuers.get(back.issuer).map(String::as_str);
    let ours = [("state", back.state.as_deref()), ("iss", issuer)];
    let all: Vec<_> = parameters.iter().chain(&ours).copied().collect();
    redirecting::url(&back.redirect_uri, back.response_mode, &all)
}

/// The URL that tells the client why there is no code.
#[must_use]
pub fn refusal(app: &App, back: &Back, error: &str, description: &str) -> String {
    url(app, back, &[("error", Some(error)), ("error_description", Some(description))])
}

/// Finishes a flow in the transaction that lets the person in: of two tabs or clicks one gets in.
pub async fn finish(app: &App, session: &mut Session, flow: &Flow) -> Result<()> {
    // The row was locked at the beginning of the transaction, and was not finished then.
    if flow.finish(app, session).await? { Ok(()) } else { Err(Code::Unavailable.into()) }
}
