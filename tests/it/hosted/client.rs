//! An application that sends people to the hosted pages, and a browser without a window: cookies, forms, no redirects.

use std::collections::BTreeMap;

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    crypto::digest::digest,
    domain::{application::ClientSettings, id::ApplicationId},
    storage::applications::{self, Application},
};
use futures_util::future::join_all;
use serde_json::json;

use crate::harness::{Answer, TestApp};

pub const CALLBACK: &str = "https://app.example.com/callback";
pub const VERIFIER: &str = "a-verifier-of-43-letters-or-more-0123456789abcdef";

pub struct Client {
    pub application: Application,
}

impl Client {
    pub async fn spa(app: &TestApp) -> Self {
        Self::of(app, "SPA", ClientSettings::default()).await
    }

    pub async fn of(app: &TestApp, kind: &str, settings: ClientSettings) -> Self {
        let uris = json!({ "redirectUris": [CALLBACK, "https://app.example.com/cb?tenant=1", "com.example.shop:/back", "javascript:alert(1)"] });
        let application = Application {
            id: ApplicationId::random(&*app.app().random),
            name: "Example Shop".to_owned(),
            description: None,
            kind: kind.to_owned(),
            is_third_party: false,
            is_management: false,
            allow_token_exchange: false,
            oidc_client_metadata: sqlx::types::Json(uris.as_object().unwrap().clone()),
            custom_data: Default::default(),
            client_settings: sqlx::types::Json(settings),
            created_at: app.now(),
        };
        let mut session = app.write().await;
        applications::add(&mut session, &application).await.unwrap();
        session.commit().await.unwrap();
        Self { application }
    }

    /// The path of an authorization request; `None` takes a parameter away.
    pub fn authorize(&self, more: &[(&str, Option<&str>)]) -> String {
        self.authorize_at("/authorize", more)
    }

    pub fn authorize_at(&self, path: &str, more: &[(&str, Option<&str>)]) -> String {
        format!("{path}?{}", self.query(more))
    }

    pub fn query(&self, more: &[(&str, Option<&str>)]) -> String {
        let challenge = challenge();
        let mut parameters: BTreeMap<&str, Option<&str>> = BTreeMap::from([
            ("client_id", Some(self.application.id.as_str())),
            ("response_type", Some("code")),
            ("redirect_uri", Some(CALLBACK)),
            ("scope", Some("openid email")),
            ("state", Some("a state & more")),
            ("nonce", Some("n-1")),
            ("code_challenge", Some(challenge.as_str())),
            ("code_challenge_method", Some("S256")),
        ]);
        parameters.extend(more.iter().copied());
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in parameters {
            if let Some(value) = value {
                query.append_pair(name, value);
            }
        }
        query.finish()
    }
}

pub fn challenge() -> String {
    BASE64_URL_SAFE_NO_PAD.encode(digest(VERIFIER.as_bytes()))
}

/// A browser's cookies, and the page it shows.
pub struct Surfer<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    pub cookies: BTreeMap<String, String>,
    pub shown: Answer,
}

impl<'a> Surfer<'a> {
    pub async fn at(app: &'a TestApp, path: &str) -> Self {
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let nothing = Answer { status: 0, headers: Default::default(), text: String::new() };
        let mut surfer = Self { app, http, cookies: BTreeMap::new(), shown: nothing };
        surfer.go(path).await;
        surfer
    }

    fn cookie(&self) -> String {
        self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ")
    }

    async fn take(&mut self, request: reqwest::RequestBuilder) {
        self.shown = Answer::of(request.header("cookie", self.cookie())).await;
        for line in self.shown.headers.get_all("set-cookie") {
            let (name, rest) = line.to_str().unwrap().split_once('=').unwrap();
            self.cookies.insert(name.to_owned(), rest.split(';').next().unwrap().to_owned());
        }
    }

    /// Goes there, and on where that leads on our own site.
    pub async fn go(&mut self, path: &str) -> &Answer {
        self.take(self.http.get(self.app.url(path))).await;
        self.follow().await
    }

