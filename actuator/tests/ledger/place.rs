//! A directory with a key and a ledger, and entries to write.

use countersign_actuator::ledger::entry::check;
use countersign_actuator::ledger::read::{Scan, scan};
use countersign_actuator::ledger::{Ledger, LedgerError};
use countersign_manifests_schema::bundle::{Bundle, SignedText};
use countersign_manifests_schema::ledger::{CommandRecord, Entry, Event};
use countersign_manifests_schema::notary::{LedgerHead, Outcome};
use countersign_shared::journal::Watch;
use countersign_shared::signing_key::SigningKey;
use std::path::PathBuf;
use std::process::Command;

/// 2026-11-20T22:00:00Z.
pub(crate) const START: i64 = 1_795_212_000;

pub(crate) struct Place {
    pub(crate) dir: tempfile::TempDir,
}

pub(crate) fn id(number: u64) -> String {
    format!("{number:064x}")
}

pub(crate) fn command(argv: &[&str], exit: Option<i32>) -> CommandRecord {
    CommandRecord { argv: argv.iter().map(|word| (*word).to_owned()).collect(), exit, output: id(0xabc) }
}

pub(crate) fn started(number: u64) -> Event {
    Event::Started {
        proposal: id(number),
        runner: "runner-04".to_owned(),
        approved_by: vec!["alice@example.org".to_owned(), "bob@example.org".to_owned()],
        bundle: Bundle {
            schema: "countersign/bundle/1".to_owned(),
            proposal: "{}\n".to_owned(),
            statements: Vec::new(),
            lease: None,
            token: None,
        },
        before: id(0xb),
        staged: id(0x5),
        commands: vec![command(&["dnf5", "-y", "replay", "/var/lib/countersign-warden/stage"], Some(0))],
    }
}

pub(crate) fn ended(number: u64, outcome: Outcome) -> Event {
    Event::Ended {
        proposal: id(number),
        runner: "runner-04".to_owned(),
        outcome,
        after: (outcome == Outcome::Applied).then(|| id(0xaf)),
        commands: vec![command(&["dnf5", "check"], None)],
        detail: (outcome != Outcome::Applied).then(|| "dnf5 check found \u{1b}[31mproblems".to_owned()),
    }
}

pub(crate) fn refused(number: u64) -> Event {
    Event::Refused {
        proposal: id(number),
        runner: "runner-04".to_owned(),
        code: "no-lease".to_owned(),
        detail: "no lease in force lists it".to_owned(),
    }
}

pub(crate) fn reset() -> Event {
    let order =
        r#"{"reason":"llvm is fixed","schema":"countersign/order/1","kind":"reset-breaker","nonce":"","issued":""}"#;
    let order = SignedText { text: order.to_owned(), signature: String::new() };
    Event::Reset { order, by: "carol@example.org".to_owned() }
}

impl Place {
    pub(crate) fn new() -> Self {
        let place = Self { dir: tempfile::tempdir().unwrap() };
        place.keygen("key");
        place
    }

    pub(crate) fn keygen(&self, name: &str) {
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(self.path(name)).status();
        assert!(made.unwrap().success());
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn file(&self) -> PathBuf {
        self.path("ledger.jsonl")
    }

    pub(crate) fn key(&self) -> SigningKey {
        SigningKey::load(&self.path("key")).unwrap()
    }

    pub(crate) fn open(&self) -> Result<Ledger, LedgerError> {
        Ledger::open(&self.file(), self.key(), Watch::default(), &mut |_, _| ())
    }

    /// Writes these, a minute apart.
    pub(crate) fn write(&self, events: impl IntoIterator<Item = Event>) -> Vec<LedgerHead> {
        let mut ledger = self.open().unwrap();
        let first = ledger.head().map_or(0, |head| i64::try_from(head.number).unwrap());
        let mut heads = Vec::new();
        for (index, event) in (first..).zip(events) {
            heads.push(ledger.append(START + 60 * index, event).unwrap());
        }
        heads
    }

    pub(crate) fn read(&self) -> (Vec<Entry>, Scan) {
        let mut entries = Vec::new();
        let key = self.key();
        let scan = scan(&self.file(), key.public(), &mut |entry, _, _| entries.push(entry.clone())).unwrap();
        (entries, scan)
    }

    /// Its lines, each with its newline.
    pub(crate) fn lines(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.file()).unwrap();
        text.split_inclusive('\n').map(str::to_owned).collect()
    }

    /// The heads of its lines.
    pub(crate) fn heads(&self) -> Vec<LedgerHead> {
        let key = self.key();
        let mut heads: Vec<LedgerHead> = Vec::new();
        for line in self.lines() {
            heads.push(check(line.as_bytes(), heads.last(), key.public()).unwrap().1);
        }
        heads
    }
}
