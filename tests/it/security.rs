//! What `docs/security.md` claims: that its tests are there, and those claims no other test shows.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::Path,
};

use countersign::{
    config::Config,
    crypto::master_key::MasterKey,
    server::{self, Options},
};
use serde_json::{Value, json};

use crate::harness::{TestApp, TestDatabase, sources};

const BLOCKED: &str = "400 session.verification_blocked_too_many_attempts";

/// The names of all test functions.
fn tests() -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for file in sources("src").into_iter().chain(sources("tests")) {
        let text = fs::read_to_string(file).unwrap();
        let mut is_test = false;
        for line in text.lines().map(str::trim_start) {
            is_test |= ["#[test]", "#[tokio::test", "#[rstest]"].iter().any(|mark| line.starts_with(mark));
            let function = line.strip_prefix("async ").unwrap_or(line).strip_prefix("fn ");
            if let (true, Some(rest)) = (is_test, function) {
                names.insert(rest.split('(').next().unwrap().to_owned());
                is_test = false;
            }
        }
    }
    names
}

/// The requirements of the chapters of ASVS 5.0.0 that the table is about: how many each section has.
const SECTIONS: &[(&str, usize)] = &[
    ("6.1", 3),
    ("6.2", 12),
    ("6.3", 8),
    ("6.4", 6),
    ("6.5", 8),
    ("6.6", 4),
    ("6.7", 2),
    ("6.8", 4),
    ("7.1", 3),
    ("7.2", 4),
    ("7.3", 2),
    ("7.4", 5),
    ("7.5", 3),
    ("7.6", 2),
    ("9.1", 3),
    ("9.2", 4),
    ("10.1", 2),
    ("10.2", 3),
    ("10.3", 5),
    ("10.4", 16),
    ("10.5", 5),
    ("10.6", 2),
    ("10.7", 3),
    ("11.1", 4),
    ("11.2", 5),
    ("11.3", 5),
    ("11.4", 4),
    ("11.5", 2),
    ("11.6", 2),
    ("11.7", 2),
    ("16.1", 1),
    ("16.2", 5),
    ("16.3", 4),
    ("16.4", 3),
    ("16.5", 4),
];

#[test]
fn every_line_of_the_table_says_how_and_names_tests_that_are_there() {
    let text = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/security.md")).unwrap();
    let known = tests();
    assert!(known.contains("every_line_of_the_table_says_how_and_names_tests_that_are_there"));
    let mut rows = BTreeMap::new();
    // Before the first chapter stands a table of another kind.
    let (_, chapters) = text.split_once("\n## OWASP").unwrap();
    for line in chapters.lines().filter(|line| line.starts_with("| ") && !line.starts_with("| # ")) {
        let cells: Vec<&str> = line.trim_matches('|').split('|').map(str::trim).collect();
        let [number, asks, state, how, shown] = cells[..] else { panic!("not five cells: {line}") };
        assert!(!asks.is_empty() && (state == "met" || !how.is_empty()), "says too little: {line}");
        let states = ["met", "in part", "not met", "does not apply"];
        assert!(states.contains(&state), "{state} is none of {states:?}: {line}");
        let named: Vec<&str> = shown.split('`').skip(1).step_by(2).collect();
        for name in &named {
            assert!(known.contains(*name), "there is no test {name}: {line}");
        }
        let is_shown = !named.is_empty() || shown.contains("](");
        assert!(is_shown || !["met", "in part"].contains(&state), "nothing shows it: {line}");
        assert!(rows.insert(number.to_owned(), state.to_owned()).is_none(), "twice: {line}");
    }
    for (section, count) in SECTIONS {
        for number in 1..=*count {
            assert!(rows.contains_key(&format!("{section}.{number}")), "the table lacks {section}.{number}");
        }
    }
    for invariant in 1..=12 {
        assert!(rows.contains_key(&format!("I{invariant}")), "the table lacks invariant {invariant}");
    }
}

#[tokio::test]
async fn a_password_counts_to_its_last_letter_and_never_grows_old() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let words: Vec<_> = (0..99).map(|number| format!("Arm{}x", number * 7919 % 997)).collect();
    let password = format!(" {}", words.join(" ").chars().take(255).collect::<String>());
    assert_eq!(password.chars().count(), 256);
    user.call("POST", "/api/my-account/password", &record, json!({ "password": password })).await.expect("204");
    let shorter: String = password.chars().take(255).collect();
    for other in [&shorter, &password.to_lowercase(), &password.trim_start().to_owned(), &format!("{password} ")] {
        user.try_password(other).await.expect("422 session.invalid_credentials");
    }
    user.try_password(&password).await.expect("201");
    app.advance(10 * 365 * 24 * 3600);
    let user = user.with_token(user.new_token(&app.application, &["openid"]).await);
    user.try_password(&password).await.expect("201");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_installation_has_no_accounts() {
    let database = TestDatabase::new().await;
    let mut config = Config::default();
    config.database.url = database.url();
    let mut options = Options { master_key: Some(MasterKey::from_bytes([7; 32])), ..Options::default() };
    let app = server::build_app(config, "127.0.0.1:0".parse().unwrap(), &mut options).await.unwrap();
    let mut session = app.db.read().await.unwrap();
    for sql in ["select count(*) from users", "select count(*) from applications"] {
        let count: i64 = session.fetch_value(sql, ()).await.unwrap();
        assert_eq!(count, 0, "{sql}");
    }
}

