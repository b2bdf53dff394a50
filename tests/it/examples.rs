//! The examples, run as a newcomer runs them; and what they check, against what forgers make.

use std::{
    io::Write,
    path::Path,
    process::{Command, Stdio},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use countersign::{
    clock::{Clock, SystemClock},
    crypto::{
        digest::{base64url, payload_digest},
        signing::{SigningAlgorithm, SigningKey},
    },
    domain::payload::Payload,
};
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::{
    clients,
    harness::{TestApp, User, with_operations},
};

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/examples");

fn python() -> String {
    let usual = concat!(env!("CARGO_MANIFEST_DIR"), "/target/test-venv/bin/python");
    std::env::var("COUNTERSIGN_TEST_PYTHON").unwrap_or_else(|_| usual.to_owned())
}

/// Runs an example to its end, with the program of this build; gives what it printed.
fn play(script: &Path) -> String {
    let mut command = Command::new(python());
    for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COUNTERSIGN_")) {
        command.env_remove(name);
    }
    command.arg(script).env("COUNTERSIGN", env!("CARGO_BIN_EXE_countersign")).env("PYTHON", python());
    let output = command.stdin(Stdio::null()).output().unwrap();
    let (out, err) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{}: {out}{err}", script.display());
    out.into_owned()
}

/// Every line was said.
fn assert_has(said: &str, lines: &[&str]) {
    for line in lines {
        assert!(said.contains(line), "{line} is not in {said}");
    }
}

#[test]
fn a_transfer_is_executed_once_and_only_as_it_was_consented_to() {
    let said = play(&Path::new(FOLDER).join("payments/run"));
    let lines = [
        "Pay 120.50 EUR to ACME GmbH",
        "401 verification_required",
        "insufficient_user_authentication",
        "201 executed",
        "409 transfer.already_executed",
        "401 verification_record.payload_mismatch",
    ];
    assert_has(&said, &lines);
}

#[test]
fn a_bank_that_knows_nothing_of_it_is_guarded_by_nginx() {
    let said = play(&Path::new(FOLDER).join("behind-nginx/run"));
    let lines = [
        "insufficient_user_authentication",
        "POST /transfers/1/execute at bank.example",
        "200 {'executed': 1}",
        "[('ACME GmbH', 1), ('Mallory', 0)]",
    ];
    assert_has(&said, &lines);
    let (_, code) = include_str!("../../examples/behind-nginx/bank.py").split_once("import http.client").unwrap();
    assert!(!code.to_lowercase().contains("verification") && !code.to_lowercase().contains("countersign"));
}

/// The offline checkers beside the packages of the tests, as `npm ci` and `pip install` would put them.
fn offline() -> TempDir {
    let place = tempfile::tempdir().unwrap();
    for name in ["stage.py", "payments/countersign.toml", "offline/run", "offline/check.py", "offline/check.mjs"] {
        let to = place.path().join(name);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(Path::new(FOLDER).join(name), to).unwrap();
    }
    std::os::unix::fs::symlink(clients::packages(), place.path().join("offline/node_modules")).unwrap();
    place
}

#[test]
fn an_assertion_is_checked_offline_by_two_libraries() {
    let said = play(&offline().path().join("offline/run"));
    assert_eq!(said.matches("as it is: {\"ok\"").count(), 2, "{said}");
    assert_eq!(said.matches("refused").count(), 6, "{said}");
}

#[test]
fn newcomers_install_what_the_tests_have() {
    let read = |name: &str| std::fs::read_to_string(Path::new(FOLDER).join("..").join(name)).unwrap();
    let jose = |text: &str| serde_json::from_str::<Value>(text).unwrap()["dependencies"]["jose"].clone();
    assert_eq!(jose(&read("examples/offline/package.json")), jose(&read("tests/clients/package.json")));
    let installed = read("tests/support/requirements.txt");
    for line in read("examples/offline/requirements.txt").lines() {
        assert!(installed.lines().any(|one| one == line), "{line}");
    }
}

/// What the bank executes in these tests: letters of every kind, one member that sorts differently in Python, JavaScript and RFC 8785.
fn transfer() -> Value {
    json!({ "payee": "Ærø \"é\" 支払", "amount": "120.50", "currency": "EUR", "\u{fb33}": "dalet", "\u{1f600}": "smile", "10": "ten", "9": "nine" })
}

/// Who makes assertions that are not what they seem.
struct Forge<'a> {
    app: &'a TestApp,
    user: &'a User<'a>,
    head: Value,
    body: Value,
}

fn with(value: &Value, name: &str, change: Value) -> Value {
    let mut value = value.clone();
    if change.is_null() {
        value.as_object_mut().unwrap().remove(name);
    } else {
        value[name] = change;
    }
    value
}

