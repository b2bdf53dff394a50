//! A back end with operations of its own.

use countersign::config::{Config, operations::OperationConfig};
use reqwest::Method;
use serde_json::{Value, json};

use super::{Answer, TestApp, User};

/// Operations of a bank, for [`TestApp::start_with`]: `bank.pay` is bound to a payload and good once, `bank.view` neither.
pub fn with_operations(config: &mut Config) {
    let operations = json!([
        { "name": "bank.pay", "methods": [["password", "phone_code"], ["password", "email_code"]], "bind": "payload",
          "message": { "en": "Pay {amount} {currency} to {payee.name}", "ja": "{payee.name} に {amount} {currency} を支払う" },
          "redeemers": ["bank-api", "bank-batch"] },
        { "name": "bank.view", "methods": [["password"], ["email_code"]], "max_age": "5m", "use": "until_expiry", "redeemers": ["bank-api"] },
        { "name": "bank.close", "methods": [["password"]], "redeemers": ["bank-api"] },
        { "name": "clinic.prescribe", "methods": [["password"]], "bind": "payload", "message": { "en": "Prescribe {drug}" },
          "redeemers": ["clinic-api"] },
        { "name": "account.email.delete", "methods": [["password", "phone_code"]], "max_age": "2m", "use": "once" },
    ]);
    let operations: Vec<OperationConfig> = serde_json::from_value(operations).unwrap();
    config.operations = operations;
}

/// A relying service with its own credentials.
pub struct Redeemer<'a> {
    pub app: &'a TestApp,
    pub id: String,
    pub secret: String,
}

impl Redeemer<'_> {
    /// The same service speaking to another node.
    pub fn on<'b>(&self, app: &'b TestApp) -> Redeemer<'b> {
        Redeemer { app, id: self.id.clone(), secret: self.secret.clone() }
    }

    pub async fn call(&self, method: Method, path: &str, headers: &[(&str, &str)], body: Option<Value>) -> Answer {
        let mut request = self.app.http.request(method, self.app.url(path)).basic_auth(&self.id, Some(&self.secret));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        if let Some(body) = body {
            request = request.json(&body);
        }
        Answer::of(request).await
    }

    pub async fn get(&self, path: &str) -> Answer {
        self.call(Method::GET, path, &[], None).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        self.call(Method::POST, path, &[], Some(body)).await
    }

    pub async fn redeem(&self, record: &str, operation: &str, payload: Value, subject: &User<'_>) -> Answer {
        self.redeem_with(record, operation, payload, subject, None).await
    }

    pub async fn redeem_with(
        &self,
        record: &str,
        operation: &str,
        payload: Value,
        subject: &User<'_>,
        key: Option<&str>,
    ) -> Answer {
        let mut body = json!({ "operation": operation, "subject": subject.id.0 });
        if !payload.is_null() {
            body["payload"] = payload;
        }
        let headers: Vec<(&str, &str)> = key.map(|key| ("Idempotency-Key", key)).into_iter().collect();
        self.call(Method::POST, &format!("/api/verifications/{record}/redeem"), &headers, Some(body)).await
    }
}

impl User<'_> {
    /// Opens a record for an operation.
    pub async fn open(&self, operation: &str, payload: Value) -> Answer {
        let mut body = json!({ "operation": operation });
        if !payload.is_null() {
            body["payload"] = payload;
        }
        self.post("/api/verifications", body).await
    }

    /// Proves the password to an opened record.
    pub async fn add_password(&self, record: &str) -> Answer {
        let body = json!({ "password": self.password, "verificationRecordId": record });
        self.post("/api/verifications/password/verify", body).await
    }

    /// Has a code sent to an own address, for an opened record.
    pub async fn send_code_for(&self, record: &str, kind: &str) -> Answer {
        let to = if kind == "email" { &self.email } else { &self.phone };
        let body = json!({ "identifier": { "type": kind, "value": to }, "verificationRecordId": record });
        self.post("/api/verifications/verification-code", body).await
    }

    /// Proves an own address to an opened record.
    pub async fn add_code(&self, record: &str, kind: &str) -> Answer {
        let to = if kind == "email" { &self.email } else { &self.phone };
        self.send_code_for(record, kind).await.expect("201");
        self.try_code(kind, to, record, &self.app.code_for(to)).await
    }

    /// A record that satisfies `bank.pay` for that payload.
    pub async fn consent(&self, payload: Value) -> String {
        let record = self.open("bank.pay", payload).await.expect("201").record();
        self.add_password(&record).await.expect("201");
        self.add_code(&record, "phone").await.expect("200");
        record
    }
}
