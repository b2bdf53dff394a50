//! The bounded pool in which passwords are hashed.
//!
//! Never more hashes at a time than threads, each with memory that is kept; a bounded number in front who wait for a place, past which the
//! answer is `503` at once (`door.rs`). The threads run at a lower priority than those that answer requests.

use std::{
    collections::VecDeque,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError},
    thread::JoinHandle,
    time::Duration,
};

use anyhow::{Context as _, anyhow};
use secrecy::{ExposeSecret, SecretString};
use tokio::{sync::oneshot, time::timeout_at};

use super::{
    door::{Door, Inside, Waiting},
    worker::{Recipe, Worker},
};
use crate::{
    config::HashingConfig,
    domain::{id::Random, password::StoredPassword, refusal::Code},
    error::{Error, Result},
};

/// The outcome of a verification.
#[derive(Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Whether the password is the stored one.
    pub matches: bool,
    /// When it is, but was not kept as passwords are kept today: the Argon2id digest to store instead.
    pub rehash: Option<String>,
}

/// The pool. Dropping it ends its threads; whoever waits is answered `503`.
pub struct Hasher {
    shared: Arc<Shared>,
    door: Arc<Door>,
    threads: Vec<JoinHandle<()>>,
}

/// A place near the threads, for one password. Whoever has one will be hashed before long.
#[must_use]
pub struct Place<'a> {
    hasher: &'a Hasher,
    inside: Inside,
    waiting: Waiting,
}

#[derive(Default)]
struct Shared {
    queue: Mutex<Queue>,
    wake: Condvar,
}

#[derive(Default)]
struct Queue {
    jobs: VecDeque<Job>,
    is_stopping: bool,
}

struct Job {
    run: Box<dyn FnOnce(&mut Worker) + Send>,
    /// Told when the job is taken up; closed when nobody waits for it any more.
    started: oneshot::Sender<()>,
    /// Kept until it is done.
    _inside: Inside,
}

impl Hasher {
    /// Starts the threads.
    ///
    /// # Errors
    /// Settings that Argon2 does not take, a pepper that is too short, a thread that cannot be started.
    pub fn start(settings: &HashingConfig, random: Arc<dyn Random>) -> Result<Self> {
        let recipe = Arc::new(Recipe::new(settings, random)?);
        let shared = Arc::<Shared>::default();
        let count = match settings.threads {
            0 => std::thread::available_parallelism().map_or(1, usize::from),
            count => count,
        };
        let door = Door::new(count, settings.queue, Duration::from_millis(settings.deadline_ms));
        let mut hasher = Self { shared, door, threads: Vec::with_capacity(count) };
        for number in 0..count {
            let (shared, recipe) = (hasher.shared.clone(), recipe.clone());
            let thread = std::thread::Builder::new()
                .name(format!("hashing-{number}"))
                .spawn(move || work(&shared, Worker::new(recipe), number))
                .context("starting a hashing thread")?;
            hasher.threads.push(thread);
        }
        Ok(hasher)
    }

    /// Waits for a place.
    ///
    /// # Errors
    /// `503` when too many wait, or it took too long.
    pub async fn place(&self) -> Result<Place<'_>> {
        let (inside, waiting) = self.door.enter().await.ok_or_else(busy)?;
        Ok(Place { hasher: self, inside, waiting })
    }

    /// The Argon2id digest of a new password, in the PHC string format, as soon as there is a place.
    pub async fn hash(&self, password: SecretString) -> Result<String> {
        self.place().await?.run(move |worker| worker.hash(password.expose_secret())).await
    }

    /// [`Place::verify`], as soon as there is a place.
    pub async fn verify(&self, password: SecretString, stored: Option<StoredPassword>) -> Result<Verdict> {
        self.place().await?.verify(password, stored).await
    }
}