    async fn follow(&mut self) -> &Answer {
        while let Some(to) = self.shown.header("location").filter(|to| to.starts_with('/')).map(str::to_owned) {
            self.take(self.http.get(self.app.url(&to))).await;
        }
        &self.shown
    }

    /// The value of a field of the page.
    pub fn field(&self, name: &str) -> String {
        let mark = format!("name=\"{name}\" value=\"");
        let found = self.shown.text.split_once(&mark).map(|(_, rest)| rest.split('"').next().unwrap().to_owned());
        found.unwrap_or_else(|| panic!("no {name}: {}", self.shown.text))
    }

    /// The fields a form carries along, and these.
    pub fn form(&self, more: &[(&str, &str)]) -> Vec<(String, String)> {
        let own = ["flow", "token"].map(|name| (name.to_owned(), self.field(name)));
        own.into_iter().chain(more.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).collect()
    }

    pub async fn send(&mut self, path: &str, form: &[(String, String)]) -> &Answer {
        self.take(self.http.post(self.app.url(path)).form(form)).await;
        self.follow().await
    }

    /// The same form many times at the same moment; the page that is shown stays.
    pub async fn send_at_once(&self, path: &str, form: &[(String, String)], count: usize) -> Vec<Answer> {
        let request = || self.http.post(self.app.url(path)).header("cookie", self.cookie()).form(form);
        join_all((0..count).map(|_| Answer::of(request()))).await
    }

    pub async fn post(&mut self, path: &str, more: &[(&str, &str)]) -> &Answer {
        let form = self.form(more);
        self.send(path, &form).await
    }

    pub async fn give_email(&mut self, address: &str) -> &Answer {
        self.post("/sign-in/identifier", &[("by", "email"), ("email", address)]).await
    }

    /// A number as [`crate::harness::User`]s have them.
    pub async fn give_phone(&mut self, digits: &str) -> &Answer {
        self.post("/sign-in/identifier", &[("by", "sms"), ("country", "US"), ("phone", &digits[1..])]).await
    }

    pub async fn give_password(&mut self, password: &str) -> &Answer {
        self.post("/sign-in/password", &[("password", password)]).await
    }

    pub async fn give_code(&mut self, code: &str) -> &Answer {
        self.post("/sign-in/code", &[("code", code)]).await
    }

    /// From the first page to the application; the parameters that come to it.
    pub async fn sign_in(&mut self, address: &str) -> BTreeMap<String, String> {
        self.give_email(address).await;
        let code = self.app.mailed_code(address).await;
        self.give_code(&code).await;
        self.arrived()
    }

    /// Where the page or redirect leads.
    pub fn leads_to(&self) -> String {
        let by_page = || {
            let (_, rest) = self.shown.text.split_once("content=\"0;url=")?;
            Some(rest.split('"').next()?.replace("&#38;", "&").replace("&amp;", "&"))
        };
        let to = self.shown.header("location").map(str::to_owned).or_else(by_page);
        to.unwrap_or_else(|| panic!("leads nowhere: {:?}", self.shown))
    }

    pub fn arrived(&self) -> BTreeMap<String, String> {
        let url = url::Url::parse(&self.leads_to()).unwrap();
        assert_eq!(url.host_str(), Some("app.example.com"), "{url}");
        let text = url.query().or(url.fragment()).unwrap_or_default();
        url::form_urlencoded::parse(text.as_bytes()).into_owned().collect()
    }
}

impl TestApp {
    /// The code of the message this brings about.
    pub async fn code_after<T>(&self, to: &str, act: impl Future<Output = T>) -> String {
        let count = || self.codes_for(to).len();
        let before = count();
        act.await;
        for _ in 0..500 {
            if count() > before {
                return self.code_for(to);
            }
            tokio::time::sleep(std::time::Duration::from_millis(10)).await;
        }
        panic!("nothing came to {to}");
    }

    /// The code of the newest message to an address, once the outbox has sent one.
    pub async fn mailed_code(&self, address: &str) -> String {
        self.wait_for_message(|message| message.to.eq_ignore_ascii_case(address)).await;
        self.code_for(address)
    }
}
