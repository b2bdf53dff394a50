//! Who is asking: the access token, a bearer token or one bound to a key (RFC 9449), checked before anything else (contract 2.1, D3).

use std::{ops::Deref, sync::Arc};

use actix_web::{
    Error as ActixError, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::Next,
};

use super::{
    client::Client,
    dpop::{self, Aim},
    guard::guard,
};
use crate::{
    app::App,
    clock::LEEWAY,
    crypto::{
        digest::record_key_of,
        issuers::ExternalIdentity,
        tokens::{self, Claims, Expectations, TokenProblem},
    },
    domain::{
        id::{ApplicationId, RecordKey, SessionId},
        refusal::Code,
        settings::Settings,
        target::Target,
        user::User,
    },
    error::{Error, Result},
    storage::{
        records::Holder,
        users::{self, Asked, CallerRow},
    },
};

/// A signed-in user with a valid token. A handler that takes it cannot be reached without one.
#[derive(Clone)]
pub struct Caller(Arc<Signed>);

/// What is known of the caller.
pub struct Signed {
    /// The account, as it was when the request came in.
    pub user: User,
    /// Scopes granted to the token.
    pub scopes: Vec<String>,
    /// The application the token was issued to.
    pub application: Option<ApplicationId>,
    /// Whether that application is ours (contract 1.9).
    pub is_first_party: bool,
    /// The session behind the token.
    pub session: Option<SessionId>,
    /// The key the token is bound to, which the caller has proved to hold (RFC 9449).
    pub jkt: Option<String>,
    /// The record a step-up token carries.
    pub carried: Option<RecordKey>,
    /// The settings that hold for this request.
    pub settings: Arc<Settings>,
    /// Where the request comes from.
    pub client: Client,
}

impl Deref for Caller {
    type Target = Signed;
    fn deref(&self) -> &Signed {
        &self.0
    }
}

impl Signed {
    /// Whose the records are that this caller makes, and may use.
    #[must_use]
    pub fn holder(&self) -> Holder<'_> {
        Holder { user: &self.user.id, jkt: self.jkt.as_deref() }
    }

    /// Whether the token was granted `scope`.
    #[must_use]
    pub fn has_scope(&self, scope: &str) -> bool {
        self.scopes.iter().any(|granted| granted == scope)
    }

    /// Refuses with `400 auth.unauthorized` ("U400" of contract 3) without `scope`.
    pub fn require_scope(&self, scope: &str) -> Result<()> {
        if self.has_scope(scope) { Ok(()) } else { Err(Code::ScopeMissing.into()) }
    }

    /// Refuses third-party applications ("FP" of contract 1.9).
    pub fn require_first_party(&self) -> Result<()> {
        if self.is_first_party { Ok(()) } else { Err(Code::ThirdPartyForbidden.into()) }
    }
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let extensions = request.extensions();
        std::future::ready(extensions.get::<Self>().cloned().ok_or_else(|| {
            // Whoever else may call some routes of the scope may not call this one.
            let is_service = extensions.contains::<NoUser>();
            let forgotten = || Error::Failed(anyhow::anyhow!("this route is not behind `authenticate`"));
            if is_service { Code::Forbidden.into() } else { forgotten() }
        }))
    }
}

/// Marks a request that somebody else than a user makes, who was authenticated.
pub struct NoUser;

/// Wraps every route of a signed-in user: token, then the account centre's switch (contract 0.1).
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    guard(request, next, identify, |caller, extensions| _ = extensions.insert(caller)).await
}

/// The user whose token a request shows.
pub async fn identify(app: &App, request: &HttpRequest) -> Result<Caller> {
    let audiences = std::slice::from_ref(&app.urls.account_audience);
    let found = found(app, Aim::Own(request), audiences).await?;
    if !found.scopes.iter().any(|scope| scope == "openid") {
        return Err(Code::Forbidden.into());
    }
    let settings = app.settings(found.row.settings_version).await?;
    if !settings.account_center.enabled {
        return Err(Code::AccountCenterNotEnabled.into());
    }
    Ok(signed(found, settings, request))
}

