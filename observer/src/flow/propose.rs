//! Proposals: what would remove the drift of the newest comparison, by asking the runners' own solvers.

use super::compare::Manifests;
use super::nightly::newest;
use super::prepare::Desk;
use super::stop::Stop;
use super::{Done, onboard, tell};
use crate::canonical::LoadedCanonical;
use crate::cli::Progress;
use crate::config::Accept;
use crate::history::Run;
use crate::observe::{Asker, Targets};
use crate::plan;
use crate::propose::{Case, Member, Proposed, Shelf, barred, is_spent, standings};
use crate::report::Summary;
use countersign_manifests_schema::report::{DriftItem, DriftReport, Guard, Notice, RunnerReport, Status};
use countersign_shared::drift::{self, Code, Compiled};
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::manifest::policy::Policy;
use countersign_shared::observation::{Failure, Observation};
use countersign_shared::proposal::{Block, Blocked, Sealed, Standing, is_worth_keeping};
use countersign_shared::ssh::Limits;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use std::sync::Arc;

/// What is to be proposed.
#[derive(Debug, Clone, Copy, Default)]
pub struct Selection<'s> {
    /// Only for this runner.
    pub runner: Option<&'s str>,
    /// Only for these packages; empty = all.
    pub only: &'s [String],
    /// What was proposed before is not kept.
    pub anew: bool,
}

/// One proposal that is on the shelf now.
#[derive(Debug)]
pub(super) struct Made {
    sealed: Sealed,
    kept: bool,
}

/// What came of a run of proposing.
#[derive(Debug, Default)]
pub(super) struct Tally {
    made: Vec<Made>,
    /// Runners that could not be asked, and so may have a proposal that nothing is known of.
    unasked: Vec<String>,
}

/// Makes proposals for the newest comparison, and says so.
pub async fn propose(desk: Desk, selection: Selection<'_>, progress: &Progress) -> Result<Done, Stop> {
    let run = newest(desk.store.newest_reported()?, "diff")?;
    let mut report = newest(desk.store.report(&run)?, "diff")?;
    let loaded = desk.canonical_at(&report.canonical_commit).await?;
    if let Some(name) = selection.runner
        && loaded.canonical.fleet.runner(name).is_none()
    {
        return Err(onboard::no_such_runner(&loaded.canonical.fleet, name));
    }
    let mut desk = desk;
    let tally = make(&mut desk, &loaded, &run, &mut report, selection, progress).await?;
    desk.store.amend_report(&run, &report)?;
    let context = tell::context(&desk, &loaded, &run, &report)?;
    tell::write(&desk, &report, &context).map_err(|error| Stop::of(Outcome::Failed, "report", error.as_ref()))?;
    let unasked = if tally.unasked.is_empty() { Outcome::Clean } else { Outcome::NotObserved };
    let outcome = [Summary::of(&report, &context).outcome(), unasked].into_iter().collect();
    let shelf = Shelf::new(&desk.config.state_dir);
    Ok(Done { outcome, text: text(&report, &tally, selection, &shelf), json: json(&report, &tally, selection, &shelf) })
}

