//! Whom a back end speaks for (contract `auth0.md` 1.8, P7).

use std::net::IpAddr;

use actix_web::{HttpRequest, http::header::HeaderName};

use crate::{storage::applications::Application, web::client::Client};

const FORWARDED_FOR: HeaderName = HeaderName::from_static("auth0-forwarded-for");

/// The client of a request of that application, and whether it is the application's own back end. `auth0-forwarded-for` names it under
/// three conditions: the application can keep a secret, has shown it, and is trusted to say so. Then the back end's own address counts
/// nowhere; the log has both.
#[must_use]
pub fn client(request: &HttpRequest, application: &Application, shows_secret: bool) -> (Client, bool) {
    let peer = Client::of(request);
    if !application.is_confidential() {
        return (peer, false);
    }
    let is_trusted = shows_secret && application.client_settings.trust_forwarded_for;
    match named(request).filter(|_| is_trusted) {
        Some(ip) => {
            tracing::info!(peer = ?peer.ip, client = %ip, "a back end speaks for a client");
            (Client { ip: Some(ip), ..peer }, false)
        }
        None => (peer, true),
    }
}

/// One address, in one header.
fn named(request: &HttpRequest) -> Option<IpAddr> {
    let mut values = request.headers().get_all(FORWARDED_FOR);
    let value = values.next().filter(|_| values.next().is_none())?;
    value.to_str().ok()?.trim().parse::<IpAddr>().ok().map(|ip| ip.to_canonical())
}
