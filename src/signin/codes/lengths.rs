//! How long a code with a holder is (`security.md`, invariants 1, 4 and 5; the reasoning is in `docs/sign-in.md`).
//!
//! Of the short codes of one address, ten wrong ones are judged in any hour at the most. That is settled when a code is sent: it is
//! short only as long as all that could still go wrong fits in. Otherwise it is long: too long to be guessed, and as good to whoever gets
//! the message. So no code is ever refused for what somebody else has shown.

use std::time::Duration;

use serde_json::json;

use super::Address;
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{
        application::Connection,
        id::random_text,
        time::{Timestamp, doubled},
    },
    error::Result,
    storage::{
        Session,
        code_failures::{self as rows, Asked},
        sign_in_codes::SignInCode,
    },
};

/// Wrong short codes of one address in any hour; or the tries of one code, where those are more.
const MOST: u32 = 10;
const WINDOW: Duration = Duration::from_secs(3600);
/// Where that is used up, codes are long for so long, then for twice as long each time, up to a day.
const FIRST_GUARD: Duration = Duration::from_secs(15 * 60);
const LONGEST_GUARD: Duration = Duration::from_secs(24 * 3600);
/// After so many failures in a row codes are long until somebody proves the address (NIST SP 800-63B-4 3.2.2).
const MOST_IN_A_ROW: i64 = 100;
/// After so long without a failure all is forgotten (contract `auth0.md` 6).
const QUIET: Duration = Duration::from_secs(30 * 24 * 3600);
/// Digits of a long code. Three tries of each of 1,440 codes a day, as many as an address gets: one in 231 million days.
const LONG: u8 = 12;

/// Digits of a code.
#[must_use]
pub fn digits(app: &App, connection: Connection, is_long: bool) -> u8 {
    let configured = app.config.sign_in.of(connection).code_digits;
    if is_long { LONG.max(configured) } else { configured }
}

/// Whether a new code, of which `carried` tries are gone, must be long. To be asked under the recipient's lock.
pub async fn must_be_long(
    app: &App,
    session: &mut Session,
    address: &Address,
    carried: i64,
    now: Timestamp,
) -> Result<bool> {
    let tries = i64::from(app.config.sign_in.of(address.connection).tries);
    let connection = address.connection.name();
    let subject = subject(connection, &address.key);
    let asked = Asked { subject: &subject, connection, identifier: &address.key, tries, since: now.minus(WINDOW), now };
    let standing = rows::standing(session, asked).await?;
    Ok(standing.at_stake + (tries - carried) > most(tries)
        || standing.guarded_until > now
        || standing.failures_in_a_row >= MOST_IN_A_ROW)
}

/// A code with a holder was wrong. That of a long one means nothing.
pub async fn count_failure(app: &App, session: &mut Session, row: &SignInCode, actor: Actor<'_>) -> Result<()> {
    let Some(connection) = Connection::parse(&row.connection).filter(|_| is_counted(row)) else { return Ok(()) };
    let (now, subject) = (app.now(), subject(connection.name(), &row.identifier));
    let id = random_text(&*app.random, 21);
    let guard = rows::add(session, &id, &subject, now, now.plus(QUIET)).await?;
    let tries = i64::from(app.config.sign_in.of(connection).tries);
    let failed = rows::count(session, &subject, now.minus(WINDOW)).await?;
    if failed + tries <= most(tries) || guard.guarded_until > now {
        return Ok(());
    }
    let until = now.plus(guard_length(guard.guards));
    rows::set_guarded(session, &subject, until).await?;
    let masked = Address::parse(connection, &row.address).map(|address| address.masked);
    let data = json!({ "connection": connection.name(), "identifier": masked, "guardedUntil": until.to_iso() });
    audit::write(app, session, "sign_in.guarded", actor, data).await
}

/// A code with a holder was right: whoever has it gets what is sent to the address.
pub async fn count_success(session: &mut Session, row: &SignInCode) -> Result<()> {
    if row.handle_hash.is_some() {
        rows::set_succeeded(session, &subject(&row.connection, &row.identifier)).await?;
    }
    Ok(())
}

fn is_counted(row: &SignInCode) -> bool {
    row.handle_hash.is_some() && !row.is_long
}

fn subject(connection: &str, identifier: &str) -> String {
    format!("{connection} {identifier}")
}

fn most(tries: i64) -> i64 {
    i64::from(MOST).max(tries)
}

fn guard_length(before: i64) -> Duration {
    doubled(FIRST_GUARD, before, LONGEST_GUARD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn guards_double_up_to_a_day() {
        let minutes = |before| guard_length(before).as_secs() / 60;
        assert_eq!([minutes(0), minutes(1), minutes(6), minutes(7), minutes(60)], [15, 30, 960, 1440, 1440]);
    }
}
