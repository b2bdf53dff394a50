//! `POST /passwordless/start` (contract `auth0.md` 1).

use actix_web::{
    HttpRequest, HttpResponse,
    http::header,
    post,
    web::{Data, Payload},
};
use serde::Serialize;
use serde_json::{Map, Value};

use super::{asking, body::Members, count_start, is_open, languages};
use crate::{
    app::App,
    crypto::digest::digest,
    domain::{application::Connection, id::pick, message::Kind, refusal::Code},
    error::Error,
    signin::{
        codes::{self, Address, Ask, Carries, Holder},
        entering::link_life,
        hosted::judging,
        limits::Standing,
    },
    storage::applications::Application,
    web::{
        cookies::{Cookie, new_secret},
        oauth::{self, OauthError},
    },
};

const KNOWN: &[&str] = &[
    "client_id",
    "client_secret",
    "client_assertion",
    "client_assertion_type",
    "connection",
    "email",
    "phone_number",
    "send",
    "authParams",
    "captcha",
];

/// Where a code or link is to go.
#[derive(utoipa::ToSchema)]
#[expect(dead_code, non_snake_case, reason = "describes the request for the OpenAPI document")]
pub struct StartRequest {
    client_id: String,
    /// Of applications that have one, unless in the Authorization header or an assertion.
    #[schema(nullable = false)]
    client_secret: Option<String>,
    /// Instead of a secret (RFC 7523).
    #[schema(nullable = false)]
    client_assertion: Option<String>,
    #[schema(nullable = false)]
    client_assertion_type: Option<String>,
    connection: Connection,
    /// With `email`.
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// With `sms`: a plus sign and at most 15 digits.
    #[schema(example = "+14155552671")]
    phone_number: Option<String>,
    /// `code` or `link`; without it, a link by e-mail and a code by text message.
    #[schema(example = "code")]
    send: Option<String>,
    /// For the authorization that follows upon a link: `redirect_uri`, `scope`, `state`, `nonce`, `audience`, `response_type`,
    /// `response_mode`. Ignored for codes.
    #[schema(value_type = Option<Object>)]
    authParams: Option<Map<String, Value>>,
    /// Ignored.
    captcha: Option<String>,
}

/// The same whether or not there is an account.
#[derive(Serialize, utoipa::ToSchema)]
pub struct Started {
    /// Random.
    #[serde(rename = "_id")]
    #[schema(example = "5f1a2b3c4d5e6f7081928374")]
    id: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    email: Option<String>,
    /// Always false: what is stored is not told.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = false)]
    email_verified: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false)]
    phone_number: Option<String>,
    /// Always false.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(nullable = false, example = false)]
    phone_verified: Option<bool>,
}

/// Why nothing was sent.
pub struct StartRefused;

impl utoipa::IntoResponses for StartRefused {
    fn responses() -> std::collections::BTreeMap<String, utoipa::openapi::RefOr<utoipa::openapi::Response>> {
        oauth::responses(&[
            (
                "400",
                &[
                    "bad.request",
                    "bad.client_id",
                    "bad.connection",
                    "bad.email",
                    "bad.phone_number",
                    "bad.authParams",
                    "sms_provider_error",
                    "invalid_request",
                ],
            ),
            ("401", &["invalid_client"]),
            ("403", &["unauthorized_client"]),
            ("429", &["too_many_requests"]),
            ("500", &["server_error"]),
            ("503", &["temporarily_unavailable"]),
        ])
    }
}

/// Sends a code or link to sign in with
///
/// The answer does not tell whether there is an account, nor whether anything was sent.
#[utoipa::path(
    operation_id = "StartPasswordless", tag = "Passwordless", security((), ("client" = [])),
    request_body = StartRequest,
    responses((status = 200, description = "It is on its way.", body = Started), StartRefused),
)]
#[post("/passwordless/start")]
pub async fn start(app: Data<App>, request: HttpRequest, payload: Payload) -> HttpResponse {
    let mut standing = None;
    let mut response = match begin(&app, &request, payload, &mut standing).await {
        Ok((started, browser)) => {
            let mut response = HttpResponse::Ok();
            response.insert_header((header::CACHE_CONTROL, "no-store"));
            let cookie = browser.and_then(|secret| Cookie::Link.set(&app, &secret, link_life(&app)));
            if let Some(cookie) = cookie {
                response.append_header((header::SET_COOKIE, cookie));
            }
            response.json(started)
        }
        Err(error) => error.answer(),
    };
    if let Some(standing) = standing {
        standing.tell(response.headers_mut());
    }
    response
}

