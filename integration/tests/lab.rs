//! The lab itself: each planted state is really there, as rpm and dnf report it, and nothing of a lab outlives it.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, WORKSTATION_PACKAGES, default_dir, plant, turn};
use serde_json::Value;

fn history(runner: &Runner) -> Vec<Value> {
    serde_json::from_str(&runner.sh("dnf5 history list --json").unwrap()).unwrap()
}

fn last_transaction(runner: &Runner) -> Value {
    let id = &history(runner)[0]["id"];
    let info: Vec<Value> =
        serde_json::from_str(&runner.sh(&format!("dnf5 history info {id} --json")).unwrap()).unwrap();
    info[0].clone()
}

fn installed(runner: &Runner, name: &str) -> Vec<String> {
    let text = runner.sh(&format!("rpm -qa --qf '%{{nevra}}\\n' {name} | sort")).unwrap();
    text.lines().map(str::to_owned).collect()
}

#[test]
fn planted_drift_is_there_as_rpm_and_dnf5_report_it() {
    let Some(_turn) = turn("planted_drift_is_there_as_rpm_and_dnf5_report_it") else {
        return;
    };
    let mut lab = Lab::up(&LabConfig::new([("one", Base::Dnf5), ("two", Base::Dnf5)])).unwrap();
    let one = lab.runner("one");
    assert_eq!(one.sh("uname -r").unwrap().trim(), "6.11.4-301.fc41.x86_64");
    assert_eq!(one.sh("hostname").unwrap().trim(), "one");

    plant::person_upgrades_llvm(one).unwrap();
    let transaction = last_transaction(one);
    assert_eq!(transaction["user_name"], "1000 <builder>");
    assert_eq!(transaction["description"], "dnf5 -y install llvm-20.1.0-1.fc41");
    assert_eq!(installed(one, "clang-tools-extra"), ["clang-tools-extra-20.1.0-1.fc41.x86_64"]);

    plant::person_leaves_gcc_toolset(one).unwrap();
    let reasons = one.sh("dnf5 repoquery --installed --qf '%{name} %{reason}\\n' 'gcc-toolset*'").unwrap();
    assert_eq!(reasons, "gcc-toolset-13 User\ngcc-toolset-13-runtime Dependency\n");

    // Behind dnf's back: the chain of digests in its history is broken, and it knows no reason.
    let end = last_transaction(one)["rpmdb_version_end"].clone();
    plant::rpm_installs_behind_dnf(one).unwrap();
    plant::rpm_erases_behind_dnf(one).unwrap();
    assert_eq!(installed(one, "htop"), [""; 0]);
    let reason = one.sh("dnf5 repoquery --installed --qf '%{reason} %{from_repo}\\n' site-agent").unwrap();
    assert_eq!(reason, "External User <unknown>\n");
    plant::kernel_moves_on(one).unwrap();
    assert_ne!(last_transaction(one)["rpmdb_version_begin"], end);
    assert_eq!(one.sh("uname -r").unwrap().trim(), plant::NEW_KERNEL);
    assert_eq!(installed(one, "kernel-devel"), ["kernel-devel-6.11.4-301.fc41.x86_64"]);

    plant::dnf_is_killed(one).unwrap();
    let entry = &history(one)[0];
    assert_eq!(entry["status"], "Started");
    assert_eq!(entry["end_time"], 0);
    assert_eq!(installed(one, "strace blocking-pre"), ["strace-6.12-1.fc41.x86_64"]);

    let two = lab.runner("two");
    assert_eq!(history(two).len(), 1, "a runner has nothing of what happened on another");
    plant::foreign_glibc(two).unwrap();
    assert_eq!(installed(two, "glibc"), ["glibc-2.40-3.fc41.i686", "glibc-2.40-3.fc41.x86_64"]);
    plant::htop_is_there_twice(two).unwrap();
    assert_eq!(installed(two, "htop").len(), 2);
    plant::vendor_tool_from_extra(two).unwrap();
    let origin = two.sh("dnf5 repoquery --installed --qf '%{from_repo}' vendor-tool").unwrap();
    assert_eq!(origin, "extra");
    assert!(!two.sh("dnf5 repo list").unwrap().contains("extra"));
    plant::extra_is_enabled(two).unwrap();
    assert!(two.sh("dnf5 repo list").unwrap().contains("extra"));
    plant::kernel_devel_is_replaced(two).unwrap();
    assert_eq!(installed(two, "kernel-devel"), ["kernel-devel-6.11.6-300.fc41.x86_64"]);

    plant::history_without_wal(two).unwrap();
    let refused = two.try_sh_as("countersign-observer", "XDG_STATE_HOME=/tmp/x dnf5 history list --json").unwrap();
    assert!(!refused.status.success());
    plant::dnf5_forgets_reasons(two).unwrap();
    let reasons = two.sh("dnf5 repoquery --installed --qf '%{reason}\\n' | sort -u").unwrap();
    assert_eq!(reasons, "External User\n");

    let before = lab.runner("two").host_key_pub().unwrap();
    plant::other_host_keys(lab.runner_mut("two")).unwrap();
    let scanned =
        Command::new("ssh-keyscan").args(["-t", "ed25519", &lab.runner("two").address.to_string()]).output().unwrap();
    let scanned = String::from_utf8(scanned.stdout).unwrap();
    assert!(scanned.contains(&lab.runner("two").host_key_pub().unwrap()));
    assert!(!scanned.contains(&before));
}

