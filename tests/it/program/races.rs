//! Two processes of the program on one database: no moment of one lets the other pass what it should not.
//!
//! On PostgreSQL they are two nodes. On SQLite they are what a service and a command line beside it are, or an old and a new version for
//! a moment: nothing but the database's own lock orders their writes. `COUNTERSIGN_RACE_ROUNDS` says how often each race is run.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex},
};

use futures_util::future::join_all;
use reqwest::Client;
use serde_json::{Value, json};

use super::{Place, Service, people::Office};
use crate::harness::{Answer, TestDatabase, stand_in};

const PASSWORD: &str = "horse-battery-staple-9";
const BIND: &str = "/api/my-account/primary-email";

fn rounds() -> usize {
    std::env::var("COUNTERSIGN_RACE_ROUNDS")
        .map_or(3, |text| text.parse().expect("COUNTERSIGN_RACE_ROUNDS is a number"))
}

/// The latest code to each address, as it came out of either process.
type Codes = Arc<Mutex<HashMap<String, String>>>;

struct Nodes {
    services: [Service; 2],
    codes: Codes,
    http: Client,
    application: Value,
    _place: Place,
    _database: TestDatabase,
}

impl Nodes {
    async fn start() -> Self {
        let codes = Codes::default();
        let kept = Arc::clone(&codes);
        let hook = stand_in::start(move |request| {
            let body: Value = serde_json::from_slice(&request.body).unwrap();
            if let Some(code) = body["payload"]["code"].as_str() {
                kept.lock().unwrap().insert(body["to"].as_str().unwrap().to_lowercase(), code.to_owned());
            }
            stand_in::Answer::new(204, "")
        });
        let database = TestDatabase::new().await;
        let place = Place::installed_with(&format!(
            "[email]\nhook_url = \"{hook}/send\"\n[database]\nurl = \"{}\"\n\
             [hashing]\nmemory_kib = 64\npasses = 1\n\
             [limits]\nrequests_per_minute = 0\nverifications_per_minute = 0\ntokens_per_minute = 0\n\
             send_gap_seconds = 0\nsends_per_user = 1000\nsends_per_recipient = 1000\nsends_per_client = 0\n",
            database.url()
        ));
        let create =
            "applications create --config countersign.toml --name x --type machine-to-machine --management --json";
        let application = place.run(&create.split(' ').collect::<Vec<_>>()).succeeds().json();
        let services = [place.serve_as("ready-1", "log-1"), place.serve_as("ready-2", "log-2")];
        let http = Client::builder().timeout(std::time::Duration::from_secs(60)).build().unwrap();
        Self { services, codes, http, application, _place: place, _database: database }
    }

    /// Somebody new, with the address `<name>@example.com`.
    async fn person(&self, name: &str) -> Person<'_> {
        let office = Office::open(&self.http, &self.services[0].url, &self.application).await;
        let email = format!("{name}@example.com");
        let token = office.user(json!({ "primaryEmail": email, "password": PASSWORD }), "openid profile email").await;
        Person { nodes: self, email, token }
    }

    fn code_for(&self, email: &str) -> String {
        self.codes.lock().unwrap().get(email).unwrap_or_else(|| panic!("no code went to {email}")).clone()
    }
}

struct Person<'a> {
    nodes: &'a Nodes,
    email: String,
    token: String,
}

impl Person<'_> {
    /// Asks one of the processes: even numbers the first, odd ones the second.
    async fn ask(&self, node: usize, path: &str, record: Option<&str>, body: &Value) -> Answer {
        let request = self.nodes.http.post(format!("{}{path}", self.nodes.services[node % 2].url));
        let request = request.bearer_auth(&self.token).json(body);
        Answer::of(record.into_iter().fold(request, |request, record| request.header("verification-id", record))).await
    }

    async fn send_code(&self, node: usize, to: &str) -> String {
        let body = json!({ "identifier": { "type": "email", "value": to } });
        self.ask(node, "/api/verifications/verification-code", None, &body).await.expect("201").record()
    }

    async fn try_code(&self, node: usize, to: &str, record: &str, code: &str) -> Answer {
        let identifier = json!({ "type": "email", "value": to });
        let body = json!({ "identifier": identifier, "verificationId": record, "code": code });
        self.ask(node, "/api/verifications/verification-code/verify", None, &body).await
    }

    async fn verify_password(&self, node: usize) -> String {
        let body = json!({ "password": PASSWORD });
        self.ask(node, "/api/verifications/password/verify", None, &body).await.expect("201").record()
    }

    /// A proof of `email`, asked for here and verified there.
    async fn prove(&self, node: usize, email: &str) -> String {
        let proof = self.send_code(node, email).await;
        self.try_code(node + 1, email, &proof, &self.nodes.code_for(email)).await.expect("200");
        proof
    }
}

