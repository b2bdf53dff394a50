//! The steps, played to a server and to the model.

use std::collections::BTreeMap;

use actix_web::{
    HttpResponse,
    middleware::from_fn,
    test::{TestRequest, init_service, read_body},
    web::{self, Data},
};
use countersign::{
    app::App,
    crypto::digest::record_key,
    domain::{id::RecordId, requirement::Requirement},
    error::Result,
    stepup::gate::{Gate, Operation},
    web::caller::authenticate,
};
use proptest::{prop_assert_eq, test_runner::TestCaseError};
use reqwest::Method as Verb;
use serde_json::{Value, json};

use super::{
    Address, Step,
    model::{self, Method, Model, Person, Record, Tried},
};
use crate::harness::{Answer, TestApp, User};

/// A server with limits so low that a few steps reach them.
pub struct Stage {
    app: TestApp,
}

/// An operation whose record serves once: the policy says so, as back ends' policies may. Written as an event that is known.
struct Once;

impl Operation for Once {
    const NAME: &'static str = "account.updated";
    const REQUIREMENT: Requirement = Requirement { is_single_use: true, ..Requirement::ACCOUNT };
}

async fn once(app: Data<App>, gate: Gate<Once>) -> Result<HttpResponse> {
    gate.check(&app).await?;
    gate.open(&app).await?.commit(&app, Value::Null).await?;
    Ok(HttpResponse::NoContent().finish())
}

/// Two people, and what only they know.
struct Play<'a> {
    stage: &'a Stage,
    model: Model,
    users: [User<'a>; 2],
    tokens_until: [i64; 2],
    free: [String; 2],
    free_phone: String,
    /// Beside the model's records: id and code.
    secrets: Vec<(String, String)>,
    names: u32,
}

impl Stage {
    pub async fn set() -> Self {
        let app = TestApp::start_with(|config| {
            config.limits.sends_per_recipient = i64::try_from(model::SENDS_TO_ONE).unwrap();
            config.limits.sends_per_user = i64::try_from(model::SENDS_BY_ONE).unwrap();
            config.limits.send_gap_seconds = u64::try_from(model::GAP / 1000).unwrap();
            config.limits.sends_per_client = 0;
            config.limits.sends_in_all = 0;
            config.sms.daily_budget = 0;
            config.sms.daily_budget_per_calling_code = 0;
        })
        .await;
        app.change_settings(|settings| {
            let experience = &mut settings.sign_in_experience;
            experience.sentinel_policy.max_attempts = u32::try_from(model::MOST_FAILURES).unwrap();
            experience.sentinel_policy.lockout_duration = u32::try_from(model::LOCK / 60_000).unwrap();
            experience.verification_code_policy.max_retry_attempts = u32::try_from(model::TRIES).unwrap();
            experience.verification_code_policy.expiration_duration = u32::try_from(model::CODE_LIFE / 1000).unwrap();
        })
        .await;
        Self { app }
    }

    /// Plays the steps to two new people.
    pub async fn play(&self, steps: &[Step]) -> Result<(), TestCaseError> {
        let users = [self.app.user().await, self.app.user().await];
        let people = users.each_ref().map(|user| Person::new(&user.email.to_lowercase(), &user.phone));
        let mut play = Play {
            stage: self,
            model: Model::new(self.app.now().0, people),
            free: [0, 1].map(|number| format!("free-{number}-{}@example.org", users[0].id)),
            free_phone: users[0].new_phone(),
            tokens_until: [self.app.now().0 + 3_000_000; 2],
            users,
            secrets: Vec::new(),
            names: 0,
        };
        for step in steps {
            play.step(*step).await?;
        }
        play.compare_events().await
    }
}

