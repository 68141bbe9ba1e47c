//! The main job: observe, diff, report, propose, publish; together or one by one.

use super::compare::{Manifests, Rows};
use super::prepare::Desk;
use super::propose::{self, Selection};
use super::publish;
use super::stop::Stop;
use super::{Done, tell};
use crate::canonical::LoadedCanonical;
use crate::cli::Progress;
use crate::config::Config;
use crate::history::{Extras, HistoryError, Outcome as Row, Run, Store};
use crate::observe::{Asker, Question, Tally, Targets};
use countersign_manifests_schema::report::{DRIFT_REPORT_SCHEMA, DriftReport, Notice, Status, Step, StepStatus};
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::terminal::Screen;
use jiff::Timestamp;

/// Asks every runner and remembers the answers.
pub async fn observe(mut desk: Desk, progress: &Progress) -> Result<Done, Stop> {
    let (loaded, _) = desk.canonical().await?;
    let manifests = Manifests::new(&loaded.canonical)?;
    let run = desk.store.begin_run(Timestamp::now())?;
    let mut rows = Rows::new(&desk.config, &loaded, &manifests, &run)?;
    let tally = ask(&mut desk, &loaded, &manifests, &run, &mut rows, progress).await?;
    let mut runners = rows.runners;
    runners.sort_by(|a, b| a.name.cmp(&b.name));
    let said: Vec<_> = runners
        .iter()
        .map(|r| serde_json::json!({"name": r.name, "status": r.status, "error": r.error, "packages": r.packages, "warm": r.warm}))
        .collect();
    let document = serde_json::json!({"schema": "countersign/observe/1", "run": run.name, "runners": said});
    let mut text = format!("Run {}: {} runners asked, {} failed.\n", run.name, tally.done, tally.failed);
    for runner in runners.iter().filter(|r| r.status == Status::Failed) {
        if let Some(error) = &runner.error {
            text.push_str(&tell::line(&format!("{}: {} ({})", runner.name, error.message, error.code)));
        }
    }
    Ok(Done { outcome: unobserved(tally.failed), text, json: format!("{document}\n") })
}

/// Compares the newest observations with canonical.
pub async fn diff(mut desk: Desk, all: bool, screen: Screen) -> Result<Done, Stop> {
    let (loaded, mut trust) = desk.canonical().await?;
    let run = newest(desk.store.newest_observed()?, "observe")?;
    let manifests = Manifests::new(&loaded.canonical)?;
    let mut rows = judge_stored(&desk.config, &loaded, &manifests, &run)?;
    trust.extend(rows.trust());
    let extras = extras(&loaded, &mut rows);
    let steps = vec![step("diff", None)];
    let report = conclude(&mut desk, &loaded, &run, rows, trust, steps, &extras)?;
    let context = tell::context(&desk, &loaded, &run, &report)?;
    Ok(tell::done(&report, &context, all, screen))
}

/// The rows of every runner by its stored answer. One runner has nothing to do with another, so every processor takes a
/// part of the fleet.
fn judge_stored<'a>(
    config: &Config,
    loaded: &'a LoadedCanonical,
    manifests: &'a Manifests,
    run: &Run,
) -> Result<Rows<'a>, Stop> {
    let runners = &loaded.canonical.fleet.runners;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let part = runners.len().div_ceil(threads).max(1);
    let judge = |part: &[Runner]| -> Result<Rows<'a>, Stop> {
        let store = Store::open(&config.state_dir)?;
        let mut rows = Rows::new(config, loaded, manifests, run)?;
        for runner in part {
            let mut row = store.outcome(run.id, &runner.name)?.unwrap_or_else(|| never_asked(&runner.name, run));
            rows.add(&store, runner, &mut row)?;
        }
        Ok(rows)
    };
    let mut all = Rows::new(config, loaded, manifests, run)?;
    std::thread::scope(|scope| {
        let mut parts = runners.chunks(part);
        let own = parts.next().unwrap_or_default();
        let others: Vec<_> = parts.map(|part| scope.spawn(|| judge(part))).collect();
        all.join(judge(own)?);
        for part in others {
            let rows = part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))?;
            all.join(rows);
        }
        Ok::<_, Stop>(())
    })?;
    Ok(all)
}

