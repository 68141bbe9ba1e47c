//! The incident, planted on nine fake machines, and the list of what an observer must find.

use super::answer::FakeAnswers;
use super::catalog::{
    ARCH, DEPENDENCY, FULL_SIZE, FakePackage, GROUP, RUNNING_KERNEL, USER, catalog, names_of_the_story,
};
use super::fault::Fault;
use super::machine::{Change, FakeMachine};
use super::server::FakeRunner;
use super::warden::{FakeWarden, Rules};
use std::sync::Arc;

const DAY: i64 = 86_400;
const ROOT: (u32, &str) = (0, "root");
const MIRA: (u32, &str) = (1000, "mira");
const TOMASZ: (u32, &str) = (1001, "tomasz");
const AGENT: (u32, &str) = (1100, "fleet-agent");

/// Version and release of the kernel that moves on.
pub(super) const NEXT_KERNEL: &str = "6.12.11-200.fc41";

/// One difference that was put there, as a report must name it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Planted {
    /// Name of the runner.
    pub runner: &'static str,
    /// Name of the package; empty for host items.
    pub package: String,
    /// Drift code.
    pub code: &'static str,
    /// Login name of who did it, where dnf knows.
    pub by: Option<String>,
}

/// A runner of the story.
#[derive(Debug)]
pub struct Chapter {
    /// Its name.
    pub runner: &'static str,
    /// What happened there, in one line for people.
    pub happened: &'static str,
    /// What an observer must find, sorted by package and code.
    pub found: Vec<Planted>,
    /// The code of the failure where it cannot be observed.
    pub failure: Option<&'static str>,
    machine: FakeMachine,
    fault: Option<Fault>,
}

/// The nine runners, as they are at `now` (Unix seconds).
pub fn chapters(now: i64) -> Vec<Chapter> {
    let base = lived_in(catalog(FULL_SIZE), now);
    vec![
        in_line("runner-01", &base),
        broken(
            "runner-02",
            &base,
            "another machine answers there, with another host key",
            Fault::WrongHostKey,
            "host-key",
        ),
        newer_llvm("runner-03", &base, now),
        agent_downgrade("runner-04", &base, now),
        left_behind("runner-05", &base, now),
        kernel_moved("runner-06", &base, now),
        behind_dnf("runner-07", &base, now),
        killed("runner-08", &base, now),
        broken("runner-09", &base, "it is switched off", Fault::Refuse, "unreachable"),
    ]
}

/// `count` runners without faults: of ten, seven are in line and three have the drift of the incident. No two have the
/// same install times.
pub fn at_scale(count: usize, packages: Vec<FakePackage>, now: i64) -> Vec<FakeRunner> {
    let base = lived_in(packages, now);
    let in_line = FakeAnswers::of(&base);
    let drifted = [newer_llvm, agent_downgrade, left_behind, kernel_moved, behind_dnf, killed]
        .map(|happen| FakeAnswers::of(&happen("", &base, now).machine));
    (0..count)
        .map(|index| {
            let answers = match index % 10 {
                0..7 => &in_line,
                tenth => &drifted[(index / 10 + tenth) % drifted.len()],
            };
            FakeRunner {
                name: format!("runner-{:05}", index + 1),
                // Earlier by some seconds each, so that nothing is newer than dnf's last transaction on any of them.
                answers: answers.shifted(-i64::try_from(index).unwrap_or(0)),
                fault: None,
                warden: None,
            }
        })
        .collect()
}

impl Chapter {
    /// What serves it, with a warden that applies to its machine. One that cannot be observed has none.
    pub fn with_warden(&self, rules: &Rules) -> anyhow::Result<FakeRunner> {
        let warden = match self.fault {
            Some(_) => None,
            None => Some(Arc::new(FakeWarden::new(self.runner, self.machine.clone(), rules.clone())?)),
        };
        Ok(FakeRunner { warden, ..self.runner() })
    }

    /// The machine behind it.
    pub fn machine(&self) -> &FakeMachine {
        &self.machine
    }

    /// What serves it. A runner that cannot be observed has a machine behind it all the same.
    pub fn runner(&self) -> FakeRunner {
        FakeRunner {
            name: self.runner.to_owned(),
            answers: FakeAnswers::of(&self.machine),
            fault: self.fault,
            warden: None,
        }
    }
}

/// A machine that was set up 200 days ago and has had its weekly updates since.
pub fn lived_in(packages: Vec<FakePackage>, now: i64) -> FakeMachine {
    const WEEKS: i64 = 26;
    const PER_WEEK: usize = 12;
    let installed = now - 200 * DAY;
    let mut machine = FakeMachine::new(packages, RUNNING_KERNEL, installed);
    let story = names_of_the_story();
    let movable: Vec<FakePackage> =
        machine.packages.iter().filter(|p| p.reason == DEPENDENCY && !story.contains(&p.name)).cloned().collect();
    for week in 0..WEEKS {
        let first = usize::try_from(week).unwrap_or(0) * PER_WEEK;
        let changes = movable
            .iter()
            .skip(first)
            .take(PER_WEEK)
            .map(|package| {
                let mut package = package.clone().from("updates");
                package.release = format!("9{}", package.release);
                Change::Install(package)
            })
            .collect();
        let at = installed + (week + 1) * 7 * DAY;
        machine.dnf(at, ROOT, "dnf5 -y upgrade --refresh", changes);
    }
    machine.booted = now - 12 * DAY;
    machine.metadata = now - 3 * 3600;
    machine
}

fn in_line(runner: &'static str, base: &FakeMachine) -> Chapter {
    Chapter {
        runner,
        happened: "nothing: it is as the manifest says",
        found: Vec::new(),
        failure: None,
        machine: base.clone(),
        fault: None,
    }
}

