//! What is over is swept away; what still counts stays.

use std::time::Duration;

use countersign::jobs::sweeping::sweep;

use crate::harness::TestApp;

const HOUR: u64 = 3600;

/// Rows of every kind: `n` that are over, numbered from 1, and one of each that is not.
async fn fill(app: &TestApp, n: i64) {
    let user = app.user().await;
    let mut session = app.write().await;
    let (old, new) = (app.now().minus(Duration::from_secs(40 * 24 * HOUR)), app.now());
    let is_sqlite = app.app().db.engine() == countersign::storage::Engine::Sqlite;
    for (at, count) in [(old, n), (new, 1)] {
        let (mark, user) = (format!("{}-", at.0), &user.id);
        for sql in [
            "insert into guesses (id, user_id, method, at, failed) select $4 || i, $1, 'Password', $2, true from n",
            "insert into sends (id, recipient_hash, user_id, at) select $4 || i, $5, $1, $2 from n",
            "insert into send_guards (subject, touched_at) select $4 || i, $2 from n",
            "insert into sessions (id, user_id, created_at, ended_at) select $4 || i, $1, $2, $2 from n",
            "insert into sessions (id, user_id, created_at, expires_at) select 'e' || $4 || i, $1, $2, $2 from n",
            "insert into outbox (id, kind, template, user_id, sealed, attempts, created_at, next_attempt_at, expires_at, delivered_at)
               select $4 || i, 'email', 't', $1, $5, 1, $2, $2, $2, $2 from n",
            "insert into outbox (id, kind, template, user_id, sealed, attempts, created_at, next_attempt_at, expires_at, given_up_at)
               select 'g' || $4 || i, 'email', 't', $1, $5, 1, $2, $2, $2, $2 from n",
            if is_sqlite {
                "insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at)
                   select cast('r' || $4 || i as blob), $1, 'Password', 'p', 0, $2, $2 from n"
            } else {
                "insert into verification_records (id_hash, user_id, method, purpose, guesses, created_at, expires_at)
                   select convert_to('r' || $4 || i, 'UTF8'), $1, 'Password', 'p', 0, $2, $2 from n"
            },
            if is_sqlite {
                "insert into subject_tokens (token_hash, user_id, created_at, expires_at)
                   select cast($4 || i as blob), $1, $2, $2 from n"
            } else {
                "insert into subject_tokens (token_hash, user_id, created_at, expires_at)
                   select convert_to($4 || i, 'UTF8'), $1, $2, $2 from n"
            },
        ] {
            // Every parameter is used, with its type, whichever of them the rows take.
            let bytes = if is_sqlite { "blob" } else { "bytea" };
            let sql = format!(
                "with recursive n(i) as (select 1 union all select i + 1 from n where i < $3), used as (select
                   cast($1 as text), cast($2 as bigint), cast($3 as bigint), cast($4 as text), cast($5 as {bytes})) {sql}"
            );
            let sql: &'static str = Box::leak(sql.into_boxed_str());
            session.execute(sql, (user, at, count, &mark, Vec::<u8>::new())).await.unwrap();
        }
    }
    session.commit().await.unwrap();
}

const COUNTED: [(&str, i64); 8] = [
    ("select count(*) from guesses", 1),
    ("select count(*) from sends", 1),
    ("select count(*) from send_guards", 1),
    ("select count(*) from sessions where ended_at is not null", 1),
    // One that is not over, and the one of the user's token.
    ("select count(*) from sessions where ended_at is null", 2),
    ("select count(*) from outbox", 2),
    ("select count(*) from verification_records", 1),
    ("select count(*) from subject_tokens", 1),
];

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_sweep_what_is_over_and_leave_the_rest() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    fill(&app, 600).await;
    let (one, other) = tokio::join!(sweep(app.app()), sweep(second.app()));
    let swept = one.unwrap() + other.unwrap();
    for (sql, left) in COUNTED {
        assert_eq!(app.number(sql).await, left, "{sql}");
    }
    assert_eq!(swept, 9 * 600, "each row is deleted once");
    assert_eq!(sweep(app.app()).await.unwrap(), 0);
}

#[tokio::test]
async fn guards_that_guard_something_stay() {
    let app = TestApp::start().await;
    let mut session = app.write().await;
    for (name, locked_until, locks, failures) in [
        ("idle", 0, 0, 0),
        ("locked", app.now().plus(Duration::from_secs(60)).0, 0, 0),
        ("locked before", 0, 1, 0),
        ("failed before", 0, 0, 3),
    ] {
        let sql = "insert into users (id, profile, custom_data, is_suspended, created_at, updated_at) values ($1, '{}', '{}', false, 0, 0)";
        session.execute(sql, (name,)).await.unwrap();
        let sql = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
                   values ($1, 'Password', 0, $2, $3, $4)";
        session.execute(sql, (name, locked_until, i64::from(locks), i64::from(failures))).await.unwrap();
    }
    session.commit().await.unwrap();
    assert_eq!(sweep(app.app()).await.unwrap(), 1);
    assert_eq!(app.number("select count(*) from guess_guards where user_id = 'idle'").await, 0);
    assert_eq!(app.number("select count(*) from guess_guards").await, 3);
}

#[tokio::test]
async fn guards_of_many_users_are_swept_step_by_step() {
    let app = TestApp::start().await;
    let mut session = app.write().await;
    let users = "with recursive n(i) as (select 1 union all select i + 1 from n where i < 700)
        insert into users (id, profile, custom_data, is_suspended, created_at, updated_at)
        select 'u' || i, '{}', '{}', false, 0, 0 from n";
    session.execute(users, ()).await.unwrap();
    for method in ["Password", "EmailVerificationCode"] {
        let guards = "insert into guess_guards (user_id, method, touched_at, locked_until, locks, failures_in_a_row)
                      select id, $1, 0, 0, 0, 0 from users";
        session.execute(guards, (method,)).await.unwrap();
    }
    session.commit().await.unwrap();
    assert_eq!(sweep(app.app()).await.unwrap(), 1400);
    assert_eq!(app.number("select count(*) from guess_guards").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_beside_the_sweeping_are_answered() {
    let app = TestApp::start().await;
    let second = app.second_node().await;
    fill(&app, 3000).await;
    let user = app.user().await;
    let there = user.on(&second);
    let requests = async {
        for _ in 0..10 {
            user.verify_password().await;
            there.verify_password().await;
        }
    };
    let (swept, ()) = tokio::join!(sweep(app.app()), requests);
    assert_eq!(swept.unwrap(), 9 * 3000);
}

#[tokio::test]
async fn a_session_nobody_ended_goes_long_after_its_last_token() {
    let app = TestApp::start_with(|config| config.retention.sessions_hours = 2).await;
    let user = app.user().await;
    let sessions = "select count(*) from sessions";
    app.advance(3 * HOUR - 1);
    assert_eq!((sweep(app.app()).await.unwrap(), app.number(sessions).await), (0, 1), "two hours are not over");
    let later = user.with_token(user.new_token(&app.application, &["openid"]).await);
    app.advance(1);
    assert_eq!((sweep(app.app()).await.unwrap(), app.number(sessions).await), (1, 1));
    user.get("/api/my-account").await.expect("401 auth.unauthorized");
    later.get("/api/my-account").await.expect("200");
}
