//! What the probe says is what rpm and dnf say.

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_observer::probe::{self, Places};
use countersign_shared::observation::{Observation, Reason, Tokens, is_warm, merge, tokens};
use countersign_shared::ssh::Limits;

use crate::place::{ACCOUNT, Key, wait};

fn rpm_says(runner: &Runner) -> Vec<String> {
    let format = r"%{name} %{epochnum} %{version} %{release} %{arch} %{installtime} %{dbinstance} %{sha256header}\n";
    let text = runner.sh(&format!("rpm -qa --qf '{format}' | grep -v ^gpg-pubkey | sort")).unwrap();
    text.lines().map(str::to_owned).collect()
}

fn probe_says(seen: &Observation<'_>) -> Vec<String> {
    let mut lines: Vec<String> = seen
        .packages
        .seen()
        .unwrap()
        .list
        .iter()
        .map(|p| {
            let (nevra, evr) = (p.nevra, p.nevra.evr);
            format!(
                "{} {} {} {} {} {} {} {}",
                nevra.name,
                evr.epoch,
                evr.version,
                evr.release,
                nevra.arch,
                p.install_time,
                p.db_instance,
                p.header_sha256
            )
        })
        .collect();
    lines.sort_unstable();
    lines
}

#[test]
fn dnf5_dnf4_and_a_full_size_host_are_read_as_they_are() {
    let Some(_turn) = turn("dnf5_dnf4_and_a_full_size_host_are_read_as_they_are") else {
        return;
    };
    let lab =
        Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4), ("full", Base::Workstation)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let dnf = runner.dnf();
        runner.sh(&format!("{dnf} -y install gcc-toolset-13 >/dev/null 2>&1")).unwrap();
        let record = key.observe(runner, &["gcc-toolset-13", "not-there"], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();

        assert_eq!(probe_says(&seen), rpm_says(runner), "{}", runner.name);
        let packages = seen.packages.seen().unwrap();
        let find = |name: &str| packages.list.iter().find(|p| p.nevra.name == name).unwrap();
        assert_eq!(find("gcc-toolset-13").reason, Reason::User);
        assert_eq!(find("gcc-toolset-13-runtime").reason, Reason::Dependency);
        assert_eq!(find("gcc-toolset-13").from_repo, "fedora");
        assert!(find("gcc-toolset-13").key.len() == 16, "{:?}", find("gcc-toolset-13").key);
        let only: Vec<&str> = packages.list.iter().filter(|p| p.install_only).map(|p| p.nevra.name).collect();
        assert!(only.contains(&"kernel-core") && !only.contains(&"glibc"), "{only:?}");
        let needed = seen.needed.seen().unwrap();
        assert!(needed.contains(&"gcc-toolset-13-runtime") && needed.contains(&"glibc"), "{needed:?}");

        let entry = &seen.history.seen().unwrap().entries[0];
        assert!(entry.completed && entry.end >= entry.begin);
        assert!(entry.command.contains("install gcc-toolset-13"), "{}", entry.command);
        assert!(
            entry.changes.iter().any(|c| c.incoming && c.nevra == "gcc-toolset-13-13.0-2.fc41.noarch"),
            "{entry:?}"
        );
        // dnf's own digest of the set, recomputed from names and instances.
        assert_eq!(packages.rpmdb_digest, *entry.rpmdb_end);

        assert_eq!(seen.os.seen().unwrap().version_id, "41");
        assert_eq!(seen.kernel.seen().unwrap().release, "6.11.4-301.fc41.x86_64");
        assert_eq!(seen.dnf.seen().unwrap().generation, if dnf == "dnf4" { 4 } else { 5 });
        let repos: Vec<(&str, bool)> = seen
            .repos
            .seen()
            .unwrap()
            .iter()
            .filter(|repo| !repo.id.starts_with("_dnf_local"))
            .map(|repo| (repo.id, repo.enabled))
            .collect();
        assert!(repos.contains(&("fedora", true)), "{repos:?}");
        let rights = seen.privileges.seen().unwrap();
        assert!(rights.uid != 0 && !rights.sudo && !rights.rpmdb_writable && rights.forced, "{rights:?}");
        assert_eq!(rights.groups, ACCOUNT);
        assert!(seen.metadata.seen().unwrap().is_some());
        assert!(seen.locks.seen().unwrap().is_empty());
        assert!(seen.reboot.seen().is_some(), "{:?}", seen.reboot);
        eprintln!("{}: {} packages, {} bytes", runner.name, packages.list.len(), record.len());
    }
}

