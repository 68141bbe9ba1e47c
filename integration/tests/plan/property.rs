//! In random worlds: what is planned is, entry by entry, what dnf5 itself would store, and root's replay of it leaves
//! exactly the set that was predicted, with dnf5 and with dnf4.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_manifests_schema::transaction::Transaction;
use countersign_observer::plan::{Plan, Rules};
use countersign_shared::observation::Want;

use crate::stage::{QUERY, Stage, for_dnf4, for_dnf5, packages, predicted, want};
use crate::universe::{Dice, Universe};

/// Worlds that share one start.
const BATCH: usize = 25;
/// Worlds in all, of dnf5.
const WORLDS: usize = 200;
/// Worlds in all, of dnf4.
const WORLDS_OF_DNF4: usize = 50;
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
    let tally = worlds(Base::Dnf5, WORLDS, SEED);
    assert!(tally.with_changes > WORLDS / 2 && tally.asserted > 50, "{tally:?}");
    tally.has_seen_everything();
}

#[test]
fn the_set_that_dnf4_leaves_is_the_predicted_one() {
    let Some(_turn) = turn("the_set_that_dnf4_leaves_is_the_predicted_one") else {
        return;
    };
    let tally = worlds(Base::Dnf4, WORLDS_OF_DNF4, SEED + 4000);
    assert!(tally.with_changes > WORLDS_OF_DNF4 / 2 && tally.asserted > 15, "{tally:?}");
    tally.has_seen_everything();
}

/// Plans and carries out in so many worlds.
fn worlds(base: Base, count: usize, seed: u64) -> Tally {
    let lab = Lab::up(&LabConfig::new([("one", base)])).unwrap();
    let runner = lab.runner("one");
    runner.sh("mkdir -p /root/before && cp -a --parents /usr/lib/sysimage /var/lib/dnf /var/lib/rpm /root/before 2>/dev/null; rm -f /etc/yum.repos.d/lab.repo").unwrap();
    runner.write("/etc/yum.repos.d/plan.repo", REPOS, 0o644).unwrap();
    let stage = Stage::new(runner);
    let mut tally = Tally::default();
    for batch in 0..count / BATCH {
        let mut dice = Dice::new(seed + batch as u64);
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
    assert_eq!(tally.worlds, count);
    tally
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
    let (dnf, broken, mark) = match stage.runner.dnf() {
        "dnf4" => ("dnf4 -y --setopt=plugins=0", "--setopt=strict=0", "remove"),
        _ => ("dnf5 -y --setopt=plugins=0", "--skip-broken", "dependency"),
    };
    let script = format!(
        "set -e; cd /root/before
         for place in usr/lib/sysimage var/lib/dnf var/lib/rpm; do [ ! -e $place ] || {{ rm -rf /$place; cp -a $place /$place; }}; done
         createrepo_c -q /srv/lab/plan-one; createrepo_c -q /srv/lab/plan-two
         {dnf} makecache --refresh >/dev/null
         {dnf} install {broken} {} >/dev/null
         for name in {}; do rpm -q $name >/dev/null || rpm -U --quiet $(ls /srv/lab/plan-*/$name-[0-9]*.rpm | head -n 1) || :; done
         for name in {}; do ! rpm -q $name >/dev/null || {dnf} mark {mark} $name >/dev/null; done
         {dnf} check",
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
    if stage.runner.dnf() == "dnf4" {
        stage.runner.write("/root/t/transaction.json", for_dnf4(&plan.transaction), 0o600).unwrap();
        let script = format!(
            "dnf4 -y --setopt=plugins=0 --setopt=install_weak_deps=False history replay /root/t/transaction.json >/root/out 2>&1 || \
             {{ cat /root/out /root/t/transaction.json; exit 1; }}; {QUERY}"
        );
        let set = stage.runner.sh(&script).unwrap_or_else(|error| panic!("{error:#}\n{plan:#?}\n{context}"));
        let after = packages(&set);
        assert_eq!(after, expected, "{context}");
        return (after, stage.base());
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
    fn has_seen_everything(&self) {
        for kind in ["Install", "Upgrade", "Downgrade", "Remove", "Replaced"] {
            assert!(self.kinds.contains_key(kind), "no {kind} in {self:?}");
        }
        assert!(["conflict", "unreachable-pin"].iter().all(|code| self.blocked.contains_key(code)), "{self:?}");
    }

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
