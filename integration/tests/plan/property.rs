//! In random worlds: what is planned is, entry by entry, what dnf5 itself would store, and root's replay of it leaves
//! exactly the set that was predicted.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::transaction::Transaction;
use countersign_observer::plan::{Plan, Rules};
use countersign_shared::observation::Want;

use crate::stage::{QUERY, Stage, for_dnf5, packages, predicted, want};
use crate::universe::{Dice, Universe};

/// Worlds that share one start.
const BATCH: usize = 25;
/// Worlds in all.
const WORLDS: usize = 200;
/// Changed when the worlds are to be others.
const SEED: u64 = 0x0005_eed0;

const REPOS: &str = "\
[plan-one]
name=one
baseurl=file:///srv/lab/plan-one
gpgcheck=0
[plan-two]
name=two
baseurl=file:///srv/lab/plan-two
gpgcheck=0
";

/// What was seen, so that a test that sees nothing fails.
#[derive(Debug, Default)]
struct Tally {
    worlds: usize,
    with_changes: usize,
    changes: usize,
    asserted: usize,
    blocked: BTreeMap<&'static str, usize>,
    kinds: BTreeMap<String, usize>,
}

#[test]
fn the_predicted_set_is_the_set_after_a_replay() {
    let Some(_turn) = turn("the_predicted_set_is_the_set_after_a_replay") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    runner.sh("cp -a /usr/lib/sysimage /root/sysimage-before; rm -f /etc/yum.repos.d/lab.repo").unwrap();
    runner.write("/etc/yum.repos.d/plan.repo", REPOS, 0o644).unwrap();
    let stage = Stage::new(runner);
    let mut tally = Tally::default();
    for batch in 0..WORLDS / BATCH {
        let mut dice = Dice::new(SEED + batch as u64);
        let worlds: Vec<Universe> = (0..BATCH).map(|index| Universe::new(batch * BATCH + index, &mut dice)).collect();
        start(&lab, &stage, &worlds, &mut dice);
        let listed = BTreeSet::new();
        let mut rules = Rules { listed, ..stage.rules() };
        let mut installed = stage.installed();
        for world in &worlds {
            let wants: Vec<Want> = world
                .wants(&|nevra| installed.contains(nevra), &mut dice)
                .iter()
                .map(|(verb, nevra)| want(*verb, nevra))
                .collect();
            rules.erasing = dice.once_in(3);
            let plan =
                stage.plan(&wants, &rules).unwrap_or_else(|failure| panic!("{wants:?}: {failure:?}\n{world:#?}"));
            let (after, base) = carry_out(&stage, &plan, rules.erasing, &installed, &format!("{wants:#?}\n{world:#?}"));
            tally.add(&plan);
            installed = after;
            rules.base = base;
        }
        eprintln!("{} worlds so far: {tally:?}", tally.worlds);
    }
    assert_eq!(tally.worlds, WORLDS);
    assert!(tally.with_changes > WORLDS / 2 && tally.asserted > 50, "{tally:?}");
    for kind in ["Install", "Upgrade", "Downgrade", "Remove", "Replaced"] {
        assert!(tally.kinds.contains_key(kind), "no {kind} in {tally:?}");
    }
    assert!(["conflict", "unreachable-pin"].iter().all(|code| tally.blocked.contains_key(code)), "{tally:?}");
}

/// A repository of all worlds, and some of each installed: by dnf, as dependencies, and behind dnf's back.
fn start(lab: &Lab, stage: &Stage<'_>, worlds: &[Universe], dice: &mut Dice) {
    let (one, two) = (lab.repo_dir().join("plan-one"), lab.repo_dir().join("plan-two"));
    for directory in [&one, &two] {
        let _ = fs::remove_dir_all(directory);
        fs::create_dir_all(directory).unwrap();
    }
    let (mut asked, mut behind, mut marked) = (Vec::new(), Vec::new(), Vec::new());
    for world in worlds {
        world.write(&one, &two, dice);
        for _ in 0..1 + dice.roll(4) {
            asked.push(world.any(dice).nevra());
        }
        let other = world.any(dice);
        if other.needs_nothing() && dice.once_in(3) {
            behind.push(other.name.clone());
        }
        marked.push(world.any(dice).name.clone());
    }
    let script = format!(
        "set -e; rm -rf /usr/lib/sysimage; cp -a /root/sysimage-before /usr/lib/sysimage
         createrepo_c -q /srv/lab/plan-one; createrepo_c -q /srv/lab/plan-two
         dnf5 -y --setopt=plugins=0 makecache --refresh >/dev/null
         dnf5 -y --setopt=plugins=0 install --skip-broken {} >/dev/null
         for name in {}; do rpm -q $name >/dev/null || rpm -U --quiet $(ls /srv/lab/plan-*/$name-[0-9]*.rpm | head -n 1) || :; done
         for name in {}; do ! rpm -q $name >/dev/null || dnf5 -y --setopt=plugins=0 mark dependency $name >/dev/null; done
         dnf5 check",
        asked.join(" "),
        behind.join(" "),
        marked.join(" "),
    );
    stage.runner.sh(&script).unwrap();
}

