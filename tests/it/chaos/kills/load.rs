//! The load: a user who verifies, binds addresses and changes passwords, and an operator beside.

use reqwest::Method;
use serde_json::{Value, json};

use super::{
    mail::Mail,
    memory::{Fact, Memory, Proof},
};
use crate::{
    chaos::client::{Lost, Office, answer},
    harness::Answer,
    program::Service,
};

/// Wrong guesses lock a method: no more of them by one user.
const MOST_WRONG: u32 = 5;

/// Turns of one user; each verification that is cut off counts against the user's ten failures.
const MOST_TURNS: u32 = 40;

pub struct Worker<'a> {
    pub office: &'a Office,
    pub service: &'a Service,
    pub manager: &'a str,
    pub mail: &'a Mail,
}

impl Worker<'_> {
    /// A new user with a client that remembers.
    pub async fn start(&self, name: &str) -> Result<Memory, Lost> {
        let (password, email) = (format!("horse-battery-{name}"), format!("{name}-0@example.com"));
        let body = json!({ "username": name, "password": password, "primaryEmail": email });
        let id = self.office.create_user(self.service, self.manager, body).await?;
        let body = json!({ "username": format!("{name}_victim") });
        let victim = self.office.create_user(self.service, self.manager, body).await?;
        Ok(Memory {
            name: name.to_owned(),
            token: self.office.user_token(self.service, self.manager, &id).await?,
            id,
            password: Fact::new(password),
            email: Fact::new(email),
            victim,
            suspended: Fact::new("false".to_owned()),
            proof: None,
            spent: Vec::new(),
            revoked: Vec::new(),
            tickets: Vec::new(),
            guesses: Vec::new(),
            accepted: Vec::new(),
            redeeming: None,
            redeemed: Vec::new(),
            unanswered: 0,
            addresses: 0,
            turns: 0,
        })
    }

    /// Goes on until something is lost.
    pub async fn run(&self, memory: &mut Memory) {
        while memory.turns < MOST_TURNS {
            if self.turn(memory).await.is_err() {
                return;
            }
            memory.turns += 1;
        }
    }

    pub async fn post(&self, memory: &Memory, path: &str, record: &str, body: Value) -> Result<Answer, Lost> {
        let request = self.office.http.post(format!("{}{path}", self.service.url)).bearer_auth(&memory.token);
        answer(request.header("verification-id", record).json(&body)).await
    }

    pub async fn verify_password(&self, memory: &Memory) -> Result<String, Lost> {
        let body = json!({ "password": memory.password.known });
        Ok(self.post(memory, "/api/verifications/password/verify", "none", body).await?.expect("201").record())
    }

    async fn turn(&self, memory: &mut Memory) -> Result<(), Lost> {
        let record = self.verify_password(memory).await?;
        let proof = self.prove(memory).await?;
        self.bind(memory, &record, proof).await?;
        self.suspend(memory).await?;
        self.exchange(memory).await?;
        self.redeem(memory).await?;
        self.change_password(memory, &record).await
    }

    /// A verified record of a new address.
    async fn prove(&self, memory: &mut Memory) -> Result<Proof, Lost> {
        memory.addresses += 1;
        let address = format!("{}-{}@example.com", memory.name, memory.addresses);
        let identifier = json!({ "type": "email", "value": address });
        let body = json!({ "identifier": identifier });
        let sent = self.post(memory, "/api/verifications/verification-code", "none", body).await?.expect("201");
        let record = sent.record();
        memory.accepted.push(address.clone());
        let code = self.mail.code(&address).await;
        let path = "/api/verifications/verification-code/verify";
        let with = |code: &str| json!({ "identifier": identifier, "verificationId": record, "code": code });
        if memory.turns < MOST_WRONG {
            let wrong = if code == "000000" { "000001" } else { "000000" };
            self.post(memory, path, "none", with(wrong)).await?.expect("400 verification_code.code_mismatch");
            memory.guesses.push((record.clone(), 1));
        }
        self.post(memory, path, "none", with(&code)).await?.expect("200");
        Ok(Proof { record, address })
    }

    async fn bind(&self, memory: &mut Memory, record: &str, proof: Proof) -> Result<(), Lost> {
        let body = json!({ "email": proof.address, "newIdentifierVerificationRecordId": proof.record });
        memory.email.maybe = Some(proof.address.clone());
        memory.proof = Some(proof);
        self.post(memory, "/api/my-account/primary-email", record, body).await?.expect("204");
        memory.email.happened();
        memory.spent.extend(memory.proof.take());
        Ok(())
    }

    async fn suspend(&self, memory: &mut Memory) -> Result<(), Lost> {
        let is_suspended = memory.suspended.known != "true";
        memory.suspended.maybe = Some(is_suspended.to_string());
        let path = format!("/api/users/{}/is-suspended", memory.victim);
        let body = json!({ "isSuspended": is_suspended });
        self.office.call(self.service, self.manager, Method::PATCH, &path, body).await?.expect("200");
        memory.suspended.happened();
        Ok(())
    }

    async fn exchange(&self, memory: &mut Memory) -> Result<(), Lost> {
        let ticket = self.office.ticket(self.service, self.manager, &memory.id).await?;
        self.office.exchange(self.service, &ticket).await?.expect("200");
        memory.tickets.push(ticket);
        Ok(())
    }

    async fn redeem(&self, memory: &mut Memory) -> Result<(), Lost> {
        let payload = json!({ "amount": memory.turns.to_string() });
        let Memory { token, id, password, .. } = &*memory;
        let consent = self.office.consent(self.service, token, id, payload, &password.known).await?;
        memory.redeeming = Some(consent.clone());
        let answer = self.office.redeem(self.service, &consent, &consent.record).await?.expect("200");
        memory.redeeming = None;
        memory.redeemed.push((consent, answer.text));
        Ok(())
    }

    async fn change_password(&self, memory: &mut Memory, record: &str) -> Result<(), Lost> {
        let new = format!("battery-horse-{}-{}", memory.name, memory.addresses);
        memory.password.maybe = Some(new.clone());
        self.post(memory, "/api/my-account/password", record, json!({ "password": new })).await?.expect("204");
        memory.password.happened();
        memory.revoked.push(record.to_owned());
        Ok(())
    }
}
