//! A sign-in that was asked for as a step-up (RFC 9470): its access token permits what a verification permits, for as long.

use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::domain::application::{ClientSettings, Connection};
use reqwest::RequestBuilder;
use serde_json::{Value, json};

use super::client::{CALLBACK, Client, Surfer, VERIFIER};
use crate::harness::{Answer, TestApp, User, with_operations};

const ONE_FACTOR: (&str, Option<&str>) = ("acr_values", Some("urn:countersign:acr:1fa"));
pub const DENIED: &str = "401 verification_record.permission_denied";

/// The request that turns a code into tokens.
pub fn exchange(app: &TestApp, client: &Client, code: &str) -> RequestBuilder {
    let form = [
        ("grant_type", "authorization_code"),
        ("client_id", client.application.id.as_str()),
        ("redirect_uri", CALLBACK),
        ("code", code),
        ("code_verifier", VERIFIER),
    ];
    app.http.post(app.url("/oauth/token")).form(&form)
}

pub async fn tokens(app: &TestApp, client: &Client, code: &str) -> Value {
    Answer::of(exchange(app, client, code)).await.expect("200").json()
}

/// Signs in once more: the code is that of a new message.
async fn sign_in_again(app: &TestApp, surfer: &mut Surfer<'_>, address: &str) {
    app.advance(31);
    let before = app.mailbox.messages().len();
    surfer.give_email(address).await;
    while app.mailbox.messages().len() == before {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    surfer.give_code(&app.code_for(address)).await;
}

pub async fn remove_phone(app: &TestApp, token: &str) -> Answer {
    Answer::of(app.http.delete(app.url("/api/my-account/primary-phone")).bearer_auth(token)).await
}

#[tokio::test]
async fn only_a_sign_in_that_was_asked_for_as_a_step_up_permits_anything() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let client = Client::spa(&app).await;
    let scope = ("scope", Some("openid phone offline_access"));
    let mut surfer = Surfer::at(&app, &client.authorize(&[scope])).await;
    let code = surfer.sign_in(&user.email).await["code"].clone();
    let plain = tokens(&app, &client, &code).await;
    assert_eq!(remove_phone(&app, plain["access_token"].as_str().unwrap()).await.gist(), DENIED);

    // Somebody is asked again, however fresh the sign-in is: silence permits nothing.
    surfer.go(&client.authorize(&[scope, ONE_FACTOR, ("prompt", Some("none"))])).await;
    assert_eq!(surfer.arrived()["error"], "login_required");
    surfer.go(&client.authorize(&[scope, ONE_FACTOR, ("max_age", Some("600"))])).await;
    sign_in_again(&app, &mut surfer, &user.email).await;
    let code = surfer.arrived()["code"].clone();
    let stepped = tokens(&app, &client, &code).await;
    let token = stepped["access_token"].as_str().unwrap();
    let claims = token.split('.').nth(1).unwrap();
    let claims: Value = serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(claims).unwrap()).unwrap();
    assert_eq!(
        (&claims["acr"], &claims["auth_time"]),
        (&json!("urn:countersign:acr:1fa"), &json!(app.now().seconds()))
    );

    // Nothing renews it.
    let form = [
        ("grant_type", "refresh_token"),
        ("client_id", client.application.id.as_str()),
        ("refresh_token", stepped["refresh_token"].as_str().unwrap()),
    ];
    let refreshed = Answer::of(app.http.post(app.url("/oauth/token")).form(&form)).await.expect("200").json();
    assert_eq!(remove_phone(&app, refreshed["access_token"].as_str().unwrap()).await.gist(), DENIED);

    app.advance(599);
    remove_phone(&app, token).await.expect("204");
    app.advance(1);
    let answer = Answer::of(app.http.delete(app.url("/api/my-account/primary-email")).bearer_auth(token)).await;
    assert_eq!(answer.gist(), DENIED);
}

