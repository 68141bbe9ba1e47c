//! dnf5: transactions of its stored form "1.0", replayed from checked files, without repositories and without any plugin
//! but the one that asks us whether the set is the approved one.

use super::{Move, Records, Way, same};
use crate::owned;
use crate::refused::Refused;
use crate::run::{Program, Ran};
use crate::store::Lock;
use countersign_manifests_schema::transaction::{Action, SYSTEM_REPO};
use countersign_shared::nevra::Nevra;
use countersign_shared::solver::{Attempt, Verdict};
use serde::Deserialize;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fs;
use std::io;
use std::path::Path;
use std::time::Duration;

/// What the hook is compared with, in the directory of a replay.
const EXPECTED: &str = "expected.json";
/// Written by the hook when dnf has loaded it.
const LOADED: &str = "hook-loaded";
/// Written by the hook when dnf asked it about the right set.
const ASKED: &str = "hook-asked";

fn plain(home: &Path) -> Program<'_> {
    let cache = format!("--setopt=cachedir={}", home.join("cache").display());
    Program::new("dnf5", home).args(["-y", "--setopt=plugins=0", "--setopt=install_weak_deps=False", &cache])
}

pub(super) fn download(home: &Path, repo: Option<&str>, nevras: &[String], into: &Path) -> io::Result<Ran> {
    let mut program = plain(home).args(["download", &format!("--destdir={}", into.display())]);
    program = match repo {
        Some(repo) => program.args([format!("--from-repo={repo}")]),
        None => program.args(["--skip-unavailable"]),
    };
    program.args(nevras.iter().cloned()).limit(Duration::from_secs(1800)).run()
}

pub(super) fn is_checked(home: &Path, repo: &str) -> Result<Option<bool>, Refused> {
    let asked = plain(home).args(["--dump-repo-config=*", "repo", "list"]).run();
    let ran = asked.map_err(|error| Refused::because("warden", &error))?;
    if !ran.good() {
        return Err(Refused::new(
            "transaction-differs",
            format!("dnf does not list its repositories: {}", ran.words()),
        ));
    }
    Ok(checked(&ran.stdout, repo))
}

/// The two names of one setting, and both must be on.
fn checked(dump: &str, repo: &str) -> Option<bool> {
    let title = format!("======== \"{repo}\" repository configuration: ========");
    let lines = dump.lines().skip_while(|line| *line != title).skip(1);
    let (mut enabled, mut values) = (false, Vec::new());
    for line in lines.take_while(|line| !line.starts_with("========")) {
        match line.split_once(" = ") {
            Some(("enabled", "1")) => enabled = true,
            Some(("gpgcheck" | "pkg_gpgcheck", value)) => values.push(value),
            _ => {}
        }
    }
    enabled.then(|| !values.is_empty() && values.iter().all(|value| *value == "1"))
}

/// Files stand for repositories; dnf knows such by this name.
fn stored(wanted: &Move) -> String {
    format!("@stored_transaction({})", wanted.repo_id)
}

fn transaction(moves: &[Move]) -> Value {
    let rpms: Vec<Value> = moves
        .iter()
        .map(|wanted| {
            let mut rpm = json!({
                "nevra": wanted.nevra, "action": wanted.action.as_str(), "reason": wanted.reason.as_str(),
                "repo_id": SYSTEM_REPO,
            });
            if let Some(file) = &wanted.file {
                rpm["repo_id"] = json!(stored(wanted));
                rpm["package_path"] = json!(file);
            }
            rpm
        })
        .collect();
    json!({ "version": "1.0", "rpms": rpms })
}

/// Direction, dnf's letter for the action, and package, as the hook will be told.
fn expected(moves: &[Move]) -> BTreeSet<[String; 3]> {
    moves
        .iter()
        .map(|wanted| {
            let (direction, letter) = match wanted.action {
                Action::Install => ("IN", "I"),
                Action::Upgrade => ("IN", "U"),
                Action::Downgrade => ("IN", "D"),
                Action::Reinstall => ("IN", "R"),
                Action::Remove => ("OUT", "E"),
                Action::Replaced => ("OUT", "O"),
                Action::ReasonChange => ("OUT", "?"),
            };
            [direction.to_owned(), letter.to_owned(), wanted.nevra.clone()]
        })
        .collect()
}

