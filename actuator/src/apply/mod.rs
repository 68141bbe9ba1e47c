//! `apply`: what every gate lets pass is handed to the wardens, in waves, and brought to an end: applied or undone.
//!
//! | file | what |
//! |---|---|
//! | `bounded` | what others say, up to a size |
//! | `case` | one proposal and what its gates ask for |
//! | `wave` | in which order |
//! | `warden`, `reach` | the runner's warden: asked, and that our key gets nothing else |
//! | `one` | one application, step by step |
//! | `book` | ledger and notary: recorded, permitted, ended |
//! | `settle`, `verdict` | kept or undone, by what we see ourselves |
//! | `chase` | what a runner did when its answer was lost |
//! | `recover` | what an earlier run began |
//! | `keep` | the copy of the ledger on another machine |
//! | `brake` | the first failure, or a person, stops a run |
//! | `standing` | what the ledger says of each proposal |
//! | `witness` | what wardens remember, for `ledger verify` |
//! | `step` | every boundary, for tests that stop the program there |

mod book;
mod bounded;
mod brake;
mod case;
mod chase;
mod keep;
mod one;
mod progress;
mod reach;
mod recover;
mod run;
mod settle;
mod standing;
mod step;
mod verdict;
mod warden;
mod wave;
mod witness;

pub use progress::Progress;
pub(crate) use run::result_of;
pub use step::Step;
pub(crate) use witness::remembered;

use crate::bounds;
use crate::config::Config;
use crate::facts::{Candidate, Reach, TokenFact};
use crate::flow;
use crate::gates::Judgement;
use crate::gather::{self, From, Gathered};
use crate::halt::{self, Halt};
use crate::stop::{Done, Stop};
use book::Book;
use brake::{Brake, Signals};
use case::Case;
use countersign_manifests_schema::ledger::Event;
use countersign_manifests_schema::plan::{HaltedAt, PLAN_SCHEMA, PlanDocument, PlannedProposal};
use countersign_shared::exit::Outcome;
use countersign_shared::observation::Failure;
use countersign_shared::ssh::{Identity, IdentityError, ssh_key};
use countersign_shared::state_lock::StateLock;
use countersign_shared::terminal::{Failure as Said, Screen};
use futures_util::{StreamExt as _, stream};
use jiff::Timestamp;
use run::Run;
use standing::Start;
use std::cell::RefCell;
use warden::Wardens;

/// Applies the proposals that are named, or all that are merged and ready.
pub fn apply(config: &Config, ids: &[String], screen: Screen, progress: Progress) -> Result<Done, Stop> {
    let mut notices = bounds::settle(bounds::of_files(config), &config.trust)?;
    let _lock = StateLock::take(&config.state_dir)?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Stop::of(Outcome::Failed, "runtime", &error))?;
    let signals = {
        let _within = runtime.enter();
        Signals::listen()?
    };
    let book = RefCell::new(Book::open(config, Timestamp::now().as_second())?);
    let was_halted = !halt::read(&config.halt_file()).lets_pass();
    let mut gathered = self::gathered(config, ids, &book)?;
    let was_reset = book.borrow_mut().record_reset(gathered.reset.as_ref())?;
    if was_reset {
        gathered = self::gathered(config, ids, &book)?;
    }
    notices.extend(bounds::settle(bounds::of_credentials(config, &gathered)?, &config.trust)?);
    notices.extend(gathered.trust.iter().cloned());
    let brake = Brake::default();
    let expected = case::expected(config)?;
    let work = async {
        let identity = identity(config, &gathered).await?;
        let wardens = Wardens::new(config, identity, &gathered.spec.canonical.fleet).map_err(unusable)?;
        let breaker = &gathered.world.policy.breaker;
        let notices = RefCell::default();
        let run = Run {
            config,
            wardens: &wardens,
            book: &book,
            brake: &brake,
            progress,
            expected: &expected,
            breaker,
            notices,
        };
        let whole = everything(&run, ids, &gathered).await?;
        Ok::<_, Stop>((whole, run.notices.into_inner()))
    };
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => Some(done),
            () = signals.pull(&brake, &progress) => None,
        }
    });
    let Some(done) = done else { return Err(Stop::invalid("bug", "the run ended before its work")) };
    if !was_halted {
        record_halt(config, &book);
    }
    // Also when the run has failed: what is recorded is recorded.
    let not_kept = keep::keep(config);
    let (Whole { mut rows, left_out, halted }, more) = done?;
    notices.extend(not_kept);
    notices.extend(more);
    notices.dedup();
    rows.sort_by(|a, b| (&a.runner, &a.id).cmp(&(&b.runner, &b.id)));
    let outcome = rows.iter().map(recover::outcome).collect::<Outcome>().max(flow::halt_outcome(&halted));
    let document = PlanDocument { schema: PLAN_SCHEMA.to_owned(), halted, proposals: rows, trust: notices, left_out };
    Ok(Done { outcome, text: flow::shown(&document, screen), json: flow::json(&document)? })
}

