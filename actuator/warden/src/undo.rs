//! Undo: all that came of the transaction goes back to how it was, by the inverse transaction from the files fetched before;
//! where that does not do, by the snapshot, filtered. What others did since is left to them. Never stopped by a halt, by
//! the policy, or by what dnf excludes.

use crate::children;
use crate::clock;
use crate::dnf::{Dnf, Move, Records, Way};
use crate::drain;
use crate::faults::{Step, at};
use crate::journal::Journal;
use crate::observe;
use crate::refused::Refused;
use crate::scope::Scope;
use crate::set::{self, Instance};
use crate::settle;
use crate::snapshot;
use crate::stage;
use crate::staged::{CURRENT, Contents, PackageFile};
use crate::store::{Lock, Store};
use countersign_manifests_schema::transaction::{Action, SYSTEM_REPO};
use countersign_manifests_schema::warden::{Application, Stage};
use countersign_shared::nevra::Nevra;
use countersign_shared::observation::set_digest;
use std::fs::{self, DirBuilder};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// In memory: the disk may be full.
const WORKPLACE: &str = "/run/countersign-warden";
/// Times that the inverse transaction is tried; each starts from what is there then.
const TRIES: u32 = 3;

/// Why the former state was not found again.
enum Trouble {
    /// The machine cannot be read now: dnf is at work for somebody, or there is no room. That passes.
    Unread(String),
    /// It was read after everything was tried, and it differs.
    Differs(String),
}

/// Takes the application under way back. `why` is told to people. While the machine cannot be read it stays under way, to
/// be undone. An error means that not even that could be written.
pub(crate) fn undo(store: &Store, lock: &Lock, why: &str, mut records: Records) -> Result<Application, Refused> {
    children::end();
    store.release();
    let (mut journal, contents) = Journal::load(store)?;
    if journal.undo.is_none() {
        journal.undo = Some(why.to_owned());
        // On a disk that is full it goes on all the same; a deadline or a restart then ends what this would have ended.
        let _ = journal.save(store);
    }
    // Until dnf began, whatever is different is not of our making.
    let outcome = match journal.begun {
        true => restore(&contents, &mut journal, store, lock, &mut records),
        false => Ok(Back { after: look().ok().map(|seen| seen.digest), notes: Vec::new() }),
    };
    let (stage, mut told) = match &outcome {
        // Still under way: the watch, the timer and whoever comes by try again.
        Err(Trouble::Unread(what)) => {
            return settle::write(store, |application| {
                application.stage = Stage::Started;
                application.detail = Some(Refused::new("", format!("{why}; it waits to be undone: {what}")).message);
                application.commands.extend(records);
            });
        }
        Ok(back) => (Stage::Undone, back.notes.clone()),
        Err(Trouble::Differs(left)) => (
            Stage::Failed,
            vec![format!("and the former state could not be reached: {left}"), mend(&contents, &journal, store)],
        ),
    };
    // A runner that failed is not one to be used.
    if stage == Stage::Undone
        && let Err(trouble) = drain::undrain(&journal, &store.path(CURRENT), &mut records)
    {
        told.push(trouble);
    }
    told.insert(0, why.to_owned());
    at(Step::UndoJudged);
    let application = settle::write(store, |application| {
        application.stage = stage;
        application.after = outcome.ok().and_then(|back| back.after);
        application.detail = Some(Refused::new("", told.join("; ")).message);
        application.commands.extend(records.iter().cloned());
    })?;
    at(Step::UndoWritten);
    let _ = fs::remove_dir_all(WORKPLACE);
    let _ = settle::tidy(store);
    Ok(application)
}

/// What people need to know of an application that could not be taken back.
fn mend(contents: &Contents, journal: &Journal, store: &Store) -> String {
    let out_of_use = if journal.undrain.is_some() { "it was not put back into use, and " } else { "" };
    let place = store.path(&settle::aside(&contents.proposal));
    format!("{out_of_use}the packages from before are in {}", place.display())
}