/// Root stores what dnf5 would do itself, compares, replays ours, and looks.
fn carry_out(
    stage: &Stage<'_>,
    plan: &Plan,
    erasing: bool,
    before: &BTreeSet<String>,
    context: &str,
) -> (BTreeSet<String>, String) {
    let expected = predicted(before, &plan.transaction);
    if plan.stands.is_empty() {
        assert!(plan.transaction.rpms.is_empty());
        return (expected, stage.base());
    }
    stage.runner.write("/root/t/transaction.json", for_dnf5(&plan.transaction), 0o600).unwrap();
    let actions: Vec<String> =
        plan.stands.iter().map(|want| format!("--action={} '{}'", want.verb().as_str(), want.nevra())).collect();
    let script = format!(
        "set -e; rm -rf /root/s; export LC_ALL=C
         dnf5 -y --setopt=plugins=0 do --store=/root/s {} --type=package {} >/root/out 2>&1 || {{ cat /root/out; exit 1; }}
         dnf5 -y --setopt=plugins=0 --setopt=install_weak_deps=False replay /root/t >/root/out 2>&1 || {{ cat /root/out /root/t/transaction.json; exit 1; }}
         cat /root/s/transaction.json; echo; echo SET; {QUERY}; echo BASE
         rpm -qa --qf '%{{NAME}} %{{DBINSTANCE}}\\n' | sed '/^gpg-pubkey /d' | sort | sha256sum",
        if erasing { "--allowerasing" } else { "" },
        actions.join(" ")
    );
    let said = stage.runner.sh(&script).unwrap_or_else(|error| panic!("{error:#}\n{plan:#?}\n{context}"));
    let (stored, rest) = said.split_once("\nSET\n").unwrap();
    let (set, base) = rest.split_once("BASE\n").unwrap();
    assert_eq!(ours(&plan.transaction), dnfs(stored), "{context}");
    let after = packages(set);
    assert_eq!(after, expected, "{context}");
    (after, base[..64].to_owned())
}

type Entry = (String, String, String, String);

fn ours(transaction: &Transaction) -> BTreeSet<Entry> {
    let entry = |text: &str| text.to_owned();
    let rpms = transaction.rpms.iter();
    rpms.map(|c| (c.nevra.clone(), entry(c.action.as_str()), entry(c.reason.as_str()), c.repo_id.clone())).collect()
}

fn dnfs(stored: &str) -> BTreeSet<Entry> {
    let json: serde_json::Value = serde_json::from_str(stored).unwrap_or_else(|error| panic!("{error}: {stored}"));
    let text = |value: &serde_json::Value| value.as_str().unwrap().to_owned();
    let repo = |id: String| match id.strip_prefix("@stored_transaction(") {
        Some(id) => id.trim_end_matches(')').to_owned(),
        None => id,
    };
    let rpms = json["rpms"].as_array().unwrap().iter();
    rpms.map(|rpm| (text(&rpm["nevra"]), text(&rpm["action"]), text(&rpm["reason"]), repo(text(&rpm["repo_id"]))))
        .collect()
}

impl Tally {
    fn add(&mut self, plan: &Plan) {
        self.worlds += 1;
        self.with_changes += usize::from(!plan.transaction.rpms.is_empty());
        self.changes += plan.transaction.rpms.len();
        for change in &plan.transaction.rpms {
            self.asserted += usize::from(change.asserted);
            *self.kinds.entry(change.action.as_str().to_owned()).or_default() += 1;
            if change.action.is_incoming() {
                assert!(change.sha256.is_some(), "{change:?}");
            }
        }
        for (_, blocked) in &plan.blocked {
            *self.blocked.entry(blocked.code).or_default() += 1;
        }
    }
}