#[test]
fn packages_must_be_signed_where_the_repo_says_so() {
    let Some(_turn) = turn("packages_must_be_signed_where_the_repo_says_so") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("one", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let keys = |path: &str| runner.try_sh(&format!("rpmkeys -Kv /srv/lab/{path}")).unwrap();
        let signed = keys("updates/htop-3.3.0-5.fc41.x86_64.rpm");
        assert!(
            String::from_utf8_lossy(&signed.stdout).contains("ignature, key ID")
                || String::from_utf8_lossy(&signed.stdout).contains("OpenPGP")
        );
        // The same repo with an unsigned file in it: dnf refuses, so gpgcheck is really on.
        let repo = lab.repo_dir().join("updates/strace-6.12-1.fc41.x86_64.rpm");
        let good = std::fs::read(&repo).unwrap();
        runner.sh("rpmsign --delsign /srv/lab/updates/strace-6.12-1.fc41.x86_64.rpm").unwrap();
        lab.runner("one").sh("createrepo_c -q /srv/lab/updates").unwrap();
        let refused = runner.try_sh(&format!("{} -y --refresh install strace", runner.dnf())).unwrap();
        assert!(!refused.status.success(), "{}", String::from_utf8_lossy(&refused.stdout));
        std::fs::write(&repo, good).unwrap();
        lab.runner("one").sh("createrepo_c -q /srv/lab/updates").unwrap();
        runner.sh(&format!("{} -y --refresh install strace", runner.dnf())).unwrap();
    }
}

#[test]
fn dnf4_runners_take_the_same_drift() {
    let Some(_turn) = turn("dnf4_runners_take_the_same_drift") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("four", Base::Dnf4)])).unwrap();
    let four = lab.runner("four");
    plant::person_upgrades_llvm(four).unwrap();
    let info = four.sh("dnf4 -q history info last").unwrap();
    assert!(info.contains("<builder>") && info.contains("-y install llvm-20.1.0-1.fc41"), "{info}");
    plant::person_leaves_gcc_toolset(four).unwrap();
    plant::rpm_installs_behind_dnf(four).unwrap();
    plant::rpm_erases_behind_dnf(four).unwrap();
    plant::kernel_moves_on(four).unwrap();
    assert_eq!(installed(four, "kernel-core").len(), 2);
    plant::dnf_is_killed(four).unwrap();
    assert_eq!(installed(four, "strace blocking-pre"), ["strace-6.12-1.fc41.x86_64"]);
    // dnf4 has no status word: no digest at the end, and a time of 0.
    let info = four.sh("dnf4 -q history info last").unwrap();
    assert!(info.contains("End rpmdb      :  **") && info.contains("1970"), "{info}");
    plant::history_without_wal(four).unwrap();
    assert!(!four.root.join("var/lib/dnf/history.sqlite-wal").exists());
}

#[test]
fn a_full_size_runner_has_its_packages_with_reasons_and_repo() {
    let Some(_turn) = turn("a_full_size_runner_has_its_packages_with_reasons_and_repo") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("big", Base::Workstation)])).unwrap();
    let text = lab.runner("big").sh("dnf5 repoquery --installed --qf '%{name} %{reason}\\n'").unwrap();
    let packages: Vec<&str> = text.lines().filter(|line| !line.starts_with("gpg-pubkey")).collect();
    assert_eq!(packages.len(), WORKSTATION_PACKAGES);
    assert!(packages.iter().filter(|line| line.ends_with(" Dependency")).count() > 1800);
}

#[test]
fn an_observer_account_can_ask_rpm_and_dnf_and_change_nothing() {
    let Some(_turn) = turn("an_observer_account_can_ask_rpm_and_dnf_and_change_nothing") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("one", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let ask = |script: &str| runner.try_sh_as("countersign-observer", script).unwrap();
        assert!(ask("rpm -q llvm").status.success());
        assert!(!ask("sudo -n -l").status.success());
        assert!(!ask("test -w /var/lib/rpm/rpmdb.sqlite").status.success());
        let cache = if runner.dnf() == "dnf5" { "/var/cache/libdnf5" } else { "/var/cache/dnf" };
        let offered = ask(&format!(
            "XDG_STATE_HOME=$(mktemp -d) {} -q -C --setopt=cachedir={cache} repoquery --qf '%{{name}}-%{{version}}\\n' llvm",
            runner.dnf()
        ));
        assert!(String::from_utf8_lossy(&offered.stdout).contains("llvm-20.1.0"), "{offered:?}");
    }
}

