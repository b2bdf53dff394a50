//! The disk is full: refused with a code, never passed, and well again by itself.
//!
//! The limit on the size of files, set from outside while the program runs, stands for the full disk; so no special rights are
//! needed. With `COUNTERSIGN_CHAOS_SMALL_DISK` naming a folder of a small file system, that one is filled up instead.

use std::{
    io::Write,
    path::PathBuf,
    time::{Duration, Instant},
};

use reqwest::Method;
use serde_json::json;

use super::client::Office;
use crate::{
    harness::{Answer, TestDatabase},
    program::{Place, Service},
};

enum Disk {
    Limited,
    Small { filler: PathBuf },
}

impl Disk {
    fn set_limit(service: &Service, bytes: Option<u64>) {
        let process = i32::try_from(service.child.id()).unwrap();
        let limit = (bytes.unwrap_or(rlimit::INFINITY), rlimit::INFINITY);
        rlimit::prlimit(process, rlimit::Resource::FSIZE, Some(limit), None).unwrap();
    }

    fn fill(&self, service: &Service) {
        match self {
            Self::Limited => Self::set_limit(service, Some(4096)),
            Self::Small { filler } => {
                let mut file = std::fs::File::create(filler).unwrap();
                for size in [65_536, 4096, 1] {
                    while file.write_all(&vec![1; size]).is_ok() {}
                }
            }
        }
    }

    fn free(&self, service: &Service) {
        match self {
            Self::Limited => Self::set_limit(service, None),
            Self::Small { filler } => std::fs::remove_file(filler).unwrap(),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_passes_nobody_and_is_well_again_without_a_restart() {
    if TestDatabase::is_postgres() {
        return;
    }
    let mut place = Place::installed("smtp://127.0.0.1:9");
    let disk = match std::env::var("COUNTERSIGN_CHAOS_SMALL_DISK") {
        Ok(folder) => {
            place = Place::installed_in(&folder, "smtp://127.0.0.1:9");
            Disk::Small { filler: PathBuf::from(folder).join("filler") }
        }
        Err(_) => Disk::Limited,
    };
    let office = Office::open(&place);
    // Past the limit the system would end the program unless that is ignored, and ignoring is inherited.
    let program = place.command(&["serve", "--config", "countersign.toml", "--ready-file", "ready"]);
    let mut shell = std::process::Command::new("sh");
    shell.args(["-c", "trap '' XFSZ; exec \"$0\" \"$@\""]).arg(program.get_program()).args(program.get_args());
    for (name, value) in program.get_envs() {
        match value {
            Some(value) => shell.env(name, value),
            None => shell.env_remove(name),
        };
    }
    shell.current_dir(program.get_current_dir().unwrap());
    let service = place.serve_by(shell);
    let manager = office.sign_in(&service).await.unwrap();
    let body = json!({ "username": "ada", "password": "horse-battery-1" });
    let user = office.create_user(&service, &manager, body).await.unwrap();
    let token = office.user_token(&service, &manager, &user).await.unwrap();
    let post = async |path: &str, record: &str, body: serde_json::Value| {
        let request = office.http.request(Method::POST, format!("{}{path}", service.url)).bearer_auth(&token);
        Answer::of(request.header("verification-id", record).json(&body)).await
    };
    let verify = async |password: &str| {
        post("/api/verifications/password/verify", "none", json!({ "password": password })).await
    };
    let get =
        async |path: &str| Answer::of(office.http.get(format!("{}{path}", service.url)).bearer_auth(&token)).await;

    let record = verify("horse-battery-1").await.expect("201").record();
    for _ in 0..2 {
        disk.fill(&service);
        tokio::time::sleep(Duration::from_millis(1100)).await;
        let start = Instant::now();
        for round in 0..3 {
            for password in ["wrong", "horse-battery-1"] {
                verify(password).await.expect("503 request.service_unavailable");
            }
            let new = json!({ "password": "an entirely new passphrase" });
            let answer = post("/api/my-account/password", &record, new).await;
            assert_eq!(answer.gist(), "503 request.service_unavailable", "{round}");
        }
        get("/readyz").await.expect("503 request.service_unavailable");
        get("/healthz").await.expect("200");
        get("/api/my-account").await.expect("200");
        assert!(start.elapsed() < Duration::from_secs(20), "{:?}", start.elapsed());

        disk.free(&service);
        verify("horse-battery-1").await.expect("201");
        verify("wrong").await.expect("422 session.invalid_credentials");
        tokio::time::sleep(Duration::from_millis(1100)).await;
        get("/readyz").await.expect("200");
    }
    let new = json!({ "password": "an entirely new passphrase" });
    post("/api/my-account/password", &record, new).await.expect("204");
    place.run(&["audit", "export", "--config", "countersign.toml", "--out", "audit.jsonl"]).succeeds();
    place.run(&["audit", "verify", "audit.jsonl"]).succeeds();
}
