//! A runner, a proposal for it and its gates in a few lines, to be changed in one place before they are judged.

use crate::facts::{Candidate, Duty, Expected, Facts, Heard, Place, Reach, Staging, Tally, TokenFact, Wanted, World};
use crate::gates::{Judgement, Verdict, judge};
use crate::halt::Halt;
use countersign_manifests_schema::proposal::{
    Base, CanonicalState, ClaimedItem, Observer, PROPOSAL_SCHEMA, Predicted, Proposal, Risk, WayBack, WayBackKind,
};
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};
use countersign_manifests_schema::warden::Inspection;
use countersign_shared::drift::Compiled;
use countersign_shared::manifest::Canonical;
use countersign_shared::observation::{Failure, Observation, set_digest};
use countersign_shared::proposal::{RENDERER, Sealed, base_digest, configuration_digest, named_digest};
use std::collections::{BTreeMap, BTreeSet};

pub(super) const RUNNER: &str = "runner-01";
pub(super) const NOW: i64 = 1_800_000_000;
pub(super) const HEADER: &str = "4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e";

/// What a runner's probe says, section by section.
#[derive(Clone)]
pub(super) struct Said(Vec<(&'static str, String, &'static str)>);

impl Said {
    /// bash and a library; htop is missing.
    pub(super) fn healthy() -> Self {
        let row = |name: &str, reason: &str| {
            format!("{name}\t0\t1.0\t1.fc41\tx86_64\t1700000000\t1\t{HEADER}\t\t{reason}\t-\tfedora\tFedora\n")
        };
        Self(vec![
            ("os", "id\tfedora\nversion_id\t41\narch\tx86_64\n".into(), "0"),
            ("kernel", "6.10.0-1.fc41.x86_64\t1700000000\n".into(), "0"),
            ("selinux", "enforcing\n".into(), "0"),
            ("dnf", "5\t5.4.6.0\n".into(), "0"),
            ("packages", row("bash", "u") + &row("ncurses", "d"), "0 2"),
            ("needed", "ncurses\n".into(), "0 1"),
            ("history", String::new(), "0 0"),
            ("tokens", format!("{0}\t{0}\n", "aa".repeat(32)), "0"),
            ("repos", "fedora\tenabled\n".into(), "0"),
            ("versionlocks", String::new(), "0"),
            ("config", format!("{}\n", "c0".repeat(32)), "0"),
            ("modules", String::new(), "0"),
            ("locks", String::new(), "0"),
            ("reboot", "no\n".into(), "0"),
            ("privileges", "0\tno\tno\tyes\troot\n".into(), "0"),
            ("metadata", "1700000009\n".into(), "0"),
            ("avc", "0\n".into(), "0"),
            ("stable", "yes\n".into(), "0"),
        ])
    }

    pub(super) fn with(mut self, name: &str, rows: &str, close: &'static str) -> Self {
        let section = self.0.iter_mut().find(|section| section.0 == name).unwrap();
        (section.1, section.2) = (rows.to_owned(), close);
        self
    }

    pub(super) fn edit(mut self, name: &str, edit: impl Fn(&str) -> String) -> Self {
        let section = self.0.iter_mut().find(|section| section.0 == name).unwrap();
        section.1 = edit(&section.1);
        self
    }

    pub(super) fn add_package(self, row: &str) -> Self {
        let rows = self.0.iter().find(|section| section.0 == "packages").unwrap().1.clone() + row;
        self.with("packages", &rows, "0 3")
    }

    pub(super) fn record(&self) -> String {
        let mut text = String::new();
        for (name, rows, close) in &self.0 {
            text.push_str(&format!("section {name}\n"));
            rows.lines().for_each(|row| text.push_str(&format!(" {row}\n")));
            text.push_str(&format!("close {close}\n"));
        }
        text.push_str(&format!("end {}\n", self.0.len()));
        text
    }

    pub(super) fn answer(&self) -> String {
        let nonce = "07".repeat(16);
        format!("countersign-probe/1 answer {nonce}\n{}bye {nonce}\n", self.record())
    }
}

/// Everything that a judgement needs, to be changed in one place before it is judged.
pub(super) struct Story {
    pub(super) said: Said,
    pub(super) manifest: String,
    pub(super) waivers: String,
    pub(super) policy: String,
    pub(super) proposal: Box<dyn Fn(&mut Proposal)>,
    pub(super) inspection: Box<dyn Fn(&mut Inspection)>,
    pub(super) staging: Staging,
    pub(super) token: TokenFact,
    pub(super) reach: Option<Failure>,
}

