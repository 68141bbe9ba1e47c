//! From the command line to one answer on stdout.

mod args;
mod log;

pub use args::{Cli, Command, LogFormat};
pub use log::Progress;

use crate::config::Config;
use crate::flow::{self, Done, Stop};
use clap::Parser as _;
use clap::error::ErrorKind;
use countersign_shared::answer::{misused, print, stopped};
use countersign_shared::exit::Outcome;
use countersign_shared::terminal::{Failure, Screen};
use std::ffi::OsString;
use std::process::ExitCode;

/// The program: reads the process's arguments, prints, and returns its exit status.
pub fn main() -> ExitCode {
    // Before anything speaks TLS; there is one provider in this program, and it is named once.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
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
            .hint("please report it with the message above; nothing on any runner was changed");
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
    let progress = Progress::new();
    log::start(cli.log_format, cli.verbose, &progress);
    if let Command::Schema(schema) = &cli.command {
        return flow::schema(schema.name.as_deref());
    }
    if let Command::Init(init) = &cli.command {
        return flow::init(&init.from_ansible, init.known_hosts.as_deref(), &init.into);
    }
    if let Command::Lint(args::Lint { directory: Some(directory), show_policy }) = &cli.command {
        return flow::lint_directory(directory, *show_policy, Screen::of(&std::io::stdout()));
    }
    let config = Config::load(&cli.config).map_err(|failure| Stop::new(Outcome::Invalid, *failure))?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::of(Outcome::Failed, "runtime", &error))?;
    runtime.block_on(command(cli, config, progress))
}

async fn command(cli: Cli, config: Config, progress: Progress) -> Result<Done, Stop> {
    let screen = Screen::of(&std::io::stdout());
    let writes = matches!(
        cli.command,
        Command::Observe
            | Command::Diff(_)
            | Command::Report(_)
            | Command::Propose(_)
            | Command::Publish
            | Command::Nightly(_)
            | Command::Enroll(_)
    );
    let desk = if writes { flow::Desk::open_to_write(config)? } else { flow::Desk::open(config)? };
    match cli.command {
        Command::Lint(lint) => flow::lint(desk, lint.show_policy, screen).await,
        Command::Observe => flow::observe(desk, &progress).await,
        Command::Diff(show) => flow::diff(desk, show.all, screen).await,
        Command::Report(show) => flow::report(desk, show.all, screen).await,
        Command::Propose(propose) => {
            let selection =
                flow::Selection { runner: propose.runner.as_deref(), only: &propose.only, anew: propose.anew };
            flow::propose(desk, selection, &progress).await
        }
        Command::Publish => flow::publish(desk).await,
        Command::Nightly(show) => flow::nightly(desk, show.all, screen, &progress).await,
        Command::Preview(preview) => flow::preview(desk, &preview.reference, preview.all, screen).await,
        Command::Why(why) => flow::why(desk, &why.package, why.runner.as_deref(), screen).await,
        Command::Lock(lock) => flow::lock(desk, &lock.runner).await,
        Command::Enroll(enroll) => flow::enroll(desk, &enroll.runner, enroll.ansible, enroll.remove).await,
        Command::Baseline(baseline) => flow::baseline(desk, &baseline.group, &baseline.into, baseline.waive_days).await,
        Command::Schema(_) | Command::Init(_) => unreachable!("answered before the configuration was read"),
    }
}

fn usage(error: &clap::Error, json: bool) -> ExitCode {
    if matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion) {
        print(&error.render().to_string());
        return Outcome::Clean.into();
    }
    if json {
        return misused("countersign-observer", &error.render().to_string());
    }
    let _ = error.print();
    Outcome::Invalid.into()
}
