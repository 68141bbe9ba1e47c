//! Nine equal runners of one generation, and three of the other: one branch, one pull request, one merge for each class.

use std::collections::{BTreeMap, BTreeSet};

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, plant, turn};
use countersign_manifests_schema::transaction::{Action, Transaction};
use countersign_shared::proposal::Sealed;
use serde_json::Value;

use crate::house::{House, replay};
use crate::site::runners;

fn lab() -> Lab {
    let names: Vec<String> = (1..=12).map(|number| format!("runner-{number:02}")).collect();
    let base = |index| if index < 9 { Base::Dnf5 } else { Base::Dnf4 };
    let machines = names.iter().enumerate().map(|(index, name)| (name.as_str(), base(index)));
    Lab::up(&LabConfig::new(machines.chain([("forge", Base::Dnf5)]))).unwrap()
}

/// What people and agents did to all of them.
fn plant(runner: &Runner) {
    plant::person_upgrades_llvm(runner).unwrap();
    plant::person_leaves_gcc_toolset(runner).unwrap();
    runner.sh(&format!("{} -y remove htop && {} makecache", runner.dnf(), runner.dnf())).unwrap();
}

fn blocks(text: &str) -> Vec<&str> {
    text.split("```sh\n").skip(1).map(|rest| rest.split_once("```").unwrap().0).collect()
}

/// Drift items of a report, by runner.
fn drift(report: &Value) -> BTreeMap<&str, usize> {
    let rows = report["runners"].as_array().unwrap().iter();
    rows.map(|row| (row["name"].as_str().unwrap(), row["drift"].as_array().unwrap().len())).collect()
}

#[test]
fn nine_equal_runners_are_one_branch_one_pull_request_and_one_merge() {
    let Some(_turn) = turn("nine_equal_runners_are_one_branch_one_pull_request_and_one_merge") else {
        return;
    };
    let lab = lab();
    let house = House::new(&lab);
    std::thread::scope(|scope| {
        for runner in runners(&lab) {
            scope.spawn(|| plant(runner));
        }
    });
    let (five, four): (Vec<&Runner>, Vec<&Runner>) = runners(&lab).partition(|runner| runner.dnf() == "dnf5");
    let names = |runners: &[&Runner]| runners.iter().map(|runner| runner.name.clone()).collect::<BTreeSet<_>>();

    // Step by step.
    house.run(&["observe"], 0);
    house.run(&["diff"], 10);
    let proposed = house.run(&["propose"], 10);
    assert_eq!(proposed["proposals"].as_array().unwrap().len(), 12, "{proposed}");
    assert_eq!(house.branches().len(), 0);
    // An administrator's token is not used; branches need none.
    house.pulls.lock().site_admin = true;
    let refused = house.run(&["publish"], 1);
    assert_eq!(refused["problems"][0]["code"], "forge-admin", "{refused}");
    assert_eq!((house.branches().len(), house.pulls().len()), (2, 0));
    house.pulls.lock().site_admin = false;
    let published = house.run(&["publish"], 0);
    assert_eq!((published["problems"].as_array().unwrap().len(), published["trust"].as_array().unwrap().len()), (0, 0));

    let first = house.branches();
    let classes: BTreeMap<BTreeSet<String>, &String> =
        first.values().map(|tip| (house.brought(tip).into_keys().collect(), tip)).collect();
    assert_eq!(classes.keys().cloned().collect::<BTreeSet<_>>(), [names(&five), names(&four)].into(), "{first:?}");
    for (branch, tip) in &first {
        assert!(branch.starts_with("proposals/@builders-"), "{branch}");
        house.is_by_the_observer(tip);
        assert_eq!(house.git(&["rev-parse", &format!("{tip}^@")]), house.git(&["rev-parse", "main"]));
    }
    let branch_of = |tip: &str| first.iter().find(|(_, known)| *known == tip).unwrap().0.clone();
    let branches = [branch_of(classes[&names(&five)]), branch_of(classes[&names(&four)])];
    // The larger class first; all of one class differ in nothing but name, clock and state.
    assert_eq!(house.pulls(), [format!("1 open {}", branches[0]), format!("2 open {}", branches[1])]);
    {
        let state = house.pulls.lock();
        let pull = &state.pulls[&1];
        assert_eq!(pull.title, "WIP: Bring 9 runners of builders back to their manifest");
        assert_eq!(
            (&pull.labels[..], &pull.assignees[..]),
            (&["countersign".to_owned()][..], &["build-platform".to_owned()][..])
        );
        assert!(
            pull.body.starts_with(
                "9 runners, 36 items of drift removed by 9 installs, 27 changes of version and 18 removals"
            ),
            "{}",
            pull.body
        );
    }
    eprintln!("{}", house.body(1));
    let transactions: Vec<Transaction> =
        house.brought(&first[&branches[0]]).into_values().map(|sealed| sealed.proposal().transaction.clone()).collect();
    assert!(transactions.windows(2).all(|pair| pair[0] == pair[1]));

    // Every night again, all in one: nothing has moved, so not a byte does.
    let report = house.run(&["nightly"], 10);
    assert!(report["steps"].as_array().unwrap().iter().all(|step| step["status"] == "ok"), "{}", report["steps"]);
    assert_eq!(house.branches(), first);
    assert_eq!(house.pulls().len(), 2);

    // A person closes one, and it stays closed; and opens it again, and it is kept.
    house.pulls.lock().change(2, |pull| pull.open = false);
    house.run(&["nightly"], 10);
    assert_eq!(house.pulls(), [format!("1 open {}", branches[0]), format!("2 closed {}", branches[1])]);
    house.pulls.lock().change(2, |pull| pull.open = true);

    a_part_of_it(&house, &first, &branches);
    without_a_forge(&house);

    // The person merges what the pull requests say, word for word.
    let tips = house.branches();
    let merged: BTreeMap<String, Sealed> = branches.iter().flat_map(|branch| house.brought(&tips[branch])).collect();
    assert_eq!(merged.len(), 12);
    for (number, branch) in [(1, &branches[0]), (2, &branches[1])] {
        let body = house.body(number);
        let [command] = blocks(&body)[..] else { panic!("{body}") };
        assert!(command.contains(&tips[branch]) && !command.contains("proposals/@"), "{command}");
        house.shell(command);
        house.shell("git verify-commit main");
        let message = house.git(&["show", "--no-patch", "--format=%B", "main"]);
        for (runner, sealed) in house.brought(&tips[branch]) {
            let statement = format!("Countersign-Approves: {runner} sha256:{}", sealed.id());
            assert_eq!(message.lines().filter(|line| **line == statement).count(), 1, "{message}");
        }
    }

    // What was merged, carried out by hand on each runner, brings it to the manifest exactly.
    let files = house.git(&["ls-tree", "-r", "--name-only", "main"]);
    assert_eq!(files.lines().count(), 24);
    for runner in five.iter().chain(&four) {
        let transaction = &merged[&runner.name].proposal().transaction;
        if runner.name.ends_with('9') || runner.name.ends_with("12") {
            half_of_it_is_refused(runner, transaction);
        }
        let done = replay(runner, transaction);
        assert!(done.status.success(), "{}: {}", runner.name, String::from_utf8_lossy(&done.stdout));
    }
    house.run(&["observe"], 0);
    let empty = house.run(&["diff"], 0);
    assert!(drift(&empty).values().all(|items| *items == 0), "{empty}");

    // The next night closes what is done, takes the branches away, and leaves main to the people.
    let main = house.git(&["rev-parse", "main"]);
    house.run(&["nightly"], 0);
    assert_eq!(house.branches(), BTreeMap::new());
    let open = house.pulls.lock().open_pulls().len();
    assert_eq!((open, house.pulls().len()), (0, 3), "{:?}", house.pulls());
    assert_eq!(house.git(&["rev-parse", "main"]), main);
    assert!(house.pulls.lock().pulls.values().all(|pull| !pull.merged));
}

