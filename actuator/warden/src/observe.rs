//! What this machine is, by the same probe that the observer uses, run as root.

use crate::refused::Refused;
use crate::run::Program;
use countersign_shared::observation::{Failure, Nonce, Observation, PROBE, Request, Section, Tokens, open};
use rustix::rand::{GetRandomFlags, getrandom};
use std::path::Path;
use std::time::Duration;

/// Times that the probe is asked when packages come or go while it looks.
const ATTEMPTS: u32 = 3;
const LIMIT: Duration = Duration::from_secs(180);

/// The probe's answer without its frame: what [`Observation::parse`] reads.
pub(crate) fn record() -> Result<String, Failure> {
    let mut attempt = 1;
    loop {
        match ask(&[]).and_then(|(answer, nonce)| open(answer.into_bytes(), &nonce)) {
            Err(failure) if failure.code == "changing" && attempt < ATTEMPTS => attempt += 1,
            other => return other,
        }
    }
}

/// The probe's answer as the observer would get it.
pub(crate) fn answer(listed: &[String]) -> Result<String, Failure> {
    ask(listed).map(|(answer, _)| answer)
}

fn ask(listed: &[String]) -> Result<(String, Nonce), Failure> {
    let nonce = Nonce::new(random().map_err(|error| Failure::new("random", error.message))?);
    let request = Request::new(nonce.clone(), listed.iter().map(String::as_str), &Tokens::default())
        .map_err(|error| Failure::new("request", error.to_string()))?;
    let program = Program::new("sh", Path::new("/")).args(["-c", PROBE, "probe"]).input(request.as_bytes());
    let ran = program.limit(LIMIT).run().map_err(|error| Failure::new("no-probe", error.to_string()))?;
    if ran.status.is_none() {
        return Err(Failure::new("timeout", "the probe did not end in time"));
    }
    Ok((ran.stdout, nonce))
}

/// Everything that judging needs was read.
pub(crate) fn whole<'a>(record: &'a str, at: i64) -> Result<Observation<'a>, Refused> {
    let unread = |what: &str, failure: &Failure| {
        let code = if failure.code.contains("busy") { "dnf-busy" } else { "state-moved" };
        Refused::new(code, format!("{what} could not be read: {} ({})", failure.message, failure.code))
    };
    let seen = Observation::parse(record, at).map_err(|failure| unread("the machine", &failure))?;
    for (what, failure) in [
        ("the package set", seen.packages.failure()),
        ("the operating system", seen.os.failure()),
        ("the repositories", seen.repos.failure()),
        ("the version locks", seen.versionlocks.failure()),
        ("dnf", seen.dnf.failure()),
        ("the locks", seen.locks.failure()),
    ] {
        if let Some(failure) = failure {
            return Err(unread(what, failure));
        }
    }
    Ok(seen)
}

/// The value of a section that [`whole`] found read.
pub(crate) fn read<T>(section: &Section<T>) -> Result<&T, Refused> {
    section.seen().ok_or_else(|| Refused::new("state-moved", "a part of the machine could not be read"))
}

/// Fresh random bytes.
pub(crate) fn random<const N: usize>() -> Result<[u8; N], Refused> {
    let mut bytes = [0; N];
    let mut filled = 0;
    while filled < N {
        let more = getrandom(&mut bytes[filled..], GetRandomFlags::empty());
        filled += more.map_err(|error| Refused::new("warden", format!("there are no random numbers: {error}")))?;
    }
    Ok(bytes)
}

/// 64 hex digits that nobody can guess.
pub(crate) fn nonce() -> Result<String, Refused> {
    Ok(random::<32>()?.iter().map(|byte| format!("{byte:02x}")).collect())
}
