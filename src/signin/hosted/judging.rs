//! An authorization request, held against its client.

use super::{
    parameters::Parameters,
    request::{Asked, Back, Fault, Prompt, Refused, UNMET},
};
use crate::{
    app::App,
    domain::{
        application::{Connection, GrantType},
        demand::Demand,
        id::ApplicationId,
        method::Method,
    },
    signin::{issue, redirecting::ResponseMode},
    stepup::records::LIFE,
    storage::applications::{self, Application},
};

/// Reads a request and holds it against its client. The order of checks is that of RFC 6749 4.1.2.1: until client and redirect URI are
/// sure, nobody is sent anywhere.
pub async fn read(app: &App, text: &str, issuer: usize) -> Result<(Application, Asked), Fault> {
    let odd = Fault::Page("invalid_request: a parameter is too long, or holds U+0000");
    let parameters = Parameters::parse(text).ok_or(odd)?;
    if parameters.is_twice("client_id") || parameters.is_twice("redirect_uri") {
        return Err(Fault::Page("invalid_request: client_id or redirect_uri comes more than once"));
    }
    let id = parameters.get("client_id").ok_or(Fault::Page("invalid_request: client_id is missing"))?;
    let found = applications::find(&mut app.db.read().await?, &ApplicationId(id.to_owned())).await?;
    let application = found.ok_or(Fault::Page("invalid_client: there is no client with this client_id"))?;
    let redirect_uri = parameters.get("redirect_uri").ok_or(Fault::Page("invalid_request: redirect_uri is missing"))?;
    if !application.has_redirect_uri(redirect_uri) || !is_place(redirect_uri) {
        return Err(Fault::Page("invalid_request: redirect_uri is not one of those the client has registered"));
    }
    let mode = match parameters.get("response_mode") {
        Some("fragment") => ResponseMode::Fragment,
        _ => ResponseMode::Query,
    };
    let state = parameters.text("state").filter(|_| !parameters.is_twice("state"));
    let back = Back { issuer, redirect_uri: redirect_uri.to_owned(), response_mode: mode, state };
    let refuse = |(error, description)| Fault::Client { back: Box::new(back.clone()), error, description };
    check(&parameters, &application).map_err(refuse)?;
    let asked = asked(app, &parameters, &application, &back).map_err(refuse)?;
    Ok((application, asked))
}

/// Schemes that run or read something where they are opened lead nowhere, whatever is registered.
fn is_place(uri: &str) -> bool {
    const NEVER: [&str; 7] = ["javascript", "data", "vbscript", "file", "blob", "about", "view-source"];
    let scheme = uri.split_once(':').map_or("", |(scheme, _)| scheme);
    let is_clean = !uri.contains(|letter: char| letter.is_control() || letter.is_whitespace() || letter == '#');
    is_clean && !scheme.is_empty() && !NEVER.iter().any(|never| scheme.eq_ignore_ascii_case(never))
}

/// What the request says of itself.
fn check(parameters: &Parameters, application: &Application) -> Result<(), Refused> {
    if parameters.has_repeated() {
        return Err(("invalid_request", "a parameter comes more than once"));
    }
    if parameters.get("request").is_some() {
        return Err(("request_not_supported", "request objects are not supported"));
    }
    if parameters.get("request_uri").is_some() {
        return Err(("request_uri_not_supported", "pushed and referenced requests are not supported"));
    }
    match parameters.get("response_type") {
        Some("code") => {}
        Some(_) => return Err(("unsupported_response_type", "the only response_type is code")),
        None => return Err(("invalid_request", "response_type is missing")),
    }
    if !matches!(parameters.get("response_mode"), None | Some("query" | "fragment")) {
        return Err(("invalid_request", "response_mode is query or fragment"));
    }
    if !application.allows(GrantType::AuthorizationCode) {
        return Err(("unauthorized_client", "the client may not use the authorization code grant"));
    }
    let challenge = parameters.get("code_challenge");
    match (challenge, parameters.get("code_challenge_method")) {
        (None, None) if application.is_confidential() => {}
        (None, _) => return Err(("invalid_request", "code_challenge is missing (PKCE, RFC 7636)")),
        (Some(challenge), Some("S256")) if is_digest(challenge) => {}
        (Some(_), Some("S256")) => return Err(("invalid_request", "code_challenge is not a SHA-256 in base64url")),
        // Absent would mean `plain`, which protects from nobody who sees the request.
        (Some(_), _) => return Err(("invalid_request", "code_challenge_method must be S256")),
    }
    if parameters.get("dpop_jkt").is_some_and(|jkt| !is_digest(jkt)) {
        return Err(("invalid_request", "dpop_jkt is not the thumbprint of a key (RFC 9449 10)"));
    }
    Ok(())
}

