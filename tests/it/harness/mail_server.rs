//! A real mail server.

use std::{
    io::{BufRead, BufReader},
    process::{Child, Command, Stdio},
    sync::mpsc::{Receiver, channel},
    time::{Duration, Instant},
};

use countersign::config::email::EmailConfig;
use serde_json::Value;

/// aiosmtpd in a process of its own, ended with the test.
pub struct MailServer {
    child: Child,
    pub events: Receiver<Value>,
    pub port: u16,
}

impl MailServer {
    pub fn start(arguments: &[&str]) -> Self {
        let python = std::env::var("COUNTERSIGN_TEST_PYTHON").unwrap_or_else(|_| "target/test-venv/bin/python".into());
        let mut child = Command::new(&python)
            .arg("tests/support/smtp_server.py")
            .args(arguments)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap_or_else(|error| {
                panic!(
                    "{python}: {error}. Make it: python3 -m venv target/test-venv && \
                     target/test-venv/bin/pip install aiosmtpd cryptography; or name another in COUNTERSIGN_TEST_PYTHON"
                )
            });
        let (sender, events) = channel();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        std::thread::spawn(move || {
            for line in lines.map_while(Result::ok) {
                let _ = sender.send(serde_json::from_str(&line).unwrap());
            }
        });
        let mut server = Self { child, events, port: 0 };
        server.port = u16::try_from(server.wait_for("ready")["port"].as_u64().unwrap()).unwrap();
        server
    }

    /// The next event of that name; others are passed over.
    pub fn wait_for(&self, name: &str) -> Value {
        let deadline = Instant::now() + Duration::from_secs(30);
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            let event = self.events.recv_timeout(left).unwrap_or_else(|error| panic!("no {name}: {error}"));
            if event["event"] == name {
                return event;
            }
        }
    }

    pub fn config(&self) -> EmailConfig {
        EmailConfig {
            from: Some("Countersign <no-reply@example.com>".into()),
            smtp_url: Some(format!("smtp://127.0.0.1:{}", self.port).into()),
            ..EmailConfig::default()
        }
    }
}

impl Drop for MailServer {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
