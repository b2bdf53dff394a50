//! What an operator does: keys, configuration, first start, stopping, finding out what is wrong.

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use serde_json::{Value, json};

use super::{Place, mode};

/// Nobody listens there.
const NOBODY: &str = "smtp://127.0.0.1:9";

#[test]
fn a_wrong_command_line_ends_with_2() {
    let place = Place::new();
    for wrong in [&["serve", "--no-such"][..], &["frobnicate"], &["keys", "generate"]] {
        assert_eq!(place.run(wrong).code, Some(2));
    }
}

#[test]
fn a_master_key_is_for_its_owner_and_is_never_overwritten() {
    let place = Place::new();
    let generate = ["keys", "generate", "--master", "some.key"];
    place.run(&generate).succeeds();
    let key = std::fs::read_to_string(place.path("some.key")).unwrap();
    assert_eq!((mode(&place.path("some.key")), key.trim().len()), (0o600, 44));
    let ended = place.run(&generate).fails();
    assert!(ended.err.contains("never overwritten"), "{ended:?}");
    assert_eq!(std::fs::read_to_string(place.path("some.key")).unwrap(), key);
}

#[test]
fn serve_names_everything_it_misses_at_once() {
    let ended = Place::new().run(&["serve"]).fails();
    for key in ["server.public_url", "keys.master_key_file", "email.smtp_url", "countersign keys generate --master"] {
        assert!(ended.err.contains(key), "{key} is not in {}", ended.err);
    }
    let place = Place::installed(NOBODY);
    std::fs::remove_file(place.path("countersign.key")).unwrap();
    let ended = place.run(&["serve", "--config", "countersign.toml"]).fails();
    assert!(ended.err.contains("countersign keys generate --master countersign.key"), "{}", ended.err);
}

#[tokio::test]
async fn applications_and_users_can_be_made_before_the_first_start() {
    let place = Place::installed(NOBODY);
    let create =
        "applications create --config countersign.toml --name Office --type machine-to-machine --management --json";
    let application = place.run(&create.split(' ').collect::<Vec<_>>()).succeeds().json();
    assert_eq!(application.as_object().unwrap().len(), 2);
    let create =
        "users create --config countersign.toml --username ada --email ada@example.com --password secret99 --json";
    let user = place.run(&create.split(' ').collect::<Vec<_>>()).succeeds().json();
    let again = place.run(&create.split(' ').collect::<Vec<_>>()).fails();
    assert!(again.err.contains("user.username_already_in_use"), "{again:?}");

    let service = place.serve();
    let port = service.url.rsplit(':').next().unwrap();
    assert_ne!(port, "0");
    let log = std::fs::read_to_string(place.path("log")).unwrap();
    let ready: Value = log.lines().map(|line| serde_json::from_str(line).unwrap()).find(is_ready).unwrap();
    assert!(ready["address"].as_str().unwrap().ends_with(&format!(":{port}")), "{ready}");

    let http = reqwest::Client::new();
    let form = [("grant_type", "client_credentials"), ("resource", "http://localhost:3000/api"), ("scope", "all")];
    let request = http.post(format!("{}/oidc/token", service.url)).form(&form);
    let request = request.basic_auth(application["id"].as_str().unwrap(), application["secret"].as_str());
    let token: Value = request.send().await.unwrap().json().await.unwrap();
    let path = format!("{}/api/users/{}", service.url, user["id"].as_str().unwrap());
    let answer = http.get(path).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.json::<Value>().await.unwrap()["username"], "ada");

    let listed = place.run(&["applications", "list", "--config", "countersign.toml", "--json"]).succeeds().json();
    let ids: Vec<&str> = listed.as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(ids, ["account-center", application["id"].as_str().unwrap()]);
    let refused = place.run(&["applications", "delete", "account-center", "--config", "countersign.toml"]).fails();
    assert!(refused.err.contains("application.built_in_application_cannot_be_deleted"), "{}", refused.err);
    let keys = place.run(&["keys", "list", "--config", "countersign.toml", "--json"]).succeeds().json();
    let mut algorithms: Vec<_> =
        keys.as_array().unwrap().iter().map(|key| key["algorithm"].as_str().unwrap()).collect();
    algorithms.sort_unstable();
    assert_eq!(algorithms, ["ES256", "RS256"]);
    let id = user["id"].as_str().unwrap();
    place.run(&["users", "suspend", id, "--config", "countersign.toml"]).succeeds();
    let listed = place.run(&["users", "list", "--config", "countersign.toml", "--json"]).succeeds().json();
    assert_eq!(listed[0]["isSuspended"], true);
}

