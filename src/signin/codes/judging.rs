//! Judging a code: counted first, then looked at, then used.

use serde_json::json;

use super::{Address, lengths};
use crate::{
    app::App,
    audit::{self, Actor},
    domain::{application::Connection, id::random_text, refusal::Code, user::User},
    error::Result,
    signin::{
        entering::{self, Proved},
        limits::Bucket,
    },
    storage::{
        Session,
        applications::Application,
        sign_in_codes::{self as rows, SignInCode},
    },
    web::client::Client,
};

/// Why a code was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not the code; or there is none, or nobody may sign in with it.
    Mismatch,
    /// It was the code too long ago.
    Expired,
    /// No tries are left.
    Exhausted,
}

impl Wrong {
    const fn name(self) -> &'static str {
        match self {
            Self::Mismatch => "mismatch",
            Self::Expired => "expired",
            Self::Exhausted => "exhausted",
        }
    }
}

/// Counts, judges, spends, finds or makes the account; in the caller's transaction, which must be committed whatever the outcome: that
/// is what counts the guess.
pub async fn redeem(
    app: &App,
    session: &mut Session,
    found: Option<SignInCode>,
    code: &str,
    application: &Application,
    client: &Client,
) -> Result<Result<User, Wrong>> {
    let verdict = judge(app, session, found.as_ref(), code, application, client).await?;
    let user = match (&verdict, &found) {
        (Ok(()), Some(row)) => enter(app, session, row, application, client).await?,
        _ => None,
    };
    match (user, verdict) {
        (Some(user), Ok(())) => Ok(Ok(user)),
        (_, verdict) => {
            let wrong = verdict.err().unwrap_or(Wrong::Mismatch);
            let address = found.as_ref().and_then(address_of);
            audit_failure(app, session, address.as_ref(), application, client, wrong.name()).await?;
            Ok(Err(wrong))
        }
    }
}

/// The same for the code that application and address name. Wrong ones are counted for the address as well: beyond the tries of one
/// code, across all codes (contract 6). Whoever holds a code is not held up by that.
///
/// # Errors
/// `429 sign_in.too_many_attempts`, and nothing was judged.
pub async fn redeem_named(
    app: &App,
    session: &mut Session,
    address: &Address,
    code: &str,
    application: &Application,
    client: &Client,
) -> Result<Result<User, Wrong>> {
    let failures = Failures::take(app, session, address, client).await?;
    let found = rows::find_named(session, &application.id, address.connection.name(), &address.key).await?;
    let outcome = redeem(app, session, found, code, application, client).await?;
    failures.settle(app, session, address, application, client, outcome.is_ok()).await?;
    Ok(outcome)
}

/// The same, only looking: a code that is right stays good (contract P10). To be committed whatever the outcome, too.
pub async fn check_named(
    app: &App,
    session: &mut Session,
    address: &Address,
    code: &str,
    application: &Application,
    client: &Client,
) -> Result<Result<(), Wrong>> {
    let failures = Failures::take(app, session, address, client).await?;
    let found = rows::find_named(session, &application.id, address.connection.name(), &address.key).await?;
    let verdict = judge(app, session, found.as_ref(), code, application, client).await?;
    match (&verdict, &found) {
        (Ok(()), Some(row)) => {
            rows::forgive_guess(session, &row.id).await?;
            let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
            let data = json!({ "connection": address.connection.name(), "identifier": address.masked });
            audit::write(app, session, "sign_in.code_checked", actor, data).await?;
        }
        (Ok(()), None) => {}
        (Err(wrong), _) => {
            audit_failure(app, session, Some(address), application, client, wrong.name()).await?;
        }
    }
    failures.settle(app, session, address, application, client, verdict.is_ok()).await?;
    Ok(verdict)
}

/// Uses the link of a message; `None` when it was used before, is too old, or nobody may sign in with it. To be committed whatever
/// the outcome.
pub async fn redeem_link(
    app: &App,
    session: &mut Session,
    row: &SignInCode,
    application: &Application,
    client: &Client,
) -> Result<Option<User>> {
    let user = enter(app, session, row, application, client).await?;
    if user.is_none() {
        audit_failure(app, session, address_of(row).as_ref(), application, client, "link").await?;
    }
    Ok(user)
}

