//! Every column that is sealed under the master key, in one list: what is to survive a change of master keys joins it by one line.

use super::Session;

/// A column of sealed values. Empty ones hold nothing any more.
#[derive(Clone, Copy, Debug)]
pub struct SealedColumn {
    /// The table.
    pub table: &'static str,
    /// The column.
    pub column: &'static str,
    select: &'static str,
    update: &'static str,
}

macro_rules! sealed {
    ($table:literal, $key:literal, $column:literal) => {
        SealedColumn {
            table: $table,
            column: $column,
            select: concat!(
                "select ",
                $key,
                " as key, ",
                $column,
                " as value from ",
                $table,
                " where ",
                $key,
                " > $1 and length(",
                $column,
                ") > 0 order by ",
                $key,
                " limit $2"
            ),
            // Only the value that was read: whatever was written meanwhile stays.
            update: concat!("update ", $table, " set ", $column, " = $3 where ", $key, " = $1 and ", $column, " = $2"),
        }
    };
}

/// All of them: table, text column with the row's key, column.
pub const ALL: &[SealedColumn] = &[
    sealed!("signing_keys", "kid", "private_key"),
    sealed!("outbox", "id", "sealed"),
    sealed!("hooks", "id", "config"),
    sealed!("hooks", "id", "signing_key"),
    sealed!("verification_records", "handle", "display"),
    sealed!("idempotent_answers", "id", "answer"),
];

/// A sealed value.
#[derive(Debug, sqlx::FromRow)]
pub struct SealedValue {
    /// The row's key.
    pub key: String,
    /// What is sealed.
    pub value: Vec<u8>,
}

impl SealedColumn {
    /// Up to `limit` values after the row `after`.
    pub async fn list(&self, session: &mut Session, after: &str, limit: i64) -> sqlx::Result<Vec<SealedValue>> {
        session.fetch_all(self.select, (after, limit)).await
    }

    /// Puts `fresh` in the place of `old`; false when it is no longer there.
    pub async fn replace(&self, session: &mut Session, old: &SealedValue, fresh: &[u8]) -> sqlx::Result<bool> {
        Ok(session.execute(self.update, (&old.key, &old.value, fresh)).await? == 1)
    }
}
