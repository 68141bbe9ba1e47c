//! The incident's first step, planned instead of done: shown whole, file by file, and carried out by hand exactly.

use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_manifests_schema::transaction::{Action, Change};
use countersign_observer::plan::Rules;
use countersign_shared::observation::Verb;

use crate::place::{changes, files};
use crate::stage::{Stage, for_dnf4, for_dnf5, predicted, want};

#[test]
fn what_llvm_pulls_along_is_shown_and_is_what_dnf_does() {
    let Some(_turn) = turn("what_llvm_pulls_along_is_shown_and_is_what_dnf_does") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let dnf = runner.dnf();
        runner
            .sh(&format!("{dnf} -y install llvm-20.1.0 clang-tools-extra-20.1.0 gcc-toolset-13 >/dev/null && {dnf} -y remove strace nodejs >/dev/null"))
            .unwrap();
        runner
            .sh("command -v /usr/libexec/countersign/refresh >/dev/null && /usr/libexec/countersign/refresh; true")
            .unwrap();
        let stage = Stage::new(runner);
        let rules = stage.rules();
        let wants = [
            want(Verb::Downgrade, "llvm-19.1.0-1.fc41.x86_64"),
            want(Verb::Remove, "gcc-toolset-13-13.0-2.fc41.noarch"),
            want(Verb::Install, "strace-6.12-1.fc41.x86_64"),
            want(Verb::Install, "strace-7.0-1.fc41.x86_64"),
        ];
        let before = files(runner);
        let plan = stage.plan(&wants, &rules).unwrap();
        let changed = changes(&before, &files(runner));
        assert!(changed.is_empty(), "{}: planning changed {changed:?}", runner.name);

        let find = |nevra: &str| -> &Change {
            plan.transaction
                .rpms
                .iter()
                .find(|change| change.nevra == nevra)
                .unwrap_or_else(|| panic!("{nevra}: {plan:#?}"))
        };
        assert_eq!(plan.stands.len(), 3, "{plan:#?}");
        assert_eq!(
            (plan.blocked[0].0.nevra(), plan.blocked[0].1.code),
            ("strace-7.0-1.fc41.x86_64", "unreachable-pin")
        );
        assert!(!find("llvm-19.1.0-1.fc41.x86_64").asserted);
        assert!(!find("llvm-20.1.0-1.fc41.x86_64").asserted);
        for pulled in ["llvm-libs-19.1.0-1.fc41.x86_64", "clang-tools-extra-19.1.0-1.fc41.x86_64"] {
            assert_eq!((find(pulled).action, find(pulled).asserted), (Action::Downgrade, true), "{}", runner.name);
        }
        assert_eq!(find("gcc-toolset-13-13.0-2.fc41.noarch").action, Action::Remove);
        assert_eq!(find("gcc-toolset-13-runtime-13.0-2.fc41.x86_64").action, Action::Remove);
        for change in plan.transaction.rpms.iter().filter(|change| change.action.is_incoming()) {
            // Its file, by its own name.
            let file = change.nevra.replacen("-1:", "-", 1);
            let said = runner.sh(&format!("sha256sum /srv/lab/{}/{file}.rpm", change.repo_id)).unwrap();
            assert_eq!(change.sha256.as_deref(), Some(&said[..64]), "{}: {}", runner.name, change.nevra);
        }
        assert_eq!(plan.outgoing.iter().filter(|out| out.repos.is_empty()).count(), 0, "{:?}", plan.outgoing);

        let kept = plan.outgoing.iter().filter(|out| out.kept).count();
        assert_eq!(kept > 0, dnf == "dnf5", "the local plugin is on where it is dnf5's: {:?}", plan.outgoing);

        let predicted = predicted(&stage.installed(), &plan.transaction);
        let replay = if dnf == "dnf4" {
            runner.write("/root/t/transaction.json", for_dnf4(&plan.transaction), 0o600).unwrap();
            "dnf4 -y --setopt=install_weak_deps=False history replay /root/t/transaction.json 2>&1"
        } else {
            runner.write("/root/t/transaction.json", for_dnf5(&plan.transaction), 0o600).unwrap();
            "dnf5 -y --setopt=install_weak_deps=False --setopt=plugins=0 replay /root/t 2>&1"
        };
        runner.sh(replay).unwrap();
        assert_eq!(stage.installed(), predicted, "{}", runner.name);
        eprintln!("{}: {} changes planned and carried out", runner.name, plan.transaction.rpms.len());

        // The plan was for the set that is gone.
        assert_eq!(stage.plan(&wants, &rules).unwrap_err().code, "changing");
    }
}