fn encode(value: &Value) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(value.to_string())
}

impl<'a> Forge<'a> {
    fn new(app: &'a TestApp, user: &'a User<'a>) -> Self {
        let now = app.now().seconds();
        let payload: Payload = serde_json::from_value(transfer()).unwrap();
        let key = app.app().keys.active(SigningAlgorithm::Es256).unwrap();
        let head = json!({ "alg": "ES256", "typ": "stepup+jwt", "kid": key.kid() });
        let body = json!({
            "iss": app.app().urls.issuers[0], "sub": user.id.0, "aud": "bank-api", "iat": now, "exp": now + 120, "jti": "first",
            "auth_time": now, "acr": "urn:countersign:acr:2fa", "amr": ["mfa", "pwd", "sms"], "operation": "bank.pay",
            "payload_digest": base64url(&payload_digest(&payload)),
        });
        Self { app, user, head, body }
    }

    fn sign(&self, head: &Value, body: &Value) -> String {
        self.app.app().keys.active(SigningAlgorithm::Es256).unwrap().sign_under(head, body).unwrap()
    }

    fn genuine(&self) -> String {
        self.sign(&self.head, &self.body)
    }

    fn other_claim(&self, name: &str, change: Value) -> String {
        self.sign(&self.head, &with(&self.body, name, change))
    }

    fn other_header(&self, name: &str, change: Value) -> String {
        self.sign(&with(&self.head, name, change), &self.body)
    }

    /// Signed by us, and not what it should say.
    fn misfits(&self) -> Vec<(&'static str, String)> {
        let now = self.app.now().seconds();
        let ages = with(&self.body, "iat", json!(now - 121));
        vec![
            ("another audience", self.other_claim("aud", json!("bank-batch"))),
            ("several audiences", self.other_claim("aud", json!(["bank-api", "bank-batch"]))),
            ("another issuer", self.other_claim("iss", json!("https://elsewhere.example/"))),
            ("another subject", self.other_claim("sub", json!("somebody"))),
            ("another operation", self.other_claim("operation", json!("bank.view"))),
            ("no payload", self.other_claim("payload_digest", Value::Null)),
            ("another payload", self.other_claim("payload_digest", json!(base64url(&[7; 32])))),
            ("expired", self.sign(&self.head, &with(&ages, "exp", json!(now - 1)))),
            ("good for an hour", self.other_claim("exp", json!(now + 3600))),
            ("good for ever", self.other_claim("exp", Value::Null)),
            ("an end that is text", self.other_claim("exp", json!((now + 100).to_string()))),
            ("not issued yet", self.other_claim("iat", json!(now + 60))),
            ("issued never", self.other_claim("iat", Value::Null)),
            ("of no redemption", self.other_claim("jti", Value::Null)),
            ("the type of an access token", self.other_header("typ", json!("at+jwt"))),
            ("a longer name of the type", self.other_header("typ", json!("application/stepup+jwt"))),
            ("no type", self.other_header("typ", Value::Null)),
            ("no key id", self.other_header("kid", Value::Null)),
            ("something critical", self.other_header("crit", json!(["x"]))),
            ("an access token", self.user.token.clone()),
        ]
    }

    /// Not signed by us with that key.
    fn fakes(&self) -> Vec<(&'static str, String)> {
        let Self { app, head, body, .. } = self;
        let genuine = self.genuine();
        let [header, claims, signature] = genuine.split('.').collect::<Vec<_>>().try_into().unwrap();
        let stranger = SigningKey::generate(SigningAlgorithm::Es256, app.now()).unwrap();
        let key = app.app().keys.active(SigningAlgorithm::Es256).unwrap();
        let rsa = app.app().keys.active(SigningAlgorithm::Rs256).unwrap();
        let rs256 = with(&with(head, "alg", json!("RS256")), "kid", json!(rsa.kid()));
        let none = encode(&with(head, "alg", json!("none")));
        let middle = signature.len() / 2;
        let other = if signature.as_bytes()[middle] == b'A' { "B" } else { "A" };
        vec![
            ("none", format!("{none}.{claims}.")),
            ("none with a signature", format!("{none}.{claims}.{signature}")),
            ("no signature", format!("{header}.{claims}.")),
            (
                "a changed signature",
                format!("{header}.{claims}.{}{other}{}", &signature[..middle], &signature[middle + 1..]),
            ),
            ("another algorithm of ours", rsa.sign_under(&rs256, body).unwrap()),
            ("the public key as a secret", hs256(&encode(&with(head, "alg", json!("HS256"))), claims, key.jwk())),
            ("a key nobody knows", stranger.sign_under(&with(head, "kid", json!(stranger.kid())), body).unwrap()),
            ("a key of the forger's own in the header", self.brings_a_key(&stranger)),
            ("a stranger under our key id", stranger.sign_under(head, body).unwrap()),
            ("changed claims", format!("{header}.{}.{signature}", encode(&with(body, "sub", json!("another"))))),
            ("an algorithm in a list", self.sign(&with(head, "alg", json!(["ES256"])), body)),
            ("a header that is a list", format!("{}.{claims}.{signature}", encode(&json!(["ES256"])))),
            (
                "a header that is deep",
                format!("{}.{claims}.{signature}", BASE64_URL_SAFE_NO_PAD.encode("[".repeat(40_000))),
            ),
            ("nothing", String::new()),
            ("no token", "a.b.c".to_owned()),
        ]
    }

