//! Signing in by code or link, as applications see it.

mod grant;
mod held;
mod limits;
mod links;
mod oracle;
mod other;
mod races;
mod start;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::domain::message::Message;
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use crate::harness::{Answer, TestApp};

pub const OTP: &str = "http://auth0.com/oauth/grant-type/passwordless/otp";
pub const BACK: &str = "https://shop.example.com/back";

/// An application people sign in to.
pub struct Shop<'a> {
    pub app: &'a TestApp,
    pub id: String,
    pub secret: Option<String>,
}

impl<'a> Shop<'a> {
    pub async fn new(app: &'a TestApp, kind: &str, more: Value) -> Shop<'a> {
        let body = json!({
            "name": "Shop", "type": kind, "customClientMetadata": more,
            "oidcClientMetadata": { "redirectUris": [BACK], "postLogoutRedirectUris": [] },
        });
        let made = app.manager().await.post("/api/applications", body).await.expect("200").json();
        let text = |name: &str| made[name].as_str().map(str::to_owned);
        Shop { app, id: text("id").unwrap(), secret: text("secret") }
    }

    pub async fn public(app: &'a TestApp) -> Shop<'a> {
        Self::new(app, "SPA", json!({})).await
    }

    pub fn on<'b>(&self, app: &'b TestApp) -> Shop<'b> {
        Shop { app, id: self.id.clone(), secret: self.secret.clone() }
    }

    /// With the application's credentials in the body.
    pub fn request(&self, path: &str, mut body: Value) -> RequestBuilder {
        body["client_id"] = json!(self.id);
        if let Some(secret) = &self.secret {
            body["client_secret"] = json!(secret);
        }
        self.app.http.post(self.app.url(path)).json(&body)
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(path, body)).await
    }

    pub async fn start(&self, email: &str) -> Answer {
        self.post("/passwordless/start", json!({ "connection": "email", "email": email, "send": "code" })).await
    }

    pub fn grant(&self, username: &str, code: &str) -> RequestBuilder {
        let realm = if username.contains('@') { "email" } else { "sms" };
        let scope = "openid profile email phone offline_access";
        let body = json!({ "grant_type": OTP, "username": username, "otp": code, "realm": realm, "scope": scope });
        self.request("/oauth/token", body)
    }

    pub async fn redeem(&self, username: &str, code: &str) -> Answer {
        Answer::of(self.grant(username, code)).await
    }

    /// The code that goes to a new address.
    pub async fn code(&self, email: &str) -> String {
        self.start(email).await.expect("200");
        code_of(&self.app.wait_for_message(|message| message.to == email).await)
    }
}

pub fn code_of(message: &Message) -> String {
    message.payload.code.clone().unwrap()
}

/// A code that is not this one.
pub fn other_than(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

/// `403 invalid_grant: Wrong ...`
pub fn told(answer: &Answer) -> String {
    let body = answer.json();
    let text = |name: &str| body[name].as_str().unwrap_or("-").to_owned();
    format!("{} {}: {}", answer.status, text("error"), text("error_description"))
}

pub const WRONG: &str = "403 invalid_grant: Wrong email or verification code.";
pub const EXPIRED: &str = "403 invalid_grant: The verification code has expired. Please try to login again.";
pub const EXHAUSTED: &str =
    "403 invalid_grant: You've reached the maximum number of attempts. Please try to login again.";

/// The claims of a token, its signature unseen.
pub fn claims(token: &Value) -> Value {
    let payload = token.as_str().unwrap().split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(payload).unwrap()).unwrap()
}

/// Waits until so many messages went to an address; the newest comes first.
pub async fn messages_to(app: &TestApp, to: &str, count: usize) -> Vec<Message> {
    for _ in 0..500 {
        let found: Vec<_> = app.mailbox.messages().into_iter().filter(|message| message.to == to).collect();
        if found.len() >= count {
            return found;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    panic!("{count} messages to {to} did not come");
}

/// A path with these parameters.
pub fn with_query(path: &str, fields: &[(&str, &str)]) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
    format!("{path}?{query}")
}