impl Place<'_> {
    /// Whether `password` is the stored one. Without a stored one the answer is no, after the same work.
    ///
    /// # Errors
    /// `503` when waiting for a place and for a thread took too long; nobody learns the outcome then.
    pub async fn verify(self, password: SecretString, stored: Option<StoredPassword>) -> Result<Verdict> {
        self.run(move |worker| worker.verify(password.expose_secret(), stored.as_ref())).await
    }

    async fn run<T: Send + 'static>(
        self,
        work: impl FnOnce(&mut Worker) -> anyhow::Result<T> + Send + 'static,
    ) -> Result<T> {
        let Self { hasher, inside, waiting } = self;
        let (started, has_started) = oneshot::channel();
        let (reply, answer) = oneshot::channel();
        let run = Box::new(move |worker: &mut Worker| {
            let _ = reply.send(work(worker));
        });
        hasher.shared.add(Job { run, started, _inside: inside })?;
        match timeout_at(waiting.until(), has_started).await {
            Ok(Ok(())) => metrics::histogram!("countersign_hashing_wait_seconds").record(waiting.since.elapsed()),
            _ => return Err(busy()),
        }
        drop(waiting);
        answer.await.map_err(|_| Error::Failed(anyhow!("hashing a password broke off")))?.map_err(Error::Failed)
    }
}

impl Drop for Hasher {
    fn drop(&mut self) {
        let mut queue = self.shared.lock();
        queue.is_stopping = true;
        let abandoned = std::mem::take(&mut queue.jobs);
        drop(queue);
        drop(abandoned);
        self.shared.wake.notify_all();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn add(&self, job: Job) -> Result<()> {
        let mut queue = self.lock();
        if queue.is_stopping {
            return Err(busy());
        }
        queue.jobs.push_back(job);
        drop(queue);
        self.wake.notify_one();
        Ok(())
    }

    /// The next job; waits for one. `None` when the pool ends.
    fn next(&self) -> Option<Job> {
        let mut queue = self.lock();
        loop {
            if queue.is_stopping {
                return None;
            }
            if let Some(job) = queue.jobs.pop_front() {
                return Some(job);
            }
            queue = self.wake.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }
}

fn work(shared: &Shared, mut worker: Worker, number: usize) {
    yield_to_requests(number);
    while let Some(Job { run, started, _inside }) = shared.next() {
        let is_wanted = started.send(()).is_ok();
        if is_wanted {
            // A panic ends the job, not the thread: the pool must not shrink.
            if catch_unwind(AssertUnwindSafe(|| run(&mut worker))).is_err() {
                tracing::error!("hashing a password panicked");
            }
        }
    }
}

/// Asks the operating system to prefer the threads that answer requests; goes on without where that is refused.
///
/// All but one run only where nothing else wants to, and give way at once: the others would make a request wait for the end of their
/// time slice at each of its thread switches. The one that is merely nice keeps a flood of requests from starving every password check.
fn yield_to_requests(number: usize) {
    use thread_priority::{
        NormalThreadSchedulePolicy, ThreadPriority, ThreadPriorityValue, ThreadSchedulePolicy,
        set_current_thread_priority, set_thread_priority_and_policy, thread_native_id,
    };
    let outcome = if number == 0 {
        // Nice 7.
        ThreadPriorityValue::try_from(30_u8)
            .is_ok_and(|value| set_current_thread_priority(ThreadPriority::Crossplatform(value)).is_ok())
    } else {
        let idle = ThreadSchedulePolicy::Normal(NormalThreadSchedulePolicy::Idle);
        set_thread_priority_and_policy(thread_native_id(), ThreadPriority::Min, idle).is_ok()
    };
    if !outcome {
        tracing::debug!(number, "this hashing thread runs at ordinary priority");
    }
}

fn busy() -> Error {
    Code::Unavailable.refuse().retry_after(Duration::from_secs(1)).into()
}

#[cfg(test)]
#[path = "hasher_tests.rs"]
mod tests;
