//! Runners that are busy, damaged, hidden or hostile: never an empty answer, never a wrong one.

use countersign_integration::lab::{Base, Lab, LabConfig, plant, turn};
use countersign_shared::observation::{Observation, Reason, Tokens};
use sha2::{Digest, Sha256};

use crate::place::{ACCOUNT, Key};

fn position(bytes: &[u8], part: &[u8]) -> usize {
    bytes.windows(part.len()).position(|window| window == part).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A package with this vendor in its header, and a header digest that fits.
fn forged(name: &str, marked: &str, vendor: &str) -> Vec<u8> {
    let config = rpm::BuildConfig::v4();
    let package =
        rpm::PackageBuilder::new(name, "1", "MIT", "noarch", "x").using_config(config).vendor(marked).build().unwrap();
    let mut bytes = Vec::new();
    package.write(&mut bytes).unwrap();
    // Two headers, each: magic, 4 bytes, number of index entries, bytes of data, 16 bytes per entry, data.
    let magic = [0x8e, 0xad, 0xe8, 0x01];
    let start = position(&bytes, &magic) + 4;
    let start = start + position(&bytes[start..], &magic);
    let number = |at: usize| u32::from_be_bytes(bytes[start + at..start + at + 4].try_into().unwrap()) as usize;
    let end = start + 16 + 16 * number(8) + number(12);
    let digests =
        |bytes: &[u8]| [hex(&sha1::Sha1::digest(&bytes[start..end])), hex(&Sha256::digest(&bytes[start..end]))];
    let before = digests(&bytes);
    let at = position(&bytes, marked.as_bytes());
    bytes[at..at + marked.len()].copy_from_slice(vendor.as_bytes());
    for (before, after) in before.into_iter().zip(digests(&bytes)) {
        let at = position(&bytes, before.as_bytes());
        bytes[at..at + after.len()].copy_from_slice(after.as_bytes());
    }
    bytes
}

#[test]
fn a_busy_dnf_is_said_and_not_waited_for() {
    let Some(_turn) = turn("a_busy_dnf_is_said_and_not_waited_for") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let blocked = plant::hold_dnf(runner).unwrap();
        match key.observe(runner, &["llvm"], &Tokens::default()) {
            Ok(record) => {
                let seen = Observation::parse(&record, 0).unwrap();
                let locks = seen.locks.seen().unwrap();
                assert!(!locks.is_empty(), "{}: {:?}", runner.name, seen.locks);
                if runner.dnf() == "dnf5" {
                    // dnf5 makes its readers wait; rpm and dnf4 do not.
                    assert_eq!(seen.packages.failure().unwrap().code, "dnf-busy", "{:?}", seen.packages);
                }
            }
            Err(failure) => panic!("{failure:?}"),
        }
        blocked.release().unwrap();
        let record = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        assert!(seen.packages.seen().is_some() && seen.locks.seen().unwrap().is_empty());
    }
}

#[test]
fn a_killed_dnf_leaves_an_entry_without_an_end() {
    let Some(_turn) = turn("a_killed_dnf_leaves_an_entry_without_an_end") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        plant::dnf_is_killed(runner).unwrap();
        let record = key.observe(runner, &[], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        let entry = &seen.history.seen().unwrap().entries[0];
        assert!(!entry.completed && entry.end == 0, "{}: {entry:?}", runner.name);
        assert!(entry.command.contains("blocking-pre"));
        assert_eq!(entry.user.as_deref(), Some("builder"));
    }
}

#[test]
fn what_the_account_may_not_open_is_copied_or_said() {
    let Some(_turn) = turn("what_the_account_may_not_open_is_copied_or_said") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let look = || key.observe(runner, &[], &Tokens::default()).unwrap();
        let record = look();
        let whole = Observation::parse(&record, 0).unwrap();

        // Without -wal and -shm a private copy is read; the reasons, which dnf4 keeps there too, are still the same.
        plant::history_without_wal(runner).unwrap();
        let record = look();
        let copied = Observation::parse(&record, 0).unwrap();
        assert_eq!((&copied.history, &copied.packages), (&whole.history, &whole.packages));

        runner.sh("chmod 600 /usr/lib/sysimage/libdnf5/transaction_history.sqlite /var/lib/dnf/history.sqlite 2>/dev/null; true").unwrap();
        let record = look();
        let hidden = Observation::parse(&record, 0).unwrap();
        let failure = hidden.history.failure().unwrap();
        assert_eq!(failure.code, "history-unreadable");
        assert!(failure.message.contains("enroll"), "{}", failure.message);
        if runner.dnf() == "dnf4" {
            assert!(hidden.packages.seen().unwrap().list.iter().all(|p| p.reason == Reason::Unknown));
        }
        runner.sh("/usr/libexec/countersign/refresh").unwrap();
        let record = look();
        assert_eq!(Observation::parse(&record, 0).unwrap().packages, whole.packages);

        // Without them rpm opens nothing, and says so on stderr alone.
        runner.sh("rm -f \"$(rpm --eval '%{_dbpath}')\"/rpmdb.sqlite-*").unwrap();
        let record = look();
        let closed = Observation::parse(&record, 0).unwrap();
        assert_eq!(closed.packages.failure().unwrap().code, "rpmdb-unreadable", "{:?}", closed.packages);
        assert!(closed.needed.seen().is_none());
        runner.sh("/usr/libexec/countersign/refresh").unwrap();
        let record = look();
        assert_eq!(Observation::parse(&record, 0).unwrap().packages, whole.packages);
    }
}

