//! Everything around the fake runners that an observer needs: canonical as a real git repository with signed commits,
//! keys, `observer.toml`.

use super::catalog::{FakePackage, USER};
use super::server::{Served, key_of};
use anyhow::Context as _;
use russh::keys::ssh_key::{HashAlg, LineEnding};
use russh::keys::{PrivateKey, PublicKey};
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

/// The person who writes canonical here; see [`person_key`].
pub const PERSON: &str = "mira@example.org";
const OWNER: &str = "build-platform@example.org";

/// The key that the observer shows to runners.
pub fn observer_key() -> PrivateKey {
    key_of("observer of the embedded fleet")
}

/// The key that the actuator shows to runners.
pub fn actuator_key() -> PrivateKey {
    key_of("actuator of the embedded fleet")
}

/// The key with which it signs proposals.
pub fn signing_key() -> PrivateKey {
    key_of("signatures of the observer of the embedded fleet")
}

/// Its public half.
pub fn observer_public_key() -> PublicKey {
    observer_key().public_key().clone()
}

/// A directory with all files of one fake installation.
#[derive(Debug)]
pub struct Site {
    /// `observer.toml`, absolute.
    pub config: PathBuf,
    /// The report directory, absolute.
    pub reports: PathBuf,
    /// The bare repository of canonical, absolute.
    pub canonical: PathBuf,
    /// Id of the commit that canonical's main branch is at.
    pub commit: String,
}

/// Settings of `observer.toml` that a story or a bench wants otherwise.
#[derive(Debug, Clone)]
pub struct Tuning {
    /// `[ssh] parallel`.
    pub parallel: u32,
    /// `[ssh] connect_timeout`, seconds.
    pub connect_timeout: u32,
    /// `[ssh] run_timeout`, seconds.
    pub run_timeout: u32,
}

impl Default for Tuning {
    fn default() -> Self {
        Self { parallel: 64, connect_timeout: 10, run_timeout: 60 }
    }
}

impl Site {
    /// Writes a new site into `dir`, which must be empty or absent, with canonical in `dir/canonical.git` and reached
    /// by `canonical_url`. `packages` is what the machines were set up with:
    /// the manifests name those that a person asked for. `now` (Unix seconds) dates the commit: seven months ago, before the machines were set up.
    pub fn write(
        dir: &Path,
        canonical_url: &str,
        runners: &[Served],
        packages: &[FakePackage],
        tuning: &Tuning,
        now: i64,
    ) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir.join("keys")).with_context(|| format!("cannot make {}", dir.display()))?;
        let dir = dir.canonicalize()?;
        write_private(&dir.join("keys/runners_observe"), &observer_key().to_openssh(LineEnding::LF)?)?;
        std::fs::write(dir.join("approvers"), approvers()?)?;
        std::fs::write(dir.join("servers.tsv"), servers_tsv(runners)?)?;
        std::fs::write(dir.join("request"), request(packages))?;

        let canonical = dir.join("canonical.git");
        let files = canonical_files(runners, packages)?;
        const MONTH: i64 = 30 * 86_400;
        let commit = commit_all(&canonical, &person_key(), &files, now - 7 * MONTH)
            .context("cannot make the canonical repository")?;

        let site = Self { config: dir.join("observer.toml"), reports: dir.join("report"), canonical, commit };
        std::fs::write(&site.config, observer_toml(&site, canonical_url, tuning))?;
        Ok(site)
    }

    /// Adds a sibling repository, in `proposed.git` beside canonical, to which proposals are pushed; gives its path.
    pub fn add_proposed(&self, now: i64) -> anyhow::Result<PathBuf> {
        use std::io::Write as _;
        let dir = self.config.parent().context("the configuration is in a directory")?;
        write_private(&dir.join("keys/observer_sign"), &signing_key().to_openssh(LineEnding::LF)?)?;
        let proposed = dir.join("proposed.git");
        let readme = [("README.md", "# Proposals for the embedded fleet\n".to_owned())].into();
        commit_all(&proposed, &person_key(), &readme, now - 86_400).context("cannot make the sibling repository")?;
        let mut config = std::fs::File::options().append(true).open(&self.config)?;
        let url = proposed.display();
        write!(config, "\n[proposed]\nurl         = \"{url}\"\nsigning_key = \"keys/observer_sign\"\n")?;
        Ok(proposed)
    }
}