fn wrong(code: &str) -> &'static str {
    if code == "000000" { "000001" } else { "000000" }
}

fn count(answers: &[Answer], gist: &str) -> usize {
    answers.iter().filter(|answer| answer.gist() == gist).count()
}

const MISMATCH: &str = "400 verification_code.code_mismatch";

#[tokio::test(flavor = "multi_thread")]
async fn of_wrong_codes_with_the_right_one_at_the_end_two_processes_judge_five() {
    let nodes = Nodes::start().await;
    for round in 0..rounds() {
        let person = nodes.person(&format!("end{round}")).await;
        let email = &person.email;
        let record = person.send_code(round, email).await;
        let right = nodes.code_for(email);
        let codes = std::iter::repeat_n(wrong(&right), 20).chain([right.as_str()]);
        let tries = codes.enumerate().map(|(node, code)| person.try_code(node, email, &record, code));
        let answers = join_all(tries).await;
        let (mismatches, won) = (count(&answers, MISMATCH), count(&answers, "200"));
        assert!(mismatches + won <= 5, "{mismatches} wrong and {won} right codes were judged: {answers:?}");
        assert!(won == 1 || mismatches == 5, "guesses were lost: {answers:?}");
        for node in 0..2 {
            let late = person.try_code(node, email, &record, &right).await;
            assert_eq!(late.status, 400, "the right code comes too late: {late:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn of_right_codes_at_two_processes_one_wins() {
    let nodes = Nodes::start().await;
    for round in 0..rounds() {
        let person = nodes.person(&format!("right{round}")).await;
        let record = person.send_code(round, &person.email).await;
        let code = nodes.code_for(&person.email);
        let answers = join_all((0..30).map(|node| person.try_code(node, &person.email, &record, &code))).await;
        assert_eq!(count(&answers, "200"), 1, "{answers:?}");
        assert_eq!(count(&answers, "400 verification_code.not_found"), 29, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_address_is_bound_by_one_of_two_users_at_two_processes() {
    let nodes = Nodes::start().await;
    for round in 0..rounds() {
        let email = format!("new{round}@example.org");
        let people = [nodes.person(&format!("one{round}")).await, nodes.person(&format!("two{round}")).await];
        let mut calls = Vec::new();
        for (node, person) in people.iter().enumerate() {
            let record = person.verify_password(node + 1).await;
            let proof = person.prove(node, &email).await;
            calls.push((node, person, record, json!({ "email": email, "newIdentifierVerificationRecordId": proof })));
        }
        // Which of them comes first is left to chance, round by round.
        calls.rotate_left(round % 2);
        let binding = calls.iter().map(|(node, person, record, body)| person.ask(*node, BIND, Some(record), body));
        let mut gists: Vec<String> = join_all(binding).await.iter().map(Answer::gist).collect();
        gists.sort();
        assert_eq!(gists, ["204", "422 user.email_already_in_use"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn one_proof_of_an_address_binds_once_at_two_processes() {
    let nodes = Nodes::start().await;
    for round in 0..rounds() {
        let person = nodes.person(&format!("proof{round}")).await;
        let email = format!("proved{round}@example.org");
        let (record, proof) = (person.verify_password(round).await, person.prove(round, &email).await);
        let body = json!({ "email": email, "newIdentifierVerificationRecordId": proof });
        let answers = join_all((0..20).map(|node| person.ask(node, BIND, Some(&record), &body))).await;
        assert_eq!(count(&answers, "204"), 1, "{answers:?}");
        assert_eq!(count(&answers, "400 verification_record.not_found"), 19, "{answers:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn new_codes_asked_for_during_guessing_buy_no_guesses_at_two_processes() {
    let nodes = Nodes::start().await;
    for round in 0..rounds() {
        let person = nodes.person(&format!("resend{round}")).await;
        let email = &person.email;
        // Each guesser asks for a code of its own while the others guess, and guesses more often than one code takes.
        let guessers = (0..4).map(async |node| {
            let record = person.send_code(node, email).await;
            // Letters: wrong, whatever the codes are.
            let tries = (0..8).map(|number| person.try_code(node + number, email, &record, "abcdef"));
            join_all(tries).await
        });
        let guessed = join_all(guessers).await;
        let judged: Vec<usize> = guessed.iter().map(|answers| count(answers, MISMATCH)).collect();
        assert!(judged.iter().all(|judged| *judged <= 5), "{judged:?}");
        // The failure that reaches the limit is answered as blocked: of all that were judged, nine or fewer are told.
        assert!(judged.iter().sum::<usize>() <= 9, "{judged:?}");
        let last = person.send_code(round, email).await;
        for node in 0..2 {
            let answer = person.try_code(node, email, &last, &nodes.code_for(email)).await;
            answer.expect("400 session.verification_blocked_too_many_attempts");
        }
    }
}
