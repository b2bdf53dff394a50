//! Links: opened by a scanner first, then by the person.

use futures_util::future::join_all;
use serde_json::json;

use super::{BACK, Shop, claims, code_of};
use crate::harness::{Answer, TestApp};

/// The path of the link in the newest message to an address.
async fn link(app: &TestApp, to: &str, count: usize) -> String {
    let text = super::messages_to(app, to, count).await[0].rendered.text.clone();
    let line = text.lines().find(|line| line.contains("/passwordless/verify_redirect")).unwrap().to_owned();
    line.strip_prefix(&app.running.url()).unwrap().to_owned()
}

async fn start(shop: &Shop<'_>, to: &str) -> Answer {
    let auth_params = json!({
        "redirect_uri": BACK, "scope": "openid email", "state": "a&b", "nonce": "n-1", "response_type": "code", "other": 7,
    });
    let body = json!({ "connection": "email", "email": to, "send": "link", "authParams": auth_params });
    shop.post("/passwordless/start", body).await.expect("200")
}

/// Follows no redirect.
fn direct() -> reqwest::Client {
    reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap()
}

fn press(app: &TestApp, path: &str) -> reqwest::RequestBuilder {
    let (_, secret) = path.split_once("link=").unwrap();
    direct().post(app.url("/passwordless/verify_redirect")).form(&[("link", secret)])
}

/// Where the browser is sent.
fn target(answer: &Answer) -> url::Url {
    assert_eq!(answer.status, 302, "{answer:?}");
    url::Url::parse(answer.header("location").unwrap()).unwrap()
}

fn parameter(url: &url::Url, name: &str) -> Option<String> {
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[tokio::test]
async fn a_scanner_opens_the_link_first_and_the_person_signs_in_after() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    start(&shop, "ada@example.com").await;
    let path = link(&app, "ada@example.com", 1).await;
    for _ in 0..3 {
        let page = Answer::of(app.http.get(app.url(&path)).header("accept-language", "ja")).await;
        assert_eq!(page.status, 200, "{}", page.text);
        assert!(
            page.text.contains("<button") && page.text.contains("ada@example.com") && page.text.contains("ログイン")
        );
        let policy = page.header("content-security-policy").unwrap();
        assert!(policy.contains("form-action 'self' https://shop.example.com;"), "{policy}");
        assert_eq!(page.header("access-control-allow-origin"), None);
        assert_eq!(Answer::of(app.http.head(app.url(&path))).await.status, 200);
    }
    let hyphen = path.replace("verify_redirect", "verify-redirect");
    assert_eq!(Answer::of(app.http.get(app.url(&hyphen))).await.status, 200);
    assert_eq!(app.number("select count(*) from sign_in_codes where used_at is not null").await, 0);
    assert_eq!(app.number("select count(*) from sessions").await, 0);
    let page = Answer::of(press(&app, &path)).await;
    let url = target(&page);
    assert!(url.as_str().starts_with(BACK) && parameter(&url, "state").as_deref() == Some("a&b"), "{url}");
    assert!(page.header("set-cookie").unwrap().starts_with("countersign="));
    // No PKCE: the code came by mail, where nobody could make a challenge.
    let code = parameter(&url, "code").unwrap();
    let body = json!({ "grant_type": "authorization_code", "code": code, "redirect_uri": BACK });
    let tokens = shop.post("/oauth/token", body).await.expect("200").json();
    let id = claims(&tokens["id_token"]);
    assert_eq!((&id["nonce"], &id["email"]), (&json!("n-1"), &json!("ada@example.com")));
    // The link, and the code of the same message, worked once.
    assert_eq!(Answer::of(press(&app, &path)).await.status, 410);
    assert_eq!(Answer::of(app.http.get(app.url(&path))).await.status, 410);
    let code = code_of(&app.mailbox.messages()[0]);
    assert_eq!(super::told(&shop.redeem("ada@example.com", &code).await), super::WRONG);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_press_the_button_one_gets_in() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let shop = Shop::public(&app).await;
    start(&shop, "ada@example.com").await;
    let path = link(&app, "ada@example.com", 1).await;
    let presses = (0..20).map(|at| Answer::of(press(if at % 2 == 0 { &app } else { &second }, &path)));
    let answers = join_all(presses).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 302).count(), 1);
    assert_eq!(answers.iter().filter(|answer| answer.status == 410).count(), 19);
    assert_eq!(app.number("select count(*) from authorization_codes").await, 1);
}

#[tokio::test]
async fn a_link_is_over_when_it_expires_or_another_takes_its_place() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    let to = "ada@example.com";
    start(&shop, to).await;
    let first = link(&app, to, 1).await;
    app.advance(100);
    start(&shop, to).await;
    assert_eq!(link(&app, to, 2).await, first, "the same one, sent again");
    app.advance(150);
    start(&shop, to).await;
    let second = link(&app, to, 3).await;
    assert_ne!(second, first);
    assert_eq!(Answer::of(press(&app, &first)).await.status, 410);
    app.advance(300);
    assert_eq!(Answer::of(press(&app, &second)).await.status, 410);
    assert_eq!(Answer::of(press(&app, "?link=nonsense")).await.status, 410);
    assert_eq!(app.number("select count(*) from sessions").await, 0);
}

