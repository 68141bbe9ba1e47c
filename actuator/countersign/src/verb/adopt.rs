//! The machine is right and canonical is wrong: a signed change of canonical that says so, made by a person.

use super::{Act, short, statement};
use crate::adopt;
use crate::ask::{self, Asker};
use crate::config::AdoptTo;
use crate::desk::{Desk, Spec};
use crate::examine::{self, claims};
use crate::git::{Files, Pushed};
use crate::shelf::Shelf;
use crate::stop::{Done, Result, Stop};
use countersign_manifests_schema::proposal::{ClaimedItem, Proposal};
use countersign_manifests_schema::waiver::WaiverTable;
use countersign_shared::drift::adoption::Adopted;
use countersign_shared::git::Limits;
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::effective::PackageKey;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::terminal::{Role, Screen, visible};
use std::collections::BTreeMap;
use std::io::Write as _;

/// Where waivers go.
const WAIVERS: &str = "waivers/adopted.toml";
/// Architectures that are never the native one of a runner.
const FOREIGN: [&str; 4] = ["i386", "i486", "i586", "i686"];
/// Runners that are listed by name.
const LISTED: usize = 12;

/// What is to be adopted.
#[derive(Debug)]
pub(crate) struct Adoption {
    pub(crate) id: String,
    pub(crate) only: Vec<String>,
    pub(crate) into: Option<String>,
    /// Last day of waivers; none = a manifest is changed.
    pub(crate) until: Option<String>,
    pub(crate) reason: Option<String>,
    pub(crate) asker: Asker,
}

/// Adopts drift of one proposal.
pub(crate) fn adopt(desk: &Desk, adoption: Adoption, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let proposal = proposal(desk, &spec, &adoption.id)?;
    let (proposal, id) = (proposal.proposal(), proposal.id().to_owned());
    let gone = || Stop::refused("canonical-moved", format!("fleet.toml has no runner {}", proposal.runner));
    let runner = spec.canonical.fleet.runner(&proposal.runner).ok_or_else(gone)?;
    let items = items(&spec, runner, proposal, &adoption.only)?;
    let reason = ask::reason(adoption.reason.clone())?;
    let old = desk.canonical.mirror.snapshot(spec.tip, &CANONICAL, &Limits::default())?.files;
    let new = match &adoption.until {
        Some(until) => waive(desk, &old, runner, &items, until, &reason)?,
        None => rewrite(&spec, &old, runner, &items, adoption.into.as_deref(), &reason)?,
    };
    let after = judged(&spec, &old, &new, runner, &items)?;
    let text = told(&spec, &after, &old, &new, screen);
    let _ = std::io::stderr().write_all(text.as_bytes());

    let signer = statement::signer(&desk.shell, &desk.canonical, &spec)?;
    drop(signer);
    let branch = match desk.config.adopt.to {
        AdoptTo::Main => desk.canonical.branch.clone(),
        AdoptTo::Branch => format!("adopt/{}-{}", runner.name, short(&id)),
    };
    let to = format!("{} {branch}", desk.canonical.remote);
    let where_to = match desk.config.adopt.to {
        AdoptTo::Main => format!("PUSHED TO {to}, THE MAIN BRANCH OF CANONICAL"),
        AdoptTo::Branch => format!("pushed to {to} of canonical, a branch of its own"),
    };
    adoption.asker.confirm(&format!(
        "Adopt this? Your key signs the change, and it is {where_to}. Touch your key if it wants that."
    ))?;
    let tree = desk.canonical.with_files(spec.tip, &new)?;
    let commit = desk.canonical.signed_commit(&desk.shell, &[spec.tip], &tree, &message(runner, &items, &reason))?;
    statement::judge_commit(&desk.canonical, &spec, commit)?;
    let expected = (desk.config.adopt.to == AdoptTo::Main).then_some(spec.tip);
    if desk.canonical.push(&desk.shell, &branch, commit, expected)? == Pushed::Moved {
        return Err(Stop::failed("moved", format!("{to} is not as expected: it has moved, or is there already"))
            .hint("nothing was pushed; try again, or delete the old branch of an adoption yourself"));
    }
    let text = format!("Adopted with {commit}, pushed to {to} of canonical.\n");
    let act = Act {
        act: "adopt",
        proposals: vec![id],
        commits: vec![commit],
        pushed: Some(to),
        until: adoption.until,
        text,
        shell: &desk.shell,
    };
    act.done()
}

