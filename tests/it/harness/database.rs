//! A database for one test: a file, or a fresh database of a running PostgreSQL.

use std::sync::atomic::{AtomicU32, Ordering};

use sqlx::{Connection, Executor, PgConnection};

pub enum TestDatabase {
    Sqlite(tempfile::TempDir),
    Postgres { server: String, name: String },
}

impl TestDatabase {
    /// Whether this round of the tests is the one on PostgreSQL. What concerns one engine alone is tested in its round.
    pub fn is_postgres() -> bool {
        std::env::var_os("COUNTERSIGN_TEST_POSTGRES").is_some()
    }

    pub async fn new() -> Self {
        let Ok(server) = std::env::var("COUNTERSIGN_TEST_POSTGRES") else {
            return Self::Sqlite(tempfile::tempdir().unwrap());
        };
        static COUNT: AtomicU32 = AtomicU32::new(0);
        let name = format!("countersign_{}_{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed));
        let mut connection = PgConnection::connect(&server).await.expect("COUNTERSIGN_TEST_POSTGRES answers");
        connection.execute(sqlx::AssertSqlSafe(format!("create database {name}"))).await.unwrap();
        connection.close().await.unwrap();
        Self::Postgres { server, name }
    }

    pub fn url(&self) -> String {
        match self {
            Self::Sqlite(folder) => format!("sqlite://{}", folder.path().join("test.db").display()),
            Self::Postgres { server, name } => {
                let mut url = url::Url::parse(server).unwrap();
                url.set_path(name);
                url.into()
            }
        }
    }
}
