//! What the machine allows: the same work without the service around it.

use std::{
    net::SocketAddr,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    time::{Duration, Instant},
};

use actix_web::{
    App, HttpResponse, HttpServer,
    dev::ServerHandle,
    http::StatusCode,
    web::{self, Bytes},
};
use argon2::{Algorithm, Argon2, Block, Params, Version};
use tokio::runtime::Runtime;

use crate::{
    client::{self, Connection},
    subject::{PASSWORD, Subject},
};

/// Hashes a second of a bare loop on every core, each with memory of its own that is kept.
pub fn hashes(length: Duration) -> f64 {
    let (count, is_over) = (AtomicU64::new(0), AtomicBool::new(false));
    std::thread::scope(|scope| {
        for _ in 0..crate::cores() {
            scope.spawn(|| {
                let params = Params::new(19_456, 2, 1, Some(32)).unwrap();
                let mut memory = vec![Block::new(); params.block_count()];
                let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
                let mut tag = [0; 32];
                while !is_over.load(Ordering::Relaxed) {
                    let input = PASSWORD.as_bytes();
                    argon2.hash_password_into_with_memory(input, &[7; 16], &mut tag, &mut memory).unwrap();
                    count.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        std::thread::sleep(Duration::from_millis(500));
        let (from, started) = (count.load(Ordering::Relaxed), Instant::now());
        std::thread::sleep(length);
        let rate = client::per_second(count.load(Ordering::Relaxed) - from, started.elapsed());
        is_over.store(true, Ordering::Relaxed);
        rate
    })
}

/// One request of each user, again and again: answers a second of a bare handler that gives the same bytes, and of the service.
pub fn beside_bare(
    clients: &Runtime,
    runtime: &Runtime,
    subject: &Subject,
    (path, status): (&'static str, u16),
    requests: &[Vec<u8>],
) -> Vec<(f64, f64)> {
    const LENGTH: Duration = Duration::from_millis(1500);
    let (head, body) = clients.block_on(async {
        let mut connection = Connection::open(subject.address()).await;
        let answer = connection.expect(requests.first().unwrap(), status).await;
        let (head, body) = connection.parts(answer);
        (head.to_vec(), body.to_vec())
    });
    let bare = Bare::start(runtime, (path, status), &head, &body);
    let pairs = (0..5).map(|_| {
        let limit = client::rate(clients, bare.address, requests, status, LENGTH);
        (limit, client::rate(clients, subject.address(), requests, status, LENGTH))
    });
    let pairs = pairs.collect();
    runtime.block_on(bare.stop());
    pairs
}

/// A bare server with as many workers, whose one handler answers the bytes it was given.
struct Bare {
    address: SocketAddr,
    handle: ServerHandle,
}

impl Bare {
    /// `head` and `body` are those of an answer of the service.
    fn start(runtime: &Runtime, (path, status): (&'static str, u16), head: &[u8], body: &[u8]) -> Self {
        let head = String::from_utf8_lossy(head).into_owned();
        // The framework writes these two itself.
        let own = ["content-length", "date"];
        let headers: Vec<(String, String)> = head
            .lines()
            .filter_map(|line| line.split_once(": "))
            .filter(|(name, _)| !own.contains(name))
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        let body = Bytes::copy_from_slice(body);
        let status = StatusCode::from_u16(status).unwrap();
        let _inside = runtime.enter();
        let server = HttpServer::new(move || {
            let (headers, body) = (headers.clone(), body.clone());
            let answer = move || {
                let mut answer = HttpResponse::build(status);
                for (name, value) in &headers {
                    answer.append_header((name.as_str(), value.as_str()));
                }
                std::future::ready(answer.body(body.clone()))
            };
            App::new().route(path, web::get().to(answer))
        })
        .workers(crate::cores())
        .disable_signals()
        .bind("127.0.0.1:0")
        .unwrap();
        let address = *server.addrs().first().unwrap();
        let server = server.run();
        let handle = server.handle();
        runtime.spawn(server);
        Self { address, handle }
    }

    async fn stop(self) {
        self.handle.stop(false).await;
    }
}
