//! `dnf-busy`: dnf or rpm is at work.

use super::Verdict;
use crate::facts::Facts;
use countersign_shared::observation::Section;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let observation = match facts.answered().map(|answered| &answered.observation) {
        Err(why) => return Verdict::Skipped(why),
        Ok(Err(failure)) if matches!(failure.code.as_str(), "dnf-busy" | "changing") => {
            return Verdict::refuse(&failure.message);
        }
        Ok(Err(failure)) => return Verdict::refuse(format!("not known: {}", failure.message)),
        Ok(Ok(observation)) => observation,
    };
    let busy = [
        observation.packages.failure(),
        observation.repos.failure(),
        observation.versionlocks.failure(),
        observation.history.failure(),
    ];
    if let Some(failure) = busy.into_iter().flatten().find(|failure| failure.code == "dnf-busy") {
        return Verdict::refuse(&failure.message);
    }
    match &observation.locks {
        Section::Seen(locks) => match locks.first() {
            Some(lock) => Verdict::refuse(format!("{} is held", lock.path)),
            None => Verdict::pass("no lock of dnf or rpm is held"),
        },
        Section::Failed(failure) => Verdict::refuse(format!("not known: {}", failure.message)),
    }
}