    fn brings_a_key(&self, stranger: &SigningKey) -> String {
        let head = with(&with(&self.head, "kid", json!(stranger.kid())), "jwk", stranger.jwk().clone());
        stranger.sign_under(&head, &self.body).unwrap()
    }
}

/// Signed with HMAC, the text of a public key being the secret.
fn hs256(header: &str, claims: &str, jwk: &Value) -> String {
    use jsonwebtoken::{Algorithm, EncodingKey, crypto::sign};
    let message = format!("{header}.{claims}");
    let secret = EncodingKey::from_secret(jwk.to_string().as_bytes());
    format!("{message}.{}", sign(message.as_bytes(), &secret, Algorithm::HS256).unwrap())
}

/// What is about to be executed on an assertion, as a line for a checker.
fn action(token: &str, user: &User<'_>, payload: &str) -> String {
    format!(
        "{{\"assertion\":\"{token}\",\"operation\":\"bank.pay\",\"subject\":\"{}\",\"payload\":{payload}}}\n",
        user.id
    )
}

/// What a checker answers to each action.
fn answers(program: &str, script: &Path, known: &[String], actions: &str) -> Vec<Value> {
    let mut command = Command::new(program);
    let mut child = command.arg(script).args(known).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(actions.as_bytes()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert!(output.status.success(), "{program} failed");
    String::from_utf8(output.stdout).unwrap().lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[expect(
    clippy::disallowed_methods,
    reason = "the checkers ask the server of this very runtime, which must go on meanwhile"
)]
async fn both(app: &TestApp, place: TempDir, actions: String) -> [Vec<Value>; 2] {
    let known = [app.url("/.well-known/jwks.json"), app.app().urls.issuers[0].clone(), "bank-api".to_owned()];
    let work = move || {
        [("node".to_owned(), "offline/check.mjs"), (python(), "offline/check.py")]
            .map(|(program, script)| answers(&program, &place.path().join(script), &known, &actions))
    };
    tokio::task::spawn_blocking(work).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn no_forgery_passes_the_offline_checks() {
    let place = offline();
    let app = TestApp::start_with(with_operations).await;
    // The checkers read the clock of this machine.
    app.clock.set(SystemClock.now());
    let user = app.user().await;
    let forge = Forge::new(&app, &user);
    let mut cases: Vec<_> = forge.misfits().into_iter().chain(forge.fakes()).collect();
    let forgeries = cases.len();
    cases.extend([
        ("genuine", forge.genuine()),
        ("again", forge.genuine()),
        ("genuine, too", forge.other_claim("jti", json!("second"))),
    ]);
    let payload = transfer();
    let mut actions: String = cases.iter().map(|(_, token)| action(token, &user, &payload.to_string())).collect();
    let third = forge.other_claim("jti", json!("third"));
    let members = payload.as_object().unwrap().iter().rev();
    let reversed: Vec<_> = members.map(|(name, value)| format!("{} : {value}", json!(name))).collect();
    for payload in [
        with(&payload, "amount", json!("120.51")).to_string(),
        json!({ "amount": 120.5 }).to_string(),
        format!("{{{}}}", reversed.join(" , ")),
    ] {
        actions.push_str(&action(&third, &user, &payload));
    }

    for answers in both(&app, place, actions).await {
        assert_eq!(answers.len(), forgeries + 6);
        for (answer, (what, _)) in answers.iter().zip(&cases).take(forgeries) {
            assert!(answer["refused"].is_string() && answer.get("ok").is_none(), "{what}: {answer}");
        }
        let passed: Vec<_> =
            answers[forgeries..].iter().map(|answer| answer["ok"].as_str().unwrap_or("refused")).collect();
        assert_eq!(passed, ["first", "refused", "second", "refused", "refused", "third"], "{answers:?}");
    }
}
