//! The story, line by line.

use super::acts;
use super::stage::{Stage, own_directory};
use super::verdict::Verdict;
use countersign_manifests_schema::report::DriftReport;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};
use std::time::Instant;

/// Tells it. Whether all that was planted was found, and nothing else.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
pub(super) fn tell(dir: Option<PathBuf>) -> anyhow::Result<bool> {
    let git = Command::new("git").arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status();
    anyhow::ensure!(git.is_ok_and(|status| status.success()), "git is missing: install it (dnf install git-core)");
    let now = jiff::Timestamp::now().as_second();
    let dir = dir.map_or_else(own_directory, Ok)?;
    let stage = Stage::set(&dir, now)?;

    println!("Nine build runners, faked inside this program: real SSH, 1,846 packages each, no machine behind them.");
    println!("They should all be as manifests/builder.toml in canonical says. This was planted on them:\n");
    for chapter in &stage.chapters {
        println!("  {}  {}", chapter.runner, chapter.happened);
    }

    heading("countersign-observer nightly", "what it does every night: observe, diff, report, propose, publish");
    let start = Instant::now();
    let status = stage.observe(&["nightly"])?;
    let cold = start.elapsed();
    println!("\nExit status {}: some runners could not be observed.", status.code().unwrap_or(-1));

    heading("countersign-observer nightly", "the same again: nothing has moved, so no package list is sent");
    let start = Instant::now();
    let report = stage.report(&["nightly"])?;
    let warm = start.elapsed();
    let lists = report.runners.iter().filter(|runner| runner.warm).count();
    println!("{lists} of the 7 observed runners had not moved; {} items are new.", news(&report));
    println!("The first night took {} ms, the second {} ms.", cold.as_millis(), warm.as_millis());

    let offered = proposals(&stage, &report)?;

    let wrong = acts::tell(&stage, &report)?;

    let verdict = Verdict::of(&stage.chapters, &report);
    let planted: usize = stage.chapters.iter().map(|chapter| chapter.found.len()).sum();
    println!("\nPlanted {planted} differences, found {}, each with who did it where dnf knows.", verdict.found);
    println!(
        "{} runners could not be observed, and the report says why: a failure is never \"no drift\".",
        verdict.failed
    );
    for wrong in &verdict.wrong {
        println!("NOT AS PLANTED: {wrong}");
    }
    for wrong in &wrong {
        println!("NOT AS IT SHOULD BE: {wrong}");
    }
    println!("\nThe report:  {}", stage.site.reports.join("latest.html").display());
    println!("Receipts:    `ledger verify` above; the files of notary and actuator are gone with this program");
    println!("Canonical:   {}", stage.site.canonical.display());
    println!("Proposals:   {} ({offered} were offered, each on a branch)", stage.proposed.display());
    println!("\n{DAY_ONE}");
    Ok(verdict.wrong.is_empty() && wrong.is_empty())
}

/// What was offered: signed branches in the sibling repository, and one proposal as a person reads it.
#[expect(clippy::print_stdout, reason = "this is the demo's output")]
fn proposals(stage: &Stage, report: &DriftReport) -> anyhow::Result<usize> {
    println!("\nFor what the runners' own dnf can solve there is a proposal, on a branch that a person can merge:\n");
    let branches = stage.proposed(&["for-each-ref", "--format=%(refname:short)", "refs/heads/proposals"])?;
    for branch in branches.lines() {
        let files = stage.proposed(&["diff", "--name-only", &format!("main...{branch}"), "--", "*/README.md"])?;
        let titles = files.lines().map(|path| stage.proposed(&["show", &format!("{branch}:{path}")]));
        for readme in titles.collect::<anyhow::Result<Vec<_>>>()? {
            println!("  {branch}  {}", readme.lines().next().unwrap_or_default().trim_start_matches("# "));
        }
    }
    let blocked = report
        .runners
        .iter()
        .flat_map(|runner| runner.drift.iter().filter_map(move |item| Some((runner, item, item.blocked.as_ref()?))));
    for (runner, item, why) in blocked {
        println!("  {}  {}: not proposed ({})", runner.name, item.package.as_deref().unwrap_or("host"), why.code);
    }
    if let Some((branch, path)) = first(stage, &branches)? {
        // By its commit: the branch is gone once people have merged it.
        let commit = stage.proposed(&["rev-parse", "--short", branch])?;
        let (proposed, commit) = (stage.proposed.display(), commit.trim());
        println!("\nHow one reads, and how it is approved:  git -C {proposed} show {commit}:{path}");
    }
    Ok(branches.lines().count())
}

/// The first branch, and the README on it.
fn first<'b>(stage: &Stage, branches: &'b str) -> anyhow::Result<Option<(&'b str, String)>> {
    let Some(branch) = branches.lines().next() else { return Ok(None) };
    let files = stage.proposed(&["diff", "--name-only", &format!("main...{branch}"), "--", "*/README.md"])?;
    Ok(files.lines().next().map(|path| (branch, path.to_owned())))
}

/// How somebody starts with machines of their own.
const DAY_ONE: &str = "\
On your own fleet, day one is four commands, and ends with an empty report:
  countersign-observer init --from-ansible INVENTORY --known-hosts FILE --into canonical
  countersign-observer enroll RUNNER                  what an admin must do on a runner
  countersign-observer observe
  countersign-observer baseline --group GROUP --into baseline    and its files into canonical, signed";

#[expect(clippy::print_stdout, reason = "this is the demo's output")]
pub(super) fn heading(command: &str, meaning: &str) {
    println!("\n$ {command}    # {meaning}\n");
}

fn news(report: &DriftReport) -> usize {
    report.runners.iter().flat_map(|runner| &runner.drift).filter(|item| item.new).count()
}

/// What stopped the demo.
#[expect(clippy::print_stderr, reason = "the last words of a program")]
pub(super) fn give_up(error: &anyhow::Error) -> ExitCode {
    eprintln!("demo: {error:#}");
    ExitCode::FAILURE
}
