//! Floods seen from outside: too many requests, too large ones, too slow ones. Raw sockets where a client library would behave.

use std::time::Duration;

use serde_json::{Value, json};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpSocket, TcpStream},
    time::{sleep, timeout},
};

use crate::harness::{Answer, TestApp, User};

/// Longer than any limit of these tests, shorter than anybody's patience.
const PATIENCE: Duration = Duration::from_secs(20);

#[tokio::test]
async fn each_kind_of_request_is_limited_for_each_client_and_says_so() {
    let app = TestApp::start_with(|config| {
        config.limits.verifications_per_minute = 3;
        config.limits.requests_per_minute = 10;
        config.limits.tokens_per_minute = 2;
        config.limits.unlimited_clients = vec!["198.51.100.7/32".parse().unwrap()];
        config.server.trusted_proxies = vec!["127.0.0.1/32".parse().unwrap()];
    })
    .await;
    let user = app.user().await;
    let verify = async |path: &str, from: &str| {
        let request = user.request(reqwest::Method::POST, path).json(&json!({ "password": "wrong" }));
        Answer::of(request.header("x-forwarded-for", from)).await
    };
    let (path, wrong) = ("/api/verifications/password/verify", "422 session.invalid_credentials");
    let refused = "429 request.rate_limited";
    let first = verify(path, "203.0.113.9").await.expect(wrong);
    let told = |answer: &Answer| {
        ["limit", "remaining", "reset"]
            .map(|name| answer.header(&format!("x-ratelimit-{name}")).unwrap().parse::<u64>().unwrap())
    };
    assert_eq!(told(&first), [3, 2, 20]);
    // Another spelling of the path is the same path.
    verify("/API/Verifications/Password/", "203.0.113.9").await.expect(wrong);
    verify(path, "203.0.113.9").await.expect(wrong);
    let answer = verify(path, "203.0.113.9").await.expect(refused);
    assert_eq!((told(&answer)[..2].to_vec(), answer.header("retry-after")), (vec![3, 0], Some("20")));
    verify(path, "203.0.113.9, 127.0.0.1").await.expect(refused);
    verify(path, "1.2.3.4, 203.0.113.9").await.expect(refused);
    assert_eq!(app.number("select count(*) from guesses").await, 3, "a refused request guesses nothing");
    // Others are not held up, nor is anything else of the same client; whether we live can always be asked.
    verify(path, "203.0.113.10").await.expect(wrong);
    let get = |path: &str, from: &'static str| Answer::of(app.http.get(app.url(path)).header("x-forwarded-for", from));
    for _ in 0..10 {
        get("/nothing", "203.0.113.9").await.expect("404 request.not_found");
    }
    get("/nothing", "203.0.113.9").await.expect(refused);
    get("/api/my-account", "203.0.113.9").await.expect(refused);
    get("/healthz", "203.0.113.9").await.expect("200");
    let mut last = None;
    for path in ["/oidc/token", "/oauth/token", "/oidc/token"] {
        let request = app.http.post(app.url(path)).header("x-forwarded-for", "203.0.113.9");
        let too_many = "429 oidc.too_many_requests";
        let expected =
            if path == "/oidc/token" { ["401 oidc.invalid_client", too_many] } else { ["401 oidc.invalid_client"; 2] };
        let answer = Answer::of(request.form(&[("grant_type", "client_credentials")])).await;
        assert!(expected.contains(&answer.gist().as_str()), "{answer:?}");
        last = Some(answer);
    }
    // In the shape OAuth clients read (RFC 6749 5.2).
    let last = last.unwrap();
    assert_eq!((last.status, &last.json()["error"]), (429, &json!("too_many_requests")));
    assert!(last.json()["error_description"].is_string());
    assert_eq!((told(&last)[..2].to_vec(), last.header("retry-after")), (vec![2, 0], Some("30")));
    assert_eq!(last.header("cache-control"), Some("no-store"));
    for _ in 0..12 {
        let answer = get("/nothing", "198.51.100.7").await.expect("404 request.not_found");
        assert_eq!(answer.header("x-ratelimit-limit"), None);
    }
}

