//! What the manifest says about the host itself in `[host]`, and locks that are held for too long.

use super::Code;
use super::finding::Finding;
use super::judge::Judge;
use super::since::Cause;
use crate::observation::{Lock, Repo};

/// Seconds for which a dnf or rpm lock may be held.
const LONGEST_LOCK: i64 = 6 * 60 * 60;

impl<'x> Judge<'x> {
    /// The enabled repositories, against a list that is not empty.
    pub(super) fn repositories(&mut self, repos: &[Repo<'_>]) {
        let wanted = &self.compiled.effective().host.repositories;
        let counts = |id: &str| !id.starts_with("_dnf_local");
        for repo in repos.iter().filter(|repo| repo.enabled && counts(repo.id)) {
            if !wanted.iter().any(|id| id == repo.id) {
                let seen = vec![repo.id.to_owned()];
                self.findings.push(Finding::host(Code::RepoEnabled, None, seen));
            }
        }
        for id in wanted.iter().filter(|id| counts(id)) {
            if !repos.iter().any(|repo| repo.enabled && repo.id == id) {
                let wanted = Some(id.clone());
                self.findings.push(Finding::host(Code::RepoDisabled, wanted, Vec::new()));
            }
        }
    }

    pub(super) fn selinux(&mut self, wanted: &str, mode: &str) {
        if wanted != mode {
            let wanted = Some(wanted.to_owned());
            self.findings.push(Finding::host(Code::Selinux, wanted, vec![mode.to_owned()]));
        }
    }

    /// Locks that have been held for too long at the time of the observation, Unix seconds.
    pub(super) fn stuck_locks(&mut self, locks: &[Lock<'_>], at: i64) {
        for lock in locks {
            if at.saturating_sub(lock.since) > LONGEST_LOCK {
                let seen = vec![lock.path.to_owned()];
                let finding = Finding::host(Code::StuckLock, None, seen);
                self.findings.push(finding.caused(Cause::At(lock.since, None)));
            }
        }
    }
}
