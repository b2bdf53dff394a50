//! How often something may be done: a bucket for each who does it, which all nodes share. It is full after so many, and leaks them
//! again over a span.

use std::time::Duration;

use actix_web::http::header::HeaderMap;

use crate::{
    domain::{application::Connection, time::Timestamp},
    error::Result,
    storage::{Session, rates},
    web::{client::Client, floods},
};

const HOUR: Duration = Duration::from_secs(3600);

/// Wrong codes one client may show for one address.
const FAILURES_OF_CLIENT: u32 = 10;
/// Wrong codes that all clients may show for one address.
const FAILURES_OF_ALL: u32 = 30;

/// One bucket.
#[derive(Clone, Debug)]
pub struct Bucket {
    subject: String,
    most: u32,
}

/// How full a bucket is after something was put into it.
#[derive(Clone, Copy, Debug)]
pub struct Standing {
    /// How much fits in.
    pub limit: u32,
    /// What still fits in.
    pub remaining: u32,
    /// When it will be empty.
    pub empties_at: Timestamp,
    /// How long until one more fits in.
    pub wait: Duration,
}

impl Bucket {
    /// Requests for a code or link, of one client (contract P11).
    #[must_use]
    pub fn starts(client: &Client, most: u32) -> Self {
        Self { subject: format!("starts {}", client.network_text()), most }
    }

    /// Wrong codes for one address: of one client, then of all. In this order, so that two transactions never wait for each other.
    #[must_use]
    pub fn failures(connection: Connection, key: &str, client: &Client) -> [Self; 2] {
        let of_all = format!("failures {} {key}", connection.name());
        let of_client = format!("{of_all} {}", client.network_text());
        [Self { subject: of_client, most: FAILURES_OF_CLIENT }, Self { subject: of_all, most: FAILURES_OF_ALL }]
    }

    fn interval(&self) -> Duration {
        HOUR / self.most.max(1)
    }

    fn interval_millis(&self) -> i64 {
        i64::try_from(self.interval().as_millis()).unwrap_or(i64::MAX)
    }

    /// Puts one in; an error, and nothing put in, when it is full.
    pub async fn take(&self, session: &mut Session, now: Timestamp) -> Result<Result<Standing, Standing>> {
        let latest = now.plus(HOUR).minus(self.interval());
        let taken = rates::take(session, &self.subject, now, self.interval_millis(), latest).await?;
        if let Some(empties_at) = taken {
            return Ok(Ok(self.standing(now, empties_at)));
        }
        let empties_at = rates::find(session, &self.subject).await?.unwrap_or(now);
        Ok(Err(Standing { remaining: 0, ..self.standing(now, empties_at) }))
    }

    /// Takes one out again.
    pub async fn give_back(&self, session: &mut Session) -> Result<()> {
        Ok(rates::give_back(session, &self.subject, self.interval_millis()).await?)
    }

    fn standing(&self, now: Timestamp, empties_at: Timestamp) -> Standing {
        let room = now.plus(HOUR).since(empties_at);
        let remaining = room.as_millis() / self.interval().as_millis().max(1);
        Standing {
            limit: self.most,
            remaining: u32::try_from(remaining).unwrap_or(u32::MAX).min(self.most),
            empties_at,
            wait: empties_at.plus(self.interval()).since(now.plus(HOUR)),
        }
    }
}

impl Standing {
    /// Says it in the headers of an answer (contract P11).
    pub fn tell(&self, headers: &mut HeaderMap) {
        floods::tell(headers, self.limit, self.remaining, floods::seconds(self.empties_at));
    }
}
