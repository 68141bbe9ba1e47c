//! The site with a sibling repository, a forge in front of it, and a person who merges.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use countersign_integration::forge::{FakeForge, Flavour, REPOSITORY, TOKEN};
use countersign_integration::lab::{Lab, Runner};
use countersign_manifests_schema::transaction::{Action, Transaction};
use countersign_shared::proposal::{Sealed, render};
use serde_json::Value;

use crate::observer::{NOBODY, Observer};
use crate::site::{Settings, Site, runners};

/// The sibling repository on the forge.
const PROPOSED: &str = "/srv/git/proposed.git";

/// Everything around the runners.
pub(crate) struct House {
    pub(crate) site: Site,
    pub(crate) pulls: FakeForge,
    pub(crate) observer: Observer,
    repository: PathBuf,
    clone: PathBuf,
}

fn wait<T>(future: impl Future<Output = T>) -> T {
    static RUNTIME: OnceLock<tokio::runtime::Runtime> = OnceLock::new();
    RUNTIME.get_or_init(|| tokio::runtime::Runtime::new().unwrap()).block_on(future)
}

impl House {
    pub(crate) fn new(lab: &Lab) -> Self {
        let server = lab.runner("forge");
        let mut site = Site::new(server, runners(lab));
        for (name, owner) in [("keys/observer_sign", NOBODY), ("keys/proposed_push", NOBODY), ("people/push", 0)] {
            let path = site.path(name);
            let mut make = Command::new("ssh-keygen");
            make.args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path);
            assert!(make.status().unwrap().success());
            chown(&path, Some(owner), Some(owner)).unwrap();
        }
        let repository = server.root.join(PROPOSED.trim_start_matches('/'));
        Self::serve(&site, server);
        let fleet = fs::read_to_string(site.path("canonical/fleet.toml")).unwrap();
        let sign = site.public_key("keys/observer_sign");
        let fleet = fleet.replacen("[keys]\n", &format!("[keys]\nobserver_sign = [\"{sign}\"]\n"), 1);
        // People begin to judge at the commit that declares the signing key.
        site.anchor = site.commit(&[("fleet.toml", &fleet)]);
        site.push(server);
        site.enroll(runners(lab));

        let authority = site.path("forge_ca.pem");
        let pulls = wait(FakeForge::start_tls(Flavour::Forgejo, &repository, &authority)).unwrap();
        let token = site.path("keys/forge_token");
        fs::write(&token, format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(&token, fs::Permissions::from_mode(0o600)).unwrap();
        chown(&token, Some(NOBODY), Some(NOBODY)).unwrap();

        let url = format!("ssh://git@{}{PROPOSED}", server.address);
        let clone = site.path("clone");
        let observer = site.observer(&Settings::of("proposals"));
        let config = site.path("proposals.toml");
        let mut text = fs::read_to_string(&config).unwrap();
        text += &format!(
            "[proposed]\nurl = \"{url}\"\nssh_key = \"keys/proposed_push\"\nknown_hosts = \"known_hosts\"\n\
             signing_key = \"keys/observer_sign\"\n"
        );
        // The same installation without a forge.
        fs::write(site.path("alone.toml"), &text).unwrap();
        text += &format!(
            "[forge]\nkind = \"forgejo\"\napi = \"{}\"\nrepository = \"{REPOSITORY}\"\ntoken_file = \"keys/forge_token\"\n\
             ca_file = \"forge_ca.pem\"\n",
            pulls.api()
        );
        fs::write(config, text).unwrap();
        let house = Self { site, pulls, observer, repository, clone };
        house.person(&url);
        house
    }

