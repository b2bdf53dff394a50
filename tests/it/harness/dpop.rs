//! Keys that clients prove to hold (RFC 9449), and requests under tokens that are bound to them.

use std::sync::atomic::{AtomicU32, Ordering};

use countersign::{
    crypto::{
        dpop::token_hash,
        signing::{SigningAlgorithm, SigningKey},
    },
    domain::id::ApplicationId,
    signin::issue,
};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::{Answer, START, TestApp, User};

/// A client's key.
pub struct ClientKey(pub SigningKey);

impl ClientKey {
    pub fn new() -> Self {
        Self(SigningKey::generate(SigningAlgorithm::Es256, START).unwrap())
    }

    /// Its thumbprint: that is what keys of ours have for a `kid`.
    pub fn jkt(&self) -> &str {
        self.0.kid()
    }

    pub fn jwk(&self) -> Value {
        let mut jwk = self.0.jwk().clone();
        jwk.as_object_mut().unwrap().retain(|name, _| ["kty", "crv", "x", "y"].contains(&name.as_str()));
        jwk
    }

    /// A proof for this request, with these claims beside or instead of the plain ones; null takes one away.
    pub fn proof(&self, app: &TestApp, method: &str, path: &str, claims: &Value) -> String {
        self.odd_proof(app, method, path, &json!({}), claims)
    }

    /// The same with another header.
    pub fn odd_proof(&self, app: &TestApp, method: &str, path: &str, header: &Value, claims: &Value) -> String {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let mut whole = json!({ "typ": "dpop+jwt", "alg": "ES256", "jwk": self.jwk() });
        merge(&mut whole, header);
        let mut said = json!({
            "jti": format!("proof {}", COUNT.fetch_add(1, Ordering::Relaxed)),
            "htm": method,
            "htu": format!("{}{path}", app.app().urls.root),
            "iat": app.now().seconds(),
        });
        merge(&mut said, claims);
        self.0.sign_under(&whole, &said).unwrap()
    }
}

/// Puts `changes` into `members`; null takes one away.
pub fn merge(members: &mut Value, changes: &Value) {
    let members = members.as_object_mut().unwrap();
    members.extend(changes.as_object().unwrap().clone());
    members.retain(|_, value| !value.is_null());
}

/// A user whose token is bound to a key.
pub struct Bound<'a> {
    pub app: &'a TestApp,
    pub key: ClientKey,
    pub token: String,
}

impl<'a> Bound<'a> {
    /// With a token of the application the tests have anyway, which needs no nonce.
    pub async fn new(user: &'a User<'a>) -> Self {
        Self::of(user, &user.app.application).await
    }

    pub async fn of(user: &'a User<'a>, application: &ApplicationId) -> Self {
        let (key, app) = (ClientKey::new(), user.app.app());
        let mut session = user.app.write().await;
        let scope = "openid profile email phone";
        let [issuer, _] = &app.urls.issuers;
        let token =
            issue::bound_user_token(app, &mut session, &user.id, application, scope, issuer, Some(key.jkt())).await;
        session.commit().await.unwrap();
        Self { app: user.app, key, token: token.unwrap() }
    }

    /// A proof for the token and this request.
    pub fn proof(&self, method: &str, path: &str, claims: &Value) -> String {
        let mut said = json!({ "ath": token_hash(&self.token) });
        said.as_object_mut().unwrap().extend(claims.as_object().unwrap().clone());
        self.key.proof(self.app, method, path, &said)
    }

    /// Under the scheme of DPoP, without a proof.
    pub fn bare(&self, method: &str, path: &str) -> RequestBuilder {
        let request = self.app.http.request(method.parse().unwrap(), self.app.url(path));
        request.header("authorization", format!("DPoP {}", self.token))
    }

    pub fn request(&self, method: &str, path: &str) -> RequestBuilder {
        self.bare(method, path).header("dpop", self.proof(method, path, &json!({})))
    }

    pub async fn get(&self, path: &str) -> Answer {
        Answer::of(self.request("GET", path)).await
    }

    pub async fn post(&self, path: &str, body: Value) -> Answer {
        Answer::of(self.request("POST", path).json(&body)).await
    }

    /// With a verification id.
    pub async fn call(&self, method: &str, path: &str, record: &str, body: Value) -> Answer {
        Answer::of(self.request(method, path).header("verification-id", record).json(&body)).await
    }
}