#[tokio::test]
async fn a_form_of_another_site_signs_nobody_in() {
    let app = TestApp::start().await;
    let shop = Shop::public(&app).await;
    start(&shop, "ada@example.com").await;
    let path = link(&app, "ada@example.com", 1).await;
    let foreign =
        [("sec-fetch-site", "cross-site"), ("sec-fetch-site", "same-site"), ("origin", "https://evil.example.com")];
    for (name, value) in foreign {
        assert_eq!(Answer::of(press(&app, &path).header(name, value)).await.status, 400, "{name}: {value}");
    }
    let own = app.running.url();
    for (name, value) in [("sec-fetch-site", "same-origin"), ("origin", own.as_str())] {
        let status = Answer::of(press(&app, &path).header(name, value)).await.status;
        assert!(status == 302 || status == 410, "{name}: {status}");
    }
    assert_eq!(app.number("select count(*) from authorization_codes").await, 1);
}

#[tokio::test]
async fn where_it_is_strict_a_link_opens_in_the_browser_that_asked_for_it() {
    let app = TestApp::start_with(|config| config.sign_in.strict_same_browser = true).await;
    let shop = Shop::public(&app).await;
    let answer = start(&shop, "ada@example.com").await;
    let cookie = answer.header("set-cookie").unwrap().split(';').next().unwrap().to_owned();
    let path = link(&app, "ada@example.com", 1).await;
    let other = "countersign-link=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
    assert_eq!(Answer::of(app.http.get(app.url(&path))).await.status, 400);
    assert_eq!(Answer::of(press(&app, &path).header("cookie", other)).await.status, 400);
    assert_eq!(app.number("select count(*) from sign_in_codes where used_at is not null").await, 0);
    target(&Answer::of(press(&app, &path).header("cookie", cookie)).await);
}

#[tokio::test]
async fn the_button_leads_to_apps_as_well_and_where_the_application_says() {
    let app = TestApp::start().await;
    let places = ["com.example.shop:/back", BACK];
    let body = json!({
        "name": "Shop", "type": "Native", "customClientMetadata": { "corsAllowedOrigins": ["https://www.example.com"] },
        "oidcClientMetadata": { "redirectUris": places, "postLogoutRedirectUris": [] },
    });
    let made = app.manager().await.post("/api/applications", body).await.expect("200").json();
    let shop = Shop { app: &app, id: made["id"].as_str().unwrap().to_owned(), secret: None };
    for (number, (place, policy)) in
        places.into_iter().zip(["com.example.shop:", "https://shop.example.com"]).enumerate()
    {
        let to = format!("n{number}@example.com");
        let start = json!({ "connection": "email", "email": to, "authParams": { "redirect_uri": place } });
        shop.post("/passwordless/start", start).await.expect("200");
        let path = link(&app, &to, 1).await;
        let page = Answer::of(app.http.get(app.url(&path))).await;
        let wanted = format!("form-action 'self' {policy} https://www.example.com;");
        assert!(page.header("content-security-policy").unwrap().contains(&wanted), "{page:?}");
        let answer = Answer::of(press(&app, &path)).await;
        assert!(target(&answer).as_str().starts_with(place), "{answer:?}");
        assert_eq!(
            (answer.header("cache-control"), answer.header("referrer-policy")),
            (Some("no-store"), Some("no-referrer"))
        );
    }
    // One that was taken from the application meanwhile is no place to go to, by a link that was mailed before.
    let start = json!({ "connection": "email", "email": "late@example.com", "authParams": { "redirect_uri": BACK } });
    shop.post("/passwordless/start", start).await.expect("200");
    let path = link(&app, "late@example.com", 1).await;
    let change =
        json!({ "oidcClientMetadata": { "redirectUris": ["com.example.shop:/back"], "postLogoutRedirectUris": [] } });
    app.manager().await.patch(&format!("/api/applications/{}", shop.id), change).await.expect("200");
    assert_eq!(Answer::of(press(&app, &path)).await.status, 410);
}

#[tokio::test]
async fn a_page_checks_a_code_and_goes_on_with_it() {
    let app = TestApp::start().await;
    let shop = Shop::new(&app, "Traditional", json!({})).await;
    let code = shop.code("ada@example.com").await;
    let verify = async |code: &str| {
        let body = json!({ "client_id": shop.id, "connection": "email", "email": "ada@example.com", "verification_code": code });
        Answer::of(app.http.post(app.url("/passwordless/verify")).json(&body)).await
    };
    let wrong = "401 invalid_user_password: Wrong email or verification code.";
    assert_eq!(super::told(&verify(super::other_than(&code)).await), wrong);
    for _ in 0..4 {
        verify(&code).await.expect("200");
    }
    assert_eq!(app.number("select guesses from sign_in_codes").await, 1, "a right one costs no try");
    let fields = [
        ("client_id", shop.id.as_str()),
        ("connection", "email"),
        ("email", "ada@example.com"),
        ("verification_code", &code),
        ("redirect_uri", BACK),
        ("response_type", "code"),
        ("scope", "openid"),
        ("state", "s"),
        ("protocol", "oauth2"),
    ];
    let request = app.http.get(app.url(&super::with_query("/passwordless/verify_redirect", &fields)));
    let page = Answer::of(request).await;
    assert!(page.status == 200 && page.text.contains(&code), "{page:?}");
    let go = async |fields: &[(&str, &str)]| {
        Answer::of(direct().post(app.url("/passwordless/verify_redirect")).form(fields)).await
    };
    let mut other = fields;
    other[3].1 = super::other_than(&code);
    let url = target(&go(&other).await);
    assert_eq!(
        (parameter(&url, "error").as_deref(), parameter(&url, "state").as_deref()),
        (Some("access_denied"), Some("s"))
    );
    let mut elsewhere = fields;
    elsewhere[4].1 = "https://evil.example.com";
    assert_eq!(go(&elsewhere).await.status, 400);
    let url = target(&go(&fields).await);
    let body =
        json!({ "grant_type": "authorization_code", "code": parameter(&url, "code").unwrap(), "redirect_uri": BACK });
    shop.post("/oauth/token", body).await.expect("200");
}
