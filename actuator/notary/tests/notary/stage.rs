//! A directory with keys and a configuration, and a notary that lives in it.

use crate::process::{Given, Notary};
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease, ORDER_SCHEMA, Order, OrderKind};
use countersign_manifests_schema::lease::{RESET_NAMESPACE, RESUME_NAMESPACE};
use countersign_manifests_schema::notary::{LedgerHead, NotaryAnswer, NotaryRequest, NotaryState, Outcome};
use countersign_shared::canonical_json;
use countersign_shared::notary::{NotaryError, ask};
use jiff::Timestamp;
use std::fs::{self, Permissions};
use std::io::Write as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

pub(crate) const TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) struct Stage {
    dir: tempfile::TempDir,
}

/// What is not a case of its own.
pub(crate) struct Shape {
    pub(crate) key: &'static str,
    pub(crate) namespace: &'static str,
    pub(crate) seconds: i64,
    pub(crate) max: u32,
}

pub(crate) const USUAL: Shape = Shape { key: "alice", namespace: LEASE_NAMESPACE, seconds: 1800, max: 10 };

pub(crate) fn id(number: u64) -> String {
    format!("{number:064x}")
}

pub(crate) fn head(number: u64) -> LedgerHead {
    LedgerHead { number, sha256: canonical_json::sha256(format!("entry {number}").as_bytes()) }
}

pub(crate) fn token(proposal: &str, number: u64) -> NotaryRequest {
    NotaryRequest::Token {
        proposal: proposal.to_owned(),
        runner: "runner-04".to_owned(),
        nonce: id(0xbeef),
        staged: id(0xcafe),
        removals: 0,
        head: head(number),
    }
}

pub(crate) fn outcome(proposal: &str, outcome: Outcome, number: u64) -> NotaryRequest {
    NotaryRequest::Outcome { proposal: proposal.to_owned(), outcome, head: head(number) }
}

/// The code of a refusal; `done` when it is none.
pub(crate) fn code(answer: &NotaryAnswer) -> &str {
    match answer {
        NotaryAnswer::Refused { code, .. } => code,
        _ => "done",
    }
}

impl Stage {
    /// Keys of alice, bob (people), mallory (nobody) and the notary; software keys may sign.
    pub(crate) fn new() -> Self {
        Self::with("require_touch = false\n")
    }

    /// The same, with this at the end of notary.toml.
    pub(crate) fn with(more: &str) -> Self {
        let stage = Self { dir: tempfile::tempdir().unwrap() };
        // Clients of other accounts must get to the socket.
        fs::set_permissions(stage.path(""), Permissions::from_mode(0o755)).unwrap();
        for name in ["alice", "bob", "mallory", "notary"] {
            stage.keygen(name);
        }
        let line = |name: &str| format!("{name}@example.org {}", stage.public(name));
        fs::write(stage.path("approvers"), line("alice") + &line("bob")).unwrap();
        stage.configure(more);
        stage
    }

    pub(crate) fn configure(&self, more: &str) {
        let own = fs::metadata("/proc/self").unwrap();
        let text = format!(
            "socket = \"notary.sock\"\nstate_dir = \"state\"\nsigning_key = \"notary\"\napprovers = \"approvers\"\n\
             operators = [\"gid:{}\", \"uid:4242\"]\nactuator_uid = {}\n{more}",
            own.gid(),
            own.uid()
        );
        fs::write(self.path("notary.toml"), text).unwrap();
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    pub(crate) fn socket(&self) -> PathBuf {
        self.path("notary.sock")
    }

    pub(crate) fn keygen(&self, name: &str) {
        let made = Command::new("ssh-keygen")
            .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
            .arg(self.path(name))
            .status();
        assert!(made.unwrap().success());
    }

    /// With a newline.
    pub(crate) fn public(&self, name: &str) -> String {
        fs::read_to_string(self.path(&format!("{name}.pub"))).unwrap()
    }

    /// As a person signs.
    pub(crate) fn sign(&self, key: &str, namespace: &str, text: &[u8]) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(self.path(key))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(text).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// The real program.
    pub(crate) fn start(&self) -> Notary {
        Notary::program(&self.path("notary.toml"))
    }

    /// The library in a process of the tests, by a clock that the test sets.
    pub(crate) fn start_given(&self, given: &Given) -> Notary {
        Notary::given(&self.path("notary.toml"), given)
    }

    pub(crate) fn try_ask(&self, request: &NotaryRequest) -> Result<NotaryAnswer, NotaryError> {
        ask(&self.socket(), request, TIMEOUT)
    }

    pub(crate) fn ask(&self, request: &NotaryRequest) -> NotaryAnswer {
        self.try_ask(request).unwrap()
    }

    pub(crate) fn state(&self) -> NotaryState {
        match self.ask(&NotaryRequest::State {}) {
            NotaryAnswer::State(state) => state,
            answer => panic!("{answer:?}"),
        }
    }

    /// Nonce, and when it was given out.
    pub(crate) fn nonce(&self) -> (String, String) {
        match self.ask(&NotaryRequest::Nonce {}) {
            NotaryAnswer::Nonce { nonce, issued, .. } => (nonce, issued),
            answer => panic!("{answer:?}"),
        }
    }

    pub(crate) fn draft(&self, proposals: &[String], shape: &Shape) -> Lease {
        let (nonce, issued) = self.nonce();
        let until = issued.parse::<Timestamp>().unwrap().as_second() + shape.seconds;
        Lease {
            schema: LEASE_SCHEMA.to_owned(),
            nonce,
            proposals: proposals.to_vec(),
            max: shape.max,
            reason: "on duty".to_owned(),
            issued,
            expires: Timestamp::from_second(until).unwrap().to_string(),
        }
    }

    pub(crate) fn sign_lease(&self, lease: &Lease, shape: &Shape) -> NotaryRequest {
        let text = canonical_json::to_bytes(lease).unwrap();
        let signature = self.sign(shape.key, shape.namespace, &text);
        NotaryRequest::Lease { lease: SignedText { text: String::from_utf8(text).unwrap(), signature } }
    }

    /// A lease that is taken in.
    pub(crate) fn lease(&self, proposals: &[String], shape: &Shape) {
        let answer = self.ask(&self.sign_lease(&self.draft(proposals, shape), shape));
        assert_eq!(answer, NotaryAnswer::Done {});
    }

    pub(crate) fn draft_order(&self, kind: OrderKind) -> Order {
        let (nonce, issued) = self.nonce();
        Order { schema: ORDER_SCHEMA.to_owned(), kind, nonce, reason: "it is fixed".to_owned(), issued }
    }

    pub(crate) fn sign_order(&self, order: &Order, key: &str, namespace: &str) -> NotaryRequest {
        let text = canonical_json::to_bytes(order).unwrap();
        let signature = self.sign(key, namespace, &text);
        NotaryRequest::Order { order: SignedText { text: String::from_utf8(text).unwrap(), signature } }
    }

    pub(crate) fn order(&self, kind: OrderKind) -> NotaryRequest {
        let namespace = match kind {
            OrderKind::ResetBreaker => RESET_NAMESPACE,
            OrderKind::Resume => RESUME_NAMESPACE,
        };
        self.sign_order(&self.draft_order(kind), "bob", namespace)
    }
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Everything in a directory of plain files.
pub(crate) fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    fs::set_permissions(to, Permissions::from_mode(0o700)).unwrap();
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        fs::copy(entry.path(), to.join(entry.file_name())).unwrap();
    }
}
