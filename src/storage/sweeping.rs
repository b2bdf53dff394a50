//! Deleting what is over, a few rows at a time.
//!
//! On PostgreSQL rows that somebody holds are skipped: sweeping waits for nobody, so it has no part in any deadlock.

use super::{Session, session::Texts};
use crate::domain::time::Timestamp;

/// The most rows one statement deletes.
pub const BATCH: u64 = 250;

/// Rows of one table that end at some moment.
#[derive(Clone, Copy, Debug)]
pub struct Sweep {
    /// The table.
    pub table: &'static str,
    delete: Texts,
}

macro_rules! sweep {
    ($table:literal, $key:literal, $when:literal) => {
        Sweep {
            table: $table,
            delete: Texts {
                sqlite: concat!(
                    "delete from ",
                    $table,
                    " where (",
                    $key,
                    ") in (select ",
                    $key,
                    " from ",
                    $table,
                    " where ",
                    $when,
                    " <= $1 order by ",
                    $when,
                    " limit 250)"
                ),
                // The limit stands in the text, for the planner to see.
                postgres: concat!(
                    "with over as (select ",
                    $key,
                    " from ",
                    $table,
                    " where ",
                    $when,
                    " <= $1 order by ",
                    $when,
                    " limit 250 for update skip locked) delete from ",
                    $table,
                    " where (",
                    $key,
                    ") in (select ",
                    $key,
                    " from over)"
                ),
            },
        }
    };
}

/// Verification records, by their end.
pub const RECORDS: Sweep = sweep!("verification_records", "id_hash", "expires_at");
/// Answers that were to be given again, by their end.
pub const IDEMPOTENT_ANSWERS: Sweep = sweep!("idempotent_answers", "id", "expires_at");
/// Guesses.
pub const GUESSES: Sweep = sweep!("guesses", "id", "at");
/// Messages counted against limits.
pub const SENDS: Sweep = sweep!("sends", "id", "at");
/// Locks of senders and recipients; they hold nothing but the lock.
pub const SEND_GUARDS: Sweep = sweep!("send_guards", "subject", "touched_at");
/// Messages counted by windows, by their end.
pub const SEND_COUNTERS: Sweep = sweep!("send_counters", "subject, begins_at", "ends_at");
/// Messages that were delivered.
pub const DELIVERED: Sweep = sweep!("outbox", "id", "delivered_at");
/// Messages that were given up.
pub const GIVEN_UP: Sweep = sweep!("outbox", "id", "given_up_at");
/// Subject tokens, used or not, by their end.
pub const SUBJECT_TOKENS: Sweep = sweep!("subject_tokens", "token_hash", "expires_at");
/// Codes and links to sign in with, used or not, by their end.
pub const SIGN_IN_CODES: Sweep = sweep!("sign_in_codes", "id", "expires_at");
/// Wrong codes of those with a holder.
pub const CODE_FAILURES: Sweep = sweep!("code_failures", "id", "at");
/// Guards of addresses, once nothing went wrong for long.
pub const CODE_GUARDS: Sweep = sweep!("code_guards", "subject", "forgotten_at");
/// Sign-ins under way, by their end.
pub const SIGN_IN_FLOWS: Sweep = sweep!("sign_in_flows", "id_hash", "expires_at");
/// Authorization codes, used or not, by their end.
pub const AUTHORIZATION_CODES: Sweep = sweep!("authorization_codes", "code_hash", "expires_at");
/// Refresh tokens, used or not, by their end.
pub const REFRESH_TOKENS: Sweep = sweep!("refresh_tokens", "token_hash", "expires_at");
/// Ids that were seen, once whatever carried them is too old.
pub const SEEN_IDS: Sweep = sweep!("seen_ids", "id_hash", "expires_at");
/// Buckets that are empty.
pub const RATES: Sweep = sweep!("rates", "subject", "empties_at");
/// Login tickets, used or not, by their end.
pub const LOGIN_TICKETS: Sweep = sweep!("login_tickets", "ticket_hash", "expires_at");
/// Sessions that were ended.
pub const SESSIONS: Sweep = sweep!("sessions", "id", "ended_at");
/// Sessions nobody ended, by the end of their last token.
pub const EXPIRED_SESSIONS: Sweep = sweep!("sessions", "id", "expires_at");

impl Sweep {
    /// Deletes up to [`BATCH`] rows that were over at `before`; gives their number.
    pub async fn delete(&self, session: &mut Session, before: Timestamp) -> sqlx::Result<u64> {
        let sql = self.delete.of(session);
        session.execute(sql, (before,)).await
    }
}

/// The last user of the next [`BATCH`] guess guards after `after`; `None` when fewer are left.
pub async fn guess_guards_until(session: &mut Session, after: &str) -> sqlx::Result<Option<String>> {
    let sql = "select user_id from guess_guards where user_id > $1 order by user_id limit 1 offset 249";
    let row: Option<(String,)> = session.fetch_optional(sql, (after,)).await?;
    Ok(row.map(|(user,)| user))
}

/// Deletes the guess guards of users after `after`, up to `until`, that are as good as none: no lock, no failures since a success,
/// and not touched since `before`. They have no index of their own, which every guess would have to pay for.
pub async fn delete_guess_guards(
    session: &mut Session,
    after: &str,
    until: Option<&str>,
    before: Timestamp,
) -> sqlx::Result<u64> {
    const TEXTS: Texts = Texts {
        sqlite: "delete from guess_guards where user_id > $1 and ($2 is null or user_id <= $2)
                   and locks = 0 and failures_in_a_row = 0 and locked_until <= $3 and touched_at <= $3",
        postgres: "delete from guess_guards where (user_id, method) in (
                     select user_id, method from guess_guards where user_id > $1 and ($2 is null or user_id <= $2)
                       and locks = 0 and failures_in_a_row = 0 and locked_until <= $3 and touched_at <= $3
                     for update skip locked)",
    };
    let sql = TEXTS.of(session);
    session.execute(sql, (after, until, before)).await
}