fn proposal(desk: &Desk, spec: &Spec, text: &str) -> Result<countersign_shared::proposal::Sealed> {
    let shelf = Shelf::read(desk, spec)?;
    let keys = shelf.resolve(text)?;
    let [key] = &keys[..] else {
        return Err(Stop::invalid("usage", "one proposal is adopted at a time: give its id"));
    };
    let made = examine::made(desk, &shelf);
    let one = examine::examine(desk, spec, &shelf, &made, key)?;
    // Whether it has ended or a newer one exists does not matter; whether it is what it says does.
    let bad = one.checks.iter().find(|row| {
        matches!(row.gate.as_str(), "not-observer" | "edited" | "misleading")
            && row.verdict == countersign_manifests_schema::plan::GateVerdict::Refuse
    });
    match (bad, one.sealed) {
        (None, Some(sealed)) => Ok(sealed),
        (Some(row), _) => Err(Stop::refused(&row.gate, format!("{}: {}", key.1, row.detail))),
        (None, None) => Err(Stop::refused("edited", format!("{} is no proposal", key.1))),
    }
}

/// The items that are meant, each of which is drift by the manifest in force.
fn items<'p>(spec: &Spec, runner: &Runner, proposal: &'p Proposal, only: &[String]) -> Result<Vec<&'p ClaimedItem>> {
    let named = |item: &ClaimedItem| {
        let full = item.arch.as_ref().map(|arch| format!("{}.{arch}", item.package));
        only.is_empty() || only.iter().any(|name| *name == item.package || Some(name) == full.as_ref())
    };
    let items: Vec<&ClaimedItem> = proposal.drift.iter().filter(|item| named(item)).collect();
    if items.is_empty() {
        return Err(Stop::invalid("usage", format!("the proposal has no drift of {}", only.join(", "))));
    }
    let effective = spec.canonical.effective(runner);
    for item in &items {
        if let Some(until) = claims::waiver_for(&spec.canonical, runner, item, spec.now) {
            return Err(Stop::refused(
                "unjustified",
                format!("{} {} is waived already, until {until}", item.code, item.package),
            )
            .hint("change the waiver in canonical, or --only names other packages"));
        }
        claims::claim(&effective, item).map_err(|why| {
            Stop::refused("unjustified", format!("{} {}: {why}", item.code, item.package))
                .hint("there is nothing to adopt: by the manifest in force this is no drift")
        })?;
    }
    Ok(items)
}

/// Rules of manifests, changed so that what is there is right.
fn rewrite(
    spec: &Spec,
    old: &BTreeMap<String, Vec<u8>>,
    runner: &Runner,
    items: &[&ClaimedItem],
    into: Option<&str>,
    reason: &str,
) -> Result<Files> {
    let effective = spec.canonical.effective(runner);
    let mut new = Files::new();
    for item in items {
        let subject = format!("{} {}", item.code, item.package);
        let rule = adopt::wish(item).map_err(|why| {
            Stop::invalid("not-adoptable", format!("{subject}: {why}"))
                .hint("--waive --until YYYY-MM-DD accepts it for a time")
        })?;
        let key = |arch: Option<&str>| PackageKey { name: item.package.clone(), arch: arch.map(str::to_owned) };
        let own = item.arch.as_deref().map(|arch| key(Some(arch))).filter(|key| effective.packages.contains_key(key));
        let foreign = item.arch.as_deref().filter(|arch| FOREIGN.contains(arch));
        let ruling =
            own.as_ref().and_then(|key| effective.packages.get(key)).or_else(|| effective.packages.get(&key(None)));
        let written = own.unwrap_or_else(|| key(foreign.filter(|_| ruling.is_none()))).to_string();
        let file = match (into, ruling) {
            (Some(path), _) => path.to_owned(),
            (None, Some(ruling)) => ruling.place.file.clone(),
            (None, None) => own_manifest(spec, runner).ok_or_else(|| {
                Stop::invalid("usage", format!("{subject}: it is not clear which manifest should name it"))
                    .hint("--into manifests/NAME.toml says which")
            })?,
        };
        let bytes = new.get(&file).or_else(|| old.get(&file)).ok_or_else(|| {
            Stop::invalid("usage", format!("canonical has no file {file:?}"))
                .hint("--into takes a path such as manifests/base.toml")
        })?;
        let text = String::from_utf8_lossy(bytes).into_owned();
        let patched = adopt::manifest(&text, &written, &rule, Some(reason))
            .map_err(|why| Stop::invalid("not-adoptable", format!("{file}: {why}")))?;
        new.insert(file, patched.into_bytes());
    }
    Ok(new)
}

/// The one manifest of the runner itself; else the one of its groups.
fn own_manifest(spec: &Spec, runner: &Runner) -> Option<String> {
    let of_groups = runner.groups.iter().filter_map(|name| spec.canonical.fleet.groups.get(name));
    let of_groups: Vec<&String> = of_groups.flat_map(|group| &group.manifests).collect();
    match (&runner.manifests[..], &of_groups[..]) {
        ([own], _) => Some(format!("manifests/{own}.toml")),
        ([], [one]) => Some(format!("manifests/{one}.toml")),
        _ => None,
    }
}

