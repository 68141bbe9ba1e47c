//! What the probe would have written on a fake machine, byte for byte in the form of `shared/src/observation/probe.sh`.

use super::catalog::{DEPENDENCY, EXTERNAL, FakePackage, GROUP, USER, hex};
use super::fault::Fault;
use super::machine::FakeMachine;
use super::request::{FakeRequest, MAGIC};
use super::solver;
use bytes::Bytes;
use sha2::{Digest, Sha256};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::Arc;

/// Exit status of a probe that refuses its request.
const REFUSED: u32 = 64;
/// Sections of every answer.
const SECTIONS: u32 = 18;

/// What the probe says on one runner. The text is made once per machine; runners that share a machine differ in when
/// their packages were installed.
#[derive(Debug, Clone)]
pub struct FakeAnswers {
    text: Arc<Text>,
    /// Seconds by which every install time is later than on the machine.
    shift: i64,
}

#[derive(Debug)]
struct Text {
    /// Sections before `packages`.
    host: Bytes,
    /// The section `packages`, in full.
    packages: Bytes,
    /// Where the ten digits of each install time begin in `packages`.
    install_times: Vec<usize>,
    /// The section `needed`, in full.
    needed: Bytes,
    /// The section `history`, in full.
    history: Bytes,
    /// Sections between `tokens` and `stable`.
    rest: Bytes,
    /// dnf's digest of the set, and of what else the lists depend on.
    cookie: String,
    /// Moves when the history does.
    history_token: String,
    /// What plans are made for.
    machine: FakeMachine,
}

/// One answer.
#[derive(Debug)]
pub struct Reply {
    /// Standard output, in order.
    pub parts: Vec<Bytes>,
    /// Exit status.
    pub status: u32,
}

impl FakeAnswers {
    /// All answers of `machine`.
    pub fn of(machine: &FakeMachine) -> Self {
        let (packages, install_times) = packages(machine);
        let history = history(machine);
        Self {
            text: Arc::new(Text {
                host: host(machine).into(),
                packages: packages.into(),
                install_times,
                needed: needed(machine).into(),
                rest: rest(machine).into(),
                cookie: machine.rpmdb_digest(),
                history_token: hex(&Sha256::digest(&history)),
                history: history.into(),
                machine: machine.clone(),
            }),
            shift: 0,
        }
    }

    /// The same machine, set up `seconds` later: another text of the same size and the same set of packages.
    pub fn shifted(&self, seconds: i64) -> Self {
        Self { text: Arc::clone(&self.text), shift: seconds }
    }

    /// The answer to one request.
    pub fn reply(&self, request: &[u8], fault: Option<Fault>) -> Reply {
        let request = match FakeRequest::read(request) {
            Ok(request) => request,
            Err(wrong) => {
                return Reply { parts: vec![format!("{MAGIC} error request {wrong}\n").into()], status: REFUSED };
            }
        };
        if let Some(way) = &request.plan {
            return self.plan(&request, way, fault);
        }
        let token = self.packages_token(&request.names);
        let text = &self.text;
        let mut parts = vec![format!("{MAGIC} answer {}\n", request.nonce).into(), text.host.clone()];
        if request.packages.as_deref() == Some(&token) {
            parts.push(Bytes::from_static(b"section packages\nclose 0 warm\nsection needed\nclose 0 warm\n"));
        } else {
            parts.push(self.packages());
            parts.push(text.needed.clone());
        }
        if request.history.as_deref() == Some(&text.history_token) {
            parts.push(Bytes::from_static(b"section history\nclose 0 warm\n"));
        } else {
            parts.push(text.history.clone());
        }
        parts.push(format!("section tokens\n {token}\t{}\nclose 0\n", text.history_token).into());
        parts.push(text.rest.clone());
        let stable = if fault == Some(Fault::Changing) { "no" } else { "yes" };
        parts.push(format!("section stable\n {stable}\nclose 0\nend {SECTIONS}\nbye {}\n", request.nonce).into());
        Reply { parts, status: 0 }
    }

    /// What the machine's dnf would do, as the probe writes it.
    fn plan(&self, request: &FakeRequest, way: &str, fault: Option<Fault>) -> Reply {
        let machine = &self.text.machine;
        let mut repos = String::new();
        for (id, _) in machine.repos.iter().filter(|(_, enabled)| *enabled) {
            let _ = writeln!(repos, " {id}\tyes\t{}", machine.metadata);
        }
        let mut sections = vec![
            section("base", &format!(" {}\n", solver::base(machine))),
            section("generation", " 5\n"),
            section("repos", &repos),
        ];
        if way == "offers" {
            let [offers, installed, digests] = solver::offers(machine, &request.items);
            sections.extend([section("offers", &offers), section("installed", &installed)]);
            sections.extend(request.digests.then(|| section("digests", &digests)));
            sections.push(section("keeps", " snapper\tno\n"));
        } else {
            let wants: Vec<&[(String, String)]> =
                if way == "solve" { vec![&request.items] } else { request.items.chunks(1).collect() };
            let mut rows = String::new();
            for wanted in wants {
                let (status, stdout, stderr) = solver::attempt(machine, wanted);
                let _ = writeln!(rows, " x\t{status}");
                rows.extend(stdout.iter().map(|line| format!(" o\t{line}\n")));
                rows.extend(stderr.iter().map(|line| format!(" e\t{line}\n")));
            }
            sections.push(section("attempts", &rows));
        }
        let stable = if fault == Some(Fault::Changing) { "no" } else { "yes" };
        sections.push(section("stable", &format!(" {stable}\n")));
        let (nonce, count) = (&request.nonce, sections.len());
        let text = format!("{MAGIC} answer {nonce}\n{}end {count}\nbye {nonce}\n", sections.concat());
        Reply { parts: vec![text.into()], status: 0 }
    }

