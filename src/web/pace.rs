//! The pace of a connection: by when its next request must be here. Between requests the deadline moves; while one is being answered
//! there is none. The HTTP layer's own timers end with the first request, and none of them minds a client that will not read.

use std::{cell::Cell, rc::Rc, time::Duration};

use tokio::time::Instant;

/// One connection's pace, held by the connection and by the requests on it.
#[derive(Clone)]
pub struct Pace(Rc<State>);

struct State {
    phase: Cell<Phase>,
    head: Duration,
    rest: Duration,
}

#[derive(Clone, Copy)]
enum Phase {
    /// Nothing has come since the last answer, or at all.
    Resting(Instant),
    /// The head of a request has begun to come, or what is left of a body nobody wants.
    Coming(Instant),
    /// A request is being answered.
    Busy,
}

/// While it lives a request is being answered.
pub struct Busy {
    pace: Pace,
    is_hurried: bool,
}

impl Pace {
    /// Of a new connection. `head` is how long the head of a request may take, `rest` how long there may be none.
    #[must_use]
    pub fn new(head: Duration, rest: Duration) -> Self {
        // A little more than the HTTP layer gives the first head, so that its answer, 408, comes before the end.
        let first = Instant::now() + head + Duration::from_secs(1);
        Self(Rc::new(State { phase: Cell::new(Phase::Resting(first)), head, rest }))
    }

    /// A request is here.
    #[must_use]
    pub fn begin(&self) -> Busy {
        self.0.phase.set(Phase::Busy);
        Busy { pace: self.clone(), is_hurried: false }
    }

    /// Some bytes came.
    pub fn hear(&self) {
        if let Phase::Resting(until) = self.0.phase.get() {
            self.0.phase.set(Phase::Coming(until.min(Instant::now() + self.0.head)));
        }
    }

    /// When the connection ends, unless a request is here by then.
    #[must_use]
    pub fn deadline(&self) -> Option<Instant> {
        match self.0.phase.get() {
            Phase::Resting(until) | Phase::Coming(until) => Some(until),
            Phase::Busy => None,
        }
    }
}

impl Busy {
    /// The request was refused before it was here: whatever is left of it had better come soon.
    pub fn hurry(&mut self) {
        self.is_hurried = true;
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let State { phase, head, rest } = &*self.pace.0;
        let rest = if self.is_hurried { Duration::ZERO } else { *rest };
        phase.set(Phase::Resting(Instant::now() + rest + *head));
    }
}
