//! The fake machine's warden. It judges bundles as the real one does, by the same code and the keys of people and notary;
//! what it then changes is a machine in memory.

use super::answer::FakeAnswers;
use super::catalog::{DEPENDENCY, FakePackage, GROUP, USER};
use super::machine::{Change, FakeMachine};
use super::solver;
use countersign_manifests_schema::ledger::CommandRecord;
use countersign_manifests_schema::proposal::Proposal;
use countersign_manifests_schema::transaction::{Action, Reason};
use countersign_manifests_schema::warden::{
    Application, Inspection, NEVER_STARTED, Stage, WardenAnswer, WardenRequest,
};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::bundle::{BundleRules, Verified, verify};
use countersign_shared::approval::people::People;
use countersign_shared::canonical_json::sha256;
use countersign_shared::observation::{Observation, set_digest};
use countersign_shared::proposal::{Predicted, configuration_digest, named_digest};
use countersign_shared::warden::{answer, open_request};
use jiff::Timestamp;
use russh::keys::ssh_key::public::KeyData;
use std::collections::BTreeSet;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

/// What its binary would be.
pub const BINARY: &str = "the embedded fleet's warden";
/// What its warden.toml would say.
pub const POLICY: &str = "require_touch = false\n";
/// How long an unconfirmed application stays.
const CONFIRM_WITHIN: Duration = Duration::from_secs(600);
/// As long as a proposal lives by the policy's default.
const MAX_AGE: Duration = Duration::from_secs(7 * 86_400);

/// By what it judges.
#[derive(Debug, Clone)]
pub struct Rules {
    /// The text of its approvers.
    pub approvers: String,
    /// The notary's public key file.
    pub notary: String,
}

/// One of them, with its machine.
#[derive(Debug)]
pub struct FakeWarden {
    runner: String,
    rules: Rules,
    people: AllowedSigners,
    notary: KeyData,
    inner: Mutex<Inner>,
    /// The last request to apply, as somebody on the way could have kept it.
    overheard: Mutex<Option<Vec<u8>>>,
    /// While this file is there the answer to `apply` is kept back; it is made when an application begins.
    held: Mutex<Option<PathBuf>>,
}

#[derive(Debug)]
struct Inner {
    machine: FakeMachine,
    answers: FakeAnswers,
    memory: Vec<Application>,
    staged: Option<Staged>,
    /// The machine before, and when it comes back by itself.
    unconfirmed: Option<(FakeMachine, Instant)>,
    nonces: u64,
    smuggled: Option<FakePackage>,
    /// The next application is denied once it has begun.
    denies: bool,
    /// Whatever was started is at work for ever.
    stalls: bool,
    /// It lets nobody in.
    gone: bool,
    /// Bytes of a command that it says it has run.
    chatter: usize,
}

#[derive(Debug)]
struct Staged {
    nonce: String,
    digest: String,
    proposal: String,
}

/// What is sent back.
#[derive(Debug)]
pub(super) struct Reply {
    /// The frame.
    pub(super) bytes: Vec<u8>,
    /// The file that must go first.
    pub(super) held: Option<PathBuf>,
}

