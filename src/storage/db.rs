//! Opening a database, bringing its schema up to date, and handing out sessions.

use std::{
    fs::{File, TryLockError},
    path::{Path, PathBuf},
    str::FromStr,
    sync::Arc,
    time::Duration,
};

use anyhow::{Context, anyhow};
use sqlx::{
    ConnectOptions, Postgres, Sqlite,
    migrate::Migrator,
    postgres::{PgConnectOptions, PgPoolOptions},
    sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous},
};

use super::{
    connections::{Connections, is_well},
    lease::{Lease, Plain},
    session::Session,
};
use crate::{config::DatabaseConfig, error::Result};

static SHARED: Migrator = sqlx::migrate!("./migrations");
static SQLITE: Migrator = sqlx::migrate!("./migrations/sqlite");
static POSTGRES: Migrator = sqlx::migrate!("./migrations/postgres");

/// Which database it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Engine {
    /// A file of our own: one node.
    Sqlite,
    /// A server: any number of nodes.
    Postgres,
}

/// The database. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Db {
    pools: Pools,
}

#[derive(Clone, Debug)]
enum Pools {
    /// One writer, several readers: SQLite takes one writer at a time, and waiting in our queue is fairer than in its own.
    Sqlite {
        writer: Arc<Connections<Sqlite>>,
        readers: Arc<Connections<Sqlite>>,
        lock_file: Option<PathBuf>,
    },
    Postgres(Server),
}

/// A PostgreSQL server.
#[derive(Clone, Debug)]
struct Server {
    connections: Arc<Connections<Postgres>>,
    /// For connections beside those.
    options: Box<PgConnectOptions>,
    limits: PoolLimits,
}

/// How many connections to open, and how long to wait for one.
#[derive(Clone, Copy, Debug)]
pub struct PoolLimits {
    /// Connections (PostgreSQL), or readers (SQLite).
    pub connections: u32,
    /// Longest wait for a free connection before the request is answered `503`.
    pub acquire_timeout: Duration,
    /// The longest a statement may take, and a transaction; past it the answer is `503`. SQLite has no such limit: its statements
    /// wait for nobody but the one writer, see `acquire_timeout`.
    pub timeout: Duration,
}

impl PoolLimits {
    /// As configured, but for the number of connections.
    #[must_use]
    pub fn of(config: &DatabaseConfig, connections: u32) -> Self {
        Self { connections, acquire_timeout: config.acquire_timeout(), timeout: config.timeout() }
    }
}

impl Db {
    /// Connects. A missing SQLite file is created.
    ///
    /// # Errors
    /// Names the URL's shape when it is not one of `sqlite://FILE` and `postgres://user:password@host/db`.
    pub async fn connect(url: &str, limits: PoolLimits) -> anyhow::Result<Self> {
        let pools = if url.starts_with("sqlite:") {
            let options = SqliteConnectOptions::from_str(url)
                .with_context(|| shape("it does not read as a SQLite URL"))?
                .create_if_missing(true)
                .journal_mode(SqliteJournalMode::Wal)
                .synchronous(SqliteSynchronous::Full)
                .busy_timeout(Duration::from_secs(5))
                .foreign_keys(true)
                .optimize_on_close(true, None)
                .statement_cache_capacity(256);
            let lock_file = Some(options.get_filename()).filter(|file| file.is_absolute() || file.parent().is_some());
            let lock_file = lock_file.map(|file| file.with_extension("migration-lock"));
            // Switching an empty file to WAL does not wait for another process that does the same.
            let _lock = match &lock_file {
                Some(path) => Some(locked(path).await?),
                None => None,
            };
            let writer = SqlitePoolOptions::new()
                .max_connections(1)
                .acquire_timeout(limits.acquire_timeout)
                .test_before_acquire(false)
                .connect_with(options.clone())
                .await
                .with_context(|| shape("the SQLite file cannot be opened"))?;
            let readers = SqlitePoolOptions::new()
                .max_connections(limits.connections.max(1))
                .acquire_timeout(limits.acquire_timeout)
                .test_before_acquire(false)
                .connect_lazy_with(options.read_only(true).create_if_missing(false));
            Pools::Sqlite { writer: Connections::new(writer), readers: Connections::new(readers), lock_file }
        } else if url.starts_with("postgres:") || url.starts_with("postgresql:") {
            let options = PgConnectOptions::from_str(url)
                .with_context(|| shape("it does not read as a PostgreSQL URL"))?
                .application_name("countersign")
                .statement_cache_capacity(256)
                .log_slow_statements(tracing::log::LevelFilter::Warn, Duration::from_secs(1));
            Pools::Postgres(Server::connect(options, limits).await?)
        } else {
            return Err(anyhow!(shape("it names no database we know")));
        };
        Ok(Self { pools })
    }

    /// Brings the schema up to date under a lock, so that several nodes may start at once.
    pub async fn migrate(&self) -> anyhow::Result<()> {
        match &self.pools {
            Pools::Sqlite { writer, lock_file, .. } => {
                let _lock = match lock_file {
                    Some(path) => Some(locked(path).await?),
                    None => None,
                };
                self.migrations().run(writer.pool()).await
            }
            Pools::Postgres(server) => {
                // Beside the pool: building an index takes longer than a request may.
                let patient = PgPoolOptions::new().max_connections(1).acquire_timeout(server.limits.acquire_timeout);
                let patient = patient.connect_lazy_with((*server.options).clone());
                let outcome = self.migrations().run(&patient).await;
                patient.close().await;
                outcome
            }
        }
        .context("the migrations of the database did not run; nothing was changed by the one that failed")
    }

