//! Links that a hosted sign-in sends: they finish it, in the browser that began it.

use futures_util::future::join_all;
use serde_json::{Value, json};

use super::client::{CALLBACK, Client, Surfer, VERIFIER};
use crate::{
    harness::{Answer, TestApp},
    passwordless::{code_of, messages_to},
};

const TO: &str = "ada@example.com";
const PRESS: &str = "/passwordless/verify_redirect";
const USED: &str = "select count(*) from sign_in_codes where used_at is not null";

/// The path of the link in the newest message, and its secret.
async fn link(app: &TestApp) -> (String, String) {
    let text = messages_to(app, TO, 1).await[0].rendered.text.clone();
    let line = text.lines().find(|line| line.contains(PRESS)).unwrap().to_owned();
    let path = line.strip_prefix(&app.running.url()).unwrap().to_owned();
    let secret = path.split_once("link=").unwrap().1.to_owned();
    (path, secret)
}

fn form(secret: &str) -> Vec<(String, String)> {
    vec![("link".to_owned(), secret.to_owned())]
}

async fn redeem(app: &TestApp, client: &Client, code: &str, verifier: Option<&str>) -> Answer {
    let mut body = json!({
        "grant_type": "authorization_code", "client_id": client.application.id, "code": code, "redirect_uri": CALLBACK,
    });
    if let Some(verifier) = verifier {
        body["code_verifier"] = Value::from(verifier);
    }
    Answer::of(app.http.post(app.url("/oauth/token")).json(&body)).await
}

#[tokio::test]
async fn a_link_finishes_the_sign_in_of_its_browser_with_its_challenge_and_of_no_other() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[("send", Some("link"))])).await;
    surfer.give_email(TO).await;
    let page = &surfer.shown.text;
    assert!(page.contains("We sent a link to") && page.contains("Open it in this browser"), "{page}");
    let code_page = format!("/sign-in?flow={}&step=code", surfer.field("flow"));
    let (path, secret) = link(&app).await;

    // A scanner, another browser, and another that is signing in itself: the link is not theirs, and they do it no harm.
    let mut other = Surfer::at(&app, &client.authorize(&[])).await;
    for _ in 0..2 {
        assert_eq!(Answer::of(app.http.get(app.url(&path))).await.status, 400);
        assert_eq!(Answer::of(app.http.post(app.url(PRESS)).form(&form(&secret))).await.status, 400);
        other.go(&path).await;
        assert!(other.shown.status == 400 && other.shown.text.contains("belongs to another browser"));
        other.send(PRESS, &form(&secret)).await;
        assert_eq!(other.shown.status, 400);
    }
    assert_eq!(app.number(USED).await, 0);

    surfer.go(&path).await;
    assert!(surfer.shown.status == 200 && surfer.shown.text.contains(TO), "{:?}", surfer.shown);
    let policy = surfer.shown.header("content-security-policy").unwrap();
    assert!(policy.contains("form-action 'self' https://app.example.com;"), "{policy}");
    assert_eq!(app.number(USED).await, 0);
    surfer.send(PRESS, &form(&secret)).await;
    assert_eq!(surfer.shown.status, 302);
    let arrived = surfer.arrived();
    assert_eq!((arrived["state"].as_str(), arrived["code"].len()), ("a state & more", 43));
    // What the application bound the sign-in to is kept.
    redeem(&app, &client, &arrived["code"], None).await.expect("400 oidc.invalid_grant");
    redeem(&app, &client, &arrived["code"], Some(VERIFIER)).await.expect("200");
    // It is over, by whatever way.
    surfer.go(&code_page).await;
    assert!(surfer.shown.text.contains("This sign-in is complete"), "{}", surfer.shown.text);
    surfer.go(&path).await;
    assert_eq!(surfer.shown.status, 410);
    assert_eq!(app.number("select count(*) from sessions where parent_id is null").await, 1);
}

#[tokio::test]
async fn a_link_is_one_proof_where_a_step_up_takes_more() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let acr = ("acr_values", Some("urn:countersign:acr:methods:password.email_code"));
    let mut surfer = Surfer::at(&app, &client.authorize(&[("send", Some("link")), acr])).await;
    surfer.give_email(&user.email).await;
    let message = app.wait_for_message(|message| message.to.eq_ignore_ascii_case(&user.email)).await;
    let secret: String = message.rendered.text.split_once("link=").unwrap().1.chars().take(43).collect();
    surfer.send(PRESS, &form(&secret)).await;
    assert!(surfer.shown.text.contains("name=\"password\""), "{}", surfer.shown.text);
    assert_eq!(app.number("select count(*) from sessions where browser_hash is not null").await, 0);
    surfer.send(PRESS, &form(&secret)).await;
    assert_eq!(surfer.shown.status, 410, "once");
    surfer.go(&client.authorize(&[acr])).await;
    assert!(surfer.shown.text.contains("/sign-in/identifier"), "what was proved is for its own request");
}

#[tokio::test]
async fn the_code_of_the_same_message_does_what_the_link_does() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[("send", Some("link"))])).await;
    surfer.give_email(TO).await;
    let (path, _) = link(&app).await;
    let code = code_of(&messages_to(&app, TO, 1).await[0]);
    surfer.give_code(&code).await;
    assert!(surfer.arrived().contains_key("code"));
    surfer.go(&path).await;
    assert_eq!(surfer.shown.status, 410);
}

#[tokio::test]
async fn what_goes_by_text_message_is_a_code_whatever_is_asked_for() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let asked = [("send", Some("link")), ("connection", Some("sms"))];
    let mut surfer = Surfer::at(&app, &client.authorize(&asked)).await;
    surfer.post("/sign-in/identifier", &[("by", "sms"), ("country", "US"), ("phone", "415 555 2671")]).await;
    assert!(surfer.shown.text.contains("We sent a 6-digit code to"), "{}", surfer.shown.text);
    let message = messages_to(&app, "+14155552671", 1).await.remove(0);
    assert!(!message.rendered.text.contains(PRESS));
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_who_press_and_type_at_once_one_gets_in() {
    for _ in 0..3 {
        let app = TestApp::start().await;
        let second = app.second_node().await;
        let client = Client::spa(&app).await;
        let mut surfer = Surfer::at(&app, &client.authorize(&[("send", Some("link"))])).await;
        surfer.give_email(TO).await;
        let (_, secret) = link(&app).await;
        let code = code_of(&messages_to(&app, TO, 1).await[0]);
        let cookie =
            surfer.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join("; ");
        let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
        let typed = surfer.form(&[("code", &code)]);
        let all = (0..20).map(|at| {
            let node = if at % 2 == 0 { &app } else { &second };
            let (path, form) = if at % 4 < 2 { (PRESS, form(&secret)) } else { ("/sign-in/code", typed.clone()) };
            Answer::of(http.post(node.url(path)).header("cookie", &cookie).form(&form))
        });
        let answers = join_all(all).await;
        let is_in = |answer: &&Answer| answer.status == 302 || answer.text.contains("content=\"0;url=");
        assert_eq!(answers.iter().filter(is_in).count(), 1, "{answers:#?}");
        assert_eq!(app.number("select count(*) from authorization_codes").await, 1);
    }
}
