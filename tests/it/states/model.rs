//! What records, guesses and locks are, said a second time and as simply as can be: no database, one call after another.

/// Milliseconds since 1970.
pub type Moment = i64;

const SECOND: Moment = 1000;
pub const RECORD_LIFE: Moment = 600 * SECOND;
pub const CODE_LIFE: Moment = 300 * SECOND;
pub const TRIES: i64 = 3;
pub const MOST_FAILURES: usize = 4;
pub const LOCK: Moment = 900 * SECOND;
pub const GAP: Moment = 30 * SECOND;
pub const SENDS_TO_ONE: usize = 3;
pub const SENDS_BY_ONE: usize = 8;
const HOUR: Moment = 3600 * SECOND;

const BLOCKED: &str = "400 session.verification_blocked_too_many_attempts";
const DENIED: &str = "401 verification_record.permission_denied";
const NO_RECORD: &str = "400 verification_record.not_found";
const NO_TOKEN: &str = "401 auth.unauthorized";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    Password,
    Email,
    Phone,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tried {
    Right,
    Wrong,
    Nothing,
}

#[derive(Debug)]
pub struct Record {
    pub owner: usize,
    pub method: Method,
    pub to: Option<String>,
    is_step_up: bool,
    has_code: bool,
    code_until: Moment,
    until: Moment,
    pub guesses: i64,
    pub verified: Option<Moment>,
    pub spent: Option<Moment>,
    pub revoked: Option<Moment>,
}

#[derive(Debug, Default)]
pub struct Guard {
    pub failed_at: Vec<Moment>,
    pub in_a_row: i64,
    pub locks: i64,
    pub locked_until: Moment,
}

#[derive(Debug)]
pub struct Person {
    /// E-mail and phone, in canonical form.
    pub addresses: [Option<String>; 2],
    pub is_suspended: bool,
    pub guards: [Guard; 3],
}

#[derive(Debug)]
pub struct Model {
    pub now: Moment,
    pub people: [Person; 2],
    pub records: Vec<Record>,
    sends: Vec<(usize, String, Moment)>,
    /// What the audit log has to say, of whom.
    pub events: Vec<(usize, &'static str)>,
}

impl Person {
    pub fn new(email: &str, phone: &str) -> Self {
        let addresses = [Some(email.to_owned()), Some(phone.to_owned())];
        Self { addresses, is_suspended: false, guards: Default::default() }
    }

    pub fn address(&mut self, method: Method) -> &mut Option<String> {
        &mut self.addresses[usize::from(method == Method::Phone)]
    }
}

impl Model {
    pub fn new(now: Moment, people: [Person; 2]) -> Self {
        Self { now, people, records: Vec::new(), sends: Vec::new(), events: Vec::new() }
    }

    fn guard(&mut self, who: usize, method: Method) -> &mut Guard {
        &mut self.people[who].guards[method as usize]
    }

    fn is_locked(&mut self, who: usize, method: Method) -> bool {
        let now = self.now;
        self.guard(who, method).locked_until > now
    }

    fn fail(&mut self, who: usize, method: Method, otherwise: &'static str) -> &'static str {
        let now = self.now;
        self.events.push((who, "verification.failed"));
        let guard = self.guard(who, method);
        guard.failed_at.push(now);
        guard.in_a_row += 1;
        if guard.failed_at.iter().filter(|at| **at > now - HOUR).count() < MOST_FAILURES {
            return otherwise;
        }
        guard.locked_until = now + (LOCK << guard.locks).min(24 * HOUR);
        guard.locks += 1;
        self.events.push((who, "verification.locked"));
        BLOCKED
    }

    fn succeed(&mut self, who: usize, method: Method) {
        self.events.push((who, "verification.succeeded"));
        let guard = self.guard(who, method);
        (guard.in_a_row, guard.locks) = (0, 0);
    }

    fn add(&mut self, owner: usize, method: Method, to: Option<String>, is_step_up: bool) {
        let (now, has_code) = (self.now, to.is_some());
        let verified = (!has_code).then_some(now);
        let (code_until, until) = (now + CODE_LIFE, now + RECORD_LIFE);
        let (guesses, spent, revoked) = (0, None, None);
        let record =
            Record { owner, method, to, is_step_up, has_code, code_until, until, guesses, verified, spent, revoked };
        self.records.push(record);
    }

    pub fn password(&mut self, who: usize, is_right: bool) -> &'static str {
        if self.people[who].is_suspended {
            return NO_TOKEN;
        }
        if self.is_locked(who, Method::Password) {
            return BLOCKED;
        }
        if !is_right {
            return self.fail(who, Method::Password, "422 session.invalid_credentials");
        }
        self.succeed(who, Method::Password);
        self.add(who, Method::Password, None, true);
        "201"
    }

    pub fn send(&mut self, who: usize, method: Method, to: &str) -> &'static str {
        if self.people[who].is_suspended {
            return NO_TOKEN;
        }
        let now = self.now;
        let times = |by: Option<usize>, to: Option<&str>, since: Moment| -> Vec<Moment> {
            let fits = |(sender, recipient, _): &&(usize, String, Moment)| {
                by.is_none_or(|by| by == *sender) && to.is_none_or(|to| to == recipient)
            };
            self.sends.iter().filter(fits).map(|(_, _, at)| *at).filter(|at| *at > since).collect()
        };
        let is_too_soon = !times(Some(who), Some(to), now - GAP).is_empty();
        let to_one = times(None, Some(to), now - 600 * SECOND).len();
        if is_too_soon || to_one >= SENDS_TO_ONE || times(Some(who), None, now - HOUR).len() >= SENDS_BY_ONE {
            return "429 request.message_rate_limited";
        }
        self.sends.push((who, to.to_owned(), now));
        self.events.push((who, "verification.code_sent"));
        let is_own = self.people[who].address(method).as_deref() == Some(to);
        self.add(who, method, Some(to.to_owned()), is_own);
        "201"
    }

