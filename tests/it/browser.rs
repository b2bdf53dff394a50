//! Hosted pages in a real browser: Debian's Chromium, driven by puppeteer. The scenarios are in `tests/browser`; what they need comes
//! from `.ci/test`.
//!
//! `tests/browser/screenshots` takes the pictures of `docs/screenshots` anew.

use std::{
    io::{BufRead, BufReader, Write},
    process::{Command, Stdio},
    sync::Arc,
    time::Duration,
};

use countersign::{clock::ManualClock, domain::application::ClientSettings};
use serde_json::json;

use crate::{harness::TestApp, hosted::client::Client};

const RUN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/browser/run");

/// Runs a scenario to its end, and moves the clock when it asks for that.
#[expect(
    clippy::disallowed_methods,
    reason = "the scenario talks to the server of this very runtime, which must go on meanwhile"
)]
async fn plays(scenario: &'static str) -> TestApp {
    let app = TestApp::start().await;
    let settings = ClientSettings {
        cors_allowed_origins: vec!["https://www.example.com".to_owned()],
        ..ClientSettings::default()
    };
    let client = Client::of(&app, "SPA", settings).await;
    let user = json!({
        "primaryEmail": "mika.two@example.com", "primaryPhone": "12025550142", "password": "seven brown horses",
    });
    app.manager().await.post("/api/users", user).await.expect("200");
    let environment =
        [("COUNTERSIGN_URL", app.running.url()), ("COUNTERSIGN_CLIENT_ID", client.application.id.to_string())];
    let clock = Arc::clone(&app.clock);
    tokio::task::spawn_blocking(move || run(scenario, &environment, &clock)).await.unwrap();
    app
}

fn run(scenario: &str, environment: &[(&str, String)], clock: &ManualClock) {
    let mut command = Command::new(RUN);
    command.arg(scenario).envs(environment.iter().map(|(name, value)| (name, value)));
    // Relative to the repository, whatever the folder the tests run in.
    if let Ok(folder) = std::env::var("COUNTERSIGN_SCREENSHOTS") {
        command.env("COUNTERSIGN_SCREENSHOTS", std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join(folder));
    }
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut answers = child.stdin.take().unwrap();
    let mut errors = child.stderr.take().unwrap();
    let told = std::thread::spawn(move || std::io::read_to_string(&mut errors).unwrap_or_default());
    for line in BufReader::new(child.stdout.take().unwrap()).lines() {
        let line = line.unwrap();
        if let Some(seconds) = line.strip_prefix("@advance ") {
            clock.advance(Duration::from_secs(seconds.parse().unwrap()));
            answers.write_all(b"done\n").unwrap();
        } else {
            println!("{line}");
        }
    }
    let status = child.wait().unwrap();
    assert!(status.success(), "{scenario}: {}", told.join().unwrap());
}

#[tokio::test]
async fn people_sign_up_and_in_by_a_code_that_was_mailed() {
    let app = plays("signUpAndInByEmail").await;
    let mut session = app.write().await;
    let count: i64 = session
        .fetch_value("select count(*) from users where primary_email <> 'mika.two@example.com'", ())
        .await
        .unwrap();
    assert_eq!(count, 1, "two spellings of one address are one account");
}

#[tokio::test]
async fn people_sign_in_by_a_text_message() {
    plays("signInBySms").await;
}

#[tokio::test]
async fn an_address_can_be_edited_and_a_code_sent_again() {
    plays("editAndResend").await;
}

#[tokio::test]
async fn wrong_and_expired_codes_are_told_apart_and_mended() {
    plays("wrongAndExpiredCodes").await;
}

#[tokio::test]
async fn too_many_messages_are_refused_on_the_page() {
    plays("tooManyMessages").await;
}

#[tokio::test]
async fn a_sign_in_belongs_to_the_browser_that_began_it() {
    plays("otherBrowser").await;
}

#[tokio::test]
async fn tabs_go_side_by_side_and_going_back_does_no_harm() {
    plays("severalTabsAndBack").await;
}

#[tokio::test]
async fn all_of_it_works_without_a_script() {
    plays("withoutScript").await;
}

#[tokio::test]
async fn people_prove_two_factors_one_after_the_other() {
    plays("twoFactors").await;
}

#[tokio::test]
async fn people_prove_two_factors_without_a_script() {
    plays("twoFactorsWithoutScript").await;
}

#[tokio::test]
async fn every_page_of_a_step_up_is_clean_in_both_languages_wide_and_narrow_light_and_dark() {
    plays("everyPageOfTwoFactors").await;
}

#[tokio::test]
async fn pages_and_messages_speak_the_language_that_was_asked_for() {
    plays("japanese").await;
}

#[tokio::test]
async fn a_link_that_scanners_opened_first_still_lets_the_person_in() {
    plays("magicLink").await;
}

#[tokio::test]
async fn a_link_leads_to_the_application_and_on_to_what_it_lists() {
    plays("linkThatLeadsOn").await;
}

#[tokio::test]
async fn a_link_finishes_a_hosted_sign_in_in_its_own_browser() {
    plays("hostedLink").await;
}

#[tokio::test]
async fn where_somebody_guesses_the_owner_types_a_long_code() {
    plays("longCode").await;
}

#[tokio::test]
async fn addresses_are_added_and_removed_on_the_account_page() {
    plays("accountPageAddresses").await;
}

#[tokio::test]
async fn people_sign_out_after_one_question() {
    plays("signOut").await;
}

#[tokio::test]
async fn password_and_email_are_changed_on_the_account_page_through_a_step_up() {
    let app = plays("accountPage").await;
    let mut session = app.write().await;
    let sql = "select count(*) from users where primary_email = 'new.ada@example.com' and password_digest is not null";
    let count: i64 = session.fetch_value(sql, ()).await.unwrap();
    assert_eq!(count, 1, "the page changed the account");
}

#[tokio::test]
async fn the_account_page_is_clean_in_japanese_narrow_and_dark() {
    plays("accountPageInJapanese").await;
}

#[tokio::test]
async fn every_page_is_clean_in_both_languages_wide_and_narrow_light_and_dark() {
    plays("everyPage").await;
}
