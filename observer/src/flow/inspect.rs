//! Commands that look and say, and store nothing: `lint`, `preview`, `why`, `schema`.

use super::compare::{Manifests, Rows};
use super::prepare::{Desk, blocking};
use super::stop::Stop;
use super::{Done, tell};
use crate::assess;
use crate::canonical;
use crate::history::{Outcome as Row, Run};
use countersign_manifests_schema::SCHEMAS;
use countersign_manifests_schema::report::{DRIFT_REPORT_SCHEMA, DriftReport, Step, StepStatus};
use countersign_manifests_schema::why::{WHY_SCHEMA, WhyDocument};
use countersign_shared::diagnostic::{Diagnostic, Severity};
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::canonical::is_relevant;
use countersign_shared::observation::{Failure, Observation};
use countersign_shared::terminal::{self, Screen};
use std::collections::BTreeMap;
use std::path::Path;

/// Checks canonical as it is at the tip of its branch.
pub async fn lint(desk: Desk, show_policy: bool, screen: Screen) -> Result<Done, Stop> {
    let source = desk.source()?;
    match blocking(move || canonical::fetch_and_load(&source, None)).await? {
        Ok(loaded) => Ok(linted(Ok(&loaded.canonical), show_policy, screen)),
        Err(canonical::CanonicalError::Lint { diagnostics, .. }) => Ok(linted(Err(&diagnostics), show_policy, screen)),
        Err(error) => Err(error.into()),
    }
}

/// Checks a checked-out canonical.
pub fn lint_directory(directory: &Path, show_policy: bool, screen: Screen) -> Result<Done, Stop> {
    let files = read_directory(directory)?;
    Ok(match Canonical::load(&files) {
        Ok(canonical) => linted(Ok(&canonical), show_policy, screen),
        Err(diagnostics) => linted(Err(&diagnostics), show_policy, screen),
    })
}

fn linted(result: Result<&Canonical, &[Diagnostic]>, show_policy: bool, screen: Screen) -> Done {
    let problems = match result {
        Ok(canonical) => canonical.warnings(),
        Err(diagnostics) => diagnostics,
    };
    let errors = problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    let show = |problem| terminal::Failure::from(problem).text(screen.width, screen.palette);
    let mut text = problems.iter().map(show).collect::<Vec<_>>().join("\n");
    let policy = result.ok().filter(|_| show_policy).map(|canonical| canonical.policy.to_toml());
    if let Some(policy) = &policy {
        text.push_str(policy);
    } else if let Ok(canonical) = result {
        let (runners, manifests) = (canonical.fleet.runners.len(), canonical.manifests.len());
        text.push_str(&format!("canonical is in order: {runners} runners, {manifests} manifests\n"));
    }
    let listed: Vec<_> = problems
        .iter()
        .map(|problem| {
            let severity = if problem.severity == Severity::Error { "error" } else { "warning" };
            serde_json::json!({
                "severity": severity, "file": problem.file, "line": problem.line, "column": problem.column,
                "message": problem.message, "hint": problem.hint,
            })
        })
        .collect();
    let document = serde_json::json!({"schema": "countersign/lint/1", "problems": listed, "policy": policy});
    let outcome = if errors > 0 { Outcome::Invalid } else { Outcome::Clean };
    Done { outcome, text, json: format!("{document}\n") }
}

/// Reads what canonical may hold; links are not followed, as git does not.
fn read_directory(root: &Path) -> Result<BTreeMap<String, Vec<u8>>, Stop> {
    let failed =
        |path: &Path, error: &std::io::Error| Stop::invalid("read", format!("cannot read {}: {error}", path.display()));
    let mut files = BTreeMap::new();
    let mut waiting = vec![root.to_path_buf()];
    while let Some(directory) = waiting.pop() {
        for entry in std::fs::read_dir(&directory).map_err(|e| failed(&directory, &e))? {
            let path = entry.map_err(|e| failed(&directory, &e))?.path();
            let kind = path.symlink_metadata().map_err(|e| failed(&path, &e))?.file_type();
            let name = path.strip_prefix(root).unwrap_or(&path).to_string_lossy().into_owned();
            if kind.is_dir() && !name.starts_with('.') {
                waiting.push(path);
            } else if is_relevant(&name) {
                if !kind.is_file() {
                    return Err(Stop::invalid("not-a-regular-file", format!("{name} is not a regular file")));
                }
                files.insert(name, std::fs::read(&path).map_err(|e| failed(&path, &e))?);
            }
        }
    }
    Ok(files)
}