    /// Tries a code on a record, as the code of `method` that went to `to`.
    pub fn guess(&mut self, who: usize, index: usize, method: Method, to: &str, tried: Tried) -> &'static str {
        if self.people[who].is_suspended {
            return NO_TOKEN;
        }
        if self.is_locked(who, method) {
            return BLOCKED;
        }
        let now = self.now;
        let record = &mut self.records[index];
        let is_there = record.owner == who && record.method == method && record.until > now;
        if !is_there || record.spent.is_some() || record.revoked.is_some() {
            return NO_RECORD;
        }
        if !record.has_code || tried == Tried::Nothing {
            return "400 verification_code.not_found";
        }
        if record.to.as_deref() != Some(to) {
            let email = method == Method::Email;
            let code =
                if email { "400 verification_code.email_mismatch" } else { "400 verification_code.phone_mismatch" };
            return self.fail(who, method, code);
        }
        if record.code_until <= now {
            return self.fail(who, method, "400 verification_code.expired");
        }
        record.guesses += 1;
        if record.guesses > TRIES {
            return self.fail(who, method, "400 verification_code.exceed_max_try");
        }
        if tried == Tried::Wrong {
            return self.fail(who, method, "400 verification_code.code_mismatch");
        }
        (record.verified, record.has_code) = (Some(now), false);
        self.succeed(who, method);
        "200"
    }

    fn is_proof(&self, who: usize, index: usize) -> bool {
        let record = &self.records[index];
        let is_alive = record.until > self.now && record.spent.is_none() && record.revoked.is_none();
        record.owner == who && record.verified.is_some() && is_alive
    }

    /// What a gate without a policy of its own answers; `None` when it opens.
    fn gate(&self, who: usize, index: usize) -> Option<&'static str> {
        if self.people[who].is_suspended {
            return Some(NO_TOKEN);
        }
        (!(self.is_proof(who, index) && self.records[index].is_step_up)).then_some(DENIED)
    }

    pub fn open(&mut self, who: usize, index: usize, is_single_use: bool) -> &'static str {
        if let Some(refusal) = self.gate(who, index) {
            return refusal;
        }
        if is_single_use {
            self.records[index].spent = Some(self.now);
        }
        self.events.push((who, if is_single_use { "account.updated" } else { "account.username.update" }));
        if is_single_use { "204" } else { "200" }
    }

    fn fact_changed(&mut self, who: usize, method: Method) {
        let now = self.now;
        let own = self.records.iter_mut().filter(|record| record.owner == who && record.method == method);
        own.for_each(|record| record.revoke(now));
        let guard = self.guard(who, method);
        (guard.in_a_row, guard.locks, guard.locked_until) = (0, 0, 0);
    }

    pub fn change_password(&mut self, who: usize, index: usize) -> &'static str {
        if let Some(refusal) = self.gate(who, index) {
            return refusal;
        }
        self.fact_changed(who, Method::Password);
        self.events.push((who, "account.password.update"));
        "204"
    }

    pub fn bind(&mut self, who: usize, index: usize, proof: usize, method: Method, to: &str) -> &'static str {
        if let Some(refusal) = self.gate(who, index) {
            return refusal;
        }
        let fits = self.records[proof].method == method && self.records[proof].to.as_deref() == Some(to);
        if !(fits && self.is_proof(who, proof)) {
            return NO_RECORD;
        }
        let (is_email, other) = (method == Method::Email, 1 - who);
        if self.people[other].address(method).as_deref() == Some(to) {
            return if is_email { "422 user.email_already_in_use" } else { "422 user.phone_already_in_use" };
        }
        self.records[proof].spent = Some(self.now);
        *self.people[who].address(method) = Some(to.to_owned());
        self.fact_changed(who, method);
        self.events.push((who, if is_email { "account.email.update" } else { "account.phone.update" }));
        "204"
    }

    pub fn remove(&mut self, who: usize, index: usize, method: Method) -> &'static str {
        if let Some(refusal) = self.gate(who, index) {
            return refusal;
        }
        *self.people[who].address(method) = None;
        self.fact_changed(who, method);
        self.events.push((who, if method == Method::Email { "account.email.delete" } else { "account.phone.delete" }));
        "204"
    }

    pub fn suspend(&mut self, who: usize, is_suspended: bool) {
        self.people[who].is_suspended = is_suspended;
        self.events.push((who, if is_suspended { "user.suspended" } else { "user.unsuspended" }));
        if is_suspended {
            let now = self.now;
            self.records.iter_mut().filter(|record| record.owner == who).for_each(|record| record.revoke(now));
        }
    }

    pub fn reset(&mut self, who: usize) {
        self.people[who].guards = Default::default();
        self.events.push((who, "verification.unlocked"));
    }
}

impl Record {
    fn revoke(&mut self, now: Moment) {
        if self.until > now && self.spent.is_none() && self.revoked.is_none() {
            (self.revoked, self.has_code) = (Some(now), false);
        }
    }
}