/// What the person who writes canonical signs with.
pub fn person_key() -> PrivateKey {
    key_of("a person of the embedded fleet")
}

/// The people, as `approvers` lists them.
pub fn approvers() -> anyhow::Result<String> {
    Ok(format!("{PERSON} {}\n", bare(person_key().public_key())?))
}

/// Every file of canonical, by path.
pub fn canonical_files(runners: &[Served], packages: &[FakePackage]) -> anyhow::Result<BTreeMap<&'static str, String>> {
    Ok([
        ("README.md", "# Canonical of the embedded fleet\n".to_owned()),
        ("approvers", approvers()?),
        ("fleet.toml", fleet_toml(runners)?),
        ("policy.toml", "schema = \"countersign/policy/1\"\n".to_owned()),
        ("manifests/base.toml", base_toml(packages)),
        ("manifests/builder.toml", BUILDER_TOML.to_owned()),
    ]
    .into())
}

/// The manifest of the story.
const BUILDER_TOML: &str = r#"schema  = "countersign/manifest/1"
include = ["base"]
owner   = "build-platform@example.org"

[packages]
htop              = "*"
clang             = "= 19.1.0-1.fc41"
clang-tools-extra = "= 19.1.0-1.fc41"
llvm              = "= 19.1.0-1.fc41"
llvm-devel        = "= 19.1.0-1.fc41"
glibc             = { version = ">= 2.40, < 2.41", reason = "tenant X links its module against 2.40" }
kernel-devel      = { same-as = "running-kernel" }
gcc-toolset-13    = { state = "absent", reason = "tenant X's build prefers it" }
strace            = "allowed"

[unlisted]
user-installed = "report"

[host]
selinux      = "enforcing"
repositories = ["fedora", "updates"]
"#;

/// Names in [`BUILDER_TOML`].
const IN_BUILDER: &[&str] =
    &["htop", "clang", "clang-tools-extra", "llvm", "llvm-devel", "glibc", "kernel-devel", "strace"];

fn base_toml(packages: &[FakePackage]) -> String {
    let mut text = format!("schema = \"countersign/manifest/1\"\nowner  = \"{OWNER}\"\n\n[packages]\n");
    for name in asked_for(packages) {
        let _ = writeln!(text, "\"{name}\" = \"*\"");
    }
    text
}

/// Name, address, port and host key of each runner: for clients that do not read canonical.
fn servers_tsv(runners: &[Served]) -> anyhow::Result<String> {
    let mut text = String::new();
    for runner in runners {
        let (ip, port) = (runner.address.ip(), runner.address.port());
        let _ = writeln!(text, "{}\t{ip}\t{port}\t{}", runner.name, bare(&runner.host_key)?);
    }
    Ok(text)
}

/// What an observer asks each runner when it knows nothing of it yet.
fn request(packages: &[FakePackage]) -> String {
    let mut text = "countersign-probe/1 request\nnonce 000102030405060708090a0b0c0d0e0f\n".to_owned();
    for name in IN_BUILDER.iter().copied().chain(asked_for(packages)) {
        let _ = writeln!(text, "name {name}");
    }
    text + "end\n"
}

/// Names that a person asked for and that the manifest of the story does not speak of.
fn asked_for(packages: &[FakePackage]) -> BTreeSet<&str> {
    packages
        .iter()
        .filter(|p| p.reason == USER && p.arch != "i686")
        .map(|p| p.name.as_str())
        .filter(|name| !IN_BUILDER.contains(name))
        .collect()
}