/// A directory for one replay: the transaction, the set for the hook, and a configuration with that hook and no other
/// plugin. What rpm reads from its home makes it refuse what is not signed.
fn prepare<'d>(moves: &[Move], way: Way, directory: &'d Path) -> io::Result<Program<'d>> {
    let conf = directory.join("conf");
    fs::create_dir_all(conf.join("actions.d"))?;
    for old in [LOADED, ASKED] {
        let _ = fs::remove_file(directory.join(old));
    }
    fs::write(directory.join("transaction.json"), transaction(moves).to_string())?;
    fs::write(directory.join(EXPECTED), serde_json::to_vec(&expected(moves)).map_err(io::Error::other)?)?;
    fs::write(conf.join("actions.conf"), "[main]\nname = actions\nenabled = 1\n")?;
    let own = own()?;
    let line =
        |when: &str| format!("{when}:::mode=json raise_error=1:{own} hook replay {when} {}\n", directory.display());
    fs::write(conf.join("actions.d/countersign.actions"), line("post_base_setup") + &line("pre_transaction"))?;
    let macros = match way {
        Way::Forward | Way::Back { signed: true } => "%_pkgverify_level all\n",
        Way::Back { signed: false } => "",
    };
    fs::write(directory.join(".rpmmacros"), macros)?;
    let signed = way == Way::Forward || way == Way::Back { signed: true };
    let mut program = Program::new("dnf5", directory).args([
        "--setopt=plugins=1".to_owned(),
        format!("--setopt=pluginconfpath={}", conf.display()),
        format!("--setopt=cachedir={}", directory.join("cache").display()),
        format!("--setopt=localpkg_gpgcheck={}", u8::from(signed)),
        "--setopt=install_weak_deps=False".to_owned(),
        "--setopt=clean_requirements_on_remove=False".to_owned(),
        "--disable-repo=*".to_owned(),
    ]);
    if let Way::Back { .. } = way {
        program = program.args(["--setopt=disable_excludes=*", "--setopt=protected_packages=", "--setopt=tsflags="]);
    }
    Ok(program)
}

/// How dnf calls us: by the place where we were installed, also when the program there was replaced since we began. Where
/// there is nothing of root's any more, by what is running.
fn own() -> io::Result<String> {
    // proc_pid_exe(5): ` (deleted)` is written behind the name of a file that was replaced.
    let link = fs::read_link("/proc/self/exe")?.to_string_lossy().into_owned();
    let place = link.strip_suffix(" (deleted)").unwrap_or(&link);
    Ok(match owned::check(Path::new(place)) {
        Ok(()) => place.to_owned(),
        Err(_) => format!("/proc/{}/exe", std::process::id()),
    })
}

pub(super) fn resolve(_: &Path, moves: &[Move], directory: &Path, records: &mut Records) -> Result<(), Refused> {
    let failed = |error: io::Error| Refused::because("warden", &error);
    let program = prepare(moves, Way::Forward, directory).map_err(failed)?;
    let ran = program.args(["--assumeno", "replay", &directory.to_string_lossy()]).run().map_err(failed)?;
    records.push(ran.record.clone());
    if !directory.join(LOADED).exists() {
        let text = "dnf5 did not load the plugin that asks the warden; install libdnf5-plugin-actions";
        return Err(Refused::new("transaction-differs", text));
    }
    let table = by_repository(&ran.stdout);
    let attempt = Attempt {
        status: ran.record.exit.unwrap_or(-1),
        stdout: table.lines().collect(),
        stderr: ran.stderr.lines().collect(),
    };
    match attempt.judge(5) {
        Ok(Verdict::Resolved(steps)) => same(moves, &steps, |wanted| wanted.repo_id.clone()),
        Ok(Verdict::Nothing(words)) => {
            Err(Refused::new("transaction-differs", format!("dnf sees nothing to do: {words}")))
        }
        Ok(Verdict::Refused(words)) => Err(Refused::new("transaction-differs", format!("dnf refuses: {words}"))),
        Err(failure) if failure.code == "dnf-busy" => Err(Refused::new("dnf-busy", failure.message)),
        Err(failure) => Err(Refused::new("transaction-differs", failure.message)),
    }
}

