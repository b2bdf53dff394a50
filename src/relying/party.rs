//! Who asks: a signed-in user, or a relying service with its own credentials (contract `operations.md`, "Endpoints").

use std::{future::Ready, sync::Arc};

use actix_web::{
    Error as ActixError, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    http::header,
    middleware::Next,
};

use crate::{
    app::App,
    domain::{id::ApplicationId, policy::Policy, refusal::Code},
    error::{Error, Result},
    signin::{
        clients::{Credentials, Shown},
        issue::REDEEM_SCOPE,
    },
    storage::{applications, openings::Standing},
    web::{
        caller::{self, Caller, NoUser, shown_claims},
        client::Client,
        guard::guard,
    },
};

/// An application that acts for itself. A handler that takes it cannot be reached without its credentials.
#[derive(Clone)]
pub struct Service {
    /// Which application.
    pub application: Arc<ApplicationId>,
    /// Where the request comes from.
    pub client: Client,
}

/// Either.
#[derive(Clone)]
pub enum Party {
    /// A signed-in user.
    User(Caller),
    /// A relying service.
    Service(Service),
}

impl Party {
    /// The policy of an operation, where the party may know of it: a user any, a service those it redeems.
    ///
    /// # Errors
    /// `404 operation.not_found`.
    pub fn policy<'a>(&self, app: &'a App, operation: &str) -> Result<&'a Policy> {
        let policy = app.policies.find(operation).filter(|policy| match self {
            Self::User(_) => true,
            Self::Service(service) => policy.is_redeemed_by(&service.application),
        });
        Ok(policy.ok_or(Code::OperationNotFound)?)
    }

    /// Whether the party may see a record for an operation it may know of: a user their own, a service any.
    #[must_use]
    pub fn may_see(&self, standing: &Standing) -> bool {
        match self {
            Self::User(caller) => standing.is_of(caller.holder()),
            Self::Service(_) => true,
        }
    }
}

impl FromRequest for Service {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        // A user may not do what a service does.
        std::future::ready(request.extensions().get::<Self>().cloned().ok_or_else(|| Code::Forbidden.into()))
    }
}

impl FromRequest for Party {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let service = request.extensions().get::<Service>().cloned();
        std::future::ready(match service {
            Some(service) => Ok(Self::Service(service)),
            None => Caller::from_request(request, payload).into_inner().map(Self::User),
        })
    }
}

/// Wraps routes of users and services.
pub async fn authenticate(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    guard(request, next, identify, |party, extensions| match party {
        Party::User(caller) => _ = extensions.insert(caller),
        Party::Service(service) => {
            extensions.insert(service);
            extensions.insert(NoUser);
        }
    })
    .await
}

async fn identify(app: &App, request: &HttpRequest) -> Result<Party> {
    let header = request.headers().get(header::AUTHORIZATION).and_then(|value| value.to_str().ok());
    let application = if header.is_some_and(|value| value.starts_with("Basic ")) {
        by_secret(app, request).await?
    } else if let Some(application) = by_token(app, request).await? {
        application
    } else {
        return caller::identify(app, request).await.map(Party::User);
    };
    Ok(Party::Service(Service { application: Arc::new(application), client: Client::of(request) }))
}

async fn by_secret(app: &App, request: &HttpRequest) -> Result<ApplicationId> {
    let shown = Shown { id: None, secret: None, assertion: None, assertion_type: None };
    let credentials = Credentials::of(request.headers(), shown).map_err(|_| Code::ClientUnknown.refuse())?;
    Ok(credentials.authenticate(app).await.map_err(|error| error.or(Code::ClientUnknown))?.id)
}

/// The application whose own token for services a request shows; `None` when it shows another token, or none.
async fn by_token(app: &App, request: &HttpRequest) -> Result<Option<ApplicationId>> {
    let audiences = std::slice::from_ref(&app.urls.redeemer_audience);
    if !caller::claims_to_be_for(request.headers(), audiences) {
        return Ok(None);
    }
    let claims = shown_claims(app, request, audiences).await?;
    if claims.sub != claims.client_id || !claims.has_scope(REDEEM_SCOPE) {
        return Err(Code::Forbidden.into());
    }
    let id = ApplicationId(claims.sub.clone());
    // A token outlives an application that was deleted.
    let application = applications::find(&mut app.db.read().await?, &id).await?.ok_or(Code::Unauthorized)?;
    Ok(Some(application.id))
}
