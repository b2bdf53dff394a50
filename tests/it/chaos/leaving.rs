//! Clients that leave in the middle of a request, and clients that try again: all or nothing, and once.

use std::time::Duration;

use futures_util::future::join_all;
use serde_json::json;
use tokio::{io::AsyncWriteExt, net::TcpStream};

use crate::harness::{TestApp, TestDatabase, User};

/// Asks, and is gone after a while: with a reset, which the server notices at once.
pub async fn ask_and_leave(
    user: &User<'_>,
    method: &str,
    path: &str,
    record: &str,
    body: serde_json::Value,
    after: Duration,
) {
    let mut stream = TcpStream::connect(user.app.running.address).await.unwrap();
    let body = body.to_string();
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {}\r\nverification-id: {record}\r\n\
         content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
        user.token,
        body.len()
    );
    stream.write_all(head.as_bytes()).await.unwrap();
    tokio::time::sleep(after).await;
    stream.set_zero_linger().unwrap();
}

/// What is under way comes to an end; what was left behind would not.
pub async fn no_transaction_stays_open(app: &TestApp) {
    let sql = "select count(*) from pg_stat_activity
               where datname = current_database() and state like 'idle in transaction%'
                 and state_change < now() - interval '2 seconds'";
    tokio::time::sleep(Duration::from_millis(2500)).await;
    assert_eq!(app.number(sql).await, 0);
}

/// Lets the server come to an end with what it has begun.
async fn settle(app: &TestApp) {
    tokio::time::sleep(Duration::from_millis(300)).await;
    // Nobody holds a connection any more, nor the writer.
    let users = join_all((0..8).map(|_| app.user())).await;
    let answers = join_all(users.iter().map(|user| user.try_password(&user.password))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_leaves_has_changed_all_or_nothing() {
    let app = TestApp::start().await;
    let (mut changed, mut unchanged) = (0, 0);
    for number in 0..60 {
        let user = app.user().await;
        let record = user.verify_password().await;
        let new = json!({ "password": "an entirely new passphrase" });
        let after = Duration::from_micros(300 * number);
        ask_and_leave(&user, "POST", "/api/my-account/password", &record, new, after).await;
        // Whoever comes next waits for what holds the rows.
        let again = user.call("PATCH", "/api/my-account", &record, json!({ "name": "x" })).await;
        assert!(matches!(again.status, 200 | 401), "{again:?}");
    }
    settle(&app).await;
    let rows: Vec<(String, i64, i64, i64)> = {
        let sql = "select users.id,
              (select count(*) from audit_events where user_id = users.id and type = 'account.password.update'),
              (select count(*) from outbox where user_id = users.id and template = 'PasswordChanged'),
              (select count(*) from verification_records where user_id = users.id and revoked_at is not null)
            from users where id in (select user_id from verification_records) order by users.id";
        app.app().db.read().await.unwrap().fetch_all(sql, ()).await.unwrap()
    };
    for (id, events, notices, revoked) in rows {
        assert!(
            (events, notices, revoked) == (0, 0, 0) || (events, notices, revoked) == (1, 1, 1),
            "{id}: half a change"
        );
        if events == 1 { changed += 1 } else { unchanged += 1 }
    }
    println!("{changed} changed, {unchanged} did not");
    assert!(changed > 0, "every client left too early to show anything");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_that_leave_while_they_wait_for_a_row_leave_no_transaction_open() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    // Each would get the transaction next; all leave before they do.
    let mut held = app.write().await;
    countersign::storage::users::lock(&mut held, &user.id).await.unwrap();
    let asks = (0..20).map(|number| {
        let body = json!({ "password": format!("entirely new passphrase {number}") });
        ask_and_leave(&user, "POST", "/api/my-account/password", &record, body, Duration::from_millis(200 + number))
    });
    join_all(asks).await;
    drop(held);
    settle(&app).await;
    let events = app.number("select count(*) from audit_events where type = 'account.password.update'").await;
    assert!(events <= 1, "a record that rests on the old password opened {events} gates");
    if TestDatabase::is_postgres() {
        no_transaction_stays_open(&app).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_tries_again_changes_once() {
    let app = TestApp::start().await;
    for number in 0..10 {
        let user = app.user().await;
        let (record, email) = (user.verify_password().await, user.new_email());
        let proof = user.verify_code("email", &email).await;
        let body = json!({ "email": email, "newIdentifierVerificationRecordId": proof });
        let path = "/api/my-account/primary-email";
        ask_and_leave(&user, "POST", path, &record, body.clone(), Duration::from_micros(2000 * number)).await;
        let again = user.call("POST", path, &record, body.clone()).await;
        // Either it was done before, and its proof is used; or it is done now.
        assert!(matches!(again.gist().as_str(), "204" | "400 verification_record.not_found"), "{again:?}");
        user.call("POST", path, &record, body).await.expect("400 verification_record.not_found");
        assert_eq!(user.get("/api/my-account").await.json()["primaryEmail"], email);
    }
    let bound = app.number("select count(*) from audit_events where type = 'account.email.update'").await;
    assert_eq!(bound, 10);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_guess_whose_client_leaves_is_counted() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let body =
        json!({ "identifier": { "type": "email", "value": user.email }, "verificationId": record, "code": wrong });
    for _ in 0..5 {
        let path = "/api/verifications/verification-code/verify";
        ask_and_leave(&user, "POST", path, "none", body.clone(), Duration::from_millis(100)).await;
    }
    settle(&app).await;
    let right = user.try_code("email", &user.email, &record, &code).await;
    right.expect("400 verification_code.exceed_max_try");
}