/// The former state, as far as it was of our making.
struct Back {
    /// sha256 of the set now; `None` where it could not be read.
    after: Option<String>,
    /// What others did since, for people.
    notes: Vec<String>,
}

fn restore(
    contents: &Contents,
    journal: &mut Journal,
    store: &Store,
    lock: &Lock,
    records: &mut Records,
) -> Result<Back, Trouble> {
    let home = store.path(CURRENT);
    let first = look();
    let scope = scope(contents, journal, first.as_ref().ok(), store);
    let former = scope.part(&contents.former);
    let differences = |seen: &Look| set::differences(&former, &scope.part(&seen.set));
    let beside = |seen: &Look| scope.beside(&contents.former, &seen.set);
    let mut seen = first?;
    let mut left = String::new();
    for _ in 0..TRIES {
        if differences(&seen).is_empty() {
            break;
        }
        let planned = inverse(&former, &contents.outgoing, &scope.part(&seen.set), &home);
        at(Step::UndoPlanned);
        left = match planned {
            Err(why) => why,
            Ok((moves, signed)) => {
                let dnf = Dnf { generation: contents.generation(), home: &home };
                let ran = workplace(store).and_then(|at| dnf.replay(&moves, Way::Back { signed }, &at, lock));
                match ran {
                    Ok(ran) => {
                        records.push(ran.record.clone());
                        ran.words()
                    }
                    Err(error) => error.to_string(),
                }
            }
        };
        at(Step::UndoReplayed);
        children::end();
        seen = look()?;
    }
    let mut notes = Vec::new();
    if !differences(&seen).is_empty()
        && let Some(number) = journal.snapshot
    {
        let theirs = beside(&seen);
        match snapshot::undo(&home, number, &[&journal.kept[..], &[store.path("")]].concat()) {
            Ok(ran) => records.extend(ran.into_iter().map(|ran| ran.record)),
            Err(error) => left = format!("{left}; and the snapshot: {error}"),
        }
        seen = look()?;
        let still = beside(&seen);
        let gone: Vec<String> = theirs.into_iter().filter(|one| !still.contains(one)).collect();
        if !gone.is_empty() {
            notes.push(format!("the snapshot took back what others did as well: {}", set::sentence(&gone)));
        }
    }
    let theirs = beside(&seen);
    if !theirs.is_empty() {
        notes.push(format!("what others did is left as it is: {}", set::sentence(&theirs)));
    }
    match differences(&seen) {
        none if none.is_empty() => Ok(Back { after: Some(seen.digest), notes }),
        some => Err(Trouble::Differs(format!("{} ({left})", set::sentence(&some)))),
    }
}

/// What is to be taken back: what the transaction was about, and what was found to have come along when dnf had just
/// ended. Nobody looked then? Whoever looks first sees it, unless the machine restarted and others had the time.
fn scope(contents: &Contents, journal: &mut Journal, seen: Option<&Look>, store: &Store) -> Scope {
    let ours = Scope::of(&contents.transaction);
    if journal.beyond.is_none() {
        let at_once = clock::boot().is_ok_and(|boot| boot == journal.boot);
        let seen = seen.filter(|_| at_once);
        journal.beyond = Some(seen.map(|seen| ours.beyond(&contents.former, &seen.set)).unwrap_or_default());
        let _ = journal.save(store);
    }
    match &journal.beyond {
        Some(beyond) => ours.with(beyond),
        None => ours,
    }
}

/// Where dnf is told what to do.
fn workplace(store: &Store) -> io::Result<PathBuf> {
    let place = Path::new(WORKPLACE);
    let made = match fs::remove_dir_all(place) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => DirBuilder::new().mode(0o700).create(place),
    };
    match made {
        Ok(()) => Ok(place.to_owned()),
        Err(_) => store.fresh(&format!("{CURRENT}/undo")),
    }
}