    fn packages(&self) -> Bytes {
        if self.shift == 0 {
            return self.text.packages.clone();
        }
        let mut text = self.text.packages.to_vec();
        for &at in &self.text.install_times {
            let digits = &mut text[at..at + 10];
            let time: i64 = digits.iter().fold(0, |time, digit| time * 10 + i64::from(digit - b'0'));
            let shifted = format!("{:010}", time + self.shift);
            digits.copy_from_slice(&shifted.as_bytes()[..10]);
        }
        text.into()
    }

    /// Moves whenever the lists would, so also when other names are asked for.
    fn packages_token(&self, names: &BTreeSet<String>) -> String {
        let mut digest = Sha256::new();
        digest.update(&self.text.cookie);
        digest.update(self.shift.to_le_bytes());
        for name in names {
            digest.update(name);
            digest.update("\n");
        }
        hex(&digest.finalize())
    }
}

fn section(name: &str, payload: &str) -> String {
    format!("section {name}\n{payload}close 0\n")
}

fn host(machine: &FakeMachine) -> String {
    let kernel = format!(" {}\t{}\n", machine.kernel_release, machine.booted);
    section("os", " id\tfedora\n version_id\t41\n arch\tx86_64\n")
        + &section("kernel", &kernel)
        + &section("selinux", &format!(" {}\n", machine.selinux))
        + &section("dnf", " 5\t5.2.8.1\n")
}

/// The section, and where its install times are.
fn packages(machine: &FakeMachine) -> (String, Vec<usize>) {
    let mut rows: Vec<String> = machine.packages.iter().map(row).collect();
    rows.sort_unstable();
    let mut text = "section packages\n".to_owned();
    let mut install_times = Vec::with_capacity(rows.len());
    for row in rows {
        let before: usize = row.split('\t').take(5).map(|field| field.len() + 1).sum();
        install_times.push(text.len() + before);
        text.push_str(&row);
    }
    text.push_str("close 0\n");
    (text, install_times)
}

fn row(package: &FakePackage) -> String {
    let reason = match package.reason {
        USER => "u",
        GROUP => "g",
        DEPENDENCY => "d",
        EXTERNAL => "e",
        _ => "-",
    };
    let install_only = if package.install_only() { "i" } else { "-" };
    let FakePackage { name, epoch, version, release, arch, install_time, db_instance, vendor, key, from_repo, .. } =
        package;
    let header = package.header_sha256();
    format!(
        " {name}\t{epoch}\t{version}\t{release}\t{arch}\t{install_time:010}\t{db_instance}\t{header}\t{key}\t{reason}\t\
         {install_only}\t{from_repo}\t{vendor}\n"
    )
}

/// Everything that came as a dependency: about what the listed packages of a real machine need.
fn needed(machine: &FakeMachine) -> String {
    let names: BTreeSet<&str> =
        machine.packages.iter().filter(|p| p.reason == DEPENDENCY).map(|p| p.name.as_str()).collect();
    let payload = names.iter().fold(String::new(), |mut text, name| {
        let _ = writeln!(text, " {name}");
        text
    });
    section("needed", &payload)
}

fn history(machine: &FakeMachine) -> String {
    let mut text = String::new();
    for entry in machine.history.iter().rev() {
        let status = if entry.end == 0 { "Started" } else { "Ok" };
        let user = json(&format!("{} {} <{}>", entry.uid, entry.user, entry.user));
        let command = json(&entry.command);
        let _ = writeln!(
            text,
            " t\t{}\t{}\t{}\t{status}\t{}\t{user}\t{command}",
            entry.id, entry.begin, entry.end, entry.rpmdb_end
        );
        for (nevra, action, _, _) in &entry.changes {
            let _ = writeln!(text, " c\t{action}\t{nevra}");
        }
    }
    for line in &machine.applications {
        let _ = writeln!(text, " w\t{line}");
    }
    section("history", &text)
}

fn json(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

fn rest(machine: &FakeMachine) -> String {
    let mut repos = String::new();
    for (id, enabled) in &machine.repos {
        let state = if *enabled { "enabled" } else { "disabled" };
        let _ = writeln!(repos, " {id}\t{state}");
    }
    section("repos", &repos)
        + &section("versionlocks", "")
        + &section("config", &format!(" {}\n", hex(&Sha256::digest(&repos))))
        + &section("modules", "")
        + &section("locks", "")
        + &section("reboot", " no\n")
        + &section("privileges", " 985\tno\tno\tyes\tcountersign-observer\n")
        + &section("metadata", &format!(" {}\n", machine.metadata))
        + &section("avc", " 0\n")
}
