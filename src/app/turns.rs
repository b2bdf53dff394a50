//! Few guesses of one user's one method are judged at a time in this process, so that a burst waits here and not on the database.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::timeout,
};

use crate::domain::{id::UserId, method::Method};

/// Fewer than the least `maxAttempts` in use, and enough to keep every core busy.
const AT_A_TIME: usize = 4;

/// Past it, whatever the others wait for is not to be had.
const PATIENCE: Duration = Duration::from_secs(15);

/// The turns.
#[derive(Default)]
pub struct Turns {
    waiting: Mutex<HashMap<(UserId, Method), Arc<Semaphore>>>,
}

impl Turns {
    /// Waits for a turn, within limits; it ends when the permit is dropped.
    pub async fn take(&self, user: &UserId, method: Method) -> Option<OwnedSemaphorePermit> {
        let semaphore = {
            let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
            // Pairs nobody waits for are forgotten, so the map holds no more than there are requests.
            if waiting.len() >= 1024 {
                waiting.retain(|_, semaphore| Arc::strong_count(semaphore) > 1);
            }
            let fresh = || Arc::new(Semaphore::new(AT_A_TIME));
            Arc::clone(waiting.entry((user.clone(), method)).or_insert_with(fresh))
        };
        timeout(PATIENCE, semaphore.acquire_owned()).await.ok()?.ok()
    }
}
