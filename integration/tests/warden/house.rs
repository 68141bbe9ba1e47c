//! A runner with a warden, and everything that a test asks it and finds out about it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use countersign_integration::lab::{Lab, Runner};
use countersign_manifests_schema::bundle::{Bundle, SignedText};
use countersign_manifests_schema::proposal::{
    Base, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, SYSTEM_REPO, Transaction};
use countersign_manifests_schema::warden::{Application, Inspection, Stage, WardenAnswer, WardenRequest};
use countersign_shared::observation::{Observation, set_digest};
use countersign_shared::proposal::{
    Predicted as After, RENDERER, Sealed, base_digest, configuration_digest, named_digest,
};
use countersign_shared::{nevra::Nevra, warden};
use sha2::{Digest as _, Sha256};

use crate::people::{Key, Nonce, People, minutes, text};

pub(crate) const PROGRAM: &str = "/usr/libexec/countersign/warden";
pub(crate) const STATE: &str = "/var/lib/countersign-warden";

/// `countersign-warden`, built alone, with the boundaries at which a test may stop it.
pub(crate) fn program() -> &'static Path {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    BUILT.get_or_init(|| {
        let test = std::env::current_exe().unwrap();
        // Beside the other builds: a feature more must not spoil what they share.
        let target = test.ancestors().nth(3).unwrap().join("faults");
        let status = Command::new(env!("CARGO"))
            .args(["build", "--quiet", "--package", "countersign-warden", "--features", "faults", "--target-dir"])
            .arg(&target)
            .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
            .status()
            .unwrap();
        assert!(status.success(), "countersign-warden cannot be built");
        target.join("debug/countersign-warden")
    })
}

/// A runner with its warden.
pub(crate) struct House<'r> {
    pub(crate) runner: &'r Runner,
    pub(crate) people: &'r People,
    repo: PathBuf,
}

impl<'r> House<'r> {
    /// Installs the warden as an administrator would, with these lines more in warden.toml.
    pub(crate) fn new(lab: &Lab, runner: &'r Runner, people: &'r People, more: &str) -> Self {
        runner.write(PROGRAM, std::fs::read(program()).unwrap(), 0o755).unwrap();
        let house = Self { runner, people, repo: lab.repo_dir() };
        house.configure(more);
        runner.sh(&format!("{PROGRAM} lint && {PROGRAM} init")).unwrap();
        house
    }

    /// The same runner later.
    pub(crate) fn again(lab: &Lab, runner: &'r Runner, people: &'r People) -> Self {
        Self { runner, people, repo: lab.repo_dir() }
    }

    /// A runner whose directory is there and empty: a mount of its own.
    pub(crate) fn fresh(lab: &Lab, runner: &'r Runner, people: &'r People) -> Self {
        runner.write(PROGRAM, std::fs::read(program()).unwrap(), 0o755).unwrap();
        let house = Self::again(lab, runner, people);
        house.configure("confirm_within = \"1h\"");
        let empty = "{\"schema\":\"countersign/warden-memory/1\",\"applications\":[]}";
        runner.sh(&format!("printf '%s' '{empty}' >{STATE}/memory.json")).unwrap();
        house
    }

    /// Shell text that puts a request and waits for its end.
    pub(crate) fn asking(&self, request: &WardenRequest) -> String {
        self.runner.write("/root/request", warden::request(request), 0o600).unwrap();
        format!("exec {PROGRAM} </root/request >/dev/null 2>&1")
    }

    pub(crate) fn configure(&self, more: &str) {
        let config = format!(
            "runner = \"{}\"\napprovers = \"/etc/countersign/approvers\"\nnotary_key = \"/etc/countersign/notary.pub\"\n\
             require_touch = false\n{more}\n",
            self.runner.name
        );
        self.runner.write("/etc/countersign/warden.toml", config, 0o644).unwrap();
        self.runner.write("/etc/countersign/approvers", self.people.approvers(), 0o644).unwrap();
        self.runner.write("/etc/countersign/notary.pub", self.people.notary.public() + "\n", 0o644).unwrap();
    }

