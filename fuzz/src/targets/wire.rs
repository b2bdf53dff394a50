//! Headers, queries and bodies, one at a time.

use std::net::IpAddr;

use actix_web::{
    FromRequest, HttpRequest,
    dev::Payload,
    http::{
        Uri,
        header::{HeaderName, HeaderValue},
    },
    test::TestRequest,
};
use countersign::{
    crypto::dpop::Proof,
    domain::settings::{AccountCenter, SignInExperience},
    error::Error,
    management::{applications::NewApplication, users::NewUser},
    methods::{
        code::{SendBody, VerifyBody},
        password::PasswordBody,
    },
    operations::profile::Profile,
    signin::clients::{Credentials, Shown},
    web::{
        caller::bearer,
        client::{Languages, behind_proxies},
        dpop,
        json::{self, Kind},
        query::{Page, parameter},
    },
};
use serde::de::DeserializeOwned;
use utoipa::ToSchema;

use super::choice;

/// Nobody but a trusted proxy is believed, and no address comes from nowhere.
pub fn forwarded(data: &[u8]) {
    let (peer, data) = choice(data);
    let peer: IpAddr =
        ["203.0.113.9", "10.0.0.1", "::ffff:10.0.0.1", "fd00::1", "2001:db8::1"][peer % 5].parse().unwrap();
    let trusted = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
    let lines = data.split(|byte| *byte == b'\n');
    let client = behind_proxies(peer, lines, &trusted);
    assert_eq!(client, client.to_canonical());
    let is_trusted = trusted.iter().any(|net: &ipnet::IpNet| net.contains(&peer.to_canonical()));
    assert!(is_trusted || client == peer.to_canonical(), "a stranger is believed");
    if client != peer.to_canonical() {
        let text = String::from_utf8_lossy(data).to_ascii_lowercase();
        let digits: String = client.to_string().chars().take_while(char::is_ascii_alphanumeric).collect();
        assert!(text.contains(&digits) || text.contains(':'), "{client} stands nowhere in {text:?}");
    }
}

fn refused<T>(outcome: Result<T, Error>) -> Option<T> {
    match outcome {
        Ok(value) => Some(value),
        Err(Error::Refused(refusal)) => {
            assert!((400..500).contains(&refusal.code.status()), "{refusal}");
            None
        }
        Err(Error::Failed(error)) => panic!("outside input is our failure: {error:#}"),
    }
}

fn extract<T: FromRequest<Error = Error, Future = std::future::Ready<Result<T, Error>>>>(
    request: &HttpRequest,
) -> Option<T> {
    refused(T::from_request(request, &mut Payload::None).into_inner())
}

/// The first line is the query, each other line the value of a header in turn.
pub fn headers(data: &[u8]) {
    const NAMES: [&str; 5] = ["authorization", "accept-language", "cookie", "content-type", "verification-id"];
    let mut lines = data.split(|byte| *byte == b'\n');
    let query = String::from_utf8_lossy(lines.next().unwrap_or_default()).into_owned();
    let uri = format!("/x?{query}").parse::<Uri>().unwrap_or_default();
    let mut request = TestRequest::default().uri(&uri.to_string());
    for (name, value) in NAMES.iter().zip(lines) {
        if let Ok(value) = HeaderValue::from_bytes(value) {
            request = request.insert_header((HeaderName::from_static(name), value));
        }
    }
    let request = request.to_http_request();
    if let Some(languages) = extract::<Languages>(&request) {
        assert!(languages.ui_locales.is_none_or(|text| text.len() <= 1024));
    }
    if let Some(page) = extract::<Page>(&request) {
        assert!((1..=100).contains(&page.limit()) && page.offset() >= 0);
    }
    for name in ["search", "type", "userId"] {
        if let Some(Some(value)) = refused(parameter(&request, name, 64)) {
            assert!(value.chars().count() <= 64 && !value.contains('\0'));
        }
    }
    let _ = refused(bearer(request.headers()).map(str::len));
    let shown = Shown {
        id: Some("id".to_owned()),
        secret: None,
        assertion: choice(data).0.is_multiple_of(2).then(|| query.clone().into()),
        assertion_type: Some("urn:ietf:params:oauth:client-assertion-type:jwt-bearer".to_owned()),
    };
    let _ = Credentials::of(request.headers(), shown);
    let _ = Proof::read(&query);
    if let Ok(value) = HeaderValue::from_str(&query) {
        assert!(dpop::token(&value).is_none_or(|token| query.ends_with(token)));
    }
    let _ = json::kind(&request);
}

fn body<T: DeserializeOwned + ToSchema>(bytes: &[u8], kind: Kind) {
    let _ = refused(json::parse::<T>(bytes, kind));
}

/// A body fits or is refused in words, in all the shapes there are.
pub fn bodies(data: &[u8]) {
    let (number, data) = choice(data);
    let kind = if number >= 128 { Kind::Form } else { Kind::Json };
    match number % 8 {
        0 => body::<PasswordBody>(data, kind),
        1 => body::<SendBody>(data, kind),
        2 => body::<VerifyBody>(data, kind),
        3 => body::<NewUser>(data, kind),
        4 => body::<NewApplication>(data, kind),
        5 => body::<Profile>(data, kind),
        6 => body::<SignInExperience>(data, kind),
        _ => body::<AccountCenter>(data, kind),
    }
}
