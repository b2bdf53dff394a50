//! The service, and what it holds so that there is something to tell apart.

use std::{net::SocketAddr, sync::Arc};

use countersign::{
    clock::ManualClock,
    config::sign_in::ConnectionConfig,
    domain::{
        id::{RecordKey, UserId},
        method::{Method, Purpose},
        time::Timestamp,
    },
    server::Options,
    stepup::records::Fresh,
    storage::{guesses, records, sessions, tokens, users},
};

use crate::subject::{self, Database, Subject, User};

/// What requests leave behind that would weigh on later ones.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Leaves {
    Nothing,
    /// Failed guesses, which would lock the method.
    Guesses,
    /// Messages, which would be counted.
    Sends,
    /// Codes, messages and wrong codes, which would be counted.
    SignIns,
}

/// What a record is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum State {
    Pending,
    Verified,
    Expired,
    Revoked,
    Spent,
}

pub struct Scene {
    pub subject: Subject,
}

impl Scene {
    /// Time stands still: nothing expires while it is measured.
    pub async fn set(database: &Database) -> Self {
        let mut config = subject::config(&database.url);
        config.limits.send_gap_seconds = 0;
        config.limits.sends_per_user = i64::MAX;
        config.limits.sends_per_recipient = i64::MAX;
        config.sign_in.starts_per_hour = 0;
        config.sms.daily_budget = 0;
        config.sms.daily_budget_per_calling_code = 0;
        // More than there are samples between two clearings.
        config.sign_in.email.tries = 10;
        config.sign_in.sms = ConnectionConfig { tries: 10, sign_up: false, ..ConnectionConfig::default() };
        let clock = Arc::new(ManualClock::new(Timestamp(1_795_176_000_000)));
        let options = Options { clock: Some(clock), ..subject::options() };
        Self { subject: Subject::start_as(database, 8, config, options).await }
    }

    pub fn address(&self) -> SocketAddr {
        self.subject.address()
    }

    pub fn user(&self, number: usize) -> &User {
        self.subject.users.get(number).expect("so many users")
    }

    /// A record by e-mail code that is of no use to the one who will show it; gives its id.
    pub async fn record(&self, owner: &UserId, purpose: Purpose, identifier: &str, state: State) -> String {
        let app = &self.subject.running.app;
        let (fresh, now) = (Fresh::new(app), app.now());
        let mac = app.codes.mac(&fresh.key, "123456").to_vec();
        let row = records::NewRecord {
            key: &fresh.key,
            holder: records::Holder { user: owner, jkt: None },
            method: Method::EmailCode.name(),
            purpose: purpose.name(),
            identifier: Some(identifier),
            code: (state == State::Pending).then_some((mac, fresh.expires_at)),
            created_at: fresh.created_at,
            expires_at: if state == State::Expired { Timestamp(now.0 - 1) } else { fresh.expires_at },
            verified_at: (state != State::Pending).then_some(now),
            part_of: None,
        };
        let mut session = app.db.write().await.unwrap();
        records::add(&mut session, row).await.unwrap();
        let ended = match state {
            State::Revoked => Some("update verification_records set revoked_at = $2 where id_hash = $1"),
            State::Spent => Some("update verification_records set spent_at = $2 where id_hash = $1"),
            State::Pending | State::Verified | State::Expired => None,
        };
        if let Some(sql) = ended {
            let key: &RecordKey = &fresh.key;
            session.execute(sql, (key, now)).await.unwrap();
        }
        session.commit().await.unwrap();
        fresh.id.expose().to_owned()
    }

    /// Stores a digest, or none.
    pub async fn set_digest(&self, user: &UserId, digest: Option<(&str, &str)>) {
        let app = &self.subject.running.app;
        let mut session = app.db.write().await.unwrap();
        let sql = "update users set password_digest = $2, password_algorithm = $3 where id = $1";
        session.execute(sql, (user, digest.map(|one| one.0), digest.map(|one| one.1))).await.unwrap();
        session.commit().await.unwrap();
    }

    /// Suspends a user, with all that goes with it, or deletes them.
    pub async fn dismiss(&self, user: &UserId, is_deleted: bool) {
        let app = &self.subject.running.app;
        let mut session = app.db.write().await.unwrap();
        if is_deleted {
            users::delete(&mut session, user).await.unwrap();
        } else {
            users::set_suspended(&mut session, user, true, app.now()).await.unwrap();
            sessions::end_all(&mut session, user, None, app.now()).await.unwrap();
            tokens::spend_all(&mut session, user, app.now()).await.unwrap();
        }
        session.commit().await.unwrap();
    }

    /// Clears away what requests left.
    pub async fn tidy(&self, what: Leaves) {
        let app = &self.subject.running.app;
        if what == Leaves::Nothing {
            return;
        }
        let mut session = app.db.write().await.unwrap();
        for user in &self.subject.users {
            guesses::forget(&mut session, &user.id).await.unwrap();
        }
        session.execute("delete from sends", ()).await.unwrap();
        if what == Leaves::SignIns {
            for sql in [
                "delete from sign_in_codes",
                "delete from code_failures",
                "delete from code_guards",
                "delete from rates",
            ] {
                session.execute(sql, ()).await.unwrap();
            }
        }
        session.commit().await.unwrap();
    }

    pub async fn end(self) {
        self.subject.stop().await;
    }
}
