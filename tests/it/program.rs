//! The program as operators and newcomers run it.

mod development;
mod flood;
mod hooks;
mod import;
mod keys;
mod operation;
mod people;
mod races;

use std::{
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Output, Stdio},
    time::{Duration, Instant},
};

use serde_json::Value;
use tempfile::TempDir;

/// A folder of its own in which the program is run.
pub struct Place {
    folder: TempDir,
}

impl Place {
    pub fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    /// With a master key and a configuration that production takes; mail would go to `smtp`.
    pub fn installed(smtp: &str) -> Self {
        Self::installed_with(&mail_by(smtp))
    }

    /// The same with sections of the test's own.
    pub fn installed_with(sections: &str) -> Self {
        Self::new().install(sections)
    }

    /// The same below a folder of the test's choice.
    pub fn installed_in(folder: &str, smtp: &str) -> Self {
        Self { folder: tempfile::tempdir_in(folder).unwrap() }.install(&mail_by(smtp))
    }

    fn install(self, sections: &str) -> Self {
        let place = self;
        place.run(&["keys", "generate", "--master", "countersign.key"]).succeeds();
        place.write(
            "countersign.toml",
            &format!(
                "[server]\nbind = \"127.0.0.1:0\"\npublic_url = \"http://localhost:3000\"\n{sections}\
                 [keys]\nmaster_key_file = \"countersign.key\"\n"
            ),
        );
        place
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str) {
        std::fs::write(self.path(name), text).unwrap();
    }

    pub fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_countersign"));
        command.args(arguments).current_dir(self.folder.path()).stdin(Stdio::null());
        for (name, _) in std::env::vars().filter(|(name, _)| name.starts_with("COUNTERSIGN_") || name == "RUST_LOG") {
            command.env_remove(name);
        }
        command
    }

    /// Runs to the end.
    pub fn run(&self, arguments: &[&str]) -> Ended {
        Ended::of(&self.command(arguments).output().unwrap())
    }

    /// Starts `serve` and waits until it is ready.
    pub fn serve(&self) -> Service {
        self.serve_as("ready", "log")
    }

    /// The same with names of its own for the two files it writes, so that several run in one place.
    pub fn serve_as(&self, ready: &str, log: &str) -> Service {
        let command = self.command(&["serve", "--config", "countersign.toml", "--ready-file", ready]);
        self.wait_for(command, ready, log)
    }

    /// Waits until what `command` starts is ready.
    pub fn serve_by(&self, command: Command) -> Service {
        self.wait_for(command, "ready", "log")
    }

    fn wait_for(&self, mut command: Command, ready: &str, log: &str) -> Service {
        let (ready, log) = (self.path(ready), self.path(log));
        let _ = std::fs::remove_file(&ready);
        let child = command.stdout(Stdio::null()).stderr(std::fs::File::create(&log).unwrap()).spawn();
        let mut service = Service { child: child.unwrap(), url: String::new() };
        let start = Instant::now();
        while !ready.exists() {
            let ended = service.child.try_wait().unwrap();
            assert!(ended.is_none(), "it ended: {}", std::fs::read_to_string(&log).unwrap());
            assert!(start.elapsed() < Duration::from_secs(20), "it is not ready");
            std::thread::sleep(Duration::from_millis(20));
        }
        service.url = std::fs::read_to_string(ready).unwrap().trim().to_owned();
        service
    }
}

fn mail_by(smtp: &str) -> String {
    format!("[email]\nfrom = \"a@example.com\"\nsmtp_url = \"{smtp}\"\n")
}

/// A run that is over.
#[derive(Debug)]
pub struct Ended {
    pub code: Option<i32>,
    pub out: String,
    pub err: String,
}

impl Ended {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
        Self { code: output.status.code(), out: text(&output.stdout), err: text(&output.stderr) }
    }

    #[track_caller]
    pub fn succeeds(self) -> Self {
        assert_eq!(self.code, Some(0), "{self:?}");
        self
    }

    #[track_caller]
    pub fn fails(self) -> Self {
        assert_eq!(self.code, Some(1), "{self:?}");
        self
    }

    #[track_caller]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// A running service; killed when dropped.
pub struct Service {
    pub child: Child,
    pub url: String,
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
