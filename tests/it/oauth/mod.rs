//! Tokens of people, as applications get them, use them and give them up. Authorization codes are made as the hosted pages make them.

mod bound;
mod code;
mod discovery;
mod logout;
mod refresh;
mod revocation;
mod userinfo;

use std::net::IpAddr;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    crypto::digest::digest,
    domain::{
        application::Connection,
        id::{ApplicationId, SessionId, UserId},
    },
    signin::{
        entering::{self, Entry, proof_of},
        redirecting,
    },
    storage::{
        applications::{self, Application},
        authorization_codes::AuthorizationCode,
        sessions,
    },
    web::client::Client,
};
use secrecy::ExposeSecret;
use serde_json::{Map, Value, json};

use crate::harness::{Answer, TestApp};

/// RFC 7636 appendix B.
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";
pub const CALLBACK: &str = "https://app.example.com/callback";
pub const GOODBYE: &str = "https://app.example.com/goodbye";
pub const SECRET: &str = "the-secret-of-an-application-of-people";
pub const EVERYTHING: &str = "openid offline_access profile email phone";

/// What a JWT says, believed as it is.
pub fn claims(token: &str) -> Value {
    part(token, 1)
}

pub fn part(token: &str, number: usize) -> Value {
    let part = token.split('.').nth(number).unwrap_or_else(|| panic!("no JWT: {token}"));
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

pub fn text(answer: &Value, member: &str) -> String {
    answer[member].as_str().unwrap_or_else(|| panic!("no {member}: {answer}")).to_owned()
}

/// An application that people use, and one of them.
#[derive(Clone)]
pub struct Flow<'a> {
    pub app: &'a TestApp,
    pub client: ApplicationId,
    pub is_confidential: bool,
    pub user: UserId,
    pub token_path: &'static str,
}

/// A sign-in that has come back to the application, which has not redeemed its code yet.
pub struct Arrival {
    pub code: String,
    pub session: SessionId,
    /// What the browser has in its cookie.
    pub cookie: String,
}

impl<'a> Flow<'a> {
    pub async fn new(app: &'a TestApp, kind: &str) -> Self {
        Self::with(app, kind, |_| {}).await
    }

    pub async fn with(app: &'a TestApp, kind: &str, change: impl FnOnce(&mut Application)) -> Self {
        let user = app.user().await.id;
        Self { user, ..Self::for_nobody(app, kind, change).await }
    }

    async fn for_nobody(app: &'a TestApp, kind: &str, change: impl FnOnce(&mut Application)) -> Self {
        let metadata = json!({ "redirectUris": [CALLBACK], "postLogoutRedirectUris": [GOODBYE] });
        let mut application = Application {
            id: ApplicationId::random(&*app.app().random),
            name: kind.to_owned(),
            description: None,
            kind: kind.to_owned(),
            is_third_party: false,
            is_management: false,
            allow_token_exchange: false,
            oidc_client_metadata: sqlx::types::Json(metadata.as_object().unwrap().clone()),
            custom_data: sqlx::types::Json(Map::new()),
            client_settings: Default::default(),
            created_at: app.now(),
        };
        change(&mut application);
        let is_confidential = application.is_confidential();
        let mut session = app.write().await;
        applications::add(&mut session, &application).await.unwrap();
        if is_confidential {
            let hash = digest(SECRET.as_bytes());
            applications::add_secret(&mut session, &application.id, &hash, "first", app.now()).await.unwrap();
        }
        session.commit().await.unwrap();
        let user = UserId("nobody000000".to_owned());
        Self { app, client: application.id, is_confidential, user, token_path: "/oauth/token" }
    }

