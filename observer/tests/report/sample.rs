//! Reports to be rendered: a clean fleet, the incident, a fleet of which nothing was observed, hostile text, a thousand
//! runners.

use std::collections::{BTreeMap, BTreeSet};

use countersign_manifests_schema::report::{
    By, DRIFT_REPORT_SCHEMA, DriftItem, DriftReport, Guard, Notice, RunnerReport, Status, Step, StepStatus, Waived,
};
use countersign_observer::history::TrendPoint;
use countersign_observer::report::{PreviousRun, ReportContext};

/// A report with what it does not hold.
pub(crate) struct Sample {
    pub(crate) report: DriftReport,
    pub(crate) context: ReportContext,
}

pub(crate) fn notice(code: &str, message: &str) -> Notice {
    Notice { code: code.to_owned(), message: message.to_owned() }
}

pub(crate) fn item(code: &str, package: Option<&str>, wanted: Option<&str>, seen: &[&str]) -> DriftItem {
    DriftItem {
        code: code.to_owned(),
        package: package.map(str::to_owned),
        arch: package.filter(|_| !seen.is_empty()).map(|_| "x86_64".to_owned()),
        wanted: wanted.map(str::to_owned),
        seen: seen.iter().map(|seen| (*seen).to_owned()).collect(),
        since: Some("2026-11-19T16:20:31Z".to_owned()),
        by: None,
        spec_changed: None,
        waived: None,
        new: false,
        remediable: package.is_some(),
        blocked: None,
    }
}

pub(crate) fn by(user: Option<&str>, command: &str) -> Option<By> {
    Some(By { user: user.map(str::to_owned), command: command.to_owned() })
}

pub(crate) fn observed(name: &str, group: &str, drift: Vec<DriftItem>) -> RunnerReport {
    RunnerReport {
        name: name.to_owned(),
        groups: vec![group.to_owned()],
        status: Status::Observed,
        error: None,
        packages: 1_846,
        warm: false,
        drift,
        unjudged: Vec::new(),
        proposal: None,
    }
}

pub(crate) fn failed(name: &str, group: &str, code: &str, message: &str) -> RunnerReport {
    RunnerReport {
        status: Status::Failed,
        error: Some(notice(code, message)),
        packages: 0,
        ..observed(name, group, Vec::new())
    }
}

fn step(name: &str) -> Step {
    Step { step: name.to_owned(), status: StepStatus::Ok, error: None }
}

fn report(runners: Vec<RunnerReport>) -> DriftReport {
    DriftReport {
        schema: DRIFT_REPORT_SCHEMA.to_owned(),
        run: "20261120T033000Z".to_owned(),
        canonical_commit: "8d1f3c2a9b017f6e5d4c3b2a190817263544f1e0".to_owned(),
        runners,
        guards: Vec::new(),
        trust: Vec::new(),
        risks: Vec::new(),
        steps: ["observe", "diff", "report"].map(step).to_vec(),
    }
}

fn context(fleet: u64, runs: &[(u64, u64)]) -> ReportContext {
    let owners = [("builders", "build-platform@example.org"), ("edge", "edge-team@example.org")];
    let trend = (0..).zip(runs).map(|(day, (drift, failed))| TrendPoint {
        run: format!("202611{:02}T033000Z", 20 - runs.len() + 1 + day as usize),
        at: 1_795_145_400 - 86_400 * (runs.len() as i64 - 1 - day),
        drift_by_code: BTreeMap::from([("ahead".to_owned(), drift / 2), ("unlisted".to_owned(), drift - drift / 2)]),
        observed: fleet - failed,
        failed: *failed,
    });
    ReportContext {
        generator: "countersign-observer 0.1.0".to_owned(),
        owners: owners.map(|(group, owner)| (group.to_owned(), owner.to_owned())).into(),
        trend: trend.collect(),
        previous: Some(PreviousRun { run: "20261119T033000Z".to_owned(), ..PreviousRun::default() }),
        unjudged: BTreeMap::new(),
    }
}

/// Nine runners, nothing to say.
pub(crate) fn clean() -> Sample {
    let runners = (1..=9).map(|n| observed(&format!("runner-0{n}"), "builders", Vec::new()));
    let trend = [(14, 1), (14, 0), (9, 0), (9, 0), (3, 0), (3, 0), (0, 0), (0, 0)];
    Sample { report: report(runners.collect()), context: context(9, &trend) }
}