#[test]
fn excludes_and_versionlocks_hide_nothing() {
    let Some(_turn) = turn("excludes_and_versionlocks_hide_nothing") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let before = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
        runner.sh("printf '[main]\\nexcludepkgs=llvm* glibc* kernel*\\n' >>/etc/dnf/dnf.conf").unwrap();
        let after = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
        let (before, after) = (Observation::parse(&before, 0).unwrap(), Observation::parse(&after, 0).unwrap());
        assert_eq!((after.packages, after.needed), (before.packages, before.needed), "{}", runner.name);

        runner.sh(&format!("{} -y versionlock add strace 'llvm' >/dev/null 2>&1; true", runner.dnf())).unwrap();
        let record = key.observe(runner, &[], &Tokens::default()).unwrap();
        let locked = Observation::parse(&record, 0).unwrap();
        eprintln!("{}: {:?}", runner.name, locked.versionlocks);
        assert!(locked.versionlocks.seen().is_some());
    }
}

#[test]
fn a_package_cannot_write_rows_into_the_answer() {
    let Some(_turn) = turn("a_package_cannot_write_rows_into_the_answer") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    // Nobody's tools build such a package; an evil one need not be built by them.
    let marked = "Evil~close 0~end 17~ zlib!0!1!1!x86_64!1!1!!!u!-!!#[31m!red";
    let vendor = marked.replace('~', "\n").replace('!', "\t").replace('#', "\u{1b}");
    let bytes = forged("evil", marked, &vendor);
    for runner in lab.runners() {
        runner.write("/root/evil.rpm", &bytes, 0o644).unwrap();
        runner.sh("rpm -i --nosignature --nodigest --nodeps /root/evil.rpm").unwrap();
        assert!(runner.sh("rpm -qi evil").unwrap().contains("\nend 17\n"));
        let key = Key::enrolled(runner);
        let record = key.observe(runner, &[], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        assert_eq!(seen.packages.failure(), None, "{}", runner.name);
        let list = &seen.packages.seen().unwrap().list;
        let evil = list.iter().find(|p| p.nevra.name == "evil").unwrap();
        assert!(evil.vendor.starts_with("Evil close 0 end 17  zlib 0 1 1"), "{:?}", evil.vendor);
        assert!(!evil.vendor.contains(['\u{1b}', '\n', '\t']));
        assert!(!list.iter().any(|p| p.nevra.name == "zlib"));
        let count = runner.sh("rpm -qa | grep -vc ^gpg-pubkey").unwrap();
        assert_eq!(list.len().to_string(), count.trim());
    }
}

#[test]
fn a_header_that_rpm_skips_is_a_failure_and_no_absence() {
    let Some(_turn) = turn("a_header_that_rpm_skips_is_a_failure_and_no_absence") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    let mut bytes = forged("bent", "Straight", "Straight");
    let at = position(&bytes, b"Straight");
    bytes[at..at + 8].copy_from_slice(b"Crooked!");
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        runner.write("/root/bent.rpm", &bytes, 0o644).unwrap();
        runner.sh("rpm -i --nosignature --nodigest --nodeps /root/bent.rpm").unwrap();
        // rpm leaves it out, and exits 0.
        assert_eq!(runner.sh("rpm -qa bent 2>/dev/null").unwrap(), "");
        let record = key.observe(runner, &[], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        assert_eq!(seen.packages.failure().unwrap().code, "rpmdb-damaged", "{}: {:?}", runner.name, seen.packages);
    }
}

#[test]
fn a_full_disk_is_a_failure_and_no_short_list() {
    let Some(_turn) = turn("a_full_disk_is_a_failure_and_no_short_list") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("full", Base::Workstation)])).unwrap();
    let runner = lab.runner("full");
    let key = Key::enrolled(runner);
    for kib in [4, 64, 128, 200, 256, 320, 400, 600, 900] {
        runner.sh(&format!("mount -t tmpfs -o size={kib}k,mode=1777 tmpfs /tmp")).unwrap();
        let outcome = key.observe(runner, &["llvm"], &Tokens::default());
        runner.sh("umount /tmp").unwrap();
        let count: usize = runner.sh("rpm -qa | grep -vc ^gpg-pubkey").unwrap().trim().parse().unwrap();
        match outcome {
            Err(failure) => eprintln!("{kib} KiB: {}: {}", failure.code, failure.message),
            Ok(record) => {
                let seen = Observation::parse(&record, 0);
                let list = seen.as_ref().ok().and_then(|seen| seen.packages.seen());
                eprintln!("{kib} KiB: {:?}", list.map(|packages| packages.list.len()));
                assert!(list.is_none_or(|packages| packages.list.len() == count), "{kib} KiB: a short list");
                let unknown = list.map_or(0, |p| p.list.iter().filter(|p| p.reason == Reason::Unknown).count());
                assert_eq!(unknown, 0, "{kib} KiB: reasons were lost");
            }
        }
    }
    let record = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
    assert!(Observation::parse(&record, 0).unwrap().packages.seen().is_some());
}

