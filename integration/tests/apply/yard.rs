//! Real runners of the lab with their probes and wardens, both repositories, and everybody who works with them.

use crate::scene::DEMO;
use countersign_integration::embedded::acting::{Acting, Repositories, git, rules};
use countersign_integration::embedded::git_daemon::GitDaemon;
use countersign_integration::embedded::site::{
    actuator_key, approvers, bare, commit_all, observer_key, person_key, signing_key,
};
use countersign_integration::lab::{Lab, Runner};
use countersign_manifests_schema::plan::PlanDocument;
use countersign_manifests_schema::report::DriftReport;
use countersign_shared::canonical_json::sha256;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

/// What the build runners should be.
const BUILDER: &str = r#"schema = "countersign/manifest/1"
owner  = "build-platform@example.org"

[packages]
fedora-release-common = "*"
bash              = "*"
gcc               = "*"
nodejs            = "*"
kernel-core       = "*"
htop              = "*"
llvm              = "= 19.1.0-1.fc41"
clang-tools-extra = "= 19.1.0-1.fc41"
glibc             = { version = ">= 2.40, < 2.41", reason = "tenant X links its module against 2.40" }
kernel-devel      = { same-as = "running-kernel" }
gcc-toolset-13    = { state = "absent", reason = "tenant X's build prefers it" }
strace            = "allowed"
workstation       = "allowed"

[unlisted]
user-installed = "report"
external       = "report"

[host]
repositories = ["fedora", "updates"]
"#;

pub(crate) struct Yard {
    pub(crate) acting: Acting,
    pub(crate) canonical: PathBuf,
    pub(crate) proposed: PathBuf,
    pub(crate) dir: tempfile::TempDir,
    _daemon: GitDaemon,
    _runtime: tokio::runtime::Runtime,
}

/// `countersign-warden`, built alone.
fn warden() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    build(test.ancestors().nth(3).unwrap(), &[])
}

/// The same, with the boundaries at which a test may stop it.
fn warden_with_faults() -> PathBuf {
    let test = std::env::current_exe().unwrap();
    // Beside the other builds: a feature more must not spoil what they share.
    build(&test.ancestors().nth(3).unwrap().join("faults"), &["--features", "faults"])
}

fn build(target: &Path, more: &[&str]) -> PathBuf {
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "countersign-warden"])
        .args(more)
        .arg("--target-dir")
        .arg(target)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status()
        .unwrap();
    assert!(status.success(), "countersign-warden cannot be built");
    target.join("debug/countersign-warden")
}

impl Yard {
    /// Enrolls every runner of the lab with observer and actuator, by what both programs print.
    pub(crate) fn new(lab: &Lab) -> Self {
        Self::with(lab, &warden(), &[])
    }

    /// The same, with packages more that every runner should have, and each runner in a wave of its own.
    pub(crate) fn wanting(lab: &Lab, packages: &[&str]) -> Self {
        Self::with(lab, &warden(), packages)
    }

    /// The same, with wardens that a test may stop.
    pub(crate) fn with_faults(lab: &Lab) -> Self {
        Self::with(lab, &warden_with_faults(), &[])
    }