#[tokio::test]
async fn a_forged_address_is_not_believed_without_a_trusted_proxy() {
    let app = TestApp::start_with(|config| config.limits.requests_per_minute = 3).await;
    for at in 0..3 {
        let request = app.http.get(app.url("/nothing")).header("x-forwarded-for", format!("203.0.113.{at}"));
        Answer::of(request.header("forwarded", "for=9.9.9.9").header("x-real-ip", "9.9.9.9")).await;
    }
    let request = app.http.get(app.url("/nothing")).header("x-forwarded-for", "203.0.113.99");
    Answer::of(request).await.expect("429 request.rate_limited");
}

/// A raw connection.
struct Raw(TcpStream);

impl Raw {
    async fn open(app: &TestApp) -> Self {
        Self(TcpStream::connect(app.running.address).await.unwrap())
    }

    async fn send(&mut self, text: &str) {
        self.0.write_all(text.as_bytes()).await.unwrap();
    }

    /// Everything until the server closes, which it must.
    async fn rest(&mut self) -> String {
        let mut bytes = Vec::new();
        // A reset after the answer is a close, too.
        let _ = timeout(PATIENCE, self.0.read_to_end(&mut bytes)).await.expect("the server closes");
        String::from_utf8_lossy(&bytes).into_owned()
    }

    /// The head and body of the next answer, which must have a length.
    async fn answer(&mut self) -> String {
        let mut bytes = Vec::new();
        let is_whole = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(bytes).into_owned();
            let (head, body) = text.split_once("\r\n\r\n")?;
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?.parse::<usize>().ok()?;
            (body.len() >= length).then_some(text)
        };
        loop {
            if let Some(text) = is_whole(&bytes) {
                return text;
            }
            let mut chunk = [0; 4096];
            let read = timeout(PATIENCE, self.0.read(&mut chunk)).await.expect("an answer").unwrap();
            assert_ne!(read, 0, "closed: {}", String::from_utf8_lossy(&bytes));
            bytes.extend_from_slice(&chunk[..read]);
        }
    }
}

fn post_head(user: &User<'_>, more: &str) -> String {
    let token = &user.token;
    format!(
        "POST /api/verifications/password/verify HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {token}\r\n\
         content-type: application/json\r\n{more}\r\n"
    )
}

/// Status line and code.
fn gist(answer: &str) -> String {
    let status = answer.split(' ').nth(1).unwrap_or("none");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    let code = serde_json::from_str::<Value>(body).ok().and_then(|body| body["code"].as_str().map(str::to_owned));
    code.map_or_else(|| status.to_owned(), |code| format!("{status} {code}"))
}

#[tokio::test]
async fn a_head_that_drips_is_cut_off_with_408() {
    let app = TestApp::start_with(|config| config.limits.head_seconds = 1).await;
    let mut raw = Raw::open(&app).await;
    raw.send("GET /healthz HTTP/1.1\r\nhost: x\r\n").await;
    for letter in 0..12 {
        sleep(Duration::from_millis(200)).await;
        // Each byte comes in time; all of them do not.
        if raw.0.write_all(format!("x-{letter}: y\r\n").as_bytes()).await.is_err() {
            break;
        }
    }
    let answer = raw.rest().await;
    assert!(answer.is_empty() || gist(&answer) == "408", "{answer}");
    // Silence from the start is no better.
    let answer = Raw::open(&app).await.rest().await;
    assert!(answer.is_empty() || gist(&answer) == "408", "{answer}");
    app.http.get(app.url("/healthz")).send().await.unwrap();
}

#[tokio::test]
async fn a_body_that_drips_is_answered_408_and_cut_off() {
    let app = TestApp::start_with(|config| {
        config.limits.body_seconds = 1;
        config.limits.head_seconds = 1;
    })
    .await;
    let user = app.user().await;
    for framing in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        let mut raw = Raw::open(&app).await;
        raw.send(&post_head(&user, framing)).await;
        let drip = if framing.starts_with('c') { "{" } else { "1\r\n{\r\n" };
        for _ in 0..10 {
            sleep(Duration::from_millis(200)).await;
            if raw.0.write_all(drip.as_bytes()).await.is_err() {
                break;
            }
        }
        let answer = raw.rest().await;
        let (head, _) = answer.split_once("\r\n\r\n").unwrap_or_else(|| panic!("{framing}: {answer:?}"));
        assert_eq!(gist(&answer), "408 request.timeout", "{answer}");
        assert!(head.contains("connection: close") || framing.starts_with('t'), "{head}");
    }
    let mut raw = Raw::open(&app).await;
    raw.send("POST /oidc/token HTTP/1.1\r\nhost: x\r\ncontent-length: 100\r\n\r\ngrant").await;
    assert_eq!(gist(&raw.rest().await), "408 oidc.invalid_request");
}

