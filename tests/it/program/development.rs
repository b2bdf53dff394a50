//! `countersign dev`.

use std::process::{Command, Stdio};

use serde_json::{Value, json};

use super::{Place, Service, mode, read_until};

/// Starts `dev --json`, and gives what it printed. The log, with all there is in it, goes to `log`.
fn start(place: &Place) -> (Service, Value) {
    let mut command = place.command(&["dev", "--port", "0", "--json"]);
    let log = std::fs::File::create(place.path("log")).unwrap();
    let mut child = command.env("RUST_LOG", "trace").stdout(Stdio::piped()).stderr(log).spawn().unwrap();
    let printed = read_until(child.stdout.take().unwrap(), "}");
    let shown: Value = serde_json::from_str(&printed).unwrap();
    let url = shown["url"].as_str().unwrap().to_owned();
    (Service { child, url }, shown)
}

/// A user's requests.
struct Caller {
    http: reqwest::Client,
    url: String,
    token: String,
}

impl Caller {
    fn new(shown: &Value) -> Self {
        let text = |key: &str| shown[key].as_str().unwrap().to_owned();
        Self { http: reqwest::Client::new(), url: text("url"), token: text("accessToken") }
    }

    async fn post(&self, path: &str, record: Option<&str>, body: Value) -> (u16, Value) {
        let mut request = self.http.post(format!("{}{path}", self.url)).bearer_auth(&self.token).json(&body);
        if let Some(record) = record {
            request = request.header("verification-id", record);
        }
        let answer = request.send().await.unwrap();
        (answer.status().as_u16(), answer.json().await.unwrap_or(Value::Null))
    }

    async fn verify_password(&self, password: &str) -> String {
        let (status, answer) =
            self.post("/api/verifications/password/verify", None, json!({ "password": password })).await;
        assert_eq!(status, 201, "{answer}");
        answer["verificationRecordId"].as_str().unwrap().to_owned()
    }

    async fn change_password(&self, from: &str, to: &str) {
        let record = self.verify_password(from).await;
        let (status, answer) = self.post("/api/my-account/password", Some(&record), json!({ "password": to })).await;
        assert_eq!(status, 204, "{answer}");
    }
}

#[tokio::test]
async fn the_main_job_works_in_development() {
    let place = Place::new();
    let (_service, shown) = start(&place);
    let keys: Vec<_> = shown.as_object().unwrap().keys().cloned().collect();
    assert_eq!(keys.len(), 8, "{keys:?}");
    assert!(shown["url"].as_str().unwrap().starts_with("http://127.0.0.1:"));
    assert!(shown["user"]["id"].is_string() && shown["application"]["secret"].is_string());

    let caller = Caller::new(&shown);
    caller.change_password(shown["password"].as_str().unwrap(), "ninety nine red balloons").await;
    let address = json!({ "type": "email", "value": "new@example.com" });
    let (status, sent) =
        caller.post("/api/verifications/verification-code", None, json!({ "identifier": address })).await;
    assert_eq!(status, 201, "{sent}");
    let proof = sent["verificationRecordId"].as_str().unwrap();
    let mailbox = shown["mailbox"].as_str().unwrap();
    let messages: Value = caller.http.get(mailbox).send().await.unwrap().json().await.unwrap();
    let sent_to = |message: &&Value| message["to"] == "new@example.com";
    let code = messages.as_array().unwrap().iter().find(sent_to).unwrap()["code"].clone();
    let body = json!({ "identifier": address, "verificationId": proof, "code": code });
    assert_eq!(caller.post("/api/verifications/verification-code/verify", None, body).await.0, 200);
    let record = caller.verify_password("ninety nine red balloons").await;
    let body = json!({ "email": "new@example.com", "newIdentifierVerificationRecordId": proof });
    assert_eq!(caller.post("/api/my-account/primary-email", Some(&record), body).await.0, 204);

    let log = std::fs::read_to_string(place.path("log")).unwrap();
    assert!(log.lines().count() > 5 && log.contains("/api/my-account/primary-email"), "{log}");
    let code = code.as_str().unwrap();
    for secret in [code, proof, &record, "red balloons", "correct horse", &caller.token, "new@example.com", "$argon2"] {
        assert!(!log.contains(secret), "{secret} is in the log");
    }

    let page = caller
        .http
        .get(mailbox)
        .header("accept", "text/html")
        .header("origin", "https://evil.example")
        .send()
        .await
        .unwrap();
    assert!(page.headers().get("access-control-allow-origin").is_none(), "other pages cannot read codes");
    let policy = page.headers()["content-security-policy"].to_str().unwrap().to_owned();
    assert!(policy.contains("script-src 'sha256-") && !policy.contains("unsafe"), "{policy}");
    assert!(page.text().await.unwrap().contains("<h1>Mailbox</h1>"));
}

#[tokio::test]
async fn what_was_changed_in_development_stays_and_what_is_printed_works() {
    let place = Place::new();
    let (service, first) = start(&place);
    drop(service);
    let (service, again) = start(&place);
    assert_eq!((&first["user"]["id"], &first["application"]), (&again["user"]["id"], &again["application"]));
    Caller::new(&again).change_password(again["password"].as_str().unwrap(), "ninety nine red balloons").await;
    drop(service);
    // A password of one's own is nobody's to reset: there is another user with a known one.
    let (_service, third) = start(&place);
    assert_ne!(first["user"]["id"], third["user"]["id"]);
    Caller::new(&third).verify_password(third["password"].as_str().unwrap()).await;
    let data = place.path(".countersign");
    assert_eq!((mode(&data.join("countersign.key")), mode(&data.join("demo.json"))), (0o600, 0o600));
}

#[test]
fn the_printed_block_works_when_pasted_and_pasted_again() {
    let place = Place::new();
    for _start in 0..2 {
        let mut command = place.command(&["dev", "--port", "0", "--data", "data"]);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let printed = read_until(child.stdout.take().unwrap(), "---- >8 ----");
        let _service = Service { child, url: String::new() };
        let (_, block) = printed.split_once("---- 8< ----").unwrap();
        for _paste in 0..2 {
            let output = Command::new("bash").args(["-c", block]).output().unwrap();
            let said = String::from_utf8(output.stdout).unwrap();
            for line in ["password changed: HTTP 204", "address verified: HTTP 200", "e-mail changed: HTTP 204"] {
                assert!(said.contains(line), "{line} is not in {said}");
            }
            let code = said.lines().find(|line| line.starts_with("the code for ")).unwrap();
            let address = code.split(' ').nth(3).unwrap();
            assert!(said.contains(&format!("\"primaryEmail\":\"{address}\"")), "{said}");
        }
    }
}

#[test]
fn a_port_that_was_asked_for_and_is_taken_is_told() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port().to_string();
    let ended = Place::new().run(&["dev", "--port", &port]).fails();
    assert!(ended.err.contains(&port) && ended.err.contains("taken"), "{ended:?}");
}