fn fleet_toml(runners: &[Served]) -> anyhow::Result<String> {
    let observer = bare(&observer_public_key())?;
    let sign = bare(signing_key().public_key())?;
    let actuator = bare(actuator_key().public_key())?;
    let port = runners.first().map_or(22, |runner| runner.address.port());
    let mut text = format!(
        "schema = \"countersign/fleet/1\"\n\n[keys]\nobserver_ssh = [\"{observer}\"]\nobserver_sign = [\"{sign}\"]\n\
         actuator_ssh = [\"{actuator}\"]\n\n\
         [defaults]\nuser = \"countersign-observer\"\nport = {port}\n\n\
         [groups.builders]\nowner = \"{OWNER}\"\nmanifests = [\"builder\"]\n"
    );
    for runner in runners {
        let _ = write!(
            text,
            "\n[runners.{}]\naddress = \"{}\"\ngroups = [\"builders\"]\nhost_keys = [\"{}\"]\n",
            runner.name,
            runner.address.ip(),
            bare(&runner.host_key)?
        );
        if runner.address.port() != port {
            let _ = writeln!(text, "port = {}", runner.address.port());
        }
    }
    Ok(text)
}

fn observer_toml(site: &Site, canonical_url: &str, tuning: &Tuning) -> String {
    let Tuning { parallel, connect_timeout, run_timeout } = tuning;
    format!(
        r#"state_dir  = "state"
report_dir = "report"

[canonical]
url    = "{canonical_url}"
branch = "main"
anchor = "{}"

[ssh]
key             = "keys/runners_observe"
parallel        = {parallel}
connect_timeout = "{connect_timeout}s"
run_timeout     = "{run_timeout}s"

[trust]
approvers = "approvers"
accept    = []
"#,
        site.commit
    )
}

/// Type and base64, without a comment.
pub fn bare(key: &PublicKey) -> anyhow::Result<String> {
    let mut key = key.clone();
    key.set_comment("");
    Ok(key.to_openssh()?.trim_end().to_owned())
}

fn write_private(path: &Path, text: &str) -> anyhow::Result<()> {
    use std::io::Write as _;
    use std::os::unix::fs::OpenOptionsExt as _;
    let mut file = std::fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(path)?;
    file.write_all(text.as_bytes())?;
    Ok(())
}

/// One commit on `main` of the bare repository at `path`, signed by `person`; gives its id.
pub fn commit_all(
    path: &Path,
    person: &PrivateKey,
    files: &BTreeMap<&'static str, String>,
    at: i64,
) -> anyhow::Result<String> {
    let mut options = git2::RepositoryInitOptions::new();
    options.bare(true).initial_head("main").no_reinit(true);
    let repository = git2::Repository::init_opts(path, &options)?;
    let empty = repository.find_tree(repository.treebuilder(None)?.write()?)?;
    let mut update = git2::build::TreeUpdateBuilder::new();
    for (name, text) in files {
        update.upsert(*name, repository.blob(text.as_bytes())?, git2::FileMode::Blob);
    }
    let tree = repository.find_tree(update.create_updated(&repository, &empty)?)?;
    let author = git2::Signature::new("Mira", PERSON, &git2::Time::new(at, 0))?;
    let message = "Describe the build runners\n";
    let buffer = repository.commit_create_buffer(&author, &author, message, &tree, &[])?;
    let content = std::str::from_utf8(&buffer)?;
    let signature = person.sign("git", HashAlg::Sha512, content.as_bytes())?.to_pem(LineEnding::LF)?;
    let id = repository.commit_signed(content, signature.trim_end(), None)?;
    repository.reference("refs/heads/main", id, false, "first commit")?;
    Ok(id.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::embedded::catalog::{FULL_SIZE, catalog};
    use countersign_shared::manifest::canonical::Canonical;
    use std::net::Ipv4Addr;

    #[test]
    fn canonical_has_no_problem_and_the_runner_the_rules_of_the_story() {
        let host_key = observer_public_key();
        let served = Served { name: "runner-01".to_owned(), address: (Ipv4Addr::LOCALHOST, 2222).into(), host_key };
        let files = canonical_files(&[served], &catalog(FULL_SIZE)).unwrap();
        let files = files.into_iter().map(|(path, text)| (path.to_owned(), text.into_bytes())).collect();
        let canonical = Canonical::load(&files).unwrap();
        assert!(canonical.warnings().is_empty(), "{:?}", canonical.warnings());
        let runner = canonical.fleet.runner("runner-01").unwrap();
        assert_eq!((runner.port, runner.user.as_str()), (2222, "countersign-observer"));
        let effective = canonical.effective(runner);
        assert!(effective.packages.len() > 50, "{} rules", effective.packages.len());
        assert_eq!(effective.host.repositories, ["fedora", "updates"]);
    }
}