/// Makes proposals, puts them on the shelf, and fills `proposal` and `blocked` in the report.
pub(super) async fn make(
    desk: &mut Desk,
    loaded: &LoadedCanonical,
    run: &Run,
    report: &mut DriftReport,
    selection: Selection<'_>,
    progress: &Progress,
) -> Result<Tally, Stop> {
    let asker = asker(desk, loaded).await?;
    let manifests = Manifests::new(&loaded.canonical)?;
    let shelf = Shelf::new(&desk.config.state_dir);
    let shelved = |error: &crate::propose::ShelfError| Stop::of(Outcome::Failed, "proposals", error);
    let now = Timestamp::now();
    let mut tally = Tally::default();
    let mut jobs = Vec::new();
    for (index, row) in report.runners.iter_mut().enumerate() {
        let Some(runner) = loaded.canonical.fleet.runner(&row.name) else { continue };
        if row.status != Status::Observed || selection.runner.is_some_and(|name| name != row.name) {
            continue;
        }
        if row.drift.iter().any(|item| item.remediable) {
            jobs.push((index, runner));
        } else {
            row.proposal = None;
            shelf.clear(&row.name).map_err(|error| shelved(&error))?;
        }
    }
    progress.begin(jobs.len());
    let asked = {
        let (rows, guards): (&[RunnerReport], &[Guard]) = (&report.runners, &report.guards);
        let (store, commit, asker) = (&desk.store, &report.canonical_commit, &asker);
        let limits = Limits { deadline: desk.config.ssh.run_timeout.as_duration(), ..Limits::default() };
        let plain_exec = desk.config.trust.accepts(Accept::PlainExec);
        let (canonical, manifests) = (&loaded.canonical, &manifests);
        // One is read when there is room to ask: no more answers are in memory than questions under way.
        let questions = futures_util::stream::iter(jobs).map(|(index, runner)| {
            let row = &rows[index];
            let earlier = row.drift.iter().any(|item| item.code == Code::OutOfBand.as_str());
            let prepared = (|| {
                let stored = store.outcome(run.id, &runner.name)?;
                let earlier = if earlier { store.answer_before(run.id, &runner.name)? } else { None };
                let before = shelf.get(&runner.name).map_err(|error| shelved(&error))?;
                let standings = standings(store, run, &runner.name, &row.drift, canonical.policy.settle)?;
                Ok::<_, Stop>((stored, earlier, before, standings))
            })();
            let question = prepared.map(|(stored, earlier, before, standings)| Question {
                runner,
                commit,
                compiled: manifests.of(canonical, runner),
                policy: &canonical.policy,
                only: selection.only,
                anew: selection.anew,
                barred: barred(&runner.name, guards),
                now,
                at: stored.as_ref().map_or(0, |stored| stored.at),
                record: stored.and_then(|stored| stored.answer.ok()).map(|answer| answer.record),
                earlier: earlier.and_then(|e| e.answer.ok()).map(|answer| (answer.record, answer.full_at)),
                reported: &row.drift,
                before,
                standings,
            });
            async move {
                match question {
                    Ok(question) => Ok((index, question.ask(asker, plain_exec, limits).await)),
                    Err(stop) => Err(stop),
                }
            }
        });
        let mut asked = Vec::new();
        let mut questions = questions.buffer_unordered(desk.config.ssh.parallel);
        while let Some(answer) = questions.next().await {
            asked.push(answer?);
            progress.show(asked.len(), 0, 0);
        }
        asked
    };
    progress.end();
    for (index, answered) in asked {
        let row = &mut report.runners[index];
        enter(row, &answered, &shelf, now, &mut tally).map_err(|error| shelved(&error))?;
    }
    if selection.runner.is_none() {
        report.risks = super::risks::risks(desk, loaded, run, report, &asker, &manifests).await?;
    }
    tally.made.sort_by(|a, b| a.sealed.proposal().runner.cmp(&b.sealed.proposal().runner));
    tally.unasked.sort();
    Ok(tally)
}

async fn asker<'d>(desk: &'d Desk, loaded: &LoadedCanonical) -> Result<Asker<'d>, Stop> {
    let identity = desk.identity(loaded).await?;
    let known_hosts = desk.known_hosts()?;
    let targets = Targets::new(&loaded.canonical.fleet, known_hosts.as_deref())
        .map_err(|failure| Stop::invalid(&failure.code, failure.message))?;
    Ok(Asker::new(&desk.config, identity, targets))
}

/// What is put to one runner, with everything that the judgement needs.
struct Question<'q> {
    runner: &'q Runner,
    commit: &'q str,
    compiled: Arc<Compiled>,
    policy: &'q Policy,
    only: &'q [String],
    anew: bool,
    barred: Option<Blocked>,
    now: Timestamp,
    at: i64,
    record: Option<String>,
    earlier: Option<(String, i64)>,
    reported: &'q [DriftItem],
    /// What was proposed before.
    before: Option<Sealed>,
    standings: Vec<Standing>,
}

/// What came of one runner: the proposal, and which of the reported items were looked at.
struct Answered {
    proposed: Proposed,
    /// The index in the report of each item, and what the judgement itself says against it.
    looked_at: Vec<(usize, Option<Blocked>)>,
    /// What was proposed before and may be kept: not what the runner says it has started.
    unspent: Option<Sealed>,
}