fn is_digest(text: &str) -> bool {
    crate::web::cookies::is_secret(text)
}

fn asked(app: &App, parameters: &Parameters, application: &Application, back: &Back) -> Result<Asked, Refused> {
    let Back { issuer, redirect_uri, response_mode, state } = back.clone();
    let max_age = parameters.get("max_age").map(str::parse).transpose();
    let max_age = max_age.map_err(|_| ("invalid_request", "max_age is a number of seconds"))?;
    let offered = offered(app, application);
    let demand = demand(parameters, application, &offered, max_age)?;
    let (connections, is_connection_named) = connections(parameters, offered, demand.as_ref())?;
    let (prompt, is_create) = prompt(parameters.get("prompt"))?;
    let sends_link = match parameters.get("send") {
        None | Some("code") => false,
        Some("link") => true,
        Some(_) => return Err(("invalid_request", "send is code or link")),
    };
    // Silence consents to nothing: somebody signs in anew, however fresh an earlier sign-in is.
    let max_age = if demand.is_some() { Some(0) } else { max_age };
    Ok(Asked {
        issuer,
        redirect_uri,
        response_mode,
        state,
        nonce: parameters.text("nonce"),
        scope: issue::known_scopes(parameters.get("scope").unwrap_or_default()),
        audience: audience(app, parameters)?,
        code_challenge: parameters.text("code_challenge"),
        dpop_jkt: parameters.text("dpop_jkt"),
        connections,
        is_connection_named,
        login_hint: parameters.text("login_hint").filter(|hint| hint.len() <= 256),
        ui_locales: parameters.text("ui_locales"),
        prompt,
        max_age,
        demand,
        is_sign_up: is_create || parameters.get("screen_hint") == Some("signup"),
        sends_link,
        is_from_link: false,
    })
}

/// The same for a request that begins with a code or link that was sent (contract 1.6): the application's first redirect URI where none
/// is named; `None` where there is none, or no authorization code could be used.
pub fn read_sent(
    app: &App,
    application: &Application,
    connection: Connection,
    pairs: Vec<(String, String)>,
) -> Result<Option<Asked>, Refused> {
    let odd = ("invalid_request", "a parameter is too long, or holds U+0000");
    let parameters = Parameters::of(pairs).ok_or(odd)?;
    if !matches!(parameters.get("response_type"), None | Some("code")) {
        return Err(("unsupported_response_type", "the only response_type is code"));
    }
    let response_mode = match parameters.get("response_mode") {
        None | Some("query") => ResponseMode::Query,
        Some("fragment") => ResponseMode::Fragment,
        Some(_) => return Err(("invalid_request", "response_mode is query or fragment")),
    };
    let redirect_uri = match parameters.get("redirect_uri") {
        Some(uri) if application.has_redirect_uri(uri) && is_place(uri) => Some(uri),
        Some(_) => return Err(("invalid_request", "redirect_uri is not one of those the client has registered")),
        None => application.first_redirect_uri().filter(|uri| is_place(uri)),
    };
    let audience = audience(app, &parameters)?;
    let redirect_uri = redirect_uri.filter(|_| application.allows(GrantType::AuthorizationCode));
    Ok(redirect_uri.map(|redirect_uri| Asked {
        redirect_uri: redirect_uri.to_owned(),
        response_mode,
        state: parameters.text("state"),
        nonce: parameters.text("nonce"),
        scope: issue::known_scopes(parameters.get("scope").unwrap_or_default()),
        audience,
        connections: vec![connection],
        is_connection_named: true,
        is_from_link: true,
        ..Asked::default()
    }))
}

