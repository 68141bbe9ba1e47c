//! From the command line to one answer on stdout.

mod args;

pub use args::{Cli, Command};

use crate::ask::{Asker, reason};
use crate::config::Config;
use crate::desk::Desk;
use crate::shell::Shell;
use crate::stop::{Done, Result, Stop};
use crate::verb;
use clap::Parser as _;
use clap::error::ErrorKind;
use countersign_manifests_schema::lease::OrderKind;
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
    // A bug must not look like an answer.
    let answer = std::panic::catch_unwind(|| run(cli)).unwrap_or_else(|_| {
        let failure = Failure::new("bug", "the program failed in a way that nobody foresaw")
            .hint("please report it with the message above");
        Err(Stop { outcome: Outcome::Failed, failures: vec![failure] })
    });
    match answer {
        Ok(done) => {
            print(if json { &done.json } else { &done.text });
            done.outcome.into()
        }
        Err(stop) => stopped(stop.outcome, &stop.failures, json),
    }
}

fn run(cli: Cli) -> Result<Done> {
    let config = Config::find(cli.config.as_deref())?;
    let shell = Shell::new();
    let screen = Screen::of(&std::io::stdout());
    let err = Screen::of(&std::io::stderr());
    match cli.command {
        Command::Review => verb::review(&Desk::open(shell, config)?, screen),
        Command::Show(show) => verb::show(&Desk::open(shell, config)?, &show.id, screen),
        Command::Approve(approve) => {
            let how =
                verb::How { asker: Asker { yes: approve.yes }, signature: approve.signature, class: approve.class };
            verb::approve(&Desk::open(shell, config)?, &approve.ids, how, err)
        }
        Command::Reject(reject) => {
            let asker = Asker { yes: reject.yes };
            let reason = reason(reject.reason)?;
            verb::reject(&Desk::open(shell, config)?, &reject.id, &reason, asker, err)
        }
        Command::Adopt(adopt) => {
            let adoption = verb::Adoption {
                id: adopt.id,
                only: adopt.only,
                into: adopt.into,
                until: adopt.until.filter(|_| adopt.waive),
                reason: adopt.reason,
                asker: Asker { yes: adopt.yes },
            };
            verb::adopt(&Desk::open(shell, config)?, adoption, err)
        }
        Command::Endorse(endorse) => {
            verb::endorse(&Desk::open(shell, config)?, &endorse.commit, Asker { yes: endorse.yes }, err)
        }
        Command::Lease(lease) => {
            let duty = verb::Duty {
                proposals: lease.proposals,
                max: lease.max,
                minutes: lease.minutes,
                reason: lease.reason,
                asker: Asker { yes: lease.yes },
            };
            verb::lease(&Desk::open(shell, config)?, duty)
        }
        Command::Resume(order) => {
            verb::order(&shell, &config, OrderKind::Resume, order.reason, Asker { yes: order.yes })
        }
        Command::ResetBreaker(order) => {
            verb::order(&shell, &config, OrderKind::ResetBreaker, order.reason, Asker { yes: order.yes })
        }
    }
}

fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print(&error.render().to_string());
        return Outcome::Clean.into();
    }
    if json {
        return misused("countersign", &error.render().to_string());
    }
    let _ = error.print();
    Outcome::Invalid.into()
}