/// The set as it is now.
struct Look {
    set: Vec<Instance>,
    /// Its package-set digest.
    digest: String,
}

fn look() -> Result<Look, Trouble> {
    let unread = |what: &str| Trouble::Unread(format!("the machine cannot be read: {what}"));
    let record = observe::record().map_err(|failure| unread(&failure.message))?;
    let seen = observe::whole(&record, clock::now()).map_err(|refused| unread(&refused.message))?;
    // dnf4 lets itself be asked while it is at work, and would keep our own waiting.
    stage::idle(&seen).map_err(|refused| unread(&refused.message))?;
    let packages = seen.packages.seen().ok_or_else(|| unread("no packages"))?;
    Ok(Look { set: set::of(&packages.list), digest: set_digest(&packages.list) })
}

/// What leads from what is there to what was there, and whether every file for it is signed.
fn inverse(
    former: &[Instance],
    outgoing: &[PackageFile],
    seen: &[Instance],
    home: &Path,
) -> Result<(Vec<Move>, bool), String> {
    let same = |one: &&Instance, set: &[Instance]| {
        set.iter().any(|other| other.nevra == one.nevra && other.header == one.header)
    };
    let missing: Vec<&Instance> = former.iter().filter(|one| !same(one, seen)).collect();
    let extra: Vec<&Instance> = seen.iter().filter(|one| !same(one, former)).collect();
    let mut moves = Vec::new();
    let mut signed = true;
    for instance in &missing {
        let file = outgoing
            .iter()
            .find(|file| file.nevra == instance.nevra && file.header == instance.header)
            .ok_or_else(|| format!("{} was not fetched", instance.nevra))?;
        signed &= file.signed;
        moves.push(comes(instance, action(instance, &extra), file, home));
    }
    for instance in &extra {
        let replaced = missing.iter().any(|back| replaces(back, instance));
        moves.push(Move {
            nevra: instance.nevra.clone(),
            action: if replaced { Action::Replaced } else { Action::Remove },
            reason: instance.reason,
            repo_id: SYSTEM_REPO.to_owned(),
            file: None,
        });
    }
    // Reasons last: they are of packages that stay.
    for instance in former.iter().filter(|one| same(one, seen)) {
        let now = seen.iter().find(|other| other.nevra == instance.nevra);
        if now.is_some_and(|now| now.reason != instance.reason) {
            moves.push(Move {
                nevra: instance.nevra.clone(),
                action: Action::ReasonChange,
                reason: instance.reason,
                repo_id: SYSTEM_REPO.to_owned(),
                file: None,
            });
        }
    }
    Ok((moves, signed))
}

fn comes(instance: &Instance, action: Action, file: &PackageFile, home: &Path) -> Move {
    Move {
        nevra: instance.nevra.clone(),
        action,
        reason: instance.reason,
        repo_id: "countersign".to_owned(),
        file: Some(home.join(&file.file).to_string_lossy().into_owned()),
    }
}

/// How a package that was there comes back: in the place of what is there now, or beside it.
fn action(back: &Instance, extra: &[&Instance]) -> Action {
    let Some(now) = extra.iter().find(|now| replaces(back, now)) else { return Action::Install };
    match (Nevra::parse(&back.nevra), Nevra::parse(&now.nevra)) {
        (Ok(back), Ok(now)) => match back.evr.cmp_rpm(&now.evr) {
            std::cmp::Ordering::Less => Action::Downgrade,
            std::cmp::Ordering::Equal => Action::Reinstall,
            std::cmp::Ordering::Greater => Action::Upgrade,
        },
        _ => Action::Install,
    }
}

