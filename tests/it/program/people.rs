//! Users of a running service, made through its management API as a back end would.

use reqwest::Client;
use serde_json::{Value, json};

/// A back end with a management token.
pub(super) struct Office<'a> {
    http: &'a Client,
    url: String,
    application: Value,
    token: String,
}

impl<'a> Office<'a> {
    /// Signs in with what `applications create --management --json` printed.
    pub(super) async fn open(http: &'a Client, url: &str, application: &Value) -> Self {
        let mut office = Self { http, url: url.to_owned(), application: application.clone(), token: String::new() };
        let resource = "http://localhost:3000/api";
        let form = [("grant_type", "client_credentials"), ("resource", resource), ("scope", "all")];
        office.token = office.ask(&form).await;
        office
    }

    /// Makes a user; gives their token.
    pub(super) async fn user(&self, user: Value, scope: &str) -> String {
        let user = self.post("/api/users", user).await;
        let subject = self.post("/api/subject-tokens", json!({ "userId": user["id"] })).await;
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", subject["subjectToken"].as_str().unwrap()),
            ("subject_token_type", "urn:logto:token-type:impersonation_token"),
            ("scope", scope),
        ];
        self.ask(&form).await
    }

    async fn ask(&self, form: &[(&str, &str)]) -> String {
        let (id, secret) = (self.application["id"].as_str().unwrap(), self.application["secret"].as_str());
        let request = self.http.post(format!("{}/oidc/token", self.url)).basic_auth(id, secret).form(form);
        let answer: Value = request.send().await.unwrap().json().await.unwrap();
        answer["access_token"].as_str().unwrap_or_else(|| panic!("{answer}")).to_owned()
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        let request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        request.send().await.unwrap().json().await.unwrap()
    }
}
