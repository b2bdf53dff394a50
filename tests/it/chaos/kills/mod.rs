//! `kill -9` at random moments under load.
//!
//! `COUNTERSIGN_CHAOS_KILLS` says how often (5), `COUNTERSIGN_CHAOS_SEED` repeats the moments of another run, which do not repeat
//! everything: the load is not the same.

mod answer;
mod check;
mod load;
mod mail;
mod memory;

use std::{
    process::Stdio,
    time::{Duration, Instant},
};

use countersign::{
    clock::{Clock, SystemClock},
    storage::{Db, PoolLimits},
};
use futures_util::future::join_all;

use self::{load::Worker, mail::Mail, memory::Memory};
use super::{
    client::{Office, PAYMENTS},
    cluster::Cluster,
};
use crate::{
    harness::{MailServer, TestDatabase},
    program::Place,
};

/// Users at a time.
const USERS: usize = 4;

/// Random enough for moments (xorshift).
struct Moments(u64);

impl Moments {
    fn new() -> Self {
        let given = std::env::var("COUNTERSIGN_CHAOS_SEED").ok().map(|text| text.parse().unwrap());
        let now = u64::try_from(SystemClock.now().0).unwrap();
        let seed = given.unwrap_or(now | 1);
        println!("COUNTERSIGN_CHAOS_SEED={seed}");
        Self(seed)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

fn kills() -> usize {
    std::env::var("COUNTERSIGN_CHAOS_KILLS").map_or(5, |text| text.parse().unwrap())
}

fn place(database: &str, mail: &MailServer) -> Place {
    let place = Place::installed(&format!("smtp://127.0.0.1:{}?tls=none", mail.port));
    let config = std::fs::read_to_string(place.path("countersign.toml")).unwrap();
    let config = config.replace("[email]\n", "[email]\ntimeout_ms = 2000\n");
    let more = "[limits]\nrequests_per_minute = 0\nverifications_per_minute = 0\ntokens_per_minute = 0\n\
                sends_per_user = 100000\nsends_per_client = 0\nsends_in_all = 0\n\
                [sms]\ntimeout_ms = 2000\n\
                [hashing]\nmemory_kib = 64\npasses = 1\n";
    place.write("countersign.toml", &format!("{config}[database]\nurl = \"{database}\"\n{more}{PAYMENTS}"));
    place
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_service_is_killed_on_sqlite() {
    if TestDatabase::is_postgres() {
        return;
    }
    let mail = MailServer::start(&[]);
    let place = place("sqlite://countersign.db", &mail);
    let url = format!("sqlite://{}", place.path("countersign.db").display());
    run(&place, &url, Mail::of(mail), None).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_lost_when_the_service_and_postgresql_are_killed() {
    let Some(cluster) = Cluster::start() else { return };
    let mail = MailServer::start(&[]);
    let place = place(&cluster.url, &mail);
    run(&place, &cluster.url, Mail::of(mail), Some(&cluster)).await;
}

async fn run(place: &Place, url: &str, mail: Mail, cluster: Option<&Cluster>) {
    let (mut moments, begun) = (Moments::new(), Instant::now());
    let office = Office::open(place);
    let mut memories: Vec<Memory> = Vec::new();
    let mut service = place.serve();
    let (kills, mut cut_off, mut database_kills) = (kills(), 0, 0);
    for round in 0..kills {
        let manager = office.sign_in(&service).await.unwrap();
        let worker = Worker { office: &office, service: &service, manager: &manager, mail: &mail };
        let mut own = Vec::new();
        for user in 0..USERS {
            own.push(worker.start(&format!("u{round}_{user}")).await.unwrap());
        }
        let moment = Duration::from_millis(20 + moments.below(900));
        // Of three kills of PostgreSQL's tests, one is of the service, one of the database, one of both at once.
        let (kills_service, kills_database) = match (cluster, round % 3) {
            (None, _) | (_, 0) => (true, false),
            (_, 1) => (false, true),
            _ => (true, true),
        };
        let process = service.child.id();
        let axe = async {
            tokio::time::sleep(moment).await;
            if kills_service {
                kill(process);
            }
            if let Some(cluster) = cluster.filter(|_| kills_database) {
                tokio::task::block_in_place(|| cluster.kill());
            }
        };
        tokio::join!(axe, join_all(own.iter_mut().map(|memory| worker.run(memory))));
        cut_off += own.iter().filter(|memory| is_unsure(memory)).count();
        if let Some(cluster) = cluster.filter(|_| kills_database) {
            tokio::task::block_in_place(|| cluster.again());
            database_kills += 1;
        }
        if kills_service {
            drop(service);
            // Starting is a moment like any other.
            if moments.below(3) == 0 {
                let mut early =
                    place.command(&["serve", "--config", "countersign.toml"]).stderr(Stdio::null()).spawn().unwrap();
                tokio::time::sleep(Duration::from_millis(moments.below(400))).await;
                early.kill().unwrap();
                early.wait().unwrap();
            }
            service = place.serve();
        } else {
            recover(&office, &service).await;
        }
        let manager = office.sign_in(&service).await.unwrap();
        let worker = Worker { office: &office, service: &service, manager: &manager, mail: &mail };
        let db = connect(url).await;
        for memory in &mut own {
            worker.check(&db, memory).await;
        }
        db.close().await;
        check::check_codes(&mail);
        check::check_audit(place);
        memories.append(&mut own);
    }
    // What was there after the first crash is there after the last.
    let manager = office.sign_in(&service).await.unwrap();
    let worker = Worker { office: &office, service: &service, manager: &manager, mail: &mail };
    let db = connect(url).await;
    for memory in memories.iter_mut().rev().take(100 * USERS) {
        worker.check(&db, memory).await;
    }
    check::check_delivery(&db, &mail, &memories, kills < 20).await;
    db.close().await;
    check::check_codes(&mail);
    check::check_audit(place);
    report(&memories, &mail, (kills, database_kills, cut_off), begun);
}

fn kill(process: u32) {
    let status = std::process::Command::new("kill").args(["-9", &process.to_string()]).status().unwrap();
    assert!(status.success());
}

/// Whether a change was under way whose outcome the client did not hear.
fn is_unsure(memory: &Memory) -> bool {
    [&memory.password, &memory.email, &memory.suspended].iter().any(|fact| fact.maybe.is_some())
        || memory.redeeming.is_some()
}

/// The service finds its database again by itself.
async fn recover(office: &Office, service: &crate::program::Service) {
    let start = Instant::now();
    while office.sign_in(service).await.is_err() {
        assert!(start.elapsed() < Duration::from_secs(20), "it does not come back");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn connect(url: &str) -> Db {
    let limits =
        PoolLimits { connections: 2, acquire_timeout: Duration::from_secs(10), timeout: Duration::from_secs(10) };
    Db::connect(url, limits).await.unwrap()
}

fn count(number: usize) -> i64 {
    i64::try_from(number).unwrap()
}

fn report(memories: &[Memory], mail: &Mail, (kills, of_database, cut_off): (usize, usize, usize), begun: Instant) {
    let sum = |of: fn(&Memory) -> i64| memories.iter().map(of).sum::<i64>();
    let (mails, again) = mail.counts();
    println!(
        "{kills} kills ({of_database} of the database), {:.0?}: {} passwords changed, {} addresses bound, {} suspensions, \
         {} tickets spent, {} wrong guesses, {} codes accepted, {} consents redeemed, {} of them unanswered at first; {cut_off} changes cut off; {mails} mails came, {again} of them again",
        begun.elapsed(),
        sum(|memory| memory.password.changes),
        sum(|memory| memory.email.changes),
        sum(|memory| memory.suspended.changes),
        sum(|memory| count(memory.tickets.len())),
        sum(|memory| memory.guesses.iter().map(|(_, guesses)| guesses).sum()),
        sum(|memory| count(memory.accepted.len())),
        sum(|memory| count(memory.redeemed.len())),
        sum(|memory| memory.unanswered),
    );
}
