//! The first day: `init`, `baseline`, `lock`. They write into an empty directory of the person who asks, or print.

use super::Done;
use super::prepare::{Desk, blocking};
use super::stop::Stop;
use crate::assess::Key;
use crate::canonical::{self, CanonicalError};
use crate::history::{HistoryError, Run, Stored};
use crate::onboard::baseline::{self, BaselineError};
use crate::onboard::{self, Files, WriteError, init};
use countersign_shared::diagnostic::closest;
use countersign_shared::exit::Outcome;
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{Limits, Mirror};
use countersign_shared::manifest::write;
use countersign_shared::observation::Observation;
use countersign_shared::terminal::visible;
use jiff::Timestamp;
use serde_json::json;
use std::fmt::Write as _;
use std::path::Path;

/// Longest inventory or known_hosts file, in bytes.
const MAX_INPUT: u64 = 64 << 20;

/// Writes the skeleton of canonical from an Ansible inventory.
pub fn init(inventory: &Path, known_hosts: Option<&Path>, into: &Path) -> Result<Done, Stop> {
    let text = String::from_utf8(read(inventory)?)
        .map_err(|_| Stop::invalid("read", format!("{} is not UTF-8", inventory.display())))?;
    let keys = known_hosts.map(read).transpose()?;
    let name = inventory.to_string_lossy();
    let skeleton = init::from_ansible(&name, &text, keys.as_deref()).map_err(|problems| Stop::lint(&problems))?;
    let written = write_into(into, &skeleton.files)?;

    let mut text = wrote(into, &skeleton.files);
    let (all, without) = (skeleton.runners.len(), skeleton.without_key.len());
    let _ = writeln!(text, "\n{all} runners.");
    if without > 0 {
        let _ = writeln!(
            text,
            "\nNo host key is known for {without} of them; nobody connects to these before fleet.toml has one:"
        );
        for (runner, looked_for) in &skeleton.without_key {
            let _ = writeln!(text, "  {}  (looked for {})", visible(runner), visible(looked_for));
        }
    }
    if !skeleton.notes.is_empty() {
        text.push_str("\nTo know:\n");
        for note in &skeleton.notes {
            let _ = writeln!(text, "  {}", visible(note));
        }
    }
    text.push_str("\nNext: put the directory into git as your canonical, then run `countersign-observer observe`.\n");
    let without_key: Vec<_> = skeleton
        .without_key
        .iter()
        .map(|(runner, looked_for)| json!({"runner": runner, "looked_for": looked_for}))
        .collect();
    let document = json!({
        "schema": "countersign/init/1", "directory": into, "files": written, "runners": skeleton.runners,
        "without_key": without_key, "notes": skeleton.notes,
    });
    Ok(Done { outcome: Outcome::Clean, text, json: format!("{document}\n") })
}

/// Writes a manifest that fits most of a group, and waivers for the rest.
pub async fn baseline(desk: Desk, group: &str, into: &Path, days: u16) -> Result<Done, Stop> {
    let source = desk.source()?;
    let files = blocking(move || {
        let tip = canonical::fetch_and_load(&source, None)?.commit;
        let mirror = Mirror::open_or_create(&source.mirror).map_err(CanonicalError::from)?;
        let snapshot = mirror.snapshot(tip, &CANONICAL, &Limits::default()).map_err(CanonicalError::from)?;
        Ok::<_, CanonicalError>(snapshot.files)
    })
    .await??;
    let now = Timestamp::now().as_second();
    let request = baseline::Request { canonical: &files, group, now, waive_days: days };
    let made = baseline::baseline(&request, |runner| newest(&desk, runner)).map_err(|error| match &error {
        BaselineError::Canonical(problems) => Stop::lint(problems),
        BaselineError::NoGroup(_) => Stop::of(Outcome::Invalid, "usage", &error).hint(error.hint()),
        _ => Stop::of(Outcome::Failed, "baseline", &error).hint(error.hint()),
    })?;
    let mut adopted = Vec::new();
    for runner in &made.runners {
        let earlier = desk.store.previous(&Run { id: i64::MAX, name: String::new(), started: now }, runner)?;
        let items = earlier.map(|earlier| earlier.items).unwrap_or_default();
        adopted.push((runner.clone(), items.iter().filter(|item| item.waived.is_none()).map(Key::of).collect()));
    }
    // Beside the files, and not among them: it is no part of canonical.
    let mut files: Files = made.files.iter().map(|(path, text)| (format!("canonical/{path}"), text.clone())).collect();
    files.insert("message".to_owned(), baseline::message(group, &adopted));
    let written = write_into(into, &files)?;

    let mut text = wrote(into, &files);
    let of = made.runners.len() + made.not_observed.len();
    let _ = writeln!(
        text,
        "\n{} packages are wanted, {} differences are waived for {days} days; from {} of {of} runners.",
        made.packages,
        made.waivers,
        made.runners.len()
    );
    if !made.not_observed.is_empty() {
        text.push_str("\nNot observed, so their drift is neither in it nor waived:\n");
        for (runner, why) in &made.not_observed {
            let _ = writeln!(text, "  {}: {}", visible(runner), visible(why));
        }
    }
    if let Some(people) = made.root_required {
        let _ = writeln!(
            text,
            "\nThe fleet is changed, too: the group gets the manifest. So by policy.toml {people} people must stand behind\n\
             the commit: one signs it, others vouch for it with `countersign endorse COMMIT`."
        );
    }
    text.push_str(
        "\nNext: copy the files below canonical/ over canonical, look at them, commit them with `git commit -S -F` and\n\
         the file `message`, and push. The next report is empty.\n",
    );
    let not_observed: Vec<_> =
        made.not_observed.iter().map(|(runner, why)| json!({"runner": runner, "message": why})).collect();
    let document = json!({
        "schema": "countersign/baseline/1", "directory": into, "files": written, "group": group,
        "packages": made.packages, "waivers": made.waivers, "waive_days": days, "runners": made.runners,
        "not_observed": not_observed, "message": into.join("message"), "root_required": made.root_required,
    });
    Ok(Done { outcome: Outcome::Clean, text, json: format!("{document}\n") })
}

