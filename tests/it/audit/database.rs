//! The database itself refuses to change the log.

use countersign::audit::chain;
use sqlx::AssertSqlSafe;

use crate::harness::TestApp;

/// What the engine says to a statement.
async fn attempt(app: &TestApp, sql: &str) -> Result<u64, String> {
    let url = app.database.url();
    let done = if url.starts_with("sqlite") {
        use sqlx::{Connection, Executor, SqliteConnection};
        let mut connection = SqliteConnection::connect(&url).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.map(|done| done.rows_affected())
    } else {
        use sqlx::{Connection, Executor, PgConnection};
        let mut connection = PgConnection::connect(&url).await.unwrap();
        connection.execute(AssertSqlSafe(sql.to_owned())).await.map(|done| done.rows_affected())
    };
    done.map_err(|error| error.to_string())
}

/// In the engine's own words: 32 bytes, and an insert that replaces.
fn spell(app: &TestApp, sql: &str) -> Option<String> {
    let is_sqlite = app.database.url().starts_with("sqlite");
    if !is_sqlite && (sql.contains("or replace") || sql.contains("rowid")) || is_sqlite && sql.contains("truncate") {
        return None;
    }
    let bytes = if is_sqlite { format!("x'{}'", "ab".repeat(32)) } else { format!("'\\x{}'::bytea", "ab".repeat(32)) };
    Some(sql.replace("BYTES", &bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_the_log_can_be_changed_or_deleted() {
    let app = TestApp::start().await;
    let user = app.user().await;
    user.verify_password().await;
    user.try_password("wrong").await.expect("422 session.invalid_credentials");
    chain::catch_up(app.app()).await.unwrap();
    attempt(&app, "insert into audit_events (id, at, type, data) values ('waits', 9223372036854775807, 'x.y', '{}')")
        .await
        .unwrap();
    let columns = "(id, at, type, data, seq, hash)";
    for sql in [
        "delete from audit_events",
        "delete from audit_events where id = 'waits'",
        "delete from audit_events where seq = 1",
        "truncate audit_events",
        "truncate audit_events, audit_chain, audit_checkpoints, audit_keys",
        "update audit_events set type = 'x.y' where seq = 1",
        "update audit_events set user_id = null where seq = 1",
        "update audit_events set data = '{\"a\":1}' where seq = 2",
        "update audit_events set seq = 3 where seq = 2",
        "update audit_events set seq = null, hash = null where seq = 2",
        "update audit_events set hash = BYTES where seq = 2",
        "update audit_events set type = 'z.z' where id = 'waits'",
        "update audit_events set seq = 1000, hash = BYTES where id = 'waits'",
        "update audit_events set seq = 1 where id = 'waits'",
        "update audit_events set hash = BYTES where id = 'waits'",
        "update audit_events set seq = 1, hash = BYTES, id = null where id = 'waits'",
        "update audit_events set seq = 1, hash = BYTES, ip = '::1' where id = 'waits'",
        "update or replace audit_events set seq = 1, hash = BYTES where id = 'waits'",
        "update or replace audit_events set id = (select id from audit_events where seq = 1) where id = 'waits'",
        "update or replace audit_events set rowid = 1 where id = 'waits'",
        "insert or replace into audit_events (id, at, type, data) values ('waits', 1, 'x.y', '{}')",
        "insert or replace into audit_events (rowid, id, at, type, data) values (1, 'b', 1, 'x.y', '{}')",
        &format!("insert into audit_events {columns} values ('c', 1, 'x.y', '{{}}', 0, BYTES)"),
        &format!("insert or replace into audit_events {columns} values ('c', 1, 'x.y', '{{}}', 1, BYTES)"),
        "delete from audit_chain",
        "truncate audit_chain",
        "insert into audit_chain select 'b', seq, hash, 0, 0, 0 from audit_chain",
        "insert or replace into audit_chain select id, 0, BYTES, 0, 0, 0 from audit_chain",
        "update audit_chain set seq = 1",
        "update audit_chain set hash = BYTES",
        "update audit_chain set checkpoint_seq = 0",
        "update audit_chain set swept_through = 1",
        "delete from audit_checkpoints",
        "update audit_checkpoints set signed = ''",
        "insert into audit_checkpoints values (1, BYTES, 0, '')",
        "insert or replace into audit_checkpoints select seq, hash, at, '' from audit_checkpoints",
        "delete from audit_keys",
        "update audit_keys set jwk = '{}'",
        "insert or replace into audit_keys select kid, '{}' from audit_keys",
    ] {
        let Some(sql) = spell(&app, sql) else { continue };
        let refused = attempt(&app, &sql).await.expect_err(&sql);
        assert!(refused.contains("audit_"), "{sql}: refused, but not by a trigger: {refused}");
    }
    assert_eq!(app.number("select count(*) from audit_events").await, 3);
    // The one change there may be: its own place, once.
    let next = spell(&app, "update audit_chain set seq = seq + 1, hash = BYTES").unwrap();
    attempt(&app, &next).await.unwrap();
    let sql = "update audit_events set seq = (select seq from audit_chain), hash = BYTES where id = 'waits'";
    let sql = spell(&app, sql).unwrap();
    assert_eq!(attempt(&app, &sql).await.unwrap(), 1);
    attempt(&app, &sql).await.expect_err("a second time");
}