/// The same name and arch, and not one of those that stand beside one another.
fn replaces(back: &Instance, now: &Instance) -> bool {
    !back.install_only && !now.install_only && back.name_arch().is_some() && back.name_arch() == now.name_arch()
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_manifests_schema::transaction::Reason;

    fn instance(nevra: &str, header: &str) -> Instance {
        Instance { nevra: nevra.to_owned(), header: header.to_owned(), reason: Reason::User, install_only: false }
    }

    fn packed(outgoing: &[(&str, &str)]) -> Vec<PackageFile> {
        let file = |(nevra, header): &(&str, &str)| PackageFile {
            nevra: (*nevra).to_owned(),
            file: format!("outgoing/{nevra}.rpm"),
            sha256: String::new(),
            header: (*header).to_owned(),
            signed: true,
        };
        outgoing.iter().map(file).collect()
    }

    fn plan(former: &[Instance], outgoing: &[(&str, &str)], seen: &[Instance]) -> Result<Vec<String>, String> {
        let (moves, signed) = inverse(former, &packed(outgoing), seen, Path::new("/c"))?;
        let mut told: Vec<String> = moves
            .iter()
            .map(|m| format!("{} {}{}", m.action.as_str(), m.nevra, if m.file.is_some() { " from file" } else { "" }))
            .collect();
        told.push(format!("signed: {signed}"));
        Ok(told)
    }

    #[test]
    fn the_inverse_is_of_what_is_there_not_of_what_was_planned() {
        let old = [instance("llvm-20-1.x86_64", "x"), instance("htop-3-4.x86_64", "h")];
        let new = [instance("llvm-19-1.x86_64", "y"), instance("strace-6-1.x86_64", "s")];
        let files = [("llvm-20-1.x86_64", "x"), ("htop-3-4.x86_64", "h")];
        assert_eq!(
            plan(&old, &files, &new).unwrap(),
            [
                "Upgrade llvm-20-1.x86_64 from file",
                "Install htop-3-4.x86_64 from file",
                "Replaced llvm-19-1.x86_64",
                "Remove strace-6-1.x86_64",
                "signed: true"
            ]
        );
        // dnf was killed with both on the disk: the new one goes, and nothing has to come.
        let both = [old[0].clone(), old[1].clone(), new[0].clone()];
        assert_eq!(plan(&old, &files, &both).unwrap(), ["Remove llvm-19-1.x86_64", "signed: true"]);
        // Other bytes under the same name.
        let other = [instance("llvm-20-1.x86_64", "z"), old[1].clone()];
        assert_eq!(
            plan(&old, &[("llvm-20-1.x86_64", "x")], &other).unwrap(),
            ["Reinstall llvm-20-1.x86_64 from file", "Replaced llvm-20-1.x86_64", "signed: true"]
        );
        assert_eq!(plan(&old, &[], &new).unwrap_err(), "llvm-20-1.x86_64 was not fetched");
        let mut unsigned = packed(&files);
        unsigned[0].signed = false;
        assert!(!inverse(&old, &unsigned, &new, Path::new("/c")).unwrap().1);
    }

    #[test]
    fn what_stands_beside_another_version_does_not_take_its_place() {
        let kernel = |nevra: &str| Instance { install_only: true, ..instance(nevra, nevra) };
        let former = [kernel("kernel-core-6.11.4-1.x86_64"), kernel("kernel-core-6.11.5-1.x86_64")];
        let seen = [kernel("kernel-core-6.11.5-1.x86_64"), kernel("kernel-core-6.11.6-1.x86_64")];
        let files = [("kernel-core-6.11.4-1.x86_64", "kernel-core-6.11.4-1.x86_64")];
        assert_eq!(
            plan(&former, &files, &seen).unwrap(),
            ["Install kernel-core-6.11.4-1.x86_64 from file", "Remove kernel-core-6.11.6-1.x86_64", "signed: true"]
        );
    }

    #[test]
    fn reasons_come_back_too() {
        let former = [instance("a-1-1.noarch", "a")];
        let seen = [Instance { reason: Reason::Dependency, ..former[0].clone() }];
        assert_eq!(plan(&former, &[], &seen).unwrap(), ["Reason Change a-1-1.noarch", "signed: true"]);
    }
}
