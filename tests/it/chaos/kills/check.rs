//! The check after each restart: through HTTP, and into the database.

use countersign::{crypto::digest::record_key, domain::id::RecordId, storage::Db};
use reqwest::Method;
use serde_json::json;

use super::{load::Worker, mail::Mail, memory::Memory};
use crate::program::Place;

impl Worker<'_> {
    /// What was acknowledged is there; what was not is there whole, or not at all; what was used up stays so.
    pub async fn check(&self, db: &Db, memory: &mut Memory) {
        let name = memory.name.clone();
        let account = self.user(&memory.id).await;
        memory.email.settle(account["primaryEmail"].as_str().unwrap(), &format!("{name}: e-mail"));
        let proof = memory.proof.take();
        memory.spent.extend(proof.filter(|proof| proof.address == memory.email.known));
        let victim = self.user(&memory.victim).await;
        memory.suspended.settle(&victim["isSuspended"].to_string(), &format!("{name}: suspension"));
        let password = self.password(memory).await;
        memory.password.settle(&password, &format!("{name}: password"));
        self.check_redemptions(memory).await;
        check_rows(db, memory).await;
        self.check_consumed(memory).await;
    }

    async fn user(&self, id: &str) -> serde_json::Value {
        let path = format!("/api/users/{id}");
        let found = self.office.call(self.service, self.manager, Method::GET, &path, json!({})).await;
        found.unwrap().expect("200").json()
    }

    /// Which of the passwords it may be is the right one; not both.
    async fn password(&self, memory: &Memory) -> String {
        let path = format!("/api/users/{}/password/verify", memory.id);
        let mut right = Vec::new();
        for password in [Some(&memory.password.known), memory.password.maybe.as_ref()].into_iter().flatten() {
            let body = json!({ "password": password });
            let answer = self.office.call(self.service, self.manager, Method::POST, &path, body).await.unwrap();
            if answer.status == 204 {
                right.push(password.clone());
            }
        }
        assert_eq!(right.len(), 1, "{}: one password is right: {right:?} of {:?}", memory.name, memory.password);
        right.remove(0)
    }

    /// The key gives the answer that was lost, and the same that was given; any other finds the consent used.
    async fn check_redemptions(&self, memory: &mut Memory) {
        if let Some(consent) = memory.redeeming.take() {
            let answer = self.office.redeem(self.service, &consent, &consent.record).await.unwrap().expect("200");
            memory.redeemed.push((consent, answer.text));
            memory.unanswered += 1;
        }
        let Some((consent, text)) = memory.redeemed.last() else { return };
        let again = self.office.redeem(self.service, consent, &consent.record).await.unwrap().expect("200");
        assert_eq!(again.text, *text, "{}", memory.name);
        assert_eq!(self.office.redeem(self.service, consent, "another").await.unwrap().status, 409, "{}", memory.name);
    }

    /// The newest of each kind that was used up works no more.
    async fn check_consumed(&self, memory: &Memory) {
        let record = self.verify_password(memory).await.unwrap();
        if let Some(proof) = memory.spent.last() {
            let body = json!({ "email": proof.address, "newIdentifierVerificationRecordId": proof.record });
            let answer = self.post(memory, "/api/my-account/primary-email", &record, body).await.unwrap();
            answer.expect("400 verification_record.not_found");
        }
        if let Some(revoked) = memory.revoked.last() {
            let body = json!({ "password": "something else entirely" });
            let answer = self.post(memory, "/api/my-account/password", revoked, body).await.unwrap();
            answer.expect("401 verification_record.permission_denied");
        }
        if let Some(ticket) = memory.tickets.last() {
            let answer = self.office.exchange(self.service, ticket).await.unwrap();
            assert_eq!((answer.status, &answer.json()["error"]), (400, &"invalid_grant".into()), "{}", memory.name);
        }
    }
}

