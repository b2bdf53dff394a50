//! Three real proxies with the configurations of docs/forward-auth.md, Countersign beside them, a back end behind them.

use std::{
    fs,
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use countersign::config::Config;

use crate::{
    chaos::proxy::Proxy,
    harness::{
        TestApp,
        stand_in::{self, Request},
    },
};

pub const HOST: &str = "bank.example";

/// Everything, on ports of its own.
pub struct Lab {
    pub app: TestApp,
    /// Between the proxies and Countersign.
    pub way: Proxy,
    pub fronts: Vec<Front>,
    pub seen: Arc<Mutex<Vec<Request>>>,
}

impl Lab {
    pub async fn start(change: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::start_with(change).await;
        let way = Proxy::to(app.running.address.port()).await;
        let seen = Arc::new(Mutex::new(Vec::new()));
        let kept = seen.clone();
        let back_end = stand_in::start(move |request| {
            kept.lock().unwrap().push(request.clone());
            stand_in::Answer::new(200, "done by the back end")
        });
        let back_end = back_end.rsplit(':').next().unwrap().parse().unwrap();
        let ports = Ports { countersign: way.port, back_end };
        let fronts = vec![nginx(ports), caddy(ports), haproxy(ports)];
        for front in &fronts {
            front.wait().await;
        }
        Self { app, way, fronts, seen }
    }

    /// What the back end got since it was asked last.
    pub fn seen(&self) -> Vec<Request> {
        taken(&self.seen)
    }
}

/// What the back end got since it was asked last.
pub fn taken(seen: &Mutex<Vec<Request>>) -> Vec<Request> {
    std::mem::take(&mut seen.lock().unwrap())
}

/// A running proxy, ended with the test.
pub struct Front {
    pub name: &'static str,
    pub port: u16,
    child: Child,
    folder: tempfile::TempDir,
}

impl Drop for Front {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Front {
    async fn wait(&self) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", self.port)).is_err() {
            let log = || fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            assert!(Instant::now() < deadline, "{} does not start: {}", self.name, log());
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    /// Sends a request as it is given: request line, then headers, each without its line end.
    pub async fn send(&self, line: &[u8], headers: &[&str], body: &str) -> Sent {
        let mut bytes = [line, b" HTTP/1.1\r\nHost: bank.example\r\nConnection: close\r\n"].concat();
        if !body.is_empty() {
            bytes.extend(format!("Content-Length: {}\r\n", body.len()).as_bytes());
        }
        for header in headers {
            bytes.extend([header.as_bytes(), b"\r\n"].concat());
        }
        bytes.extend([b"\r\n", body.as_bytes()].concat());
        exchange(self.port, bytes).await
    }
}

/// Sends bytes and reads all that comes back.
#[expect(clippy::disallowed_methods, reason = "a plain socket, so that nothing mends what is sent")]
pub async fn exchange(port: u16, bytes: Vec<u8>) -> Sent {
    tokio::task::spawn_blocking(move || {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        // A proxy may have answered and gone before it has read all.
        let _ = stream.write_all(&bytes);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        Sent::read(&answer)
    })
    .await
    .unwrap()
}

/// What came back.
#[derive(Debug)]
pub struct Sent {
    /// 0 when nothing came.
    pub status: u16,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

impl Sent {
    fn read(answer: &[u8]) -> Self {
        let text = String::from_utf8_lossy(answer);
        let (mut head, mut body) = text.split_once("\r\n\r\n").unwrap_or((&text, ""));
        while head.starts_with("HTTP/1.1 100 ") {
            (head, body) = body.split_once("\r\n\r\n").unwrap_or((body, ""));
        }
        let mut lines = head.lines();
        let status = lines.next().and_then(|line| line.split(' ').nth(1)?.parse().ok()).unwrap_or(0);
        let headers = lines.filter_map(|line| line.split_once(':'));
        let headers = headers.map(|(name, value)| (name.to_lowercase(), value.trim().to_owned())).collect();
        Self { status, headers, body: body.to_owned() }
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(known, _)| known == name).map(|(_, value)| value.as_str())
    }
}

#[derive(Clone, Copy)]
struct Ports {
    countersign: u16,
    back_end: u16,
}

/// The block of that language in the documentation, with the addresses of a test.
fn documented(language: &str, ports: Ports, own: u16) -> String {
    let page = include_str!("../../../docs/forward-auth.md");
    let (_, rest) = page.split_once(&format!("\n```{language}\n")).unwrap_or_else(|| panic!("no {language}"));
    let (block, _) = rest.split_once("\n```\n").unwrap();
    let replaced = block
        .replace("127.0.0.1:3000", &format!("127.0.0.1:{}", ports.countersign))
        .replace("127.0.0.1:8080", &format!("127.0.0.1:{}", ports.back_end))
        .replace(":8000", &format!(":{own}"));
    replaced + "\n"
}

fn nginx(ports: Ports) -> Front {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let own = folder.path().display();
    let temporary: Vec<String> = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
        .iter()
        .map(|name| format!("{name}_temp_path {own}/{name};"))
        .collect();
    let text = format!(
        "daemon off; master_process off; pid {own}/pid; error_log {own}/log;\nevents {{}}\nhttp {{\naccess_log off;\n{}\n{}}}\n",
        temporary.join("\n"),
        documented("nginx", ports, port)
    );
    let file = written(folder.path(), "nginx.conf", &text);
    let arguments = ["-p".to_owned(), own.to_string(), "-e".to_owned(), format!("{own}/log"), "-c".to_owned(), file];
    start("nginx", &arguments, port, folder)
}

fn caddy(ports: Ports) -> Front {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let text = format!("{{\n\tadmin off\n\tauto_https off\n}}\n{}", documented("caddyfile", ports, port));
    let file = written(folder.path(), "Caddyfile", &text);
    let arguments = ["run", "--adapter", "caddyfile", "--config", &file].map(str::to_owned);
    start("caddy", &arguments, port, folder)
}

fn haproxy(ports: Ports) -> Front {
    let (folder, port) = (tempfile::tempdir().unwrap(), free_port());
    let script = written(folder.path(), "countersign.lua", &documented("lua", ports, port));
    let text = documented("haproxy", ports, port).replace("/etc/haproxy/countersign.lua", &script);
    let file = written(folder.path(), "haproxy.cfg", &text);
    start("haproxy", &["-db".to_owned(), "-f".to_owned(), file], port, folder)
}

fn written(folder: &Path, name: &str, text: &str) -> String {
    let path = folder.join(name);
    fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

fn start(name: &'static str, arguments: &[String], port: u16, folder: tempfile::TempDir) -> Front {
    let log = || fs::OpenOptions::new().create(true).append(true).open(folder.path().join("log")).unwrap();
    // Debian has them where only root looks.
    let path = format!("{}:/usr/sbin:/usr/local/sbin", std::env::var("PATH").unwrap_or_default());
    let child = Command::new("/usr/bin/env")
        .arg(name)
        .args(arguments)
        .envs([("PATH", path.as_str()), ("XDG_CONFIG_HOME", folder.path().to_str().unwrap())])
        .env("XDG_DATA_HOME", folder.path())
        .stdin(Stdio::null())
        .stdout(log())
        .stderr(log())
        .spawn()
        .unwrap_or_else(|error| panic!("{name}: {error}; apt-get install nginx caddy haproxy"));
    Front { name, port, child, folder }
}

fn free_port() -> u16 {
    TcpListener::bind(("127.0.0.1", 0)).unwrap().local_addr().unwrap().port()
}
