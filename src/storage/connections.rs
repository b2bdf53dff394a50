//! Connections that wait for their next use.
//!
//! The driver's pool asks a connection whether it is well each time it gets it back: a round trip more for each transaction, and until
//! the answer is there nobody else has the connection. One that has just answered a statement needs no such question. So the driver
//! opens and closes connections, and between two uses they wait here.

use std::{
    fmt,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use sqlx::{Connection, Pool, pool::PoolConnection};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout},
};

use super::lease::{Lease, Plain};

/// A connection that rested longer than this is asked whether it is well: the server, or the way to it, may have gone meanwhile.
const RESTED: Duration = Duration::from_secs(1);

/// The longest it may take to say so.
const PROBE: Duration = Duration::from_secs(1);

/// The driver gets back what nobody needed, or what was in use, for so long: it closes what is too old.
const LONG: Duration = Duration::from_secs(600);

/// Connections to one database, each lent to one user at a time.
pub struct Connections<D: Plain> {
    pool: Pool<D>,
    /// As many as the pool may open.
    places: Arc<Semaphore>,
    /// The longest wait for a place.
    patience: Duration,
    /// The one used last at the end; `None` once closed.
    waiting: Mutex<Option<Vec<Waiting<D>>>>,
}

/// A connection, and since when it is ours.
pub struct Held<D: Plain> {
    /// The connection.
    pub connection: PoolConnection<D>,
    /// When the driver gave it.
    pub since: Instant,
}

struct Waiting<D: Plain> {
    held: Held<D>,
    rests_since: Instant,
}

impl<D: Plain> Connections<D> {
    /// Of a pool, which nobody else uses.
    pub fn new(pool: Pool<D>) -> Arc<Self> {
        let options = pool.options();
        let places = usize::try_from(options.get_max_connections()).unwrap_or(1);
        let patience = options.get_acquire_timeout();
        let waiting = Mutex::new(Some(Vec::new()));
        Arc::new(Self { places: Arc::new(Semaphore::new(places)), patience, pool, waiting })
    }

    /// A connection whose statements may each take as long as `limit`.
    pub async fn lease(self: &Arc<Self>, limit: Option<Duration>) -> sqlx::Result<Lease<D>> {
        let place = self.place().await?;
        Ok(Lease::new(self.next().await?, Arc::clone(self), place, limit))
    }

    async fn place(&self) -> sqlx::Result<OwnedSemaphorePermit> {
        if let Ok(place) = Arc::clone(&self.places).try_acquire_owned() {
            return Ok(place);
        }
        let place = timeout(self.patience, Arc::clone(&self.places).acquire_owned()).await;
        place.map_err(|_| sqlx::Error::PoolTimedOut)?.map_err(|_| sqlx::Error::PoolClosed)
    }

    async fn next(&self) -> sqlx::Result<Held<D>> {
        while let Some(Waiting { mut held, rests_since }) = self.last_used() {
            if rests_since.elapsed() <= RESTED || is_well::<D>(&mut held.connection).await.is_ok() {
                return Ok(held);
            }
            // Without a farewell: nobody may be there to take it.
            drop(held.connection.detach());
        }
        Ok(Held { connection: self.pool.acquire().await?, since: Instant::now() })
    }

    fn last_used(&self) -> Option<Waiting<D>> {
        let mut all = self.lock();
        let waiting = all.as_mut()?;
        let idle = waiting.partition_point(|one| one.rests_since.elapsed() > LONG);
        // To be dropped once others may go on.
        let idle: Vec<_> = waiting.drain(..idle).collect();
        let last = waiting.pop();
        drop(all);
        drop(idle);
        last
    }

    /// Takes back a connection whose last statement was answered, and no transaction is open.
    pub fn keep(&self, held: Held<D>) {
        if held.since.elapsed() <= LONG
            && let Some(waiting) = self.lock().as_mut()
        {
            waiting.push(Waiting { held, rests_since: Instant::now() });
        }
    }

    /// The driver's pool, for what must have it; what waits here is given back to it.
    pub fn pool(&self) -> &Pool<D> {
        let waiting = self.lock().as_mut().map(std::mem::take);
        drop(waiting);
        &self.pool
    }

    /// Closes every connection, after those in use are given back.
    pub async fn close(&self) {
        let waiting = self.lock().take();
        drop(waiting);
        self.pool.close().await;
    }

    fn lock(&self) -> MutexGuard<'_, Option<Vec<Waiting<D>>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Asks a connection, within limits.
pub async fn is_well<D: Plain>(connection: &mut D::Connection) -> sqlx::Result<()> {
    timeout(PROBE, connection.ping())
        .await
        .unwrap_or_else(|_| Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())))
}

impl<D: Plain> Drop for Connections<D> {
    fn drop(&mut self) {
        // Giving them back takes a runtime, and there may be none any more.
        for Waiting { held, .. } in self.lock().take().into_iter().flatten() {
            drop(held.connection.detach());
        }
    }
}

impl<D: Plain> fmt::Debug for Connections<D> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections").field("pool", &self.pool).finish_non_exhaustive()
    }
}

#[cfg(test)]
#[path = "connections_tests.rs"]
mod tests;
