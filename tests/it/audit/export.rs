//! An export that somebody tampered with says where.

use std::{fs, path::Path, process::Command};

use countersign::audit::{
    chain,
    export::{self, Range},
    verify,
};
use jsonwebtoken::jwk::JwkSet;
use serde_json::{Value, json};

use crate::harness::TestApp;

/// An export of twelve events with checkpoints after the 5th, the 9th and the last, and the keys that sign.
async fn sample(app: &TestApp) -> (Vec<u8>, JwkSet) {
    let user = app.user().await;
    for number in 1..=12 {
        user.patch("/api/my-account", json!({ "name": format!("Ada {number}") })).await.expect("200");
        if number == 5 || number == 9 {
            chain::catch_up(app.app()).await.unwrap();
        }
        app.advance(1);
    }
    let mut file = Vec::new();
    export::export(app.app(), Range::default(), &mut file).await.unwrap();
    let keys = serde_json::from_value(export::keys(app.app()).await.unwrap()).unwrap();
    (file, keys)
}

/// Only the checkpoints that the test asks for.
async fn start() -> TestApp {
    TestApp::start_with(|config| {
        config.audit.checkpoint_seconds = u64::MAX / 4;
        config.audit.checkpoint_events = i64::MAX;
    })
    .await
}

fn lines(file: &[u8]) -> Vec<&[u8]> {
    file.split_inclusive(|byte| *byte == b'\n').collect()
}

#[track_caller]
fn bad_line(file: &[u8], keys: Option<&JwkSet>) -> u64 {
    verify::verify(&mut &*file, keys.cloned()).expect_err("it was tampered with").line
}

