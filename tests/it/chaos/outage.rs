//! PostgreSQL gone, silent, slow, read-only, out of connections: refused with a code, never passed, and well again by itself.

use std::time::{Duration, Instant};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    config::Config,
    storage::{Db, PoolLimits},
};
use futures_util::future::join_all;
use serde_json::json;
use sqlx::{AssertSqlSafe, Executor};

use super::{
    cluster::Cluster,
    leaving::no_transaction_stays_open,
    proxy::{Proxy, Way},
};
use crate::harness::{Answer, TestApp, User};

const UNAVAILABLE: &str = "503 request.service_unavailable";

/// A service whose database is `url`, and which waits for it no longer than a second.
async fn start(url: String) -> TestApp {
    start_waiting(url, 1000).await
}

async fn start_waiting(url: String, millis: u64) -> TestApp {
    TestApp::start_with(|config: &mut Config| {
        config.database.url = url;
        config.database.connections = 4;
        config.database.acquire_timeout_ms = millis;
        config.database.timeout_ms = millis;
    })
    .await
}

fn behind(proxy: &Proxy, cluster: &Cluster) -> String {
    let mut url = url::Url::parse(&cluster.url).unwrap();
    url.set_port(Some(proxy.port)).unwrap();
    url.into()
}

async fn start_behind(proxy: &Proxy, cluster: &Cluster) -> TestApp {
    start(behind(proxy, cluster)).await
}

async fn ask(app: &TestApp, path: &str) -> Answer {
    Answer::of(app.http.get(app.url(path))).await
}

/// One of each kind of request, together; each with what it must not be.
async fn every_kind(user: &User<'_>, record: &str) -> Vec<(&'static str, Answer, Duration)> {
    let timed = async |name, request: std::pin::Pin<Box<dyn Future<Output = Answer> + Send>>| {
        let start = Instant::now();
        (name, request.await, start.elapsed())
    };
    let app = user.app;
    let form = [("grant_type", "client_credentials"), ("resource", "https://default.logto.app/api")];
    let token = app.http.post(app.url("/oidc/token")).form(&form);
    let token = token.basic_auth(&app.application, Some(&app.management_secret));
    let answers = tokio::join!(
        timed("account", Box::pin(user.get("/api/my-account"))),
        timed("right password", Box::pin(user.try_password(&user.password))),
        timed("wrong password", Box::pin(user.try_password("wrong"))),
        timed("code", Box::pin(user.send_code("email", &user.email))),
        timed("token", Box::pin(Answer::of(token))),
        timed("gate", {
            let body = json!({ "password": "an entirely new passphrase" });
            Box::pin(user.call("POST", "/api/my-account/password", record, body))
        }),
        timed("ready", Box::pin(ask(app, "/readyz"))),
    );
    let (account, right, wrong, code, token, gate, ready) = answers;
    vec![account, right, wrong, code, token, gate, ready]
}

/// Nothing passes, in bounded time; the process lives and says that it is not ready.
async fn nothing_passes(user: &User<'_>, record: &str) -> Duration {
    // Readiness is found out once a second.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let mut longest = Duration::ZERO;
    for (name, answer, took) in every_kind(user, record).await {
        // The token endpoint speaks OAuth.
        let is_refused = answer.status == 503 && (name == "token" || answer.gist() == UNAVAILABLE);
        assert!(is_refused, "{name}: {answer:?}");
        assert!(answer.header("retry-after").is_some(), "{name}: {answer:?}");
        longest = longest.max(took);
    }
    let start = Instant::now();
    ask(user.app, "/healthz").await.expect("200");
    assert!(start.elapsed() < Duration::from_secs(1));
    longest
}

