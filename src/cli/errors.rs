//! `countersign errors`.

use std::{fmt::Write, path::PathBuf, process::ExitCode};

use super::output;
use crate::domain::refusal::Code;

/// Print every error the service answers, as docs/errors.md has them, or check a kept copy
#[derive(clap::Args)]
pub struct Arguments {
    /// Write them into this file
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Fail unless this file is the table as the code has it
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// The table is that of the code.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    output::deliver(&page(), arguments.out.as_deref(), arguments.check.as_deref(), "countersign errors")?;
    Ok(ExitCode::SUCCESS)
}

/// The page `docs/errors.md`.
#[must_use]
pub fn page() -> String {
    let mut page = "# Errors\n\nWritten by `countersign errors --out docs/errors.md`; a test compares it with the code.\n\n\
        Every refusal is JSON: `code`, `message`, and where they help `data` and `details`. Decide by `code` and status; the \
        message is for people and may change. The OpenAPI document lists which of these each route answers. A `401` carries \
        `WWW-Authenticate`; `429`, `503` and a locked method carry `Retry-After` in seconds.\n\n\
        | status | code | meaning |\n|---|---|---|\n"
        .to_owned();
    for code in Code::ALL {
        let _ = writeln!(page, "| {} | `{}` | {} |", code.status(), code.code(), code.sentence());
    }
    page
}
