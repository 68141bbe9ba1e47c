//! Apply: spend, drain, snapshot, replay, judge. From the moment that it is spent, whatever happens ends in a verdict: it
//! waits for its confirmation, or it is undone.

use crate::clock;
use crate::config::Policy;
use crate::dnf::{Dnf, Records, Way, moves};
use crate::drain;
use crate::faults::{Step, at};
use crate::fetch;
use crate::journal::Journal;
use crate::judge;
use crate::memory::Memory;
use crate::observe;
use crate::refused::Refused;
use crate::scope::Scope;
use crate::set;
use crate::settle;
use crate::snapshot;
use crate::stage;
use crate::staged::{CURRENT, Contents, STAGED, Staged};
use crate::store::{Lock, Store};
use crate::undo;
use crate::verdict;
use crate::watch;
use countersign_manifests_schema::proposal::WayBackKind;
use countersign_manifests_schema::warden::{Application, Stage, WardenAnswer};
use countersign_shared::approval::bundle::Verified;

/// Answers to `apply`. Refusals come before anything is spent; afterwards there is always an outcome.
pub(crate) fn apply(bundle: &str, policy: &Policy, store: &Store, lock: &Lock) -> Result<WardenAnswer, Refused> {
    let mut memory = Memory::load(store)?;
    let admitted = judge::admit(bundle, policy, &memory, true)?;
    let staged = permitted(admitted.verified(), store)?;
    // The nonce is used up by this, whatever comes of it: there is no staging under its name any more.
    let failed = |error: std::io::Error| Refused::new("warden", format!("the staging cannot be taken: {error}"));
    store.remove(CURRENT).map_err(failed)?;
    store.rename(STAGED, CURRENT).map_err(failed)?;
    let contents = staged.contents;
    let prepared = prepare(&contents, policy, store);
    let journal = match prepared {
        Ok(journal) => journal,
        Err(refused) => {
            store.remove(CURRENT).map_err(failed)?;
            return Err(refused);
        }
    };
    at(Step::ApplyJournalled);
    let started = clock::text(clock::now());
    memory.start(Application {
        proposal: contents.proposal.clone(),
        created: contents.created.clone(),
        stage: Stage::Started,
        before: contents.before.clone(),
        after: None,
        detail: None,
        commands: Vec::new(),
        started: started.clone(),
        at: started,
    });
    memory.save(store).map_err(|error| Refused::new("warden", format!("the start cannot be remembered: {error}")))?;
    at(Step::ApplyMarked);
    Ok(WardenAnswer::Outcome(started_application(&contents, journal, policy, store, lock)?))
}

/// Whether the token is for what is staged now.
fn permitted(verified: &Verified, store: &Store) -> Result<Staged, Refused> {
    let no = |text: &str| Err(Refused::new("no-token", text));
    let staged = Staged::load(store, STAGED).map_err(|error| Refused::because("no-token", &error))?;
    let (Some(staged), Some(token)) = (staged, verified.token()) else {
        return no("nothing is staged, or it was applied already");
    };
    let boot = clock::boot().map_err(|error| Refused::because("no-token", &error))?;
    if staged.contents.proposal != verified.sealed().id() || token.proposal != staged.contents.proposal {
        return no("something else is staged");
    }
    if token.nonce != staged.nonce {
        return no("the token is for another staging");
    }
    if token.staged != staged.contents.digest()? {
        return no("the token is for another set than the one that is staged");
    }
    if staged.boot != boot || clock::since_boot() >= staged.until {
        return no("the staging is too old");
    }
    Ok(staged)
}

/// The last look before it is spent: halted since, in use, moved since, changed on the disk.
fn prepare(contents: &Contents, policy: &Policy, store: &Store) -> Result<Journal, Refused> {
    let failed = |error: std::io::Error| Refused::because("warden", &error);
    let home = store.path(CURRENT);
    if let Some(reason) = judge::busy(policy, &home) {
        return Err(Refused::new("runner-busy", reason));
    }
    unmoved(contents)?;
    only_way_back(contents).map_err(|why| Refused::new("irreversible", why))?;
    fetch::unchanged(&home, contents.incoming.iter().chain(&contents.outgoing))?;
    let (problems, _) = Dnf { generation: contents.generation(), home: &home }.problems().map_err(failed)?;
    store.reserve().map_err(failed)?;
    at(Step::ApplyChecked);
    let journal = Journal {
        boot: clock::boot().map_err(failed)?,
        deadline: None,
        begun: false,
        undo: None,
        beyond: None,
        snapshot: None,
        problems,
        audit: verdict::audit_mark(),
        kept: policy.paths.clone(),
        undrain: policy.undrain.clone(),
    };
    journal.save(store).map_err(failed)?;
    // What is spent is never without what undoes it: nobody has synced the files that dnf fetched.
    store.sync().map_err(failed)?;
    Ok(journal)
}

