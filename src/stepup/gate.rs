//! The gate: permission in the signature.
//!
//! A handler that takes `Gate<O>` cannot be reached without a caller, and the only write transaction it gets is the one the gate
//! opens, which has already judged (and, where the policy says once, spent) the verification record. Forgetting the check is not a
//! bug one can write.

use std::{
    borrow::Cow,
    future::{Ready, ready},
    marker::PhantomData,
    ops::{Deref, DerefMut},
};

use actix_web::{FromRequest, HttpRequest, dev::Payload};
use serde_json::{Value, json};

use super::records::proofs;
use crate::{
    app::App,
    audit,
    crypto::digest::record_key,
    domain::{
        id::{RecordId, RecordKey},
        method::{Method, Purpose},
        policy::Policy,
        refusal::{Code, Refusal},
        requirement::Requirement,
        time::Timestamp,
        user::User,
    },
    error::{Error, Result},
    storage::{
        Session,
        records::{self, Living},
        users,
    },
    web::caller::Caller,
};

/// The two names of the header (contract D2).
pub const HEADERS: [&str; 2] = ["verification-id", "logto-verification-id"];

/// A protected account operation.
pub trait Operation: 'static {
    /// `area.action`, such as `account.password.update`: the policy key and the audit action.
    const NAME: &'static str;
    /// What it demands, unless the configuration says otherwise.
    const REQUIREMENT: Requirement;
}

/// What operation `O` demands here.
fn policy<O: Operation>(app: &App) -> Cow<'_, Policy> {
    let built_in = || Cow::Owned(Policy::built_in(O::NAME, &O::REQUIREMENT));
    app.policies.find(O::NAME).map_or_else(built_in, Cow::Borrowed)
}

/// The way into operation `O`: a signed-in caller, and the record they say they have.
pub struct Gate<O> {
    caller: Caller,
    key: Option<RecordKey>,
    operation: PhantomData<O>,
}

impl<O: Operation> FromRequest for Gate<O> {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(request: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let gate = Caller::from_request(request, payload).into_inner().map(|caller| {
            let key = shown(request, &caller);
            Self { caller, key, operation: PhantomData }
        });
        ready(gate)
    }
}

/// The record a request shows in a header, be it wrong; where it has no such header, the one that the caller's step-up token carries.
#[must_use]
pub fn shown(request: &HttpRequest, caller: &Caller) -> Option<RecordKey> {
    let has_header = HEADERS.iter().any(|name| request.headers().contains_key(*name));
    if has_header { presented(request) } else { caller.carried }
}

/// The record a request presents: one value, in one header or the same in both; anything else is none.
#[must_use]
pub fn presented(request: &HttpRequest) -> Option<RecordKey> {
    let mut values = HEADERS.iter().filter_map(|name| {
        let mut lines = request.headers().get_all(*name);
        let first = lines.next();
        // A header that stands twice never matches (contract 2.2).
        if lines.next().is_some() { Some("") } else { first.map(|value| value.to_str().unwrap_or_default()) }
    });
    let first = values.next()?;
    if values.any(|other| other != first) {
        return None;
    }
    RecordId::parse(first).map(|id| record_key(&id))
}

impl<O: Operation> Gate<O> {
    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// Refuses early what [`Gate::open`] would refuse. Spends nothing, holds nothing, and is no permission.
    pub async fn check(&self, app: &App) -> Result<()> {
        let policy = policy::<O>(app);
        if exempts(&policy, &self.caller.user) {
            return Ok(());
        }
        let key = self.shown(&policy)?;
        self.judge(&policy, key, &mut app.db.read().await?, app.now()).await
    }

    /// The record that was presented.
    fn shown(&self, policy: &Policy) -> Result<&RecordKey> {
        self.key.as_ref().ok_or_else(|| self.refusal(policy).into())
    }

    async fn judge(&self, policy: &Policy, key: &RecordKey, session: &mut Session, now: Timestamp) -> Result<()> {
        let record = records::find_living(session, key, self.caller.holder(), OPENS, now).await?;
        self.require_met(policy, key, record, session, now).await
    }

    async fn require_met(
        &self,
        policy: &Policy,
        key: &RecordKey,
        record: Option<Living>,
        session: &mut Session,
        now: Timestamp,
    ) -> Result<()> {
        let proofs = match record {
            Some(record) if record.operation.as_ref().is_none_or(|operation| operation == O::NAME) => {
                proofs(session, key, &record.method, record.verified_at, now).await?
            }
            _ => Vec::new(),
        };
        policy.judge(&proofs, now).map(drop).map_err(|_| self.refusal(policy).into())
    }