    /// An empty repository behind the same sshd: one key that observes may read canonical, one may push, a person may too.
    fn serve(site: &Site, server: &Runner) {
        server
            .sh(&format!(
                "git init -q --bare -b main {PROPOSED} && cd {PROPOSED} && tree=$(git hash-object -t tree -w /dev/null) \
                 && commit=$(git -c user.name=Mira -c user.email=mira@example.org commit-tree -m Begin $tree) \
                 && git update-ref refs/heads/main $commit && chown -R git {PROPOSED}"
            ))
            .unwrap();
        let lines = [
            ("/usr/local/bin/read-only", "keys/canonical_read"),
            (r#"git-shell -c \"$SSH_ORIGINAL_COMMAND\""#, "keys/proposed_push"),
            (r#"git-shell -c \"$SSH_ORIGINAL_COMMAND\""#, "people/push"),
        ];
        let lines = lines.map(|(run, key)| format!("restrict,command=\"{run}\" {}\n", site.public_key(key)));
        server.write("/home/git/.ssh/authorized_keys", lines.concat(), 0o644).unwrap();
    }

    /// A person's clone, which signs with the person's key.
    fn person(&self, url: &str) {
        let ssh = format!(
            "ssh -F none -i {} -o IdentitiesOnly=yes -o UserKnownHostsFile={}",
            self.site.path("people/push").display(),
            self.site.path("known_hosts").display()
        );
        let clone = self.clone.display();
        self.shell_at(
            &self.site.path("people"),
            &format!(
                "set -e; git -c core.sshCommand='{ssh}' clone -q {url} {clone}; cd {clone}
                 git config core.sshCommand '{ssh}'; git config user.name Mira; git config user.email mira@example.org
                 git config gpg.format ssh; git config user.signingKey {}; git config gpg.ssh.allowedSignersFile {}",
                self.site.path("people/mira").display(),
                self.site.path("approvers").display()
            ),
        );
    }

    /// Runs shell text as the person has it, in the clone.
    pub(crate) fn shell(&self, script: &str) -> String {
        self.shell_at(&self.clone, script)
    }

    fn shell_at(&self, at: &Path, script: &str) -> String {
        let output: Output = Command::new("sh")
            .args(["-c", script])
            .current_dir(at)
            .env_clear()
            .envs([("PATH", "/usr/local/bin:/usr/bin:/bin"), ("LC_ALL", "C"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .env("HOME", at)
            .output()
            .unwrap();
        assert!(output.status.success(), "{script}\n{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs a command of the observer, holds its exit status, and that the token is nowhere in what it says.
    pub(crate) fn run(&self, arguments: &[&str], status: i32) -> Value {
        let answer = self.observer.run(&[arguments, &["--json", "-vv"]].concat());
        let said = String::from_utf8_lossy(&answer.stdout);
        assert_eq!(answer.status, status, "{arguments:?}: {said}\n{}", answer.stderr);
        assert!(!said.contains(TOKEN) && !answer.stderr.contains(TOKEN), "{arguments:?} tells the token");
        answer.document()
    }

    /// Branches of proposals and their tips, as the repository says.
    pub(crate) fn branches(&self) -> BTreeMap<String, String> {
        let text = self.git(&["for-each-ref", "--format=%(refname:short) %(objectname)", "refs/heads/proposals"]);
        text.lines().map(|line| line.split_once(' ').unwrap()).map(|(a, b)| (a.to_owned(), b.to_owned())).collect()
    }

    pub(crate) fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .current_dir(&self.repository)
            .args(["-c", "safe.directory=*"])
            .args(arguments)
            .env("GIT_CONFIG_GLOBAL", "/dev/null")
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap().trim_end().to_owned()
    }

    /// The proposals that a commit brings, each checked against its name and its README.
    pub(crate) fn brought(&self, commit: &str) -> BTreeMap<String, Sealed> {
        let files = self.git(&["diff", "--name-only", &format!("{commit}^1"), commit]);
        let mut found = BTreeMap::new();
        for path in files.lines().filter(|path| path.ends_with("/proposal.json")) {
            // The newline at the end is part of it.
            let bytes = format!("{}\n", self.git(&["show", &format!("{commit}:{path}")]));
            let sealed = Sealed::parse(bytes.as_bytes()).unwrap();
            let folder = format!("proposals/{}/{}", sealed.proposal().runner, sealed.id());
            assert_eq!(path, format!("{folder}/proposal.json"));
            let readme = self.git(&["show", &format!("{commit}:{folder}/README.md")]);
            assert_eq!(readme, render(&sealed).trim_end());
            found.insert(sealed.proposal().runner.clone(), sealed);
        }
        assert_eq!(files.lines().count(), 2 * found.len(), "{files}");
        found
    }

    /// `git verify-commit` with the observer's declared key alone.
    pub(crate) fn is_by_the_observer(&self, commit: &str) {
        let allowed = self.site.path("observers");
        fs::write(&allowed, format!("observer {}\n", self.site.public_key("keys/observer_sign"))).unwrap();
        let file = format!("gpg.ssh.allowedSignersFile={}", allowed.display());
        self.git(&["-c", "gpg.format=ssh", "-c", &file, "verify-commit", commit]);
    }

    /// `number open|closed branch` of all pull requests.
    pub(crate) fn pulls(&self) -> Vec<String> {
        let state = self.pulls.lock();
        let word = |open| if open { "open" } else { "closed" };
        state.pulls.values().map(|pull| format!("{} {} {}", pull.number, word(pull.open), pull.head)).collect()
    }

    pub(crate) fn body(&self, number: u64) -> String {
        self.pulls.lock().pulls[&number].body.clone()
    }
}

/// Root carries a transaction out by hand, as dnf itself stores and replays one.
pub(crate) fn replay(runner: &Runner, transaction: &Transaction) -> Output {
    let four = runner.dnf() == "dnf4";
    runner.write("/root/t/transaction.json", stored(transaction, four), 0o600).unwrap();
    let command = if four {
        "dnf4 -y --setopt=install_weak_deps=False history replay /root/t/transaction.json 2>&1"
    } else {
        "dnf5 -y --setopt=install_weak_deps=False --setopt=plugins=0 replay /root/t 2>&1"
    };
    runner.try_sh(command).unwrap()
}

fn stored(transaction: &Transaction, four: bool) -> String {
    let name = |nevra: &str| nevra.rsplitn(3, '-').nth(2).unwrap().to_owned();
    let comes =
        |old: &str| transaction.rpms.iter().find(|new| new.action.is_incoming() && name(&new.nevra) == name(old));
    let action = |action, nevra: &str| match (four, action) {
        (true, Action::Remove) => "Removed",
        (true, Action::Replaced) => match comes(nevra).map(|new| new.action) {
            Some(Action::Upgrade) => "Upgraded",
            Some(Action::Downgrade) => "Downgraded",
            Some(Action::Reinstall) => "Reinstalled",
            _ => "Obsoleted",
        },
        (_, action) => action.as_str(),
    };
    let reason = |reason: &str| if four { reason.to_lowercase().replace(' ', "-") } else { reason.to_owned() };
    let rpms: Vec<Value> = transaction
        .rpms
        .iter()
        .map(|change| {
            serde_json::json!({
                "nevra": change.nevra, "action": action(change.action, &change.nevra),
                "reason": reason(change.reason.as_str()), "repo_id": change.repo_id,
            })
        })
        .collect();
    serde_json::json!({"version": if four { "0.0" } else { "1.0" }, "rpms": rpms}).to_string()
}