    /// One request over the program's stdin.
    pub(crate) fn ask(&self, request: &WardenRequest) -> WardenAnswer {
        self.send(&warden::request(request))
    }

    pub(crate) fn send(&self, bytes: &[u8]) -> WardenAnswer {
        let output = self.runner.try_sh_with(&format!("exec {PROGRAM}"), bytes).unwrap();
        warden::open_answer(&output.stdout)
            .unwrap_or_else(|error| panic!("{error}: {}", String::from_utf8_lossy(&output.stderr)))
    }

    pub(crate) fn inspect(&self) -> Box<Inspection> {
        match self.ask(&WardenRequest::Inspect { listed: Vec::new() }) {
            WardenAnswer::Inspection(inspection) => inspection,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn stage(&self, bundle: &Bundle) -> Result<Nonce, (String, String)> {
        match self.ask(&WardenRequest::Stage { bundle: text(bundle) }) {
            WardenAnswer::Staged { nonce, staged, .. } => Ok(Nonce { nonce, staged }),
            WardenAnswer::Refused { code, message } => Err((code, message)),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn apply(&self, bundle: &Bundle) -> Result<Application, (String, String)> {
        outcome(self.ask(&WardenRequest::Apply { bundle: text(bundle) }))
    }

    pub(crate) fn confirm(&self, proposal: &str, keep: bool) -> Result<Application, (String, String)> {
        outcome(self.ask(&WardenRequest::Confirm { proposal: proposal.to_owned(), keep }))
    }

    pub(crate) fn started(&self) -> Vec<Application> {
        match self.ask(&WardenRequest::Status {}) {
            WardenAnswer::Status { started } => started,
            other => panic!("{other:?}"),
        }
    }

    /// Stages an approved proposal and completes its bundle with lease and token.
    pub(crate) fn permitted(&self, sealed: &Sealed, by: &[&Key]) -> Bundle {
        let bundle = self.people.approve(sealed, by);
        let nonce = self.stage(&bundle).unwrap_or_else(|refused| panic!("{refused:?}"));
        self.with_token(bundle, sealed, &nonce)
    }

    pub(crate) fn with_token(&self, mut bundle: Bundle, sealed: &Sealed, nonce: &Nonce) -> Bundle {
        let lease: SignedText = self.people.lease(&[sealed.id()]);
        bundle.token = Some(self.people.token(sealed.id(), &self.runner.name, nonce, &lease));
        bundle.lease = Some(lease);
        bundle
    }

    /// Stage and apply, approved by Mira.
    pub(crate) fn carry_out(&self, sealed: &Sealed) -> Application {
        let bundle = self.permitted(sealed, &[&self.people.mira]);
        self.apply(&bundle).unwrap_or_else(|refused| panic!("{refused:?}"))
    }

    /// A change of a package of the lab; the sha256 is that of its file in the repository.
    pub(crate) fn change(&self, action: Action, nevra: &str, reason: Reason, repo: &str) -> Change {
        let sha256 = action.is_incoming().then(|| {
            let parsed = Nevra::parse(nevra).unwrap();
            let (name, evr, arch) = (parsed.name, parsed.evr, parsed.arch);
            let path = self.repo.join(repo).join(format!("{name}-{}-{}.{arch}.rpm", evr.version, evr.release));
            let bytes = std::fs::read(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
        });
        let repo_id = if action.is_incoming() { repo } else { SYSTEM_REPO }.to_owned();
        Change { nevra: nevra.to_owned(), action, reason, repo_id, sha256, asserted: false }
    }

    /// A proposal for the machine as it is now.
    pub(crate) fn propose(&self, changes: Vec<Change>) -> Sealed {
        Sealed::new(self.proposal(changes)).unwrap()
    }

    pub(crate) fn proposal(&self, mut rpms: Vec<Change>) -> Proposal {
        rpms.sort_by(|a, b| (&a.nevra, a.action.as_str()).cmp(&(&b.nevra, b.action.as_str())));
        let record = warden::record(&self.inspect()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        let packages = &seen.packages.seen().unwrap().list;
        let generation = seen.dnf.seen().unwrap().generation;
        let transaction = Transaction { generation, rpms };
        let configuration = configuration_digest(&seen).unwrap();
        let after = match After::new(packages, &transaction) {
            Ok(after) => after.set_digest(),
            // A proposal that cannot be carried out here predicts something all the same.
            Err(_) => "0".repeat(64),
        };
        let package = Nevra::parse(&transaction.rpms[0].nevra).unwrap().name.to_owned();
        let (removals, downgrades) = (count(&transaction, Action::Remove), count(&transaction, Action::Downgrade));
        let here: Vec<String> =
            packages.iter().filter(|p| p.nevra.name == package).map(|p| p.nevra.evr.to_string()).collect();
        let drift = vec![ClaimedItem {
            code: if here.is_empty() { "missing" } else { "ahead" }.to_owned(),
            package,
            arch: None,
            wanted: Some("= 1".to_owned()),
            seen: here,
            since: None,
            by: None,
            spec_changed: None,
            file: None,
            reason: None,
        }];
        Proposal {
            schema: PROPOSAL_SCHEMA.to_owned(),
            runner: self.runner.name.clone(),
            created: fresh(),
            expires: minutes(7 * 24 * 60),
            renderer: RENDERER,
            observer: Observer { version: "0.1.0".to_owned() },
            canonical: CanonicalState { commit: "c".repeat(40), manifest_digest: "d".repeat(64) },
            base: Base {
                digest: base_digest(packages, seen.os.seen().unwrap().arch, &configuration),
                set_digest: set_digest(packages),
                observed_at: minutes(0),
                named: Some(named_digest(packages, &drift, &transaction)),
                configuration: Some(configuration),
            },
            drift,
            transaction,
            predicted: Predicted { set_digest: after },
            way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
            tried: Vec::new(),
            risk: Risk { removals, downgrades, protected: Vec::new() },
        }
    }

    /// The incident's fix: llvm and what hangs on it back to 19.
    pub(crate) fn llvm_back(&self) -> Vec<Change> {
        let mut changes = Vec::new();
        for (name, reason) in
            [("llvm", Reason::User), ("llvm-libs", Reason::Dependency), ("clang-tools-extra", Reason::User)]
        {
            changes.push(self.change(Action::Downgrade, &format!("{name}-19.1.0-1.fc41.x86_64"), reason, "fedora"));
            changes.push(self.change(Action::Replaced, &format!("{name}-20.1.0-1.fc41.x86_64"), reason, ""));
        }
        changes
    }

    /// The incident's drift.
    pub(crate) fn plant_llvm(&self) {
        let dnf = self.runner.dnf();
        self.runner.sh(&format!("{dnf} -y install llvm-20.1.0 >/dev/null")).unwrap();
    }

    /// What must not change when something is refused.
    pub(crate) fn state(&self) -> State {
        State::of(self.runner)
    }
}

/// Proposals of one test are each newer than the one before, without waiting for it.
fn fresh() -> String {
    use std::sync::atomic::{AtomicI64, Ordering};
    static LAST: AtomicI64 = AtomicI64::new(0);
    // Up to the clock's own skew of a minute may be in the future; tests begin an hour ago.
    let start = jiff::Timestamp::now().as_second() - 3600;
    let last = LAST.fetch_max(start, Ordering::SeqCst).max(start);
    LAST.store(last + 1, Ordering::SeqCst);
    jiff::Timestamp::from_second(last + 1).unwrap().to_string()
}

fn count(transaction: &Transaction, action: Action) -> u32 {
    transaction.rpms.iter().filter(|change| change.action == action).count().try_into().unwrap()
}

fn outcome(answer: WardenAnswer) -> Result<Application, (String, String)> {
    match answer {
        WardenAnswer::Outcome(application) => Ok(application),
        WardenAnswer::Refused { code, message } => Err((code, message)),
        other => panic!("{other:?}"),
    }
}

/// The rpm set with headers and dnf's reasons, dnf's history, and every file under /etc and /usr by digest.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) packages: Vec<String>,
    history: String,
    files: BTreeMap<PathBuf, String>,
}

impl State {
    pub(crate) fn of(runner: &Runner) -> Self {
        let rpm = runner.sh("rpm -qa --qf '%{nevra} %{sha256header} %{dbinstance} %{installtime}\\n' | sort").unwrap();
        let history = match runner.dnf() {
            "dnf5" => runner.sh("dnf5 history list --json; dnf5 history info 1.. --json 2>/dev/null || true"),
            _ => runner.sh("dnf4 -q history list; dnf4 -q history info 1..9999 2>/dev/null || true"),
        };
        let mut files = BTreeMap::new();
        for top in ["etc", "usr"] {
            walk(&runner.root, &runner.root.join(top), &mut files);
        }
        // What SQLite keeps beside a database that is only read.
        files.retain(|path, _| !path.to_string_lossy().ends_with("-shm") && !path.to_string_lossy().ends_with("-wal"));
        assert!(files.len() > 5000, "{} files are not a whole runner", files.len());
        Self { packages: rpm.lines().map(str::to_owned).collect(), history: history.unwrap(), files }
    }

    /// The same packages with the same content; when they were installed may differ.
    pub(crate) fn set(&self) -> Vec<String> {
        let two = |line: &String| line.split(' ').take(2).collect::<Vec<_>>().join(" ");
        self.packages.iter().map(two).collect()
    }

    /// Which files differ.
    pub(crate) fn differences(&self, other: &Self) -> Vec<PathBuf> {
        let all: std::collections::BTreeSet<&PathBuf> = self.files.keys().chain(other.files.keys()).collect();
        all.into_iter().filter(|path| self.files.get(*path) != other.files.get(*path)).cloned().collect()
    }

    pub(crate) fn assert_same(&self, now: &Self, what: &str) {
        assert_eq!(self.differences(now), Vec::<PathBuf>::new(), "{what}");
        assert_eq!(self, now, "{what}");
    }
}

fn walk(root: &Path, directory: &Path, found: &mut BTreeMap<PathBuf, String>) {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    for entry in std::fs::read_dir(directory).unwrap() {
        let path = entry.unwrap().path();
        let meta = path.symlink_metadata().unwrap();
        let mut text = format!("{:o} {}:{}", meta.permissions().mode(), meta.uid(), meta.gid());
        if meta.is_symlink() {
            text += &format!(" -> {}", path.read_link().unwrap().display());
        } else if meta.is_file() {
            text += &format!(" {} {}", meta.len(), digest(&path, &meta));
        } else if meta.is_dir() {
            walk(root, &path, found);
        }
        found.insert(path.strip_prefix(root).unwrap().to_owned(), text);
    }
}

/// sha256 of a file. One that the kernel has not seen change is not read again: nobody can set its change time.
fn digest(path: &Path, meta: &std::fs::Metadata) -> String {
    use std::os::unix::fs::MetadataExt as _;
    type Known = std::collections::HashMap<(PathBuf, [i64; 4]), String>;
    static KNOWN: std::sync::Mutex<Option<Known>> = std::sync::Mutex::new(None);
    let key = (path.to_owned(), [meta.ino().cast_signed(), meta.size().cast_signed(), meta.ctime(), meta.ctime_nsec()]);
    let mut known = KNOWN.lock().unwrap();
    let known = known.get_or_insert_default();
    known.entry(key).or_insert_with(|| format!("{:x?}", &Sha256::digest(std::fs::read(path).unwrap())[..])).clone()
}

/// dnf's reasons, one line per package.
pub(crate) fn reasons(runner: &Runner) -> String {
    match runner.dnf() {
        "dnf5" => runner.sh("dnf5 repoquery --installed --qf '%{full_nevra} %{reason}\\n' | sort").unwrap(),
        _ => runner.sh("dnf4 -q repoquery --installed --qf '%{nevra} %{reason}' | sort").unwrap(),
    }
}

/// Whether the application waits for its confirmation.
pub(crate) fn waits(application: &Application) {
    assert_eq!(application.stage, Stage::Unconfirmed, "{:?}", application.detail);
}