/// What a step-up is to prove, if one is asked for (OpenID Connect Core 3.1.2.1, RFC 9470 4), held against what can be proved here.
fn demand(
    parameters: &Parameters,
    application: &Application,
    offered: &[Connection],
    max_age: Option<u64>,
) -> Result<Option<Demand>, Refused> {
    let unmet = (UNMET, "nothing in acr_values can be proved on these pages");
    let acr_values = parameters.get("acr_values").unwrap_or_default();
    let Some(demand) = Demand::parse(acr_values, max_age, LIFE) else { return Ok(None) };
    if application.is_third_party {
        // A third party makes no records (contract `logto.md` 1.9), and so no step-up: its sign-in is a sign-in.
        return if demand.takes_any() { Ok(None) } else { Err(unmet) };
    }
    let codes = offered.iter().map(|connection| connection.method());
    let provable: Vec<Method> = codes.chain([Method::Password]).collect();
    demand.within(&provable).map(Some).ok_or(unmet)
}

/// The ways in the client and the configuration allow, the client's first one first.
fn offered(app: &App, application: &Application) -> Vec<Connection> {
    let offered = application.client_settings.connections().iter().copied();
    offered.filter(|connection| app.config.sign_in.of(*connection).enabled).collect()
}

/// The one of them that was named, or all; those in front that count for what is demanded.
fn connections(
    parameters: &Parameters,
    mut offered: Vec<Connection>,
    demand: Option<&Demand>,
) -> Result<(Vec<Connection>, bool), Refused> {
    let named = parameters.get("connection");
    if let Some(named) = named {
        offered.retain(|connection| connection.name() == named);
    }
    if offered.is_empty() {
        return Err(("invalid_request", "the connection does not exist, or is not enabled for the client"));
    }
    if let Some(demand) = demand {
        offered.sort_by_key(|connection| demand.rank(connection.method()));
    }
    Ok((offered, named.is_some()))
}

/// What is to be asked, and whether an account is to be made. Consent is asked of nobody.
fn prompt(text: Option<&str>) -> Result<(Prompt, bool), Refused> {
    let words: Vec<&str> = text.unwrap_or_default().split_ascii_whitespace().collect();
    if words.contains(&"none") && words.len() > 1 {
        return Err(("invalid_request", "prompt=none goes with no other prompt"));
    }
    let has = |word| words.contains(&word);
    let prompt = match () {
        () if has("none") => Prompt::Silent,
        () if has("login") || has("create") => Prompt::Login,
        () if has("select_account") => Prompt::SelectAccount,
        () => Prompt::Unsaid,
    };
    Ok((prompt, has("create")))
}

/// The API the access token is to be for, by either name (RFC 8707); ours is in every token.
fn audience(app: &App, parameters: &Parameters) -> Result<Option<String>, Refused> {
    let asked = parameters.get("resource").or_else(|| parameters.get("audience"));
    let audience = issue::audience(app, asked).ok_or(("invalid_target", "there is no such audience"))?;
    Ok(audience.map(str::to_owned))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_read() {
        assert_eq!(prompt(None).unwrap(), (Prompt::Unsaid, false));
        assert_eq!(prompt(Some("consent")).unwrap(), (Prompt::Unsaid, false));
        assert_eq!(prompt(Some("select_account login")).unwrap(), (Prompt::Login, false));
        assert_eq!(prompt(Some("create")).unwrap(), (Prompt::Login, true));
        assert_eq!(prompt(Some("none")).unwrap(), (Prompt::Silent, false));
        prompt(Some("none login")).unwrap_err();
    }

    #[test]
    fn what_runs_where_it_is_opened_is_no_place_to_go() {
        for uri in ["https://a.example/cb", "http://127.0.0.1:9/cb?x=1", "com.example.app:/cb"] {
            assert!(is_place(uri), "{uri}");
        }
        for uri in ["javascript:alert(1)", "DATA:text/html,x", "https://a.example/#x", "https://a.example/ x", "cb", ""]
        {
            assert!(!is_place(uri), "{uri}");
        }
    }
}