#[tokio::test]
async fn heads_that_are_too_large_are_refused() {
    let app = TestApp::start().await;
    let ask = async |target: &str, headers: &str| {
        let mut raw = Raw::open(&app).await;
        let head = format!("GET {target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n{headers}\r\n");
        // The server may have closed before all of it is written.
        let _ = raw.0.write_all(head.as_bytes()).await;
        gist(&raw.rest().await)
    };
    assert_eq!(ask("/healthz", "").await, "200");
    assert_eq!(ask(&format!("/healthz?{}", "x".repeat(8200)), "").await, "414 request.uri_too_long");
    let large = format!("x-large: {}\r\n", "x".repeat(33_000));
    assert_eq!(ask("/healthz", &large).await, "431 request.headers_too_large");
    // Past the buffer of the HTTP layer: no body, but never a pass.
    let many = "x-many: y\r\n".repeat(100);
    assert_eq!(ask("/healthz", &many).await, "431");
    let huge = format!("x-huge: {}\r\n", "x".repeat(1_000_000));
    let answer = ask("/healthz", &huge).await;
    assert!(["431", "none"].contains(&answer.as_str()), "{answer}");
    assert_eq!(ask("/health z", "").await, "400");
}

#[tokio::test]
async fn bodies_that_are_too_large_are_refused_however_they_are_framed() {
    let app = TestApp::start_with(|config| config.limits.head_seconds = 1).await;
    let user = app.user().await;
    let ask = async |head: &str, body: &[u8]| {
        let mut raw = Raw::open(&app).await;
        raw.send(&post_head(&user, head)).await;
        let _ = raw.0.write_all(body).await;
        raw.rest().await
    };
    let body = vec![b' '; 65_537];
    // A length that is a lie: refused at the limit, the rest is never read.
    let answer = ask("content-length: 1000000000\r\n", &body).await;
    assert_eq!(gist(&answer), "413 request.body_too_large");
    assert!(answer.contains("connection: close"), "{answer}");
    let mut chunked = Vec::new();
    for _ in 0..70 {
        chunked.extend_from_slice(b"400\r\n");
        chunked.extend_from_slice(&[b' '; 1024]);
        chunked.extend_from_slice(b"\r\n");
    }
    assert_eq!(
        gist(&ask("transfer-encoding: chunked\r\nconnection: close\r\n", &chunked).await),
        "413 request.body_too_large"
    );
    // Two framings at once would let a proxy and us disagree where the next request begins.
    let answer = ask("content-length: 5\r\ntransfer-encoding: chunked\r\n", b"0\r\n\r\n").await;
    assert_eq!(gist(&answer), "400");
    let answer = ask("content-length: 5\r\ncontent-length: 6\r\n", b"{}    ").await;
    assert_eq!(gist(&answer), "400");
}

#[tokio::test]
async fn a_second_request_may_not_dawdle_either() {
    let app = TestApp::start_with(|config| {
        config.limits.head_seconds = 1;
        config.limits.keep_alive_seconds = 2;
    })
    .await;
    let mut resting = Raw::open(&app).await;
    resting.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(gist(&resting.answer().await), "200");
    let mut dripping = Raw::open(&app).await;
    dripping.send("GET /healthz HTTP/1.1\r\nhost: x\r\n\r\n").await;
    assert_eq!(gist(&dripping.answer().await), "200");
    dripping.send("GET /healthz HTTP/1.1\r\nhost:").await;
    assert_eq!(resting.rest().await, "");
    assert_eq!(dripping.rest().await, "");
}

#[tokio::test]
async fn a_client_that_does_not_read_is_cut_off() {
    let app = TestApp::start_with(|config| {
        config.limits.head_seconds = 1;
        config.limits.keep_alive_seconds = 1;
    })
    .await;
    let socket = TcpSocket::new_v4().unwrap();
    socket.set_recv_buffer_size(4096).unwrap();
    let mut raw = Raw(socket.connect(app.running.address).await.unwrap());
    // Answers of some 100 KiB each, none of which is read.
    raw.send(&"GET /api/openapi.json HTTP/1.1\r\nhost: x\r\n\r\n".repeat(100)).await;
    let is_cut = async {
        while raw.0.write_all(b"x").await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    timeout(PATIENCE, is_cut).await.expect("the server closes");
}
