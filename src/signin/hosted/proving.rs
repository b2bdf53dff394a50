//! What is proved on the pages, one proof after the other, until it is as much as was asked for.
//!
//! A plain sign-in takes one. A step-up (RFC 9470) takes what its demand says: its proofs are collected in one verification record, which the
//! access token carries in the end. Nobody is signed in before that.

use serde::{Deserialize, Serialize};

use super::{
    back::{self, Source},
    flow::Flow,
    request::{Asked, UNMET},
};
use crate::{
    app::App,
    audit::Actor,
    crypto::digest::{base64url, record_key_of},
    domain::{
        application::Connection,
        demand::Next,
        id::{RecordKey, UserId},
        method::Method,
        policy::Proof,
        time::Timestamp,
        user::User,
    },
    error::Result,
    signin::{codes::Address, entering},
    stepup::collecting,
    storage::{
        Session,
        applications::Application,
        records::Holder,
        sessions::{self, Stored},
        users,
    },
};

/// Who has proved something in a step-up, and where it is kept.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Collected {
    /// Whose proofs they are.
    pub user: UserId,
    /// By which way they came in.
    pub connection: Connection,
    /// The address they came in with, as they know it.
    pub address: String,
    /// Where their record is stored, in its wire form.
    record: String,
}

/// A way in, by which somebody proved who they are.
#[derive(Clone, Copy)]
pub struct Entrance<'a> {
    /// Which.
    pub connection: Connection,
    /// The address, as they know it.
    pub address: &'a str,
}

/// What comes of a proof.
pub enum Outcome {
    /// The person is signed in.
    In {
        /// Back to the application.
        url: String,
        /// The secret of the browser's cookie.
        secret: String,
    },
    /// Another proof is wanted: its page is the flow's.
    More,
    /// They own nothing that would do: back to the application, which is told so.
    Unmet(String),
}

/// Where and when something was proved.
#[derive(Clone, Copy)]
pub struct At<'a> {
    /// From where, by which program.
    pub from: &'a Source,
    /// The session the browser has.
    pub before: Option<&'a Stored>,
    /// When.
    pub time: Timestamp,
}

/// `user`, who is locked, has proved `method`. The flow is locked, too; commit whatever the outcome.
pub async fn proved(
    app: &App,
    session: &mut Session,
    flow: &mut Flow,
    (user, method): (&User, Method),
    entrance: Entrance<'_>,
    at: At<'_>,
) -> Result<Outcome> {
    let Some(demand) = flow.state.asked.demand.clone() else {
        let proof = entering::proof_of(entrance.connection, at.time);
        let into = (&flow.application, &flow.state.asked);
        let (url, secret) = enter(app, session, into, &user.id, &proof, None, at).await?;
        back::finish(app, session, flow).await?;
        return Ok(Outcome::In { url, secret });
    };
    // What somebody else has proved is not theirs.
    let before = flow.state.collected.take().filter(|collected| collected.user == user.id);
    let key = before.as_ref().and_then(|collected| record_key_of(&collected.record));
    let actor = Actor { user: Some(&user.id), application: Some(&flow.application.id), client: Some(&at.from.client) };
    let holder = Holder { user: &user.id, jkt: flow.state.asked.dpop_jkt.as_deref() };
    let proof = Proof { method, at: at.time };
    let (record, proofs) = collecting::add(app, session, key, holder, proof, actor).await?;
    let proofs = demand.counting(&proofs, app.now());
    match demand.next(&methods(&proofs), &user.methods()) {
        Next::Prove(_) => {
            let collected = before.unwrap_or_else(|| Collected {
                user: user.id.clone(),
                connection: entrance.connection,
                address: entrance.address.to_owned(),
                record: String::new(),
            });
            flow.state.collected = Some(Collected { record: base64url(&record.0), ..collected });
            flow.state.sent = None;
            flow.store(session, None).await?;
            Ok(Outcome::More)
        }
        Next::Enough => {
            collecting::close(app, session, &record).await?;
            let connection = before.map_or(entrance.connection, |collected| collected.connection);
            let proof = together(&proofs, connection, at.time);
            let into = (&flow.application, &flow.state.asked);
            let (url, secret) = enter(app, session, into, &user.id, &proof, Some(record), at).await?;
            back::finish(app, session, flow).await?;
            Ok(Outcome::In { url, secret })
        }
        Next::Unmet => {
            back::finish(app, session, flow).await?;
            let description = "the user owns too little of what acr_values ask for";
            Ok(Outcome::Unmet(back::refusal(app, &(&flow.state.asked).into(), UNMET, description)))
        }
    }
}