/// What another branch of canonical would do to the fleet, by the newest stored answers.
pub async fn preview(desk: Desk, reference: &str, all: bool, screen: Screen) -> Result<Done, Stop> {
    let source = desk.source()?;
    let name = reference.to_owned();
    let loaded = blocking(move || canonical::preview(&source, &name)).await??;
    let run = super::nightly::newest(desk.store.newest_observed()?, "observe")?;
    // Compared with what is stored, this is one run later.
    let run = Run { id: i64::MAX, ..run };
    let manifests = Manifests::new(&loaded.canonical)?;
    let mut rows = Rows::new(&desk.config, &loaded, &manifests, &run)?;
    for runner in &loaded.canonical.fleet.runners {
        let mut row = desk.store.newest_answer(&runner.name)?.unwrap_or_else(|| Row {
            runner: runner.name.clone(),
            at: run.started,
            answer: Err(Failure::new("not-asked", "it was never observed")),
        });
        rows.add(&desk.store, runner, &mut row)?;
    }
    let mut report = DriftReport {
        schema: DRIFT_REPORT_SCHEMA.to_owned(),
        run: run.name.clone(),
        canonical_commit: loaded.commit.to_string(),
        trust: rows.trust(),
        guards: Vec::new(),
        risks: Vec::new(),
        steps: vec![Step { step: "preview".to_owned(), status: StepStatus::Ok, error: None }],
        runners: rows.runners,
    };
    crate::report::put_in_order(&mut report);
    let context = tell::context(&desk, &loaded, &run, &report)?;
    Ok(tell::done(&report, &context, all, screen))
}

/// Where a package stands on one runner or on all, by the newest report.
pub async fn why(desk: Desk, package: &str, only: Option<&str>, screen: Screen) -> Result<Done, Stop> {
    let key = assess::why::asked(package).ok_or_else(|| {
        Stop::invalid("usage", format!("{package:?} is not a package name")).hint("NAME or NAME.ARCH")
    })?;
    let reported = match desk.store.newest_reported()? {
        Some(run) => desk.store.report(&run)?,
        None => None,
    };
    let loaded = match &reported {
        Some(report) => desk.canonical_at(&report.canonical_commit).await?,
        None => {
            let source = desk.source()?;
            blocking(move || canonical::fetch_and_load(&source, None)).await??
        }
    };
    let fleet = &loaded.canonical.fleet;
    if let Some(name) = only
        && fleet.runner(name).is_none()
    {
        return Err(super::onboard::no_such_runner(fleet, name));
    }
    let mut runners = Vec::new();
    for runner in fleet.runners.iter().filter(|runner| only.is_none_or(|name| name == runner.name)) {
        let stored = desk.store.newest_answer(&runner.name)?;
        let answer = stored.as_ref().and_then(|stored| Some((stored.answer.as_ref().ok()?, stored.at)));
        let observation = answer.and_then(|(answer, at)| Observation::parse(&answer.record, at).ok());
        let row = reported.as_ref().and_then(|report| report.runners.iter().find(|row| row.name == runner.name));
        runners.extend(assess::why::why(&key, runner, &loaded.canonical, row, observation.as_ref()));
    }
    let mut text = assess::why::text(&runners, screen.palette);
    if runners.is_empty() {
        text = format!("{package} matters to no runner: no rule names it, none has it, and it is no drift.\n");
    }
    let document = WhyDocument {
        schema: WHY_SCHEMA.to_owned(),
        package: package.to_owned(),
        canonical_commit: loaded.commit.to_string(),
        run: reported.map(|report| report.run),
        runners,
    };
    let json = serde_json::to_string(&document).map_err(|error| Stop::of(Outcome::Failed, "json", &error))?;
    Ok(Done { outcome: Outcome::Clean, text, json: format!("{json}\n") })
}

/// The JSON Schema of a format, or their names.
pub fn schema(name: Option<&str>) -> Result<Done, Stop> {
    let names: Vec<&str> = SCHEMAS.iter().map(|(name, _)| *name).collect();
    let Some(name) = name else {
        let document = serde_json::json!({"schema": "countersign/schemas/1", "names": names});
        let text = names.iter().map(|name| format!("{name}\n")).collect();
        return Ok(Done { outcome: Outcome::Clean, text, json: format!("{document}\n") });
    };
    let found =
        SCHEMAS.iter().find(|(known, _)| *known == name.trim_end_matches("/1").trim_start_matches("countersign/"));
    match found {
        Some((_, schema)) => {
            Ok(Done { outcome: Outcome::Clean, text: (*schema).to_owned(), json: (*schema).to_owned() })
        }
        None => Err(Stop::invalid("usage", format!("there is no format {name:?}"))
            .hint(format!("one of: {}", names.join(", ")))),
    }
}
