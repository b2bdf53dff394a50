//! Authorization requests: which are answered, and how the others are refused.

use countersign::domain::application::{ClientSettings, Connection, GrantType};
use rstest::rstest;

use super::client::{CALLBACK, Client, Surfer};
use crate::harness::{Answer, TestApp};

type More<'a> = &'a [(&'a str, Option<&'a str>)];

#[rstest]
#[case(&[("client_id", None)], "client_id is missing")]
#[case(&[("client_id", Some("nobody"))], "there is no client")]
#[case(&[("redirect_uri", None)], "redirect_uri is missing")]
#[case(&[("redirect_uri", Some("https://evil.example/callback"))], "not one of those")]
#[case(&[("redirect_uri", Some("https://app.example.com/callback/"))], "not one of those")]
#[case(&[("redirect_uri", Some("https://app.example.com/callback?x=1"))], "not one of those")]
#[case(&[("redirect_uri", Some("https://APP.example.com/callback"))], "not one of those")]
#[case(&[("redirect_uri", Some("javascript:alert(1)"))], "not one of those")]
#[case(&[("state", Some("a\0b"))], "U+0000")]
#[tokio::test]
async fn nobody_is_sent_anywhere_before_client_and_redirect_uri_are_sure(#[case] more: More<'_>, #[case] said: &str) {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let surfer = Surfer::at(&app, &client.authorize(more)).await;
    assert_eq!(surfer.shown.status, 400);
    assert!(surfer.shown.text.contains(said), "{}", surfer.shown.text);
    assert_eq!((surfer.shown.header("location"), surfer.cookies.len()), (None, 0));
    assert!(!surfer.shown.text.contains("evil.example"));
}

#[rstest]
#[case(&[("response_type", None)], "invalid_request")]
#[case(&[("response_type", Some("token"))], "unsupported_response_type")]
#[case(&[("response_type", Some("code id_token"))], "unsupported_response_type")]
#[case(&[("response_mode", Some("form_post"))], "invalid_request")]
#[case(&[("code_challenge", None), ("code_challenge_method", None)], "invalid_request")]
#[case(&[("code_challenge_method", None)], "invalid_request")]
#[case(&[("code_challenge_method", Some("plain"))], "invalid_request")]
#[case(&[("code_challenge", Some("short"))], "invalid_request")]
#[case(&[("dpop_jkt", Some("short"))], "invalid_request")]
#[case(&[("request", Some("eyJ"))], "request_not_supported")]
#[case(&[("request_uri", Some("urn:x"))], "request_uri_not_supported")]
#[case(&[("connection", Some("google"))], "invalid_request")]
#[case(&[("audience", Some("https://other.example/api"))], "invalid_target")]
#[case(&[("prompt", Some("none login"))], "invalid_request")]
#[case(&[("prompt", Some("none"))], "login_required")]
#[case(&[("max_age", Some("soon"))], "invalid_request")]
#[case(&[("send", Some("pigeon"))], "invalid_request")]
#[tokio::test]
async fn other_faults_are_told_to_the_client_with_its_state_and_our_issuer(
    #[case] more: More<'_>,
    #[case] error: &str,
) {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let surfer = Surfer::at(&app, &client.authorize(more)).await;
    assert_eq!(surfer.shown.status, 303, "{}", surfer.shown.text);
    assert!(surfer.leads_to().starts_with(&format!("{CALLBACK}?")), "{}", surfer.leads_to());
    let told = surfer.arrived();
    assert_eq!((told["error"].as_str(), told["state"].as_str()), (error, "a state & more"));
    assert_eq!(told["iss"], format!("{}/", app.running.url()));
    assert!(!told["error_description"].is_empty() && !told.contains_key("code"));
}

#[tokio::test]
async fn a_parameter_that_comes_twice_is_refused() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    for twice in ["client_id=x", "redirect_uri=https%3A%2F%2Fevil.example"] {
        let surfer = Surfer::at(&app, &format!("{}&{twice}", client.authorize(&[]))).await;
        assert_eq!((surfer.shown.status, surfer.shown.header("location")), (400, None), "{twice}");
    }
    let surfer = Surfer::at(&app, &format!("{}&state=other", client.authorize(&[]))).await;
    let told = surfer.arrived();
    assert_eq!((told["error"].as_str(), told.get("state")), ("invalid_request", None));
}

#[tokio::test]
async fn the_answer_stands_where_the_client_wants_it_and_names_the_issuer_that_was_asked() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let path = client.authorize_at("/oidc/auth", &[("response_mode", Some("fragment")), ("prompt", Some("none"))]);
    let surfer = Surfer::at(&app, &path).await;
    assert!(surfer.leads_to().starts_with(&format!("{CALLBACK}#error=login_required")), "{}", surfer.leads_to());
    assert_eq!(surfer.arrived()["iss"], format!("{}/oidc", app.running.url()));
    let uri = "https://app.example.com/cb?tenant=1";
    let surfer = Surfer::at(&app, &client.authorize(&[("redirect_uri", Some(uri)), ("prompt", Some("none"))])).await;
    assert!(surfer.leads_to().starts_with(&format!("{uri}&error=login_required&")), "{}", surfer.leads_to());
}