pub(super) const MANIFEST: &str = "schema = \"countersign/manifest/1\"\nowner = \"a@example.org\"\n[packages]\nhtop = \"*\"\nbash = \"*\"\n\
    [unlisted]\ndependencies = \"remove\"\n[host]\nselinux = \"enforcing\"\n";

impl Story {
    pub(super) fn new() -> Self {
        Self {
            said: Said::healthy(),
            manifest: MANIFEST.to_owned(),
            waivers: String::new(),
            policy: String::new(),
            proposal: Box::new(|_| ()),
            inspection: Box::new(|_| ()),
            staging: Staging::Done,
            token: TokenFact::Held,
            reach: None,
        }
    }

    pub(super) fn said(mut self, edit: impl Fn(Said) -> Said) -> Self {
        self.said = edit(self.said);
        self
    }

    pub(super) fn inspection(mut self, edit: impl Fn(&mut Inspection) + 'static) -> Self {
        self.inspection = Box::new(edit);
        self
    }

    pub(super) fn proposal(mut self, edit: impl Fn(&mut Proposal) + 'static) -> Self {
        self.proposal = Box::new(edit);
        self
    }

    pub(super) fn canonical(&self) -> Canonical {
        let fleet = "schema = \"countersign/fleet/1\"\n[groups.builders]\nowner = \"a@example.org\"\nmanifests = [\"builder\"]\n\
            [runners.runner-01]\naddress = \"10.0.0.11\"\ngroups = [\"builders\"]\n";
        let mut files = BTreeMap::new();
        files.insert("fleet.toml".to_owned(), fleet.as_bytes().to_vec());
        files.insert("manifests/builder.toml".to_owned(), self.manifest.clone().into_bytes());
        let policy = format!("schema = \"countersign/policy/1\"\n{}", self.policy);
        files.insert("policy.toml".to_owned(), policy.into_bytes());
        if !self.waivers.is_empty() {
            let text = format!("schema = \"countersign/waiver/1\"\n[[waive]]\n{}", self.waivers);
            files.insert("waivers/w.toml".to_owned(), text.into_bytes());
        }
        let lock = "schema = \"countersign/lock/1\"\narch = \"x86_64\"\nreleasever = \"41\"\n\
            packages = [\"bash-0:1.0-1.fc41.x86_64\", \"htop-0:3.3.0-4.fc41.x86_64\", \"ncurses-0:1.0-1.fc41.x86_64\"]\n";
        if self.manifest.contains("lock =") {
            files.insert("locks/builder.toml".to_owned(), lock.as_bytes().to_vec());
        }
        Canonical::load(&files).unwrap_or_else(|errors| panic!("{}", errors[0]))
    }

    pub(super) fn judge(&self) -> Judgement {
        let canonical = self.canonical();
        let runner = canonical.fleet.runner(RUNNER).unwrap();
        let compiled = Compiled::new(canonical.effective(runner)).unwrap();
        let waivers = canonical.waivers_for(runner);
        let sealed = sealed(&compiled, &*self.proposal);
        let mut inspection = Inspection {
            runner: RUNNER.to_owned(),
            version: "0.1.0".to_owned(),
            binary: "b1".repeat(32),
            approvers: "a1".repeat(32),
            policy: "d1".repeat(32),
            notary_key: "e1".repeat(32),
            max_age: 7 * 86_400,
            confirm_within: 600,
            observation: self.said.answer(),
            halted: None,
            busy: None,
            last: None,
        };
        (self.inspection)(&mut inspection);
        let heard = Heard::new(inspection, NOW);
        let one = |text: &str| vec![text.repeat(32)];
        let expected = Expected {
            binary: vec!["b0".repeat(32), "b1".repeat(32)],
            approvers: one("a1"),
            policy: one("d1"),
            notary_key: one("e1"),
        };
        let reach = match &self.reach {
            Some(failure) => Reach::Failed(failure.clone()),
            None => Reach::Answered(Box::new(heard.answered(&expected, self.staging.clone()))),
        };
        let candidate = candidate(sealed);
        let world = world(&candidate, canonical.policy.clone());
        let wanted = Some(Wanted { runner, compiled: &compiled, waivers: &waivers });
        judge(&Facts { world: &world, candidate: &candidate, wanted, reach: &reach, token: &self.token })
    }