type Refused = (&'static str, String);

impl FakeWarden {
    /// A warden that never started anything.
    pub fn new(runner: &str, machine: FakeMachine, rules: Rules) -> anyhow::Result<Self> {
        let people = AllowedSigners::parse(&rules.approvers).map_err(|error| anyhow::anyhow!(error.problem))?;
        let notary = russh::keys::PublicKey::from_openssh(rules.notary.trim())?.key_data().clone();
        let answers = FakeAnswers::of(&machine);
        let inner = Inner {
            machine,
            answers,
            memory: Vec::new(),
            staged: None,
            unconfirmed: None,
            nonces: 0,
            smuggled: None,
            denies: false,
            stalls: false,
            gone: false,
            chatter: 0,
        };
        let runner = runner.to_owned();
        Ok(Self {
            runner,
            rules,
            people,
            notary,
            inner: Mutex::new(inner),
            overheard: Mutex::new(None),
            held: Mutex::new(None),
        })
    }

    /// Keeps the answer to the next `apply` back while `file` is there; it is made when the application begins.
    pub fn hold_at(&self, file: &Path) {
        *self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(file.to_owned());
    }

    /// The next application brings this along behind everybody's back, as a scriptlet could.
    pub fn smuggle(&self, package: FakePackage) {
        self.lock().smuggled = Some(package);
    }

    /// The next application begins, and the answer is a refusal all the same: as when the one who began it died.
    pub fn deny(&self) {
        self.lock().denies = true;
    }

    /// From now on it says of whatever was started that it is at work.
    pub fn stall(&self) {
        self.lock().stalls = true;
    }

    /// The actuator cannot log in while it is gone.
    pub fn leave(&self, gone: bool) {
        self.lock().gone = gone;
    }

    pub(super) fn is_gone(&self) -> bool {
        self.lock().gone
    }

    /// It says to have run a command of so many bytes at the next application.
    pub fn chatter(&self, bytes: usize) {
        self.lock().chatter = bytes;
    }

    /// The last request to apply, byte for byte.
    pub fn overheard(&self) -> Option<Vec<u8>> {
        self.overheard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone()
    }

    /// What the probe says there now.
    pub fn answers(&self) -> FakeAnswers {
        self.lock().answers.clone()
    }

    /// The machine as it is now.
    pub fn machine(&self) -> FakeMachine {
        self.lock().machine.clone()
    }

    /// Everything that was ever started.
    pub fn started(&self) -> Vec<Application> {
        self.lock().memory.clone()
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, Inner> {
        // A test that failed under the lock has failed already.
        self.inner.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// Answers one request.
    pub(super) fn reply(&self, bytes: &[u8]) -> Reply {
        let mut held = None;
        let said = match open_request(bytes) {
            Err(error) => Err(("request", chain(&error))),
            Ok(request) => {
                if matches!(request, WardenRequest::Apply { .. }) {
                    *self.overheard.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) = Some(bytes.to_vec());
                }
                self.obey(request, &mut held)
            }
        };
        let said = said.unwrap_or_else(|(code, message)| WardenAnswer::Refused { code: code.to_owned(), message });
        Reply { bytes: answer(&said), held }
    }

    fn obey(&self, request: WardenRequest, held: &mut Option<PathBuf>) -> Result<WardenAnswer, Refused> {
        let mut inner = self.lock();
        if inner.unconfirmed.as_ref().is_some_and(|(_, until)| Instant::now() >= *until) {
            inner.undo("it was not confirmed in time");
        }
        match request {
            WardenRequest::Status {} => {
                let mut started = inner.memory.clone();
                if inner.stalls {
                    started.iter_mut().for_each(|application| application.stage = Stage::Started);
                }
                Ok(WardenAnswer::Status { started })
            }
            WardenRequest::Inspect { listed } => Ok(WardenAnswer::Inspection(Box::new(Inspection {
                runner: self.runner.clone(),
                version: format!("{} (a fake)", env!("CARGO_PKG_VERSION")),
                binary: sha256(BINARY.as_bytes()),
                approvers: sha256(self.rules.approvers.as_bytes()),
                policy: sha256(POLICY.as_bytes()),
                notary_key: sha256(self.rules.notary.as_bytes()),
                max_age: MAX_AGE.as_secs(),
                confirm_within: CONFIRM_WITHIN.as_secs(),
                observation: inner.observation(&listed),
                halted: None,
                busy: None,
                last: inner.memory.last().cloned(),
            }))),
            WardenRequest::Stage { bundle } => {
                let verified = self.admit(&inner, &bundle, false)?;
                inner.stage(&verified)
            }
            WardenRequest::Apply { bundle } => {
                let verified = self.admit(&inner, &bundle, true)?;
                let token = verified.token().ok_or(("no-token", "there is none".to_owned()))?;
                let staged = inner.staged.take().filter(|staged| staged.nonce == token.nonce);
                let staged = staged.ok_or(("no-token", "the token is for another staging".to_owned()))?;
                if staged.digest != token.staged || staged.proposal != token.proposal {
                    return Err(("no-token", "the token is for another set".to_owned()));
                }
                let file = self.held.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).take();
                if let Some(file) = file {
                    let _ = fs::write(&file, "");
                    *held = Some(file);
                }
                let application = inner.apply(verified.sealed().id(), verified.sealed().proposal())?;
                match std::mem::take(&mut inner.denies) {
                    true => Err(("request", "the warden ended without an answer; ask for its status".to_owned())),
                    false => Ok(WardenAnswer::Outcome(application)),
                }
            }
            WardenRequest::Confirm { proposal, keep } => inner.confirm(&proposal, keep).map(WardenAnswer::Outcome),
        }
    }

    fn admit(&self, inner: &Inner, bundle: &str, token: bool) -> Result<Verified, Refused> {
        let now = Timestamp::now().as_second();
        let people = People { listed: &self.people, bots: &[], revoked: &[], require_touch: false, now };
        let rules = BundleRules {
            people,
            runner: &self.runner,
            required: 1,
            protected: &[],
            protected_required: 2,
            max_age: MAX_AGE,
            notary: token.then_some(&self.notary),
        };
        let verified = verify(bundle.as_bytes(), &rules).map_err(|why| (why.code(), chain(&why)))?;
        let sealed = verified.sealed();
        if let Some(past) = inner.memory.iter().find(|past| past.proposal == sealed.id()) {
            return Err(("spent", format!("it was started at {} here", past.started)));
        }
        if inner.unconfirmed.is_some() {
            return Err(("runner-busy", "another application is not confirmed".to_owned()));
        }
        if inner.memory.iter().any(|past| past.created >= sealed.proposal().created) {
            return Err(("superseded", "a newer proposal was started here".to_owned()));
        }
        Ok(verified)
    }
}

impl Inner {
    /// What the probe would say, framed as for the observer.
    fn observation(&self, listed: &[String]) -> String {
        let names: String = listed.iter().map(|name| format!("name {name}\n")).collect();
        let request = format!("countersign-probe/1 request\nnonce 000102030405060708090a0b0c0d0e0f\n{names}end\n");
        let parts = self.answers.reply(request.as_bytes(), None).parts;
        parts.iter().map(|part| String::from_utf8_lossy(part).into_owned()).collect()
    }

    fn record(&self) -> Result<String, Refused> {
        let nonce =
            countersign_shared::observation::Nonce::new(std::array::from_fn(|index| index.try_into().unwrap_or(0)));
        countersign_shared::observation::open(self.observation(&[]).into_bytes(), &nonce)
            .map_err(|failure| ("state-moved", failure.message))
    }

    fn stage(&mut self, verified: &Verified) -> Result<WardenAnswer, Refused> {
        let (id, proposal) = (verified.sealed().id(), verified.sealed().proposal());
        self.check(proposal)?;
        self.nonces += 1;
        let nonce = sha256(format!("{id} {}", self.nonces).as_bytes());
        let digest = sha256(format!("{:?}", proposal.transaction).as_bytes());
        self.staged = Some(Staged { nonce: nonce.clone(), digest: digest.clone(), proposal: id.to_owned() });
        Ok(WardenAnswer::Staged {
            nonce,
            staged: digest,
            lasts: 600,
            commands: vec![ran(&["dnf5", "replay", "--downloadonly"])],
        })
    }

    /// The machine is as the proposal says, and the repositories have exactly its files.
    fn check(&self, proposal: &Proposal) -> Result<(), Refused> {
        let record = self.record()?;
        let seen = Observation::parse(&record, Timestamp::now().as_second())
            .map_err(|failure| ("state-moved", failure.message))?;
        let packages = seen.packages.seen().ok_or(("state-moved", "the packages were not read".to_owned()))?;
        let configuration = configuration_digest(&seen).map_err(|section| ("state-moved", section.to_owned()))?;
        let named = named_digest(&packages.list, &proposal.drift, &proposal.transaction);
        if proposal.base.configuration.as_ref() != Some(&configuration) || proposal.base.named.as_ref() != Some(&named)
        {
            return Err(("state-moved", "what it names is not as when it was proposed".to_owned()));
        }
        Predicted::new(&packages.list, &proposal.transaction)
            .map_err(|error| ("transaction-differs", error.to_string()))?;
        for change in proposal.transaction.rpms.iter().filter(|change| change.action.is_incoming()) {
            let file = solver::offered().into_iter().find(|package| package.nevra() == change.nevra);
            if file.map(|package| solver::file_sha256(&package)) != change.sha256 {
                return Err(("transaction-differs", format!("{} is another file here", change.nevra)));
            }
        }
        Ok(())
    }

    fn set(&self) -> Result<String, Refused> {
        let record = self.record()?;
        let seen = Observation::parse(&record, 0).map_err(|failure| ("state-moved", failure.message))?;
        Ok(seen.packages.seen().map(|packages| set_digest(&packages.list)).unwrap_or_default())
    }

    fn apply(&mut self, id: &str, proposal: &Proposal) -> Result<Application, Refused> {
        self.check(proposal)?;
        let (before, now) = (self.set()?, Timestamp::now());
        let former = self.machine.clone();
        let mut changes = Vec::new();
        let offered = solver::offered();
        let kept: BTreeSet<&str> = proposal
            .transaction
            .rpms
            .iter()
            .filter(|c| c.action.is_incoming())
            .filter_map(|c| name(&c.nevra))
            .collect();
        for change in &proposal.transaction.rpms {
            match change.action {
                Action::Remove => changes.extend(
                    name(&change.nevra)
                        .filter(|name| !kept.contains(name))
                        .map(|name| Change::Remove(name.to_owned().into())),
                ),
                action if action.is_incoming() => {
                    let package = offered.iter().find(|package| package.nevra() == change.nevra);
                    let package: FakePackage = package.cloned().ok_or(("transaction-differs", change.nevra.clone()))?;
                    let reason = match change.reason {
                        Reason::User => USER,
                        Reason::Group => GROUP,
                        _ => DEPENDENCY,
                    };
                    changes.push(Change::Install(package.because(reason)));
                }
                _ => {}
            }
        }
        self.machine.dnf(now.as_second() - 20, (0, "root"), "countersign-warden: dnf5 replay", changes);
        if let Some(package) = self.smuggled.take() {
            self.machine.rpm_install(now.as_second(), package);
        }
        self.answers = FakeAnswers::of(&self.machine);
        let at = Timestamp::from_second(now.as_second()).unwrap_or(now).to_string();
        let mut commands = vec![ran(&["dnf5", "replay"]), ran(&["dnf5", "check"])];
        if self.chatter > 0 {
            commands.push(ran(&[&"x".repeat(std::mem::take(&mut self.chatter))]));
        }
        self.memory.push(Application {
            proposal: id.to_owned(),
            created: proposal.created.clone(),
            stage: Stage::Unconfirmed,
            before,
            after: Some(self.set()?),
            detail: None,
            commands,
            started: at.clone(),
            at,
        });
        self.show();
        self.unconfirmed = Some((former, Instant::now() + CONFIRM_WITHIN));
        self.last()
    }

    fn confirm(&mut self, proposal: &str, keep: bool) -> Result<Application, Refused> {
        let Some(past) = self.memory.iter().find(|past| past.proposal == proposal) else {
            self.staged.take_if(|staged| !keep && staged.proposal == proposal);
            return Err((NEVER_STARTED, "this proposal was never started here".to_owned()));
        };
        if past.stage != Stage::Unconfirmed {
            return Ok(past.clone());
        }
        match keep {
            true => {
                self.unconfirmed = None;
                self.ended(Stage::Confirmed, None);
            }
            false => self.undo("it was asked for"),
        }
        self.last()
    }

    fn undo(&mut self, why: &str) {
        if let Some((former, _)) = self.unconfirmed.take() {
            self.answers = FakeAnswers::of(&former);
            self.machine = former;
            self.ended(Stage::Undone, Some(why.to_owned()));
        }
    }

    fn ended(&mut self, stage: Stage, detail: Option<String>) {
        let after = self.set().ok();
        if let Some(last) = self.memory.last_mut() {
            (last.stage, last.detail, last.after) = (stage, detail, after);
        }
        self.show();
    }

    /// Lets the probe see what was started.
    fn show(&mut self) {
        let line = |past: &Application| {
            let stage = serde_json::to_value(past.stage).unwrap_or_default();
            format!("{}\t{}\t{}\t{}", past.proposal, stage.as_str().unwrap_or_default(), past.started, past.at)
        };
        self.machine.applications = self.memory.iter().map(line).collect();
        self.answers = FakeAnswers::of(&self.machine);
    }

    fn last(&self) -> Result<Application, Refused> {
        self.memory.last().cloned().ok_or(("request", "nothing was ever started".to_owned()))
    }
}

fn name(nevra: &str) -> Option<&str> {
    countersign_shared::nevra::Nevra::parse(nevra).ok().map(|nevra| nevra.name)
}

fn ran(argv: &[&str]) -> CommandRecord {
    let argv = argv.iter().map(|word| (*word).to_owned()).collect();
    CommandRecord { argv, exit: Some(0), output: sha256(b"") }
}

fn chain(error: &(dyn Error + 'static)) -> String {
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
