//! The printed script does what it says, once.

use std::path::Path;

use countersign_integration::lab::{Base, Lab, LabConfig, turn};
use countersign_shared::observation::Tokens;

use crate::place::{ACCOUNT, Key, changes, files, run_script};

#[test]
fn enrolling_works_without_systemd_and_twice_is_once() {
    let Some(_turn) = turn("enrolling_works_without_systemd_and_twice_is_once") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        runner.sh(&format!("userdel -r {ACCOUNT} 2>&1; true")).unwrap();
        let untouched = files(runner);
        let key = Key::new();
        let script = key.enrollment(runner).script();
        let first = run_script(runner, &script);
        assert!(first.contains("wrote /usr/libexec/countersign/probe"), "{first}");
        assert!(first.contains(&runner.host_key_pub().unwrap()), "{first}");
        assert!(key.observe(runner, &[], &Tokens::default()).is_ok());

        let enrolled = files(runner);
        let second = run_script(runner, &script);
        assert!(!second.contains("wrote") && !second.contains("made"), "{second}");
        assert_eq!(changes(&enrolled, &files(runner)), Vec::<std::path::PathBuf>::new());

        // What somebody changed is put right, and only that.
        runner.sh(&format!("chmod 777 /usr/libexec/countersign/probe; usermod -aG games -p '!' {ACCOUNT}")).unwrap();
        let third = run_script(runner, &script);
        assert_eq!(third.matches("wrote").count(), 1, "{third}");
        assert!(third.contains("wrote /usr/libexec/countersign/probe") && third.contains("other groups"), "{third}");
        assert!(third.contains("password"), "{third}");
        assert!(key.observe(runner, &[], &Tokens::default()).is_ok());

        let removal = key.enrollment(runner).removal();
        run_script(runner, &removal);
        run_script(runner, &removal);
        // What is left: copies that the account tools keep, and dnf's own cache and databases of the refresh.
        let left: Vec<_> = changes(&untouched, &files(runner))
            .into_iter()
            .filter(|path| {
                !["var/cache", "var/log", "var/lib/dnf", "var/lib/rpm", "usr/lib/sysimage"]
                    .iter()
                    .any(|own| path.starts_with(own))
                    && !["passwd", "shadow", "group", "gshadow", "subuid", "subgid"].iter().any(|file| {
                        path == Path::new(&format!("etc/{file}-")) || path == Path::new(&format!("etc/{file}"))
                    })
            })
            .collect();
        assert_eq!(left, Vec::<std::path::PathBuf>::new());
        assert!(!runner.try_sh(&format!("getent passwd {ACCOUNT}")).unwrap().status.success());
    }
}

#[test]
fn a_script_that_was_changed_on_its_way_installs_no_probe() {
    let Some(_turn) = turn("a_script_that_was_changed_on_its_way_installs_no_probe") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    let script = Key::new().enrollment(runner).script();
    let mangled = script.replacen("umask 077", "umask 022", 1);
    assert_ne!(script, mangled);
    runner.write("/root/script", mangled, 0o700).unwrap();
    let said = runner.try_sh("sh /root/script 2>&1").unwrap();
    assert!(!said.status.success());
    assert!(String::from_utf8_lossy(&said.stdout).contains("changed on its way"));
    assert!(!runner.root.join("usr/libexec/countersign/probe").exists());
}