/// dnf's table with the names of the repositories that files stand for, in their own columns.
fn by_repository(table: &str) -> String {
    const BEFORE: &str = "@stored_transaction(";
    let mut text = String::with_capacity(table.len());
    let mut rest = table;
    while let Some((before, after)) = rest.split_once(BEFORE) {
        text.push_str(before);
        let Some((repo, after)) = after.split_once(')') else {
            rest = after;
            break;
        };
        text.push_str(repo);
        text.extend(std::iter::repeat_n(' ', BEFORE.len() + 1));
        rest = after;
    }
    text + rest
}

pub(super) fn replay(
    _: &Path,
    moves: &[Move],
    way: Way,
    directory: &Path,
    lock: &Lock,
    limit: Duration,
) -> io::Result<Ran> {
    let program = prepare(moves, way, directory)?;
    let mut ran = program.args(["-y", "replay", &directory.to_string_lossy()]).limit(limit).holds(lock.file()).run()?;
    if ran.good() && !directory.join(ASKED).exists() {
        ran.status = None;
        ran.stderr.push_str("\ndnf5 did not ask the warden before the transaction\n");
    }
    Ok(ran)
}

/// dnf's answer to the hook's question.
#[derive(Debug, Deserialize)]
struct Reply {
    #[serde(rename = "return")]
    returned: Returned,
    status: String,
}

#[derive(Debug, Deserialize)]
struct Returned {
    trans_packages: Vec<Told>,
}

/// One package of the transaction, as dnf tells a hook.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Told {
    pub(crate) direction: String,
    pub(crate) action: String,
    pub(crate) full_nevra: String,
}

/// Reads the packages that dnf told.
pub(crate) fn told(reply: &str) -> Option<Vec<Told>> {
    let reply: Reply = serde_json::from_str(reply).ok()?;
    (reply.status == "OK").then_some(reply.returned.trans_packages)
}