fn waive(
    desk: &Desk,
    old: &BTreeMap<String, Vec<u8>>,
    runner: &Runner,
    items: &[&ClaimedItem],
    until: &str,
    reason: &str,
) -> Result<Files> {
    let Some(owner) = desk.canonical.setting(&desk.shell, "user.email")? else {
        return Err(Stop::invalid("usage", "a waiver needs an owner, and git knows no user.email"));
    };
    let waivers: Vec<WaiverTable> = items
        .iter()
        .map(|item| WaiverTable {
            runners: vec![runner.name.clone()],
            groups: Vec::new(),
            package: Some(match &item.arch {
                Some(arch) => format!("{}.{arch}", item.package),
                None => item.package.clone(),
            }),
            code: Some(item.code.clone()),
            seen: Some(item.seen.clone()),
            reason: reason.to_owned(),
            owner: owner.clone(),
            until: until.to_owned(),
        })
        .collect();
    let text = old.get(WAIVERS).map(|bytes| String::from_utf8_lossy(bytes).into_owned());
    let patched = adopt::waivers(text.as_deref(), &waivers)
        .map_err(|why| Stop::invalid("not-adoptable", format!("{WAIVERS}: {why}")))?;
    Ok(Files::from([(WAIVERS.to_owned(), patched.into_bytes())]))
}

/// The new canonical: it lints clean, and by it the adopted items are no drift any more.
fn judged(
    spec: &Spec,
    old: &BTreeMap<String, Vec<u8>>,
    new: &Files,
    runner: &Runner,
    items: &[&ClaimedItem],
) -> Result<Canonical> {
    let mut files = old.clone();
    files.extend(new.clone());
    let after = Canonical::load(&files).map_err(|problems| Stop::lint(&problems))?;
    let own = after.fleet.runner(&runner.name).ok_or_else(|| Stop::failed("bug", "the runner is gone"))?;
    let effective = after.effective(own);
    for item in items {
        let waived = claims::waiver_for(&after, own, item, spec.now).is_some();
        if claims::claim(&effective, item).is_ok() && !waived {
            return Err(Stop::refused("not-adoptable", format!("{} {} would still be drift", item.code, item.package))
                .hint("another manifest stands over this one: --into names it; or --waive"));
        }
    }
    Ok(after)
}

/// The difference of each file, and whom it concerns.
fn told(spec: &Spec, after: &Canonical, old: &BTreeMap<String, Vec<u8>>, new: &Files, screen: Screen) -> String {
    let mut out = String::new();
    for (path, bytes) in new {
        let before = old.get(path).map(|bytes| String::from_utf8_lossy(bytes).into_owned()).unwrap_or_default();
        let text = String::from_utf8_lossy(bytes);
        let diff = similar::TextDiff::from_lines(before.as_str(), &text);
        let unified = diff.unified_diff().context_radius(3).header(path, path).to_string();
        for line in unified.lines() {
            let role = match line.as_bytes().first() {
                Some(b'+') => Role::Good,
                Some(b'-') => Role::Bad,
                _ => Role::Plain,
            };
            out.push_str(&screen.palette.paint(role, &visible(line)));
            out.push('\n');
        }
    }
    let changed = |runner: &&Runner| {
        let now = spec.canonical.effective(runner);
        after.fleet.runner(&runner.name).is_none_or(|own| after.effective(own).digest() != now.digest())
    };
    let names: Vec<&str> =
        spec.canonical.fleet.runners.iter().filter(changed).map(|runner| runner.name.as_str()).collect();
    let listed: Vec<&str> = names.iter().take(LISTED).copied().collect();
    let more = if names.len() > LISTED { ", ..." } else { "" };
    out.push_str(&format!(
        "The manifest in force changes for {} runner(s): {}{more}\n",
        names.len(),
        listed.join(", ")
    ));
    out
}

fn message(runner: &Runner, items: &[&ClaimedItem], reason: &str) -> String {
    let trailer = |item: &&ClaimedItem| {
        let adopted = Adopted {
            runner: &runner.name,
            code: &item.code,
            package: Some(&item.package),
            arch: item.arch.as_deref(),
            wanted: item.wanted.as_deref(),
            seen: &item.seen,
        };
        adopted.trailer() + "\n"
    };
    let what = if items.len() == 1 { "1 difference".to_owned() } else { format!("{} differences", items.len()) };
    format!("Adopt {what} of {}\n\n{reason}\n\n{}", runner.name, items.iter().map(trailer).collect::<String>())
}
