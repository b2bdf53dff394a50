//! A connection out of the pool, for a statement or a transaction, and how it is given back.
//!
//! The driver gives a connection back after asking the server whether it is well, and waits for the answer without end; it takes one
//! back whose `begin` was cut off halfway, or whose transaction the database ended by itself. So giving back is ours: whatever is
//! in doubt is closed, and nothing is waited for without end.

use std::{future::Future, io, time::Duration};

use sqlx::{Database, Postgres, Sqlite, pool::PoolConnection, postgres::PgConnection, sqlite::SqliteConnection};
use tokio::time::{Instant, timeout, timeout_at};

/// What the database gets beyond its own limit to say itself that time is up: then the connection is still good.
const GRACE: Duration = Duration::from_secs(1);

/// The longest that giving a connection back may take; longer, and it is closed.
const TIDYING: Duration = Duration::from_secs(2);

/// A database that runs plain statements without parameters.
pub trait Plain: Database {
    /// Runs one.
    fn run(connection: &mut Self::Connection, sql: &'static str) -> impl Future<Output = sqlx::Result<()>> + Send;

    /// Whether the connection is as good as before after this error.
    fn survives(error: &sqlx::Error) -> bool;
}

impl Plain for Sqlite {
    async fn run(connection: &mut SqliteConnection, sql: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(connection).await.map(drop)
    }

    /// After a full disk, say, SQLite has ended the transaction by itself, and the driver does not know.
    fn survives(error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::RowNotFound => true,
            sqlx::Error::Database(error) => {
                !matches!(error.kind(), sqlx::error::ErrorKind::Other) || is_refusal(&**error)
            }
            _ => false,
        }
    }
}

/// A trigger said no, or somebody else holds the file.
fn is_refusal(error: &dyn sqlx::error::DatabaseError) -> bool {
    // The low byte is the primary code: 5 busy, 19 constraint (which a trigger raises, too).
    let code = error.code().and_then(|code| code.parse::<u32>().ok());
    code.is_some_and(|code| matches!(code & 0xff, 5 | 19))
}

impl Plain for Postgres {
    async fn run(connection: &mut PgConnection, sql: &'static str) -> sqlx::Result<()> {
        sqlx::raw_sql(sql).execute(connection).await.map(drop)
    }

    /// A server that has become read-only, or is about to end, is left: another may be in its place.
    fn survives(error: &sqlx::Error) -> bool {
        match error {
            sqlx::Error::RowNotFound => true,
            sqlx::Error::Database(error) => error.code().is_none_or(|code| code != "25006" && !code.starts_with("57P")),
            _ => false,
        }
    }
}

/// A connection, and what is known of it.
pub struct Lease<D: Plain> {
    connection: Option<PoolConnection<D>>,
    limit: Option<Duration>,
    /// For a transaction: when it must be over.
    until: Option<Instant>,
    /// A transaction was begun, and its end has not been heard of.
    is_open: bool,
    /// A statement failed: PostgreSQL answers a `commit` after that with success, and has undone everything.
    has_failed: bool,
    is_broken: bool,
}

/// When to stop waiting for the database.
#[derive(Clone, Copy)]
pub struct Patience(Option<Instant>);

impl Patience {
    /// Waits, within limits.
    pub async fn wait<T>(self, work: impl Future<Output = sqlx::Result<T>>) -> sqlx::Result<T> {
        let Some(until) = self.0 else { return work.await };
        timeout_at(until, work).await.unwrap_or_else(|_| {
            let told = "the database did not answer in time; the connection is given up";
            Err(sqlx::Error::Io(io::Error::new(io::ErrorKind::TimedOut, told)))
        })
    }
}

impl<D: Plain> Lease<D> {
    /// Of a connection whose statements may each take as long as `limit`, and its transaction, too.
    pub fn new(connection: PoolConnection<D>, limit: Option<Duration>) -> Self {
        Self { connection: Some(connection), limit, until: None, is_open: false, has_failed: false, is_broken: false }
    }

    /// The connection.
    pub fn connection(&mut self) -> sqlx::Result<&mut D::Connection> {
        self.connection.as_deref_mut().ok_or(sqlx::Error::PoolClosed)
    }

    /// How long a statement that begins now may take.
    pub fn patience(&self) -> Patience {
        Patience(self.until.or_else(|| self.limit.map(|limit| Instant::now() + limit + GRACE)))
    }

    /// Takes note of what came of a statement.
    pub fn learn<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        if let Err(error) = &outcome {
            self.has_failed = true;
            self.is_broken |= !D::survives(error);
        }
        outcome
    }

    /// Begins a transaction.
    pub async fn begin(&mut self, sql: &'static str) -> sqlx::Result<()> {
        self.until = self.patience().0;
        // Before it is sent: who is dropped halfway does not know what the database has begun.
        self.is_open = true;
        self.run(sql).await
    }

    /// Ends the transaction.
    pub async fn commit(&mut self) -> sqlx::Result<()> {
        if self.is_open {
            if self.has_failed {
                return Err(sqlx::Error::Protocol(
                    "a statement of this transaction failed; nothing of it stays".to_owned(),
                ));
            }
            self.run("commit").await?;
            self.is_open = false;
        }
        Ok(())
    }

    async fn run(&mut self, sql: &'static str) -> sqlx::Result<()> {
        let patience = self.patience();
        let outcome = patience.wait(D::run(self.connection()?, sql)).await;
        self.learn(outcome)
    }
}

impl<D: Plain> Drop for Lease<D> {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else { return };
        let (is_open, is_broken) = (self.is_open, self.is_broken);
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| !is_broken);
        let Some(runtime) = runtime else {
            // Closed without a word; the database undoes what was open.
            drop(connection.detach());
            return;
        };
        runtime.spawn(async move {
            if is_open {
                let undone = timeout(TIDYING, D::run(&mut connection, "rollback")).await;
                if !matches!(undone, Ok(Ok(()))) {
                    drop(connection.detach());
                    return;
                }
            }
            // Dropping the connection would do the same, and wait for ever.
            let _ = timeout(TIDYING, connection.return_to_pool()).await;
        });
    }
}