    fn with(lab: &Lab, program: &Path, packages: &[&str]) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let at = |name: &str| dir.path().join(name);
        for (name, key) in [("runners_observe", observer_key()), ("observer_sign", signing_key())] {
            private(&at(name), &key);
        }
        fs::write(at("approvers"), approvers().unwrap()).unwrap();
        let public = |key: PrivateKey| bare(key.public_key()).unwrap();
        let mut fleet = format!(
            "schema = \"countersign/fleet/1\"\n[keys]\nobserver_ssh = [\"{}\"]\nobserver_sign = [\"{}\"]\n\
             actuator_ssh = [\"{}\"]\n[groups.builders]\nowner = \"build-platform@example.org\"\nmanifests = [\"builder\"]\n",
            public(observer_key()),
            public(signing_key()),
            public(actuator_key()),
        );
        for (index, runner) in lab.runners().iter().enumerate() {
            let (name, address, key) = (&runner.name, runner.address, runner.host_key_pub().unwrap());
            let wave = if packages.is_empty() { index.min(1) } else { index };
            fleet += &format!(
                "[runners.{name}]\naddress = \"{address}\"\ngroups = [\"builders\"]\nhost_keys = [\"{key}\"]\nwave = {wave}\n"
            );
        }
        // The same drift is planted on all runners at once.
        let policy =
            "schema = \"countersign/policy/1\"\n[approval]\nrequire_touch = false\n[breaker]\nspread_percent = 100\n";
        let more: String = packages.iter().map(|name| format!("{name} = \"*\"\n")).collect();
        let files: BTreeMap<&'static str, String> = [
            ("approvers", approvers().unwrap()),
            ("fleet.toml", fleet),
            ("policy.toml", policy.to_owned()),
            ("manifests/builder.toml", BUILDER.replace("\n[unlisted]", &(more + "\n[unlisted]"))),
        ]
        .into();
        // Before every package of the lab: whatever happens on a runner is later than what people wrote.
        let long_ago = 1_735_722_000;
        let (canonical, proposed) = (at("canonical.git"), at("proposed.git"));
        let commit = commit_all(&canonical, &person_key(), &files, long_ago).unwrap();
        let readme = [("README.md", "# Proposals\n".to_owned())].into();
        commit_all(&proposed, &person_key(), &readme, long_ago).unwrap();
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().unwrap();
        let daemon = runtime.block_on(GitDaemon::start(dir.path())).unwrap();
        let canonical_url = daemon.url("canonical.git");
        let observer = format!(
            "state_dir = \"state\"\nreport_dir = \"report\"\n[canonical]\nurl = \"{canonical_url}\"\nanchor = \"{commit}\"\n\
             [proposed]\nurl = \"{}\"\nsigning_key = \"observer_sign\"\n[ssh]\nkey = \"runners_observe\"\nrun_timeout = \"300s\"\n\
             parallel = 8\nconnect_timeout = \"60s\"\n[trust]\napprovers = \"approvers\"\naccept = [\"software-keys\"]\n",
            proposed.display()
        );
        fs::write(at("observer.toml"), observer).unwrap();
        let repositories = Repositories {
            canonical: &canonical,
            canonical_url: &canonical_url,
            commit: &commit,
            proposed: &proposed,
            proposed_url: &daemon.url("proposed.git"),
        };
        let acting = Acting::start(Path::new(DEMO), &repositories).unwrap();
        let yard = Self { acting, canonical, proposed, dir, _daemon: daemon, _runtime: runtime };
        yard.enroll(lab, program);
        yard
    }

    fn enroll(&self, lab: &Lab, program: &Path) {
        let notary_key = self.acting.dir.path().join("notary_sign.pub");
        let mut policies = Vec::new();
        for runner in lab.runners() {
            let printed = self.observer(&["enroll", &runner.name]);
            assert!(printed.status.success(), "{printed:?}");
            script(runner, &printed.stdout, "");
            let arguments = [
                "enroll",
                &runner.name,
                "--warden",
                program.to_str().unwrap(),
                "--notary-key",
                notary_key.to_str().unwrap(),
            ];
            let printed = self.acting.actuator(&arguments).output().unwrap();
            assert!(printed.status.success(), "{printed:?}");
            runner.write("/root/countersign-warden", fs::read(program).unwrap(), 0o755).unwrap();
            let said = script(runner, &printed.stdout, "/root/countersign-warden");
            // As the administrator copies it.
            let policy = said.lines().find_map(|line| line.strip_prefix("policy = [\"")).unwrap();
            policies.push(policy.trim_end_matches("\"]").to_owned());
        }
        self.acting.expect(&[sha256(&fs::read(program).unwrap())], &policies).unwrap();
    }

    pub(crate) fn observer(&self, arguments: &[&str]) -> Output {
        let mut observer = Command::new(DEMO);
        observer.arg0("countersign-observer").arg("--config").arg(self.dir.path().join("observer.toml"));
        observer.args(arguments).stdin(Stdio::null()).output().unwrap()
    }

    pub(crate) fn nightly(&self) -> DriftReport {
        let output = self.observer(&["nightly", "--json"]);
        serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"))
    }

    pub(crate) fn actuator(&self, arguments: &[&str]) -> (Option<i32>, PlanDocument) {
        let output = self.acting.actuator(arguments).arg("--json").output().unwrap();
        let said = serde_json::from_slice(&output.stdout).unwrap_or_else(|error| panic!("{error}: {output:?}"));
        (output.status.code(), said)
    }

    /// Branches of proposals, each with its tip and the runners and ids that it brings.
    pub(crate) fn branches(&self) -> Vec<(String, Vec<(String, String)>)> {
        let refs = ["for-each-ref", "--format=%(objectname)", "refs/heads/proposals"];
        let tips = git(&self.proposed, &refs).unwrap();
        let brings = |tip: &str| {
            let files = git(&self.proposed, &["diff", "--name-only", &format!("main...{tip}")]).unwrap();
            let proposals = files.lines().filter_map(|file| {
                let mut parts = file.strip_prefix("proposals/")?.strip_suffix("/proposal.json")?.split('/');
                Some((parts.next()?.to_owned(), parts.next()?.to_owned()))
            });
            proposals.collect::<Vec<_>>()
        };
        tips.lines().map(|tip| (tip.to_owned(), brings(tip))).filter(|(_, brought)| !brought.is_empty()).collect()
    }

    /// A person's own clone, and git in it with the person's settings.
    pub(crate) fn person(&self, directory: &Path, arguments: &[&str]) -> Output {
        Command::new("git")
            .current_dir(directory)
            .env("HOME", self.acting.dir.path().join("home"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .args(arguments)
            .output()
            .unwrap()
    }

    /// By what the wardens' people and notary are known.
    pub(crate) fn rules(&self) -> countersign_integration::embedded::warden::Rules {
        rules().unwrap()
    }
}

fn private(path: &Path, key: &PrivateKey) {
    fs::write(path, key.to_openssh(LineEnding::LF).unwrap().as_bytes()).unwrap();
    fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs what was printed, as an administrator would; answers with what it says.
fn script(runner: &Runner, text: &[u8], argument: &str) -> String {
    runner.write("/root/enroll", text, 0o700).unwrap();
    runner.sh(&format!("sh /root/enroll {argument} 2>&1")).unwrap()
}

/// Everything that is installed.
pub(crate) fn installed(runner: &Runner) -> String {
    runner.sh("rpm -qa --qf '%{nevra} %{sha256header}\\n' | sort").unwrap()
}