/// The machine is as it was when it was staged.
fn unmoved(contents: &Contents) -> Result<(), Refused> {
    let record = observe::record().map_err(|failure| Refused::new("state-moved", failure.message))?;
    let seen = observe::whole(&record, clock::now())?;
    stage::idle(&seen)?;
    let now = set::of(&observe::read(&seen.packages)?.list);
    let moved = set::differences(&contents.former, &now);
    if !moved.is_empty() {
        return Err(Refused::new("state-moved", format!("since it was staged: {}", set::sentence(&moved))));
    }
    if stage::base(&seen)? != contents.base {
        return Err(Refused::new("state-moved", "the configuration of dnf changed since it was staged"));
    }
    Ok(())
}

/// Where people approved that only a snapshot leads back, there can be one.
fn only_way_back(contents: &Contents) -> Result<(), String> {
    match contents.way_back {
        WayBackKind::Snapshot if !snapshot::is_there() => {
            Err("only a snapshot leads back, and snapper is not configured any more".to_owned())
        }
        _ => Ok(()),
    }
}

/// Everything after the proposal is spent.
fn started_application(
    contents: &Contents,
    mut journal: Journal,
    policy: &Policy,
    store: &Store,
    lock: &Lock,
) -> Result<Application, Refused> {
    let mut records = Records::new();
    let judged = match carry_out(contents, &mut journal, policy, store, lock, &mut records) {
        Ok(()) => verdict::judge(contents, &journal, store, &mut records),
        Err(why) => Err(why),
    };
    let judged = judged.and_then(|()| {
        at(Step::ApplyJudged);
        journal.beyond = Some(Scope::default());
        journal.deadline = Some(clock::since_boot().saturating_add(policy.confirm_within.as_secs()));
        journal.save(store).map_err(|error| format!("it cannot be written down: {error}"))
    });
    match judged {
        Ok(()) => {
            let saved = settle::write(store, |application| {
                application.stage = Stage::Unconfirmed;
                application.after = Some(contents.after.clone());
                application.commands.extend(records.iter().cloned());
            });
            match saved {
                Ok(application) => {
                    at(Step::ApplyWaiting);
                    Ok(application)
                }
                Err(why) => undo::undo(store, lock, &why.message, records),
            }
        }
        Err(why) => undo::undo(store, lock, &why, records),
    }
}

fn carry_out(
    contents: &Contents,
    journal: &mut Journal,
    policy: &Policy,
    store: &Store,
    lock: &Lock,
    records: &mut Records,
) -> Result<(), String> {
    watch::arm(&policy.state_dir).map_err(|error| format!("the undo cannot be armed: {error}"))?;
    at(Step::ApplyArmed);
    let home = store.path(CURRENT);
    drain::drain(policy, &home, records)?;
    at(Step::ApplyDrained);
    only_way_back(contents)?;
    if snapshot::is_there() {
        let taken = snapshot::take(&home, &contents.proposal);
        let (number, ran) = taken.map_err(|error| format!("no snapshot can be taken: {error}"))?;
        records.push(ran.record.clone());
        journal.snapshot = number;
        if number.is_none() {
            return Err(format!("no snapshot can be taken: {}", ran.words()));
        }
        journal.save(store).map_err(|error| format!("it cannot be written down: {error}"))?;
    }
    at(Step::ApplySnapshot);
    let file = |nevra: &str| {
        let file = contents.incoming.iter().find(|file| file.nevra == nevra)?;
        Some(home.join(&file.file).to_string_lossy().into_owned())
    };
    let moves = moves(&contents.transaction.rpms, file).map_err(|refused| refused.message)?;
    let directory = store.fresh(&format!("{CURRENT}/replay")).map_err(|error| error.to_string())?;
    // Drain and snapshot may have taken an hour: people stop things, and jobs install things.
    if let Some(reason) = judge::halted(policy) {
        return Err(format!("halted before dnf began: {reason}"));
    }
    unmoved(contents).map_err(|refused| format!("before dnf began: {}", refused.message))?;
    journal.begun = true;
    journal.save(store).map_err(|error| format!("it cannot be written down: {error}"))?;
    at(Step::ApplyBegun);
    let dnf = Dnf { generation: contents.generation(), home: &home };
    let ran = dnf.replay(&moves, Way::Forward, &directory, lock);
    let ran = ran.map_err(|error| format!("dnf cannot be run: {error}"))?;
    records.push(ran.record.clone());
    at(Step::ApplyReplayed);
    verdict::said(&ran)
}
