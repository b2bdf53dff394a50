//! Many at once. On SQLite one writer hides many a missing guard: these must run on PostgreSQL, too.

use futures_util::future::join_all;
use serde_json::json;

use crate::harness::TestApp;

#[tokio::test(flavor = "multi_thread")]
async fn of_many_right_codes_at_once_one_wins() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let tries = (0..50).map(|_| user.try_code("email", &user.email, &record, &code));
    let won = join_all(tries).await.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(won, 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_guesses_over_two_nodes_evaluates_five() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    let record = user.send_code("email", &user.email).await.expect("201").record();
    let code = app.code_for(&user.email);
    let wrong = if code == "000000" { "000001" } else { "000000" };
    let there = user.on(&second);
    let tries = (0..20).map(|number| {
        let guesser = if number % 2 == 0 { &user } else { &there };
        guesser.try_code("email", &user.email, &record, wrong)
    });
    let answers = join_all(tries).await;
    let evaluated = answers.iter().filter(|answer| answer.gist().ends_with("code_mismatch")).count();
    assert!(evaluated <= 5, "{evaluated} guesses were evaluated");
    assert_ne!(user.try_code("email", &user.email, &record, &code).await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_wrong_passwords_over_two_nodes_evaluates_ten() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    let there = user.on(&second);
    let tries = (0..40).map(|number| {
        let guesser = if number % 2 == 0 { &user } else { &there };
        guesser.try_password("wrong")
    });
    let answers = join_all(tries).await;
    let evaluated = answers.iter().filter(|answer| answer.status == 422).count();
    assert_eq!(evaluated, 9, "the tenth is answered as blocked, and no more are evaluated");
    assert_eq!(app.number("select count(*) from guesses where failed").await, 10);
    user.try_password(&user.password).await.expect("400 session.verification_blocked_too_many_attempts");
}

#[tokio::test(flavor = "multi_thread")]
async fn forty_right_passwords_at_once_all_pass() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let answers = join_all((0..40).map(|_| user.try_password(&user.password))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    assert_eq!(app.number("select count(*) from guesses").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn in_a_crowd_of_guesses_each_is_its_own() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let mut users = Vec::new();
    for _ in 0..24 {
        users.push(app.user().await);
    }
    let mut session = app.write().await;
    for locked in [&users[3], &users[11]] {
        let sql = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
                   values ($1, 'password', 0, $2, 1, 10)";
        session.execute(sql, (&locked.id, app.now().plus(std::time::Duration::from_secs(60)))).await.unwrap();
    }
    session.commit().await.unwrap();
    let there: Vec<_> = users.iter().map(|user| user.on(&second)).collect();
    let crowd = users.iter().chain(&there).enumerate().map(async |(number, user)| {
        let is_wrong = number % 24 % 5 == 0;
        let answer = user.try_password(if is_wrong { "wrong" } else { &user.password }).await;
        answer.expect(match number % 24 {
            3 | 11 => "400 session.verification_blocked_too_many_attempts",
            _ if is_wrong => "422 session.invalid_credentials",
            _ => "201",
        });
    });
    join_all(crowd).await;
    assert_eq!(app.number("select count(*) from guesses where not failed").await, 0);
    assert_eq!(app.number("select count(*) from guesses where failed").await, 10);
    let sql = "select count(*) from guess_guards where failures_in_a_row = 2 and locks = 0";
    assert_eq!(app.number(sql).await, 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_finds_no_time_to_be_hashed_has_not_guessed() {
    let app = TestApp::start_with(|config| {
        (config.hashing.threads, config.hashing.deadline_ms) = (1, 20);
        (config.hashing.memory_kib, config.hashing.passes) = (65_536, 6);
    })
    .await;
    let mut users = Vec::new();
    for _ in 0..12 {
        users.push(app.user().await);
    }
    let answers = join_all(users.iter().map(|user| user.try_password(&user.password))).await;
    let turned_away = answers.iter().filter(|answer| answer.status == 503);
    assert!(turned_away.clone().all(|answer| answer.header("retry-after").is_some()));
    // Of those outside, and of those who were let in, counted and then not judged; what is left would count as failed before long.
    assert!(turned_away.count() >= 8, "{answers:?}");
    assert_eq!(app.number("select count(*) from guesses").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_bound_by_one_of_two_users() {
    let app = TestApp::start_with(|config| config.limits.send_gap_seconds = 0).await;
    for _ in 0..5 {
        let (one, two) = (app.user().await, app.user().await);
        let email = one.new_email();
        let mut calls = Vec::new();
        for user in [&one, &two] {
            let record = user.verify_password().await;
            let proof = user.verify_code("email", &email).await;
            calls.push((user, record, json!({ "email": email, "newIdentifierVerificationRecordId": proof })));
        }
        let path = "/api/my-account/primary-email";
        let answers =
            join_all(calls.iter().map(|(user, record, body)| user.call("POST", path, record, body.clone()))).await;
        let mut gists: Vec<String> = answers.iter().map(crate::harness::Answer::gist).collect();
        gists.sort();
        assert_eq!(gists, ["204", "422 user.email_already_in_use"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_proof_of_an_address_binds_once() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let (record, email) = (user.verify_password().await, user.new_email());
    let proof = user.verify_code("email", &email).await;
    let body = json!({ "email": email, "newIdentifierVerificationRecordId": proof });
    let path = "/api/my-account/primary-email";
    let answers = join_all((0..20).map(|_| user.call("POST", path, &record, body.clone()))).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{answers:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_burst_of_sends_to_one_address_sends_one() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    let user = app.user().await;
    let there = user.on(&second);
    let sends = (0..20).map(|number| (if number % 2 == 0 { &user } else { &there }).send_code("email", &user.email));
    let answers = join_all(sends).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 1);
    assert_eq!(app.mailbox.messages().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_change_and_a_verification_by_the_old_one_do_not_both_stand() {
    let app = TestApp::start().await;
    for _ in 0..10 {
        let user = app.user().await;
        let by_email = user.verify_code("email", &user.email).await;
        let new = json!({ "password": "an entirely new passphrase" });
        let (changed, verified) = tokio::join!(
            user.call("POST", "/api/my-account/password", &by_email, new),
            user.try_password(&user.password),
        );
        changed.expect("204");
        if verified.status == 201 {
            // It came first: the change revoked it.
            let answer = user.call("PATCH", "/api/my-account", &verified.record(), json!({ "username": "late" })).await;
            answer.expect("401 verification_record.permission_denied");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_many_password_changes_by_one_record_that_rests_on_the_old_password_one_wins() {
    let app = TestApp::start().await;
    let user = app.user().await;
    let record = user.verify_password().await;
    // All pass the early check; the first that commits revokes the record under the others.
    let changes = (0..8).map(|number| {
        let new = json!({ "password": format!("an entirely new passphrase {number}") });
        let (user, record) = (&user, &record);
        async move { user.call("POST", "/api/my-account/password", record, new).await }
    });
    let answers = join_all(changes).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 204).count(), 1, "{answers:?}");
}