fn broken(
    runner: &'static str,
    base: &FakeMachine,
    happened: &'static str,
    fault: Fault,
    failure: &'static str,
) -> Chapter {
    Chapter { runner, happened, found: Vec::new(), failure: Some(failure), machine: base.clone(), fault: Some(fault) }
}

fn found(runner: &'static str, items: &[(&'static str, &'static str, Option<&'static str>)]) -> Vec<Planted> {
    items
        .iter()
        .map(|&(package, code, by)| Planted { runner, package: package.to_owned(), code, by: by.map(str::to_owned) })
        .collect()
}

/// The toolchain of the manifest's llvm, in another version.
fn toolchain(names: &[&str], evr: &str) -> Vec<Change> {
    names
        .iter()
        .map(|name| {
            let reason =
                if matches!(*name, "llvm" | "llvm-devel" | "clang" | "clang-tools-extra") { USER } else { DEPENDENCY };
            Change::Install(FakePackage::new(name, evr, ARCH).because(reason).from("updates"))
        })
        .collect()
}

fn newer_llvm(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    machine.dnf(
        now - 9 * DAY,
        MIRA,
        "dnf5 install llvm-20.1.2 clang-20.1.2 clang-tools-extra-20.1.2",
        toolchain(
            &["clang", "clang-libs", "clang-tools-extra", "compiler-rt", "lld", "llvm", "llvm-devel", "llvm-libs"],
            "20.1.2-3.fc41",
        ),
    );
    let by = Some(MIRA.1);
    Chapter {
        runner,
        happened: "mira installed llvm 20 over the pinned 19",
        found: found(
            runner,
            &[
                ("clang", "ahead", by),
                ("clang-tools-extra", "ahead", by),
                ("llvm", "ahead", by),
                ("llvm-devel", "ahead", by),
            ],
        ),
        failure: None,
        machine,
        fault: None,
    }
}

fn agent_downgrade(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    let mut changes = toolchain(&["llvm", "llvm-devel", "llvm-libs"], "18.1.8-2.fc41");
    changes.extend(["clang", "clang-libs", "clang-tools-extra"].map(|name| Change::Remove(name.into())));
    machine.dnf(now - 2 * DAY, AGENT, "dnf5 -y downgrade llvm --allowerasing", changes);
    let by = Some(AGENT.1);
    Chapter {
        runner,
        happened: "an agent downgraded llvm, and dnf took clang away with it",
        found: found(
            runner,
            &[
                ("clang", "missing", by),
                ("clang-tools-extra", "missing", by),
                ("llvm", "behind", by),
                ("llvm-devel", "behind", by),
            ],
        ),
        failure: None,
        machine,
        fault: None,
    }
}

fn left_behind(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    machine.dnf(
        now - 14 * DAY,
        TOMASZ,
        "dnf5 install gcc-toolset-13",
        vec![
            Change::Install(FakePackage::new("gcc-toolset-13", "13.0-2.fc41", "noarch").because(USER)),
            Change::Install(FakePackage::new("gcc-toolset-13-gcc", "13.3.1-2.fc41", ARCH)),
            Change::Install(FakePackage::new("gcc-toolset-13-runtime", "13.0-2.fc41", ARCH)),
        ],
    );
    for (id, enabled) in &mut machine.repos {
        *enabled |= *id == "updates-testing";
    }
    Chapter {
        runner,
        happened: "tomasz left gcc-toolset-13 behind, and updates-testing on",
        found: found(runner, &[("", "repo-enabled", None), ("gcc-toolset-13", "unwanted", Some(TOMASZ.1))]),
        failure: None,
        machine,
        fault: None,
    }
}

fn kernel_moved(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    let changes = ["kernel", "kernel-core", "kernel-modules", "kernel-modules-core"]
        .map(|name| Change::Install(FakePackage::new(name, NEXT_KERNEL, ARCH).because(GROUP).from("updates")))
        .to_vec();
    machine.dnf(now - 5 * DAY, ROOT, "dnf5 -y upgrade kernel", changes);
    machine.kernel_release = format!("{NEXT_KERNEL}.{ARCH}");
    machine.booted = now - 4 * DAY;
    Chapter {
        runner,
        happened: "it runs a newer kernel than its kernel-devel is for",
        found: found(runner, &[("kernel-devel", "kernel-mismatch", None)]),
        failure: None,
        machine,
        fault: None,
    }
}

fn behind_dnf(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    let mut driver = FakePackage::new("tenant-x-driver", "0.9-1", ARCH);
    driver.vendor.clear();
    driver.key.clear();
    machine.rpm_install(now - 6 * DAY, driver);
    machine.rpm_erase("htop");
    machine.selinux = "permissive";
    Chapter {
        runner,
        happened: "rpm -i of a tenant's driver and rpm -e htop behind dnf's back; SELinux permissive",
        found: found(
            runner,
            &[("", "selinux", None), ("htop", "missing", None), ("tenant-x-driver", "out-of-band", None)],
        ),
        failure: None,
        machine,
        fault: None,
    }
}

fn killed(runner: &'static str, base: &FakeMachine, now: i64) -> Chapter {
    let mut machine = base.clone();
    machine.dnf_killed(
        now - DAY,
        AGENT,
        "dnf5 -y install tenant-x-tools",
        vec![Change::Install(FakePackage::new("tenant-x-tools", "2.1-1.fc41", ARCH).because(USER))],
    );
    Chapter {
        runner,
        happened: "dnf was killed in the middle of an agent's transaction",
        found: found(runner, &[("", "interrupted", Some(AGENT.1)), ("tenant-x-tools", "out-of-band", Some(AGENT.1))]),
        failure: None,
        machine,
        fault: None,
    }
}