/// Inside dnf: whether its transaction is the one that this directory is about. The message is why not.
pub(crate) fn compare(when: &str, directory: &Path, reply: impl FnOnce() -> Option<String>) -> Result<(), String> {
    let mark = |name: &str| fs::write(directory.join(name), "").map_err(|error| format!("no room: {error}"));
    if when == "post_base_setup" {
        return mark(LOADED);
    }
    let bytes = fs::read(directory.join(EXPECTED)).map_err(|error| format!("nothing is expected: {error}"))?;
    let expected: BTreeSet<[String; 3]> =
        serde_json::from_slice(&bytes).map_err(|error| format!("nothing is expected: {error}"))?;
    let packages = reply().as_deref().and_then(told).ok_or("dnf does not say what it would do")?;
    let count = packages.len();
    let mut seen = BTreeSet::new();
    for package in packages {
        let nevra = Nevra::parse(&package.full_nevra).map_err(|_| "dnf names what is no package")?.to_string();
        seen.insert([package.direction, package.action, nevra]);
    }
    if seen != expected || count != expected.len() {
        let other = seen.symmetric_difference(&expected).next().map(|it| it.join(" ")).unwrap_or_default();
        return Err(format!("inside dnf the transaction is another one: {other}"));
    }
    mark(ASKED)
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::transaction::Reason;

    fn wanted(nevra: &str, action: Action, file: Option<&str>) -> Move {
        Move {
            nevra: nevra.to_owned(),
            action,
            reason: Reason::User,
            repo_id: if file.is_some() { "fedora" } else { "@System" }.to_owned(),
            file: file.map(str::to_owned),
        }
    }

    #[test]
    fn a_repository_is_checked_when_both_names_of_the_setting_say_so() {
        let dump = |enabled: u8, one: &str, two: &str| {
            format!(
                "======== \"other\" repository configuration: ========\nenabled = 1\ngpgcheck = 0\n\
                 ======== \"fedora\" repository configuration: ========\nenabled = {enabled}\ngpgcheck = {one}\n{two}\nrepo id\n"
            )
        };
        assert_eq!(checked(&dump(1, "1", "pkg_gpgcheck = 1"), "fedora"), Some(true));
        assert_eq!(checked(&dump(1, "1", ""), "fedora"), Some(true));
        assert_eq!(checked(&dump(1, "0", "pkg_gpgcheck = 1"), "fedora"), Some(false));
        assert_eq!(checked(&dump(1, "1", "pkg_gpgcheck = 0"), "fedora"), Some(false));
        assert_eq!(checked(&dump(0, "1", ""), "fedora"), None);
        assert_eq!(checked(&dump(1, "1", ""), "fed"), None);
    }

    #[test]
    fn inside_dnf_only_the_expected_set_passes() {
        let dir = tempfile::tempdir().unwrap();
        let moves = [
            wanted("htop-3.3.0-4.fc41.x86_64", Action::Install, Some("/x.rpm")),
            wanted("strace-6.11-1.fc41.x86_64", Action::Remove, None),
        ];
        fs::write(dir.path().join(EXPECTED), serde_json::to_vec(&expected(&moves)).unwrap()).unwrap();
        let ask = |packages: &str| {
            let reply =
                format!("{{\"op\":\"reply\",\"return\":{{\"trans_packages\":[{packages}]}},\"status\":\"OK\"}}");
            compare("pre_transaction", dir.path(), || Some(reply))
        };
        let one = r#"{"direction":"IN","action":"I","full_nevra":"htop-0:3.3.0-4.fc41.x86_64","repo_id":"x"}"#;
        let two = r#"{"direction":"OUT","action":"E","full_nevra":"strace-0:6.11-1.fc41.x86_64","repo_id":"x"}"#;
        let three = r#"{"direction":"IN","action":"I","full_nevra":"evil-0:1-1.noarch","repo_id":"x"}"#;
        for packages in [one.to_owned(), format!("{one},{two},{three}"), format!("{one},{two},{two}"), String::new()] {
            assert!(ask(&packages).is_err(), "{packages}");
            assert!(!dir.path().join(ASKED).exists());
        }
        assert!(ask(&format!("{one},{}", two.replace("\"E\"", "\"O\""))).is_err());
        assert!(compare("pre_transaction", dir.path(), || None).is_err());
        ask(&format!("{two},{one}")).unwrap();
        assert!(dir.path().join(ASKED).exists());
    }

    #[test]
    fn the_table_names_repositories_in_their_columns() {
        let line = " llvm x86_64 0:19-1 @stored_transaction(fedora)  14.0   B\n";
        let plain = by_repository(line);
        assert_eq!(plain.len(), line.len());
        assert_eq!(plain.split_whitespace().nth(3), Some("fedora"));
        assert_eq!(by_repository("x @stored_transaction(y"), "x y");
    }

    #[test]
    fn a_stored_transaction_names_files_for_what_comes_and_nothing_else() {
        let value = transaction(&[
            wanted("htop-3.3.0-4.fc41.x86_64", Action::Install, Some("/x.rpm")),
            wanted("strace-6.11-1.fc41.x86_64", Action::Remove, None),
        ]);
        assert_eq!(value["rpms"][0]["repo_id"], "@stored_transaction(fedora)");
        assert_eq!(value["rpms"][0]["package_path"], "/x.rpm");
        assert_eq!(value["rpms"][1]["repo_id"], "@System");
        assert!(value["rpms"][1].get("package_path").is_none());
    }
}
