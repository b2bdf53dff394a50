//! Standard output for data, standard error for talk. A reader that went away is no failure of ours.

use std::{fmt, io::Write, path::Path};

use anyhow::{Context, bail};
use serde_json::Value;

/// A line of data.
pub fn print(line: impl fmt::Display) {
    let mut out = std::io::stdout().lock();
    let _ = writeln!(out, "{line}").and_then(|()| out.flush());
}

/// A JSON value, on a line of its own.
pub fn print_json(value: &Value) {
    print(value);
}

/// A line for people.
pub fn tell(line: impl fmt::Display) {
    let _ = writeln!(std::io::stderr().lock(), "{line}");
}

/// Writes a file so that readers see all of it or nothing.
pub fn write_whole(path: &Path, text: &str) -> anyhow::Result<()> {
    let shown = path.display();
    let mut name = path.file_name().with_context(|| format!("{shown} is not the path of a file"))?.to_os_string();
    name.push(format!(".{}.tmp", std::process::id()));
    let beside = path.with_file_name(name);
    std::fs::write(&beside, text)
        .and_then(|()| std::fs::rename(&beside, path))
        .with_context(|| format!("cannot write {shown}"))
}

/// Where a text that is made by the program goes: to `out`, against `check`, or to standard output.
pub fn deliver(text: &str, out: Option<&Path>, check: Option<&Path>, how: &str) -> anyhow::Result<()> {
    if let Some(path) = check {
        let kept = std::fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
        if kept != text {
            bail!("{} is not what the code says any more; write it again with `{how} --out {0}`", path.display());
        }
        tell(format_args!("{} is up to date", path.display()));
        return Ok(());
    }
    if let Some(path) = out {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder).with_context(|| format!("cannot make the folder {}", folder.display()))?;
        }
        return write_whole(path, text);
    }
    print(text.trim_end());
    Ok(())
}