    /// Judges the record and gives a session to read with: the gate of what changes nothing, and so spends nothing.
    pub async fn look(self, app: &App) -> Result<Looking<O>> {
        const { assert!(!O::REQUIREMENT.is_single_use, "what is looked at is looked at again") };
        let policy = policy::<O>(app);
        let key = if exempts(&policy, &self.caller.user) { None } else { Some(self.shown(&policy)?) };
        let (mut session, now) = (app.db.read().await?, app.now());
        if let Some(key) = key {
            self.judge(&policy, key, &mut session, now).await?;
        }
        Ok(Looking { session, caller: self.caller, now, operation: PhantomData })
    }

    /// Begins the write transaction, judges the record again inside it, and spends it where the policy says once.
    pub async fn open(self, app: &App) -> Result<Opened<O>> {
        let now = app.now();
        let policy = policy::<O>(app);
        let mut session = app.db.write().await?;
        let user = users::lock(&mut session, &self.caller.user.id).await?;
        let user = user.filter(|user| !user.is_suspended).ok_or(Code::Unauthorized)?;
        if !exempts(&policy, &user) {
            let key = self.shown(&policy)?;
            let record = records::hold_living(&mut session, key, self.caller.holder(), OPENS, now).await?;
            self.require_met(&policy, key, record, &mut session, now).await?;
            if policy.is_single_use && !records::spend(&mut session, key, now).await? {
                return Err(self.refusal(&policy).into());
            }
        }
        Ok(Opened { session, user, caller: self.caller, now, operation: PhantomData })
    }

    /// `401 verification_record.permission_denied`, with what a client needs to finish the step-up (RFC 9470).
    fn refusal(&self, policy: &Policy) -> Refusal {
        Code::VerificationRequired.with(challenge(policy, &self.caller.user))
    }
}

/// What a client needs to know to finish a step-up by `user` (contract `operations.md`, "RFC 9470").
#[must_use]
pub fn challenge(policy: &Policy, user: &User) -> Value {
    json!({
        "operation": policy.operation,
        "methods": sets(&policy.methods),
        "userMethods": names(&user.methods()),
        "acrValues": policy.acr_values(),
        "maxAge": policy.max_age.as_secs(),
    })
}

/// Sets of methods, by their names.
#[must_use]
pub fn sets(sets: &[Vec<Method>]) -> Vec<Vec<&'static str>> {
    sets.iter().map(|set| names(set)).collect()
}

/// Methods by their names.
#[must_use]
pub fn names(methods: &[Method]) -> Vec<&'static str> {
    methods.iter().map(|method| method.name()).collect()
}

/// Only step-up records open gates (contract 2.2).
const OPENS: &str = Purpose::UserPermissionValidation.name();

fn exempts(policy: &Policy, user: &User) -> bool {
    policy.exempts_users_without_methods && user.methods().is_empty()
}

/// A look through the gate: a session that reads for operation `O`.
pub struct Looking<O> {
    session: Session,
    caller: Caller,
    now: Timestamp,
    operation: PhantomData<O>,
}

impl<O: Operation> Looking<O> {
    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The moment of the look.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }
}

impl<O> Deref for Looking<O> {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<O> DerefMut for Looking<O> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}

/// The open gate: the write transaction of operation `O`, with the user as they are inside it.
pub struct Opened<O> {
    session: Session,
    user: User,
    caller: Caller,
    now: Timestamp,
    operation: PhantomData<O>,
}

impl<O: Operation> Opened<O> {
    /// The user, locked against other changes until the end.
    #[must_use]
    pub fn user(&self) -> &User {
        &self.user
    }

    /// Who asks.
    #[must_use]
    pub fn caller(&self) -> &Caller {
        &self.caller
    }

    /// The moment of the operation.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        self.now
    }

    /// Writes the audit event and commits. Dropping the gate instead undoes everything, the spending included.
    pub async fn commit(mut self, app: &App, data: Value) -> Result<()> {
        audit::write(app, &mut self.session, O::NAME, &self.caller, data).await?;
        self.session.commit().await?;
        metrics::counter!("countersign_operations_total", "operation" => O::NAME).increment(1);
        Ok(())
    }
}

impl<O> Deref for Opened<O> {
    type Target = Session;
    fn deref(&self) -> &Session {
        &self.session
    }
}

impl<O> DerefMut for Opened<O> {
    fn deref_mut(&mut self) -> &mut Session {
        &mut self.session
    }
}