#[test]
fn a_runner_that_is_down_comes_back_with_its_disk() {
    let Some(_turn) = turn("a_runner_that_is_down_comes_back_with_its_disk") else {
        return;
    };
    let mut lab = Lab::up(&LabConfig::new([("one", Base::Dnf5)])).unwrap();
    lab.runner("one").sh("echo here >/root/file").unwrap();
    let address = (lab.runner("one").address, 22);
    lab.runner_mut("one").stop().unwrap();
    assert!(lab.runner("one").sh("true").is_err());
    let refused = std::net::TcpStream::connect_timeout(&address.into(), std::time::Duration::from_millis(200));
    assert!(refused.is_err());
    lab.runner_mut("one").start().unwrap();
    assert_eq!(lab.runner("one").sh("cat /root/file").unwrap(), "here\n");
}

#[test]
fn a_transaction_holds_its_locks_until_it_is_released() {
    let Some(_turn) = turn("a_transaction_holds_its_locks_until_it_is_released") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("one", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let blocked = plant::hold_dnf(runner).unwrap();
        // rpm answers a question meanwhile, and refuses a change.
        runner.sh("rpm -q llvm").unwrap();
        assert!(installed(runner, "blocking-pre").is_empty());
        assert!(blocked.release().unwrap().success());
        assert_eq!(installed(runner, "blocking-pre").len(), 1);
    }
}

#[test]
fn a_silent_server_takes_a_connection_and_says_nothing() {
    let Some(_turn) = turn("a_silent_server_takes_a_connection_and_says_nothing") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([])).unwrap();
    let server = plant::silent_server(&lab).unwrap();
    let mut stream = std::net::TcpStream::connect(server.local_addr().unwrap()).unwrap();
    stream.set_nonblocking(true).unwrap();
    let error = stream.read(&mut [0]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
}

#[test]
fn two_labs_never_share_a_directory_or_an_address() {
    let Some(_turn) = turn("two_labs_never_share_a_directory_or_an_address") else {
        return;
    };
    let config = LabConfig::new([("one", Base::Dnf5)]);
    let lab = Lab::up(&config).unwrap();
    let error = format!("{:#}", Lab::up(&config).unwrap_err());
    assert!(error.contains("another process uses the lab"), "{error}");
    assert!(Lab::down(&config.dir).is_err());
    assert!(lab.runner("one").is_up());

    let second = tempfile::tempdir_in("/dev/shm").unwrap();
    let error = format!("{:#}", Lab::copy(&config.dir, second.path()).unwrap_err());
    assert!(error.contains("another process uses the lab"), "{error}");
    drop(lab);
    for _ in ["made", "there already"] {
        Lab::copy(&config.dir, second.path()).unwrap();
    }
    let lab = Lab::up(&config).unwrap();
    let other = Lab::up(&LabConfig { dir: second.path().to_owned(), ..config }).unwrap();
    assert_ne!(lab.runner("one").address, other.runner("one").address);
    other.runner("one").sh("rpm -e htop").unwrap();
    assert_eq!(installed(lab.runner("one"), "htop").len(), 1);
    drop(other);
    assert!(lab.runner("one").is_up());
}

#[test]
fn nothing_outlives_a_lab_whose_process_was_killed() {
    let Some(_turn) = turn("nothing_outlives_a_lab_whose_process_was_killed") else {
        return;
    };
    let mut child = Command::new(env!("CARGO_BIN_EXE_lab"))
        .args(["up", "runner-01", "runner-02"])
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let lines = BufReader::new(child.stderr.take().unwrap()).lines();
    lines.map(Result::unwrap).find(|line| line.contains("starting runner-02")).unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    let dir = default_dir();
    assert!(mounted_under(&dir), "it was killed in the middle");
    assert!(Command::new(env!("CARGO_BIN_EXE_lab")).arg("down").status().unwrap().success());
    assert!(!mounted_under(&dir));
    assert!(!running_under(&dir));
    assert!(!dir.join("repo").exists() && !dir.join("state.json").exists());
    // And a second time, with nothing there.
    Lab::down(&dir).unwrap();
}

fn mounted_under(dir: &Path) -> bool {
    std::fs::read_to_string("/proc/self/mountinfo").unwrap().contains(&*dir.join("mnt").to_string_lossy())
}

fn running_under(dir: &Path) -> bool {
    let needle = dir.join("mnt").to_string_lossy().into_owned();
    std::fs::read_dir("/proc").unwrap().flatten().any(|entry| {
        std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&needle))
    })
}
