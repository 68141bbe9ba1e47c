//! dnf4: through its own library, as its `history replay` does, with checked files in the place of repositories. dnf4
//! has no hook that could say no, so the same comparison is made inside, just before the transaction.

use super::{Move, Records, Way, same};
use crate::refused::Refused;
use crate::run::{Program, Ran};
use crate::store::Lock;
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_shared::nevra::Nevra;
use countersign_shared::solver::{Attempt, Verdict};
use serde_json::{Value, json};
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

const SCRIPT: &str = include_str!("four.py");
/// Where dnf4 keeps packages that were given as files.
const FILES: &str = "@commandline";

/// One task of the script, in a directory of ours.
fn task<'d>(name: &str, ask: &Value, home: &'d Path) -> io::Result<Program<'d>> {
    let script = home.join("dnf4.py");
    let question = home.join(format!("dnf4-{name}.json"));
    fs::write(&script, SCRIPT)?;
    fs::write(&question, ask.to_string())?;
    let words = ["-I", "-B"].map(str::to_owned).into_iter();
    let paths = [script.to_string_lossy().into_owned(), name.to_owned(), question.to_string_lossy().into_owned()];
    Ok(Program::new(&interpreter()?, home).args(words.chain(paths)))
}

/// The interpreter that dnf itself names.
fn interpreter() -> io::Result<String> {
    let text = fs::read("/usr/bin/dnf")?;
    let line = text.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line);
    let named = line.strip_prefix("#!").and_then(|rest| rest.split_whitespace().next());
    match named {
        Some(path) if path.starts_with('/') && !path.ends_with("/env") => Ok(path.to_owned()),
        _ => Ok("python3".to_owned()),
    }
}

pub(super) fn download(home: &Path, repo: Option<&str>, nevras: &[String], into: &Path) -> io::Result<Ran> {
    let ask = json!({ "home": home, "repo": repo, "nevras": nevras, "into": into });
    task("download", &ask, home)?.limit(Duration::from_secs(1800)).run()
}

pub(super) fn is_checked(home: &Path, repo: &str) -> Result<Option<bool>, Refused> {
    let asked = task("checked", &json!({ "home": home, "repo": repo }), home).and_then(Program::run);
    let ran = asked.map_err(|error| Refused::because("warden", &error))?;
    match ran.stdout.trim() {
        "yes" if ran.good() => Ok(Some(true)),
        "no" if ran.good() => Ok(Some(false)),
        "absent" if ran.good() => Ok(None),
        _ => Err(Refused::new("transaction-differs", format!("dnf does not list its repositories: {}", ran.words()))),
    }
}

/// What the script is told of a transaction, in dnf4's words.
fn question(moves: &[Move], way: Way, directory: &Path) -> Value {
    let rpms: Vec<Value> = moves
        .iter()
        .map(|wanted| {
            json!({
                "nevra": wanted.nevra, "action": action(wanted, moves), "reason": reason(wanted.reason),
                "file": wanted.file,
            })
        })
        .collect();
    let back = matches!(way, Way::Back { .. });
    let command = ["countersign-warden", if back { "undo" } else { "apply" }];
    json!({
        "home": directory, "rpms": rpms, "back": back, "signed": way == Way::Forward || way == Way::Back { signed: true },
        "command": command,
    })
}

fn action(wanted: &Move, moves: &[Move]) -> &'static str {
    match wanted.action {
        Action::Remove => "Removed",
        Action::Replaced => {
            let name = |nevra: &str| Nevra::parse(nevra).ok().map(|n| (n.name.to_owned(), n.arch.to_owned()));
            let new = moves.iter().find(|new| new.action.is_incoming() && name(&new.nevra) == name(&wanted.nevra));
            match new.map(|new| new.action) {
                Some(Action::Upgrade) => "Upgraded",
                Some(Action::Downgrade) => "Downgraded",
                Some(Action::Reinstall) => "Reinstalled",
                _ => "Obsoleted",
            }
        }
        other => other.as_str(),
    }
}

fn reason(reason: Reason) -> &'static str {
    match reason {
        Reason::None | Reason::ExternalUser => "unknown",
        Reason::Dependency => "dependency",
        Reason::User => "user",
        Reason::Clean => "clean",
        Reason::WeakDependency => "weak-dependency",
        Reason::Group => "group",
    }
}

pub(super) fn resolve(_: &Path, moves: &[Move], directory: &Path, records: &mut Records) -> Result<(), Refused> {
    let asked = task("resolve", &question(moves, Way::Forward, directory), directory).and_then(Program::run);
    let ran = asked.map_err(|error| Refused::because("warden", &error))?;
    records.push(ran.record.clone());
    let attempt = Attempt {
        status: ran.record.exit.unwrap_or(-1),
        stdout: ran.stdout.lines().collect(),
        stderr: ran.stderr.lines().collect(),
    };
    match attempt.judge(4) {
        Ok(Verdict::Resolved(steps)) => same(moves, &steps, |_| FILES.to_owned()),
        Ok(Verdict::Nothing(words)) => {
            Err(Refused::new("transaction-differs", format!("dnf sees nothing to do: {words}")))
        }
        Ok(Verdict::Refused(words)) => Err(Refused::new("transaction-differs", format!("dnf refuses: {words}"))),
        Err(failure) if failure.code == "dnf-busy" => Err(Refused::new("dnf-busy", failure.message)),
        Err(failure) => Err(Refused::new("transaction-differs", failure.message)),
    }
}

pub(super) fn replay(
    _: &Path,
    moves: &[Move],
    way: Way,
    directory: &Path,
    lock: &Lock,
    limit: Duration,
) -> io::Result<Ran> {
    task("replay", &question(moves, way, directory), directory)?.limit(limit).holds(lock.file()).run()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_leaves_is_called_as_what_comes_in_its_place() {
        let wanted = |nevra: &str, action| Move {
            nevra: nevra.to_owned(),
            action,
            reason: Reason::ExternalUser,
            repo_id: String::new(),
            file: None,
        };
        let moves = [
            wanted("a-2-1.noarch", Action::Upgrade),
            wanted("a-1-1.noarch", Action::Replaced),
            wanted("b-1-1.noarch", Action::Replaced),
            wanted("c-1-1.noarch", Action::Remove),
            wanted("d-1-1.noarch", Action::ReasonChange),
        ];
        let words: Vec<&str> = moves.iter().map(|one| action(one, &moves)).collect();
        assert_eq!(words, ["Upgrade", "Upgraded", "Obsoleted", "Removed", "Reason Change"]);
        let asked = question(&moves, Way::Back { signed: false }, Path::new("/d"));
        assert_eq!((&asked["back"], &asked["signed"]), (&json!(true), &json!(false)));
        assert_eq!(asked["rpms"][0]["reason"], "unknown");
    }
}