fn signed(found: Found, settings: Arc<Settings>, request: &HttpRequest) -> Caller {
    Caller(Arc::new(Signed {
        is_first_party: found.application.is_none() || found.row.is_third_party == Some(false),
        user: found.row.user,
        scopes: found.scopes,
        application: found.application,
        session: found.session,
        jkt: found.jkt,
        carried: found.carried,
        settings,
        client: Client::of(request),
    }))
}

/// The user of a request at another back end, which a proxy asks about in `asked`. Its token is one for the account API, or for one of
/// the audiences of `sign_in.audiences`; neither its scopes nor the account centre matter there.
pub async fn forwarded(app: &App, asked: &HttpRequest, target: &Target) -> Result<Caller> {
    let audiences = [std::slice::from_ref(&app.urls.account_audience), &app.config.sign_in.audiences].concat();
    let found = found(app, Aim::Forwarded { asked, target }, &audiences).await?;
    let settings = app.settings(found.row.settings_version).await?;
    Ok(signed(found, settings, asked))
}

/// The user a token for one of `audiences` speaks for, by whatever issuer, shown by its rightful holder.
async fn found(app: &App, aim: Aim<'_>, audiences: &[String]) -> Result<Found> {
    let shown = shown(aim.headers())?;
    let expected = expectations(app, audiences);
    if let Some(claims) = judged(app, || tokens::verify_own(&app.keys, shown.token, &expected)).await? {
        let application = ApplicationId(claims.client_id.clone());
        shown.require_holder(app, aim, claims.jkt(), Some(&application)).await?;
        return by_own_token(app, &claims, application).await;
    }
    let identity = app.issuers.verify(shown.token, app.now()).await?;
    shown.require_holder(app, aim, identity.jkt.as_deref(), None).await?;
    by_external_token(app, identity).await
}

/// A token as a request shows it.
#[derive(Clone, Copy)]
struct Shown<'a> {
    token: &'a str,
    is_dpop: bool,
}

fn shown(headers: &HeaderMap) -> Result<Shown<'_>> {
    match headers.get(header::AUTHORIZATION).and_then(dpop::token) {
        Some(token) => Ok(Shown { token, is_dpop: true }),
        None => Ok(Shown { token: bearer(headers)?, is_dpop: false }),
    }
}

impl Shown<'_> {
    /// A token that is bound to a key comes under the scheme of DPoP with a proof, any other as a bearer token: mixing them up would
    /// make the binding worthless (RFC 9449 7.1, 7.2).
    async fn require_holder(
        self,
        app: &App,
        aim: Aim<'_>,
        jkt: Option<&str>,
        application: Option<&ApplicationId>,
    ) -> Result<()> {
        match (self.is_dpop, jkt) {
            (false, None) => Ok(()),
            (true, Some(jkt)) => dpop::require_holder(app, aim, self.token, jkt, application).await,
            (false, Some(_)) | (true, None) => Err(Code::Unauthorized.into()),
        }
    }
}

/// Claims of the token of ours for one of `audiences` that a request shows: as a bearer token, or bound to a key and with its proof.
/// An answer to a request that uses DPoP wants [`dpop::dress`].
pub async fn shown_claims(app: &App, request: &HttpRequest, audiences: &[String]) -> Result<Arc<Claims>> {
    let shown = shown(request.headers())?;
    let claims = own_claims(app, shown.token, audiences).await?;
    shown.require_holder(app, Aim::Own(request), claims.jkt(), Some(&ApplicationId(claims.client_id.clone()))).await?;
    Ok(claims)
}

