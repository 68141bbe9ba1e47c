//! What `countersign-actuator plan` costs over a long past: 10,000 merged proposals, from nothing and from what it
//! remembers. `-- --quick` takes 1,000.

use super::measure::{self, Cost, MEASURE, cost_of};
use anyhow::Context as _;
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryState};
use countersign_manifests_schema::proposal::{
    Base, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use countersign_shared::canonical_json::{sha256, to_bytes};
use countersign_shared::proposal::{RENDERER, Sealed, render};
use countersign_shared::signing_key::SigningKey;
use git2::build::TreeUpdateBuilder;
use git2::{FileMode, Oid, Repository, Signature, Time};
use jiff::{Timestamp, ToSpan};
use std::ffi::OsString;
use std::fs;
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Proposals that were ever merged.
const MERGED: usize = 10_000;
/// Runners that they are for.
const RUNNERS: usize = 200;
/// The newest ones, which can still be applied.
const LIVE: usize = 20;
/// Hours of a proposal's life.
const LIFE: i64 = 7 * 24;

/// Runs it.
pub fn main() -> anyhow::Result<()> {
    let arguments: Vec<OsString> = std::env::args_os().skip(1).filter(|a| a != "--bench").collect();
    let merged = match arguments.split_first() {
        Some((word, rest)) if word == MEASURE => return measure::main(rest),
        Some((word, [])) if word == "--quick" => MERGED / 10,
        Some((word, _)) => anyhow::bail!("unknown argument {}; there is only --quick", word.display()),
        None => MERGED,
    };
    let program = build()?;
    let place = tempfile::tempdir()?;
    let site = Site { root: place.path().to_owned() };
    site.build(merged)?;
    let mut lines = vec![
        format!("`plan` over {merged} merged proposals for {RUNNERS} runners, of which {LIVE} can still be applied\n"),
        "| | CPU | wall | peak memory |\n|---|---|---|---|".to_owned(),
    ];
    for what in ["from nothing, the repository fetched", "from what it remembers", "once more"] {
        lines.push(row(what, site.plan(&program)?));
    }
    print(&lines);
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the table is the output of this program")]
fn print(lines: &[String]) {
    println!("{}", lines.join("\n"));
}

fn row(what: &str, cost: Cost) -> String {
    let peak = cost.peak >> 20;
    format!("| {what} | {:.2} s | {:.2} s | {peak} MiB |", cost.cpu, cost.wall)
}

/// The program, built for release unless `COUNTERSIGN_ACTUATOR` names one.
fn build() -> anyhow::Result<PathBuf> {
    if let Some(program) = std::env::var_os("COUNTERSIGN_ACTUATOR") {
        return Ok(program.into());
    }
    let bench = std::env::current_exe()?;
    let release = bench.ancestors().nth(2).context("the bench is not in a target directory")?;
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--release", "--package", "countersign-actuator", "--target-dir"])
        .arg(release.parent().context("the bench is not in a target directory")?)
        .current_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join(".."))
        .status()
        .context("cannot start cargo")?;
    anyhow::ensure!(status.success(), "countersign-actuator cannot be built");
    Ok(release.join("countersign-actuator"))
}

/// A place with both repositories, keys, a configuration, and a socket that answers as a notary does.
struct Site {
    root: PathBuf,
}

impl Site {
    fn at(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    fn build(&self, merged: usize) -> anyhow::Result<()> {
        for name in ["ada", "observer", "actuator", "ledger"] {
            let output = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-C", "", "-f"])
                .arg(self.at(name))
                .output()
                .context("cannot start ssh-keygen")?;
            anyhow::ensure!(output.status.success(), "ssh-keygen failed");
        }
        fs::write(self.at("approvers"), format!("ada@example.org {}\n", self.public("ada")?))?;
        let canonical = self.canonical()?;
        let (anchor, burned) = self.proposed(merged)?;
        self.notary(burned)?;
        let accept = "\"canonical-writable\", \"proposed-writable\", \"software-keys\"";
        let config = format!(
            "state_dir = \"state\"\n[canonical]\nurl = \"canonical.git\"\nanchor = \"{canonical}\"\n\
             [proposed]\nurl = \"proposed.git\"\nanchor = \"{anchor}\"\n[ssh]\nkey = \"actuator\"\n\
             [trust]\napprovers = \"approvers\"\naccept = [{accept}]\n\
             [notary]\nsocket = \"notary.sock\"\n[ledger]\nsigning_key = \"ledger\"\n"
        );
        fs::write(self.at("actuator.toml"), config)?;
        Ok(())
    }

    fn public(&self, name: &str) -> anyhow::Result<String> {
        let text = fs::read_to_string(self.at(&format!("{name}.pub")))?;
        Ok(text.split(' ').take(2).collect::<Vec<_>>().join(" "))
    }

    fn canonical(&self) -> anyhow::Result<Oid> {
        let mut fleet = format!(
            "schema = \"countersign/fleet/1\"\n[keys]\nobserver_sign = [\"{}\"]\nactuator_ssh = [\"{}\"]\n",
            self.public("observer")?,
            self.public("actuator")?
        );
        for index in 0..RUNNERS {
            fleet.push_str(&format!(
                "[runners.{}]\naddress = \"10.0.{}.{}\"\n",
                runner(index),
                index / 250,
                index % 250
            ));
        }
        let repository = Repository::init_bare(self.at("canonical.git"))?;
        let mut tree = TreeUpdateBuilder::new();
        let approvers = fs::read_to_string(self.at("approvers"))?;
        for (path, text) in [("fleet.toml", fleet), ("approvers", approvers)] {
            tree.upsert(path, repository.blob(text.as_bytes())?, FileMode::Blob);
        }
        let empty = repository.find_tree(repository.treebuilder(None)?.write()?)?;
        let tree = tree.create_updated(&repository, &empty)?;
        let by = Signature::new("Ada", "ada@example.org", &Time::new(1_700_000_000, 0))?;
        Ok(repository.commit(Some("refs/heads/main"), &by, &by, "Begin", &repository.find_tree(tree)?, &[])?)
    }

    /// The first commit, and the proposals that were burned, sorted.
    fn proposed(&self, merged: usize) -> anyhow::Result<(Oid, Vec<String>)> {
        let repository = Repository::init_bare(self.at("proposed.git"))?;
        let (ada, observer) = (SigningKey::load(&self.at("ada"))?, SigningKey::load(&self.at("observer"))?);
        let by = Signature::new("A Person", "person@example.org", &Time::new(1_700_000_000, 0))?;
        let empty = repository.find_tree(repository.treebuilder(None)?.write()?)?;
        let anchor = repository.commit(None, &by, &by, "Begin", &empty, &[])?;
        let signed = |key: &SigningKey, message: &str, tree: Oid, parents: &[Oid]| -> anyhow::Result<Oid> {
            let parents = parents.iter().map(|id| repository.find_commit(*id)).collect::<Result<Vec<_>, _>>()?;
            let parents: Vec<_> = parents.iter().collect();
            let tree = repository.find_tree(tree)?;
            let buffer = repository.commit_create_buffer(&by, &by, message, &tree, &parents)?;
            let signature = key.sign("git", &buffer)?;
            Ok(repository.commit_signed(std::str::from_utf8(&buffer)?, signature.trim_end(), Some("gpgsig"))?)
        };
        let mut main = anchor;
        let mut burned = Vec::new();
        for index in 0..merged {
            let sealed = proposal(index, merged)?;
            let directory = format!("proposals/{}/{}", sealed.proposal().runner, sealed.id());
            let mut update = TreeUpdateBuilder::new();
            let readme = render(&sealed);
            update.upsert(format!("{directory}/proposal.json"), repository.blob(sealed.bytes())?, FileMode::Blob);
            update.upsert(format!("{directory}/README.md"), repository.blob(readme.as_bytes())?, FileMode::Blob);
            let tree = update.create_updated(&repository, &repository.find_commit(main)?.tree()?)?;
            let branch = signed(&observer, "Add a proposal\n", tree, &[main])?;
            let line = format!("Countersign-Approves: {} sha256:{}\n", sealed.proposal().runner, sealed.id());
            main = signed(&ada, &format!("Approve\n\n{line}"), tree, &[main, branch])?;
            if index + LIVE < merged {
                burned.push(sealed.id().to_owned());
            }
        }
        repository.reference("refs/heads/main", main, true, "")?;
        let packed = Command::new("git").arg("-C").arg(self.at("proposed.git")).args(["repack", "-adq"]).status()?;
        anyhow::ensure!(packed.success(), "git repack failed");
        burned.sort();
        Ok((anchor, burned))
    }

    /// Answers to every question with the same state.
    fn notary(&self, burned: Vec<String>) -> anyhow::Result<()> {
        let state = NotaryState {
            halted: None,
            tripped: None,
            leases: Vec::new(),
            burned,
            under_way: Vec::new(),
            tokens_today: 0,
            head: None,
            reset: None,
        };
        let answer = to_bytes(&NotaryAnswer::State(state))?;
        let listener = UnixListener::bind(self.at("notary.sock"))?;
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut request = Vec::new();
                let _ = stream.read_to_end(&mut request).and_then(|_| stream.write_all(&answer));
            }
        });
        Ok(())
    }

    fn plan(&self, program: &Path) -> anyhow::Result<Cost> {
        let program = program.to_str().context("a path that is not UTF-8")?;
        let arguments: [OsString; 4] =
            ["--json".into(), "--config".into(), self.at("actuator.toml").into(), "plan".into()];
        let cost = cost_of(program, &arguments)?;
        // Nobody is on duty.
        anyhow::ensure!(cost.status == Some(20), "plan ended with {:?}", cost.status);
        Ok(cost)
    }
}

