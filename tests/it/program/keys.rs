//! An operator changes keys.

use std::time::Duration;

use serde_json::Value;

use super::Place;

fn keys(place: &Place, arguments: &[&str]) -> Value {
    let all = [&["keys"][..], arguments, &["--config", "countersign.toml", "--json"]].concat();
    // Those of ID tokens take turns in the same way.
    let mut keys = place.run(&all).succeeds().json();
    keys.as_array_mut().unwrap().retain(|key| key["algorithm"] == "ES256");
    keys
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signing_key_is_changed_while_the_service_runs() {
    let place = Place::installed("smtp://127.0.0.1:9");
    let service = place.serve();
    let first = keys(&place, &["list"]);
    assert_eq!((first.as_array().unwrap().len(), &first[0]["state"]), (1, &"signing".into()));
    let waiting = keys(&place, &["rotate"]);
    let again = keys(&place, &["rotate"]);
    assert_eq!(waiting, again, "one at a time");
    let states = |list: &Value| -> Vec<String> {
        list.as_array().unwrap().iter().map(|key| key["state"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(states(&keys(&place, &["list"])), ["waiting", "signing"]);
    let now = keys(&place, &["rotate", "--now"]);
    assert_eq!(now[0]["kid"], waiting[0]["kid"]);
    let list = keys(&place, &["list"]);
    assert_eq!(states(&list), ["signing", "verifying"]);
    assert!(list[1]["verifiesUntil"].is_string());
    // The running service finds it by itself.
    let mut published = 0;
    for _ in 0..150 {
        let jwks: Value = reqwest::get(format!("{}/oidc/jwks", service.url)).await.unwrap().json().await.unwrap();
        published = jwks["keys"].as_array().unwrap().len();
        if published == 4 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    assert_eq!(published, 4, "two of each algorithm");
}

#[test]
fn the_master_key_is_changed_step_by_step() {
    let place = Place::installed("smtp://127.0.0.1:9");
    drop(place.serve());
    place.run(&["keys", "generate", "--master", "new.key"]).succeeds();
    let rotate = ["keys", "rotate-master", "--config", "countersign.toml"];
    let ended = place.run(&[&rotate[..], &["--new", "new.key"]].concat()).succeeds();
    assert!(ended.err.contains("2 values were sealed anew"), "{ended:?}");
    // Not under the old key alone any more.
    let ended = place.run(&["doctor", "--config", "countersign.toml"]).fails();
    assert!(ended.out.contains("does not open with this master key"), "{}", ended.out);
    let ended = place.run(&rotate).fails();
    assert!(ended.err.contains("older_master_key_files"), "{ended:?}");

    let config = std::fs::read_to_string(place.path("countersign.toml")).unwrap();
    let with = |keys: &str| config.replace("master_key_file = \"countersign.key\"", keys);
    place.write(
        "countersign.toml",
        &with("master_key_file = \"countersign.key\"\nolder_master_key_files = [\"new.key\"]"),
    );
    drop(place.serve());
    place.write(
        "countersign.toml",
        &with("master_key_file = \"new.key\"\nolder_master_key_files = [\"countersign.key\"]"),
    );
    drop(place.serve());
    let ended = place.run(&rotate).succeeds();
    assert!(ended.err.contains("0 values were sealed anew"), "{ended:?}");
    place.write("countersign.toml", &with("master_key_file = \"new.key\""));
    drop(place.serve());
    let ended = place.run(&["doctor", "--config", "countersign.toml"]).fails();
    assert!(ended.out.contains("2 of 2 are in use, and open with the master key"), "{}", ended.out);
    std::fs::remove_file(place.path("new.key")).unwrap();
    let ended = place.run(&["keys", "rotate", "--config", "countersign.toml"]).fails();
    assert!(ended.err.contains("keys.master_key_file"), "{ended:?}");
}