fn methods(proofs: &[Proof]) -> Vec<Method> {
    proofs.iter().map(|proof| proof.method).collect()
}

/// Several proofs as one, in their order: as old as the oldest of them.
fn together(proofs: &[Proof], connection: Connection, last: Timestamp) -> sessions::Proof {
    let mut proofs = proofs.to_vec();
    proofs.sort_by_key(|proof| proof.at);
    let names: Vec<&str> = proofs.iter().map(|proof| proof.method.name()).collect();
    sessions::Proof {
        auth_time: proofs.first().map_or(last, |oldest| oldest.at),
        connection: Some(connection.name().to_owned()),
        methods: names.join(" "),
    }
}

/// Signs the person in at their browser, and lets them into the application: the URL to go to, and the secret of the browser's cookie.
/// The access token carries `record`.
pub async fn enter(
    app: &App,
    session: &mut Session,
    (application, asked): (&Application, &Asked),
    user: &UserId,
    proof: &sessions::Proof,
    record: Option<RecordKey>,
    At { from, before, .. }: At<'_>,
) -> Result<(String, String)> {
    let (browser, secret) = back::open_browser(app, session, user, proof, before, from).await?;
    let url = back::admit(app, session, application, asked, (user, &browser, proof), from, record).await?;
    Ok((url, secret))
}

/// What a flow waits for, beside a code that was sent.
pub enum Wanted {
    /// Somebody who says who they are.
    Somebody,
    /// The password of whoever has proved something.
    Password(Box<User>),
    /// Leave to send a code to an address of theirs.
    Code(Address),
}

/// What the flow waits for now. Holds nothing.
pub async fn wanted(app: &App, flow: &Flow) -> Result<Wanted> {
    let (Some(collected), Some(demand)) = (&flow.state.collected, &flow.state.asked.demand) else {
        return Ok(Wanted::Somebody);
    };
    let Some(key) = record_key_of(&collected.record) else { return Ok(Wanted::Somebody) };
    let holder = Holder { user: &collected.user, jkt: flow.state.asked.dpop_jkt.as_deref() };
    let mut session = app.db.read().await?;
    let proofs = collecting::find(app, &mut session, &key, holder).await?;
    let proofs = demand.counting(&proofs, app.now());
    let user = users::find(&mut session, &collected.user).await?.filter(|user| !user.is_suspended);
    // Whose proofs are all over is nobody any more.
    let Some(user) = user.filter(|_| !proofs.is_empty()) else { return Ok(Wanted::Somebody) };
    let address = match demand.next(&methods(&proofs), &user.methods()) {
        Next::Prove(Method::Password) => return Ok(Wanted::Password(Box::new(user))),
        Next::Prove(method) => address_of(&user, method),
        Next::Enough | Next::Unmet => None,
    };
    Ok(address.map_or(Wanted::Somebody, Wanted::Code))
}

/// The user's own address that codes of this method go to.
#[must_use]
pub fn address_of(user: &User, method: Method) -> Option<Address> {
    match method {
        Method::Password => None,
        Method::EmailCode => Address::parse(Connection::Email, user.primary_email.as_deref()?),
        Method::PhoneCode => Address::parse(Connection::Sms, &format!("+{}", user.primary_phone.as_deref()?)),
    }
}