#[tokio::test(flavor = "multi_thread")]
async fn every_flipped_byte_is_found_in_its_line() {
    let app = start().await;
    let (file, keys) = sample(&app).await;
    let report = verify::verify(&mut file.as_slice(), Some(keys.clone())).unwrap();
    assert_eq!(report.places, (1, 12));
    assert_eq!(lines(&file).len(), 1 + 12 + 3 + 1, "{}", String::from_utf8_lossy(&file));
    verify::verify(&mut file.as_slice(), None).unwrap();
    let mut line = 1;
    for at in 0..file.len() {
        // Not every bit of every byte: signatures are slow in tests.
        for bit in if at % 7 == 0 { 0..8 } else { 0..1 } {
            let mut changed = file.clone();
            changed[at] ^= 1 << bit;
            assert_eq!(bad_line(&changed, Some(&keys)), line, "byte {at}, bit {bit}");
        }
        if file[at] == b'\n' {
            line += 1;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn dropped_swapped_doubled_and_foreign_lines_are_found() {
    let app = start().await;
    let (file, keys) = sample(&app).await;
    let whole = lines(&file);
    let count = whole.len();
    for at in 0..count {
        let mut dropped = whole.clone();
        dropped.remove(at);
        assert_eq!(bad_line(&dropped.concat(), Some(&keys)), at as u64 + 1, "without line {}", at + 1);
        let mut doubled = whole.clone();
        doubled.insert(at, whole[at]);
        let wrong = bad_line(&doubled.concat(), Some(&keys));
        assert_eq!(wrong, at as u64 + 2, "line {} twice", at + 1);
        if at + 1 < count {
            let mut swapped = whole.clone();
            swapped.swap(at, at + 1);
            assert_eq!(bad_line(&swapped.concat(), Some(&keys)), at as u64 + 1, "lines {} and the next", at + 1);
        }
        let mut broken = whole.clone();
        broken.insert(at + 1, b"\n");
        assert_eq!(bad_line(&broken.concat(), Some(&keys)), at as u64 + 2, "an empty line after {}", at + 1);
    }
    for length in 0..file.len() {
        let line = lines(&file[..length]).iter().filter(|line| line.ends_with(b"\n")).count() as u64 + 1;
        assert_eq!(bad_line(&file[..length], Some(&keys)), line, "cut off after {length} bytes");
    }
    // Two checkpoints dropped, the whole beginning dropped, the end of another export.
    let without =
        |gone: &dyn Fn(&[u8]) -> bool| whole.iter().copied().filter(|line| !gone(line)).collect::<Vec<_>>().concat();
    bad_line(&without(&|line| line.starts_with(b"{\"checkpoint\"")), Some(&keys));
    let mut later = Vec::new();
    app.advance(5);
    export::export(app.app(), Range::default(), &mut later).await.unwrap();
    let mut spliced = whole.clone();
    let end = lines(&later).pop().unwrap();
    *spliced.last_mut().unwrap() = end;
    assert_eq!(bad_line(&spliced.concat(), Some(&keys)), count as u64);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_export_of_another_service_does_not_pass_for_this_ones() {
    let app = start().await;
    let (file, _) = sample(&app).await;
    let other = start().await;
    let (_, foreign) = sample(&other).await;
    assert_eq!(bad_line(&file, Some(&foreign)), 1);
    // A token of this very service is no start, either.
    let token = other.user().await.token;
    let line = format!("{}\n", json!({ "start": token }));
    assert_eq!(bad_line(line.as_bytes(), Some(&foreign)), 1);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_the_chain_can_be_exported_and_checked() {
    let app = start().await;
    let (_, keys) = sample(&app).await;
    let moment = |seconds: u64| Some(crate::harness::START.plus(std::time::Duration::from_secs(seconds)));
    for (from, to, places) in [
        (moment(3), moment(8), (4, 8)),
        (None, moment(5), (1, 5)),
        (moment(5), None, (6, 12)),
        (moment(500), None, (13, 12)),
        (None, moment(0), (1, 0)),
    ] {
        let mut file = Vec::new();
        export::export(app.app(), Range { from, to }, &mut file).await.unwrap();
        let report = verify::verify(&mut file.as_slice(), Some(keys.clone()));
        assert_eq!(report.map(|report| report.places), Ok(places));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_chain_that_was_changed_behind_the_service_is_neither_signed_nor_exported_whole() {
    let app = start().await;
    let user = app.user().await;
    for name in ["a", "b", "c"] {
        user.patch("/api/my-account", json!({ "name": name })).await.expect("200");
    }
    while chain::extend(app.app()).await.unwrap() != chain::Extended::By(0) {}
    let mut session = app.write().await;
    let (off, sql) = if app.database.url().starts_with("sqlite") {
        ("drop trigger audit_events_are_chained_once", "update audit_events set ip = '192.0.2.99' where seq = 2")
    } else {
        (
            "alter table audit_events disable trigger audit_events_guard",
            "update audit_events set ip = '192.0.2.99' where seq = 2",
        )
    };
    session.execute(off, ()).await.unwrap();
    session.execute(sql, ()).await.unwrap();
    session.commit().await.unwrap();
    let refused = chain::checkpoint(app.app(), true).await.unwrap_err().to_string();
    assert!(refused.contains("place 2") && refused.contains("was changed"), "{refused}");
    assert_eq!(app.number("select count(*) from audit_checkpoints").await, 0);
    export::export(app.app(), Range::default(), &mut Vec::new()).await.unwrap_err();
}

#[test]
fn the_program_exports_and_verifies() {
    let place = tempfile::tempdir().unwrap();
    let run = |arguments: &[&str]| {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COUNTERSIGN_")) {
            command.env_remove(name);
        }
        let output = command.args(arguments).current_dir(place.path()).output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let write = |name: &str, bytes: &[u8]| fs::write(Path::new(place.path()).join(name), bytes).unwrap();
    run(&["keys", "generate", "--master", "k"]);
    write("c.toml", b"[keys]\nmaster_key_file = \"k\"\n");
    for name in ["ada", "grace", "joan"] {
        let created = run(&["users", "create", "--config", "c.toml", "--username", name]);
        assert_eq!(created.0, Some(0), "{created:?}");
    }
    let exported = run(&["audit", "export", "--config", "c.toml", "--out", "a.jsonl"]);
    assert_eq!(exported.0, Some(0), "{exported:?}");
    let keys = run(&["audit", "keys", "--config", "c.toml"]);
    write("keys.json", keys.1.as_bytes());
    let sound = run(&["audit", "verify", "a.jsonl", "--jwks", "keys.json"]);
    assert_eq!(sound.0, Some(0), "{sound:?}");
    assert!(sound.1.starts_with("sound: 3 events, 1 to 3"), "{sound:?}");
    let file = fs::read(place.path().join("a.jsonl")).unwrap();
    let second: Value = serde_json::from_slice(lines(&file)[2]).unwrap();
    assert_eq!((&second["seq"], &second["type"]), (&json!(2), &json!("user.created")));
    let text = String::from_utf8(file).unwrap();
    write("b.jsonl", text.replacen("\"seq\":2", "\"seq\":3", 1).as_bytes());
    let wrong = run(&["audit", "verify", "b.jsonl", "--jwks", "keys.json"]);
    assert_eq!(wrong.0, Some(1), "{wrong:?}");
    assert!(wrong.1.contains("line 3: "), "{wrong:?}");
    let to_standard_output = run(&["audit", "export", "--config", "c.toml"]);
    assert_eq!(to_standard_output.1.lines().count(), text.lines().count());
    let later = run(&["audit", "export", "--config", "c.toml", "--from", "tomorrow"]);
    assert_eq!(later.0, Some(2), "{later:?}");
}
