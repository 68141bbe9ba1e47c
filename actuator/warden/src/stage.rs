//! Stage: resolve, fetch, check. Nothing but the warden's own directory changes.

use crate::clock;
use crate::config::Policy;
use crate::dnf::{Dnf, Records, moves};
use crate::faults::{Step, at};
use crate::judge::{self, Admitted};
use crate::memory::Memory;
use crate::refused::Refused;
use crate::set::{self, Instance};
use crate::snapshot;
use crate::staged::{Contents, PackageFile, STAGED, STAGING, Staged};
use crate::store::Store;
use crate::{fetch, observe};
use countersign_manifests_schema::proposal::{Proposal, WayBackKind};
use countersign_manifests_schema::warden::WardenAnswer;
use countersign_shared::observation::Observation;
use countersign_shared::proposal::{Predicted, base_digest, configuration_digest, named_digest};

/// Seconds on CLOCK_BOOTTIME for which a staging may be applied.
pub(crate) const LASTS: u64 = 600;

/// Answers to `stage`. The lock is held.
pub(crate) fn stage(bundle: &str, policy: &Policy, store: &Store) -> Result<WardenAnswer, Refused> {
    let memory = Memory::load(store)?;
    let admitted = judge::admit(bundle, policy, &memory, false)?;
    let failed = |error: std::io::Error| Refused::new("warden", format!("the staging cannot be made: {error}"));
    // A new staging ends the one before, whatever becomes of it.
    store.remove(STAGED).map_err(failed)?;
    store.remove("work").map_err(failed)?;
    let directory = store.fresh(STAGING).map_err(failed)?;
    store.reserve().map_err(failed)?;
    if let Some(reason) = judge::busy(policy, &directory) {
        return Err(Refused::new("runner-busy", reason));
    }
    at(Step::StageJudged);
    let mut records = Records::new();
    let contents = contents(&admitted, store, &mut records)?;
    at(Step::StageFetched);
    let digest = contents.digest()?;
    let nonce = observe::nonce()?;
    let boot = clock::boot().map_err(failed)?;
    let staged = Staged { nonce: nonce.clone(), boot, until: clock::since_boot() + LASTS, contents };
    staged.save(store, STAGING).map_err(failed)?;
    at(Step::StageWritten);
    store.rename(STAGING, STAGED).map_err(failed)?;
    Ok(WardenAnswer::Staged { nonce, staged: digest, lasts: LASTS, commands: records })
}

fn contents(admitted: &Admitted, store: &Store, records: &mut Records) -> Result<Contents, Refused> {
    let sealed = admitted.verified().sealed();
    let proposal = sealed.proposal();
    let record = observe::record().map_err(|failure| {
        let code = if failure.code.contains("busy") { "dnf-busy" } else { "state-moved" };
        Refused::new(code, failure.message)
    })?;
    let seen = observe::whole(&record, clock::now())?;
    idle(&seen)?;
    let packages = &observe::read(&seen.packages)?.list;
    let generation = observe::read(&seen.dnf)?.generation;
    if generation != proposal.transaction.generation {
        let text = format!("it was resolved by dnf{}, and here is dnf{generation}", proposal.transaction.generation);
        return Err(Refused::new("transaction-differs", text));
    }
    let base = base(&seen)?;
    let predicted = Predicted::new(packages, &proposal.transaction)
        .map_err(|error| Refused::new("state-moved", error.to_string()))?;
    let before = countersign_shared::observation::set_digest(packages);
    unmoved(proposal, &seen, &base, &before, &predicted)?;

    let directory = store.path(STAGING);
    let former = set::of(packages);
    let home = store.path("");
    let dnf = Dnf { generation, home: &home };
    let incoming = fetch::incoming(&dnf, &directory, &proposal.transaction, records)?;
    let file = |nevra: &str| {
        let file = incoming.iter().find(|file| file.nevra == nevra)?;
        Some(directory.join(&file.file).to_string_lossy().into_owned())
    };
    let moves = moves(&proposal.transaction.rpms, file)?;
    let work = store.fresh("work").map_err(|error| Refused::because("warden", &error))?;
    dnf.resolve(&moves, &work, records)?;
    let (outgoing, missing) =
        fetch::outgoing(&dnf, &directory, &fetch::leaving(&proposal.transaction, &former), records)?;
    way_back(proposal.way_back.kind, &missing)?;
    let wanted = with_headers(set::of(predicted.packages()), &former, &incoming);
    Ok(Contents {
        proposal: sealed.id().to_owned(),
        created: proposal.created.clone(),
        transaction: proposal.transaction.clone(),
        way_back: proposal.way_back.kind,
        base,
        former,
        before,
        wanted,
        after: predicted.set_digest(),
        incoming,
        outgoing,
    })
}