/// Whether a request shows a token that says it is for one of `audiences`. Nobody has vouched for it yet: it may choose who judges.
#[must_use]
pub fn claims_to_be_for(headers: &HeaderMap, audiences: &[String]) -> bool {
    shown(headers)
        .is_ok_and(|shown| tokens::claimed_audience(shown.token).is_ok_and(|claimed| claimed.meets(audiences)))
}

/// The token of `Authorization: Bearer` (contract 2.1).
pub fn bearer(headers: &HeaderMap) -> Result<&str> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Code::AuthorizationHeaderMissing)?;
    let value = value.to_str().unwrap_or_default();
    let unsupported = || Code::AuthorizationTokenType.with(serde_json::json!({ "supportedTypes": ["Bearer"] }));
    let rest = value.strip_prefix("Bearer").ok_or_else(unsupported)?;
    Ok(rest.get(1..).unwrap_or_default())
}

/// Claims of a token of ours for one of `audiences`, whoever shows it: it may be bound to a key. [`shown_claims`] judges a request.
pub async fn own_claims(app: &App, token: &str, audiences: &[String]) -> Result<Arc<Claims>> {
    let expected = expectations(app, audiences);
    judged(app, || tokens::verify(&app.keys, token, &expected)).await
}

/// The claims of a user's token of ours that somebody hands in, whose user and session stand. Whether they hold the key it may be bound
/// to is for the caller to judge.
pub async fn standing_claims(app: &App, token: &str) -> Result<Arc<Claims>> {
    let claims = own_claims(app, token, std::slice::from_ref(&app.urls.account_audience)).await?;
    by_own_token(app, &claims, ApplicationId(claims.client_id.clone())).await?;
    Ok(claims)
}

/// The user a token of ours speaks for, and what it says: for what needs no account centre.
pub async fn holder(app: &App, request: &HttpRequest) -> Result<(User, Arc<Claims>)> {
    let claims = shown_claims(app, request, std::slice::from_ref(&app.urls.account_audience)).await?;
    let found = by_own_token(app, &claims, ApplicationId(claims.client_id.clone())).await?;
    Ok((found.row.user, claims))
}

/// A key this node does not know may be new: the keys are read again, and the token is judged once more.
async fn judged<T>(app: &App, judge: impl Fn() -> Result<T, TokenProblem>) -> Result<T> {
    match judge() {
        Err(TokenProblem::Key) => {
            app.refresh_keys().await?;
            Ok(judge()?)
        }
        judged => Ok(judged?),
    }
}

fn expectations<'a>(app: &'a App, audiences: &'a [String]) -> Expectations<'a> {
    Expectations { issuers: &app.urls.issuers, audiences, now: app.now(), leeway: LEEWAY }
}

struct Found {
    row: CallerRow,
    scopes: Vec<String>,
    application: Option<ApplicationId>,
    session: Option<SessionId>,
    jkt: Option<String>,
    carried: Option<RecordKey>,
}

async fn by_own_token(app: &App, claims: &Claims, application: ApplicationId) -> Result<Found> {
    let user = claims.user();
    let session = claims.sid.clone().map(SessionId);
    let asked = Asked { user, session: session.clone(), application: application.clone() };
    let row = app.callers.find(&app.db, asked).await?.ok_or(Code::Unauthorized)?;
    let scopes = claims.scopes().map(str::to_owned).collect();
    let (jkt, carried) = (claims.jkt().map(str::to_owned), claims.verification.as_deref().and_then(record_key_of));
    Ok(Found { row, scopes, application: Some(application), session, jkt, carried })
}

async fn by_external_token(app: &App, identity: ExternalIdentity) -> Result<Found> {
    let mut db = app.db.read().await?;
    let row = users::find_caller_by_external_id(&mut db, &identity.external_id()).await?;
    let row = row.ok_or(Code::Unauthorized)?;
    let (scopes, jkt) = (identity.scopes, identity.jkt);
    Ok(Found { row, scopes, application: None, session: None, jkt, carried: None })
}