fn runner(index: usize) -> String {
    format!("runner-{:03}", index % RUNNERS)
}

/// The newest are from now, the others a week apart before.
fn proposal(index: usize, merged: usize) -> anyhow::Result<Sealed> {
    let now = Timestamp::from_second(Timestamp::now().as_second())?;
    let live = index + LIVE >= merged;
    let back = if live { 1 } else { i64::try_from(merged - index)? + LIFE };
    let created = now.checked_sub(back.hours())?;
    let digest = |text: &str| sha256(format!("{text} {index}").as_bytes());
    Ok(Sealed::new(Proposal {
        schema: PROPOSAL_SCHEMA.to_owned(),
        runner: runner(index),
        created: created.to_string(),
        expires: created.checked_add(LIFE.hours())?.to_string(),
        renderer: RENDERER,
        observer: Observer { version: "0.1.0".to_owned() },
        canonical: CanonicalState { commit: "c".repeat(40), manifest_digest: digest("manifest") },
        base: Base {
            digest: digest("base"),
            set_digest: digest("set"),
            observed_at: created.to_string(),
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
            file: None,
            reason: None,
        }],
        transaction: Transaction {
            generation: 5,
            rpms: vec![Change {
                nevra: "htop-3.3.0-4.fc41.x86_64".to_owned(),
                action: Action::Install,
                reason: Reason::User,
                repo_id: "fedora".to_owned(),
                sha256: Some(digest("file")),
                asserted: false,
            }],
        },
        predicted: Predicted { set_digest: digest("after") },
        way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
        tried: Vec::new(),
        risk: Risk { removals: 0, downgrades: 0, protected: Vec::new() },
    })?)
}
