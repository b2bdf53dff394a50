//! The program as operators and newcomers run it.

mod development;
mod flood;
mod hooks;
mod import;
mod keys;
mod operation;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own in which the program is run.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a master key and a configuration that production takes; mail would go to `smtp`.
    fn installed(smtp: &str) -> Self {
        let place = Self::new();
        place.run(&["keys", "generate", "--master", "countersign.key"]).succeeds();
        place.write(
            "countersign.toml",
            &format!(
                "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://localhost:3000\"\n\
                 [email]\nfrom = \"a@example.com\"\nsmtp_url = \"{smtp}\"\n\
                 [keys]\nmaster_key_file = \"countersign.key\"\n"
            ),
        );
        place
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COUNTERSIGN_") || name == "RUST_LOG") {
            command.env_remove(name);
        }
        command
    }

    /// Runs to the end.
    fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().unwrap())
    }

    /// Starts `serve` and waits until it is ready.
    fn serve(&self) -> Service {
        let ready = self.path("ready");
        let _ = std::fs::remove_file(&ready);
        let mut command = self.command(&["serve", "--config", "countersign.toml", "--ready-file", "ready"]);
        let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(self.path("log")).unwrap()).spawn();
        let mut service = Service { child: child.unwrap(), url: String::new() };
        let start = Instant::now();
        while !ready.exists() {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", std::fs::read_to_string(self.path("log")).unwrap());
            assert!(start.elapsed() < Duration::from_secs(20), "it is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        service.url = std::fs::read_to_string(ready).unwrap().trim().to_owned();
        service
    }
}

/// A run that is over.
#[derive(Debug)]
struct Ended {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    fn fails(self) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        self
    }

    #[track_caller]
    fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running service; killed when dropped.
struct Service {
    child: Child,
    url: String,
}

impl Service {
    fn signal(&self, name: &str) {
        let status = Command::new("kill").args(["-s", name, &self.child.id().to_string()]).status().unwrap();
        assert!(status.success());
    }

    /// The exit code, which must come in time.
    fn wait(&mut self) -> Option<i32> {
        let start = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                return status.code();
            }
            assert!(start.elapsed() < Duration::from_secs(15), "it goes on");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Reads lines up to and with the first that has `mark`.
fn read_until(source: impl std::io::Read, mark: &str) -> String {
    let mut text = String::new();
    for line in BufReader::new(source).lines() {
        let line = line.unwrap();
        text.push_str(&line);
        text.push('\n');
        if line.contains(mark) {
            return text;
        }
    }
    panic!("no {mark} in {text}");
}

fn mode(path: &Path) -> u32 {
    use std::os::unix::fs::PermissionsExt;
    std::fs::metadata(path).unwrap().permissions().mode() & 0o777
}
