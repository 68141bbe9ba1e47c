//! Yes: one signed merge for each branch, or detached signatures, pushed only after they were judged.

use super::statement::{self, Word};
use super::{Act, refuse, show, where_to};
use crate::ask::Asker;
use crate::desk::{Desk, Spec};
use crate::examine::{self, Evidence, Examined};
use crate::git::{Files, Pushed};
use crate::shelf::{Key, Shelf, Spot};
use crate::stop::{Done, Result, Stop};
use countersign_manifests_schema::policy::Evidence as Wanted;
use countersign_shared::approval::statement::{Named, approves};
use countersign_shared::git::CommitId;
use countersign_shared::terminal::Screen;
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;

/// Proposals in one approval: what a person can look at, and what one command line takes.
const MOST: usize = 500;
/// How often it is tried again when main has moved.
const ROUNDS: usize = 3;

/// How approval is given.
#[derive(Debug, Clone, Copy)]
pub(crate) struct How {
    pub(crate) asker: Asker,
    /// Detached signatures in any case.
    pub(crate) signature: bool,
    /// Everything that the branches of the named proposals bring.
    pub(crate) class: bool,
}

/// What is to be made.
#[derive(Debug, Default)]
struct Plan {
    /// By branch: its commit, and what it brings.
    merges: BTreeMap<String, (CommitId, Vec<Key>)>,
    signatures: Vec<Key>,
}

/// Approves what the texts mean.
pub(crate) fn approve(desk: &Desk, texts: &[String], how: How, screen: Screen) -> Result<Done> {
    let spec = desk.spec()?;
    let shelf = Shelf::read(desk, &spec)?;
    let keys = chosen(&shelf, texts, how.class)?;
    let examined = examine_all(desk, &spec, &shelf, &keys)?;
    tell(&examined, screen);
    refuse(&examined)?;
    let plan = plan(&spec, &shelf, &examined, how.signature)?;
    let signer = statement::signer(&desk.shell, &desk.proposed, &spec)?;
    how.asker.confirm(&question(desk, &plan, keys.len()))?;

    // Between question and answer somebody may have pushed: what is signed is what was shown.
    let (mut spec, mut shelf, mut examined) = look_again(desk, &examined, &keys)?;
    let mut files = Files::new();
    for one in statement::sealed(&examined).filter(|one| plan.signatures.iter().any(|(_, id)| id == one.id())) {
        let (path, signature) = statement::detached(desk, &spec, &signer, Word::Yes, one)?;
        files.insert(path, signature);
    }
    for _ in 0..ROUNDS {
        let (head, commits) = make(desk, &spec, &shelf, &examined, &plan, &files)?;
        if commits.is_empty() {
            return Err(Stop::failed("done-already", "your signatures are there already").hint("`countersign review`"));
        }
        match desk.proposed.push(&desk.shell, &desk.proposed.branch, head, Some(shelf.main))? {
            Pushed::Done => return done(desk, &spec, &keys, commits),
            Pushed::Moved => {
                desk.fetch()?;
                (spec, shelf, examined) = look_again(desk, &examined, &keys)?;
            }
        }
    }
    Err(Stop::failed("moved", format!("{} moved again and again while this was made", where_to(desk)))
        .hint("nothing was pushed; try again"))
}

/// The proposals that are meant, each once.
fn chosen(shelf: &Shelf, texts: &[String], class: bool) -> Result<Vec<Key>> {
    let mut keys = BTreeSet::new();
    for text in texts {
        for key in shelf.resolve(text)? {
            match shelf.spot(&key) {
                Some(Spot::Branch(name, _)) if class => keys.extend(shelf.branches[&name].brings.iter().cloned()),
                _ => drop(keys.insert(key)),
            }
        }
    }
    if keys.len() > MOST {
        return Err(Stop::invalid(
            "usage",
            format!("{} proposals at once; at most {MOST} are approved together", keys.len()),
        )
        .hint("ask for smaller classes, or use the command in the pull request"));
    }
    Ok(keys.into_iter().collect())
}

fn examine_all(desk: &Desk, spec: &Spec, shelf: &Shelf, keys: &[Key]) -> Result<Vec<Examined>> {
    let made = examine::made(desk, shelf);
    keys.iter().map(|key| examine::examine(desk, spec, shelf, &made, key)).collect()
}

/// One page for each class, and a summary of each proposal, on stderr: stdout is for the answer.
fn tell(examined: &[Examined], screen: Screen) {
    let mut classes = BTreeSet::new();
    let mut text = String::new();
    for one in examined {
        let class = one.document(false).map(|document| document.class);
        let is_new = class.is_none_or(|class| classes.insert(class));
        text.push_str(&if is_new { show::page(one, screen) } else { show::summary(one, screen) });
        text.push('\n');
    }
    let _ = std::io::stderr().write_all(text.as_bytes());
}

/// Merges where a branch brings it, signatures where it is merged. A merge names everything that it brings.
fn plan(spec: &Spec, shelf: &Shelf, examined: &[Examined], signature: bool) -> Result<Plan> {
    let evidence = spec.canonical.policy.approval.evidence;
    let mut plan = Plan::default();
    for one in examined {
        match &one.found.spot {
            Spot::Branch(name, commit) if !signature => {
                plan.merges.entry(name.clone()).or_insert_with(|| (*commit, Vec::new())).1.push(one.found.key.clone());
                if evidence == Wanted::Signature {
                    plan.signatures.push(one.found.key.clone());
                }
            }
            _ if evidence == Wanted::Merge => {
                return Err(Stop::refused(
                    "not-human",
                    "the policy takes signed merges only, and not detached signatures",
                )
                .hint("what is merged without one must be proposed again"));
            }
            _ => plan.signatures.push(one.found.key.clone()),
        }
    }
    for (name, (_, keys)) in &plan.merges {
        let brings = &shelf.branches[name].brings;
        let others: Vec<String> =
            brings.iter().filter(|key| !keys.contains(key)).map(|(runner, id)| format!("{id} ({runner})")).collect();
        if !others.is_empty() {
            return Err(Stop::refused("not-all", format!("proposals/{name} brings more than you have named"))
                .because(others.join(", "))
                .hint(format!("all of it: countersign approve {name}; one alone: --signature, once it is merged")));
        }
    }
    Ok(plan)
}