#[test]
fn missing_or_old_metadata_a_conflict_and_a_busy_dnf_each_have_their_name() {
    let Some(_turn) = turn("missing_or_old_metadata_a_conflict_and_a_busy_dnf_each_have_their_name") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let dnf = runner.dnf();
        runner
            .sh(&format!(
                "{dnf} -y install llvm-20.1.0 clang-tools-extra-20.1.0 >/dev/null; {dnf} makecache >/dev/null"
            ))
            .unwrap();
        let stage = Stage::new(runner);
        let rules = stage.rules();
        let good = [want(Verb::Install, "mlib-1.0-1.fc41.x86_64")];
        let code = |rules: &Rules| stage.plan(&good, rules).unwrap().blocked.first().map(|(_, blocked)| blocked.code);
        assert_eq!(code(&rules), None, "{}", runner.name);
        assert_eq!(
            code(&Rules { metadata_not_before: i64::MAX, ..rules.clone() }),
            Some("no-metadata"),
            "{}",
            runner.name
        );

        // Removing what others need is refused in the solver's words; the rest stands.
        let wants = [want(Verb::Remove, "llvm-libs-20.1.0-1.fc41.x86_64"), good[0].clone()];
        let plan = stage.plan(&wants, &rules).unwrap();
        assert_eq!((plan.stands.len(), plan.blocked.len()), (1, 1), "{plan:#?}");
        assert!(plan.blocked[0].1.message.contains("requires llvm-libs"), "{:?}", plan.blocked);
        // Where policy lets it, what needs it goes too: all of that is in the transaction, marked.
        let plan = stage.plan(&wants[..1], &Rules { erasing: true, ..rules.clone() }).unwrap();
        let others = plan.transaction.rpms.iter().filter(|change| change.action == Action::Remove && change.asserted);
        assert!(others.count() >= 2, "{plan:#?}");

        if dnf == "dnf5" {
            let held = plant::hold_dnf(runner).unwrap();
            let failure = stage.plan(&good, &Rules { base: stage.base(), ..rules.clone() }).unwrap_err();
            assert!(["dnf-busy", "changing"].contains(&failure.code.as_str()), "{failure:?}");
            held.release().unwrap();
        }
        runner.sh("rm -rf /var/cache/libdnf5/* /var/cache/dnf/*").unwrap();
        let rules = Rules { base: stage.base(), ..rules };
        assert_eq!(code(&rules), Some("no-metadata"), "{}", runner.name);
    }
}

/// Holds the very file of a signed repository, and comes first by its name.
const UNSIGNED: &str = "\
[aaa-unsigned]
name=unsigned
baseurl=file:///srv/lab/aaa
gpgcheck=0
";

#[test]
fn a_signed_repository_is_taken_before_one_without_signatures() {
    let Some(_turn) = turn("a_signed_repository_is_taken_before_one_without_signatures") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let dnf = runner.dnf();
        runner.write("/etc/yum.repos.d/aaa.repo", UNSIGNED, 0o644).unwrap();
        let fill =
            "mkdir -p /srv/lab/aaa && cp /srv/lab/updates/htop-*.rpm /srv/lab/aaa/ && createrepo_c -q /srv/lab/aaa";
        runner
            .sh(&format!("{fill} && {dnf} -y install htop-3.3.0-4.fc41 >/dev/null && {dnf} makecache >/dev/null"))
            .unwrap();
        let stage = Stage::new(runner);
        let wants = [want(Verb::Upgrade, "htop-3.3.0-5.fc41.x86_64")];
        let plan = stage.plan(&wants, &stage.rules()).unwrap();
        let from = |plan: &countersign_observer::plan::Plan| {
            plan.transaction.rpms.iter().find(|change| change.action.is_incoming()).map(|change| change.repo_id.clone())
        };
        assert_eq!(from(&plan).as_deref(), Some("updates"), "{}: {plan:#?}", runner.name);

        // Even where the runner's own configuration prefers the other one.
        runner.write("/etc/yum.repos.d/aaa.repo", format!("{UNSIGNED}priority=1\n"), 0o644).unwrap();
        let plan = stage.plan(&wants, &stage.rules()).unwrap();
        match from(&plan).as_deref() {
            None => assert_eq!(plan.blocked[0].1.code, "policy", "{}: {plan:#?}", runner.name),
            from => assert_eq!(from, Some("updates"), "{}: {plan:#?}", runner.name),
        }
        eprintln!("{}: {:?}", runner.name, plan.blocked);
        runner.sh("rm -r /srv/lab/aaa").unwrap();
    }
}
