//! Who speaks to the server: users and services.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign::{
    domain::id::{ApplicationId, UserId},
    signin::issue,
    storage::users,
};
use reqwest::{
    Method, RequestBuilder,
    header::{HeaderMap, HeaderName},
};
use serde_json::{Value, json};

use super::TestApp;

/// An answer, read to its end.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: HeaderMap,
    pub text: String,
}

impl Answer {
    pub async fn of(request: RequestBuilder) -> Self {
        let response = request.send().await.expect("the server answers");
        let (status, headers) = (response.status().as_u16(), response.headers().clone());
        Self { status, headers, text: response.text().await.unwrap() }
    }

    pub fn json(&self) -> Value {
        serde_json::from_str(&self.text).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(|value| value.to_str().unwrap())
    }

    /// `422 session.invalid_credentials`, or only the status when there is no body.
    pub fn gist(&self) -> String {
        let code = serde_json::from_str::<Value>(&self.text).ok();
        let code = code.and_then(|body| body["code"].as_str().map(str::to_owned));
        code.map_or_else(|| self.status.to_string(), |code| format!("{} {code}", self.status))
    }

    #[track_caller]
    pub fn expect(self, gist: &str) -> Self {
        assert_eq!(self.gist(), gist, "{}", self.text);
        self
    }

    /// The id of the record that was created.
    #[track_caller]
    pub fn record(&self) -> String {
        let id = self.json()["verificationRecordId"].as_str().map(str::to_owned);
        id.unwrap_or_else(|| panic!("no record: {self:?}"))
    }
}

/// A signed-in user.
pub struct User<'a> {
    pub app: &'a TestApp,
    pub id: UserId,
    pub token: String,
    pub username: String,
    pub email: String,
    pub phone: String,
    pub password: String,
}

impl<'a> User<'a> {
    pub async fn create(app: &'a TestApp, scopes: &[&str]) -> Self {
        static COUNT: AtomicU32 = AtomicU32::new(1);
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let id = UserId::random(&*app.app().random);
        let (username, email) = (format!("user_{number}"), format!("User{number}@Example.com"));
        let (phone, password) = (format!("1555{number:07}"), format!("horse-battery-{number}"));
        let digest = app.app().hasher.hash(password.clone().into()).await.unwrap();
        let mut session = app.write().await;
        let now = app.now();
        users::add(&mut session, &id, Some(&app.application), now).await.unwrap();
        users::set_username(&mut session, &id, Some(&username), Some(&username), now).await.unwrap();
        let key = email.to_lowercase();
        users::set_email(&mut session, &id, Some(&email), Some(&key), now).await.unwrap();
        users::set_phone(&mut session, &id, Some(&phone), now).await.unwrap();
        users::set_password(&mut session, &id, &digest, "Argon2id", now).await.unwrap();
        session.commit().await.unwrap();
        let mut user = Self { app, id, token: String::new(), username, email, phone, password };
        user.token = user.new_token(&app.application, scopes).await;
        user
    }

    /// A token of another session.
    pub async fn new_token(&self, application: &ApplicationId, scopes: &[&str]) -> String {
        let app = self.app.app();
        let mut session = self.app.write().await;
        let [_, issuer] = &app.urls.issuers;
        let token =
            issue::user_token(app, &mut session, &self.id, application, &scopes.join(" "), issuer).await.unwrap();
        session.commit().await.unwrap();
        token
    }

    /// The same user speaking to another node, or with another token.
    pub fn with_token(&self, token: String) -> Self {
        Self { token, ..self.on(self.app) }
    }

    pub fn on<'b>(&self, app: &'b TestApp) -> User<'b> {
        User {
            app,
            id: self.id.clone(),
            token: self.token.clone(),
            username: self.username.clone(),
            email: self.email.clone(),
            phone: self.phone.clone(),
            password: self.password.clone(),
        }
    }

    pub fn request(&self, method: Method, path: &str) -> RequestBuilder {
        self.app.http.request(method, self.app.url(path)).bearer_auth(&self.token)
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request(Method::GET, path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::POST, path).json(&body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request(Method::PATCH, path).json(&body)).await
    }

    /// With a verification id.
    pub async fn call(&self, method: &str, path: &str, record: &str, body: Value) -> Answer {
        self.call_with(method, path, &[("verification-id", record)], body).await
    }

    pub async fn call_with(&self, method: &str, path: &str, headers: &[(&str, &str)], body: Value) -> Answer {
        let mut request = self.request(method.parse().unwrap(), path);
        for (name, value) in headers {
            request = request.header(name.parse::<HeaderName>().unwrap(), *value);
        }
        if method != "DELETE" {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    pub async fn try_password(&self, password: &str) -> Answer {
        self.post("/api/verifications/password/verify", json!({ "password": password })).await
    }

    /// The id of a fresh record by password.
    pub async fn verify_password(&self) -> String {
        self.try_password(&self.password).await.expect("201").record()
    }

    pub async fn send_code(&self, kind: &str, to: &str) -> Answer {
        let body = json!({ "identifier": { "type": kind, "value": to } });
        self.post("/api/verifications/verification-code", body).await
    }

    pub async fn try_code(&self, kind: &str, to: &str, record: &str, code: &str) -> Answer {
        let body = json!({ "identifier": { "type": kind, "value": to }, "verificationId": record, "code": code });
        self.post("/api/verifications/verification-code/verify", body).await
    }

    /// The id of a fresh record by code to `to`.
    pub async fn verify_code(&self, kind: &str, to: &str) -> String {
        let record = self.send_code(kind, to).await.expect("201").record();
        self.try_code(kind, to, &record, &self.app.code_for(to)).await.expect("200").record()
    }

    /// An address nobody has.
    pub fn new_email(&self) -> String {
        format!("new-{}@example.org", self.id)
    }

    /// A number nobody has.
    pub fn new_phone(&self) -> String {
        format!("4479{}", &self.phone[self.phone.len() - 8..])
    }
}

/// A back end with a management token.
pub struct Service<'a> {
    pub app: &'a TestApp,
    pub token: String,
}

impl<'a> Service<'a> {
    pub async fn sign_in(app: &'a TestApp) -> Self {
        let form =
            [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api"), ("scope", "all")];
        let request = app.http.post(app.url("/oidc/token")).form(&form);
        let request = request.basic_auth(&app.application, Some(&app.management_secret));
        let answer = Answer::of(request).await.expect("200");
        Self { app, token: answer.json()["access_token"].as_str().unwrap().to_owned() }
    }

    pub async fn call(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let mut request = self.app.http.request(method, self.app.url(path)).bearer_auth(&self.token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, Some(body)).await
    }

    pub async fn patch(&self, path: &str, body: Value) -> Answer {
        self.call(Method::PATCH, path, Some(body)).await
    }

    pub async fn delete(&self, path: &str) -> Answer {
        self.call(Method::DELETE, path, None).await
    }
}
