//! Who may manage (contract 2.3): an application with a token of ours for the management API, scope `all`.

use std::sync::Arc;

use actix_web::{
    Error as ActixError, FromRequest, HttpMessage, HttpRequest,
    body::{BoxBody, MessageBody},
    dev::{Payload, ServiceRequest, ServiceResponse},
    middleware::Next,
};

use crate::{
    app::App,
    audit::Actor,
    domain::{
        id::{ApplicationId, UserId},
        refusal::Code,
    },
    error::{Error, Result},
    signin::issue::MANAGEMENT_SCOPE,
    storage::applications,
    web::{caller::shown_claims, client::Client, guard::guard},
};

/// An application that may manage. A handler that takes it cannot be reached without one.
#[derive(Clone)]
pub struct Manager {
    /// Which application.
    pub application: Arc<ApplicationId>,
    /// Where the request comes from.
    pub client: Client,
}

impl Manager {
    /// This manager, acting on the account of `user`.
    pub fn about<'a>(&'a self, user: &'a UserId) -> Actor<'a> {
        Actor { user: Some(user), ..Actor::from(self) }
    }
}

impl<'a> From<&'a Manager> for Actor<'a> {
    fn from(manager: &'a Manager) -> Self {
        Self { user: None, application: Some(&manager.application), client: Some(&manager.client) }
    }
}

impl FromRequest for Manager {
    type Error = Error;
    type Future = std::future::Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let manager = request.extensions().get::<Self>().cloned();
        std::future::ready(
            manager.ok_or_else(|| Error::Failed(anyhow::anyhow!("this route is not behind `authorize`"))),
        )
    }
}

/// Wraps every route of the management API.
pub async fn authorize(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    guard(request, next, identify, |manager, extensions| _ = extensions.insert(manager)).await
}

async fn identify(app: &App, request: &HttpRequest) -> Result<Manager> {
    let claims = shown_claims(app, request, &app.urls.management_audiences).await?;
    if !claims.has_scope(MANAGEMENT_SCOPE) {
        return Err(Code::Forbidden.into());
    }
    let id = ApplicationId(claims.sub.clone());
    let application = applications::find(&mut app.db.read().await?, &id).await?.ok_or(Code::Unauthorized)?;
    if !application.is_management || application.is_third_party {
        return Err(Code::Forbidden.into());
    }
    Ok(Manager { application: Arc::new(id), client: Client::of(request) })
}