/// Writes the newest comparison to the report directory, and prints it.
pub async fn report(desk: Desk, all: bool, screen: Screen) -> Result<Done, Stop> {
    let run = newest(desk.store.newest_reported()?, "diff")?;
    let report = newest(desk.store.report(&run)?, "diff")?;
    let loaded = desk.canonical_at(&report.canonical_commit).await?;
    let context = tell::context(&desk, &loaded, &run, &report)?;
    tell::write(&desk, &report, &context).map_err(|error| Stop::of(Outcome::Failed, "report", error.as_ref()))?;
    Ok(tell::done(&report, &context, all, screen))
}

/// All of it. A run that fails before it has a report is told to the metrics all the same.
pub async fn nightly(mut desk: Desk, all: bool, screen: Screen, progress: &Progress) -> Result<Done, Stop> {
    let started = Timestamp::now();
    let result = run_all(&mut desk, all, screen, progress, started).await;
    if result.is_err() {
        tell::metrics(&desk, None, started).unwrap_or_else(|error| tracing::error!("{error:#}"));
    }
    result
}

async fn run_all(
    desk: &mut Desk,
    all: bool,
    screen: Screen,
    progress: &Progress,
    started: Timestamp,
) -> Result<Done, Stop> {
    let (loaded, mut trust) = desk.canonical().await?;
    let manifests = Manifests::new(&loaded.canonical)?;
    let run = desk.store.begin_run(started)?;
    let mut rows = Rows::new(&desk.config, &loaded, &manifests, &run)?;
    ask(desk, &loaded, &manifests, &run, &mut rows, progress).await?;
    trust.extend(rows.trust());
    let extras = extras(&loaded, &mut rows);
    let steps = ["observe", "diff", "report"].map(|name| step(name, None)).to_vec();
    let mut report = conclude(desk, &loaded, &run, rows, trust, steps, &extras)?;
    let stored = report.steps.clone();
    let context = tell::context(desk, &loaded, &run, &report)?;
    let written = tell::write(desk, &report, &context);
    if let Err(error) = &written {
        report.steps.pop();
        report.steps.push(step("report", Some(problem("report", error))));
    }
    // What a step ends with, beyond what the report shows of it.
    let mut outcome = Outcome::Clean;
    // Without a place to offer them in, nobody asked for proposals.
    if desk.config.proposed.is_some() {
        let made = propose::make(desk, &loaded, &run, &mut report, Selection::default(), progress).await;
        let proposed = made.is_ok();
        let failure = made.err().map(|stop| {
            outcome = outcome.and(stop.outcome);
            stop.notice()
        });
        report.steps.push(step("propose", failure));
        // Proposals that could not be made say nothing about those that were offered before.
        if proposed {
            let failure = match publish::offer_report(desk, &loaded, &report).await {
                Ok(offer) => {
                    report.trust.extend(offer.trust);
                    let say = |problem: Notice| format!("{}: {}", problem.code, problem.message);
                    let lines: Vec<String> = offer.problems.into_iter().map(say).collect();
                    (!lines.is_empty()).then(|| Notice { code: "publish".to_owned(), message: lines.join("; ") })
                }
                Err(stop) => {
                    outcome = outcome.and(stop.outcome);
                    Some(stop.notice())
                }
            };
            report.steps.push(step("publish", failure));
        } else {
            report.steps.push(Step { step: "publish".to_owned(), status: StepStatus::Skipped, error: None });
        }
        tell::write(desk, &report, &context).map_or_else(|error| tracing::error!("{error:#}"), drop);
    }
    if let Some(told) = tell::notify(desk, &report, &context, written.ok().as_ref()).await {
        report.steps.push(step("notify", told.err().map(|error| problem("notify", &error))));
        // What is on disk says what became of all steps.
        tell::write(desk, &report, &context).map_or_else(|error| tracing::error!("{error:#}"), drop);
    }
    if let Err(error) = tell::metrics(desk, Some((&report, &context)), started) {
        report.steps.push(step("metrics", Some(problem("metrics", &error))));
    }
    if desk.config.proposed.is_some() {
        desk.store.save_report(&run, &report, &extras, Timestamp::now())?;
    } else if report.steps != stored {
        // No item has changed since it was stored.
        desk.store.amend_report(&run, &report)?;
    }
    let dropped = desk.store.prune(desk.config.history.keep, Timestamp::now())?;
    tracing::info!(dropped, "old runs dropped");
    let done = tell::done(&report, &context, all, screen);
    Ok(Done { outcome: done.outcome.and(outcome), ..done })
}

