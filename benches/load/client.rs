//! A lean HTTP/1.1 client on bare sockets: it costs little beside what it measures, and costs limit and subject the same.

use std::{
    net::SocketAddr,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
};

/// One kept connection.
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
}

/// An answer; the bytes stay in the connection's buffer.
#[derive(Clone, Copy)]
pub struct Answer {
    pub status: u16,
    pub head: usize,
}

impl Connection {
    pub async fn open(address: SocketAddr) -> Self {
        let stream = TcpStream::connect(address).await.expect("the server listens");
        stream.set_nodelay(true).unwrap();
        Self { stream, buffer: Vec::with_capacity(16 * 1024) }
    }

    /// Sends the request and reads the whole answer.
    pub async fn call(&mut self, request: &[u8]) -> Answer {
        self.stream.write_all(request).await.expect("the connection stays open");
        self.buffer.clear();
        loop {
            let read = self.stream.read_buf(&mut self.buffer).await.expect("the connection stays open");
            assert!(read > 0, "the server closed a connection: {}", String::from_utf8_lossy(&self.buffer));
            if let Some(answer) = whole(&self.buffer) {
                return answer;
            }
        }
    }

    /// The same; ends the program when the status is another.
    pub async fn expect(&mut self, request: &[u8], status: u16) -> Answer {
        let answer = self.call(request).await;
        assert_eq!(answer.status, status, "{}", String::from_utf8_lossy(&self.buffer));
        answer
    }

    /// Head and body of the last answer.
    pub fn parts(&self, answer: Answer) -> (&[u8], &[u8]) {
        self.buffer.split_at(answer.head)
    }
}

/// The answer, once all of it is there.
fn whole(bytes: &[u8]) -> Option<Answer> {
    let head = bytes.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let lines = bytes.get(..head)?.split(|byte| *byte == b'\n');
    let name = b"content-length:";
    let length = lines.filter(|line| line.len() > name.len()).find_map(|line| {
        let (start, value) = line.split_at(name.len());
        start.eq_ignore_ascii_case(name).then(|| std::str::from_utf8(value).ok()?.trim().parse().ok())?
    });
    let status = std::str::from_utf8(bytes.get(9..12)?).ok()?.parse().ok()?;
    let length = length.unwrap_or(0);
    (bytes.len() >= head + length).then_some(Answer { status, head })
}

/// A request as it goes over the wire.
pub fn request(method: &str, path: &str, token: Option<&str>, body: Option<&serde_json::Value>) -> Vec<u8> {
    let authorization = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let head = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}");
    let rest = match body.map(ToString::to_string) {
        Some(body) => format!("Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len()),
        None => "\r\n".to_owned(),
    };
    (head + &rest).into_bytes()
}

/// Sends requests over a connection of their own, each when the answer to the one before is in; all succeed.
pub async fn send_all(address: SocketAddr, requests: impl Iterator<Item = Vec<u8>>) {
    let mut connection = Connection::open(address).await;
    for request in requests {
        connection.expect(&request, 200).await;
    }
}

/// Closed loop: on every connection the next request goes out when the answer is in. Answers a second, once the load is steady.
pub fn rate(clients: &Runtime, address: SocketAddr, requests: &[Vec<u8>], status: u16, length: Duration) -> f64 {
    let load = Load::start(clients, address, requests, status);
    std::thread::sleep(Duration::from_millis(500));
    let (from, started) = (load.answers(), Instant::now());
    std::thread::sleep(length);
    let rate = per_second(load.answers() - from, started.elapsed());
    load.stop(clients);
    rate
}

pub fn per_second(count: u64, time: Duration) -> f64 {
    f64::from(u32::try_from(count).unwrap()) / time.as_secs_f64()
}

/// A closed loop that runs until it is stopped.
pub struct Load {
    answers: Arc<AtomicU64>,
    is_over: Arc<AtomicBool>,
    tasks: Vec<tokio::task::JoinHandle<()>>,
}

impl Load {
    /// One connection for each request; it is sent again and again.
    pub fn start(clients: &Runtime, address: SocketAddr, requests: &[Vec<u8>], status: u16) -> Self {
        let (answers, is_over) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let tasks = requests.iter().cloned().map(|request| {
            let (answers, is_over) = (answers.clone(), is_over.clone());
            clients.spawn(async move {
                let mut connection = Connection::open(address).await;
                while !is_over.load(Ordering::Relaxed) {
                    connection.expect(&request, status).await;
                    answers.fetch_add(1, Ordering::Relaxed);
                }
            })
        });
        let tasks = tasks.collect();
        Self { answers, is_over, tasks }
    }

    pub fn answers(&self) -> u64 {
        self.answers.load(Ordering::Relaxed)
    }

    pub fn stop(self, clients: &Runtime) {
        self.is_over.store(true, Ordering::Relaxed);
        for task in self.tasks {
            clients.block_on(task).expect("every answer has its status");
        }
    }
}
