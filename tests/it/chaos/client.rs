//! Speaks to the program as a back end and its users do.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::{Value, json};

use crate::{
    harness::Answer,
    program::{Place, Service},
};

/// An application of the program's, and HTTP.
pub struct Office {
    pub http: Client,
    secret: String,
}

/// What the application is called.
pub const OFFICE: &str = "office";

/// An operation that it redeems, as a section of the configuration.
pub const PAYMENTS: &str = "[[operations]]\nname = \"bank.pay\"\nmethods = [[\"password\"]]\nbind = \"payload\"\n\
                            message = { en = \"Pay {amount}\" }\nredeemers = [\"office\"]\n";

/// A consent to a payment.
#[derive(Clone, Debug)]
pub struct Consent {
    pub user: String,
    pub record: String,
    pub payload: Value,
}

/// No answer, or one that the service could not give: what came of it is not known.
#[derive(Debug)]
pub struct Lost;

/// An answer, unless the service was not there to give one.
pub async fn answer(request: RequestBuilder) -> Result<Answer, Lost> {
    let response = request.send().await.map_err(|_| Lost)?;
    let (status, headers) = (response.status().as_u16(), response.headers().clone());
    let text = response.text().await.map_err(|_| Lost)?;
    if status == 503 { Err(Lost) } else { Ok(Answer { status, headers, text }) }
}

impl Office {
    /// Registers the application.
    pub fn open(place: &Place) -> Self {
        let create = "applications create --config countersign.toml --id office --name x --type machine-to-machine --management --json";
        let application = place.run(&create.split(' ').collect::<Vec<_>>()).succeeds().json();
        // A connection each: one that a killed process left behind is not taken for a lost answer of the next.
        let http = Client::builder().timeout(Duration::from_secs(10)).pool_max_idle_per_host(0).build().unwrap();
        Self { http, secret: application["secret"].as_str().unwrap().to_owned() }
    }

    async fn token(&self, service: &Service, form: &[(&str, &str)]) -> Result<Answer, Lost> {
        let request = self.http.post(format!("{}/oidc/token", service.url)).basic_auth(OFFICE, Some(&self.secret));
        answer(request.form(form)).await
    }

    /// Redeems a consent under an idempotency key.
    pub async fn redeem(&self, service: &Service, consent: &Consent, key: &str) -> Result<Answer, Lost> {
        let url = format!("{}/api/verifications/{}/redeem", service.url, consent.record);
        let body = json!({ "operation": "bank.pay", "payload": consent.payload, "subject": consent.user });
        let request = self.http.post(url).basic_auth(OFFICE, Some(&self.secret));
        answer(request.header("idempotency-key", key).json(&body)).await
    }

    /// A user who consents to a payment with the password.
    pub async fn consent(
        &self,
        service: &Service,
        token: &str,
        user: &str,
        payload: Value,
        password: &str,
    ) -> Result<Consent, Lost> {
        let post = |path: &str| self.http.post(format!("{}{path}", service.url)).bearer_auth(token);
        let body = json!({ "operation": "bank.pay", "payload": payload });
        let record = answer(post("/api/verifications").json(&body)).await?.expect("201").record();
        let body = json!({ "password": password, "verificationRecordId": record });
        answer(post("/api/verifications/password/verify").json(&body)).await?.expect("201");
        Ok(Consent { user: user.to_owned(), record, payload })
    }

    /// A management token.
    pub async fn sign_in(&self, service: &Service) -> Result<String, Lost> {
        let form =
            [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api"), ("scope", "all")];
        let answer = self.token(service, &form).await?.expect("200");
        Ok(answer.json()["access_token"].as_str().unwrap().to_owned())
    }

    pub async fn call(
        &self,
        service: &Service,
        token: &str,
        method: Method,
        path: &str,
        body: Value,
    ) -> Result<Answer, Lost> {
        let request = self.http.request(method, format!("{}{path}", service.url)).bearer_auth(token);
        answer(request.json(&body)).await
    }

    /// The id of a new user.
    pub async fn create_user(&self, service: &Service, manager: &str, body: Value) -> Result<String, Lost> {
        let answer = self.call(service, manager, Method::POST, "/api/users", body).await?.expect("200");
        Ok(answer.json()["id"].as_str().unwrap().to_owned())
    }

    /// A ticket for a token.
    pub async fn ticket(&self, service: &Service, manager: &str, user: &str) -> Result<String, Lost> {
        let body = json!({ "userId": user });
        let answer = self.call(service, manager, Method::POST, "/api/subject-tokens", body).await?.expect("201");
        Ok(answer.json()["subjectToken"].as_str().unwrap().to_owned())
    }

    /// Uses a ticket.
    pub async fn exchange(&self, service: &Service, ticket: &str) -> Result<Answer, Lost> {
        let form = [
            ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
            ("subject_token", ticket),
            ("subject_token_type", "urn:logto:token-type:impersonation_token"),
            ("scope", "openid profile email"),
        ];
        self.token(service, &form).await
    }

    /// A user's token.
    pub async fn user_token(&self, service: &Service, manager: &str, user: &str) -> Result<String, Lost> {
        let ticket = self.ticket(service, manager, user).await?;
        let answer = self.exchange(service, &ticket).await?.expect("200");
        Ok(answer.json()["access_token"].as_str().unwrap().to_owned())
    }
}
