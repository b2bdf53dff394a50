//! A PostgreSQL cluster of a test's own, which it may kill.

use std::process::Command;

use sqlx::{Connection, Executor, PgConnection};

use crate::harness::TestDatabase;

pub struct Cluster {
    folder: tempfile::TempDir,
    pub url: String,
}

impl Cluster {
    /// Durable, fsync included. `None` in the round of the tests that is on SQLite.
    pub fn start() -> Option<Self> {
        if !TestDatabase::is_postgres() {
            return None;
        }
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        // The server may have to run as another user.
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut cluster = Self { folder, url: String::new() };
        let said = cluster.ask("start");
        let url = said.trim().strip_prefix("export COUNTERSIGN_TEST_POSTGRES=");
        cluster.url = url.unwrap_or_else(|| panic!("no URL: {said}")).to_owned();
        Some(cluster)
    }

    fn ask(&self, action: &str) -> String {
        let folder = self.folder.path().join("cluster");
        let mut command = Command::new(".ci/postgres");
        let output = command.arg(action).arg(folder).env("FSYNC", "on").output().unwrap();
        assert!(output.status.success(), "{action}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// All its processes at once, as a power cut would.
    pub fn kill(&self) {
        self.ask("kill");
    }

    /// Starts it on the same port.
    pub fn again(&self) {
        self.ask("again");
    }

    pub fn port(&self) -> u16 {
        url::Url::parse(&self.url).unwrap().port().unwrap()
    }

    pub async fn connect(&self) -> PgConnection {
        PgConnection::connect(&self.url).await.unwrap()
    }

    pub async fn run(&self, sql: &'static str) {
        let mut connection = self.connect().await;
        connection.execute(sqlx::raw_sql(sql)).await.unwrap();
        connection.close().await.unwrap();
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let _ = Command::new(".ci/postgres").arg("stop").arg(self.folder.path().join("cluster")).status();
    }
}
