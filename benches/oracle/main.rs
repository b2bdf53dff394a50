//! Whether time tells apart what `tests/it/oracle.rs` shows to be answered alike.
//!
//!     cargo bench --bench oracle                    every pair; `-- token` only those whose names have the word
//!
//! SQLite always; PostgreSQL when `COUNTERSIGN_TEST_POSTGRES` names a server. `SAMPLES` changes how many requests of each class are timed.
//! Ends with 1 when time tells a pair apart. `docs/oracle.md` says what is measured, and how the verdict comes about.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for ourselves: it prints its findings, and ends loudly when something is odd"
)]

#[path = "../load/client.rs"]
#[expect(dead_code, reason = "the load is for the other benchmark")]
mod client;
mod pairs;
mod scene;
mod sign_in;
mod statistics;
#[path = "../load/subject.rs"]
#[expect(dead_code, reason = "so is some of what it adds")]
mod subject;

use std::{process::ExitCode, time::Instant};

use client::Connection;
use pairs::Pair;
use scene::Scene;
use subject::Database;

/// Requests of each class before any is timed.
const WARM_UP: usize = 50;
/// After so many samples, what they left behind is cleared away: fewer than lock a method.
const TIDY: usize = 8;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    // `cargo test --all-targets` comes without it.
    if !arguments.iter().any(|word| word == "--bench") {
        println!("nothing measured: run `cargo bench --bench oracle`");
        return ExitCode::SUCCESS;
    }
    let words: Vec<&String> = arguments.iter().filter(|word| !word.starts_with('-')).collect();
    let samples = std::env::var("SAMPLES").map_or(2000, |text| text.parse().expect("SAMPLES is a number"));
    let mut is_oracle = false;
    for database in Database::all() {
        println!("\n{}, {samples} samples of each class, interleaved; times in microseconds", database.name);
        statistics::head();
        let service = subject::runtime("service");
        let scene = service.block_on(Scene::set(&database));
        let client = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        for pair in service.block_on(pairs::all(&scene)) {
            if !words.is_empty() && !words.iter().any(|word| pair.name.contains(word.as_str())) {
                continue;
            }
            let times = measure(&service, &client, &scene, &pair, samples);
            let finding = statistics::compare(&times);
            finding.print(&pair);
            is_oracle |= finding.is_told_apart() != pair.is_different;
        }
        service.block_on(scene.end());
    }
    if is_oracle { ExitCode::FAILURE } else { ExitCode::SUCCESS }
}

/// The cores there are.
fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Nanoseconds of requests of both classes, in turn; which of the two comes first is left to chance.
fn measure(
    service: &tokio::runtime::Runtime,
    client: &tokio::runtime::Runtime,
    scene: &Scene,
    pair: &Pair,
    samples: usize,
) -> Vec<[f64; 2]> {
    let mut chance = statistics::Chance::new();
    let mut connection = client.block_on(Connection::open(scene.address()));
    let mut times = Vec::with_capacity(samples);
    for number in 0..WARM_UP + samples {
        if number % TIDY == 0 {
            service.block_on(scene.tidy(pair.leaves));
            for request in &pair.first {
                client.block_on(connection.expect(request, 200));
                std::thread::sleep(pair.pause);
            }
        }
        let mut both = [0.0; 2];
        let first = usize::from(chance.flip());
        for class in [first, 1 - first] {
            let request = pair.requests.get(class).expect("two classes");
            let started = Instant::now();
            client.block_on(connection.expect(request, pair.status));
            let time = started.elapsed();
            *both.get_mut(class).expect("two classes") = time.as_secs_f64() * 1e6;
            std::thread::sleep(pair.pause);
        }
        if number >= WARM_UP {
            times.push(both);
        }
    }
    times
}