#[tokio::test]
async fn more_than_these_pages_can_prove_is_refused_and_other_classes_are_not_ours_to_promise() {
    let app = TestApp::start().await;
    let client = Client::spa(&app).await;
    let settings = ClientSettings { connections: Some(vec![Connection::Email]), ..Default::default() };
    let mails = Client::of(&app, "SPA", settings).await;
    let cases = [
        (&client, "urn:countersign:acr:phr"),
        (&client, "urn:countersign:acr:methods:passkey urn:example:gold"),
        (&mails, "urn:countersign:acr:2fa"),
        (&mails, "urn:countersign:acr:methods:phone_code"),
    ];
    for (client, acr) in cases {
        let surfer = Surfer::at(&app, &client.authorize(&[("acr_values", Some(acr))])).await;
        assert_eq!(surfer.arrived()["error"], "unmet_authentication_requirements", "{acr}");
    }
    for acr in ["urn:countersign:acr:2fa urn:countersign:acr:1fa", "urn:example:gold", ""] {
        let surfer = Surfer::at(&app, &client.authorize(&[("acr_values", Some(acr))])).await;
        assert_eq!(surfer.shown.status, 200, "{acr}");
    }
}

/// As `npx tsx` would.
fn compile(folder: &std::path::Path) {
    crate::clients::prepare();
    let status = Command::new("node")
        .args(["target/clients/node_modules/typescript/bin/tsc", "--strict", "--target", "es2022"])
        .args([
            "--module",
            "node16",
            "--types",
            "node",
            "--typeRoots",
            "target/clients/node_modules/@types",
            "--outDir",
        ])
        .arg(folder)
        .arg("examples/step-up-client/client.mts")
        .status();
    assert!(status.unwrap().success());
}

/// Plays `examples/step-up-client`, which knows the RFC alone, and the person who signs in where it says; gives what it told.
async fn play(app: &TestApp, user: &User<'_>, path: &str, has_two: bool) -> Vec<String> {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let client = Client::of(app, "SPA", ClientSettings::default()).await;
    let redirect_uri = format!("http://127.0.0.1:{port}/callback");
    let application = format!("/api/applications/{}", client.application.id);
    let body = json!({ "oidcClientMetadata": { "redirectUris": [redirect_uri], "postLogoutRedirectUris": [] } });
    app.manager().await.patch(&application, body).await.expect("200");
    let folder = tempfile::tempdir().unwrap();
    compile(folder.path());
    let mut child = Command::new("node")
        .arg(folder.path().join("client.mjs"))
        .args(["DELETE", &app.url(path)])
        .env("ISSUER", format!("{}/", app.running.url()))
        .env("CLIENT_ID", client.application.id.as_str())
        .env("REDIRECT_URI", &redirect_uri)
        .env("SCOPE", "openid phone email")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut told = Vec::new();
    let mut surfer: Option<Surfer<'_>> = None;
    for line in lines {
        let Some(page) = line.strip_prefix("OPEN ") else {
            told.push(line);
            continue;
        };
        let page = page.strip_prefix(&app.running.url()).unwrap().to_owned();
        let is_first = surfer.is_none();
        let mut there = match surfer.take() {
            Some(mut there) => {
                there.go(&page).await;
                there
            }
            None => Surfer::at(app, &page).await,
        };
        if is_first || !has_two {
            sign_in_again(app, &mut there, &user.email).await;
        } else {
            let code = app.code_after(&user.phone, there.give_phone(&user.phone)).await;
            there.give_code(&code).await;
            there.give_password(&user.password).await;
        }
        app.http.get(there.leads_to()).send().await.unwrap();
        surfer = Some(there);
    }
    assert!(child.wait().unwrap().success(), "{told:?}");
    told
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_only_the_rfc_finishes_a_step_up() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let told = play(&app, &user, "/api/my-account/primary-phone", false).await;
    assert_eq!(told, [r#"STEP UP {"acr_values":"urn:countersign:acr:1fa","max_age":"600"}"#, "204 "]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_knows_only_the_rfc_finishes_a_step_up_that_takes_two_factors() {
    let app = TestApp::start_with(with_operations).await;
    let user = app.user().await;
    let told = play(&app, &user, "/api/my-account/primary-email", true).await;
    assert_eq!(told, [r#"STEP UP {"acr_values":"urn:countersign:acr:2fa","max_age":"120"}"#, "204 "]);
}