#[tokio::test]
async fn a_new_code_has_six_digits_and_forgives_no_failure() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let mismatch = "400 verification_code.code_mismatch";
    for wrong in [5, 4] {
        let record = user.send_code("email", &user.email).await.expect("201").record();
        let code = app.code_for(&user.email);
        assert!(code.len() == 6 && code.bytes().all(|byte| byte.is_ascii_digit()), "{code}");
        for _ in 0..wrong {
            user.try_code("email", &user.email, &record, "wrong").await.expect(mismatch);
        }
        app.advance(31);
    }
    let record = user.send_code("email", &user.email).await.expect("201").record();
    user.try_code("email", &user.email, &record, "wrong").await.expect(BLOCKED);
    user.try_code("email", &user.email, &record, &app.code_for(&user.email)).await.expect(BLOCKED);
}

/// As PSD2 asks: five failures, whatever the ten of the default.
#[tokio::test]
async fn of_five_attempts_that_are_allowed_the_sixth_is_not_judged() {
    let app = TestApp::start().await;
    let user = app.user().await;
    app.change_settings(|settings| settings.sign_in_experience.sentinel_policy.max_attempts = 5).await;
    for _ in 0..4 {
        user.try_password("wrong").await.expect("422 session.invalid_credentials");
    }
    user.try_password("wrong").await.expect(BLOCKED);
    user.try_password(&user.password).await.expect(BLOCKED);
    assert_eq!(app.number("select count(*) from guesses").await, 5);
}

#[tokio::test]
async fn where_the_database_fails_nothing_passes_and_nothing_is_told() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let sent = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let rename = async |sql: &'static str| {
        let mut session = app.write().await;
        session.execute(sql, ()).await.unwrap();
        session.commit().await.unwrap();
    };
    rename("alter table verification_records rename to elsewhere").await;
    let name = json!({ "username": "passes" });
    for answer in [
        user.call("PATCH", "/api/my-account", &record, name.clone()).await,
        user.call("DELETE", "/api/my-account/primary-phone", &record, Value::Null).await,
        user.try_password(&user.password).await,
        user.send_code("phone", &user.phone).await,
        user.try_code("email", &user.email, &sent, &code).await,
    ] {
        let answer = answer.expect("503 request.service_unavailable");
        assert_eq!(answer.header("retry-after"), Some("1"));
        for word in ["verification_records", "elsewhere", "sql", "table", "relation", &record, &code] {
            assert!(!answer.text.to_lowercase().contains(word), "{}", answer.text);
        }
    }
    rename("alter table elsewhere rename to verification_records").await;
    assert_eq!(user.get("/api/my-account").await.json()["username"], user.username.as_str());
    user.call("PATCH", "/api/my-account", &record, name).await.expect("200");
    user.try_code("email", &user.email, &sent, &code).await.expect("200");
}

/// The Kelvin sign is a `K` to the eye and to Unicode, and another letter to a mail server.
#[tokio::test]
async fn an_address_that_only_looks_like_another_proves_nothing_about_it() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (own, free) = (format!("kim.{}@example.com", user.id), format!("kate.{}@example.com", user.id));
    let mut session = app.write().await;
    countersign::storage::users::set_email(&mut session, &user.id, Some(&own), Some(&own), app.now()).await.unwrap();
    session.commit().await.unwrap();
    let [like_own, like_free] = [&own, &free].map(|address| address.replacen('k', "\u{212A}", 1));
    let proof = user.verify_code("email", &like_own).await;
    let answer = user.call("PATCH", "/api/my-account", &proof, json!({ "username": "passes" })).await;
    answer.expect("401 verification_record.permission_denied");
    let record = user.verify_password().await;
    let proof = user.verify_code("email", &like_free).await;
    let body = json!({ "email": free, "newIdentifierVerificationRecordId": proof });
    let answer = user.call("POST", "/api/my-account/primary-email", &record, body).await;
    answer.expect("400 verification_record.not_found");
}
