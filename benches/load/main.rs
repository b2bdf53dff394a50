//! What the service reaches, as ratios of what the machine allows, both measured in the same run.
//!
//! `cargo bench --bench load` runs everything; `cargo bench --bench load -- codes account` those parts alone. SQLite always;
//! PostgreSQL when `COUNTERSIGN_TEST_POSTGRES` names a server. `docs/performance.md` says what each limit is, and the goals.
#![expect(
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a program for ourselves: it prints its findings, and ends loudly when something is odd"
)]

mod account;
mod client;
mod codes;
mod forward_auth;
mod latency;
mod limits;
mod otp;
mod passwords;
mod process;
mod redemption;
mod report;
mod subject;

use subject::Database;

/// Connections in every closed loop.
const CONNECTIONS: usize = 64;

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if let Some(url) = arguments.iter().position(|word| word == "serve").and_then(|at| arguments.get(at + 1)) {
        return process::serve(url);
    }
    // `cargo test --all-targets` comes without it.
    if !arguments.iter().any(|word| word == "--bench") {
        println!("nothing measured: run `cargo bench --bench load`");
        return;
    }
    let parts: Vec<&str> = arguments.iter().map(String::as_str).filter(|word| !word.starts_with('-')).collect();
    let is_asked = |part: &str| parts.is_empty() || parts.contains(&part);
    subject::log_as_in_production();
    println!("{} cores, {CONNECTIONS} connections; load and service share the cores, limit and subject alike", cores());
    report::head();
    for database in Database::all() {
        let runtime = subject::runtime("service");
        let subject = runtime.block_on(subject::Subject::start(&database, CONNECTIONS));
        let clients = subject::runtime("client");
        if is_asked("passwords") {
            passwords::measure(&clients, &subject);
        }
        if is_asked("account") {
            account::measure(&clients, &runtime, &subject);
        }
        if is_asked("codes") {
            codes::measure(&clients, &subject);
        }
        if is_asked("otp") {
            otp::measure(&clients, &subject);
        }
        if is_asked("redemption") {
            redemption::measure(&clients, &subject);
        }
        if is_asked("forward-auth") {
            forward_auth::measure(&clients, &runtime, &subject);
        }
        if is_asked("latency") {
            latency::measure(&clients, &subject);
        }
        if is_asked("process") {
            process::measure(&clients, &subject);
        }
        runtime.block_on(subject.stop());
    }
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
