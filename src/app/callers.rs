//! Reads of callers that wait together go in one statement.
//!
//! Every request reads its caller anew, so that a revocation counts with the next request. Under load these reads are most of what
//! a request costs; so a few run at a time, and what arrives meanwhile is read together by the next. Each read begins after the
//! requests it serves have arrived, so none sees an older state than a read of its own would have shown.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use crate::{
    domain::refusal::Code,
    error::{Error, Result},
    storage::{
        Db,
        users::{self, Asked, CallerRow},
    },
};

/// Reads that run at a time: one for each of a few cores; more would only make each of them smaller.
const AT_A_TIME: usize = 2;

/// The reads that wait.
#[derive(Default)]
pub struct Callers(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    waiting: Vec<Waiting>,
    running: usize,
}

struct Waiting {
    asked: Asked,
    answer: oneshot::Sender<Result<Option<CallerRow>>>,
}

impl Callers {
    /// The caller, as the database has it now.
    pub async fn find(&self, db: &Db, asked: Asked) -> Result<Option<CallerRow>> {
        let (answer, row) = oneshot::channel();
        let is_needed = {
            let mut state = lock(&self.0);
            state.waiting.push(Waiting { asked, answer });
            let is_needed = state.running < AT_A_TIME;
            state.running += usize::from(is_needed);
            is_needed
        };
        if is_needed {
            // A task of its own: a request may end at any moment, and others wait for what it reads.
            tokio::spawn(read_all(Running { state: Arc::clone(&self.0), is_counted: true }, db.clone()));
        }
        row.await.unwrap_or_else(|_| Err(unavailable()))
    }
}

/// Counts as running until it is dropped, be it by a panic or with its runtime.
struct Running {
    state: Arc<Mutex<State>>,
    is_counted: bool,
}

impl Running {
    /// Whom to read next. With `None` it runs no more, seen under the same lock: whoever comes then starts another.
    fn next(&mut self) -> Option<Vec<Waiting>> {
        let mut state = lock(&self.state);
        let most = state.waiting.len().min(users::TOGETHER);
        if most == 0 {
            state.running -= 1;
            self.is_counted = false;
            return None;
        }
        Some(state.waiting.drain(..most).collect())
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.is_counted {
            lock(&self.state).running -= 1;
        }
    }
}

async fn read_all(mut running: Running, db: Db) {
    while let Some(batch) = running.next() {
        read(&db, batch).await;
    }
}

async fn read(db: &Db, batch: Vec<Waiting>) {
    let (asked, answers): (Vec<_>, Vec<_>) = batch.into_iter().map(|one| (one.asked, one.answer)).unzip();
    let rows = match db.read().await {
        Ok(mut session) => users::find_callers(&mut session, &asked).await.map_err(Error::from),
        Err(error) => Err(error),
    };
    match rows {
        Ok(rows) => {
            for (answer, row) in answers.into_iter().zip(rows) {
                let _ = answer.send(Ok(row));
            }
        }
        Err(error) => {
            tracing::error!(%error, requests = answers.len(), "callers cannot be read");
            for answer in answers {
                let _ = answer.send(Err(unavailable()));
            }
        }
    }
}

fn unavailable() -> Error {
    Code::Unavailable.refuse().retry_after(std::time::Duration::from_secs(1)).into()
}

fn lock(state: &Mutex<State>) -> MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}
