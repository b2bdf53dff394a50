//! The door of the hashing pool: who may come near its threads, and who waits.
//!
//! Only so many are let in that the threads never run out of work. The others wait outside, where they have cost nothing yet, and
//! whoever is turned away there has done nothing yet that would have to be undone.

use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{Instant, timeout_at},
};

/// Places for each thread: one on it, and some for those who are about to be, while a database counts their guesses.
const PLACES: usize = 8;

pub(super) struct Door {
    places: Arc<Semaphore>,
    /// Whoever is not on a thread yet, outside or inside.
    waiting: AtomicUsize,
    limit: usize,
    patience: Duration,
}

impl Door {
    /// For that many threads; at most `limit` wait, none longer than `patience`.
    pub(super) fn new(threads: usize, limit: usize, patience: Duration) -> Arc<Self> {
        let places = Arc::new(Semaphore::new(threads * PLACES));
        Arc::new(Self { places, waiting: AtomicUsize::new(0), limit: limit.max(1), patience })
    }

    /// Waits to be let in. `None` when too many wait, or it took too long.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<(Inside, Waiting)> {
        let waiting = Waiting::new(self)?;
        let place = timeout_at(waiting.until(), Arc::clone(&self.places).acquire_owned()).await.ok()?.ok()?;
        Some((place, waiting))
    }

    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.waiting.load(Ordering::Relaxed)
    }
}

/// One of the places near the threads, until it is dropped.
pub(super) type Inside = OwnedSemaphorePermit;

/// Counts as waiting until it is dropped.
pub(super) struct Waiting {
    door: Arc<Door>,
    /// Since when.
    pub(super) since: Instant,
}

impl Waiting {
    fn new(door: &Arc<Door>) -> Option<Self> {
        let others = door.waiting.fetch_add(1, Ordering::Relaxed);
        let waiting = Self { door: Arc::clone(door), since: Instant::now() };
        measure(others + 1);
        (others < door.limit).then_some(waiting)
    }

    /// Until when it is worth it.
    pub(super) fn until(&self) -> Instant {
        self.since + self.door.patience
    }
}

impl Drop for Waiting {
    fn drop(&mut self) {
        measure(self.door.waiting.fetch_sub(1, Ordering::Relaxed) - 1);
    }
}

fn measure(waiting: usize) {
    metrics::gauge!("countersign_hashing_queue_length").set(u32::try_from(waiting).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn is_let_in(door: &Arc<Door>) -> Option<Inside> {
        tokio::time::timeout(Duration::from_millis(10), door.enter()).await.ok().flatten().map(|(inside, _)| inside)
    }

    #[tokio::test]
    async fn whoever_leaves_outside_leaves_no_trace() {
        let door = Door::new(1, 1, Duration::from_millis(5));
        let mut inside = Vec::new();
        while let Some(one) = is_let_in(&door).await {
            inside.push(one);
        }
        assert_eq!(door.waiting(), 0);
        assert!(door.enter().await.is_none(), "past its patience");
        assert_eq!(door.waiting(), 0);
        let (_outside, next) = tokio::join!(door.enter(), door.enter());
        assert!(next.is_none(), "one too many");
        drop(inside);
        assert!(is_let_in(&door).await.is_some());
    }
}
