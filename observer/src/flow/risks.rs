//! What could not be brought back: asked of one runner of each group.

use super::compare::Manifests;
use super::prepare::Desk;
use super::stop::Stop;
use crate::canonical::LoadedCanonical;
use crate::config::Accept;
use crate::history::Run;
use crate::observe::Asker;
use crate::propose;
use countersign_manifests_schema::report::{DriftReport, Notice, Status};
use countersign_shared::observation::{Failure, Observation};
use countersign_shared::ssh::Limits;
use futures_util::StreamExt as _;
use jiff::Timestamp;

/// The risks of every group, by the first of its runners that was observed.
pub(super) async fn risks(
    desk: &Desk,
    loaded: &LoadedCanonical,
    run: &Run,
    report: &DriftReport,
    asker: &Asker<'_>,
    manifests: &Manifests,
) -> Result<Vec<Notice>, Stop> {
    let canonical = &loaded.canonical;
    let limits = Limits { deadline: desk.config.ssh.run_timeout.as_duration(), ..Limits::default() };
    let plain_exec = desk.config.trust.accepts(Accept::PlainExec);
    let mut questions = Vec::new();
    for group in canonical.fleet.groups.keys() {
        let observed = report.runners.iter().find(|r| r.status == Status::Observed && r.groups.contains(group));
        let Some(runner) = observed.and_then(|row| canonical.fleet.runner(&row.name)) else { continue };
        let stored = desk.store.outcome(run.id, &runner.name)?;
        let Some((record, at)) = stored.and_then(|stored| Some((stored.answer.ok()?.record, stored.at))) else {
            continue;
        };
        questions.push(async move {
            let compiled = manifests.of(canonical, runner);
            let unknown = |failure: &Failure| vec![propose::unknown(group, &runner.name, failure)];
            let observation = match Observation::parse(&record, at) {
                Ok(observation) => observation,
                Err(failure) => return unknown(&failure),
            };
            let case = propose::Case {
                runner: &runner.name,
                commit: &report.canonical_commit,
                compiled: &compiled,
                observation: &observation,
                members: &[],
                policy: &canonical.policy,
                only: &[],
                barred: None,
                stored: None,
                now: Timestamp::now(),
            };
            let ask = super::propose::Lazily::new(asker, runner, plain_exec, limits);
            let risks = propose::risks(&ask, &case, group).await;
            ask.close().await;
            risks
        });
    }
    let mut asked = futures_util::stream::iter(questions).buffered(desk.config.ssh.parallel);
    let mut risks = Vec::new();
    while let Some(own) = asked.next().await {
        risks.extend(own);
    }
    Ok(risks)
}
