//! What the wraps of routes have in common: somebody is identified before a handler is reached, and answers to requests that use DPoP
//! are dressed, refusals too.

use actix_web::{
    Error as ActixError, HttpMessage, HttpRequest, ResponseError,
    body::{BoxBody, MessageBody},
    dev::{Extensions, ServiceRequest, ServiceResponse},
    middleware::Next,
    web::Data,
};

use super::dpop;
use crate::{
    app::App,
    error::{Error, Result},
};

/// Lets through whom `identify` knows; `admit` says to the handlers who that is.
pub async fn guard<T>(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
    identify: impl AsyncFnOnce(&App, &HttpRequest) -> Result<T>,
    admit: impl FnOnce(T, &mut Extensions),
) -> Result<ServiceResponse<BoxBody>, ActixError> {
    let app = request.app_data::<Data<App>>().cloned();
    let app = app.ok_or_else(|| Error::Failed(anyhow::anyhow!("the app is missing")))?;
    let is_dpop = dpop::is_used(request.headers());
    let mut response = match identify(&app, request.request()).await {
        Ok(known) => {
            admit(known, &mut request.extensions_mut());
            next.call(request).await?.map_into_boxed_body()
        }
        Err(error) => request.into_response(error.error_response()),
    };
    if is_dpop {
        dpop::dress(&app, response.headers_mut());
    }
    Ok(response)
}