#[tokio::test]
async fn applications_are_set_up_and_their_secrets_changed_on_the_command_line() {
    let place = Place::installed(NOBODY);
    let run = |line: &str| place.run(&line.replace('@', "--config countersign.toml").split(' ').collect::<Vec<_>>());
    let key = "{\"keys\":[{\"kty\":\"EC\",\"crv\":\"P-256\",\"x\":\"l8tFrhx-34tV3hRICRDY9zCkDlpBhF42UQUfWVAWBFs\",\
                \"y\":\"9VE4jf_Ok_o64zbTTlcuNJajHmt6v9TDVrU0CdvGRDA\"}]}";
    place.write("jwks.json", key);
    let made = run("applications create @ --name Shop --type traditional --redirect-uri https://shop.example/back \
         --post-logout-redirect-uri https://shop.example/ --grant authorization_code --grant otp --connection sms \
         --cors-origin https://shop.example --trust-forwarded-for true --require-proof-of-possession true --jwks jwks.json --json");
    let made = made.succeeds().json();
    let id = made["id"].as_str().unwrap();
    run(&format!(
        "applications update {id} @ --name Store --redirect-uri https://store.example/back --connection email"
    ))
    .succeeds();
    let wrong = run(&format!("applications update {id} @ --redirect-uri no-uri")).fails();
    assert!(wrong.err.contains("oidcClientMetadata"), "{}", wrong.err);
    assert!(run("applications update nobody @ --name x").fails().err.contains("there is no application nobody"));

    let added = run(&format!("applications secrets add {id} @ --name new --expires 2999-01-01T00:00:00Z --json"));
    let added = added.succeeds().json();
    assert_eq!((&added["name"], added["value"].as_str().unwrap().len()), (&json!("new"), 32));
    let third = run(&format!("applications secrets add {id} @ --name third")).fails();
    assert!(third.err.contains("application.too_many_secrets"), "{}", third.err);
    let listed = run(&format!("applications secrets list {id} @ --json")).succeeds().json();
    assert_eq!(
        (&listed[0]["name"], &listed[1]["expiresAt"]),
        (&json!("Default secret"), &json!(32_472_144_000_000_i64))
    );
    place
        .run(&["applications", "secrets", "delete", id, "--config", "countersign.toml", "--name", "Default secret"])
        .succeeds();
    assert!(run(&format!("applications secrets delete {id} @ --name gone")).fails().err.contains("entity.not_found"));
    assert_eq!(run(&format!("applications secrets list {id} @ --json")).succeeds().json().as_array().unwrap().len(), 1);

    let office = "applications create @ --name Office --type machine-to-machine --management --json";
    let office = run(office).succeeds().json();
    let service = place.serve();
    let http = reqwest::Client::new();
    let form = [("grant_type", "client_credentials"), ("resource", "http://localhost:3000/api")];
    let request = http.post(format!("{}/oidc/token", service.url)).form(&form);
    let request = request.basic_auth(office["id"].as_str().unwrap(), office["secret"].as_str());
    let token: Value = request.send().await.unwrap().json().await.unwrap();
    let path = format!("{}/api/applications/{id}", service.url);
    let answer = http.get(path).bearer_auth(token["access_token"].as_str().unwrap()).send().await.unwrap();
    let shown: Value = answer.json().await.unwrap();
    assert_eq!(shown["name"], "Store");
    let uris = json!({
        "redirectUris": ["https://store.example/back"], "postLogoutRedirectUris": ["https://shop.example/"],
    });
    assert_eq!(shown["oidcClientMetadata"], uris);
    let otp = "http://auth0.com/oauth/grant-type/passwordless/otp";
    let metadata = json!({
        "allowTokenExchange": true, "grantTypes": ["authorization_code", otp], "connections": ["email"],
        "corsAllowedOrigins": ["https://shop.example"], "trustForwardedFor": true, "requireProofOfPossession": true,
        "jwks": serde_json::from_str::<Value>(key).unwrap(),
    });
    assert_eq!(shown["customClientMetadata"], metadata);
}

fn is_ready(line: &Value) -> bool {
    line["message"].as_str().is_some_and(|message| message.starts_with("ready, listening on 127.0.0.1:"))
}

