//! The real observer against the embedded fleet: the whole demo, and every fault with its reason.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::embedded::answer::FakeAnswers;
use countersign_integration::embedded::catalog::{FULL_SIZE, catalog};
use countersign_integration::embedded::fault::Fault;
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::incident::chapters;
use countersign_integration::embedded::server::{FakeFleet, FakeRunner};
use countersign_integration::embedded::site::{Site, Tuning, observer_public_key};
use countersign_manifests_schema::report::{DriftReport, Status};
use std::os::unix::process::CommandExt as _;
use std::process::Command;

const DEMO: &str = env!("CARGO_BIN_EXE_demo");

/// What the observer must say of each fault; `None`: the runner is observed all the same.
const FAULTS: [(Fault, Option<&str>); 15] = [
    (Fault::Refuse, Some("unreachable")),
    (Fault::Silent, Some("timeout")),
    (Fault::NotSsh, Some("unreachable")),
    (Fault::WrongHostKey, Some("host-key")),
    (Fault::AuthRefused, Some("auth")),
    (Fault::Hang, Some("timeout")),
    (Fault::Stall(100_000), Some("timeout")),
    (Fault::Garbage, Some("garbage")),
    (Fault::Truncate(100_000), Some("truncated")),
    (Fault::Drop(100_000), Some("closed")),
    (Fault::Noise, Some("garbage")),
    (Fault::Flood, Some("too-much-output")),
    // The frame says by itself that the answer is whole.
    (Fault::ExitStatus, None),
    (Fault::NoExitStatus, None),
    (Fault::Changing, Some("changing")),
];

#[test]
fn the_demo_finds_all_that_was_planted_and_proposes_what_removes_it() {
    let dir = tempfile::tempdir().unwrap();
    let output = Command::new(DEMO).arg("--dir").arg(dir.path()).output().unwrap();
    let (text, errors) = (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    assert!(output.status.success(), "{text}\n{errors}");
    assert!(errors.is_empty(), "{errors}");
    assert!(text.contains("7 of the 7 observed runners had not moved; 0 items are new."), "{text}");
    assert!(dir.path().join("report/latest.html").is_file());
    // For each drift that dnf can solve there is a proposal, closed as dnf would do it, and nothing else.
    let offered: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("  proposals/")).collect();
    let expected = [
        "runner-03  `runner-03`: 8 downgrades",
        "runner-04  `runner-04`: 3 upgrades, 3 installations",
        "runner-05  `runner-05`: 3 removals",
        "runner-06  `runner-06`: 1 installation",
        "runner-07  `runner-07`: 1 installation",
    ];
    assert_eq!(offered, expected, "{text}");
    // What was signed is applied, what was not is refused, and nothing happens twice.
    for runner in ["runner-03", "runner-04", "runner-05", "runner-06"] {
        let row = text.lines().find(|line| line.starts_with(&format!("  {runner}")) && line.contains("gates passed"));
        assert!(
            row.is_some_and(|row| row.contains("29 gates passed") && row.contains(": applied, receipt ")),
            "{text}"
        );
    }
    for line in [
        "refused: no-lease, not-human, insufficient-approvals, edited",
        "refused: spent (it was started at ",
        "0 applied: what was never countersigned is refused",
        "ledger    8 entries are in order",
    ] {
        assert!(text.contains(line), "{line}: {text}");
    }
    // What people are told to read is still there when they do.
    let (_, reads) = text.split_once("approved:  ").unwrap();
    let output = Command::new("sh").arg("-c").arg(reads.lines().next().unwrap()).output().unwrap();
    assert!(String::from_utf8_lossy(&output.stdout).starts_with("# `runner-03`: 8 downgrades"), "{output:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn each_fault_costs_its_own_row_and_has_its_reason() {
    let now = jiff::Timestamp::now().as_second();
    let answers = FakeAnswers::of(chapters(now)[0].machine());
    let runner = |(index, (fault, _)): (usize, &(Fault, Option<&str>))| FakeRunner {
        name: format!("runner-{index:02}"),
        answers: answers.clone(),
        fault: Some(*fault),
        warden: None,
    };
    let runners = FAULTS.iter().enumerate().map(runner).collect();
    let fleet = FakeFleet::start(runners, observer_public_key()).await.unwrap();
    let dir = tempfile::tempdir().unwrap();
    let daemon = GitDaemon::start(dir.path()).await.unwrap();
    let tuning = Tuning { connect_timeout: 8, run_timeout: 15, ..Tuning::default() };
    let url = daemon.url("canonical.git");
    let site = Site::write(dir.path(), &url, &fleet.runners, &catalog(FULL_SIZE), &tuning, now).unwrap();

    let output = tokio::task::spawn_blocking(move || {
        let mut observer = Command::new(DEMO);
        observer.arg0("countersign-observer").args(["--config".as_ref(), site.config.as_os_str()]);
        observer.args(["nightly", "--json"]).output().unwrap()
    });
    let output = output.await.unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(11), "{errors}");
    let report: DriftReport = serde_json::from_slice(&output.stdout).unwrap();

    let mut wrong = Vec::new();
    for (runner, (fault, expected)) in report.runners.iter().zip(FAULTS) {
        let code = runner.error.as_ref().map(|error| error.code.as_str());
        let observed = runner.status == Status::Observed;
        if code != expected || observed != expected.is_none() || !runner.drift.is_empty() {
            wrong.push(format!("{fault:?}: {:?}, {:?}", runner.status, runner.error));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