/// Gives the answer, and the secret of a browser whose links open in no other.
async fn begin(
    app: &App,
    request: &HttpRequest,
    payload: Payload,
    standing: &mut Option<Standing>,
) -> Result<(Started, Option<String>), OauthError> {
    let mut members = Members::read(app, request, payload, "bad.request").await?;
    let unknown = members.unknown(KNOWN);
    if !unknown.is_empty() {
        let description = format!("the following properties are not allowed: {}", unknown.join(", "));
        return Err(OauthError::new("bad.request", description));
    }
    let missing = || OauthError::new("bad.client_id", "Missing required property: client_id");
    let asking = asking(app, request, &mut members, missing).await?;
    count_start(app, &asking, standing).await?;
    let wanted = Wanted::read(app, &asking.application, &mut members)?;
    let browser = (app.config.sign_in.strict_same_browser && matches!(wanted.carries, Carries::CodeAndLink { .. }))
        .then(|| Cookie::Link.read(app, request).unwrap_or_else(|| new_secret(&*app.random)));
    let browser_hash = browser.as_ref().map(|secret| digest(secret.as_bytes()));
    let languages = languages(request.headers());
    let ask = Ask {
        browser_hash: browser_hash.as_ref().map(<[u8; 32]>::as_slice),
        ..asking.ask(&wanted.address, Holder::Named, wanted.carries, &languages)
    };
    let kind = wanted.address.connection.kind();
    codes::send(app, ask).await.map_err(|error| not_sent(error, kind))?;
    Ok((started(app, &wanted.address), browser))
}

fn started(app: &App, address: &Address) -> Started {
    let id = pick(&*app.random, b"0123456789abcdef", 24);
    let told = Some(address.spelling.clone());
    let none = Started { id, email: None, email_verified: None, phone_number: None, phone_verified: None };
    match address.connection {
        Connection::Email => Started { email: told, email_verified: Some(false), ..none },
        Connection::Sms => Started { phone_number: told, phone_verified: Some(false), ..none },
    }
}

/// What is known before anything is sent.
fn not_sent(error: Error, kind: Kind) -> OauthError {
    let Error::Refused(refusal) = &error else { return error.into() };
    let sentence = refusal.code.sentence();
    match refusal.code {
        Code::ConnectorNotFound if kind == Kind::Email => OauthError::new("server_error", sentence).with_status(500),
        Code::ConnectorNotFound | Code::MessageCountryNotServed | Code::ConnectorRateLimited => {
            let description = format!("{sentence} ({})", refusal.code.code());
            OauthError::new("sms_provider_error", description).with_retry_after(refusal.retry_after)
        }
        _ => error.into(),
    }
}

/// What is to be sent where.
struct Wanted {
    address: Address,
    carries: Carries,
}

impl Wanted {
    fn read(app: &App, application: &Application, members: &mut Members) -> Result<Self, OauthError> {
        let named = members.text("connection").ok().flatten();
        let connection = named.as_deref().and_then(Connection::parse);
        let connection = connection.filter(|connection| is_open(app, application, *connection)).ok_or_else(|| {
            OauthError::new("bad.connection", "`connection` is missing, or is no connection of the application's")
        })?;
        let address = address(connection, members)?;
        let is_link = match (members.text("send"), connection) {
            // What goes by text message is always a code.
            (Ok(None | Some(_)), Connection::Sms) => false,
            (Ok(None), Connection::Email) => true,
            (Ok(Some(send)), Connection::Email) => match send.as_str() {
                "code" => false,
                "link" | "link_ios" | "link_android" => true,
                _ => return Err(OauthError::new("bad.request", "`send` must be `code` or `link`")),
            },
            (Err(_), _) => return Err(OauthError::new("bad.request", "`send` must be `code` or `link`")),
        };
        let parameters = match members.take("authParams") {
            None => Map::new(),
            Some(Value::Object(parameters)) => parameters,
            Some(_) => return Err(OauthError::new("bad.authParams", "`authParams` must be an object")),
        };
        let link = if is_link { link(app, application, connection, parameters)? } else { None };
        let carries = link.map_or(Carries::Code, |auth_params| Carries::CodeAndLink { auth_params });
        Ok(Self { address, carries })
    }
}

fn address(connection: Connection, members: &mut Members) -> Result<Address, OauthError> {
    let (member, error, wanted) = match connection {
        Connection::Email => ("email", "bad.email", "an e-mail address"),
        Connection::Sms => ("phone_number", "bad.phone_number", "a plus sign and the 1 to 15 digits of a phone number"),
    };
    let text = members.text(member).ok().flatten();
    let address = text.as_deref().and_then(|text| Address::parse(connection, text));
    address.ok_or_else(|| OauthError::new(error, format!("`{member}` is missing, or is not {wanted}")))
}

/// What a link's authorization is to use, held against the application now; `None` where a link could lead nowhere.
fn link(
    app: &App,
    application: &Application,
    connection: Connection,
    parameters: Map<String, Value>,
) -> Result<Option<Map<String, Value>>, OauthError> {
    let pairs = parameters.into_iter().filter_map(|(name, value)| match value {
        Value::String(text) => Some((name, text)),
        // Callers add what they like; what we know is text.
        _ => None,
    });
    let asked = judging::read_sent(app, application, connection, pairs.collect())
        .map_err(|(error, description)| OauthError::new("bad.authParams", format!("{error}: {description}")))?;
    let Some(asked) = asked else { return Ok(None) };
    match serde_json::to_value(asked) {
        Ok(Value::Object(members)) => Ok(Some(members)),
        _ => Err(Error::Failed(anyhow::anyhow!("the parameters of a link cannot be stored")).into()),
    }
}
