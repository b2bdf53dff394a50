//! The memory of a limiter, with an end: past it, clients not seen before share what is left.

use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    sync::{Mutex, MutexGuard, PoisonError},
};

use governor::{
    nanos::Nanos,
    state::{StateStore, keyed::ShrinkableKeyedStateStore},
};

/// Locks, so that requests seldom wait for each other.
const SHARDS: usize = 16;
/// Addresses remembered: some 10 MiB when full.
pub(super) const MOST: usize = 100_000;
/// What strangers share when the table is full, of each shard.
const SHARED: u64 = 16;

/// When the bucket of each client will be empty again.
pub(super) struct Table {
    shards: [Mutex<HashMap<Slot, Nanos>>; SHARDS],
    /// With a seed of this process, so that nobody outside can aim at a shard.
    hasher: RandomState,
}

#[derive(Clone, Copy, PartialEq, Eq, Hash)]
enum Slot {
    Own(IpAddr),
    Shared(u64),
}

impl Default for Table {
    fn default() -> Self {
        Self { shards: Default::default(), hasher: RandomState::new() }
    }
}

fn lock(shard: &Mutex<HashMap<Slot, Nanos>>) -> MutexGuard<'_, HashMap<Slot, Nanos>> {
    shard.lock().unwrap_or_else(PoisonError::into_inner)
}

impl StateStore for Table {
    type Key = IpAddr;

    fn measure_and_replace<T, F, E>(&self, key: &IpAddr, measure: F) -> Result<T, E>
    where
        F: Fn(Option<Nanos>) -> Result<(T, Nanos), E>,
    {
        let hash = self.hasher.hash_one(key);
        let [first, ..] = &self.shards;
        let index = usize::try_from(hash % SHARDS as u64).unwrap_or(0);
        let mut shard = lock(self.shards.get(index).unwrap_or(first));
        let own = Slot::Own(*key);
        // Whoever is known keeps its own count: a crowd of strangers takes no known client's place.
        let slot = if shard.len() < MOST / SHARDS || shard.contains_key(&own) {
            own
        } else {
            Slot::Shared(hash / SHARDS as u64 % SHARED)
        };
        let (outcome, next) = measure(shard.get(&slot).copied())?;
        shard.insert(slot, next);
        Ok(outcome)
    }
}

impl ShrinkableKeyedStateStore<IpAddr> for Table {
    fn retain_recent(&self, drop_below: Nanos) {
        for shard in &self.shards {
            let mut shard = lock(shard);
            shard.retain(|_, until| *until > drop_below);
            if shard.capacity() > 2 * shard.len() + 1024 {
                shard.shrink_to_fit();
            }
        }
    }

    fn len(&self) -> usize {
        self.shards.iter().map(|shard| lock(shard).len()).sum()
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}
