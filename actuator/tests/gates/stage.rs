//! Two real repositories, keys of people and machines, a notary's socket, and the program.

use super::notary::Notary;
use super::repositories::{git, git_command};
use countersign_manifests_schema::proposal::{
    Base, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use countersign_shared::canonical_json::sha256;
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{CommitId, Limits, Mirror};
use countersign_shared::manifest::Canonical;
use countersign_shared::proposal::{RENDERER, Sealed, render};
use jiff::{Timestamp, ToSpan};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

pub(crate) const RUNNER: &str = "runner-01";
const MANIFEST: &str = "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\n[packages]\nhtop = \"*\"\n";

pub(crate) struct Stage {
    pub(crate) root: tempfile::TempDir,
    pub(crate) notary: Notary,
}

/// One key pair per name.
const NAMES: [&str; 8] = ["ada", "bob", "eve", "bot", "instance", "observer", "actuator", "ledger"];

impl Stage {
    pub(crate) fn new() -> Self {
        Self::with_policy("")
    }

    /// A stage on which everything is in order and nothing is proposed.
    pub(crate) fn with_policy(policy: &str) -> Self {
        let root = tempfile::tempdir().unwrap();
        fs::set_permissions(root.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let notary = Notary::start(&root.path().join("notary.sock"));
        let stage = Self { root, notary };
        for name in NAMES {
            keygen(&stage.key(name));
        }
        stage.write("approvers", &stage.approvers(&["ada", "bob"]));
        stage.repository("canonical", &stage.canonical_files(policy));
        stage.repository("proposed", &[("README.md".to_owned(), "Proposals\n".to_owned())]);
        stage.configure("", "");
        stage
    }

    fn canonical_files(&self, policy: &str) -> Vec<(String, String)> {
        let fleet = format!(
            "schema = \"countersign/fleet/1\"\n[keys]\nobserver_sign = [\"{}\"]\nactuator_ssh = [\"{}\"]\n\
             [groups.builders]\nowner = \"a@example.org\"\nmanifests = [\"builder\"]\n\
             [runners.{RUNNER}]\naddress = \"10.0.0.11\"\ngroups = [\"builders\"]\n\
             [runners.runner-02]\naddress = \"10.0.0.12\"\ngroups = [\"builders\"]\n",
            self.public("observer"),
            self.public("actuator"),
        );
        let policy = format!("schema = \"countersign/policy/1\"\n{policy}");
        let policy = policy.replace("BOT", &self.public("bot")).replace("INSTANCE", &self.public("instance"));
        [
            ("fleet.toml", fleet),
            ("policy.toml", policy),
            ("approvers", self.approvers(&["ada", "bob"])),
            ("manifests/builder.toml", MANIFEST.to_owned()),
        ]
        .map(|(path, text)| (path.to_owned(), text))
        .to_vec()
    }

    /// actuator.toml, with more lines under [trust] and at the end.
    pub(crate) fn configure(&self, trust: &str, more: &str) {
        let accept = "\"canonical-writable\", \"proposed-writable\", \"software-keys\"";
        self.configure_accepting(accept, trust, more);
    }

    pub(crate) fn configure_accepting(&self, accept: &str, trust: &str, more: &str) {
        let anchor = |name: &str| git(&self.at(&format!("{name}.git")), &["rev-list", "--max-parents=0", "main"]);
        let old = fs::read_to_string(self.config()).unwrap_or_default();
        let anchors: Vec<String> = old.lines().filter_map(|l| l.strip_prefix("anchor = ")).map(str::to_owned).collect();
        let anchor =
            |index: usize, name: &str| anchors.get(index).cloned().unwrap_or_else(|| format!("\"{}\"", anchor(name)));
        let text = format!(
            "state_dir = \"state\"\n[canonical]\nurl = \"canonical.git\"\nanchor = {}\n\
             [proposed]\nurl = \"proposed.git\"\nanchor = {}\n[ssh]\nkey = \"actuator\"\n\
             [trust]\napprovers = \"approvers\"\naccept = [{accept}]\n{trust}\n\
             [notary]\nsocket = \"notary.sock\"\n[ledger]\nsigning_key = \"ledger\"\n{more}",
            anchor(0, "canonical"),
            anchor(1, "proposed"),
        );
        self.write("actuator.toml", &text);
    }

    pub(crate) fn at(&self, name: &str) -> PathBuf {
        self.root.path().join(name)
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.at("actuator.toml")
    }

    pub(crate) fn key(&self, name: &str) -> PathBuf {
        self.at(name)
    }

    /// Type and key, without a comment.
    pub(crate) fn public(&self, name: &str) -> String {
        let text = fs::read_to_string(self.at(&format!("{name}.pub"))).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    pub(crate) fn approvers(&self, names: &[&str]) -> String {
        names.iter().map(|name| format!("{name}@example.org {}\n", self.public(name))).collect()
    }

    pub(crate) fn write(&self, path: &str, text: &str) {
        let path = self.at(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, text).unwrap();
    }

    /// A bare repository and a clone of it, in which people and machines work.
    fn repository(&self, name: &str, files: &[(String, String)]) {
        let bare = self.at(&format!("{name}.git"));
        fs::create_dir_all(&bare).unwrap();
        git(&bare, &["init", "--quiet", "--bare", "."]);
        git(self.root.path(), &["clone", "--quiet", bare.to_str().unwrap(), name]);
        git(&self.at(name), &["symbolic-ref", "HEAD", "refs/heads/main"]);
        for (path, text) in files {
            self.write(&format!("{name}/{path}"), text);
        }
        self.commit_as(name, Some("ada"), "Begin");
        self.push(name);
    }

    /// git as somebody: their key signs whatever is asked to be signed.
    pub(crate) fn git_as(&self, name: &str, who: &str, args: &[&str]) -> String {
        let output = self.try_git_as(name, who, args);
        assert!(output.status.success(), "git {args:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim().to_owned()
    }

    pub(crate) fn try_git_as(&self, name: &str, who: &str, args: &[&str]) -> Output {
        let key = format!("user.signingkey={}", self.key(who).display());
        git_command(&self.at(name)).args(["-c", "gpg.format=ssh", "-c", &key]).args(args).output().unwrap()
    }

    /// Commits everything that is in the work tree; answers with the commit.
    pub(crate) fn commit_as(&self, name: &str, signer: Option<&str>, message: &str) -> String {
        git(&self.at(name), &["add", "--all", "."]);
        match signer {
            Some(who) => self.git_as(name, who, &["commit", "--quiet", "--allow-empty", "-S", "-m", message]),
            None => git(&self.at(name), &["commit", "--quiet", "--allow-empty", "--no-gpg-sign", "-m", message]),
        };
        git(&self.at(name), &["rev-parse", "HEAD"])
    }

    /// Pushes what is checked out as main.
    pub(crate) fn push(&self, name: &str) {
        git(&self.at(name), &["push", "--quiet", "--force", "origin", "HEAD:refs/heads/main"]);
    }

    pub(crate) fn canonical(&self) -> (String, Canonical) {
        let bare = self.at("canonical.git");
        let tip = git(&bare, &["rev-parse", "main"]);
        let mirror = Mirror::open(&bare).unwrap();
        let files = mirror.snapshot(CommitId::parse(&tip).unwrap(), &CANONICAL, &Limits::default()).unwrap().files;
        (tip, Canonical::load(&files).unwrap())
    }

    /// A proposal for the runner: htop is missing.
    pub(crate) fn proposal(&self, edit: impl FnOnce(&mut Proposal)) -> Sealed {
        let (commit, canonical) = self.canonical();
        let runner = canonical.fleet.runner(RUNNER).unwrap();
        let digest = |text: &str| sha256(text.as_bytes());
        let mut proposal = Proposal {
            schema: PROPOSAL_SCHEMA.to_owned(),
            runner: RUNNER.to_owned(),
            created: from_now(-1),
            expires: from_now(100),
            renderer: RENDERER,
            observer: Observer { version: "0.1.0".to_owned() },
            canonical: CanonicalState { commit, manifest_digest: canonical.effective(runner).digest() },
            base: Base {
                digest: digest("base"),
                set_digest: digest("set"),
                observed_at: from_now(-1),
                configuration: Some(digest("configuration")),
                named: Some(digest("named")),
            },
            drift: vec![ClaimedItem {
                code: "missing".to_owned(),
                package: "htop".to_owned(),
                arch: None,
                wanted: Some("*".to_owned()),
                seen: Vec::new(),
                since: None,
                by: None,
                spec_changed: None,
                file: Some("manifests/builder.toml".to_owned()),
                reason: None,
            }],
            transaction: Transaction { generation: 5, rpms: vec![install("htop-3.3.0-4.fc41.x86_64")] },
            predicted: Predicted { set_digest: digest("after") },
            way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
            tried: Vec::new(),
            risk: Risk { removals: 0, downgrades: 0, protected: Vec::new() },
        };
        edit(&mut proposal);
        Sealed::new(proposal).unwrap()
    }

    /// Commits proposals to a branch of their own, as the observer does; answers with the commit.
    pub(crate) fn propose(&self, proposals: &[&Sealed]) -> String {
        self.propose_as(Some("observer"), proposals)
    }

    pub(crate) fn propose_as(&self, signer: Option<&str>, proposals: &[&Sealed]) -> String {
        self.begin_branch();
        for sealed in proposals {
            self.lay_down(sealed);
        }
        let commit = self.commit_as("proposed", signer, "Add a proposal");
        self.publish_branch();
        commit
    }

    /// A branch on top of main's tip.
    pub(crate) fn begin_branch(&self) {
        let work = self.at("proposed");
        git(&work, &["fetch", "--quiet", "origin"]);
        git(&work, &["checkout", "--quiet", "--detach", "origin/main"]);
    }

    /// Pushes what is checked out as the runner's branch.
    pub(crate) fn publish_branch(&self) {
        let to = format!("HEAD:refs/heads/proposals/{RUNNER}");
        git(&self.at("proposed"), &["push", "--quiet", "--force", "origin", &to]);
    }

    /// Writes both files of a proposal into the work tree.
    pub(crate) fn lay_down(&self, sealed: &Sealed) {
        self.write(
            &format!("proposed/{}/proposal.json", directory(sealed)),
            std::str::from_utf8(sealed.bytes()).unwrap(),
        );
        self.write(&format!("proposed/{}/README.md", directory(sealed)), &render(sealed));
    }

    /// On main's tip, ready to merge.
    pub(crate) fn on_main(&self) {
        let work = self.at("proposed");
        git(&work, &["fetch", "--quiet", "origin"]);
        git(&work, &["checkout", "--quiet", "-B", "main", "origin/main"]);
    }

    /// `git merge --no-ff -S` with a line for each proposal, pushed; answers with the merge.
    pub(crate) fn merge(&self, who: &str, commit: &str, named: &[&Sealed]) -> String {
        self.on_main();
        let lines: Vec<String> = named.iter().map(|sealed| line(sealed)).collect();
        let message = format!("Approve\n\n{}", lines.join("\n"));
        self.git_as("proposed", who, &["merge", "--quiet", "--no-ff", "-S", "-m", &message, commit]);
        self.push("proposed");
        git(&self.at("proposed"), &["rev-parse", "HEAD"])
    }

    /// A merge that nobody signs, as a web page makes it.
    pub(crate) fn merge_on_the_web(&self, commit: &str, message: &str) {
        self.on_main();
        git(&self.at("proposed"), &["merge", "--quiet", "--no-ff", "--no-gpg-sign", "-m", message, commit]);
        self.push("proposed");
    }

    /// A proposal that a person has merged, with a lease for it.
    pub(crate) fn merged(&self) -> Sealed {
        let sealed = self.proposal(|_| ());
        self.merge("ada", &self.propose(&[&sealed]), &[&sealed]);
        self.lease("ada", &[&sealed]);
        sealed
    }

    /// Adds `FOLDER/ID/NAME.sig` over the proposal's bytes to main.
    pub(crate) fn sign(&self, who: &str, namespace: &str, folder: &str, sealed: &Sealed) {
        self.on_main();
        let signature = self.signature(who, namespace, sealed.bytes());
        self.write(&format!("proposed/{folder}/{}/{who}.sig", sealed.id()), &signature);
        self.commit_as("proposed", None, "Add a signature");
        self.push("proposed");
    }

    /// What `ssh-keygen -Y sign` says.
    pub(crate) fn signature(&self, who: &str, namespace: &str, bytes: &[u8]) -> String {
        let mut child = Command::new("ssh-keygen")
            .args(["-q", "-Y", "sign", "-n", namespace, "-f"])
            .arg(self.key(who))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(bytes).unwrap();
        let output = child.wait_with_output().unwrap();
        assert!(output.status.success());
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the program.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(env!("CARGO_BIN_EXE_countersign-actuator"))
            .arg("--config")
            .arg(self.config())
            .args(args)
            .env_remove("RUST_LOG")
            .output()
            .unwrap()
    }

    /// Runs it with `--json`: the exit status and the one document.
    pub(crate) fn json(&self, args: &[&str]) -> (i32, Value) {
        let mut all = vec!["--json"];
        all.extend(args);
        let output = self.run(&all);
        let text = String::from_utf8(output.stdout).unwrap();
        assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
        let value = serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"));
        (output.status.code().unwrap(), value)
    }

    /// What `plan` says of one proposal.
    pub(crate) fn verdict(&self, sealed: &Sealed) -> Row {
        let (_, document) = self.json(&["plan", sealed.id()]);
        let proposals = document["proposals"].as_array().unwrap_or_else(|| panic!("{document}"));
        assert_eq!(proposals.len(), 1);
        assert_eq!(proposals[0]["id"], sealed.id());
        Row(proposals[0].clone())
    }

    /// That exactly this gate refuses, and no other.
    #[track_caller]
    pub(crate) fn refused(&self, sealed: &Sealed, gate: &str) -> String {
        let row = self.verdict(sealed);
        // Where nobody has approved, too few have.
        let gates: &[&str] = if gate == "not-human" { &[gate, "insufficient-approvals"] } else { &[gate] };
        assert_eq!(row.refusals(), gates, "{row:#?}");
        assert_eq!((row.0["refusal"].as_str(), row.0["verdict"].as_str()), (Some(gate), Some("refused")));
        row.detail(gate)
    }

    /// That this gate decides; later ones may refuse as well.
    #[track_caller]
    pub(crate) fn decided(&self, sealed: &Sealed, gate: &str) -> String {
        let row = self.verdict(sealed);
        assert_eq!(row.0["refusal"].as_str(), Some(gate), "{row:#?}");
        row.detail(gate)
    }

    #[track_caller]
    pub(crate) fn ready(&self, sealed: &Sealed) {
        let row = self.verdict(sealed);
        assert_eq!(row.refusals(), [""; 0], "{row:#?}");
        assert_eq!(row.0["verdict"], "ready");
    }
}

/// One row of the document.
pub(crate) struct Row(pub(crate) Value);

impl std::fmt::Debug for Row {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0["gates"]
            .as_array()
            .into_iter()
            .flatten()
            .try_for_each(|gate| writeln!(f, "{} {}: {}", gate["verdict"], gate["gate"], gate["detail"]))
    }
}

impl Row {
    pub(crate) fn refusals(&self) -> Vec<&str> {
        let gates = self.0["gates"].as_array().unwrap().iter();
        gates.filter(|gate| gate["verdict"] == "refuse").map(|gate| gate["gate"].as_str().unwrap()).collect()
    }

    pub(crate) fn detail(&self, code: &str) -> String {
        let gates = self.0["gates"].as_array().unwrap();
        let gate = gates.iter().find(|gate| gate["gate"] == code).unwrap();
        gate["detail"].as_str().unwrap().to_owned()
    }
}

pub(crate) fn line(sealed: &Sealed) -> String {
    format!("Countersign-Approves: {} sha256:{}", sealed.proposal().runner, sealed.id())
}

pub(crate) fn directory(sealed: &Sealed) -> String {
    format!("proposals/{}/{}", sealed.proposal().runner, sealed.id())
}

pub(crate) fn install(nevra: &str) -> Change {
    Change {
        nevra: nevra.to_owned(),
        action: Action::Install,
        reason: Reason::User,
        repo_id: "fedora".to_owned(),
        sha256: Some(sha256(nevra.as_bytes())),
        asserted: false,
    }
}

/// RFC 3339, so many hours from now.
pub(crate) fn from_now(hours: i64) -> String {
    let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
    now.checked_add(hours.hours()).unwrap().to_string()
}

fn keygen(path: &Path) {
    let output =
        Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(path).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