impl Question<'_> {
    async fn ask(&self, asker: &Asker<'_>, plain_exec: bool, limits: Limits) -> Answered {
        let (members, places, observation) = match self.members() {
            Ok(found) => found,
            Err(failure) => return self.unasked(&failure),
        };
        let case = Case {
            runner: &self.runner.name,
            commit: self.commit,
            compiled: &self.compiled,
            observation: &observation,
            members: &members,
            policy: self.policy,
            only: self.only,
            barred: self.barred.as_ref(),
            stored: self.before.as_ref(),
            now: self.now,
        };
        let lazily = Lazily::new(asker, self.runner, plain_exec, limits);
        let mut proposed = crate::propose::propose(&lazily, &case).await;
        lazily.close().await;
        for (index, _) in &mut proposed.blocked {
            *index = places[*index];
        }
        let looked_at = members.iter().zip(&places).filter(|(member, _)| case.is_asked_for(&member.item));
        let own = |member: &Member| member.item.blocked.as_ref().map(known);
        let unspent = self.before.as_ref().filter(|before| !self.anew && !is_spent(before, &observation)).cloned();
        Answered { looked_at: looked_at.map(|(member, place)| (*place, own(member))).collect(), proposed, unspent }
    }

    /// The items of the report as they are judged from what is stored, and their places there.
    fn members(&self) -> Result<(Vec<Member>, Vec<usize>, Observation<'_>), Failure> {
        let record = self.record.as_ref().ok_or_else(|| Failure::new("incomplete", "the answer is not stored"))?;
        let observation = Observation::parse(record, self.at)?;
        let earlier = self.earlier.as_ref().and_then(|(record, at)| Observation::parse(record, *at).ok());
        let drift = drift::drift_since(&self.compiled, &observation, earlier.as_ref())?;
        let mut members = Vec::new();
        let mut places = Vec::new();
        for item in drift.items {
            let same = |reported: &&DriftItem| {
                (&reported.package, &reported.arch) == (&item.package, &item.arch)
                    && reported.code == item.code.as_str()
                    && reported.seen == item.seen
            };
            let Some(place) = self.reported.iter().position(|reported| same(&reported)) else { continue };
            let standing = self.standings.get(place).copied().unwrap_or_default();
            members.push(Member { item, reported: self.reported[place].clone(), standing });
            places.push(place);
        }
        Ok((members, places, observation))
    }

    fn unasked(&self, failure: &Failure) -> Answered {
        let blocked = Blocked::new(Block::Busy, format!("{} ({})", failure.message, failure.code));
        let open = self.reported.iter().enumerate().filter(|(_, item)| item.remediable && item.waived.is_none());
        let blocked = open.map(|(index, _)| (index, blocked.clone())).collect();
        let unspent = self.before.clone();
        Answered { proposed: Proposed { sealed: None, blocked, unasked: true }, looked_at: Vec::new(), unspent }
    }
}

fn known(failure: &Failure) -> Blocked {
    let code = match failure.code.as_str() {
        "reboot" => Block::Reboot,
        "reasons-unknown" => Block::ReasonsUnknown,
        "protected" => Block::Protected,
        _ => Block::Policy,
    };
    Blocked::new(code, &failure.message)
}

/// A connection that is opened with the first question: a runner on which nothing can be asked for is not reached.
pub(super) struct Lazily<'a> {
    asker: &'a Asker<'a>,
    runner: &'a Runner,
    plain_exec: bool,
    limits: Limits,
    session: tokio::sync::Mutex<Option<countersign_shared::ssh::Session>>,
}

impl<'a> Lazily<'a> {
    pub(super) fn new(asker: &'a Asker<'a>, runner: &'a Runner, plain_exec: bool, limits: Limits) -> Self {
        Self { asker, runner, plain_exec, limits, session: tokio::sync::Mutex::default() }
    }

    pub(super) async fn close(self) {
        if let Some(session) = self.session.into_inner() {
            session.close().await;
        }
    }
}

impl plan::Ask for Lazily<'_> {
    async fn put(
        &self,
        request: impl Fn(
            countersign_shared::observation::Nonce,
        ) -> Result<
            countersign_shared::observation::PlanRequest,
            countersign_shared::observation::RequestError,
        >,
    ) -> Result<String, Failure> {
        let mut session = self.session.lock().await;
        let session = match &mut *session {
            Some(session) => session,
            none => none.insert(self.asker.connect(self.runner).await?),
        };
        plan::Runner { session, plain_exec: self.plain_exec, limits: self.limits }.put(request).await
    }
}