#[test]
fn a_warm_run_moves_no_list_until_something_moves() {
    let Some(_turn) = turn("a_warm_run_moves_no_list_until_something_moves") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let names = ["llvm"];
        let dnf = runner.dnf();
        let cold = key.observe(runner, &names, &Tokens::default()).unwrap();
        let sent = tokens(&cold);
        assert!(sent.packages.is_some() && sent.history.is_some());
        let warm = key.observe(runner, &names, &sent).unwrap();
        assert!(is_warm(&warm) && warm.len() < 2000, "{warm}");
        let merged = merge(&cold, &warm).unwrap();
        let (before, now) = (Observation::parse(&cold, 0).unwrap(), Observation::parse(&merged, 0).unwrap());
        assert_eq!((before.packages, before.needed, before.history), (now.packages, now.needed, now.history));

        // Other names, another reason, another set: each is asked for again.
        let other = key.observe(runner, &["glibc"], &sent).unwrap();
        assert!(other.contains("\n glibc"), "{other}");
        let cold_seen = Observation::parse(&cold, 0).unwrap();
        let reason_of = |seen: &Observation<'_>| {
            seen.packages.seen().unwrap().list.iter().find(|p| p.nevra.name == "glibc-common").unwrap().reason
        };
        let mark = match (reason_of(&cold_seen), dnf) {
            (Reason::User, "dnf4") => "mark remove",
            (Reason::User, _) => "mark dependency",
            (_, "dnf4") => "mark install",
            (_, _) => "mark user",
        };
        runner.sh(&format!("{dnf} -y {mark} glibc-common")).unwrap();
        let marked = key.observe(runner, &names, &sent).unwrap();
        let marked_seen = Observation::parse(&marked, 0).unwrap();
        assert_ne!(reason_of(&marked_seen), reason_of(&cold_seen), "{dnf}");

        let sent = tokens(&marked);
        assert!(is_warm(&key.observe(runner, &names, &sent).unwrap()));
        let package = runner.sh("ls /srv/lab/*/strace-*.rpm | head -n 1").unwrap();
        runner.sh(&format!("rpm -i --nodeps {}", package.trim())).unwrap();
        let behind = key.observe(runner, &names, &sent).unwrap();
        let stored = if is_warm(&behind) { merge(&marked, &behind).unwrap() } else { behind };
        let seen = Observation::parse(&stored, 0).unwrap();
        assert!(seen.packages.seen().unwrap().list.iter().any(|p| p.nevra.name == "strace"));
        // dnf did not do this: its chain of digests is broken.
        assert_ne!(*seen.history.seen().unwrap().entries[0].rpmdb_end, seen.packages.seen().unwrap().rpmdb_digest);
    }
}

#[test]
fn a_plain_exec_says_the_same_but_owns_up_to_it() {
    let Some(_turn) = turn("a_plain_exec_says_the_same_but_owns_up_to_it") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let forced = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
        runner.sh("mkdir -p ~builder/.ssh").unwrap();
        runner.write("/home/builder/.ssh/authorized_keys", key.public(), 0o600).unwrap();
        runner.sh("chown -R builder: ~builder/.ssh && chmod 700 ~builder ~builder/.ssh").unwrap();
        let session = key.session(runner, "builder");
        let plain =
            wait(probe::run(&session, true, &["llvm"], &Tokens::default(), Limits::default(), &Places::default()))
                .unwrap()
                .0;
        let (forced, plain) = (Observation::parse(&forced, 0).unwrap(), Observation::parse(&plain, 0).unwrap());
        assert_eq!(plain.packages, forced.packages);
        assert_eq!((&plain.history, &plain.needed, &plain.repos), (&forced.history, &forced.needed, &forced.repos));
        let rights = plain.privileges.seen().unwrap();
        assert!(rights.sudo && !rights.forced, "{rights:?}");
        // Without the probe in front of it, the account does not know the word that is asked for.
        let nothing = wait(probe::run(&session, false, &[], &Tokens::default(), Limits::default(), &Places::default()))
            .unwrap_err();
        assert_eq!(nothing.code, "no-probe", "{}", nothing.message);
    }
}
