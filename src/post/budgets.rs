//! What messages may cost: how many a client address and all users together may cause, which countries text messages go to, and
//! how many a day. Counted in the transaction of the message, for all nodes; fails closed.

use std::time::Duration;

use crate::{
    app::App,
    domain::{
        calling_codes,
        id::UserId,
        message::Kind,
        refusal::{Code, Refusal},
        time::Timestamp,
    },
    error::Result,
    storage::{
        Session,
        sends::{self as rows, Window},
    },
};

const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Refuses with `422 request.message_country_not_served` a number (E.164 digits) of a country text messages do not go to.
pub fn require_served(app: &App, digits: &str) -> Result<()> {
    if app.config.sms.serves(digits) { Ok(()) } else { Err(Code::MessageCountryNotServed.into()) }
}

/// Counts that were made; needed to take them back.
#[derive(Debug, Default)]
pub struct Counted(Vec<Window>);

/// A budget that is used up.
#[derive(Debug)]
pub struct UsedUp {
    /// Whether it is one of what text messages cost a day.
    pub is_daily: bool,
    ends_at: Timestamp,
}

impl UsedUp {
    /// `429 request.message_rate_limited`, with the time until the window is over.
    #[must_use]
    pub fn refusal(&self, now: Timestamp) -> Refusal {
        Code::MessageRateLimited.refuse().retry_after(self.ends_at.since(now))
    }
}

/// One limit: what is counted, in which span, up to how many.
struct Budget {
    subject: String,
    span: Duration,
    most: i64,
    /// Its name in metrics, and in the log where reaching it is for the operator to know.
    name: &'static str,
    is_alarming: bool,
}

/// Counts a message that the client at `client` causes to `to` (E.164 digits, for a text message). Call it after the other statements
/// of the transaction, and always before its audit event: the last of these rows is shared by all who send.
///
/// # Errors
/// `429 request.message_rate_limited`, with the time until the window is over.
pub async fn count(
    app: &App,
    session: &mut Session,
    kind: Kind,
    to: &str,
    client: &str,
    now: Timestamp,
) -> Result<Counted> {
    try_count(app, session, kind, to, Some(client), now).await?.map_err(|used_up| used_up.refusal(now).into())
}

/// The same, telling which budget is used up. Without a `client`, none is counted for one.
pub async fn try_count(
    app: &App,
    session: &mut Session,
    kind: Kind,
    to: &str,
    client: Option<&str>,
    now: Timestamp,
) -> Result<Result<Counted, UsedUp>> {
    let limits = &app.config.limits;
    let budget = |subject, span, most, name, is_alarming| Budget { subject, span, most, name, is_alarming };
    let client =
        client.map(|client| budget(format!("client {client}"), HOUR, limits.sends_per_client, "client", false));
    let mut budgets: Vec<Budget> = client.into_iter().chain(for_kind(app, kind, to)).collect();
    budgets.push(budget("all".to_owned(), HOUR, limits.sends_in_all, "all", true));
    count_all(session, &budgets, now).await
}

/// Whether a notice to `to` (E.164 digits) may leave as a text message; counts it. Nobody is refused a change because its notice
/// would cost too much: the notice stays away, and the log says so.
pub async fn may_text_notice(
    app: &App,
    session: &mut Session,
    user: &UserId,
    to: &str,
    now: Timestamp,
) -> Result<bool> {
    if !app.config.sms.serves(to) {
        return Ok(false);
    }
    // Of its own, so that codes a user asked for do not silence notices, nor the other way round.
    let own = Budget {
        subject: format!("notices {user}"),
        span: HOUR,
        most: app.config.limits.sends_per_user.max(1),
        name: "notices",
        is_alarming: false,
    };
    let budgets: Vec<Budget> = std::iter::once(own).chain(for_kind(app, Kind::Sms, to)).collect();
    let is_sent = count_all(session, &budgets, now).await?.is_ok();
    if !is_sent {
        tracing::warn!("a notice was not sent as a text message: too many were");
    }
    Ok(is_sent)
}

/// The message was not sent.
pub async fn take_back(session: &mut Session, counted: &Counted) -> Result<()> {
    for window in &counted.0 {
        rows::take_back(session, window).await?;
    }
    Ok(())
}

/// Text messages cost money: they have a budget a day, for each calling code and in all.
fn for_kind(app: &App, kind: Kind, to: &str) -> Vec<Budget> {
    if kind != Kind::Sms {
        return Vec::new();
    }
    let sms = &app.config.sms;
    let code = calling_codes::of(to).unwrap_or("unknown");
    let (span, is_alarming) = (DAY, true);
    vec![
        Budget {
            subject: format!("sms {code}"),
            span,
            most: sms.daily_budget_per_calling_code,
            name: "sms_calling_code",
            is_alarming,
        },
        Budget { subject: "sms".to_owned(), span, most: sms.daily_budget, name: "sms", is_alarming },
    ]
}

/// Counts in every budget, or in none. In one order for all, so that two transactions never wait for each other; the row that the
/// most have in common comes last.
async fn count_all(session: &mut Session, budgets: &[Budget], now: Timestamp) -> Result<Result<Counted, UsedUp>> {
    let mut counted = Counted::default();
    for budget in budgets.iter().filter(|budget| budget.most > 0) {
        let window = window(&budget.subject, budget.span, now);
        let Some(sent) = rows::count_in(session, &window, budget.most).await? else {
            take_back(session, &counted).await?;
            metrics::counter!("countersign_sends_refused_total", "budget" => budget.name).increment(1);
            return Ok(Err(UsedUp { is_daily: budget.span == DAY, ends_at: window.ends_at }));
        };
        // One message of each window is the last: whoever sends it tells, on whichever node.
        if sent == budget.most && budget.is_alarming {
            metrics::counter!("countersign_send_budgets_reached_total", "budget" => budget.name).increment(1);
            tracing::error!(
                budget = budget.name,
                subject = window.subject,
                most = budget.most,
                until = window.ends_at.to_iso(),
                "a budget of messages is used up; no more are sent until it is renewed"
            );
        }
        counted.0.push(window);
    }
    Ok(Ok(counted))
}

/// The window of `now`: hours and days of UTC.
fn window(subject: &str, span: Duration, now: Timestamp) -> Window {
    let length = i64::try_from(span.as_millis()).unwrap_or(i64::MAX);
    let begins_at = Timestamp(now.0 - now.0.rem_euclid(length));
    Window { subject: subject.to_owned(), begins_at, ends_at: begins_at.plus(span) }
}
