//! Signing out at an application's request.

use reqwest::{RequestBuilder, redirect::Policy};

use super::{Arrival, CALLBACK, EVERYTHING, Flow, GOODBYE, text};
use crate::harness::{Answer, TestApp};

/// A browser: follows no redirect by itself, so that the test sees it.
struct Browser<'a> {
    app: &'a TestApp,
    http: reqwest::Client,
    cookie: String,
}

impl<'a> Browser<'a> {
    fn new(app: &'a TestApp, cookie: &str) -> Self {
        let http = reqwest::Client::builder().redirect(Policy::none()).build().unwrap();
        Self { app, http, cookie: format!("other=1; countersign={cookie}") }
    }

    fn url(&self, path: &str, query: &[(&str, &str)]) -> reqwest::Url {
        reqwest::Url::parse_with_params(&self.app.url(path), query).unwrap()
    }

    fn get(&self, path: &str, query: &[(&str, &str)]) -> RequestBuilder {
        self.http.get(self.url(path, query)).header("cookie", &self.cookie)
    }

    async fn open(&self, path: &str, query: &[(&str, &str)]) -> Answer {
        Answer::of(self.get(path, query)).await
    }

    async fn submit(&self, form: &[(&str, &str)]) -> Answer {
        Answer::of(self.http.post(self.app.url("/oidc/logout")).header("cookie", &self.cookie).form(form)).await
    }
}

