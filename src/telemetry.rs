//! The log: lines on standard error, for people on a terminal, JSON elsewhere; each line of a request carries its id.
//!
//! What the service itself says holds no secrets. Libraries may show what is on the wire in their `debug` and `trace` lines, so those
//! never come through, whatever `RUST_LOG` says.

use std::io::IsTerminal;

use tracing::{Level, level_filters::LevelFilter};
use tracing_subscriber::{EnvFilter, Layer, filter::filter_fn, fmt, layer::SubscriberExt, util::SubscriberInitExt};

use crate::config::{LogConfig, LogFormat};

/// Starts the log of a service. The first call in a process counts.
pub fn start(config: &LogConfig) {
    let is_human = match config.format {
        LogFormat::Human => true,
        LogFormat::Json => false,
        LogFormat::Auto => std::io::stderr().is_terminal(),
    };
    install(&config.level, is_human);
}

/// Starts the log of a command: warnings, for people.
pub fn start_for_command() {
    install("warn", true);
}

fn install(level: &str, is_human: bool) {
    let (filter, problem) = filter(level, std::env::var("RUST_LOG").ok().filter(|text| !text.is_empty()));
    let lines = fmt::layer().with_writer(std::io::stderr);
    let lines = if is_human {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    } else {
        lines.json().flatten_event(true).with_span_list(false).boxed()
    };
    let is_fit = filter_fn(|line| *line.level() <= Level::INFO || line.target().starts_with("countersign"));
    let _ = tracing_subscriber::registry().with(filter).with(lines.with_filter(is_fit)).try_init();
    if let Some(problem) = problem {
        tracing::warn!("RUST_LOG is not understood and left aside: {problem}");
    }
}

/// `RUST_LOG` where it is set; else our lines from `level` on, and the warnings of libraries.
fn filter(level: &str, rust_log: Option<String>) -> (EnvFilter, Option<String>) {
    let own = |problem| {
        let text = format!("warn,countersign={level}");
        let filter =
            EnvFilter::try_new(text).unwrap_or_else(|_| EnvFilter::default().add_directive(LevelFilter::INFO.into()));
        (filter, problem)
    };
    match rust_log.map(EnvFilter::try_new) {
        None => own(None),
        Some(Ok(filter)) => (filter, None),
        Some(Err(error)) => own(Some(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rust_log_goes_before_the_level_and_nonsense_does_not() {
        assert_eq!(filter("debug", None).0.to_string(), "countersign=debug,warn");
        assert_eq!(filter("debug", Some("error".into())).0.to_string(), "error");
        let (left, problem) = filter("info", Some("countersign=loud".into()));
        assert_eq!(left.to_string(), "countersign=info,warn");
        assert!(problem.is_some());
    }
}
