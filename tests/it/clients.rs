//! Clients that others make work against the server: generated from the OpenAPI document, or written for the contract. And
//! schemathesis, which holds the server against the document, finds nothing.
//!
//! The tools come from `.ci/test`; `tests/clients/prepare` generates and compiles from `openapi/countersign.json`, which
//! `tests/it/openapi.rs` holds to the code.

use std::{
    process::{Command, Stdio},
    sync::OnceLock,
};

use crate::harness::{TestApp, User};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/clients");

/// Generates and compiles the clients, once.
pub fn prepare() {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| run("prepare", &[], &[]));
}

/// Installs the packages of npm, once; gives their folder.
pub fn packages() -> &'static str {
    static DONE: OnceLock<()> = OnceLock::new();
    DONE.get_or_init(|| run("prepare", &["npm"], &[]));
    concat!(env!("CARGO_MANIFEST_DIR"), "/target/clients/node_modules")
}

/// Runs a script of the folder to its end; what it prints is shown when it fails.
fn run(script: &str, arguments: &[&str], environment: &[(&str, String)]) {
    let mut command = Command::new(format!("{FOLDER}/{script}"));
    command.args(arguments).envs(environment.iter().map(|(name, value)| (name, value))).stdin(Stdio::null());
    let output = command.output().unwrap_or_else(|error| panic!("{script}: {error}"));
    println!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{script} {arguments:?} failed");
}

/// Runs a script beside the server, and tells it where all is and who it is.
#[expect(
    clippy::disallowed_methods,
    reason = "the script talks to the server of this very runtime, which must go on meanwhile"
)]
async fn run_against(app: &TestApp, user: &User<'_>, script: &'static str, arguments: &'static [&'static str]) {
    let management = app.manager().await.token;
    let environment = vec![
        ("COUNTERSIGN_URL", app.running.url()),
        ("COUNTERSIGN_MAILBOX", app.url("/mailbox")),
        ("COUNTERSIGN_TOKEN", user.token.clone()),
        ("COUNTERSIGN_USER_ID", user.id.to_string()),
        ("COUNTERSIGN_PASSWORD", user.password.clone()),
        ("COUNTERSIGN_NEW_EMAIL", user.new_email()),
        ("COUNTERSIGN_CLIENT_ID", app.application.to_string()),
        ("COUNTERSIGN_CLIENT_SECRET", app.management_secret.clone()),
        ("COUNTERSIGN_MANAGEMENT_TOKEN", management),
        ("COUNTERSIGN_TLS_PORT", tls_port(app)),
    ];
    let work = move || {
        if script == "run" {
            prepare();
        }
        run(script, arguments, &environment);
    };
    tokio::task::spawn_blocking(work).await.unwrap();
}

/// The port of the public URL, where a script ends TLS.
fn tls_port(app: &TestApp) -> String {
    app.app().urls.root.rsplit_once(':').map_or_else(String::new, |(_, port)| port.to_owned())
}

/// A library signs people in, unmodified, over TLS: the server is known to the outside as `https://localhost` and a port.
async fn signs_in(arguments: &'static [&'static str]) {
    let port = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let app = TestApp::start_with(|config| {
        config.server.public_url = Some(format!("https://localhost:{port}"));
        config.limits.send_gap_seconds = 0;
    })
    .await;
    // The libraries check times by the clock of this machine.
    app.clock.set(countersign::clock::Clock::now(&countersign::clock::SystemClock));
    let user = app.user().await;
    run_against(&app, &user, "run", arguments).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn auth0s_libraries_sign_people_in() {
    signs_in(&["auth0"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn logtos_library_signs_people_in_by_the_hosted_pages() {
    signs_in(&["logto"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_generic_library_signs_people_in_with_pkce_and_a_key_of_its_own() {
    signs_in(&["openid-client"]).await;
}

/// The main job by a client, and what it left behind.
async fn does_the_main_job(arguments: &'static [&'static str]) {
    let app = TestApp::start().await;
    let user = app.user().await;
    run_against(&app, &user, "run", arguments).await;
    let account = user.get("/api/my-account").await.expect("200").json();
    assert_eq!(account["primaryEmail"], user.new_email());
    user.try_password(&user.password).await.expect("422 session.invalid_credentials");
}

#[tokio::test]
async fn the_client_of_openapi_generator_for_typescript_does_the_main_job() {
    does_the_main_job(&["typescript-fetch"]).await;
}

#[tokio::test]
async fn the_client_of_openapi_generator_for_python_does_the_main_job() {
    does_the_main_job(&["python"]).await;
}

#[tokio::test]
async fn the_client_of_openapi_typescript_does_the_main_job() {
    does_the_main_job(&["openapi-typescript"]).await;
}

#[tokio::test]
async fn the_management_client_of_the_contract_works_unchanged() {
    let app = TestApp::start().await;
    let user = app.user().await;
    run_against(&app, &user, "run", &["logto-api"]).await;
}

#[tokio::test]
async fn a_receiver_of_webhooks_verifies_them_with_the_library_of_the_standard() {
    let app = TestApp::start_with(|config| config.webhooks.allowed_networks = vec!["127.0.0.0/8".parse().unwrap()]);
    let app = app.await;
    let user = app.user().await;
    run_against(&app, &user, "run", &["webhooks"]).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_what_users_reach() {
    let app = TestApp::start().await;
    let user = app.user().await;
    // Or wrong passwords would soon lock the method, and nothing behind it would be seen any more.
    app.change_settings(|settings| settings.sign_in_experience.sentinel_policy.max_attempts = 1000).await;
    run_against(&app, &user, "schemathesis", &["user"]).await;
}

#[tokio::test]
async fn schemathesis_finds_nothing_in_what_operators_reach() {
    let app = TestApp::start().await;
    let user = app.user().await;
    run_against(&app, &user, "schemathesis", &["management"]).await;
}
