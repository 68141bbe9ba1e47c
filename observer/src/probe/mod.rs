//! One question to one runner: what is installed there.
//!
//! The probe is a program of the runner's administrator, root-owned, behind a forced command. Nothing in here can ask
//! for anything else: the request holds package names and two digests, and no command is built from data.

mod enroll;
mod places;

pub use enroll::{EnrollError, Enrollment};
pub use places::{Place, Places};

use countersign_shared::observation::{Failure, Nonce, PlanRequest, Request, RequestError, Tokens, open};
use countersign_shared::ssh::{Exit, Limits, Session, SshError};

/// The probe's text, as it belongs on every runner.
pub const PROBE: &str = countersign_shared::observation::PROBE;

/// Where it belongs.
pub const PROBE_PATH: &str = "/usr/libexec/countersign/probe";

/// What the runner's sshd runs for the observer's key, whatever it is asked for.
pub const FORCED_COMMAND: &str = "/usr/bin/env -i /usr/libexec/countersign/probe";

/// Times that a runner is asked when packages come or go while the probe looks.
const ATTEMPTS: u32 = 2;

/// What to ask sshd to run. Behind a forced command the word says nothing and does nothing; a plain exec
/// carries the probe's own text to an account without one.
pub fn command_for(plain_exec: bool) -> String {
    if plain_exec {
        format!("exec /usr/bin/env -i /bin/sh -c '{}' probe", PROBE.replace('\'', r"'\''"))
    } else {
        "countersign-probe".to_owned()
    }
}

/// Asks one runner and returns its record, complete and tied to this request.
///
/// A record may be warm when `tokens` are given; see `countersign_shared::observation::merge`. A long one comes with its
/// place, to be kept for as long as the record is.
pub async fn run<'p>(
    session: &Session,
    plain_exec: bool,
    names: &[&str],
    tokens: &Tokens,
    limits: Limits,
    places: &'p Places,
) -> Result<(String, Option<Place<'p>>), Failure> {
    let command = command_for(plain_exec);
    let mut attempt = 1;
    loop {
        let request = request(names, tokens)?;
        let mut answer = places.answer();
        let ended = session.exec_into(&command, request.as_bytes(), limits, &mut answer).await;
        let ended = ended.map_err(|error| unanswered(&error))?;
        let (stdout, place) = answer.into_parts();
        match open(stdout, request.nonce()) {
            Err(failure) if failure.code == "changing" && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(explained(failure, &ended.exit, &ended.stderr)),
            Ok(record) => return Ok((record, place)),
        }
    }
}

/// Asks one runner what a change would take, and returns its record, complete and tied to this request.
pub async fn plan(
    session: &Session,
    plain_exec: bool,
    make: impl Fn(Nonce) -> Result<PlanRequest, RequestError>,
    limits: Limits,
) -> Result<String, Failure> {
    let command = command_for(plain_exec);
    let mut attempt = 1;
    loop {
        let request = make(nonce()?).map_err(|error| Failure::new("request", error.to_string()))?;
        let output = session.exec(&command, request.as_bytes(), limits).await.map_err(|error| unanswered(&error))?;
        match open(output.stdout, request.nonce()) {
            Err(failure) if failure.code == "changing" && attempt < ATTEMPTS => attempt += 1,
            Err(failure) => return Err(dated(explained(failure, &output.ended.exit, &output.ended.stderr))),
            Ok(record) => return Ok(record),
        }
    }
}

/// We send no request that a probe of today refuses; one from before there were plans does.
fn dated(failure: Failure) -> Failure {
    match failure.code.as_str() {
        "request" => {
            Failure::new("probe-version", format!("{}; the runner's probe cannot plan, see enroll", failure.message))
        }
        _ => failure,
    }
}

/// A request with a fresh nonce.
fn request(names: &[&str], tokens: &Tokens) -> Result<Request, Failure> {
    Request::new(nonce()?, names.iter().copied(), tokens).map_err(|error| Failure::new("request", error.to_string()))
}

fn nonce() -> Result<Nonce, Failure> {
    let mut random = [0; 16];
    rustix::rand::getrandom(&mut random, rustix::rand::GetRandomFlags::empty())
        .map_err(|error| Failure::new("random", format!("the system gives no random numbers: {error}")))?;
    Ok(Nonce::new(random))
}

fn unanswered(error: &SshError) -> Failure {
    let mut message = error.to_string();
    let mut source = std::error::Error::source(error);
    while let Some(cause) = source {
        message.push_str(": ");
        message.push_str(&cause.to_string());
        source = cause.source();
    }
    Failure::new(error.code(), message)
}

/// Adds how the command ended to a failure that it may explain.
fn explained(failure: Failure, exit: &Exit, stderr: &[u8]) -> Failure {
    if !matches!(failure.code.as_str(), "truncated" | "garbage") {
        return failure;
    }
    let said = countersign_shared::ssh::RemoteText::from_bytes(stderr);
    let code = match exit {
        Exit::Status(126 | 127) => "no-probe",
        _ => failure.code.as_str(),
    };
    let ended = match exit {
        Exit::Status(status) => format!("exit status {status}"),
        Exit::Signal(signal) => format!("killed by {}", signal.as_str()),
        Exit::Unknown => "no exit status".to_owned(),
    };
    let said = if said.is_empty() { String::new() } else { format!(": {}", said.as_str()) };
    Failure::new(code, format!("{} ({ended}{said})", failure.message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_plain_command_is_one_quoted_word_for_the_shell_and_fits_the_kernels_limit() {
        let command = command_for(true);
        // MAX_ARG_STRLEN of Linux: the login shell gets all of it as one argument.
        assert!(command.len() < 131_072, "{}", command.len());
        assert!(!command_for(false).contains(char::is_whitespace));
    }

    #[test]
    fn a_name_that_could_be_an_option_never_becomes_a_request() {
        let failure = request(&["bash", "--setopt=pluginpath=/tmp"], &Tokens::default()).unwrap_err();
        assert_eq!(failure.code, "request");
        let (one, two) = (request(&["bash"], &Tokens::default()), request(&["bash"], &Tokens::default()));
        assert_ne!(one.unwrap().nonce(), two.unwrap().nonce());
    }

    #[test]
    fn a_probe_that_cannot_plan_is_too_old() {
        let refused = Failure::new("request", "the probe refused: line 3: an unknown key");
        let failure = dated(refused);
        assert_eq!(failure.code, "probe-version");
        assert!(failure.message.contains("unknown key") && failure.message.contains("enroll"));
        assert_eq!(dated(Failure::new("dnf-busy", "x")).code, "dnf-busy");
    }

    #[test]
    fn how_the_command_ended_explains_a_missing_answer() {
        let cut = || Failure::new("truncated", "nothing");
        let missing = explained(cut(), &Exit::Status(127), b"sh: no such file");
        assert_eq!(missing.code, "no-probe");
        assert!(missing.message.contains("no such file"));
        assert_eq!(explained(cut(), &Exit::Unknown, b"").message, "nothing (no exit status)");
        let refused = Failure::new("no-rpm", "x");
        assert_eq!(explained(refused.clone(), &Exit::Status(127), b"y"), refused);
    }
}
