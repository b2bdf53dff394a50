//! How long `GET /api/my-account` takes while password checks keep the hashing pool full, against alone.

use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};

use tokio::{
    runtime::Runtime,
    time::{MissedTickBehavior, interval},
};

use crate::{
    client::{Connection, Load},
    passwords, report,
    subject::Subject,
};

const LENGTH: Duration = Duration::from_secs(2);
/// Readers, and the pause between two requests of one: 400 requests a second together.
const READERS: usize = 8;
const PAUSE: Duration = Duration::from_millis(20);
/// Password checks at a time: enough that some always wait for a hashing thread.
const CHECKS: usize = 16;

pub fn measure(clients: &Runtime, subject: &Subject) {
    let reads = subject.requests("GET", "/api/my-account", None);
    let mut checks = passwords::requests(subject);
    checks.truncate(CHECKS);
    let (mut middle, mut slowest) = (Vec::new(), Vec::new());
    for _ in 0..5 {
        let alone = read(clients, subject.address(), &reads);
        let load = Load::start(clients, subject.address(), &checks, 201);
        std::thread::sleep(Duration::from_millis(500));
        let loaded = read(clients, subject.address(), &reads);
        load.stop(clients);
        middle.push((at(&alone, 50), at(&loaded, 50)));
        slowest.push((at(&alone, 99), at(&loaded, 99)));
    }
    report::at_most(&format!("ms at p50, alone and beside hashing, {}", subject.database), &middle, 3.0);
    report::at_most(&format!("ms at p99, alone and beside hashing, {}", subject.database), &slowest, 3.0);
}

/// Open loop: requests go out by the clock. Sorted times in milliseconds.
fn read(clients: &Runtime, address: SocketAddr, requests: &[Vec<u8>]) -> Vec<f64> {
    let readers = requests.iter().take(READERS).cloned().map(|request| clients.spawn(reader(address, request)));
    let readers: Vec<_> = readers.collect();
    let mut times: Vec<f64> = readers.into_iter().flat_map(|reader| clients.block_on(reader).unwrap()).collect();
    times.sort_by(f64::total_cmp);
    times
}

async fn reader(address: SocketAddr, request: Vec<u8>) -> Vec<f64> {
    let mut connection = Connection::open(address).await;
    connection.expect(&request, 200).await;
    let (mut times, over) = (Vec::new(), Instant::now() + LENGTH);
    let mut clock = interval(PAUSE);
    clock.set_missed_tick_behavior(MissedTickBehavior::Burst);
    while Instant::now() < over {
        let due = clock.tick().await.into_std();
        // The timer itself is late by up to a millisecond; a request that had to wait for the one before it counts in full.
        let from = if due.elapsed() < Duration::from_millis(2) { Instant::now() } else { due };
        connection.expect(&request, 200).await;
        times.push(from.elapsed().as_secs_f64() * 1000.0);
    }
    times
}

fn at(sorted: &[f64], percent: usize) -> f64 {
    sorted.get(sorted.len() * percent / 100).copied().unwrap_or(f64::NAN)
}