#[tokio::test]
async fn a_confidential_client_may_do_without_a_challenge_and_not_with_a_plain_one() {
    let app = TestApp::start().await;
    let client = Client::of(&app, "Traditional", ClientSettings::default()).await;
    let without: More<'_> = &[("code_challenge", None), ("code_challenge_method", None)];
    let surfer = Surfer::at(&app, &client.authorize(without)).await;
    assert_eq!(surfer.shown.status, 200);
    let surfer = Surfer::at(&app, &client.authorize(&[("code_challenge_method", Some("plain"))])).await;
    assert_eq!(surfer.arrived()["error"], "invalid_request");
}

#[tokio::test]
async fn what_a_client_may_not_use_is_not_offered() {
    let app = TestApp::start().await;
    let settings = ClientSettings { grant_types: Some(vec![GrantType::PasswordlessOtp]), ..Default::default() };
    let client = Client::of(&app, "SPA", settings).await;
    let surfer = Surfer::at(&app, &client.authorize(&[])).await;
    assert_eq!(surfer.arrived()["error"], "unauthorized_client");

    let settings = ClientSettings { connections: Some(vec![Connection::Sms]), ..Default::default() };
    let client = Client::of(&app, "SPA", settings).await;
    let surfer = Surfer::at(&app, &client.authorize(&[])).await;
    assert!(surfer.shown.text.contains("id=\"phone\"") && !surfer.shown.text.contains("by=email"));
    let surfer = Surfer::at(&app, &client.authorize(&[("connection", Some("email"))])).await;
    assert_eq!(surfer.arrived()["error"], "invalid_request");
    // Nor by hand.
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    surfer.give_email("a@example.com").await;
    assert!(surfer.shown.text.contains("id=\"phone\"") && app.mailbox.messages().is_empty());

    let off = TestApp::start_with(|config| config.sign_in.sms.enabled = false).await;
    let client = Client::spa(&off).await;
    let surfer = Surfer::at(&off, &client.authorize(&[])).await;
    assert!(surfer.shown.text.contains("id=\"email\"") && !surfer.shown.text.contains("by=sms"));
}

#[tokio::test]
async fn a_request_by_post_is_the_same_by_get() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let post = |body: String| {
        let request = http.post(app.url("/authorize")).header("content-type", "application/x-www-form-urlencoded");
        request.body(body).send()
    };
    let answer = post(client.query(&[])).await.unwrap();
    assert_eq!(answer.status(), 303);
    assert_eq!(answer.headers()["location"], client.authorize(&[]).as_str());
    for body in ["client_id=x\r\nset-cookie:%20x", "a=\"b\"", "a=#b"] {
        assert_eq!(post(body.to_owned()).await.unwrap().status(), 400, "{body}");
    }
    assert_eq!(post(format!("state={}", "x".repeat(9000))).await.unwrap().status(), 414);
    let json = http.post(app.url("/authorize")).json(&serde_json::json!({})).send().await.unwrap();
    assert_eq!(json.status(), 400);
}

#[tokio::test]
async fn pages_are_kept_by_nobody_framed_by_nobody_and_run_nothing_of_others() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let mut surfer = Surfer::at(&app, &client.authorize(&[("state", Some("<script>alert(1)</script>"))])).await;
    surfer.give_email("\"><script>alert(1)</script>@example.com").await;
    let shown = &surfer.shown;
    assert_eq!(shown.status, 422);
    assert!(!shown.text.contains("<script>alert"), "{}", shown.text);
    let policy = shown.header("content-security-policy").unwrap();
    for part in
        ["default-src 'none'", "form-action 'self'", "frame-ancestors 'none'", "base-uri 'none'", "script-src 'sha256-"]
    {
        assert!(policy.contains(part), "{policy}");
    }
    assert!(!policy.contains("unsafe") && !policy.contains("https:"), "{policy}");
    assert_eq!(shown.header("cache-control"), Some("no-store"));
    assert_eq!(shown.header("referrer-policy"), Some("no-referrer"));
    assert_eq!(shown.header("x-frame-options"), Some("DENY"));
    for path in [client.authorize(&[]), "/sign-in".to_owned()] {
        let asked = Answer::of(app.http.get(app.url(&path)).header("origin", "https://evil.example.com")).await;
        assert_eq!(asked.header("access-control-allow-origin"), None, "{path}");
    }
}

#[tokio::test]
async fn cookies_are_out_of_reach_of_scripts_and_of_other_hosts() {
    let app = TestApp::start_with(|config| config.server.public_url = Some("https://id.example.com".to_owned())).await;
    let client = Client::spa(&app).await;
    let http = reqwest::Client::builder().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let answer = http.get(app.url(&client.authorize(&[]))).send().await.unwrap();
    let cookie = answer.headers()["set-cookie"].to_str().unwrap();
    assert!(cookie.starts_with("__Host-countersign-flow="), "{cookie}");
    for part in ["; Path=/", "; HttpOnly", "; SameSite=Lax", "; Secure"] {
        assert!(cookie.contains(part), "{cookie}");
    }
    assert!(!cookie.contains("Domain"), "{cookie}");
}

#[tokio::test]
async fn a_flood_is_refused_with_a_page() {
    let app = TestApp::start_with(|config| config.limits.requests_per_minute = 2).await;
    let client = Client::spa(&app).await;
    // Two requests: the authorization and the page it leads to.
    let mut surfer = Surfer::at(&app, &client.authorize(&[])).await;
    assert_eq!(surfer.shown.status, 200);
    surfer.go(&client.authorize(&[])).await;
    assert_eq!(surfer.shown.status, 429);
    assert!(surfer.shown.text.contains("<h1>Too many requests</h1>") && surfer.shown.header("retry-after").is_some());
}
