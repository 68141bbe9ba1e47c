//! Where requests are answered, one after another: under one lock, burned before the answer leaves.
//!
//! Nothing in here can give out a token for a proposal that was burned: the record is on the disk before the key signs,
//! and a record that may or may not be there stops the notary until it is started again.

use crate::clock::{Clock, ClockError, TimeSource, moment};
use crate::config::Config;
use crate::judge::{self, Draw, Refusal};
use crate::lists::{ApproversError, Lists};
use crate::memory::{Memory, short};
use crate::nonces::Nonces;
use crate::peer::Peer;
use crate::record::{Event, Record};
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{LEASE_SECONDS, OrderKind};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, NotaryState};
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, TOKEN_SECONDS, Token};
use countersign_shared::approval::signed::{SignedRefusal, open_lease, open_order};
use countersign_shared::canonical_json;
use countersign_shared::halt::{self, Halt};
use countersign_shared::journal::{Journal, JournalError, Step, Watch, sync_directory};
use countersign_shared::signing_key::{SigningKey, SigningKeyError};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};

/// Leases in force at once.
const MOST_LEASES: usize = 64;
/// Characters of a halt's reason.
const LONGEST_REASON: usize = 1000;

/// Where the handling of a request stands. A process that dies at any of these gives no token out twice, and forgets
/// nothing that it has answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Point {
    /// The request was read.
    Read,
    /// The latest time is on the disk.
    Marked,
    /// The memory is being written, or mended at the start.
    Memory(Step),
    /// The token is signed.
    Signed,
    /// The halt is on the disk, or lifted there.
    Halt,
    /// The answer is written to the socket.
    Answered,
}

impl Point {
    /// All of them.
    pub const ALL: [Point; 11] = [
        Point::Read,
        Point::Marked,
        Point::Memory(Step::ALL[0]),
        Point::Memory(Step::ALL[1]),
        Point::Memory(Step::ALL[2]),
        Point::Memory(Step::ALL[3]),
        Point::Memory(Step::ALL[4]),
        Point::Memory(Step::ALL[5]),
        Point::Signed,
        Point::Halt,
        Point::Answered,
    ];
}

/// What tests put in the place of the system: its time, and the moment to die.
pub struct Surroundings {
    /// Where time comes from.
    pub time: Box<dyn TimeSource>,
    /// Told of every point, with the file and the bytes that are being written, if any.
    pub watch: Option<Arc<Watcher>>,
}

/// Told of a point.
pub type Watcher = dyn Fn(Point, Option<(&std::fs::File, &[u8])>) + Send + Sync;

