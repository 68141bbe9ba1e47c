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
use countersign_shared::answer::{misused, print, stopped};
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Failure, Screen};
use std::ffi::OsString;
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
        Err(stop) => stopped(stop.outcome, &stop.failures, json),
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
        return misused("countersign-actuator", &error.render().to_string());
    }
    let _ = error.print();
    Outcome::Invalid.into()
}