/// Somebody wants a part: a smaller proposal for one runner, on a branch of its own; then all of it again.
fn a_part_of_it(house: &House, first: &BTreeMap<String, String>, branches: &[String]) {
    let part = house.run(&["propose", "--runner", "runner-03", "--only", "htop"], 10);
    assert_eq!(part["proposals"].as_array().unwrap().len(), 1, "{part}");
    house.run(&["publish"], 0);
    let tips = house.branches();
    let own = house.brought(&tips["proposals/runner-03"]);
    let transaction = &own["runner-03"].proposal().transaction;
    assert!(transaction.rpms.iter().all(|change| change.nevra.starts_with("htop-")), "{transaction:?}");
    assert_eq!(house.brought(&tips[&branches[0]]).len(), 8);
    assert!(house.body(1).starts_with("8 runners,"));
    assert_eq!(house.pulls()[2], "3 open proposals/runner-03");

    // What llvm brings along comes along: only llvm cannot be had.
    house.run(&["propose", "--runner", "runner-03", "--only", "llvm"], 10);
    house.run(&["publish"], 0);
    let own = house.brought(&house.branches()["proposals/runner-03"]);
    let rpms = &own["runner-03"].proposal().transaction.rpms;
    for pulled in
        ["llvm-19.1.0-1.fc41.x86_64", "llvm-libs-19.1.0-1.fc41.x86_64", "clang-tools-extra-19.1.0-1.fc41.x86_64"]
    {
        assert!(rpms.iter().any(|change| change.nevra == pulled && change.action == Action::Downgrade), "{rpms:?}");
    }
    assert!(rpms.iter().any(|change| change.nevra.starts_with("llvm-libs-19") && change.asserted));

    house.run(&["propose", "--runner", "runner-03"], 10);
    house.run(&["publish"], 0);
    assert_eq!(house.branches().keys().collect::<Vec<_>>(), first.keys().collect::<Vec<_>>());
    assert_eq!(house.brought(&house.branches()[&branches[0]]).len(), 9);
    assert_eq!(house.pulls()[2], "3 closed proposals/runner-03");
}

/// The same night without a forge: what to fetch, and the same command.
fn without_a_forge(house: &House) {
    let alone = crate::observer::Observer::new(&house.site.path("alone.toml"));
    let answer = alone.run(&["publish"]);
    let text = String::from_utf8_lossy(&answer.stdout);
    assert_eq!(answer.status, 0, "{}", answer.stderr);
    for (branch, tip) in house.branches() {
        assert!(text.contains(&branch) && text.contains(&format!("' {tip} \\\n")), "{text}");
    }
    assert_eq!(text.matches("Countersign-Approves: ").count(), 12, "{text}");
}

/// The incident's own mistake: llvm without what hangs on it. dnf itself refuses to replay it.
fn half_of_it_is_refused(runner: &Runner, whole: &Transaction) {
    let mut half = whole.clone();
    half.rpms.retain(|change| change.nevra.starts_with("llvm-19") || change.nevra.starts_with("llvm-20"));
    assert_eq!(half.rpms.len(), 2, "{half:?}");
    let done = replay(runner, &half);
    let said = String::from_utf8_lossy(&done.stdout);
    assert!(!done.status.success() && said.contains("pulled into the transaction"), "{}: {said}", runner.name);
}
