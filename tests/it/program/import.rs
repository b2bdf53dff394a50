//! `countersign users import`.

use std::{
    fmt::Write,
    process::Stdio,
    time::{Duration, Instant},
};

use countersign::storage::{
    Db, PoolLimits,
    directory::{self, Filter},
};
use serde_json::{Value, json};

use super::Place;

const DIGEST: &str = "5e884898da28047151d0e56f8dc6292773603d0d6aabbdd62a11ef721d1542d8";

fn people(count: usize) -> String {
    let mut lines = String::new();
    for number in 0..count {
        let line = json!({
            "username": format!("person_{number}"),
            "primaryEmail": format!("person{number}@example.com"),
            "name": format!("Person {number}"),
            "customData": { "number": number },
            "passwordDigest": DIGEST,
            "passwordAlgorithm": "SHA256",
        });
        writeln!(lines, "{line}").unwrap();
    }
    lines
}

#[test]
fn bad_lines_are_told_by_number_and_the_others_are_imported() {
    let place = Place::installed("smtp://127.0.0.1:9");
    let bad = [
        "not json".to_owned(),
        json!({ "name": "nobody" }).to_string(),
        json!({ "username": "person_0", "primaryEmail": "other@example.com" }).to_string(),
        json!({ "username": "x", "passwordDigest": "zz", "passwordAlgorithm": "SHA256" }).to_string(),
        json!({ "primaryPhone": "99" }).to_string(),
        format!("{{\"username\": \"{}\"}}", "a".repeat(100_000)),
    ];
    place.write("people.jsonl", &format!("{}\n{}\n{}", people(3), bad.join("\n"), people(5)));
    let import = ["users", "import", "people.jsonl", "--config", "countersign.toml", "--json"];
    let counts = place.run(&import).fails().json();
    assert_eq!((&counts["imported"], &counts["existing"], &counts["refused"]), (&json!(5), &json!(3), &json!(6)));
    let report = std::fs::read_to_string(place.path("people.jsonl.refused.jsonl")).unwrap();
    let report: Vec<Value> = report.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let mut told: Vec<_> =
        report.iter().map(|entry| (entry["line"].as_u64(), entry["code"].as_str().unwrap())).collect();
    told.sort_unstable();
    let expected = [
        "request.malformed_json",
        "guard.invalid_input",
        "user.username_already_in_use",
        "user.invalid_password_digest",
        "user.invalid_phone",
        "request.body_too_large",
    ];
    assert_eq!(told, expected.iter().zip(5..).map(|(code, line)| (Some(line), *code)).collect::<Vec<_>>());
    assert!(report.iter().all(|entry| entry["reason"].as_str().is_some_and(|reason| !reason.is_empty())));
    let counts = place.run(&import).fails().json();
    assert_eq!((&counts["imported"], &counts["existing"], &counts["refused"]), (&json!(0), &json!(8), &json!(6)));
    let listed = place.run(&["users", "list", "--config", "countersign.toml", "--json"]).succeeds().json();
    assert_eq!(listed.as_array().unwrap().len(), 5);
}

#[tokio::test]
async fn an_import_that_was_killed_goes_on_where_it_stopped() {
    const ALL: i64 = 4000;
    let place = Place::installed("smtp://127.0.0.1:9");
    place.run(&["migrate", "--config", "countersign.toml"]).succeeds();
    place.write("people.jsonl", &people(4000));
    let import = ["users", "import", "people.jsonl", "--config", "countersign.toml", "--json"];
    let mut child = place.command(&import).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let limits =
        PoolLimits { connections: 2, acquire_timeout: Duration::from_secs(5), timeout: Duration::from_secs(5) };
    let db = Db::connect(&format!("sqlite://{}", place.path("countersign.db").display()), limits).await.unwrap();
    let start = Instant::now();
    let stored = loop {
        let stored = directory::count(&mut db.read().await.unwrap(), &Filter::All).await.unwrap();
        if stored > 0 {
            break stored;
        }
        assert!(start.elapsed() < Duration::from_secs(30));
        tokio::time::sleep(Duration::from_millis(5)).await;
    };
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(stored < ALL, "it was over before it was killed");
    let counts = place.run(&import).succeeds().json();
    let [imported, existing] = ["imported", "existing"].map(|key| counts[key].as_i64().unwrap());
    assert_eq!((imported + existing, counts["refused"].as_i64()), (ALL, Some(0)));
    assert!(existing >= stored && imported > 0, "{counts}");
    let stored = directory::count(&mut db.read().await.unwrap(), &Filter::All).await.unwrap();
    assert_eq!(stored, ALL);
}