impl Play<'_> {
    async fn step(&mut self, step: Step) -> Result<(), TestCaseError> {
        let (answer, expected) = match step {
            Step::Wait { seconds } => {
                self.stage.app.advance(seconds);
                self.model.now = self.stage.app.now().0;
                return Ok(());
            }
            Step::Suspend { who, is_suspended } => {
                self.suspend(who, is_suspended).await;
                return self.compare(step).await;
            }
            Step::Reset { who } => {
                let targets = json!({ "targetType": "User", "targets": [self.users[who].id.as_str()] });
                let manager = self.stage.app.manager().await;
                manager.post("/api/sentinel-activities/delete", targets).await.expect("204");
                self.model.reset(who);
                return self.compare(step).await;
            }
            Step::Prove { who, to } => {
                let before = self.secrets.len();
                self.sign_in(who).await;
                let Some((answer, expected)) = self.send(who, to).await else { return Ok(()) };
                if self.secrets.len() == before {
                    (answer, expected)
                } else {
                    prop_assert_eq!(answer, expected, "{:?}", step);
                    self.guess(who, before, Tried::Right, false).await
                }
            }
            Step::Password { who, is_right } => self.password(who, is_right).await,
            Step::Send { who, to } => {
                self.sign_in(who).await;
                let Some(answers) = self.send(who, to).await else { return Ok(()) };
                answers
            }
            Step::Guess { who, record, tried, is_elsewhere } => {
                let Some(index) = self.record(record) else { return Ok(()) };
                self.sign_in(who).await;
                self.guess(who, index, tried, is_elsewhere).await
            }
            Step::Open { who, .. }
            | Step::ChangePassword { who, .. }
            | Step::Bind { who, .. }
            | Step::Remove { who, .. } => {
                self.sign_in(who).await;
                let Some(answers) = self.operate(step).await else { return Ok(()) };
                answers
            }
        };
        prop_assert_eq!(answer, expected, "{:?}", step);
        self.compare(step).await
    }

    /// Tokens end, and suspension ends sessions: neither is what this is about.
    async fn sign_in(&mut self, who: usize) {
        if self.tokens_until[who] < self.model.now && !self.model.people[who].is_suspended {
            let scopes = ["openid", "profile", "email", "phone"];
            self.users[who].token = self.users[who].new_token(&self.stage.app.application, &scopes).await;
            self.tokens_until[who] = self.model.now + 3_000_000;
        }
    }

    fn record(&self, back: usize) -> Option<usize> {
        self.secrets.len().checked_sub(1 + back)
    }

    async fn password(&mut self, who: usize, is_right: bool) -> (String, &'static str) {
        self.sign_in(who).await;
        let user = &self.users[who];
        let answer = user.try_password(if is_right { &user.password } else { "wrong" }).await;
        if answer.status == 201 {
            self.secrets.push((answer.record(), "none".to_owned()));
        }
        (answer.gist(), self.model.password(who, is_right))
    }

    /// `None` when there is no such address any more.
    async fn send(&mut self, who: usize, to: Address) -> Option<(String, &'static str)> {
        let people = &self.model.people;
        let (method, to) = match to {
            Address::OwnEmail => (Method::Email, people[who].addresses[0].clone()?),
            Address::OwnPhone => (Method::Phone, people[who].addresses[1].clone()?),
            Address::Theirs => (Method::Email, people[1 - who].addresses[0].clone()?),
            Address::Free(number) => (Method::Email, self.free[number].clone()),
            Address::FreePhone => (Method::Phone, self.free_phone.clone()),
        };
        let answer = self.users[who].send_code(kind(method), &to).await;
        if answer.status == 201 {
            self.secrets.push((answer.record(), self.stage.app.code_for(&to)));
        }
        Some((answer.gist(), self.model.send(who, method, &to)))
    }

    async fn guess(&mut self, who: usize, index: usize, tried: Tried, is_elsewhere: bool) -> (String, &'static str) {
        let (method, to) = self.address_of(index, is_elsewhere);
        let (id, code) = &self.secrets[index];
        let code = match tried {
            Tried::Right => code.as_str(),
            Tried::Wrong if code == "000000" => "000001",
            Tried::Wrong => "000000",
            Tried::Nothing => "",
        };
        let answer = self.users[who].try_code(kind(method), &to, id, code).await;
        (answer.gist(), self.model.guess(who, index, method, &to, tried))
    }

    /// The address a record proves, or another of its kind; a password is tried as if it were a code.
    fn address_of(&self, index: usize, is_elsewhere: bool) -> (Method, String) {
        let Record { method, to, .. } = &self.model.records[index];
        let method = if *method == Method::Password { Method::Email } else { *method };
        let other = if method == Method::Email { "elsewhere@example.org" } else { "447400111222" };
        let to = to.clone().filter(|_| !is_elsewhere).unwrap_or_else(|| other.to_owned());
        (method, to)
    }

    async fn operate(&mut self, step: Step) -> Option<(String, &'static str)> {
        let none = Value::Null;
        self.names += 1;
        let name = format!("name_{}_{}", self.users[0].id, self.names);
        let operation = match step {
            Step::Open { who, record, is_single_use: true } => {
                let index = self.record(record)?;
                return Some((self.open_once(who, index).await, self.model.open(who, index, true)));
            }
            Step::Open { who, record, is_single_use: false } => {
                (who, record, "PATCH", "/api/my-account", json!({ "username": name }))
            }
            Step::ChangePassword { who, record } => {
                let password = format!("a good passphrase no {}", self.names);
                (who, record, "POST", "/api/my-account/password", json!({ "password": password }))
            }
            Step::Bind { who, record, proof, is_elsewhere } => {
                let (method, to) = self.address_of(self.record(proof)?, is_elsewhere);
                let id = &self.secrets[self.record(proof)?].0;
                let path = path(method);
                (who, record, "POST", path, json!({ kind(method): to, "newIdentifierVerificationRecordId": id }))
            }
            Step::Remove { who, record, method } => (who, record, "DELETE", path(method), none),
            _ => return None,
        };
        let (who, record, verb, path, body) = operation;
        let index = self.record(record)?;
        let answer: Answer = self.users[who].call(verb, path, &self.secrets[index].0, body.clone()).await;
        let expected = match step {
            Step::ChangePassword { .. } => self.model.change_password(who, index),
            Step::Bind { proof, is_elsewhere, .. } => {
                let proof = self.record(proof)?;
                let (method, to) = self.address_of(proof, is_elsewhere);
                self.model.bind(who, index, proof, method, &to)
            }
            Step::Remove { method, .. } => self.model.remove(who, index, method),
            _ => self.model.open(who, index, false),
        };
        if let (204, Some(password)) = (answer.status, body["password"].as_str()) {
            self.users[who].password = password.to_owned();
        }
        Some((answer.gist(), expected))
    }

    /// The same gate and the same authentication, behind a route that only exists here.
    async fn open_once(&self, who: usize, index: usize) -> String {
        let app = actix_web::App::new().app_data(self.stage.app.running.app.clone());
        let scope = web::scope("/once").wrap(from_fn(authenticate)).route("", web::post().to(once));
        let service = init_service(app.service(scope)).await;
        let request =
            TestRequest::post().uri("/once").insert_header(("verification-id", self.secrets[index].0.as_str()));
        let request = request.insert_header(("authorization", format!("Bearer {}", self.users[who].token)));
        let response = actix_web::test::call_service(&service, request.to_request()).await;
        let status = response.status().as_u16();
        let body: Value = serde_json::from_slice(&read_body(response).await).unwrap_or_default();
        body["code"].as_str().map_or_else(|| status.to_string(), |code| format!("{status} {code}"))
    }

    async fn suspend(&mut self, who: usize, is_suspended: bool) {
        let path = format!("/api/users/{}/is-suspended", self.users[who].id);
        let manager = self.stage.app.manager().await;
        manager.call(Verb::PATCH, &path, Some(json!({ "isSuspended": is_suspended }))).await.expect("200");
        self.model.suspend(who, is_suspended);
        if is_suspended {
            self.tokens_until[who] = 0;
        }
    }

    /// Every record, lock and count as the database has it.
    async fn compare(&self, step: Step) -> Result<(), TestCaseError> {
        let mut session = self.stage.app.app().db.read().await.unwrap();
        type Row = (Vec<u8>, i64, Option<i64>, Option<i64>, Option<i64>);
        let mut found = BTreeMap::new();
        for (who, user) in self.users.iter().enumerate() {
            let sql = "select id_hash, guesses, verified_at, spent_at, revoked_at from verification_records
                       where user_id = $1";
            let rows: Vec<Row> = session.fetch_all(sql, (&user.id,)).await.unwrap();
            found.extend(
                rows.into_iter()
                    .map(|(hash, guesses, verified, spent, revoked)| (hash, (who, guesses, verified, spent, revoked))),
            );
            let sql =
                "select locked_until, locks, failures_in_a_row from guess_guards where user_id = $1 and method = $2";
            for method in [Method::Password, Method::Email, Method::Phone] {
                let name = ["password", "email_code", "phone_code"][method as usize];
                let guard: Option<(i64, i64, i64)> = session.fetch_optional(sql, (&user.id, name)).await.unwrap();
                let count = "select count(*) from guesses where user_id = $1 and method = $2 and failed and at > $3";
                let since = self.model.now - 3_600_000;
                let failed: i64 = session.fetch_value(count, (&user.id, name, since)).await.unwrap();
                let expected = &self.model.people[who].guards[method as usize];
                let counted = expected.failed_at.iter().filter(|at| **at > since).count();
                let expected =
                    (expected.locked_until, expected.locks, expected.in_a_row, i64::try_from(counted).unwrap());
                let (locked, locks, in_a_row) = guard.unwrap_or_default();
                prop_assert_eq!((locked, locks, in_a_row, failed), expected, "{} of {} after {:?}", name, who, step);
            }
        }
        let mut expected = BTreeMap::new();
        for (record, (id, _)) in self.model.records.iter().zip(&self.secrets) {
            let key = record_key(&RecordId::parse(id).unwrap()).0.to_vec();
            expected.insert(key, (record.owner, record.guesses, record.verified, record.spent, record.revoked));
        }
        prop_assert_eq!(found, expected, "records after {:?}", step);
        Ok(())
    }

    /// One event for each fact, and none beside.
    async fn compare_events(&self) -> Result<(), TestCaseError> {
        let mut session = self.stage.app.app().db.read().await.unwrap();
        for (who, user) in self.users.iter().enumerate() {
            let sql = "select type, count(*) from audit_events where user_id = $1 group by type";
            let found: Vec<(String, i64)> = session.fetch_all(sql, (&user.id,)).await.unwrap();
            let mut expected = BTreeMap::<String, i64>::new();
            for (_, kind) in self.model.events.iter().filter(|(of, _)| *of == who) {
                *expected.entry((*kind).to_owned()).or_default() += 1;
            }
            // What these tell of is in other events already, or is told once a while; tests/it/hooks shows when.
            let beside = ["message.rate_limited", "verification.revoked"];
            let found = found.into_iter().filter(|(kind, _)| !beside.contains(&kind.as_str()));
            prop_assert_eq!(found.collect::<BTreeMap<_, _>>(), expected, "events of {}", who);
        }
        Ok(())
    }
}

fn kind(method: Method) -> &'static str {
    if method == Method::Phone { "phone" } else { "email" }
}

fn path(method: Method) -> &'static str {
    if method == Method::Phone { "/api/my-account/primary-phone" } else { "/api/my-account/primary-email" }
}
