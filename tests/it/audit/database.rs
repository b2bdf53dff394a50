//! The database itself refuses to change the log.

use countersign::{
    audit::{self, Actor, chain},
    config::Config,
    crypto::master_key::MasterKey,
    server::{self, Options},
};
use serde_json::json;
use sqlx::AssertSqlSafe;

use crate::harness::TestDatabase;

/// What the engine says to a statement.
async fn attempt(database: &TestDatabase, sql: &str) -> Result<u64, String> {
    let url = database.url();
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
fn spell(database: &TestDatabase, sql: &str) -> Option<String> {
    let is_sqlite = database.url().starts_with("sqlite");
    if !is_sqlite && (sql.contains("or replace") || sql.contains("rowid")) || is_sqlite && sql.contains("truncate") {
        return None;
    }
    let bytes = if is_sqlite { format!("x'{}'", "ab".repeat(32)) } else { format!("'\\x{}'::bytea", "ab".repeat(32)) };
    Some(sql.replace("BYTES", &bytes))
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_in_the_log_can_be_changed_or_deleted() {
    let database = TestDatabase::new().await;
    let mut config = Config::default();
    config.database.url = database.url();
    let mut options = Options { master_key: Some(MasterKey::from_bytes([7; 32])), ..Options::default() };
    // Without a server, whose job would give the event that waits its place.
    let app = server::build_app(config, "127.0.0.1:0".parse().unwrap(), &mut options).await.unwrap();
    let nobody = Actor { user: None, application: None, client: None };
    for name in ["name", "avatar"] {
        let mut session = app.db.write().await.unwrap();
        audit::write(&app, &mut session, "account.updated", nobody, json!({ "fields": [name] })).await.unwrap();
        session.commit().await.unwrap();
    }
    chain::catch_up(&app).await.unwrap();
    attempt(
        &database,
        "insert into audit_events (id, at, type, data) values ('waits', 9223372036854775807, 'x.y', '{}')",
    )
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
        let Some(sql) = spell(&database, sql) else { continue };
        let refused = attempt(&database, &sql).await.expect_err(&sql);
        assert!(refused.contains("audit_"), "{sql}: refused, but not by a trigger: {refused}");
    }
    let count = app.db.read().await.unwrap().fetch_value("select count(*) from audit_events", ()).await;
    assert_eq!(count.unwrap_or(0_i64), 3);
    // The one change there may be: its own place, once.
    let next = spell(&database, "update audit_chain set seq = seq + 1, hash = BYTES").unwrap();
    attempt(&database, &next).await.unwrap();
    let sql = "update audit_events set seq = (select seq from audit_chain), hash = BYTES where id = 'waits'";
    let sql = spell(&database, sql).unwrap();
    assert_eq!(attempt(&database, &sql).await.unwrap(), 1);
    attempt(&database, &sql).await.expect_err("a second time");
}
