//! From the command line to one answer on stdout.

mod args;
mod log;

pub use args::{Cli, Command, LogFormat};

use crate::apply::{self, Progress};
use crate::config::Config;
use crate::flow;
use crate::stop::{Done, Stop};
use clap::Parser as _;
use clap::error::ErrorKind;
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Failure, Screen};
use std::ffi::OsString;
use std::io::Write as _;
use std::process::ExitCode;

/// The program: reads the process's arguments, prints, and returns its exit status.
pub fn main() -> ExitCode {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let wants_json = arguments.iter().any(|argument| argument == "--json");
    let cli = match Cli::try_parse_from(&arguments) {
        Ok(cli) => cli,
        Err(error) => return usage(&error, wants_json),
    };
    let json = cli.json;
    // A bug must not look like an answer, nor like no answer at all.
    let answer = std::panic::catch_unwind(|| run(cli)).unwrap_or_else(|_| {
        let failure = Failure::new("bug", "the program failed in a way that nobody foresaw")
            .hint("please report it with the message above; `status` says whether anything was under way");
        Err(Stop::new(Outcome::Failed, failure))
    });
    match answer {
        Ok(done) => {
            print(if json { &done.json } else { &done.text });
            done.outcome.into()
        }
        Err(stop) => say(&stop, json),
    }
}

fn run(cli: Cli) -> Result<Done, Stop> {
    log::start(cli.log_format, cli.verbose);
    let config = Config::load(&cli.config)?;
    let screen = Screen::of(&std::io::stdout());
    match cli.command {
        Command::Status => flow::status(&config, screen),
        Command::Plan(plan) => flow::plan(&config, &plan.ids, screen),
        Command::Enroll(enroll) => {
            let form = match (enroll.ansible, enroll.remove) {
                (true, _) => flow::Form::Playbook,
                (false, true) => flow::Form::Removal,
                (false, false) => flow::Form::Script,
            };
            flow::enroll(&config, &enroll.runner, form, &enroll.warden, &enroll.notary_key)
        }
        Command::Apply(apply) => apply::apply(&config, &apply.ids, screen, Progress::new(cli.json)),
        Command::Halt(halt) => flow::halt(&config, &halt.reason),
        Command::Review(review) => flow::review(&config, &review.since, screen),
        Command::Ledger(args::Ledger::Show(show)) => {
            flow::ledger_show(&config, show.proposal.as_deref(), show.since.as_deref(), screen)
        }
        Command::Ledger(args::Ledger::Verify) => flow::ledger_verify(&config, screen),
    }
}

fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print(&error.render().to_string());
        return Outcome::Clean.into();
    }
    if json {
        let message = error.render().to_string();
        let first = message.lines().next().unwrap_or_default().trim_start_matches("error: ").to_owned();
        let failure = Failure::new("usage", first).hint("countersign-actuator --help lists the commands");
        return say(&Stop::new(Outcome::Invalid, failure), true);
    }
    let _ = error.print();
    Outcome::Invalid.into()
}

/// Prints why a command stopped: one document on stdout, or text on stderr.
fn say(stop: &Stop, json: bool) -> ExitCode {
    if json {
        if let Some(first) = stop.failures.first() {
            print(&first.json());
        }
    } else {
        let screen = Screen::of(&std::io::stderr());
        let texts: Vec<String> =
            stop.failures.iter().map(|failure| failure.text(screen.width, screen.palette)).collect();
        let _ = std::io::stderr().write_all(texts.join("\n").as_bytes());
    }
    stop.outcome.into()
}

/// A reader that went away is no reason to fail: the exit status says the rest.
fn print(text: &str) {
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}