/// What came of a run.
struct Whole {
    rows: Vec<PlannedProposal>,
    left_out: usize,
    /// By what was gathered last.
    halted: Vec<HaltedAt>,
}

/// What was begun first, then what is ready.
async fn everything(run: &Run<'_, '_>, ids: &[String], gathered: &Gathered) -> Result<Whole, Stop> {
    let open: Vec<Start> = run.book.borrow().standing().under_way().into_iter().cloned().collect();
    let mut rows = Vec::new();
    for start in &open {
        rows.push(run.recover(gathered, start).await?);
    }
    run.book.borrow().tell_again().map_err(|why| Stop::new(Outcome::Failed, Said::new("notary", why)))?;
    // What came of it may be what others are judged by.
    let again = if open.is_empty() { None } else { Some(self::gathered(run.config, ids, run.book)?) };
    let last = again.as_ref().unwrap_or(gathered);
    let left_out = in_waves(run, ids, last, &mut rows).await?;
    Ok(Whole { rows, left_out, halted: flow::halted(&last.world.halts) })
}

async fn in_waves(
    run: &Run<'_, '_>,
    ids: &[String],
    gathered: &Gathered,
    rows: &mut Vec<PlannedProposal>,
) -> Result<usize, Stop> {
    let mut left_out = gathered.left_out;
    let mut ready = Vec::new();
    for candidate in &gathered.candidates {
        if rows.iter().any(|row| row.id == candidate.id) {
            continue;
        }
        let case = Case::new(gathered, candidate)?;
        let held = run.book.borrow().standing().under_way().iter().any(|start| start.runner == candidate.runner);
        let judgement = case.judge(&Reach::Unasked("it has not been asked yet".to_owned()), &TokenFact::NotYet);
        match judgement.refusal() {
            None if held => {
                let why = format!("what was begun on {} has no end", candidate.runner);
                rows.push(run.refused(candidate, &judgement, Some(why)));
            }
            None => ready.push(case),
            Some(_) if ids.is_empty() && flow::is_settled(&judgement) => left_out += 1,
            Some(_) => rows.push(refused(run, candidate, &judgement)),
        }
    }
    let at_once = run.breaker.runners_at_once.max(1) as usize;
    for (number, wave) in wave::waves(ready, |case| case.runner().map_or(u32::MAX, |runner| runner.wave)) {
        run.progress.note(&format!("wave {number}: {} to do, {at_once} at once", wave.len()));
        let mut applied = stream::iter(&wave).map(|case| run.apply(case)).buffer_unordered(at_once);
        let mut failed = None;
        // After a failure what is in hand is still brought to its end.
        while let Some(row) = applied.next().await {
            match row {
                Ok(row) => rows.push(row),
                Err(stop) => {
                    run.brake.stop("a runner's part of the run failed");
                    failed.get_or_insert(stop);
                }
            }
        }
        if let Some(stop) = failed {
            return Err(stop);
        }
    }
    Ok(left_out)
}

/// Whoever has set a halt during the run could not record it: the ledger is ours. A record that fails is no halt that
/// fails.
fn record_halt(config: &Config, book: &RefCell<Book<'_>>) {
    let Halt::Set(reason) = halt::read(&config.halt_file()) else { return };
    if let Err(stop) = book.borrow_mut().append(Event::Halted { reason }) {
        tracing::warn!("the halt is not recorded in the ledger: {}", stop.words());
    }
}

fn refused(run: &Run<'_, '_>, candidate: &Candidate, judgement: &Judgement) -> PlannedProposal {
    run.refused(candidate, judgement, None)
}

fn gathered(config: &Config, ids: &[String], book: &RefCell<Book<'_>>) -> Result<Gathered, Stop> {
    let now = Timestamp::now().as_second();
    gather::gather_with(config, From::Remotes, ids, now, Some(book.borrow().standing().past()))
}

/// The key file, or the agent's key among those that are declared for the actuator.
async fn identity(config: &Config, gathered: &Gathered) -> Result<Identity, Stop> {
    let ssh = &config.ssh;
    let identity = match &ssh.key {
        Some(key) => Identity::from_files(key, ssh.certificate.as_deref()),
        None => {
            let declared = gathered.spec.canonical.fleet.keys.actuator_ssh.iter();
            let declared: Vec<_> =
                declared.filter_map(|key| ssh_key::PublicKey::from_openssh(&key.to_string()).ok()).collect();
            of_agent(&declared, ssh.certificate.as_deref()).await
        }
    };
    identity.map_err(|error| Stop::of(Outcome::Failed, "auth", &error).hint(error.hint()))
}

async fn of_agent(
    declared: &[ssh_key::PublicKey],
    certificate: Option<&std::path::Path>,
) -> Result<Identity, IdentityError> {
    Identity::from_agent(&Identity::agent_socket()?, declared, certificate).await
}

fn unusable(failure: Failure) -> Stop {
    Stop::new(Outcome::Invalid, Said::new(failure.code, failure.message))
}
