//! Everything that applies, beside an embedded fleet: a notary in a process of its own, the actuator's configuration, and
//! a person with git and keys. The programs are the real ones; the keys are the same in every run and fit for nothing else.

use super::server::key_of;
use super::site::{PERSON, actuator_key, approvers, bare, person_key};
use super::warden::{BINARY, POLICY, Rules};
use anyhow::Context as _;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, NotaryState};
use countersign_shared::canonical_json::sha256;
use countersign_shared::notary;
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::process::CommandExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

/// Under these names, the demo's program is one of the others.
pub const ACTUATOR: &str = "countersign-actuator";
/// See [`ACTUATOR`].
pub const NOTARY: &str = "countersign-notary";
/// See [`ACTUATOR`].
pub const PERSONS_TOOL: &str = "countersign";

/// Notary, actuator and a person.
#[derive(Debug)]
pub struct Acting {
    /// Its files. Not among those of the site: whoever can write them decides, so they are where only we can.
    pub dir: tempfile::TempDir,
    program: PathBuf,
    notary: Child,
}

/// Where the two repositories are, and how the actuator reads them.
#[derive(Debug, Clone, Copy)]
pub struct Repositories<'r> {
    /// The bare repository of canonical.
    pub canonical: &'r Path,
    /// As the actuator reaches it: a way on which nobody can push.
    pub canonical_url: &'r str,
    /// From this commit on its history is judged.
    pub commit: &'r str,
    /// The bare repository of the proposals.
    pub proposed: &'r Path,
    /// See [`Self::canonical_url`].
    pub proposed_url: &'r str,
}

/// The key that signs tokens.
pub fn notary_key() -> PrivateKey {
    key_of("notary of the embedded fleet")
}

/// By what the wardens judge.
pub fn rules() -> anyhow::Result<Rules> {
    Ok(Rules { approvers: approvers()?, notary: bare(notary_key().public_key())? + "\n" })
}

impl Acting {
    /// Starts the notary and writes all configurations. `program` is the demo's.
    pub fn start(program: &Path, repositories: &Repositories<'_>) -> anyhow::Result<Self> {
        let Repositories { canonical, canonical_url, commit, proposed, proposed_url } = repositories;
        let dir = tempfile::Builder::new().prefix("countersign-").tempdir()?;
        let at = |name: &str| dir.path().join(name);
        for name in ["home", "notary"] {
            fs::create_dir(at(name))?;
            fs::set_permissions(at(name), Permissions::from_mode(0o700))?;
        }
        for (name, key) in [
            ("runners_apply", actuator_key()),
            ("notary_sign", notary_key()),
            ("ledger", key_of("ledger of the embedded fleet")),
            ("person", person_key()),
        ] {
            write(&at(name), &key.to_openssh(LineEnding::LF)?, 0o600)?;
            write(&at(&format!("{name}.pub")), &(bare(key.public_key())? + "\n"), 0o644)?;
        }
        let rules = rules()?;
        write(&at("approvers"), &rules.approvers, 0o644)?;
        // One account plays both here; where it matters they are two.
        let (uid, gid) = (rustix::process::geteuid().as_raw(), rustix::process::getegid().as_raw());
        let notary = format!(
            "socket = \"notary.sock\"\nstate_dir = \"notary\"\nsigning_key = \"notary_sign\"\napprovers = \"approvers\"\n\
             operators = [\"gid:{gid}\"]\nactuator_uid = {uid}\nrequire_touch = false\n"
        );
        write(&at("notary.toml"), &notary, 0o644)?;
        let anchor = git(proposed, &["rev-parse", "main"])?;
        let actuator = format!(
            "state_dir = \"state\"\n[canonical]\nurl = \"{canonical_url}\"\nanchor = \"{commit}\"\n\
             [proposed]\nurl = \"{proposed_url}\"\nanchor = \"{anchor}\"\n[ssh]\nkey = \"runners_apply\"\n\
             [trust]\napprovers = \"approvers\"\naccept = [\"software-keys\"]\n[notary]\nsocket = \"notary.sock\"\n\
             [ledger]\nsigning_key = \"ledger\"\n"
        );
        write(&at("actuator.toml"), &actuator, 0o644)?;
        let person = format!(
            "[canonical]\nurl = \"{}\"\nanchor = \"{commit}\"\n[proposed]\nurl = \"{}\"\n[notary]\nsocket = \"{}\"\n\
             [trust]\naccept = [\"software-keys\"]\n",
            canonical.display(),
            proposed.display(),
            at("notary.sock").display(),
        );
        write(&at("countersign.toml"), &person, 0o644)?;
        let git_config = format!(
            "[user]\n\tname = Mira\n\temail = {PERSON}\n\tsigningkey = {}\n[gpg]\n\tformat = ssh\n",
            at("person").display()
        );
        write(&at("home/.gitconfig"), &git_config, 0o644)?;
        let notary = serve(program, dir.path())?;
        let acting = Self { program: program.to_owned(), notary, dir };
        acting.wait()?;
        Ok(acting)
    }