/// The incident's drift on nine runners, three of them not observed.
pub(crate) fn incident() -> Sample {
    let llvm = || {
        ["llvm", "llvm-libs", "clang-tools-extra"].map(|package| DriftItem {
            by: by(Some("alice"), "dnf5 -y install llvm-20.1.0-1.fc41"),
            new: true,
            ..item("ahead", Some(package), Some("= 19.1.0-1.fc41"), &["20.1.0-1.fc41"])
        })
    };
    let toolset = DriftItem {
        since: Some("2026-10-02T08:11:00Z".to_owned()),
        by: by(Some("bob"), "dnf install gcc-toolset-13"),
        ..item("unwanted", Some("gcc-toolset-13"), Some("absent"), &["13.0-2.fc41"])
    };
    let kernel = DriftItem {
        blocked: Some(notice("reboot", "6.11.4-301.fc41.x86_64 is installed and waits for a reboot")),
        remediable: false,
        new: true,
        ..item("kernel-mismatch", Some("kernel-devel"), Some("6.11.4-301.fc41"), &["6.10.9-200.fc41"])
    };
    let strace =
        DriftItem { by: by(None, "dnf5 install strace"), ..item("unlisted", Some("strace"), None, &["6.11-1.fc41"]) };
    let htop = DriftItem {
        spec_changed: Some("8d1f3c2a9b017f6e5d4c3b2a190817263544f1e0".to_owned()),
        new: true,
        ..item("missing", Some("htop"), Some("*"), &[])
    };
    let behind_dnf = DriftItem {
        since: Some("2026-11-19T22:05:10Z".to_owned()),
        new: true,
        remediable: false,
        ..item("out-of-band", Some("acme-agent"), None, &["2.4-1"])
    };
    let waived = DriftItem {
        waived: Some(Waived { until: "2026-12-31".to_owned(), owner: "edge-team@example.org".to_owned() }),
        ..item("behind", Some("openssl"), Some(">= 1:3.2.2-5"), &["1:3.2.1-2.fc41"])
    };
    let selinux =
        DriftItem { remediable: false, since: None, ..item("selinux", None, Some("enforcing"), &["permissive"]) };
    let interrupted = DriftItem {
        remediable: false,
        new: true,
        ..item("interrupted", None, None, &["dnf5 upgrade, transaction 41"])
    };
    let runners = vec![
        observed("runner-01", "builders", Vec::new()),
        RunnerReport {
            proposal: Some("77ab0f3b6f6f1c0a5e2d4b8c9d0e1f2a3b4c5d6e7f8091a2b3c4d5e6f7a8b9c0".to_owned()),
            ..observed("runner-02", "builders", llvm().to_vec())
        },
        observed("runner-03", "builders", llvm().into_iter().chain([toolset.clone()]).collect()),
        observed("runner-04", "builders", vec![kernel, strace]),
        observed("runner-05", "edge", vec![behind_dnf, htop, waived, selinux]),
        observed("runner-06", "edge", vec![interrupted, toolset]),
        failed("runner-07", "edge", "connect", "connection refused by 10.0.0.17 port 22"),
        failed("runner-08", "edge", "timeout", "no answer within 60s"),
        failed("runner-09", "edge", "host-key", "the host key ssh-ed25519 SHA256:o3bq is not the declared one"),
    ];
    let mut report = report(runners);
    report.guards = vec![
        Guard {
            code: "spec-follows-drift".to_owned(),
            message: "commit 8d1f3c2a9b01 made llvm equal to what runner-02 had drifted to, and no person adopted it"
                .to_owned(),
            runners: vec!["runner-02".to_owned(), "runner-03".to_owned()],
            since_run: None,
        },
        Guard {
            code: "waiver-expired".to_owned(),
            message: "the waiver for gcc-toolset-13 on builders ended on 2026-10-01".to_owned(),
            runners: Vec::new(),
            since_run: None,
        },
    ];
    report.trust = vec![notice("plain-exec", "the observer's key gets a shell on runners: [trust] accepts it")];
    report.risks =
        vec![notice("unreachable-pin", "llvm 19.1.0-1.fc41 (builders) is offered by no repository any more")];
    report.steps.push(Step {
        step: "publish".to_owned(),
        status: StepStatus::Failed,
        error: Some(notice("push-refused", "the proposed repository refused the branch proposals/@builders-1")),
    });
    let mut context = context(9, &[(2, 0), (2, 0), (3, 0), (3, 1), (6, 0), (4, 0), (4, 2), (15, 3)]);
    context.unjudged.insert(
        "runner-06".to_owned(),
        vec![notice("history", "the database of dnf's history could not be read: -wal and -shm are absent")],
    );
    context.previous = Some(PreviousRun {
        run: "20261119T033000Z".to_owned(),
        gone: 1,
        guards: report.guards[1..].to_vec(),
        failed: BTreeSet::from(["runner-07".to_owned()]),
        failed_steps: BTreeSet::new(),
    });
    Sample { report, context }
}

