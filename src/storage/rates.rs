//! Buckets that leak at a steady rate (GCRA), shared by all nodes: one statement asks and takes.

use super::Session;
use crate::domain::time::Timestamp;

/// Puts one into a bucket, unless it would be fuller than may be: gives when it will be empty. `latest` is the latest moment at which
/// it may become empty without this one, `interval` how long one stays, in milliseconds. Held until the transaction ends.
pub async fn take(
    session: &mut Session,
    subject: &str,
    now: Timestamp,
    interval: i64,
    latest: Timestamp,
) -> sqlx::Result<Option<Timestamp>> {
    let sql = "insert into rates (subject, empties_at) values ($1, $3)
               on conflict (subject) do update
                 set empties_at = (case when rates.empties_at > $2 then rates.empties_at else $2 end) + $4
                 where rates.empties_at <= $5
               returning empties_at";
    let first = Timestamp(now.0.saturating_add(interval));
    let row: Option<(Timestamp,)> = session.fetch_optional(sql, (subject, now, first, interval, latest)).await?;
    Ok(row.map(|(at,)| at))
}

/// When a bucket will be empty.
pub async fn find(session: &mut Session, subject: &str) -> sqlx::Result<Option<Timestamp>> {
    let row: Option<(Timestamp,)> =
        session.fetch_optional("select empties_at from rates where subject = $1", (subject,)).await?;
    Ok(row.map(|(at,)| at))
}

/// Takes one out again.
pub async fn give_back(session: &mut Session, subject: &str, interval: i64) -> sqlx::Result<()> {
    session
        .execute("update rates set empties_at = empties_at - $2 where subject = $1", (subject, interval))
        .await
        .map(drop)
}