    /// By what the wardens are known: sha256 digests of programs and of warden.toml files.
    pub fn expect(&self, binary: &[String], policy: &[String]) -> anyhow::Result<()> {
        let path = self.dir.path().join("actuator.toml");
        let text = fs::read_to_string(&path)?;
        let rest = text.split("[warden]").next().unwrap_or_default();
        let key = sha256(rules()?.notary.as_bytes());
        write(
            &path,
            &format!("{rest}[warden]\nbinary = {binary:?}\npolicy = {policy:?}\nnotary_key = [{key:?}]\n"),
            0o644,
        )
    }

    /// As embedded wardens are.
    pub fn expect_fakes(&self) -> anyhow::Result<()> {
        self.expect(&[sha256(BINARY.as_bytes())], &[sha256(POLICY.as_bytes())])
    }

    /// Kills the notary, as a power cut would.
    pub fn kill_notary(&mut self) -> anyhow::Result<()> {
        self.notary.kill()?;
        self.notary.wait()?;
        Ok(())
    }

    /// Starts the notary again.
    pub fn restart_notary(&mut self) -> anyhow::Result<()> {
        self.notary = serve(&self.program, self.dir.path())?;
        self.wait()
    }

    /// Until the notary answers.
    fn wait(&self) -> anyhow::Result<()> {
        for _ in 0..500 {
            if self.state().is_ok() {
                return Ok(());
            }
            std::thread::sleep(Duration::from_millis(10));
        }
        self.state().map(|_| ())
    }

    /// What the notary knows.
    pub fn state(&self) -> anyhow::Result<NotaryState> {
        match self.ask(&NotaryRequest::State {})? {
            NotaryAnswer::State(state) => Ok(state),
            other => anyhow::bail!("the notary says {other:?}"),
        }
    }

    /// Asks the notary.
    pub fn ask(&self, request: &NotaryRequest) -> anyhow::Result<NotaryAnswer> {
        Ok(notary::ask(&self.dir.path().join("notary.sock"), request, Duration::from_secs(60))?)
    }

    /// The actuator, ready to be run.
    pub fn actuator(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(ACTUATOR, "actuator.toml");
        command.args(arguments);
        command
    }

    /// The person's tool, ready to be run.
    pub fn person(&self, arguments: &[&str]) -> Command {
        let mut command = self.command(PERSONS_TOOL, "countersign.toml");
        command.args(arguments);
        command
    }

    /// Approves these proposals with one signed merge for each branch, and goes on duty for them.
    pub fn approve(&self, ids: &[&str]) -> anyhow::Result<()> {
        done(self.person(&[&["approve", "--yes"], ids].concat()))?;
        done(self.person(&["lease", "--yes", "--reason", "the llvm incident"]))?;
        Ok(())
    }

    fn command(&self, name: &str, config: &str) -> Command {
        let home = self.dir.path().join("home");
        let mut command = Command::new(&self.program);
        command
            .arg0(name)
            .arg("--config")
            .arg(self.dir.path().join(config))
            .current_dir(&home)
            .env("HOME", &home)
            .env("XDG_STATE_HOME", home.join("state"))
            .env("GIT_CONFIG_NOSYSTEM", "1")
            .env("RUST_LOG", "error")
            .stdin(Stdio::null());
        command
    }
}

impl Drop for Acting {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.notary.kill();
        let _ = self.notary.wait();
    }
}

fn serve(program: &Path, dir: &Path) -> anyhow::Result<Child> {
    let mut notary = Command::new(program);
    notary.arg0(NOTARY).arg("--config").arg(dir.join("notary.toml")).arg("serve").env("RUST_LOG", "error");
    notary.stdin(Stdio::null()).stdout(Stdio::null()).spawn().context("cannot start the notary")
}

/// Runs it to a good end.
pub fn done(mut command: Command) -> anyhow::Result<Output> {
    let output = command.output()?;
    let said = || format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    anyhow::ensure!(output.status.success(), "{:?} ended with {}: {}", command.get_args(), output.status, said());
    Ok(output)
}

/// git in a directory, without anybody's settings, as a machine would run it.
pub fn git(directory: &Path, arguments: &[&str]) -> anyhow::Result<String> {
    let mut command = Command::new("git");
    command
        .current_dir(directory)
        .args(arguments)
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_CONFIG_GLOBAL", "/dev/null");
    for who in ["AUTHOR", "COMMITTER"] {
        command.env(format!("GIT_{who}_NAME"), "Bot").env(format!("GIT_{who}_EMAIL"), "bot@example.org");
    }
    Ok(String::from_utf8_lossy(&done(command)?.stdout).trim().to_owned())
}

fn write(path: &Path, text: &str, mode: u32) -> anyhow::Result<()> {
    fs::write(path, text)?;
    Ok(fs::set_permissions(path, Permissions::from_mode(mode))?)
}
