//! What is planted on each of the nine runners, and what the observer must say of it: nothing more, nothing less.

use countersign_integration::lab::{Runner, plant};
use countersign_manifests_schema::report::{By, DriftItem};
use jiff::Timestamp;

/// When something came to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Since {
    /// At this time, Unix seconds, as the runner itself says.
    At(i64),
    /// Nothing on the runner says it: when it was first seen.
    FirstSeen,
}

/// One item of a report, but for what the second run changes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Expected {
    pub(crate) code: &'static str,
    pub(crate) package: Option<&'static str>,
    pub(crate) arch: Option<&'static str>,
    pub(crate) wanted: Option<&'static str>,
    pub(crate) seen: Vec<String>,
    pub(crate) since: Since,
    pub(crate) by: Option<By>,
}

/// Plants what belongs on the runner of this name.
pub(crate) fn plant(runner: &Runner) -> Vec<Expected> {
    match runner.name.as_str() {
        "runner-01" => llvm(runner),
        "runner-02" => gcc_toolset(runner),
        "runner-03" => behind_dnf(runner),
        "runner-04" => [kernel_moved_on(runner), erased(runner)].concat().sorted(),
        "runner-05" => killed(runner),
        "runner-06" => kernel_devel_replaced(runner),
        "runner-07" => [llvm(runner), gcc_toolset(runner)].concat().sorted(),
        "runner-08" => [kernel_devel_replaced(runner), killed(runner)].concat().sorted(),
        _ => Vec::new(),
    }
}

/// In the order of a report.
trait Sorted {
    fn sorted(self) -> Self;
}

impl Sorted for Vec<Expected> {
    fn sorted(mut self) -> Self {
        self.sort_by_key(|item| (item.package, item.arch, item.code));
        self
    }
}

fn item(code: &'static str, package: &'static str, arch: &'static str, seen: &str, since: i64) -> Expected {
    Expected {
        code,
        package: Some(package),
        arch: Some(arch),
        wanted: None,
        seen: vec![seen.to_owned()],
        since: Since::At(since),
        by: None,
    }
}

/// A command line as the runner's dnf records it: dnf4 leaves its own name out.
fn by(runner: &Runner, user: Option<&str>, arguments: &str) -> Option<By> {
    let command = if runner.dnf() == "dnf4" { arguments.to_owned() } else { format!("dnf5 {arguments}") };
    Some(By { user: user.map(str::to_owned), command })
}

fn llvm(runner: &Runner) -> Vec<Expected> {
    plant::person_upgrades_llvm(runner).unwrap();
    let (end, wanted) = (newest(runner).end, Some("= 19.1.0-1.fc41"));
    let by = by(runner, Some(plant::PERSON), &format!("-y install {}", plant::NEW_LLVM));
    ["clang-tools-extra", "llvm"]
        .map(|name| Expected { wanted, by: by.clone(), ..item("ahead", name, "x86_64", "20.1.0-1.fc41", end) })
        .to_vec()
}

fn gcc_toolset(runner: &Runner) -> Vec<Expected> {
    plant::person_leaves_gcc_toolset(runner).unwrap();
    let by = by(runner, Some(plant::PERSON), "-y install gcc-toolset-13");
    let found = item("unwanted", "gcc-toolset-13", "noarch", "13.0-2.fc41", newest(runner).end);
    vec![Expected { wanted: Some("absent"), by, ..found }]
}

/// rpm alone brings one package and takes another.
fn behind_dnf(runner: &Runner) -> Vec<Expected> {
    plant::rpm_installs_behind_dnf(runner).unwrap();
    plant::rpm_erases_behind_dnf(runner).unwrap();
    vec![htop_is_missing(), item("out-of-band", "site-agent", "noarch", "7.1-1", install_time(runner, "site-agent"))]
}

/// rpm alone takes a package: no instance is newer than dnf's last transaction, so the host itself is named.
fn erased(runner: &Runner) -> Vec<Expected> {
    plant::rpm_erases_behind_dnf(runner).unwrap();
    let host = Expected {
        code: "out-of-band",
        package: None,
        arch: None,
        wanted: None,
        seen: Vec::new(),
        since: Since::FirstSeen,
        by: None,
    };
    vec![host, htop_is_missing()]
}

fn htop_is_missing() -> Expected {
    let since = Since::FirstSeen;
    Expected { arch: None, wanted: Some("*"), seen: Vec::new(), since, ..item("missing", "htop", "", "", 0) }
}

/// What is there came with the machine; what is wanted never was.
fn kernel_moved_on(runner: &Runner) -> Vec<Expected> {
    let first = oldest(runner);
    plant::kernel_moves_on(runner).unwrap();
    let found = item("kernel-mismatch", "kernel-devel", "x86_64", "6.11.4-301.fc41", first.end);
    let by = Some(By { user: first.user, command: first.command });
    vec![Expected { wanted: Some(plant::NEW_KERNEL), by, ..found }]
}