/// Why the notary does not start.
#[derive(Debug, thiserror::Error)]
pub enum DeskError {
    /// The directory cannot be made or is not ours alone.
    #[error("cannot use the directory {}", path.display())]
    Directory {
        /// `state_dir`.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The memory cannot be read.
    #[error("the notary's memory cannot be used")]
    Memory(#[from] JournalError),
    /// The time cannot be kept.
    #[error("the notary's time cannot be kept")]
    Clock(#[from] ClockError),
    /// The key cannot be used.
    #[error("the key that signs tokens cannot be used")]
    Key(#[from] SigningKeyError),
    /// The approvers cannot be read.
    #[error("the approvers cannot be read")]
    Approvers(#[source] ApproversError),
}

/// Answers requests.
pub struct Desk {
    config: Config,
    key: SigningKey,
    halt: PathBuf,
    watch: Option<Arc<Watcher>>,
    inner: Mutex<Inner>,
}

struct Inner {
    clock: Clock,
    nonces: Nonces,
    memory: Memory,
    journal: Journal,
    /// A halt that could not be written down.
    unwritten_halt: Option<String>,
}

impl Desk {
    /// Reads everything that is remembered, and the key.
    pub fn open(config: Config, surroundings: Surroundings) -> Result<Self, DeskError> {
        let directory = config.state_dir.clone();
        own_directory(&directory).map_err(|source| DeskError::Directory { path: directory.clone(), source })?;
        let key = SigningKey::load(&config.signing_key)?;
        Lists::read(&config).map_err(DeskError::Approvers)?;
        let watch = surroundings.watch;
        let journal_watch = match &watch {
            None => Watch::default(),
            Some(watch) => {
                let watch = Arc::clone(watch);
                Watch::with(move |step, file, bytes| watch(Point::Memory(step), Some((file, bytes))))
            }
        };
        let mut memory = Memory::default();
        let mut read = |_: u64, line: &[u8]| Ok(memory.read(line)?);
        let journal = Journal::open(&directory.join("memory.jsonl"), journal_watch, &mut read)?;
        let clock = Clock::open(&directory.join("clock.json"), surroundings.time)?;
        memory.forget(clock.unchecked());
        let inner = Inner { clock, nonces: Nonces::default(), memory, journal, unwritten_halt: None };
        Ok(Self { config, key, halt: directory.join("HALT"), watch, inner: Mutex::new(inner) })
    }

    /// What the notary was told.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// The key that signs tokens, as `ssh-keygen -l` names it.
    pub fn fingerprint(&self) -> String {
        self.key.fingerprint()
    }

    /// Tells a test where the handling stands.
    pub fn at(&self, point: Point) {
        if let Some(watch) = &self.watch {
            watch(point, None);
        }
    }

    /// Whether this process may say anything at all.
    pub fn knows(&self, peer: &Peer) -> bool {
        self.is_operator(peer) || self.is_actuator(peer) || peer.uid == 0 || peer.uid == own_uid()
    }

    fn is_operator(&self, peer: &Peer) -> bool {
        peer.is_operator(&self.config.operators)
    }

    fn is_actuator(&self, peer: &Peer) -> bool {
        peer.uid == self.config.actuator_uid
    }

    /// Answers one request.
    pub fn answer(&self, peer: &Peer, request: NotaryRequest) -> NotaryAnswer {
        let asked = word(&request);
        match self.decide(peer, request) {
            Ok(answer) => {
                tracing::info!(uid = peer.uid, asked, "done");
                answer
            }
            Err(Refusal { code, message }) => {
                tracing::warn!(uid = peer.uid, asked, code, message, "refused");
                NotaryAnswer::Refused { code: code.to_owned(), message }
            }
        }
    }

    fn decide(&self, peer: &Peer, request: NotaryRequest) -> Result<NotaryAnswer, Refusal> {
        let may = match &request {
            NotaryRequest::Nonce {} | NotaryRequest::Lease { .. } | NotaryRequest::Order { .. } => {
                self.is_operator(peer)
            }
            NotaryRequest::Token { .. } | NotaryRequest::Outcome { .. } => self.is_actuator(peer),
            NotaryRequest::Halt { .. } => self.is_operator(peer) || self.is_actuator(peer),
            NotaryRequest::State {} => self.knows(peer),
        };
        if !may {
            let message = format!("the account with uid {} may not ask for this", peer.uid);
            return Err(Refusal::new("peer", message));
        }
        // A panic under the lock leaves a memory that nobody knows.
        let inner = &mut *self.inner.lock().map_err(|_| Refusal::new("storage", "the notary must be started again"))?;
        match request {
            NotaryRequest::State {} => Ok(NotaryAnswer::State(self.state(inner))),
            NotaryRequest::Halt { reason } => self.set_halt(inner, peer, &reason),
            NotaryRequest::Nonce {} => {
                let now = self.now(inner)?;
                let nonce = inner.nonces.give(now, peer.uid).map_err(|error| storage(&error))?;
                Ok(NotaryAnswer::Nonce { nonce, issued: moment(now), expires: moment(now + LEASE_SECONDS) })
            }
            NotaryRequest::Lease { lease } => self.take_lease(inner, lease),
            NotaryRequest::Order { order } => self.obey(inner, order),
            NotaryRequest::Token { proposal, runner, nonce, staged, removals, head } => {
                self.draw(inner, Draw { proposal, runner, nonce, staged, removals, head })
            }
            NotaryRequest::Outcome { proposal, outcome, head } => {
                let now = self.now(inner)?;
                if let Some(event) = judge::end(&inner.memory, proposal, outcome, head)? {
                    self.remember(inner, now, event)?;
                    self.trip(inner, now)?;
                }
                Ok(NotaryAnswer::Done {})
            }
        }
    }

    fn draw(&self, inner: &mut Inner, draw: Draw) -> Result<NotaryAnswer, Refusal> {
        let now = self.now(inner)?;
        if let Some(reason) = self.halted(inner) {
            return Err(Refusal::new("halted", reason));
        }
        self.trip(inner, now)?;
        let event = judge::burn(&inner.memory, &self.config.breaker, now, draw)?;
        let Event::Burned { proposal, runner, nonce, staged, lease, .. } = event.clone() else {
            return Err(Refusal::new("storage", "nothing was burned"));
        };
        self.remember(inner, now, event)?;
        let (issued, expires) = (moment(now), moment(now + TOKEN_SECONDS));
        let token = Token { schema: TOKEN_SCHEMA.to_owned(), proposal, runner, nonce, staged, lease, issued, expires };
        let text = canonical_json::to_bytes(&token).map_err(|error| storage(&error))?;
        let signature = self.key.sign(TOKEN_NAMESPACE, &text).map_err(|error| storage(&error))?;
        let text = String::from_utf8(text).map_err(|error| storage(&error))?;
        self.at(Point::Signed);
        Ok(NotaryAnswer::Token { token: SignedText { text, signature } })
    }

    fn take_lease(&self, inner: &mut Inner, signed: SignedText) -> Result<NotaryAnswer, Refusal> {
        let now = self.now(inner)?;
        let lists = Lists::read(&self.config).map_err(|error| storage(&error))?;
        let (lease, approver) =
            open_lease(&signed, &lists.people(&self.config, now)).map_err(|error| not_signed(&error))?;
        inner.memory.forget(now);
        if inner.memory.in_force(now).count() >= MOST_LEASES {
            return Err(Refusal::new("busy", format!("{MOST_LEASES} leases are in force already")));
        }
        inner.nonces.take(&lease.nonce, &lease.issued, now)?;
        self.remember(inner, now, Event::Lease { lease: signed, by: approver.person.principal })?;
        Ok(NotaryAnswer::Done {})
    }

    fn obey(&self, inner: &mut Inner, signed: SignedText) -> Result<NotaryAnswer, Refusal> {
        let now = self.now(inner)?;
        let lists = Lists::read(&self.config).map_err(|error| storage(&error))?;
        let (order, approver) =
            open_order(&signed, &lists.people(&self.config, now)).map_err(|error| not_signed(&error))?;
        inner.nonces.take(&order.nonce, &order.issued, now)?;
        let by = approver.person.principal;
        match order.kind {
            OrderKind::ResetBreaker => {
                // What is missing by now is what the person resets, also if nobody has asked since.
                self.trip(inner, now)?;
                self.remember(inner, now, Event::Reset { order: signed, by })?;
            }
            OrderKind::Resume => {
                self.remember(inner, now, Event::Resumed { order: signed, by })?;
                match std::fs::remove_file(&self.halt) {
                    Ok(()) => {}
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(error) => return Err(storage(&error)),
                }
                sync_directory(&self.halt).map_err(|error| storage(&error))?;
                inner.unwritten_halt = None;
                self.at(Point::Halt);
            }
        }
        Ok(NotaryAnswer::Done {})
    }

    /// Whatever else is wrong, the notary can be stopped.
    fn set_halt(&self, inner: &mut Inner, peer: &Peer, reason: &str) -> Result<NotaryAnswer, Refusal> {
        let reason: String =
            reason.chars().map(|c| if c.is_control() { ' ' } else { c }).take(LONGEST_REASON).collect();
        let reason = format!("{} (uid {}, {})", reason.trim(), peer.uid, moment(inner.clock.unchecked()));
        if let Err(error) = halt::set(&self.halt, &reason) {
            inner.unwritten_halt.get_or_insert_with(|| reason.clone());
            let message = format!("halted until the notary is started again, but not for longer: {error}");
            return Err(Refusal::new("storage", message));
        }
        self.at(Point::Halt);
        let at = inner.clock.unchecked();
        let record = Record { at, event: Event::Halted { reason, uid: peer.uid } };
        // The halt stands already; the record is for whoever asks later.
        if let Err(error) = append(inner, &record) {
            tracing::error!(error = %error, "the halt stands, but is not in the memory");
        }
        Ok(NotaryAnswer::Done {})
    }

    fn state(&self, inner: &mut Inner) -> NotaryState {
        // A clock that went backwards is said to whoever wants something done.
        let now = inner.clock.now().unwrap_or_else(|_| inner.clock.unchecked());
        let halted = self.halted(inner);
        let mut state = inner.memory.state(now, halted);
        state.tripped = state.tripped.or_else(|| inner.memory.must_trip(&self.config.breaker, now));
        state
    }

    /// Only a halt that is certainly not there lets pass.
    fn halted(&self, inner: &Inner) -> Option<String> {
        match halt::read(&self.halt) {
            Halt::Clear => inner.unwritten_halt.clone(),
            Halt::Set(reason) if reason.is_empty() => Some("no reason given".to_owned()),
            Halt::Set(reason) => Some(reason),
            Halt::Unreadable(error) => Some(format!("whether a halt is set cannot be read: {error}")),
        }
    }

    fn now(&self, inner: &mut Inner) -> Result<i64, Refusal> {
        inner.clock.now().map_err(|error| match &error {
            ClockError::Backwards { .. } => Refusal::new("clock", error.to_string()),
            ClockError::File { .. } => storage(&error),
        })
    }

    fn trip(&self, inner: &mut Inner, now: i64) -> Result<(), Refusal> {
        match inner.memory.must_trip(&self.config.breaker, now) {
            Some(reason) => self.remember(inner, now, Event::Tripped { reason }),
            None => Ok(()),
        }
    }

    /// On the disk first, then in the memory.
    fn remember(&self, inner: &mut Inner, now: i64, event: Event) -> Result<(), Refusal> {
        inner.clock.write().map_err(|error| storage(&error))?;
        self.at(Point::Marked);
        let record = Record { at: now, event };
        append(inner, &record).map_err(|error| storage(&error))?;
        inner.memory.apply(&record).map_err(|error| storage(&error))
    }
}

impl std::fmt::Debug for Desk {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("Desk").field(&self.config.state_dir).finish()
    }
}

fn append(inner: &mut Inner, record: &Record) -> Result<(), JournalError> {
    let line = canonical_json::to_bytes(record).expect("NOTE: text and whole numbers always serialise");
    inner.journal.append(&line)
}

/// Nobody else may write there: who can take the memory back can have everything burned twice.
fn own_directory(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{DirBuilderExt as _, MetadataExt as _};
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let metadata = std::fs::metadata(path)?;
    if metadata.uid() != own_uid() && metadata.uid() != 0 {
        return Err(io::Error::other(format!("it belongs to uid {}", metadata.uid())));
    }
    if metadata.mode() & 0o022 != 0 {
        return Err(io::Error::other(format!("others can write to it (mode {:04o})", metadata.mode() & 0o7777)));
    }
    Ok(())
}

pub(crate) fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

fn storage(error: &dyn std::error::Error) -> Refusal {
    Refusal::new("storage", chain(error))
}

fn not_signed(error: &SignedRefusal) -> Refusal {
    let code = match error {
        SignedRefusal::Person(_) => "not-human",
        SignedRefusal::Early | SignedRefusal::Late => "expired",
        _ => "request",
    };
    Refusal::new(code, chain(error))
}

fn chain(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(error.source(), |cause| cause.source());
    causes.fold(error.to_string(), |message, cause| format!("{message}: {cause}"))
}

/// What is asked, for the log.
fn word(request: &NotaryRequest) -> String {
    match request {
        NotaryRequest::Nonce {} => "nonce".to_owned(),
        NotaryRequest::Lease { .. } => "lease".to_owned(),
        NotaryRequest::Order { .. } => "order".to_owned(),
        NotaryRequest::Halt { .. } => "halt".to_owned(),
        NotaryRequest::State {} => "state".to_owned(),
        NotaryRequest::Token { proposal, .. } => format!("token {}", short(proposal).escape_debug()),
        NotaryRequest::Outcome { proposal, outcome, .. } => {
            format!("outcome {} {outcome:?}", short(proposal).escape_debug())
        }
    }
}
