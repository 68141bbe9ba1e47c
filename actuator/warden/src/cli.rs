//! The command line. As a forced command it has no arguments; the rest is for root on the runner itself, and for dnf.

use crate::config::{DEFAULT_PATH, Policy};
use crate::memory::Memory;
use crate::refused::{Refused, chain};
use crate::store::Store;
use crate::{front, glass, hook, serve, watch};
use countersign_shared::answer::print;
use countersign_shared::duration::Span;
use countersign_shared::exit::Outcome;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// The commands, as `--help` prints them.
pub const USAGE: &str = "\
countersign-warden: applies exactly what this runner's own approvers have signed, or undoes it

Usage: countersign-warden                  one framed request on stdin, one framed answer on stdout
       countersign-warden check            undo what is due: at boot, and every minute
       countersign-warden break-glass --for TIME --reason TEXT
                                           let everybody pass the hook for a while; written down
       countersign-warden init             make the memory of a runner that never had one
       countersign-warden lint             say what is wrong with warden.toml
       countersign-warden digest           print the sha256 of its rules, as actuator.toml wants it
       countersign-warden hook             what dnf5's actions plugin runs before every transaction
       countersign-warden --help | --version

It reads /etc/countersign/warden.toml, which must be root's, and nothing of its environment.
";

/// How it ends; of the outcomes of all programs it knows these.
const EXIT_STATUS: &str = "\
Exit status:
   2  wrong usage or an invalid warden.toml
   1  failure
   0  done; an answer was written, also a refusal
";

/// The keys of warden.toml.
pub const CONFIGURATION_KEYS: &[&str] = crate::config::KEYS;

/// The program.
pub fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args_os().skip(1).map(|it| it.to_string_lossy().into_owned()).collect();
    let words: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match words.as_slice() {
        ["--help" | "-h"] => return say(&format!("{USAGE}\n{EXIT_STATUS}")),
        ["--version" | "-V"] => return say(&format!("countersign-warden {}\n", env!("CARGO_PKG_VERSION"))),
        _ => {}
    }
    if !rustix::process::geteuid().is_root() {
        return fail(Outcome::Failed, "it must be run as root");
    }
    let config = Path::new(DEFAULT_PATH);
    match words.as_slice() {
        [] => match front::serve() {
            true => Outcome::Clean.into(),
            false => Outcome::Failed.into(),
        },
        ["worker"] => {
            serve::work(config);
            Outcome::Clean.into()
        }
        ["watch", directory] => tell(watch::watch(Path::new(directory)).map(|()| String::new())),
        ["check"] => tell(watch::check(&state_dir(config))),
        ["hook"] => {
            hook::everybody(config);
            Outcome::Clean.into()
        }
        ["hook", "replay", when, directory] => {
            hook::replay(when, Path::new(directory));
            Outcome::Clean.into()
        }
        ["break-glass", "--for", time, "--reason", reason] => tell(break_glass(config, time, reason)),
        ["init"] => tell(init(config)),
        ["digest"] => match Policy::load(config) {
            Ok(policy) => say(&format!("{}\n", policy.digests.policy)),
            Err(error) => fail(Outcome::Invalid, &chain(&error)),
        },
        ["lint"] => match Policy::load(config) {
            Ok(policy) => say(&format!("{} is in order: this is {}\n", config.display(), policy.runner)),
            Err(error) => fail(Outcome::Invalid, &chain(&error)),
        },
        _ => fail(Outcome::Invalid, "unknown arguments; --help lists the commands"),
    }
}

/// Where the memory is, also when the rest of the file cannot be read: an undo needs no policy.
fn state_dir(config: &Path) -> PathBuf {
    match Policy::load(config) {
        Ok(policy) => policy.state_dir,
        Err(_) => crate::config::state_dir_of(config),
    }
}

fn break_glass(config: &Path, time: &str, reason: &str) -> Result<String, Refused> {
    let span: Span = time.parse().map_err(|error| Refused::because("request", &error))?;
    let store = Store::open(&state_dir(config))?;
    glass::break_it(&store, span.as_secs(), reason)?;
    Ok(format!("for {span}, the hook lets everybody pass"))
}

fn init(config: &Path) -> Result<String, Refused> {
    let directory = state_dir(config);
    let failed = |error: std::io::Error| Refused::because("warden", &error);
    // A directory that is there without a memory has lost it; that is for a person to judge.
    if directory.symlink_metadata().is_ok() {
        let store = Store::open(&directory)?;
        Memory::load(&store)?;
        return Ok("the memory is there".to_owned());
    }
    Store::create(&directory).map_err(failed)?;
    let store = Store::open(&directory)?;
    Memory::create(&store).map_err(failed)?;
    Ok(format!("made {}", directory.display()))
}

fn tell(result: Result<String, Refused>) -> ExitCode {
    match result {
        Ok(text) if text.is_empty() => Outcome::Clean.into(),
        Ok(text) => say(&format!("{text}\n")),
        Err(refused) => fail(Outcome::Failed, &format!("{}: {}", refused.code, refused.message)),
    }
}

fn say(text: &str) -> ExitCode {
    print(text);
    Outcome::Clean.into()
}

fn fail(outcome: Outcome, text: &str) -> ExitCode {
    let _ = writeln!(std::io::stderr().lock(), "countersign-warden: {text}");
    outcome.into()
}