/// A request whose second half is still to come.
fn half_a_request(url: &str) -> TcpStream {
    let mut stream = TcpStream::connect(url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
    let head = "POST /oidc/token HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-www-form-urlencoded\r\n\
                content-length: 29\r\nconnection: close\r\n\r\n";
    stream.write_all(head.as_bytes()).unwrap();
    stream.write_all(b"grant_type=").unwrap();
    std::thread::sleep(Duration::from_millis(300));
    stream
}

#[test]
fn a_request_under_way_is_answered_before_the_service_stops() {
    let place = Place::installed(NOBODY);
    let mut service = place.serve();
    let mut stream = half_a_request(&service.url);
    service.signal("TERM");
    std::thread::sleep(Duration::from_millis(300));
    stream.write_all(b"client_credentials").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401"), "{answer}");
    assert_eq!(service.wait(), Some(0));
    assert!(TcpStream::connect(service.url.strip_prefix("http://").unwrap()).is_err());
}

#[test]
fn a_second_signal_ends_at_once() {
    let place = Place::installed(NOBODY);
    let mut service = place.serve();
    let _stream = half_a_request(&service.url);
    service.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    let start = std::time::Instant::now();
    service.signal("INT");
    assert_eq!(service.wait(), Some(1));
    assert!(start.elapsed() < Duration::from_secs(2));
}

#[test]
fn the_example_can_be_used_and_check_tells_every_problem() {
    let place = Place::new();
    let example = place.run(&["config", "example"]).succeeds().out;
    place.write("example.toml", &example);
    let ended = place.run(&["config", "check", "--config", "example.toml"]).fails();
    assert!(ended.err.contains("server.public_url") && ended.err.contains("email.smtp_url"), "{ended:?}");
    place.write("bad.toml", "[server]\nbind = \"127.0.0.1:3000\"\nprot = 1\n");
    assert!(place.run(&["config", "check", "--config", "bad.toml"]).fails().err.contains("prot"));
    let place = Place::installed(NOBODY);
    assert_eq!(place.run(&["config", "check", "--config", "countersign.toml"]).succeeds().out.trim(), "ok");
}

#[test]
fn kept_copies_of_document_and_errors_are_checked() {
    let place = Place::new();
    for what in ["openapi", "errors"] {
        place.run(&[what, "--out", "kept"]).succeeds();
        place.run(&[what, "--check", "kept"]).succeeds();
        assert_eq!(
            place.run(&[what]).succeeds().out.trim_end(),
            std::fs::read_to_string(place.path("kept")).unwrap().trim_end()
        );
        place.write("kept", "something else");
        assert!(place.run(&[what, "--check", "kept"]).fails().err.contains("--out kept"));
    }
}

#[test]
fn the_page_of_errors_is_what_the_code_says() {
    let kept = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/docs/errors.md")).unwrap();
    assert_eq!(Place::new().run(&["errors"]).succeeds().out.trim_end(), kept.trim_end());
}

#[test]
fn doctor_finds_what_is_broken_and_what_is_well() {
    let place = Place::installed(NOBODY);
    let ended = place.run(&["doctor", "--config", "countersign.toml"]).fails();
    let line = ended.out.lines().find(|line| line.contains("email")).unwrap();
    assert!(line.starts_with("WRONG") && line.contains("[email]"), "{line}");
    assert!(!place.path("countersign.db").exists(), "it only looks");
    drop(place.serve());
    let findings = place.run(&["doctor", "--config", "countersign.toml", "--json"]).fails().json();
    let is_ok = |what: &str| findings.as_array().unwrap().iter().find(|one| one["what"] == what).unwrap()["ok"].clone();
    assert_eq!(
        [is_ok("database"), is_ok("master key"), is_ok("signing keys"), is_ok("clock")],
        [json!(true), json!(true), json!(true), json!(true)]
    );
    assert_eq!(is_ok("email"), false);

    std::fs::remove_file(place.path("countersign.key")).unwrap();
    place.run(&["keys", "generate", "--master", "countersign.key"]).succeeds();
    let ended = place.run(&["doctor", "--config", "countersign.toml"]).fails();
    assert!(ended.out.contains("does not open with this master key"), "{}", ended.out);
}

#[test]
fn an_application_may_have_an_id_of_the_operators_choice_once() {
    let place = Place::installed(NOBODY);
    let create = |id: &str| {
        let more = ["--config", "countersign.toml", "--name", "Bank", "--type", "machine-to-machine", "--json"];
        place.run(&[&["applications", "create", "--id", id], &more[..]].concat())
    };
    let made = create("bank-api").succeeds().json();
    assert!(made["id"] == "bank-api" && made["secret"].is_string(), "{made}");
    let again = create("bank-api").fails();
    assert!(again.err.contains("There is an application with this id."), "{again:?}");
    for unfit in ["", "Bank", "bank api", "bank/api", &"a".repeat(65)] {
        assert_eq!(create(unfit).code, Some(2), "{unfit:?}");
    }
    let list = ["applications", "list", "--config", "countersign.toml", "--json"];
    let list = place.run(&list).succeeds().json();
    assert_eq!(list.as_array().unwrap().iter().filter(|one| one["id"] == "bank-api").count(), 1, "{list}");
}