fn question(desk: &Desk, plan: &Plan, count: usize) -> String {
    let proposals = if count == 1 { "this proposal".to_owned() } else { format!("these {count} proposals") };
    let mut acts = Vec::new();
    if !plan.merges.is_empty() {
        acts.push(format!("{} signed merge(s)", plan.merges.len()));
    }
    if !plan.signatures.is_empty() {
        acts.push(format!("{} detached signature(s)", plan.signatures.len()));
    }
    format!(
        "Approve {proposals}? Your key signs {}, and they are pushed to {} of proposed. Touch your key if it wants that.",
        acts.join(" and "),
        where_to(desk)
    )
}

/// Fetches, and refuses unless everything is where it was shown.
fn look_again(desk: &Desk, before: &[Examined], keys: &[Key]) -> Result<(Spec, Shelf, Vec<Examined>)> {
    desk.fetch()?;
    let spec = desk.spec()?;
    let shelf = Shelf::read(desk, &spec)?;
    for one in before {
        let (runner, id) = &one.found.key;
        if shelf.spot(&one.found.key).as_ref() != Some(&one.found.spot) {
            return Err(Stop::refused("moved", format!("{id} ({runner}) is not where it was when it was shown"))
                .hint("nothing was pushed; look at it again with `countersign show`"));
        }
    }
    let examined = examine_all(desk, &spec, &shelf, keys)?;
    refuse(&examined)?;
    Ok((spec, shelf, examined))
}

/// Makes the commits on top of main, and judges each as the actuator and the runner will.
fn make(
    desk: &Desk,
    spec: &Spec,
    shelf: &Shelf,
    examined: &[Examined],
    plan: &Plan,
    files: &Files,
) -> Result<(CommitId, Vec<CommitId>)> {
    let proposed = &desk.proposed;
    let mut head = shelf.main;
    let mut commits = Vec::new();
    for (commit, keys) in plan.merges.values() {
        let own: Vec<&Examined> = examined.iter().filter(|one| keys.contains(&one.found.key)).collect();
        let directories: Vec<String> = own.iter().map(|one| one.found.directory()).collect();
        let tree = proposed.with_directories(head, *commit, &directories)?;
        head = proposed.signed_commit(&desk.shell, &[head, *commit], &tree, &message(keys))?;
        judge(desk, spec, head, &own)?;
        commits.push(head);
    }
    let new = statement::not_there_yet(desk, shelf.main, files)?;
    if !new.is_empty() {
        let names: Vec<String> = plan.signatures.iter().map(|(runner, id)| format!("{runner} {id}\n")).collect();
        let message = format!("Add detached approvals\n\n{}", names.concat());
        head = proposed.signed_commit(&desk.shell, &[head], &proposed.with_files(head, &new)?, &message)?;
        statement::judge_commit(proposed, spec, head)?;
        commits.push(head);
    }
    Ok((head, commits))
}

/// The message is signed: each line names one proposal by its full digest.
fn message(keys: &[Key]) -> String {
    let what = match keys {
        [(runner, _)] => format!("Approve {runner}"),
        many => format!("Approve {} proposals", many.len()),
    };
    let line = |(runner, id): &Key| Named { runner: runner.clone(), proposal: id.clone() }.line() + "\n";
    format!("{what}\n\n{}", keys.iter().map(line).collect::<String>())
}

fn judge(desk: &Desk, spec: &Spec, commit: CommitId, examined: &[&Examined]) -> Result<()> {
    let statement = Evidence::statement_of(&desk.proposed, commit)?.map_err(|why| {
        Stop::refused("not-human", format!("the merge {commit} would not be accepted"))
            .because(why)
            .hint("nothing was pushed; please report it with the commands above")
    })?;
    for sealed in examined.iter().filter_map(|one| one.sealed.as_ref()) {
        spec.ask(|people| approves(&statement, sealed, people)).map_err(|error| statement::not_accepted(&error))?;
    }
    Ok(())
}

fn done(desk: &Desk, spec: &Spec, keys: &[Key], commits: Vec<CommitId>) -> Result<Done> {
    // What is there now says who else has to sign. It is pushed, whatever comes of looking at it again.
    let looked = desk.proposed.fetch(&desk.shell, true).and_then(|()| Shelf::read(desk, spec));
    let examined = looked.and_then(|shelf| examine_all(desk, spec, &shelf, keys));
    let mut text = String::new();
    for one in examined.iter().flatten() {
        let (runner, id) = &one.found.key;
        let by = one.evidence.approved_by();
        let state = match one.has_enough() {
            true => "that is enough".to_owned(),
            false => format!("the policy wants {}", one.required),
        };
        text.push_str(&format!("{id} ({runner}): approved by {}; {state}\n", by.join(", ")));
    }
    text.push_str(&format!("Pushed to {}. Nothing happens before a person on duty starts it.\n", where_to(desk)));
    let text = text.lines().map(|line| countersign_shared::terminal::visible(line).into_owned() + "\n").collect();
    Act {
        act: "approve",
        proposals: keys.iter().map(|(_, id)| id.clone()).collect(),
        commits,
        pushed: Some(where_to(desk)),
        until: None,
        text,
        shell: &desk.shell,
    }
    .done()
}