async fn ask(
    desk: &mut Desk,
    loaded: &LoadedCanonical,
    manifests: &Manifests,
    run: &Run,
    rows: &mut Rows<'_>,
    progress: &Progress,
) -> Result<Tally, Stop> {
    let identity = desk.identity(loaded).await?;
    let fleet = &loaded.canonical.fleet;
    let known_hosts = desk.known_hosts()?;
    let targets =
        Targets::new(fleet, known_hosts.as_deref()).map_err(|failure| Stop::invalid(&failure.code, failure.message))?;
    let compiled: Vec<_> = fleet.runners.iter().map(|runner| manifests.of(&loaded.canonical, runner)).collect();
    let questions =
        fleet.runners.iter().zip(&compiled).map(|(runner, compiled)| Question { runner, names: compiled.listed() });
    progress.begin(fleet.runners.len());
    let asker = Asker::new(&desk.config, identity, targets);
    let look = |store: &_, runner: &_, row: &mut Row| -> Result<(), HistoryError> { rows.add(store, runner, row) };
    let asked = asker.fleet(&mut desk.store, run, questions, look, |tally| {
        progress.show(tally.done, tally.failed, tally.running);
    });
    let tally = tokio::select! {
        tally = asked => tally?,
        _ = tokio::signal::ctrl_c() => {
            progress.end();
            return Err(Stop::new(
                Outcome::Failed,
                countersign_shared::terminal::Failure::new("interrupted", "interrupted; the run is not counted"),
            ));
        }
    };
    progress.end();
    desk.store.finish_observing(run, Timestamp::now())?;
    Ok(tally)
}

/// What is stored beside the report, taken out of the rows.
fn extras(loaded: &LoadedCanonical, rows: &mut Rows<'_>) -> Extras {
    Extras { canonical_at: loaded.committed_at, footprints: std::mem::take(&mut rows.footprints) }
}

/// Puts the report together and stores it.
fn conclude(
    desk: &mut Desk,
    loaded: &LoadedCanonical,
    run: &Run,
    mut rows: Rows<'_>,
    trust: Vec<Notice>,
    steps: Vec<Step>,
    extras: &Extras,
) -> Result<DriftReport, Stop> {
    let guards = rows.guards(desk.store.found_before(run)?.as_ref());
    let mut report = DriftReport {
        schema: DRIFT_REPORT_SCHEMA.to_owned(),
        run: run.name.clone(),
        canonical_commit: loaded.commit.to_string(),
        runners: rows.runners,
        guards,
        trust,
        risks: Vec::new(),
        steps,
    };
    crate::report::put_in_order(&mut report);
    desk.store.save_report(run, &report, extras, Timestamp::now())?;
    Ok(report)
}

fn step(name: &str, error: Option<Notice>) -> Step {
    if let Some(Notice { code, message }) = &error {
        tracing::error!(step = name, code, "{message}");
    }
    let status = if error.is_some() { StepStatus::Failed } else { StepStatus::Ok };
    Step { step: name.to_owned(), status, error }
}

/// A failure of a step that has no code of its own.
fn problem(name: &str, error: &anyhow::Error) -> Notice {
    Notice { code: name.to_owned(), message: format!("{error:#}") }
}

pub(super) fn newest<T>(found: Option<T>, before: &str) -> Result<T, Stop> {
    found.ok_or_else(|| {
        Stop::invalid("nothing-stored", "there is nothing stored to work on")
            .hint(format!("run `countersign-observer {before}` first, or `nightly` for all of it"))
    })
}

/// A runner that came into the fleet after the run.
fn never_asked(name: &str, run: &Run) -> Row {
    let message = format!("it was not in the fleet when run {} was made", run.name);
    let failure = countersign_shared::observation::Failure::new("not-asked", message);
    Row { runner: name.to_owned(), at: run.started, answer: Err(failure) }
}

fn unobserved(failed: usize) -> Outcome {
    if failed > 0 { Outcome::NotObserved } else { Outcome::Clean }
}
