//! A connection lent for a statement or a transaction, and how it is given back.
//!
//! The driver gives a connection back after asking the server whether it is well, and waits for the answer without end. Its own
//! transactions lose count when their `begin` was cut off halfway (PostgreSQL), or when the database ended one by itself (SQLite).
//! So beginning, ending and giving back are ours: whatever is in doubt is closed, and nothing is waited for without end.

use std::{future::Future, io, sync::Arc, time::Duration};

use sqlx::{Connection, Database, Postgres, Sqlite, postgres::PgConnection, sqlite::SqliteConnection};
use tokio::{
    sync::{Notify, OwnedSemaphorePermit},
    time::{Instant, timeout, timeout_at},
};

use super::connections::{Connections, Held};

/// What the database gets beyond its own limit to say itself that time is up: then the connection is still good.
const GRACE: Duration = Duration::from_secs(1);

/// The longest that undoing a transaction, or waiting for the end of a statement nobody waits for any more, may take; longer, and the
/// connection is closed.
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

    /// SQLite may have ended the transaction by itself, as it does when the disk is full; then `rollback` will fail.
    fn survives(error: &sqlx::Error) -> bool {
        matches!(error, sqlx::Error::RowNotFound | sqlx::Error::Database(_))
    }
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
#[expect(clippy::struct_excessive_bools, reason = "each is a fact of its own, and any may hold with any other")]
pub struct Lease<D: Plain> {
    /// `None` once it is given back.
    held: Option<Held<D>>,
    home: Arc<Connections<D>>,
    place: Option<OwnedSemaphorePermit>,
    limit: Option<Duration>,
    /// For a transaction: when it must be over.
    until: Option<Instant>,
    /// A transaction was begun, and its end has not been heard of.
    is_open: bool,
    /// A statement was begun, and its end has not been heard of.
    is_running: bool,
    /// A statement failed: PostgreSQL answers a `commit` after that with success, and has undone everything.
    has_failed: bool,
    is_broken: bool,
    /// Who is to be woken once the transaction is committed.
    sleeper: Option<Arc<Notify>>,
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
    /// Of a connection whose statements may each take as long as `limit`, and its transaction, too. When it ends, the connection goes
    /// `home`, and its place is free.
    pub fn new(held: Held<D>, home: Arc<Connections<D>>, place: OwnedSemaphorePermit, limit: Option<Duration>) -> Self {
        Self {
            held: Some(held),
            home,
            place: Some(place),
            limit,
            until: None,
            is_open: false,
            is_running: false,
            has_failed: false,
            is_broken: false,
            sleeper: None,
        }
    }

    /// The connection, to run a statement; what comes of it is for [`Self::learn`].
    pub fn connection(&mut self) -> sqlx::Result<&mut D::Connection> {
        self.is_running = true;
        self.held.as_mut().map(|held| &mut *held.connection).ok_or(sqlx::Error::PoolClosed)
    }

    /// How long a statement that begins now may take.
    pub fn patience(&self) -> Patience {
        Patience(self.until.or_else(|| self.limit.map(|limit| Instant::now() + limit + GRACE)))
    }

    /// Takes note of what came of a statement.
    pub fn learn<T>(&mut self, outcome: sqlx::Result<T>) -> sqlx::Result<T> {
        self.is_running = false;
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

    /// Wakes those who wait on `sleeper` once the transaction is committed.
    pub fn wake_on_commit(&mut self, sleeper: &Arc<Notify>) {
        self.sleeper = Some(Arc::clone(sleeper));
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
            if let Some(sleeper) = self.sleeper.take() {
                sleeper.notify_waiters();
            }
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
        let Some(mut held) = self.held.take() else { return };
        let (is_open, is_broken) = (self.is_open, self.is_broken);
        let runtime = tokio::runtime::Handle::try_current().ok().filter(|_| !is_broken);
        let Some(runtime) = runtime else {
            // Closed without a word; the database undoes what was open.
            drop(held.connection.detach());
            return;
        };
        if !is_open && !self.is_running {
            self.home.keep(held);
            return;
        }
        let (home, place) = (Arc::clone(&self.home), self.place.take());
        runtime.spawn(async move {
            let connection = &mut *held.connection;
            let tidied = timeout(TIDYING, async {
                if is_open { D::run(connection, "rollback").await } else { connection.ping().await }
            });
            match tidied.await {
                Ok(Ok(())) => home.keep(held),
                _ => drop(held.connection.detach()),
            }
            drop(place);
        });
    }
}
