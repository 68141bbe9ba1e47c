//! Everything around the runners of a lab that an observer needs: keys, people, canonical, configuration.

use std::fmt::Write as _;
use std::fs;
use std::os::unix::fs::{PermissionsExt as _, chown};
use std::path::{Path, PathBuf};
use std::process::Command;

use countersign_integration::lab::{Lab, Runner};

use crate::forge::{self, Rights};
use crate::observer::{NOBODY, Observer};

/// The account on every runner.
pub(crate) const ACCOUNT: &str = "countersign-observer";

/// The person who writes canonical.
const PERSON: &str = "mira@example.org";

/// Before every package of the lab: whatever happens on a runner is later than what people wrote.
const COMMITTED: &str = "2025-01-01T09:00:00Z";

/// What the build runners should be.
pub(crate) const BUILDER: &str = r#"schema = "countersign/manifest/1"
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

/// A site, in a directory of its own.
pub(crate) struct Site {
    dir: tempfile::TempDir,
    url: String,
    pub(crate) anchor: String,
}

/// What differs between configurations of one site.
pub(crate) struct Settings<'a> {
    /// Name of the configuration, of its state and of its reports.
    pub(crate) name: &'a str,
    /// `[trust] accept`.
    pub(crate) accept: &'a [&'a str],
    /// `[ssh] connect_timeout`.
    pub(crate) connect_timeout: &'a str,
}

impl Settings<'_> {
    pub(crate) const fn of(name: &str) -> Settings<'_> {
        Settings { name, accept: &[], connect_timeout: "20s" }
    }
}