/// Waits until requests are served again; then all of many at once are.
async fn recovers(user: &User<'_>) -> Duration {
    let start = Instant::now();
    while user.get("/api/my-account").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(15), "it does not come back");
    }
    let took = start.elapsed();
    // Each of these needs a connection at some time: none is lost, none is left in an old transaction.
    let answers = join_all((0..12).map(|_| user.try_password(&user.password))).await;
    assert!(answers.iter().all(|answer| answer.status == 201), "{answers:?}");
    let start = Instant::now();
    while ask(user.app, "/readyz").await.status != 200 {
        assert!(start.elapsed() < Duration::from_secs(5), "it is not ready");
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    took
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_cut_off_or_falls_silent_passes_nobody_and_comes_back() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    let app = start_behind(&proxy, &cluster).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    ask(&app, "/readyz").await.expect("200");
    for way in [Way::Cut, Way::Silent] {
        // Twice: connections at hand are lost at first, and new ones cannot be had later.
        proxy.set(way);
        let first = nothing_passes(&user, &record).await;
        let second = nothing_passes(&user, &record).await;
        assert!(first.max(second) < Duration::from_secs(10), "{way:?}: {first:?}, {second:?}");
        proxy.set(Way::Open);
        let back = recovers(&user).await;
        println!("{way:?}: answered within {first:.1?} and {second:.1?}, back after {back:.1?}");
    }
    assert_eq!(user.verify_password().await.len(), 32, "the password is still the old one");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_statement_that_waits_when_the_way_falls_silent_is_given_up_on_both_ends() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    let app = start_behind(&proxy, &cluster).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    let mut other = cluster.connect().await;
    other.execute(AssertSqlSafe(format!("begin; update users set name = 'x' where id = '{}'", user.id))).await.unwrap();
    let change =
        user.call("POST", "/api/my-account/password", &record, json!({ "password": "entirely new, this one" }));
    let silence = async {
        tokio::time::sleep(Duration::from_millis(400)).await;
        proxy.set(Way::Silent);
    };
    let start = Instant::now();
    let (answer, ()) = tokio::join!(change, silence);
    answer.expect(UNAVAILABLE);
    assert!(start.elapsed() < Duration::from_secs(6), "{:?}", start.elapsed());
    proxy.set(Way::Open);
    other.execute("rollback").await.unwrap();
    // The server has not heard that the client is gone: its own limits let the rows go.
    recovers(&user).await;
    let record = user.verify_password().await;
    let renamed = user.call("PATCH", "/api/my-account", &record, json!({ "username": "after_silence" })).await;
    renamed.expect("200");
    no_transaction_stays_open(&app).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn tokens_with_unknown_keys_do_not_wait_in_a_row_for_a_silent_database() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    let app = start_behind(&proxy, &cluster).await;
    let user = app.user().await;
    proxy.set(Way::Silent);
    let part = |json: serde_json::Value| BASE64_URL_SAFE_NO_PAD.encode(json.to_string());
    let header = part(json!({ "alg": "ES256", "typ": "at+jwt", "kid": "somebody's" }));
    let token = format!("{header}.{}.{}", part(json!({ "iss": app.app().urls.issuers[1] })), "A".repeat(86));
    let stranger = user.with_token(token);
    let start = Instant::now();
    for answer in join_all((0..30).map(|_| stranger.get("/api/my-account"))).await {
        answer.expect(UNAVAILABLE);
    }
    assert!(start.elapsed() < Duration::from_secs(10), "{:?}", start.elapsed());
    proxy.set(Way::Open);
    stranger.get("/api/my-account").await.expect("401 auth.unauthorized");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_that_is_dropped_while_its_transaction_begins_leaves_none_open() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    // So long that the database's own limit on idle transactions does not hide one.
    let long = Duration::from_secs(20);
    let limits = PoolLimits { connections: 2, acquire_timeout: long, timeout: long };
    let db = Db::connect(&behind(&proxy, &cluster), limits).await.unwrap();
    let mut other = cluster.connect().await;
    proxy.set(Way::Slow(Duration::from_millis(25)));
    for millis in (5..90).step_by(10) {
        // What is dropped with the request of a client that leaves.
        let _ = tokio::time::timeout(Duration::from_millis(millis), db.write()).await;
        tokio::time::sleep(Duration::from_millis(300)).await;
        let sql = "select count(*) from pg_stat_activity where state like 'idle in transaction%'";
        let open: i64 = sqlx::query_scalar(sql).fetch_one(&mut other).await.unwrap();
        assert_eq!(open, 0, "dropped after {millis} ms");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_slow_database_makes_answers_late_and_none_wrong() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    let app = start_behind(&proxy, &cluster).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    proxy.set(Way::Slow(Duration::from_millis(30)));
    user.get("/api/my-account").await.expect("200");
    user.try_password("wrong").await.expect("422 session.invalid_credentials");
    user.try_password(&user.password).await.expect("201");
    proxy.set(Way::Slow(Duration::from_millis(900)));
    let start = Instant::now();
    for (name, answer, _) in every_kind(&user, &record).await {
        assert!(answer.status == 503 || (name == "account" && answer.status == 200), "{name}: {answer:?}");
    }
    assert!(start.elapsed() < Duration::from_secs(15), "{:?}", start.elapsed());
    proxy.set(Way::Open);
    recovers(&user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_read_only_database_takes_no_guess_and_opens_no_gate() {
    let Some(cluster) = Cluster::start() else { return };
    let app = start(cluster.url.clone()).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    recovers(&user).await;
    let before = connections(&cluster).await;
    let set = async |value: &str| {
        let mut connection = cluster.connect().await;
        // Outside of a transaction, and as the administrator of a database that has become read-only.
        connection.execute("set default_transaction_read_only = off").await.unwrap();
        let sql = format!("alter system set default_transaction_read_only = {value}");
        connection.execute(AssertSqlSafe(sql)).await.unwrap();
        connection.execute("select pg_reload_conf()").await.unwrap();
        tokio::time::sleep(Duration::from_millis(1200)).await;
    };
    set("on").await;
    for (name, answer, _) in every_kind(&user, &record).await {
        match name {
            // What reads may go on.
            "account" => assert_eq!(answer.status, 200, "{name}: {answer:?}"),
            // Its audit event cannot be written, so there is none.
            "token" => assert_eq!(answer.gist(), "503 oidc.temporarily_unavailable"),
            _ => assert_eq!(answer.gist(), UNAVAILABLE, "{name}"),
        }
    }
    // It may be a server that another has taken the place of.
    let after = connections(&cluster).await;
    assert!(before.iter().any(|process| !after.contains(process)), "{before:?} are still in use");
    set("off").await;
    recovers(&user).await;
}

/// All connections the service may have, opened and given back.
async fn warm_up(app: &TestApp) {
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let mut session = app.app().db.read().await.unwrap();
        session.fetch_value::<i64>("select cast(1 as bigint)", ()).await.unwrap();
        sessions.push(session);
    }
    drop(sessions);
    tokio::time::sleep(Duration::from_millis(100)).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_are_given_back_into_silence_are_replaced() {
    let Some(cluster) = Cluster::start() else { return };
    let proxy = Proxy::to(cluster.port()).await;
    let app = start_behind(&proxy, &cluster).await;
    let user = app.user().await;
    let mut sessions = Vec::new();
    for _ in 0..4 {
        let mut session = app.app().db.read().await.unwrap();
        session.fetch_value::<i64>("select cast(1 as bigint)", ()).await.unwrap();
        sessions.push(session);
    }
    proxy.set(Way::Silent);
    drop(sessions);
    tokio::time::sleep(Duration::from_millis(3000)).await;
    proxy.set(Way::Open);
    recovers(&user).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_that_a_database_left_behind_are_not_tried_on_requests() {
    let Some(cluster) = Cluster::start() else { return };
    let app = start(cluster.url.clone()).await;
    let user = app.user().await;
    let end = "select pg_terminate_backend(pid) from pg_stat_activity where application_name = 'countersign'";
    // They rested for a while: each is asked before it is used.
    warm_up(&app).await;
    cluster.run(end).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for answer in join_all((0..8).map(|_| user.get("/api/my-account"))).await {
        answer.expect("200");
    }
    // They were used a moment ago: a transaction begins on another.
    warm_up(&app).await;
    cluster.run(end).await;
    tokio::time::sleep(Duration::from_millis(100)).await;
    for session in join_all((0..4).map(|_| app.app().db.write())).await {
        drop(session.unwrap());
    }
}

/// The database's processes that work for the service.
async fn connections(cluster: &Cluster) -> Vec<i32> {
    let sql = "select pid from pg_stat_activity where application_name = 'countersign'";
    sqlx::query_scalar(sql).fetch_all(&mut cluster.connect().await).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_in_which_something_failed_is_not_said_to_be_committed() {
    let app = TestApp::start().await;
    let version = app.number("select version from settings").await;
    let mut session = app.write().await;
    session.execute("update settings set version = version + 1", ()).await.unwrap();
    session.execute("insert into chores (name, next_at) values ('x', null)", ()).await.unwrap_err();
    session.commit().await.unwrap_err();
    assert_eq!(app.number("select version from settings").await, version);
    app.user().await.verify_password().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_without_free_connections_passes_nobody_and_comes_back() {
    let Some(cluster) = Cluster::start() else { return };
    cluster.run("create role service login").await;
    cluster.run("create database service owner service").await;
    let mut url = url::Url::parse(&cluster.url).unwrap();
    url.set_username("service").unwrap();
    url.set_path("service");
    let app = start(url.into()).await;
    let user = app.user().await;
    let record = user.verify_password().await;
    cluster.run("alter role service connection limit 0").await;
    cluster.run("select pg_terminate_backend(pid) from pg_stat_activity where usename = 'service'").await;
    tokio::time::sleep(Duration::from_millis(200)).await;
    let longest = nothing_passes(&user, &record).await;
    assert!(longest < Duration::from_secs(10), "{longest:?}");
    cluster.run("alter role service connection limit -1").await;
    recovers(&user).await;
}