    /// The same user in another application.
    pub async fn elsewhere(&self, kind: &str) -> Flow<'a> {
        Flow { user: self.user.clone(), ..Self::for_nobody(self.app, kind, |_| {}).await }
    }

    /// The same on another node.
    pub fn on<'b>(&self, app: &'b TestApp) -> Flow<'b> {
        let Self { client, is_confidential, user, token_path, .. } = self.clone();
        Flow { app, client, is_confidential, user, token_path }
    }

    /// The user signs in with a code by mail.
    pub async fn arrive(&self, scope: &str) -> Arrival {
        self.arrive_with(scope, None, |_| {}).await
    }

    /// The same, with what else the authorization request asked for; by a browser that has signed in before, if it has a cookie.
    pub async fn arrive_with(
        &self,
        scope: &str,
        cookie: Option<&str>,
        change: impl FnOnce(&mut AuthorizationCode),
    ) -> Arrival {
        let app = self.app.app();
        let client =
            Client { ip: Some(IpAddr::from([203, 0, 113, 9])), request_id: "a-test".to_owned(), user_agent: None };
        let proof = proof_of(Connection::Email, app.now());
        let mut db = self.app.write().await;
        let application = applications::find(&mut db, &self.client).await.unwrap().unwrap();
        let entry = Entry {
            user: &self.user,
            application: None,
            parent: None,
            browser_hash: None,
            scope: None,
            proof: &proof,
            client: &client,
            user_agent: Some("a browser"),
        };
        let (cookie, parent) = if let Some(cookie) = cookie {
            let hash = digest(cookie.as_bytes());
            let known = sessions::find_browser(&mut db, &hash, app.now()).await.unwrap();
            (cookie.to_owned(), known.expect("the browser is known").id)
        } else {
            let cookie = countersign::domain::id::random_text(&*app.random, 43);
            let hash = digest(cookie.as_bytes());
            let entry = Entry { browser_hash: Some(&hash), ..entry };
            (cookie, entering::open(app, &mut db, entry).await.unwrap())
        };
        let entry = Entry { application: Some(&application), parent: Some(&parent), scope: Some(scope), ..entry };
        let session = entering::open(app, &mut db, entry).await.unwrap();
        let mut granted = AuthorizationCode {
            application_id: self.client.clone(),
            session_id: session.clone(),
            user_id: self.user.clone(),
            redirect_uri: Some(CALLBACK.to_owned()),
            scope: scope.to_owned(),
            audience: None,
            nonce: Some("the-nonce".to_owned()),
            code_challenge: Some(CHALLENGE.to_owned()),
            is_from_link: false,
            dpop_jkt: None,
            record_hash: None,
        };
        change(&mut granted);
        let code = redirecting::new_code(app, &mut db, &granted).await.unwrap().expose_secret().to_owned();
        db.commit().await.unwrap();
        Arrival { code, session, cookie }
    }

    /// A form to the token endpoint, the secret in the body.
    pub async fn token(&self, form: &[(&str, &str)]) -> Answer {
        self.post(self.token_path, form).await
    }

    pub async fn post(&self, path: &str, form: &[(&str, &str)]) -> Answer {
        let mut form = form.to_vec();
        form.push(("client_id", self.client.as_str()));
        if self.is_confidential {
            form.push(("client_secret", SECRET));
        }
        Answer::of(self.app.http.post(self.app.url(path)).form(&form)).await
    }

    pub async fn redeem(&self, code: &str) -> Answer {
        let grant = ("grant_type", "authorization_code");
        self.token(&[grant, ("code", code), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)]).await
    }

    /// Signs in; gives the tokens.
    pub async fn sign_in(&self, scope: &str) -> Value {
        let code = self.arrive(scope).await.code;
        self.redeem(&code).await.expect("200").json()
    }

    pub async fn refresh(&self, token: &str) -> Answer {
        self.refresh_with(token, &[]).await
    }

    pub async fn refresh_with(&self, token: &str, more: &[(&str, &str)]) -> Answer {
        let mut form = vec![("grant_type", "refresh_token"), ("refresh_token", token)];
        form.extend_from_slice(more);
        self.token(&form).await
    }

    pub async fn get(&self, path: &str, access_token: &str) -> Answer {
        Answer::of(self.app.http.get(self.app.url(path)).bearer_auth(access_token)).await
    }

    /// Whether the tokens of that answer still open the account.
    #[track_caller]
    pub fn opens<'f>(&'f self, tokens: &Value) -> impl Future<Output = bool> + use<'f, 'a> {
        let token = text(tokens, "access_token");
        async move {
            let answer = self.get("/api/my-account", &token).await;
            assert!(["200", "401 auth.unauthorized"].contains(&answer.gist().as_str()), "{answer:?}");
            answer.status == 200
        }
    }

    /// How many such events are in the audit log.
    pub async fn events(&self, kind: &str) -> i64 {
        let mut session = self.app.write().await;
        session.fetch_value("select count(*) from audit_events where type = $1", (kind,)).await.unwrap()
    }
}