/// Nine runners, none observed.
pub(crate) fn blind() -> Sample {
    let runners = (1..=9).map(|n| failed(&format!("runner-0{n}"), "builders", "timeout", "no answer within 10s"));
    Sample { report: report(runners.collect()), context: context(9, &[(3, 0), (3, 0), (0, 9), (2, 1), (0, 9)]) }
}

/// The first run over a fleet without runners.
pub(crate) fn empty() -> Sample {
    let mut context = context(9, &[]);
    context.previous = None;
    Sample { report: report(Vec::new()), context }
}

/// Strings that mean something to a terminal, to HTML, to Markdown or to a forge.
pub(crate) const HOSTILE: [&str; 12] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "' onmouseover='alert(1)",
    "</style><svg/onload=alert(1)>",
    "\x1b[2J\x1b]0;owned\x07\u{9b}31m",
    "safe\u{202e}gnp.exe",
    "`code` | cell | **bold** [link](javascript:alert(1))",
    "@everyone #1 https://evil.example/ www.evil.example",
    "line one\n# heading\r\n- item\n<details open>",
    "&lt;b&gt; &#x3c;",
    "--><!-- ]]>",
    "zal\u{300}\u{301}\u{302}\u{303}go \u{200b}\u{feff}",
];

/// Hostile text wherever a remote, or a person, could put it.
pub(crate) fn hostile() -> Sample {
    hostile_by(&HOSTILE)
}

/// These texts, at least three, wherever a remote, or a person, could put them.
pub(crate) fn hostile_by(texts: &[&str]) -> Sample {
    let mut sample = incident();
    for (i, text) in texts.iter().copied().enumerate() {
        let owned = || text.to_owned();
        let nasty = notice(text, text);
        let drift = DriftItem {
            code: owned(),
            package: Some(owned()),
            arch: Some(owned()),
            wanted: Some(owned()),
            seen: vec![owned(), format!("{text}2")],
            since: Some(owned()),
            by: by(Some(text), text),
            spec_changed: Some(owned()),
            waived: None,
            new: true,
            remediable: true,
            blocked: Some(nasty.clone()),
        };
        let waived = DriftItem { waived: Some(Waived { until: owned(), owner: owned() }), ..drift.clone() };
        let name = format!("hostile-{i:02}{text}");
        sample.report.runners.push(RunnerReport {
            groups: vec![owned()],
            proposal: Some(owned()),
            ..observed(&name, text, vec![drift, waived])
        });
        sample.report.runners.push(failed(&format!("broken-{i:02}{text}"), text, text, text));
        sample.report.guards.push(Guard { code: owned(), message: owned(), runners: vec![owned()], since_run: None });
        sample.report.trust.push(nasty.clone());
        sample.report.risks.push(nasty.clone());
        sample.report.steps.push(Step { step: owned(), status: StepStatus::Failed, error: Some(nasty.clone()) });
        sample.context.owners.insert(owned(), owned());
        sample.context.unjudged.insert(name, vec![nasty]);
        if let Some(point) = sample.context.trend.get_mut(i % 8) {
            point.run = owned();
            point.drift_by_code.insert(owned(), 1);
        }
    }
    sample.context.generator = texts[0].to_owned();
    sample.report.canonical_commit = texts[1].to_owned();
    sample.report.run = texts[2].to_owned();
    sample
}

/// So many runners: most clean, some of five common kinds of drift, a few alone with theirs, some not observed.
pub(crate) fn large(size: usize) -> Sample {
    let runners = (0..size).map(|n| {
        let name = format!("runner-{n:05}");
        let group = if n.is_multiple_of(3) { "edge" } else { "builders" };
        match n % 20 {
            3 => {
                failed(&name, group, "connect", &format!("connection refused by 10.0.{}.{} port 22", n / 256, n % 256))
            }
            7 => failed(&name, group, "timeout", "no answer within 60s"),
            kind @ 0..=5 => {
                let packages = ["llvm", "python3", "podman", "rust", "nodejs", "kernel-devel"];
                let drift = (0..=kind).map(|k| DriftItem {
                    new: k == 2,
                    by: by(Some("alice"), "dnf5 upgrade"),
                    ..item(["ahead", "behind", "unlisted"][k % 3], Some(packages[k]), Some("= 1.2-3"), &["1.3-1"])
                });
                observed(&name, group, drift.collect())
            }
            11 => {
                let own = format!("local-build-{n}");
                observed(&name, group, vec![item("unlisted", Some(&own), None, &["0.1-1"])])
            }
            _ => observed(&name, group, Vec::new()),
        }
    });
    Sample {
        report: report(runners.collect()),
        context: context(size as u64, &[(120, 9), (130, 4), (180, 60), (190, 55)]),
    }
}
