//! From the command line to a daemon, or to one answer on stdout.

mod args;
mod list;

pub use args::{Cli, Command};

use crate::clock::SystemTime;
use crate::config::Config;
use crate::desk::{Desk, DeskError, Surroundings};
use crate::{serve, socket};
use clap::Parser as _;
use clap::error::ErrorKind;
use countersign_shared::answer::{misused, print, stopped};
use countersign_shared::exit::Outcome;
use countersign_shared::journal::JournalError;
use countersign_shared::terminal::{Failure, Screen};
use std::ffi::OsString;
use std::io::IsTerminal as _;
use std::process::ExitCode;
use std::sync::Arc;

/// Why a command stopped.
pub type Stop = (Outcome, Box<Failure>);

/// The program: reads the process's arguments, prints, and returns its exit status.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    match run(&cli) {
        Ok((text, outcome)) => {
            print(&text);
            outcome.into()
        }
        Err((outcome, failure)) => stopped(outcome, &[*failure], cli.json),
    }
}

fn run(cli: &Cli) -> Result<(String, Outcome), Stop> {
    log();
    let config = Config::load(&cli.config).map_err(|failure| (Outcome::Invalid, failure))?;
    match cli.command {
        Command::Serve => {
            let surroundings = Surroundings { time: Box::new(SystemTime), watch: None };
            Err(run_daemon(config, surroundings))
        }
        Command::List => list::list(&config, cli.json, Screen::of(&std::io::stdout())),
    }
}

/// Opens everything and answers until the process ends; returns only when it cannot go on.
pub fn run_daemon(config: Config, surroundings: Surroundings) -> Stop {
    let failed = |failure: Failure| (Outcome::Failed, Box::new(failure));
    let path = config.socket.clone();
    // The memory first: its lock says whether another notary lives, whatever the socket looks like.
    let desk = match Desk::open(config, surroundings) {
        Ok(desk) => Arc::new(desk),
        Err(error) => return failed(Failure::of("notary", &error).hint(hint(&error))),
    };
    let listener = match socket::listen(&path) {
        Ok(listener) => listener,
        Err(error) => return failed(Failure::of("socket", &error).hint(error.hint())),
    };
    tracing::info!(socket = %path.display(), key = desk.fingerprint(), "listening");
    if !desk.config().require_touch {
        tracing::warn!("keys in software may take leases: require_touch = false");
    }
    let error = serve::serve(&listener, &desk);
    failed(Failure::of("socket", &error))
}

fn hint(error: &DeskError) -> &'static str {
    match error {
        DeskError::Directory { .. } => "it must be the notary's own, and writable by nobody else",
        DeskError::Key(error) => error.hint(),
        DeskError::Approvers(_) => "it is in OpenSSH's allowed_signers format; see ssh-keygen(1)",
        DeskError::Memory(JournalError::Locked { .. }) => "another notary is running; stop it first",
        DeskError::Memory(_) => {
            "nothing is given out by a memory that is damaged: bring it back from a backup that knows everything that the \
             ledger knows, or begin with an empty state_dir and a new key on every runner"
        }
        DeskError::Clock(_) => "if the file is damaged and the clock is right, remove it and start again",
    }
}

fn log() {
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("countersign_notary=info,warn"));
    let colour = std::io::stderr().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let builder = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).with_ansi(colour);
    // A second start (in tests) keeps the first.
    let _ = builder.with_target(false).try_init();
}

fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print(&error.render().to_string());
        return Outcome::Clean.into();
    }
    if json {
        return misused("countersign-notary", &error.render().to_string());
    }
    let _ = error.print();
    Outcome::Invalid.into()
}
