//! Who is asking: the bearer token, checked before anything else (contract 2.1, D3).

use std::{ops::Deref, sync::Arc};

use actix_web::{
    Error as ActixError, FromRequest, HttpMessage, HttpRequest, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header::{self, HeaderMap},
    middleware::Next,
    web::Data,
};

use super::client::Client;
use crate::{
    app::App,
    clock::LEEWAY,
    crypto::tokens::{self, Claims, Expectations, TokenProblem},
    domain::{
        id::{ApplicationId, SessionId},
        refusal::Code,
        settings::Settings,
        user::User,
    },
    error::{Error, Result},
    storage::users::{self, Asked, CallerRow},
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
        let caller = request.extensions().get::<Self>().cloned();
        std::future::ready(
            caller.ok_or_else(|| Error::Failed(anyhow::anyhow!("this route is not behind `authenticate`"))),
        )
    }
}

/// Wraps every route of a signed-in user: token, then the account centre's switch (contract 0.1).
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    match identify(&request).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            Ok(next.call(request).await?.map_into_boxed_body())
        }
        Err(error) => Ok(request.into_response(error.error_response())),
    }
}

async fn identify(request: &ServiceRequest) -> Result<Caller> {
    let app = request.app_data::<Data<App>>().ok_or_else(|| anyhow::anyhow!("the app is missing"))?;
    let token = bearer(request.headers())?;
    let expected = expectations(app, std::slice::from_ref(&app.urls.account_audience));
    let found = match judged(app, || tokens::verify_own(&app.keys, token, &expected)).await? {
        Some(claims) => by_own_token(app, &claims).await?,
        None => by_external_token(app, token).await?,
    };
    if !found.scopes.iter().any(|scope| scope == "openid") {
        return Err(Code::Forbidden.into());
    }
    let settings = app.settings(found.row.settings_version).await?;
    if !settings.account_center.enabled {
        return Err(Code::AccountCenterNotEnabled.into());
    }
    Ok(Caller(Arc::new(Signed {
        is_first_party: found.application.is_none() || found.row.is_third_party == Some(false),
        user: found.row.user,
        scopes: found.scopes,
        application: found.application,
        session: found.session,
        settings,
        client: Client::of(request.request()),
    })))
}

/// The token of `Authorization: Bearer` (contract 2.1).
pub fn bearer(headers: &HeaderMap) -> Result<&str> {
    let value = headers.get(header::AUTHORIZATION).ok_or(Code::AuthorizationHeaderMissing)?;
    let value = value.to_str().unwrap_or_default();
    let unsupported = || Code::AuthorizationTokenType.with(serde_json::json!({ "supportedTypes": ["Bearer"] }));
    let rest = value.strip_prefix("Bearer").ok_or_else(unsupported)?;
    Ok(rest.get(1..).unwrap_or_default())
}

/// Claims of a token of ours for one of `audiences`.
pub async fn own_claims(app: &App, token: &str, audiences: &[String]) -> Result<Arc<Claims>> {
    let expected = expectations(app, audiences);
    judged(app, || tokens::verify(&app.keys, token, &expected)).await
}

/// The user a token of ours speaks for, and what it says: for what needs no account centre. A token that is bound to a key is of no
/// use here without a proof.
pub async fn holder(app: &App, headers: &HeaderMap) -> Result<(User, Arc<Claims>)> {
    let claims = own_claims(app, bearer(headers)?, std::slice::from_ref(&app.urls.account_audience)).await?;
    if claims.cnf.is_some() {
        return Err(Code::Unauthorized.into());
    }
    let found = by_own_token(app, &claims).await?;
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
}

async fn by_own_token(app: &App, claims: &Claims) -> Result<Found> {
    let user = claims.user();
    let session = claims.sid.clone().map(SessionId);
    let application = ApplicationId(claims.client_id.clone());
    let asked = Asked { user, session: session.clone(), application: application.clone() };
    let row = app.callers.find(&app.db, asked).await?.ok_or(Code::Unauthorized)?;
    Ok(Found { row, scopes: claims.scopes().map(str::to_owned).collect(), application: Some(application), session })
}

async fn by_external_token(app: &App, token: &str) -> Result<Found> {
    let identity = app.issuers.verify(token, app.now()).await?;
    let mut db = app.db.read().await?;
    let row = users::find_caller_by_external_id(&mut db, &identity.external_id()).await?;
    let row = row.ok_or(Code::Unauthorized)?;
    Ok(Found { row, scopes: identity.scopes, application: None, session: None })
}
