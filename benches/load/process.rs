//! A process of its own: how much memory it takes at its peak, and how long it takes to be ready.

use std::{
    io::{BufRead, BufReader},
    net::SocketAddr,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use tokio::runtime::Runtime;

use crate::{
    client::{self, Connection},
    passwords, report,
    subject::{self, Subject},
};

/// What the child does: serves until it is killed, and says where.
pub fn serve(url: &str) {
    subject::log_as_in_production();
    subject::runtime("service").block_on(async {
        let running = countersign::server::start(subject::config(url), subject::options()).await.unwrap();
        println!("{}", running.address);
        std::future::pending::<()>().await;
    });
}

pub fn measure(clients: &Runtime, subject: &Subject) {
    let url = &subject.running.app.config.database.url;
    let starts = (0..7).map(|_| {
        let started = Instant::now();
        let (mut child, address) = start(url);
        clients.block_on(async {
            let ready = client::request("GET", "/readyz", None, None);
            Connection::open(address).await.expect(&ready, 200).await;
        });
        let time = started.elapsed();
        child.kill().unwrap();
        child.wait().unwrap();
        time.as_secs_f64() * 1000.0
    });
    report::bound(&format!("ms to ready, {}", subject.database), report::median(starts.collect()), 150.0);

    let (mut child, address) = start(url);
    client::rate(clients, address, &passwords::requests(subject), 201, Duration::from_secs(2));
    client::rate(clients, address, &subject.requests("GET", "/api/my-account", None), 200, Duration::from_secs(1));
    let peak = peak_mb(child.id());
    child.kill().unwrap();
    child.wait().unwrap();
    report::bound(&format!("MB at the peak, {}", subject.database), peak, 80.0);
}

fn start(url: &str) -> (Child, SocketAddr) {
    let program = std::env::current_exe().unwrap();
    let mut child = Command::new(program).args(["serve", url]).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (child, line.trim().parse().expect("the child says where it listens"))
}

/// The most memory the process ever held, in units of a million bytes.
fn peak_mb(process: u32) -> f64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).expect("a Linux machine");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kib: f64 = line.trim().trim_end_matches(" kB").parse().unwrap();
    kib * 1024.0 / 1e6
}
