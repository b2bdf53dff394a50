//! The command line: one file a command. Data goes to standard output, talk to standard error; the exit code is 0 when it worked,
//! 1 when it did not, 2 when the command line was wrong.

mod applications;
mod audit;
mod config;
mod dev;
mod doctor;
mod errors;
mod import;
mod keys;
mod migrate;
mod offline;
mod openapi;
mod output;
mod run;
mod serve;
mod tour;
mod users;

use std::{path::PathBuf, process::ExitCode};

use clap::{Parser, Subcommand};

use crate::{config::Config, telemetry};

/// Asks the owner of an account again before a risky action.
#[derive(Parser)]
#[command(name = "countersign", version, arg_required_else_help = true)]
struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Serve(serve::Arguments),
    Dev(dev::Arguments),
    Migrate(migrate::Arguments),
    Doctor(doctor::Arguments),
    #[command(subcommand)]
    Users(users::Command),
    #[command(subcommand)]
    Applications(applications::Command),
    #[command(subcommand)]
    Audit(audit::Command),
    #[command(subcommand)]
    Keys(keys::Command),
    #[command(subcommand)]
    Config(config::Command),
    Openapi(openapi::Arguments),
    Errors(errors::Arguments),
}

/// Where the configuration comes from; every key may be in the environment instead, as `COUNTERSIGN_<SECTION>__<KEY>`.
#[derive(clap::Args)]
struct ConfigFile {
    /// The configuration file. Without it, ./countersign.toml where there is one.
    #[arg(long, env = "COUNTERSIGN_CONFIG", value_name = "FILE")]
    config: Option<PathBuf>,
}

impl ConfigFile {
    fn load(&self) -> anyhow::Result<Config> {
        let usual = PathBuf::from("countersign.toml");
        let file = self.config.clone().or_else(|| usual.is_file().then_some(usual));
        Config::load(file.as_deref())
    }
}

/// Runs the program.
#[must_use]
pub fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !matches!(arguments.command, Command::Serve(_) | Command::Dev(_)) {
        telemetry::start_for_command();
    }
    // Requests are answered by the server's own threads, each with a runtime of its own; this one carries the listener, the jobs
    // and the commands, for which two threads are plenty.
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    let outcome = runtime.map_err(anyhow::Error::from).and_then(|runtime| runtime.block_on(perform(arguments.command)));
    match outcome {
        Ok(code) => code,
        Err(error) => {
            output::tell(format_args!("error: {error:#}"));
            ExitCode::FAILURE
        }
    }
}

async fn perform(command: Command) -> anyhow::Result<ExitCode> {
    match command {
        Command::Serve(arguments) => serve::run(arguments).await,
        Command::Dev(arguments) => dev::run(arguments).await,
        Command::Migrate(arguments) => migrate::run(arguments).await,
        Command::Doctor(arguments) => doctor::run(arguments).await,
        Command::Users(command) => users::run(command).await,
        Command::Applications(command) => applications::run(command).await,
        Command::Audit(command) => audit::run(command).await,
        Command::Keys(command) => keys::run(command).await,
        Command::Config(command) => config::run(command),
        Command::Openapi(arguments) => openapi::run(&arguments),
        Command::Errors(arguments) => errors::run(&arguments),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    #[test]
    fn the_command_line_is_well_formed() {
        super::Arguments::command().debug_assert();
    }
}
