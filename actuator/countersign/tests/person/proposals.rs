//! Canonical and proposals as people and the observer write them.

use super::stage::Stage;
use countersign_manifests_schema::proposal::{
    Base, By, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, SYSTEM_REPO, Transaction};
use countersign_shared::manifest::Canonical;
use countersign_shared::proposal::{RENDERER, Sealed, render};
use std::collections::BTreeMap;
use std::path::Path;

/// The manifest of the builders, with comments that must survive.
pub(crate) const BUILDER: &str = "# what builders have\nschema = \"countersign/manifest/1\"\n\n[packages]\n\
    llvm   = \"= 19.1.0-1.fc41\"   # tenant X\nglibc  = \"*\"\n\n[unlisted]\nuser-installed = \"remove\"\n";

/// RFC 3339, so many seconds from now.
pub(crate) fn time(from_now: i64) -> String {
    let now = jiff::Timestamp::now().as_second();
    jiff::Timestamp::from_second(now + from_now).unwrap().to_string()
}

impl Stage {
    /// People, policy, one manifest, three runners; ada and ben are approvers.
    pub(crate) fn found(&self) {
        let key = self.public("observer");
        let mut fleet = format!(
            "schema = \"countersign/fleet/1\"\n[keys]\nobserver_sign = [\"{key}\"]\n[groups.builders]\nmanifests = [\"builder\"]\n"
        );
        for number in 1..=3 {
            fleet += &format!(
                "[runners.runner-0{number}]\naddress = \"10.0.0.{number}\"\ngroups = [\"builders\"]\nhost_keys = [\"{key}\"]\n"
            );
        }
        let policy = format!(
            "schema = \"countersign/policy/1\"\n[approval]\nrequire_touch = false\nbots = [\"{}\"]\n[protected]\npackages = [\"glibc\"]\n",
            self.public("bot")
        );
        let approvers = format!(
            "ada@example.org {}\nben@example.org {}\nbot@example.org {}\n",
            self.public("ada"),
            self.public("ben"),
            self.public("bot")
        );
        self.write("canonical", "fleet.toml", fleet.as_bytes());
        self.write("canonical", "policy.toml", policy.as_bytes());
        self.write("canonical", "approvers", approvers.as_bytes());
        self.write("canonical", "manifests/builder.toml", BUILDER.as_bytes());
        self.commit("canonical", Some("ada"), "Begin", "main");
        self.commit("proposed", Some("ada"), "Begin", "main");
    }

    /// Canonical as it is in the working tree.
    pub(crate) fn canonical(&self) -> Canonical {
        fn read(top: &Path, dir: &Path, files: &mut BTreeMap<String, Vec<u8>>) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    read(top, &path, files);
                } else {
                    let name = path.strip_prefix(top).unwrap().to_str().unwrap().to_owned();
                    files.insert(name, std::fs::read(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        let work = self.path("work/canonical");
        read(&work, &work, &mut files);
        Canonical::load(&files).unwrap()
    }

    /// llvm is newer than wanted on this runner: it goes back, and its libraries with it.
    pub(crate) fn proposal(&self, runner: &str) -> Proposal {
        let canonical = self.canonical();
        let effective = canonical.effective(canonical.fleet.runner(runner).unwrap());
        Proposal {
            schema: PROPOSAL_SCHEMA.to_owned(),
            runner: runner.to_owned(),
            created: time(-5_400),
            expires: time(86_000),
            renderer: RENDERER,
            observer: Observer { version: "0.1.0".to_owned() },
            canonical: CanonicalState { commit: self.tip("canonical", "main"), manifest_digest: effective.digest() },
            base: Base {
                digest: "b".repeat(64),
                set_digest: "c".repeat(64),
                observed_at: time(-5_500),
                configuration: None,
                named: None,
            },
            drift: vec![ClaimedItem {
                code: "ahead".to_owned(),
                package: "llvm".to_owned(),
                arch: Some("x86_64".to_owned()),
                wanted: Some("= 19.1.0-1.fc41".to_owned()),
                seen: vec!["20.1.0-1.fc41".to_owned()],
                since: Some("2026-11-18T03:30:00Z".to_owned()),
                by: Some(By { user: Some("root".to_owned()), command: "dnf upgrade llvm".to_owned() }),
                spec_changed: None,
                file: Some("manifests/builder.toml".to_owned()),
                reason: None,
            }],
            transaction: Transaction {
                generation: 5,
                rpms: vec![
                    change("llvm-19.1.0-1.fc41.x86_64", Action::Downgrade, false),
                    change("llvm-20.1.0-1.fc41.x86_64", Action::Replaced, false),
                    change("llvm-libs-19.1.0-1.fc41.x86_64", Action::Downgrade, true),
                    change("llvm-libs-20.1.0-1.fc41.x86_64", Action::Replaced, true),
                ],
            },
            predicted: Predicted { set_digest: "d".repeat(64) },
            way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
            tried: Vec::new(),
            risk: Risk { removals: 0, downgrades: 2, protected: Vec::new() },
        }
    }

    /// What the observer pushes: one signed commit on top of main, on a branch.
    pub(crate) fn publish(&self, branch: &str, proposals: &[Proposal]) -> Vec<String> {
        let sealed: Vec<Sealed> = proposals.iter().map(|proposal| Sealed::new(proposal.clone()).unwrap()).collect();
        self.restart("proposed");
        for one in &sealed {
            self.place(one, one.bytes(), render(one).as_bytes());
        }
        self.commit("proposed", Some("observer"), "Add proposals", &format!("proposals/{branch}"));
        sealed.iter().map(|one| one.id().to_owned()).collect()
    }

    /// Puts files where those of a proposal belong.
    pub(crate) fn place(&self, sealed: &Sealed, json: &[u8], readme: &[u8]) {
        let directory = format!("proposals/{}/{}", sealed.proposal().runner, sealed.id());
        self.write("proposed", &format!("{directory}/proposal.json"), json);
        self.write("proposed", &format!("{directory}/README.md"), readme);
    }

    /// The working tree of a remote as its main branch is now.
    pub(crate) fn restart(&self, remote: &str) {
        let work = self.path(&format!("work/{remote}"));
        self.git(&work, &["fetch", "--quiet", "origin"]);
        self.git(&work, &["checkout", "--quiet", "--force", "-B", "main", "origin/main"]);
        self.git(&work, &["clean", "-fdxq"]);
    }

    /// Everything is there: canonical, one proposal for each of these runners on its own branch, clones.
    pub(crate) fn ready(runners: &[&str]) -> (Self, Vec<String>) {
        let stage = Self::new();
        stage.found();
        let ids = runners.iter().flat_map(|runner| stage.publish(runner, &[stage.proposal(runner)])).collect();
        stage.settle("");
        (stage, ids)
    }
}

/// One change of a package.
pub(crate) fn change(nevra: &str, action: Action, asserted: bool) -> Change {
    let incoming = action.is_incoming();
    Change {
        nevra: nevra.to_owned(),
        action,
        reason: Reason::User,
        repo_id: if incoming { "updates".to_owned() } else { SYSTEM_REPO.to_owned() },
        sha256: incoming.then(|| "e".repeat(64)),
        asserted,
    }
}