/// Prints the complete package set of a runner as a lock.
pub async fn lock(desk: Desk, runner: &str) -> Result<Done, Stop> {
    let Some((record, at)) = newest(&desk, runner)? else {
        let source = desk.source()?;
        let loaded = blocking(move || canonical::load_fetched(&source)).await??;
        let names = || loaded.canonical.fleet.runners.iter().map(|runner| runner.name.as_str());
        if names().any(|name| name == runner) {
            let stop = Stop::new(
                Outcome::Failed,
                countersign_shared::terminal::Failure::new("not-observed", format!("{runner} was never observed")),
            );
            return Err(stop.hint("run `countersign-observer observe` first"));
        }
        let stop = Stop::invalid("usage", format!("there is no runner {runner:?} in fleet.toml"));
        return Err(match closest(runner, names()) {
            Some(close) => stop.hint(format!("did you mean {close}?")),
            None => stop.hint("the names are those under [runners] in fleet.toml"),
        });
    };
    let observation = Observation::parse(&record, at).map_err(|failure| Stop::runner(runner, &failure))?;
    let file = write::lock_of(&observation).map_err(|failure| Stop::runner(runner, &failure))?;
    let text = onboard::lock::lock(runner, &observation).map_err(|failure| Stop::runner(runner, &failure))?;
    let document = serde_json::to_string(&file).map_err(|error| Stop::of(Outcome::Failed, "json", &error))?;
    Ok(Done { outcome: Outcome::Clean, text, json: format!("{document}\n") })
}

/// The newest stored answer of a runner, with its time.
fn newest(desk: &Desk, runner: &str) -> Result<Option<(String, i64)>, HistoryError> {
    let stored: Option<Stored> = desk.store.newest_answer(runner)?;
    Ok(stored.and_then(|stored| Some((stored.answer.ok()?.record, stored.at))))
}

fn read(path: &Path) -> Result<Vec<u8>, Stop> {
    use std::io::Read as _;
    let failed = |error: std::io::Error| Stop::invalid("read", format!("cannot read {}: {error}", path.display()));
    let file = std::fs::File::open(path).map_err(failed)?;
    let mut bytes = Vec::new();
    file.take(MAX_INPUT + 1).read_to_end(&mut bytes).map_err(failed)?;
    if bytes.len() as u64 > MAX_INPUT {
        return Err(Stop::invalid("read", format!("{} has more than {MAX_INPUT} bytes", path.display())));
    }
    Ok(bytes)
}

fn write_into(into: &Path, files: &Files) -> Result<Vec<std::path::PathBuf>, Stop> {
    onboard::write_into(into, files).map_err(|error| {
        let outcome = if matches!(error, WriteError::NotEmpty(_)) { Outcome::Invalid } else { Outcome::Failed };
        Stop::of(outcome, "write", &error).hint(error.hint())
    })
}

fn wrote(into: &Path, files: &Files) -> String {
    let mut text = format!("Wrote into {}:\n", visible(&into.to_string_lossy()));
    for path in files.keys() {
        let _ = writeln!(text, "  {}", visible(path));
    }
    text
}