#[test]
fn a_shell_that_talks_is_noticed() {
    let Some(_turn) = turn("a_shell_that_talks_is_noticed") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    let key = Key::enrolled(runner);
    runner.write("/usr/local/bin/loud", "#!/bin/sh\necho Welcome\nexec /bin/sh \"$@\"\n", 0o755).unwrap();
    runner.sh(&format!("usermod --shell /usr/local/bin/loud {ACCOUNT}")).unwrap();
    let failure = key.observe(runner, &[], &Tokens::default()).unwrap_err();
    assert_eq!(failure.code, "garbage");
    assert!(failure.message.contains("Welcome"), "{}", failure.message);

    // A probe that dies in the middle.
    runner.sh(&format!("usermod --shell /bin/sh {ACCOUNT}")).unwrap();
    runner.sh("sed -i 's/^    section_needed$/    kill -KILL $$/' /usr/libexec/countersign/probe").unwrap();
    let failure = key.observe(runner, &[], &Tokens::default()).unwrap_err();
    assert_eq!(failure.code, "truncated", "{}", failure.message);
    runner.sh("rm /usr/libexec/countersign/probe").unwrap();
    let failure = key.observe(runner, &[], &Tokens::default()).unwrap_err();
    assert_eq!(failure.code, "no-probe", "{}", failure.message);
}

#[test]
fn a_set_that_changes_while_the_probe_looks_is_looked_at_again_and_then_given_up() {
    let Some(_turn) = turn("a_set_that_changes_while_the_probe_looks_is_looked_at_again_and_then_given_up") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    let key = Key::enrolled(runner);
    // The probe asks sudo after it has read the packages, and before it reads them again.
    runner.sh("mv /usr/bin/sudo /usr/bin/sudo.real; mkfifo /run/here /run/go; chmod 666 /run/here /run/go").unwrap();
    let stop = "#!/bin/sh\necho here >/run/here\nread -r word </run/go\nexec /usr/bin/sudo.real \"$@\"\n";
    runner.write("/usr/bin/sudo", stop, 0o755).unwrap();
    let meanwhile =
        |change: &str| runner.sh(&format!("read -r word </run/here; {change}; echo go >/run/go")).map(drop).unwrap();
    let install = "rpm -i --nodeps $(ls /srv/lab/*/strace-6.11-*.rpm | head -n 1)";
    let look = |first: &str, second: &str| {
        std::thread::scope(|scope| {
            let observation = scope.spawn(|| key.observe(runner, &[], &Tokens::default()));
            meanwhile(first);
            meanwhile(second);
            observation.join().unwrap()
        })
    };
    let record = look(install, ":").unwrap();
    let seen = Observation::parse(&record, 0).unwrap();
    assert!(seen.packages.seen().unwrap().list.iter().any(|p| p.nevra.name == "strace"));
    let failure = look("rpm -e strace", install).unwrap_err();
    assert_eq!(failure.code, "changing", "{}", failure.message);
}

#[test]
fn selinux_and_its_denials_are_read_where_they_can_be() {
    let Some(_turn) = turn("selinux_and_its_denials_are_read_where_they_can_be") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    let key = Key::enrolled(runner);
    let record = key.observe(runner, &[], &Tokens::default()).unwrap();
    let seen = Observation::parse(&record, 0).unwrap();
    assert_eq!(seen.selinux.seen(), Some(&"disabled"));
    assert_eq!(seen.avc.failure().unwrap().code, "unreadable");
    let booted = seen.kernel.seen().unwrap().booted;

    let denial =
        |at: i64, kind: &str| format!("type={kind} msg=audit({at}.123:45): avc:  denied  {{ read }} for  pid=1\n");
    let log = [
        denial(booted - 10, "AVC"),
        denial(booted + 10, "AVC"),
        denial(booted + 20, "USER_AVC"),
        format!("type=MAC_STATUS msg=audit({}.1:46): enforcing=1 old_enforcing=0\n", booted + 30),
    ];
    runner.write("/var/log/audit/audit.log", log.concat(), 0o644).unwrap();
    runner.write("/usr/bin/getenforce", "#!/bin/sh\necho Permissive\n", 0o755).unwrap();
    let record = key.observe(runner, &[], &Tokens::default()).unwrap();
    let seen = Observation::parse(&record, 0).unwrap();
    assert_eq!(seen.selinux.seen(), Some(&"permissive"));
    assert_eq!(seen.avc.seen(), Some(&2));

    runner.write("/usr/bin/getenforce", "#!/bin/sh\necho no policy >&2\nexit 1\n", 0o755).unwrap();
    let record = key.observe(runner, &[], &Tokens::default()).unwrap();
    assert_eq!(Observation::parse(&record, 0).unwrap().selinux.failure().unwrap().code, "unreadable");
}
