//! What canonical said before, as far as the rows of a run ask for it. A past that cannot be read costs the dates that it
//! would have given, never the run.

use super::stop::Stop;
use crate::assess::{self, SpecChange};
use crate::canonical::since::{self, Until};
use crate::canonical::{LoadedCanonical, Source};
use crate::guard::{self, ManifestChange, RuleChange, reset_in, rule_changes};
use countersign_shared::drift::Drift;
use countersign_shared::drift::adoption::adopted_in;
use countersign_shared::git::{CommitId, GitError, Mirror};
use countersign_shared::manifest::effective::Effective;
use countersign_shared::observation::Observation;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Seconds over which changed manifests are counted.
const DAY: i64 = 24 * 60 * 60;

/// Canonical's past from one commit back.
pub(super) struct Past {
    tip: CommitId,
    versions: since::Past,
}

impl Past {
    /// Opens the mirror; nothing is read yet.
    pub(super) fn open(source: &Source, loaded: &LoadedCanonical) -> Result<Self, Stop> {
        let mirror = Mirror::open_or_create(&source.mirror)?;
        let versions = since::Past::new(mirror, loaded.commit).knowing(Arc::clone(&loaded.canonical));
        Ok(Self { tip: loaded.commit, versions })
    }

    /// For each item, the commit that made it drift. `judged_by` is the committer time of the commit by which the last
    /// run judged the runner: what the runner does not date was so then, or else came after it.
    pub(super) fn changes(
        &mut self,
        runner: &str,
        drift: &Drift,
        observation: &Observation<'_>,
        judged_by: Option<i64>,
    ) -> Vec<Option<SpecChange>> {
        let undated = judged_by.unwrap_or(observation.at);
        let Some(oldest) = drift.items.iter().map(|item| item.since.unwrap_or(undated)).min() else {
            return Vec::new();
        };
        match self.versions.versions(runner, Until::Time(oldest)) {
            Ok(versions) => assess::changes(&drift.items, observation, &versions, undated),
            Err(error) => {
                tracing::warn!(runner, "canonical's past cannot be read: {error}");
                vec![None; drift.items.len()]
            }
        }
    }

    /// How the manifest of a runner has changed since a commit, whatever dates the ones after it have; oldest first. A
    /// commit that is not found is older than all that is looked at.
    pub(super) fn rule_changes(&mut self, runner: &str, since: &str) -> Vec<RuleChange> {
        let until = CommitId::parse(since).map_or(Until::Beginning, Until::Commit);
        let versions = match self.versions.versions(runner, until) {
            Ok(versions) => versions.list,
            Err(error) => {
                tracing::warn!(runner, "canonical's past cannot be read: {error}");
                return Vec::new();
            }
        };
        let nothing = Effective::default();
        let mut changes = Vec::new();
        for pair in versions.windows(2).rev() {
            let [after, before] = pair else { continue };
            let effective = |version: &assess::Version| version.manifest.as_ref().map(|m| m.effective().clone());
            let (old, new) = (effective(before), effective(after));
            let message = CommitId::parse(&after.change.commit)
                .and_then(|id| self.versions.mirror().message(id))
                .unwrap_or_default();
            changes.extend(rule_changes(
                old.as_deref().unwrap_or(&nothing),
                new.as_deref().unwrap_or(&nothing),
                &after.change.commit,
                &adopted_in(&message, runner),
            ));
        }
        changes
    }

    /// What people have reset since a commit, by the messages of those after it. Nothing, where that commit is not found.
    pub(super) fn resets_since(&self, commit: &str) -> BTreeSet<guard::Code> {
        let collect = || {
            let mut codes = BTreeSet::new();
            for step in self.versions.mirror().first_parents(self.tip).take(since::COMMITS) {
                let step = step?;
                if step.id.to_string() == commit {
                    return Ok(codes);
                }
                codes.extend(reset_in(&self.versions.mirror().message(step.id)?));
            }
            Ok::<_, GitError>(BTreeSet::new())
        };
        collect().unwrap_or_else(|error| {
            tracing::warn!("canonical's past cannot be read: {error}");
            BTreeSet::new()
        })
    }

    /// Manifests that changed in the day before `now`, Unix seconds, or since the commit `seen` of the last report: whoever
    /// makes a commit chooses its date, but not when it is first seen.
    pub(super) fn manifest_changes(&self, now: i64, seen: Option<&str>) -> Vec<ManifestChange> {
        let collect = || {
            let mut changes = Vec::new();
            let mut is_new = seen.is_some();
            for commit in self.versions.mirror().first_parents(self.tip).take(since::COMMITS) {
                let commit = commit?;
                is_new &= seen != Some(commit.id.to_string().as_str());
                let at = if is_new { commit.committed_at.max(now) } else { commit.committed_at };
                // The first commit of a repository brings its manifests; nothing was there that could change.
                if commit.parents.is_empty() {
                    break;
                }
                if at > now - DAY {
                    let files = self.versions.mirror().changed_files(commit.id, "manifests")?;
                    changes.extend(files.into_iter().map(|file| ManifestChange { file, at }));
                }
            }
            Ok::<_, GitError>(changes)
        };
        collect().unwrap_or_else(|error| {
            tracing::warn!("canonical's past cannot be read: {error}");
            Vec::new()
        })
    }
}