/// The digest of everything that a plan rests on, to compare with the proposal's `base`.
pub(crate) fn base(seen: &Observation<'_>) -> Result<String, Refused> {
    let configuration = configuration_digest(seen)
        .map_err(|section| Refused::new("state-moved", format!("{section} could not be read")))?;
    let packages = observe::read(&seen.packages)?;
    Ok(base_digest(&packages.list, observe::read(&seen.os)?.arch, &configuration))
}

/// Nobody else is installing anything.
pub(crate) fn idle(seen: &Observation<'_>) -> Result<(), Refused> {
    match observe::read(&seen.locks)?.first() {
        Some(lock) => Err(Refused::new("dnf-busy", format!("{} is held", lock.path))),
        None => Ok(()),
    }
}

/// The machine is as the proposal says: all of it, or at least what it names and the configuration of dnf.
fn unmoved(
    proposal: &Proposal,
    seen: &Observation<'_>,
    base: &str,
    before: &str,
    predicted: &Predicted<'_>,
) -> Result<(), Refused> {
    let moved = |text: &str| Err(Refused::new("state-moved", text));
    if before == proposal.base.set_digest && predicted.set_digest() != proposal.predicted.set_digest {
        return Err(Refused::new("transaction-differs", "its transaction does not lead to the set that it predicts"));
    }
    if base == proposal.base.digest {
        return Ok(());
    }
    let (Some(named), Some(configuration)) = (&proposal.base.named, &proposal.base.configuration) else {
        return moved("something is not as when it was proposed, and it does not tell what it builds on");
    };
    let now = configuration_digest(seen)
        .map_err(|section| Refused::new("state-moved", format!("{section} could not be read")))?;
    if *configuration != now {
        return moved("the configuration of repositories and dnf, or a version lock, is not as when it was proposed");
    }
    let packages = &observe::read(&seen.packages)?.list;
    if *named != named_digest(packages, &proposal.drift, &proposal.transaction) {
        return moved("a package that it names is not as when it was proposed");
    }
    Ok(())
}

/// Everything that goes can come back, by its package or, where people approved that, by a snapshot.
fn way_back(kind: WayBackKind, missing: &[String]) -> Result<(), Refused> {
    if missing.is_empty() {
        return Ok(());
    }
    let text = format!("{} cannot be fetched as it is installed", missing.join(", "));
    match kind {
        WayBackKind::Snapshot if snapshot::is_there() => Ok(()),
        WayBackKind::Snapshot => Err(Refused::new("irreversible", format!("{text}, and snapper is not configured"))),
        WayBackKind::Packages | WayBackKind::None => Err(Refused::new("irreversible", text)),
    }
}

/// The predicted set with the headers of what comes.
fn with_headers(mut wanted: Vec<Instance>, former: &[Instance], incoming: &[PackageFile]) -> Vec<Instance> {
    for instance in &mut wanted {
        if let Some(file) = incoming.iter().find(|file| file.nevra == instance.nevra) {
            instance.header.clone_from(&file.header);
        }
        // Whether it may be there several times is known of what is installed only.
        if let Some(before) = former.iter().find(|before| before.name_arch() == instance.name_arch()) {
            instance.install_only = before.install_only;
        }
    }
    wanted.sort();
    wanted
}
