//! `countersign openapi`.

use std::{path::PathBuf, process::ExitCode};

use anyhow::Context;

use super::output;
use crate::server;

/// Print the OpenAPI document, or check a kept copy
#[derive(clap::Args)]
pub struct Arguments {
    /// Write it into this file
    #[arg(long, value_name = "FILE", conflicts_with = "check")]
    out: Option<PathBuf>,
    /// Fail unless this file is the document as the code has it
    #[arg(long, value_name = "FILE")]
    check: Option<PathBuf>,
}

/// The document is made from the routes.
pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let text = serde_json::to_string_pretty(&server::openapi()).context("the document as JSON")? + "\n";
    output::deliver(&text, arguments.out.as_deref(), arguments.check.as_deref(), "countersign openapi")?;
    Ok(ExitCode::SUCCESS)
}