    /// Whether every migration this program knows has run.
    pub async fn is_migrated(&self) -> Result<bool> {
        let known = i64::try_from(self.migrations().iter().count()).unwrap_or(i64::MAX);
        let mut session = self.read().await?;
        let sql = "select cast(count(*) as bigint) from _sqlx_migrations where success";
        Ok(session.fetch_value::<i64>(sql, ()).await.is_ok_and(|done| done >= known))
    }

    /// What both engines share and what is this one's own, by number.
    fn migrations(&self) -> Migrator {
        let own = match self.engine() {
            Engine::Sqlite => &SQLITE,
            Engine::Postgres => &POSTGRES,
        };
        Migrator::with_migrations(SHARED.iter().chain(own.iter()).cloned().collect())
    }

    /// Which engine it is.
    #[must_use]
    pub fn engine(&self) -> Engine {
        match self.pools {
            Pools::Sqlite { .. } => Engine::Sqlite,
            Pools::Postgres(_) => Engine::Postgres,
        }
    }

    /// A session for reading.
    pub async fn read(&self) -> Result<Session> {
        Ok(match &self.pools {
            Pools::Sqlite { readers, .. } => Session::Sqlite(readers.lease(None).await?),
            Pools::Postgres(server) => Session::Postgres(server.lease().await?),
        })
    }

    /// A transaction. Never ask for a second one while holding one: SQLite has a single writer, and you would wait for yourself.
    pub async fn write(&self) -> Result<Session> {
        Ok(match &self.pools {
            Pools::Sqlite { writer, .. } => {
                let mut lease = writer.lease(None).await?;
                lease.begin("begin immediate").await?;
                Session::Sqlite(lease)
            }
            Pools::Postgres(server) => Session::Postgres(server.begin().await?),
        })
    }

    /// Closes every connection, after those in use are given back.
    pub async fn close(&self) {
        match &self.pools {
            Pools::Sqlite { writer, readers, .. } => {
                readers.close().await;
                writer.close().await;
            }
            Pools::Postgres(server) => server.connections.close().await,
        }
    }
}

impl Server {
    async fn connect(options: PgConnectOptions, limits: PoolLimits) -> anyhow::Result<Self> {
        let pool = PgPoolOptions::new()
            .max_connections(limits.connections.max(2))
            .acquire_timeout(limits.acquire_timeout)
            .test_before_acquire(false)
            // An error, not `false`: that would be closed with a farewell, and nobody may be there to take it.
            .before_acquire(|connection, _| {
                Box::pin(async move { is_well::<Postgres>(connection).await.map(|()| true) })
            })
            .after_connect(move |connection, _| {
                Box::pin(async move {
                    // So that the server, too, ends what nobody waits for any more, and lets go what it holds.
                    let millis = u64::try_from(limits.timeout.as_millis()).unwrap_or(u64::MAX).to_string();
                    let sql = "select set_config('statement_timeout', $1, false),
                                 set_config('idle_in_transaction_session_timeout', $1, false)";
                    sqlx::query(sql).bind(millis).execute(connection).await.map(drop)
                })
            })
            .connect_with(options.clone())
            .await
            .with_context(|| shape(NO_ANSWER))?;
        Ok(Self { connections: Connections::new(pool), options: Box::new(options), limits })
    }

    async fn lease(&self) -> sqlx::Result<Lease<Postgres>> {
        self.connections.lease(Some(self.limits.timeout)).await
    }

    /// A transaction. Connections that a server left behind when it ended are passed over: nothing was done on them yet.
    async fn begin(&self) -> sqlx::Result<Lease<Postgres>> {
        let mut tries = self.limits.connections;
        loop {
            let mut lease = self.lease().await?;
            match lease.begin("begin").await {
                Ok(()) => return Ok(lease),
                Err(error) if tries == 0 || is_timeout(&error) || Postgres::survives(&error) => return Err(error),
                Err(_) => tries -= 1,
            }
        }
    }
}

fn is_timeout(error: &sqlx::Error) -> bool {
    matches!(error, sqlx::Error::Io(error) if error.kind() == std::io::ErrorKind::TimedOut)
}

const NO_ANSWER: &str = "the PostgreSQL server does not answer";

/// PostgreSQL has a lock for migrations; for SQLite it is a file beside the database, given back when it is dropped. Never the
/// database file itself: closing a second handle of it would drop SQLite's own locks.
async fn locked(path: &Path) -> anyhow::Result<File> {
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.with_context(|| format!("the lock file {} cannot be opened", path.display()))?;
    for _ in 0..600 {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) => tokio::time::sleep(Duration::from_millis(50)).await,
            Err(TryLockError::Error(error)) => {
                return Err(error).with_context(|| format!("the lock file {} cannot be locked", path.display()));
            }
        }
    }
    Err(anyhow!("another process has held {} for 30 seconds; is it still migrating?", path.display()))
}

fn shape(problem: &str) -> String {
    format!(
        "database.url: {problem}; give `sqlite://FILE` or `postgres://user:password@host/database` \
         (configuration key [database] url, environment COUNTERSIGN_DATABASE__URL)"
    )
}