async fn check_rows(db: &Db, memory: &Memory) {
    let name = &memory.name;
    let mut session = db.read().await.unwrap();
    let sql = "select (select count(*) from audit_events where user_id = $1 and type = 'account.password.update'),
                      (select count(*) from outbox where user_id = $1 and template = 'PasswordChanged'),
                      (select count(*) from audit_events where user_id = $1 and type = 'account.email.update'),
                      (select count(*) from outbox where user_id = $1 and template = 'EmailChanged'),
                      (select count(*) from audit_events where user_id = $2
                         and type in ('user.suspended', 'user.unsuspended')),
                      (select count(*) from verification_records where user_id = $1 and method = 'email_code'
                         and spent_at is not null),
                      (select count(*) from audit_events where user_id = $1 and type = 'operation.redeemed')";
    let found: (i64, i64, i64, i64, i64, i64, i64) =
        session.fetch_one(sql, (&memory.id, &memory.victim)).await.unwrap();
    let (passwords, emails) = (memory.password.changes, memory.email.changes);
    let redeemed = i64::try_from(memory.redeemed.len()).unwrap();
    let expected = (passwords, passwords, emails, emails, memory.suspended.changes, emails, redeemed);
    assert_eq!(found, expected, "{name}: half a change (events, notices, spent proofs, redemptions)");
    let sql = "select count(*) from verification_records as r where user_id = $1 and method = 'password'
                 and spent_at is null and revoked_at is null
                 and verified_at < (select password_updated_at from users where id = $1)";
    let alive: i64 = session.fetch_value(sql, (&memory.id,)).await.unwrap();
    assert_eq!(alive, 0, "{name}: records outlived the password they rest on");
    for proof in &memory.spent {
        let key = record_key(&RecordId::parse(&proof.record).unwrap());
        let sql = "select count(*) from verification_records where id_hash = $1 and spent_at is not null";
        let spent: i64 = session.fetch_value(sql, (&key,)).await.unwrap();
        assert_eq!(spent, 1, "{name}: a used proof came back");
    }
    for (record, guesses) in &memory.guesses {
        let key = record_key(&RecordId::parse(record).unwrap());
        let sql = "select guesses from verification_records where id_hash = $1";
        let counted: i64 = session.fetch_value(sql, (&key,)).await.unwrap();
        assert!(counted >= *guesses, "{name}: {counted} guesses are counted, {guesses} were answered");
    }
    let failures: i64 = memory.guesses.iter().map(|(_, guesses)| guesses).sum();
    let sql = "select count(*) from guesses where user_id = $1 and method = 'email_code' and failed";
    let counted: i64 = session.fetch_value(sql, (&memory.id,)).await.unwrap();
    assert!(counted >= failures, "{name}: {counted} failures are counted, {failures} were answered");
}

/// The audit log is whole and signed.
pub fn check_audit(place: &Place) {
    place.run(&["audit", "export", "--config", "countersign.toml", "--out", "audit.jsonl"]).succeeds();
    place.run(&["audit", "verify", "audit.jsonl"]).succeeds();
}

/// No address got two codes.
pub fn check_codes(mail: &Mail) {
    let twice = mail.with_two_codes();
    assert!(twice.is_empty(), "different codes went to {twice:?}");
}

/// Every message that was accepted, or stored with a change, arrives in the end; `hurries` ends the leases of tries that were killed.
pub async fn check_delivery(db: &Db, mail: &Mail, memories: &[Memory], hurries: bool) {
    if hurries {
        let mut session = db.write().await.unwrap();
        let sql = "update outbox set next_attempt_at = 0 where delivered_at is null and given_up_at is null";
        session.execute(sql, ()).await.unwrap();
        session.commit().await.unwrap();
    }
    let waiting = "select count(*) from outbox where delivered_at is null and given_up_at is null";
    let start = std::time::Instant::now();
    loop {
        let waiting: i64 = db.read().await.unwrap().fetch_value(waiting, ()).await.unwrap();
        if waiting == 0 {
            break;
        }
        // A try that was killed is made again when its lease has run out.
        assert!(start.elapsed().as_secs() < 120, "{waiting} messages still wait");
        tokio::time::sleep(std::time::Duration::from_millis(500)).await;
    }
    for memory in memories {
        for address in &memory.accepted {
            assert!(mail.has_code_for(address), "the code to {address} was accepted and is lost");
        }
    }
    let sql = "select id from outbox where given_up_at is not null or delivered_at is not null";
    let rows: Vec<(String,)> = db.read().await.unwrap().fetch_all(sql, ()).await.unwrap();
    for (id,) in rows {
        assert!(mail.has(&id), "the message {id} is marked, but never came");
    }
}