/// What the page's form has in a hidden field.
fn field(page: &Answer, name: &str) -> Option<String> {
    let rest = page.text.split_once(&format!(r#"name="{name}" value=""#))?.1;
    rest.split('"').next().map(str::to_owned)
}

#[track_caller]
fn is_question(answer: Answer) -> Answer {
    assert!(answer.status == 200 && field(&answer, "confirmation").is_some(), "{answer:?}");
    assert!(answer.header("content-security-policy").unwrap().contains("frame-ancestors 'none'"));
    answer
}

#[track_caller]
fn goes_to(answer: &Answer, target: &str) {
    assert_eq!((answer.status, answer.header("location")), (303, Some(target)), "{answer:?}");
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[track_caller]
fn takes_the_cookie_away(answer: &Answer) {
    assert!(answer.header("set-cookie").unwrap().starts_with("countersign=; Path=/; Max-Age=0;"), "{answer:?}");
}

/// Signed in to two applications by one browser.
struct SignedIn<'a> {
    one: Flow<'a>,
    other: Flow<'a>,
    browser: Browser<'a>,
    tokens: [serde_json::Value; 2],
}

impl<'a> SignedIn<'a> {
    async fn new(app: &'a TestApp) -> Self {
        let one = Flow::new(app, "SPA").await;
        let other = one.elsewhere("SPA").await;
        let Arrival { code, cookie, .. } = one.arrive(EVERYTHING).await;
        let first = one.redeem(&code).await.expect("200").json();
        let code = other.arrive_with(EVERYTHING, Some(&cookie), |_| {}).await.code;
        let second = other.redeem(&code).await.expect("200").json();
        Self { one, other, browser: Browser::new(app, &cookie), tokens: [first, second] }
    }

    async fn is_signed_in(&self) -> bool {
        let [first, second] = &self.tokens;
        let both = [self.one.opens(first).await, self.other.opens(second).await];
        assert_eq!(both[0], both[1], "signed out of one of them only");
        both[0]
    }

    fn hint(&self) -> String {
        text(&self.tokens[0], "id_token")
    }
}

#[tokio::test]
async fn an_id_token_signs_the_browser_out_of_everything_and_leads_back() {
    let app = TestApp::start().await;
    for path in ["/oidc/logout", "/oidc/session/end"] {
        let it = SignedIn::new(&app).await;
        // It may have expired meanwhile.
        app.advance(3000);
        let hint = it.hint();
        let query = [("id_token_hint", hint.as_str()), ("post_logout_redirect_uri", GOODBYE), ("state", "a b&c")];
        assert!(it.is_signed_in().await);
        let answer = it.browser.open(path, &query).await;
        goes_to(&answer, "https://app.example.com/goodbye?state=a+b%26c");
        takes_the_cookie_away(&answer);
        assert!(!it.is_signed_in().await);
        // A second time there is nothing to end.
        app.advance(3000);
        goes_to(&it.browser.open(path, &query[..2]).await, GOODBYE);
    }
    let it = SignedIn::new(&app).await;
    let hint = it.hint();
    let answer = it.browser.submit(&[("id_token_hint", &hint)]).await.expect("200");
    assert!(answer.text.contains("You are signed out"), "{answer:?}");
    assert!(!it.is_signed_in().await);
    assert_eq!(it.one.events("session.ended").await, 3);
}

#[tokio::test]
async fn without_proof_the_user_is_asked_and_a_foreign_page_cannot_answer() {
    let app = TestApp::start().await;
    let it = SignedIn::new(&app).await;
    let client = it.one.client.as_str();
    let query =
        [("client_id", client), ("post_logout_redirect_uri", GOODBYE), ("state", "\"><script>alert(1)</script>")];
    let page = is_question(it.browser.open("/oidc/logout", &query).await);
    assert!(!page.text.contains("<script>alert"), "{}", page.text);
    assert!(page.header("content-security-policy").unwrap().contains("form-action 'self' https://app.example.com"));
    is_question(it.browser.open("/v2/logout", &[("client_id", client), ("returnTo", GOODBYE)]).await);
    is_question(it.browser.open("/oidc/session/end", &[]).await);
    // What another browser was asked is no answer of this one.
    let stranger = SignedIn::new(&app).await;
    let theirs = is_question(stranger.browser.open("/oidc/logout", &[]).await);
    for wrong in ["", "x", &field(&theirs, "confirmation").unwrap()] {
        is_question(it.browser.submit(&[("confirmation", wrong), ("client_id", client)]).await);
    }
    assert!(it.is_signed_in().await);
    let token = field(&page, "confirmation").unwrap();
    let form = [("confirmation", token.as_str()), ("client_id", client), ("post_logout_redirect_uri", GOODBYE)];
    let answer = it.browser.submit(&form).await;
    goes_to(&answer, GOODBYE);
    takes_the_cookie_away(&answer);
    assert!(!it.is_signed_in().await);
    assert!(stranger.is_signed_in().await);
}

#[tokio::test]
async fn a_page_of_the_application_may_sign_its_user_out_and_no_other_page() {
    let app = TestApp::start().await;
    let it = SignedIn::new(&app).await;
    let query = [("client_id", it.one.client.as_str()), ("returnTo", GOODBYE)];
    let from = async |referer: &str, query: &[(&str, &str)]| {
        Answer::of(it.browser.get("/v2/logout", query).header("referer", referer)).await
    };
    for page in ["https://evil.example/", "https://app.example.com.evil.example/", "http://app.example.com/", "null"] {
        is_question(from(page, &query).await);
    }
    // Another application's page, where this browser's user is not signed in.
    let elsewhere = it.one.elsewhere("SPA").await;
    let theirs = [("client_id", elsewhere.client.as_str()), ("returnTo", GOODBYE)];
    is_question(from("https://app.example.com/", &theirs).await);
    assert!(it.is_signed_in().await);
    goes_to(&from("https://app.example.com/", &query).await, GOODBYE);
    assert!(!it.is_signed_in().await);
}

#[tokio::test]
async fn somebody_elses_id_token_ends_nothing_here_and_a_forged_one_proves_nothing() {
    let app = TestApp::start().await;
    let (it, stranger) = (SignedIn::new(&app).await, SignedIn::new(&app).await);
    let theirs = stranger.hint();
    let answer = it.browser.open("/oidc/logout", &[("id_token_hint", &theirs)]).await.expect("200");
    assert_eq!(answer.header("set-cookie"), None);
    assert!(it.is_signed_in().await, "an attacker signs a victim out with a token of their own");
    assert!(!stranger.is_signed_in().await, "it is theirs to end");
    let access_token = text(&it.tokens[0], "access_token");
    let hint = it.hint();
    let (signed, _) = hint.rsplit_once('.').unwrap();
    let unsigned = format!("eyJhbGciOiJub25lIn0.{}.", signed.split('.').nth(1).unwrap());
    for wrong in [access_token, format!("{signed}.AAAA"), unsigned, "nonsense".to_owned()] {
        is_question(it.browser.open("/oidc/logout", &[("id_token_hint", &wrong)]).await);
    }
    assert!(it.is_signed_in().await);
}

#[tokio::test]
async fn nobody_is_sent_where_the_application_did_not_say() {
    let app = TestApp::start().await;
    let it = SignedIn::new(&app).await;
    let (hint, client) = (it.hint(), it.one.client.as_str());
    let elsewhere = Flow::with(&app, "SPA", |application| {
        let uris = serde_json::json!(["https://elsewhere.example/bye"]);
        application.oidc_client_metadata.insert("postLogoutRedirectUris".to_owned(), uris);
    })
    .await;
    let wrong = [
        "https://evil.example/",
        "https://app.example.com/goodbye/",
        "https://app.example.com/goodbye?x=1",
        "https://app.example.com/goodbye#x",
        "https://app.example.com@evil.example/goodbye",
        "//app.example.com/goodbye",
        "javascript:alert(1)",
        CALLBACK,
        "https://elsewhere.example/bye",
    ];
    for uri in wrong {
        let way_back = ("post_logout_redirect_uri", uri);
        for query in
            [vec![("id_token_hint", hint.as_str()), way_back], vec![("client_id", client), way_back], vec![way_back]]
        {
            let answer = it.browser.open("/oidc/logout", &query).await;
            assert_eq!((answer.status, answer.header("location")), (400, None), "{query:?}");
        }
        let answer = it.browser.open("/v2/logout", &[("client_id", client), ("returnTo", uri)]).await;
        assert_eq!((answer.status, answer.header("location")), (400, None), "{uri}");
    }
    let odd: [&[(&str, &str)]; 4] = [
        // The application is that of the ID token.
        &[("id_token_hint", &hint), ("client_id", elsewhere.client.as_str())],
        &[("client_id", "nobody"), ("post_logout_redirect_uri", GOODBYE)],
        &[("client_id", client), ("client_id", client)],
        &[("client_id", "\0")],
    ];
    for query in odd {
        assert_eq!(it.browser.open("/oidc/logout", query).await.status, 400, "{query:?}");
    }
    assert!(it.is_signed_in().await, "what is refused ends nothing");
}

#[tokio::test]
async fn the_pages_speak_the_languages_that_are_asked_for() {
    let app = TestApp::start().await;
    let it = SignedIn::new(&app).await;
    let page = is_question(it.browser.open("/oidc/logout", &[("ui_locales", "fr ja")]).await);
    assert!(page.text.contains(r#"<html lang="ja">"#) && page.text.contains("ログアウトしますか？"));
    let request = it.browser.get("/oidc/logout", &[]).header("accept-language", "ja;q=0.9, en;q=0.5");
    assert!(is_question(Answer::of(request).await).text.contains(r#"lang="ja""#));
    assert!(is_question(it.browser.open("/oidc/logout", &[]).await).text.contains("Sign out?"));
}
