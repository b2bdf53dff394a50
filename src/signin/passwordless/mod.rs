//! Signing in by a code or link, from an application's own pages or back end (contract `auth0.md` 1 and 3).

mod body;
mod challenge;
mod cross_origin;
mod redirect;
mod start;
mod verify;

use crate::web::service::ServiceConfig;
use actix_web::{
    HttpRequest,
    http::header::{self, HeaderMap},
    web::{get, post},
};

use self::body::Members;
use super::{
    clients::{Credentials, Shown},
    codes::{Address, Ask, Carries, Holder},
    forwarded,
    limits::{Bucket, Standing},
};
use crate::{
    app::App,
    domain::{
        application::{Connection, GrantType},
        id::ApplicationId,
    },
    error::Result,
    storage::applications::{self, Application},
    web::{
        client::{Client, Languages},
        oauth::OauthError,
    },
};

/// Routes at the root. The pages are listed in `server::routes::UNDOCUMENTED`.
pub fn routes(service: &mut ServiceConfig<'_>) {
    service
        .service(start::start)
        .service(verify::verify)
        .service(challenge::captcha)
        .service(challenge::otp_challenge)
        .service(cross_origin::authenticate);
    for path in ["/passwordless/verify_redirect", "/passwordless/verify-redirect"] {
        service.route(path, get().to(redirect::show)).route(path, post().to(redirect::go));
    }
}

/// Who asks for a code.
struct Asking {
    application: Application,
    client: Client,
    is_back_end: bool,
}

/// The application that asks, authenticated if it can be, and for whom. `missing` is the refusal of a request that names none.
async fn asking(
    app: &App,
    request: &HttpRequest,
    members: &mut Members,
    missing: impl FnOnce() -> OauthError,
) -> Result<Asking, OauthError> {
    let id = members.text("client_id").map_err(|_| OauthError::invalid_client(false))?;
    let secret = members.secret("client_secret").map_err(|_| OauthError::invalid_client(false))?;
    let assertion = members.secret("client_assertion").map_err(|_| OauthError::invalid_client(false))?;
    let assertion_type = members.text("client_assertion_type").map_err(|_| OauthError::invalid_client(false))?;
    let has_header = request.headers().contains_key(header::AUTHORIZATION);
    let is_asserted = assertion.is_some() || assertion_type.is_some();
    if id.is_none() && !has_header && !is_asserted {
        return Err(missing());
    }
    let shows_secret = secret.is_some() || has_header;
    let application = if let Some(id) = id.as_ref().filter(|_| !shows_secret && !is_asserted) {
        public(app, id).await?
    } else {
        let shown = Shown { id, secret, assertion, assertion_type };
        Credentials::of(request.headers(), shown)?.authenticate(app).await?
    };
    let (client, is_back_end) = forwarded::client(request, &application, shows_secret);
    if !application.allows(GrantType::PasswordlessOtp) {
        let name = GrantType::PasswordlessOtp.name();
        let description = format!("Grant type '{name}' not allowed for the client.");
        return Err(OauthError::new("unauthorized_client", description).with_status(403));
    }
    Ok(Asking { application, client, is_back_end })
}

/// An application that showed nothing but its id (contract 1.2).
async fn public(app: &App, id: &str) -> Result<Application, OauthError> {
    let found = applications::find(&mut app.db.read().await?, &ApplicationId(id.to_owned())).await?;
    let application = found.ok_or_else(|| OauthError::invalid_client(false))?;
    if application.is_confidential() {
        return Err(OauthError::new("unauthorized_client", "Client authentication is required.").with_status(403));
    }
    Ok(application)
}

/// Whether people may sign in to the application by that connection.
fn is_open(app: &App, application: &Application, connection: Connection) -> bool {
    app.config.sign_in.of(connection).enabled && application.client_settings.connections().contains(&connection)
}

impl Asking {
    /// A request to send to that address, with what most of them have.
    fn ask<'a>(
        &'a self,
        address: &'a Address,
        holder: Holder<'a>,
        carries: Carries,
        languages: &'a Languages,
    ) -> Ask<'a> {
        Ask {
            application: &self.application,
            address,
            holder,
            carries,
            allows_sign_up: true,
            browser_hash: None,
            client: &self.client,
            is_back_end: self.is_back_end,
            languages,
        }
    }
}

/// Counts a request for a code or link, before anything else is done for it; commits. `standing` is told where there is a limit: back
/// ends that show their secret and name nobody are counted with all requests.
async fn count_start(app: &App, asking: &Asking, standing: &mut Option<Standing>) -> Result<(), OauthError> {
    let most = app.config.sign_in.starts_per_hour;
    let is_own =
        asking.client.ip.is_some_and(|ip| app.config.limits.unlimited_clients.iter().any(|net| net.contains(&ip)));
    if asking.is_back_end || most == 0 || is_own {
        return Ok(());
    }
    match take_start(app, asking, most).await? {
        Ok(now) => {
            *standing = Some(now);
            Ok(())
        }
        Err(now) => {
            *standing = Some(now);
            let description =
                "Too many requests. Check the X-RateLimit-Limit, X-RateLimit-Remaining and X-RateLimit-Reset headers.";
            let error = OauthError::new("too_many_requests", description).with_status(429);
            Err(error.with_retry_after(Some(now.wait)))
        }
    }
}

async fn take_start(app: &App, asking: &Asking, most: u32) -> Result<Result<Standing, Standing>> {
    let mut session = app.db.write().await?;
    let outcome = Bucket::starts(&asking.client, most).take(&mut session, app.now()).await?;
    session.commit().await?;
    Ok(outcome)
}

/// `x-request-language` before `accept-language` (contract 1.1).
fn languages(headers: &HeaderMap) -> Languages {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    // Tags with or without weights, best first.
    let tags = |value: &str| {
        let tags = value.split(',').map(|tag| tag.split(';').next().unwrap_or_default().trim());
        tags.collect::<Vec<_>>().join(" ")
    };
    Languages {
        ui_locales: text("x-request-language").map(tags).filter(|tags| !tags.trim().is_empty()),
        query: None,
        accepted: text("accept-language").map(str::to_owned),
    }
}