/// What is wanted was removed, later than what is there came.
fn kernel_devel_replaced(runner: &Runner) -> Vec<Expected> {
    plant::kernel_devel_is_replaced(runner).unwrap();
    let removal = newest(runner);
    let found = item("kernel-mismatch", "kernel-devel", "x86_64", "6.11.6-300.fc41", removal.end);
    let by = by(runner, removal.user.as_deref(), "-y remove kernel-devel-6.11.4-301.fc41");
    vec![Expected { wanted: Some("6.11.4-301.fc41.x86_64"), by, ..found }]
}

/// strace had arrived when dnf died.
fn killed(runner: &Runner) -> Vec<Expected> {
    plant::dnf_is_killed(runner).unwrap();
    let entry = newest(runner);
    assert_eq!(entry.end, 0, "dnf was not killed in the middle");
    let by = by(runner, Some(plant::PERSON), "-y install blocking-pre");
    let host = Expected {
        code: "interrupted",
        package: None,
        arch: None,
        wanted: None,
        seen: vec![entry.id.to_string()],
        since: Since::At(entry.begin),
        by: by.clone(),
    };
    let strace = item("out-of-band", "strace", "x86_64", "6.12-1.fc41", install_time(runner, "strace"));
    vec![host, Expected { by, ..strace }]
}

/// One entry of dnf's history, asked as root.
struct Entry {
    id: i64,
    begin: i64,
    end: i64,
    user: Option<String>,
    command: String,
}

fn newest(runner: &Runner) -> Entry {
    entry(runner, "max")
}

fn oldest(runner: &Runner) -> Entry {
    entry(runner, "min")
}

/// From dnf's own database: by SQL and not through dnf, as the observer's way is.
fn entry(runner: &Runner, which: &str) -> Entry {
    let (path, columns) = if runner.dnf() == "dnf4" {
        ("/var/lib/dnf/history.sqlite", "id, dt_begin, dt_end, user_id, cmdline")
    } else {
        ("/usr/lib/sysimage/libdnf5/transaction_history.sqlite", "id, dt_begin, dt_end, user_id, description")
    };
    // A private copy: the last one to close the database would take its -wal file away.
    let copy = tempfile::tempdir().unwrap();
    for end in ["", "-wal"] {
        let from = runner.root.join(path.trim_start_matches('/')).with_extension(format!("sqlite{end}"));
        if from.exists() {
            std::fs::copy(&from, copy.path().join(format!("history{end}"))).unwrap();
        }
    }
    let database = rusqlite::Connection::open(copy.path().join("history")).unwrap();
    let question = format!("select {columns} from trans where id = (select {which}(id) from trans)");
    database
        .query_row(&question, [], |row| {
            Ok(Entry {
                id: row.get(0)?,
                begin: row.get(1)?,
                end: row.get::<_, Option<i64>>(2)?.unwrap_or(0),
                user: login(runner, row.get(3)?),
                command: row.get(4)?,
            })
        })
        .unwrap()
}

/// Who has this login uid on the runner; nobody has an unset one.
fn login(runner: &Runner, uid: i64) -> Option<String> {
    let unset = uid == -1 || uid == i64::from(u32::MAX);
    (!unset).then(|| runner.sh(&format!("getent passwd {uid} | cut -d: -f1")).unwrap().trim().to_owned())
}

fn install_time(runner: &Runner, package: &str) -> i64 {
    runner.sh(&format!("rpm -q --qf '%{{INSTALLTIME}}' {package}")).unwrap().parse().unwrap()
}

/// The items as they are compared; `first_seen` holds the start and end of the first run that saw them.
pub(crate) fn found(items: &[DriftItem], first_seen: (Timestamp, Timestamp)) -> Vec<Expected> {
    items.iter().map(|item| one(item, first_seen)).collect()
}

fn one(item: &DriftItem, (from, to): (Timestamp, Timestamp)) -> Expected {
    let leak = |text: &Option<String>| text.clone().map(|text| &*text.leak());
    let since: Timestamp = item.since.as_ref().unwrap().parse().unwrap();
    let in_run = (from.as_second()..=to.as_second()).contains(&since.as_second());
    assert_eq!(item.spec_changed, None, "{item:?}");
    assert_eq!(item.waived, None, "{item:?}");
    Expected {
        code: item.code.clone().leak(),
        package: leak(&item.package),
        arch: leak(&item.arch),
        wanted: leak(&item.wanted),
        seen: item.seen.clone(),
        since: if in_run { Since::FirstSeen } else { Since::At(since.as_second()) },
        by: item.by.clone(),
    }
}