/// Puts what came of a runner into its row and on the shelf.
fn enter(
    row: &mut RunnerReport,
    answered: &Answered,
    shelf: &Shelf,
    now: Timestamp,
    tally: &mut Tally,
) -> Result<(), crate::propose::ShelfError> {
    let notice = |blocked: &Blocked| Notice { code: blocked.code.to_string(), message: blocked.message.clone() };
    for (place, own) in &answered.looked_at {
        row.drift[*place].blocked = own.as_ref().map(notice);
    }
    for (place, blocked) in &answered.proposed.blocked {
        row.drift[*place].blocked = Some(notice(blocked));
    }
    let stored = answered.unspent.clone();
    let (sealed, kept) = match (&answered.proposed.sealed, stored) {
        (Some(fresh), Some(stored)) if is_worth_keeping(&stored, fresh, now) => (Some(stored), true),
        (Some(fresh), _) => {
            shelf.put(fresh)?;
            (Some(fresh.clone()), false)
        }
        // What was proposed before may still be right; the runner could not say.
        (None, stored) if answered.proposed.unasked => {
            tally.unasked.push(row.name.clone());
            (stored.filter(|stored| stored.proposal().expires > now.to_string()), true)
        }
        (None, _) => {
            shelf.clear(&row.name)?;
            (None, false)
        }
    };
    row.proposal = sealed.as_ref().map(|sealed| sealed.id().to_owned());
    tally.made.extend(sealed.map(|sealed| Made { sealed, kept }));
    Ok(())
}

fn text(report: &DriftReport, tally: &Tally, selection: Selection<'_>, shelf: &Shelf) -> String {
    let blocked = blocked(report, selection);
    let kept = tally.made.iter().filter(|made| made.kept).count();
    let (new, items) = (tally.made.len() - kept, blocked.len());
    let mut text = format!("Run {}: {new} new proposals, {kept} kept, {items} items blocked", report.run);
    text.push_str(&match tally.unasked.len() {
        0 => ".\n".to_owned(),
        n => format!(", {n} runners not asked.\n"),
    });
    for made in &tally.made {
        let proposal = made.sealed.proposal();
        let (id, drift, changes) = (made.sealed.id(), proposal.drift.len(), proposal.transaction.rpms.len());
        let word = if made.kept { "kept" } else { "new" };
        text.push_str(&tell::line(&format!("{}  {word}  {drift} items, {changes} changes", proposal.runner)));
        text.push_str(&tell::line(&format!(
            "    {}",
            shelf.directory(&proposal.runner, id).join("README.md").display()
        )));
    }
    for (runner, item, why) in blocked {
        let arch = item.arch.as_ref().map(|arch| format!(".{arch}")).unwrap_or_default();
        let package = item.package.as_deref().unwrap_or("host");
        let line = format!("{runner}  {package}{arch} {}: not proposed ({}): {}", item.code, why.code, why.message);
        text.push_str(&tell::line(&line));
    }
    text
}

fn blocked<'r>(report: &'r DriftReport, selection: Selection<'_>) -> Vec<(&'r str, &'r DriftItem, &'r Notice)> {
    let rows = report.runners.iter().filter(|row| selection.runner.is_none_or(|name| name == row.name));
    rows.flat_map(|row| row.drift.iter().filter_map(|item| Some((row.name.as_str(), item, item.blocked.as_ref()?))))
        .collect()
}

fn json(report: &DriftReport, tally: &Tally, selection: Selection<'_>, shelf: &Shelf) -> String {
    let proposals: Vec<_> = tally
        .made
        .iter()
        .map(|made| {
            let (runner, id) = (&made.sealed.proposal().runner, made.sealed.id());
            serde_json::json!({"runner": runner, "id": id, "kept": made.kept, "directory": shelf.directory(runner, id)})
        })
        .collect();
    let blocked: Vec<_> = blocked(report, selection)
        .into_iter()
        .map(|(runner, item, why)| {
            serde_json::json!({"runner": runner, "package": item.package, "arch": item.arch, "code": item.code, "blocked": why})
        })
        .collect();
    let document = serde_json::json!({
        "schema": "countersign/propose/1", "run": report.run, "proposals": proposals, "blocked": blocked,
        "unasked": tally.unasked,
    });
    format!("{document}\n")
}
