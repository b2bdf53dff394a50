//! One text of SQL for both engines: a session is a connection or a transaction of either.

use std::sync::Arc;

use sqlx::{
    Arguments, Decode, Encode, FromRow, Postgres, Sqlite, Type,
    error::BoxDynError,
    postgres::{PgArguments, PgConnection, PgRow},
    sqlite::{SqliteArguments, SqliteConnection, SqliteRow},
};
use tokio::sync::Notify;

use super::lease::Lease;

/// A value that both engines can take as a parameter.
pub trait Column<'q>: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> + Send + 'q {}
impl<'q, T> Column<'q> for T where
    T: Encode<'q, Sqlite> + Type<Sqlite> + Encode<'q, Postgres> + Type<Postgres> + Send + 'q
{
}

/// A row that both engines can give; `#[derive(sqlx::FromRow)]` is enough.
pub trait Record: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}
impl<T> Record for T where T: for<'r> FromRow<'r, SqliteRow> + for<'r> FromRow<'r, PgRow> + Send + Unpin {}

/// A single value that both engines can give.
pub trait Value:
    for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin
{
}
impl<T> Value for T where
    T: for<'r> Decode<'r, Sqlite> + Type<Sqlite> + for<'r> Decode<'r, Postgres> + Type<Postgres> + Send + Unpin
{
}

/// The parameters of a statement, in order: a tuple of [`Column`]s.
pub trait Params<'q>: Send {
    /// As SQLite takes them.
    fn sqlite(self) -> Result<SqliteArguments, BoxDynError>;
    /// As PostgreSQL takes them.
    fn postgres(self) -> Result<PgArguments, BoxDynError>;
}

impl Params<'_> for () {
    fn sqlite(self) -> Result<SqliteArguments, BoxDynError> {
        Ok(SqliteArguments::default())
    }
    fn postgres(self) -> Result<PgArguments, BoxDynError> {
        Ok(PgArguments::default())
    }
}

macro_rules! params {
    ($($name:ident $index:tt)+) => {
        impl<'q, $($name: Column<'q>),+> Params<'q> for ($($name,)+) {
            fn sqlite(self) -> Result<SqliteArguments, BoxDynError> {
                let mut arguments = SqliteArguments::default();
                $(arguments.add(self.$index)?;)+
                Ok(arguments)
            }
            fn postgres(self) -> Result<PgArguments, BoxDynError> {
                let mut arguments = PgArguments::default();
                $(arguments.add(self.$index)?;)+
                Ok(arguments)
            }
        }
    };
}

/// The few statements that need two texts: PostgreSQL's `skip locked` has no counterpart in SQLite, which has one writer at a time.
#[derive(Clone, Copy, Debug)]
pub struct Texts {
    /// On SQLite.
    pub sqlite: &'static str,
    /// On PostgreSQL.
    pub postgres: &'static str,
}

impl Texts {
    /// The text for this session.
    #[must_use]
    pub fn of(&self, session: &Session) -> &'static str {
        match session {
            Session::Sqlite(_) => self.sqlite,
            Session::Postgres(_) => self.postgres,
        }
    }
}

/// Where statements run. Made by [`super::Db::read`] and [`super::Db::write`]; a write session that is dropped undoes all.
pub enum Session {
    /// On SQLite.
    Sqlite(Lease<Sqlite>),
    /// On PostgreSQL.
    Postgres(Lease<Postgres>),
}

macro_rules! run {
    ($session:expr, $sql:expr, $params:expr, $query:path, $fetch:ident) => {
        match $session {
            Self::Sqlite(lease) => {
                let arguments = $params.sqlite().map_err(sqlx::Error::Encode)?;
                let patience = lease.patience();
                let connection: &mut SqliteConnection = lease.connection()?;
                let outcome = patience.wait($query($sql, arguments).$fetch(connection)).await;
                lease.learn(outcome)
            }
            Self::Postgres(lease) => {
                let arguments = $params.postgres().map_err(sqlx::Error::Encode)?;
                let patience = lease.patience();
                let connection: &mut PgConnection = lease.connection()?;
                let outcome = patience.wait($query($sql, arguments).$fetch(connection)).await;
                lease.learn(outcome)
            }
        }
    };
}

impl Session {
    /// Runs a statement; says how many rows it touched.
    pub async fn execute<'q>(&mut self, sql: &'static str, params: impl Params<'q>) -> sqlx::Result<u64> {
        match self {
            Self::Sqlite(lease) => {
                let arguments = params.sqlite().map_err(sqlx::Error::Encode)?;
                let patience = lease.patience();
                let outcome = patience.wait(sqlx::query_with(sql, arguments).execute(lease.connection()?)).await;
                Ok(lease.learn(outcome)?.rows_affected())
            }
            Self::Postgres(lease) => {
                let arguments = params.postgres().map_err(sqlx::Error::Encode)?;
                let patience = lease.patience();
                let outcome = patience.wait(sqlx::query_with(sql, arguments).execute(lease.connection()?)).await;
                Ok(lease.learn(outcome)?.rows_affected())
            }
        }
    }

    /// The one row of a statement that always has one.
    pub async fn fetch_one<'q, R: Record>(&mut self, sql: &'static str, params: impl Params<'q>) -> sqlx::Result<R> {
        run!(self, sql, params, sqlx::query_as_with, fetch_one)
    }

    /// The row, if there is one.
    pub async fn fetch_optional<'q, R: Record>(
        &mut self,
        sql: &'static str,
        params: impl Params<'q>,
    ) -> sqlx::Result<Option<R>> {
        run!(self, sql, params, sqlx::query_as_with, fetch_optional)
    }

    /// Every row.
    pub async fn fetch_all<'q, R: Record>(
        &mut self,
        sql: &'static str,
        params: impl Params<'q>,
    ) -> sqlx::Result<Vec<R>> {
        run!(self, sql, params, sqlx::query_as_with, fetch_all)
    }

    /// The one value of a statement that always has one.
    pub async fn fetch_value<'q, V: Value>(&mut self, sql: &'static str, params: impl Params<'q>) -> sqlx::Result<V> {
        run!(self, sql, params, sqlx::query_scalar_with, fetch_one)
    }

    /// Makes a transaction's changes durable; nothing to do for a plain connection.
    pub async fn commit(mut self) -> sqlx::Result<()> {
        match &mut self {
            Self::Sqlite(lease) => lease.commit().await,
            Self::Postgres(lease) => lease.commit().await,
        }
    }

    /// Wakes those who wait on `sleeper` once the transaction is committed: whoever stores work for them says so here, and no handler
    /// has to think of it.
    pub fn wake_on_commit(&mut self, sleeper: &Arc<Notify>) {
        match self {
            Self::Sqlite(lease) => lease.wake_on_commit(sleeper),
            Self::Postgres(lease) => lease.wake_on_commit(sleeper),
        }
    }
}

params!(A 0);
params!(A 0 B 1);
params!(A 0 B 1 C 2);
params!(A 0 B 1 C 2 D 3);
params!(A 0 B 1 C 2 D 3 E 4);
params!(A 0 B 1 C 2 D 3 E 4 F 5);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14);
params!(A 0 B 1 C 2 D 3 E 4 F 5 G 6 H 7 I 8 J 9 K 10 L 11 M 12 N 13 O 14 P 15);