    /// That exactly this gate refuses; answers with why.
    #[track_caller]
    pub(super) fn refused(&self, gate: &str) -> String {
        let judgement = self.judge();
        assert_eq!(refusals(&judgement), [gate], "{judgement:#?}");
        match judgement.of(gate) {
            Some(Verdict::Refuse(why)) => why.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[track_caller]
    pub(super) fn passes(&self) {
        let judgement = self.judge();
        let open: Vec<_> = judgement.rows.iter().filter(|(_, verdict)| !matches!(verdict, Verdict::Pass(_))).collect();
        assert!(open.is_empty(), "{open:#?}");
    }
}

pub(super) fn refusals(judgement: &Judgement) -> Vec<&'static str> {
    let refused = judgement.rows.iter().filter(|(_, verdict)| matches!(verdict, Verdict::Refuse(_)));
    refused.map(|(code, _)| *code).collect()
}

/// The proposal as the observer makes it on a healthy runner.
pub(super) fn sealed(compiled: &Compiled, edit: &dyn Fn(&mut Proposal)) -> Sealed {
    let record = Said::healthy().record();
    let seen = Observation::parse(&record, NOW).unwrap();
    let packages = &seen.packages.seen().unwrap().list;
    let drift = vec![ClaimedItem {
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
    }];
    let transaction = Transaction { generation: 5, rpms: vec![install("htop-3.3.0-4.fc41.x86_64", false)] };
    let configuration = configuration_digest(&seen).unwrap();
    let mut proposal = Proposal {
        schema: PROPOSAL_SCHEMA.to_owned(),
        runner: RUNNER.to_owned(),
        created: "2027-01-15T00:00:00Z".to_owned(),
        expires: "2027-01-16T00:00:00Z".to_owned(),
        renderer: RENDERER,
        observer: Observer { version: "0.1.0".to_owned() },
        canonical: CanonicalState { commit: "c".repeat(40), manifest_digest: compiled.effective().digest() },
        base: Base {
            digest: base_digest(packages, "x86_64", &configuration),
            set_digest: set_digest(packages),
            observed_at: "2027-01-15T00:00:00Z".to_owned(),
            named: Some(named_digest(packages, &drift, &transaction)),
            configuration: Some(configuration),
        },
        drift,
        transaction,
        predicted: Predicted { set_digest: "9".repeat(64) },
        way_back: WayBack { kind: WayBackKind::Packages, missing: Vec::new() },
        tried: Vec::new(),
        risk: Risk { removals: 0, downgrades: 0, protected: Vec::new() },
    };
    edit(&mut proposal);
    Sealed::new(proposal).unwrap()
}

pub(super) fn install(nevra: &str, asserted: bool) -> Change {
    Change {
        nevra: nevra.to_owned(),
        action: Action::Install,
        reason: if asserted { Reason::Dependency } else { Reason::User },
        repo_id: "fedora".to_owned(),
        sha256: Some("5".repeat(64)),
        asserted,
    }
}

fn candidate(sealed: Sealed) -> Candidate {
    Candidate {
        id: sealed.id().to_owned(),
        runner: RUNNER.to_owned(),
        place: Place::Main("1".repeat(40)),
        gone: None,
        rejected_by: Vec::new(),
        made: Ok("2".repeat(40)),
        approvals: Vec::new(),
        statements: Vec::new(),
        void_approvals: Vec::new(),
        people: vec!["ada@example.org".to_owned(), "bob@example.org".to_owned()],
        sealed: Ok(sealed),
        readme: Ok(()),
        newer: None,
        started: Ok(None),
    }
}

fn world(candidate: &Candidate, policy: countersign_shared::manifest::policy::Policy) -> World {
    let duty = Duty {
        by: "ada@example.org".to_owned(),
        proposals: BTreeSet::from([candidate.id.clone()]),
        expires: NOW + 600,
        left: 1,
    };
    World {
        now: NOW,
        halts: vec![("here".to_owned(), Halt::Clear)],
        leases: Ok(vec![duty]),
        void_leases: Vec::new(),
        rewritten: Vec::new(),
        canonical: Ok("people".to_owned()),
        policy,
        tally: Ok(Tally::default()),
    }
}