/// Counted first, whatever comes of it; then looked at. The row is held from here on, so that guesses take turns.
async fn judge(
    app: &App,
    session: &mut Session,
    found: Option<&SignInCode>,
    code: &str,
    application: &Application,
    client: &Client,
) -> Result<Result<(), Wrong>> {
    let now = app.now();
    let found = found.filter(|row| row.application_id == application.id);
    let connection = found.and_then(|row| Connection::parse(&row.connection));
    let (Some(row), Some(connection)) = (found, connection) else {
        // For the time it takes.
        let none = random_text(&*app.random, 24);
        rows::count_guess(session, &none, now).await?;
        let _ = app.sign_in_codes.is_code(&none, 6, code);
        return Ok(Err(Wrong::Mismatch));
    };
    let policy = app.config.sign_in.of(connection);
    let tries = i64::from(policy.tries);
    let Some(number) = rows::count_guess(session, &row.id, now).await? else {
        let is_expired = row.used_at.is_none() && row.replaced_at.is_none() && row.expires_at <= now;
        return Ok(Err(if is_expired { Wrong::Expired } else { Wrong::Mismatch }));
    };
    if number > tries {
        return Ok(Err(Wrong::Exhausted));
    }
    if app.sign_in_codes.is_code(&row.id, lengths::digits(app, connection, row.is_long), code) {
        return Ok(Ok(()));
    }
    let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
    lengths::count_failure(app, session, row, actor).await?;
    Ok(Err(if number == tries { Wrong::Exhausted } else { Wrong::Mismatch }))
}

/// Spends the row and gives its account.
async fn enter(
    app: &App,
    session: &mut Session,
    row: &SignInCode,
    application: &Application,
    client: &Client,
) -> Result<Option<User>> {
    let Some(connection) = Connection::parse(&row.connection) else { return Ok(None) };
    if row.application_id != application.id || !rows::spend(session, &row.id, app.now()).await? {
        return Ok(None);
    }
    lengths::count_success(session, row).await?;
    let proved = Proved { connection, key: &row.identifier, spelling: &row.address };
    entering::account(app, session, &proved, application, client).await
}

fn address_of(row: &SignInCode) -> Option<Address> {
    Address::parse(Connection::parse(&row.connection)?, &row.address)
}

async fn audit_failure(
    app: &App,
    session: &mut Session,
    address: Option<&Address>,
    application: &Application,
    client: &Client,
    reason: &str,
) -> Result<()> {
    let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
    let data = json!({
        "connection": address.map(|address| address.connection.name()),
        "identifier": address.map(|address| &address.masked),
        "reason": reason,
    });
    audit::write(app, session, "sign_in.failed", actor, data).await
}

/// A guess that counts as wrong until it is known to be right.
struct Failures {
    buckets: [Bucket; 2],
    is_last: bool,
}

impl Failures {
    async fn take(app: &App, session: &mut Session, address: &Address, client: &Client) -> Result<Self> {
        let buckets = Bucket::failures(address.connection, &address.key, client);
        let mut is_last = false;
        for bucket in &buckets {
            match bucket.take(session, app.now()).await? {
                Ok(standing) => is_last |= standing.remaining == 0,
                Err(standing) => return Err(Code::TooManySignIns.refuse().retry_after(standing.wait).into()),
            }
        }
        Ok(Self { buckets, is_last })
    }

    async fn settle(
        &self,
        app: &App,
        session: &mut Session,
        address: &Address,
        application: &Application,
        client: &Client,
        is_right: bool,
    ) -> Result<()> {
        if is_right {
            for bucket in &self.buckets {
                bucket.give_back(session).await?;
            }
        } else if self.is_last {
            let actor = Actor { user: None, application: Some(&application.id), client: Some(client) };
            let data = json!({ "connection": address.connection.name(), "identifier": address.masked });
            audit::write(app, session, "sign_in.locked", actor, data).await?;
        }
        Ok(())
    }
}