impl Site {
    /// Keys, a canonical on `forge` that describes `runners`, and nothing on the runners themselves.
    pub(crate) fn new<'r>(forge: &Runner, runners: impl IntoIterator<Item = &'r Runner>) -> Self {
        let dir = tempfile::Builder::new().prefix("countersign-observe-").tempdir().unwrap();
        // The account that observes reads its own configuration.
        fs::set_permissions(dir.path(), fs::Permissions::from_mode(0o755)).unwrap();
        for name in ["keys", "people", "canonical", "observer"] {
            fs::create_dir(dir.path().join(name)).unwrap();
        }
        chown(dir.path().join("observer"), Some(NOBODY), Some(NOBODY)).unwrap();
        let mut site = Self { dir, url: forge::url(forge), anchor: String::new() };
        for key in ["keys/runners_observe", "keys/canonical_read", "people/mira", "people/stranger"] {
            site.make_key(key);
        }
        let known_hosts = format!("{} {}\n", forge.address, forge.host_key_pub().unwrap());
        fs::write(site.path("known_hosts"), known_hosts).unwrap();
        let approvers = format!("{PERSON} {}\n", site.public_key("people/mira"));
        fs::write(site.path("approvers"), &approvers).unwrap();

        forge::make(forge);
        forge::allow(forge, &site.public_key("keys/canonical_read"), Rights::Read);
        site.git(&["init", "--quiet", "--initial-branch=main", "."]);
        let fleet = site.fleet(runners);
        site.anchor = site.commit(&[
            ("approvers", &approvers),
            ("fleet.toml", &fleet),
            // People of the lab sign with keys in software.
            ("policy.toml", "schema = \"countersign/policy/1\"\n[approval]\nrequire_touch = false\n"),
            ("manifests/builder.toml", BUILDER),
        ]);
        site.push(forge);
        site
    }

    /// Runs what `enroll` prints on each runner, as its administrator would.
    pub(crate) fn enroll<'r>(&self, runners: impl IntoIterator<Item = &'r Runner>) {
        let observer = self.observer(&Settings::of("enroll"));
        for runner in runners {
            let printed = observer.run(&["enroll", &runner.name]);
            assert_eq!(printed.status, 0, "{}", printed.stderr);
            runner.write("/root/enroll", printed.stdout, 0o700).unwrap();
            runner.sh("sh /root/enroll 2>&1 && rm /root/enroll").unwrap();
        }
    }

    /// Writes a configuration; gives the observer that uses it.
    pub(crate) fn observer(&self, settings: &Settings<'_>) -> Observer {
        let Settings { name, accept, connect_timeout } = settings;
        let path = self.path(&format!("{name}.toml"));
        let (url, anchor) = (&self.url, &self.anchor);
        let text = format!(
            r#"state_dir  = "observer/{name}/state"
report_dir = "observer/{name}/report"

[canonical]
url         = "{url}"
ssh_key     = "keys/canonical_read"
known_hosts = "known_hosts"
anchor      = "{anchor}"

[ssh]
key             = "keys/runners_observe"
connect_timeout = "{connect_timeout}"
run_timeout     = "120s"

[trust]
approvers = "approvers"
accept    = {accept:?}
"#
        );
        fs::write(&path, text).unwrap();
        Observer::new(&path)
    }

    /// The state directory of a configuration, made.
    pub(crate) fn state(&self, settings: &Settings<'_>) -> PathBuf {
        let own = self.path("observer").join(settings.name);
        for directory in [own.clone(), own.join("state")] {
            fs::create_dir(&directory).unwrap();
            chown(&directory, Some(NOBODY), Some(NOBODY)).unwrap();
        }
        own.join("state")
    }

    /// Writes files of canonical and commits them as Mira; gives the commit's id.
    pub(crate) fn commit(&self, files: &[(&str, &str)]) -> String {
        self.commit_by("people/mira", files, &[])
    }

    /// The same with the key of anybody, and with options of `git commit`.
    pub(crate) fn commit_by(&self, key: &str, files: &[(&str, &str)], options: &[&str]) -> String {
        for (name, text) in files {
            let path = self.path("canonical").join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        let signer = format!("user.signingKey={}", self.path(key).display());
        self.git(&["add", "--all"]);
        self.git(&[&["-c", &signer, "commit", "--quiet", "-S", "-m", "Describe the build runners"], options].concat());
        self.git(&["rev-parse", "HEAD"]).trim().to_owned()
    }

    /// Puts the branch on the forge, whatever was there.
    pub(crate) fn push(&self, forge: &Runner) {
        let to = forge::repository(forge);
        self.git(&["push", "--quiet", "--force", &to.to_string_lossy(), "main"]);
    }

    /// Runs git in the clone of canonical, with nobody's configuration.
    fn git(&self, arguments: &[&str]) -> String {
        let output = Command::new("git")
            .env_clear()
            .env("PATH", "/usr/local/bin:/usr/bin:/bin")
            .env("HOME", self.dir.path())
            .envs([("GIT_CONFIG_GLOBAL", "/dev/null"), ("GIT_CONFIG_NOSYSTEM", "1")])
            .envs([("GIT_AUTHOR_DATE", COMMITTED), ("GIT_COMMITTER_DATE", COMMITTED)])
            .args(["-c", "user.name=Mira", "-c", &format!("user.email={PERSON}"), "-c", "gpg.format=ssh"])
            .args(arguments)
            .current_dir(self.path("canonical"))
            .output()
            .unwrap();
        assert!(output.status.success(), "git {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).unwrap()
    }

    /// Type and base64.
    pub(crate) fn public_key(&self, key: &str) -> String {
        let text = fs::read_to_string(self.path(&format!("{key}.pub"))).unwrap();
        text.split(' ').take(2).collect::<Vec<_>>().join(" ")
    }

    /// A path in the site's directory.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A key pair; those under `keys` belong to the account that observes.
    fn make_key(&self, name: &str) {
        let path = self.path(name);
        let made =
            Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"]).arg(&path).status();
        assert!(made.unwrap().success());
        if Path::new(name).starts_with("keys") {
            chown(&path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    fn fleet<'r>(&self, runners: impl IntoIterator<Item = &'r Runner>) -> String {
        let observer = self.public_key("keys/runners_observe");
        let mut text = format!(
            "schema = \"countersign/fleet/1\"\n\n[keys]\nobserver_ssh = [\"{observer}\"]\n\n\
             [groups.builders]\nowner = \"build-platform@example.org\"\nmanifests = [\"builder\"]\n"
        );
        for runner in runners {
            write!(
                text,
                "\n[runners.{}]\naddress = \"{}\"\ngroups = [\"builders\"]\nhost_keys = [\"{}\"]\n",
                runner.name,
                runner.address,
                runner.host_key_pub().unwrap()
            )
            .unwrap();
        }
        text
    }
}

/// All machines but the forge.
pub(crate) fn runners(lab: &Lab) -> impl Iterator<Item = &Runner> {
    lab.runners().iter().filter(|runner| runner.name != "forge")
}
