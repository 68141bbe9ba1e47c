//! With the observer's key: nothing changes on the runner, whatever is asked for and however.

use std::time::Duration;

use countersign_integration::lab::{Base, Lab, LabConfig, Runner, turn};
use countersign_shared::observation::{Observation, Tokens};
use countersign_shared::ssh::{Attempt, Finding};

use crate::place::{ACCOUNT, Key, changes, files, wait};

const REQUEST: &str = "countersign-probe/1 request\nnonce 000102030405060708090a0b0c0d0e0f\n";

/// sshd and PAM write about logins; a probe that hangs on would leave its directory.
fn assert_untouched(runner: &Runner, before: &std::collections::BTreeMap<std::path::PathBuf, String>) {
    assert_eq!(changes(before, &files(runner)), Vec::<std::path::PathBuf>::new());
}

#[test]
fn no_request_reaches_beyond_the_probe() {
    let Some(_turn) = turn("no_request_reaches_beyond_the_probe") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        let before = files(runner);
        let requests: Vec<(&str, Vec<u8>)> = vec![
            ("nothing", Vec::new()),
            ("words", b"install strace\n".to_vec()),
            ("another version", REQUEST.replace("probe/1", "probe/2").into_bytes()),
            ("no end", REQUEST.into()),
            ("an option", format!("{REQUEST}name --setopt=pluginpath=/tmp\nend\n").into_bytes()),
            ("a short option", format!("{REQUEST}name -y\nend\n").into_bytes()),
            ("a path", format!("{REQUEST}name /srv/lab/fedora/strace.rpm\nend\n").into_bytes()),
            ("a relative path", format!("{REQUEST}name ./x.rpm\nend\n").into_bytes()),
            ("a glob", format!("{REQUEST}name *\nend\n").into_bytes()),
            ("a command", format!("{REQUEST}name $(touch${{IFS}}/tmp/x)\nend\n").into_bytes()),
            ("a quote", format!("{REQUEST}name '\"`id`\nend\n").into_bytes()),
            ("two words", format!("{REQUEST}name a b\nend\n").into_bytes()),
            ("an unknown key", format!("{REQUEST}exec id\nend\n").into_bytes()),
            ("a second nonce", format!("{REQUEST}nonce 000102030405060708090a0b0c0d0e0f\nend\n").into_bytes()),
            ("a long wait", format!("{REQUEST}wait 3600\nend\n").into_bytes()),
            ("text after the end", format!("{REQUEST}end\nname x\n").into_bytes()),
            ("a zero byte", format!("{REQUEST}name a\0b\nend\n").into_bytes()),
            ("other bytes", [REQUEST.as_bytes(), b"name \xff\xfe\nend\n"].concat()),
            ("a long line", format!("{REQUEST}name {}\nend\n", "a".repeat(200)).into_bytes()),
            ("too much", format!("{REQUEST}{}end\n", "name abcdefgh\n".repeat(30_000)).into_bytes()),
            (
                "too many",
                format!("{REQUEST}{}end\n", (0..8200).map(|n| format!("name p{n}\n")).collect::<String>()).into_bytes(),
            ),
        ];
        for (what, request) in requests {
            let said = key.ssh(runner, &[], &[], &request);
            let stdout = String::from_utf8_lossy(&said.stdout);
            assert!(stdout.starts_with("countersign-probe/1 error request "), "{what}: {stdout}");
            assert_eq!(stdout.lines().count(), 1, "{what}: {stdout}");
            assert_eq!(said.status.code(), Some(64), "{what}");
        }
        // A good request is answered whatever else is on the command line or in the environment.
        let environment = [
            ("LC_ALL", "de_DE.UTF-8"),
            ("LANG", "de_DE.UTF-8"),
            ("LC_COUNTERSIGN", "$(touch /tmp/lc)"),
            ("BASH_ENV", "/tmp/evil"),
            ("ENV", "/tmp/evil"),
            ("LD_PRELOAD", "/tmp/evil.so"),
            ("PYTHONPATH", "/tmp"),
        ];
        for arguments in [
            &[][..],
            &["dnf", "-y", "install", "strace"],
            &["id; touch /tmp/x"],
            &["/usr/libexec/countersign/probe", "--help"],
        ] {
            let said = key.ssh(runner, arguments, &environment, format!("{REQUEST}end\n").as_bytes());
            let stdout = String::from_utf8(said.stdout).unwrap();
            assert!(stdout.starts_with("countersign-probe/1 answer 000102030405060708090a0b0c0d0e0f\n"), "{stdout}");
            assert!(stdout.ends_with("\nbye 000102030405060708090a0b0c0d0e0f\n"));
        }
        assert_untouched(runner, &before);
    }
}

#[test]
fn shell_sftp_and_forwarding_give_nothing_but_the_probe() {
    let Some(_turn) = turn("shell_sftp_and_forwarding_give_nothing_but_the_probe") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5)])).unwrap();
    let runner = lab.runner("five");
    let key = Key::enrolled(runner);
    let before = files(runner);
    let session = key.session(runner, ACCOUNT);
    let mut answered = 0;
    for (attempt, finding) in wait(session.reach(&Attempt::all(runner.port), Duration::from_secs(30))) {
        match finding {
            Finding::Refused => {}
            Finding::Answered(answer) => {
                let answer = String::from_utf8(answer).unwrap();
                assert!(answer.starts_with("countersign-probe/1 error request"), "{attempt:?}: {answer}");
                answered += 1;
            }
            other => panic!("{attempt:?}: {other:?}"),
        }
    }
    assert!(answered >= 3, "shell, exec and sftp are answered by the probe: {answered}");
    assert_untouched(runner, &before);
}

#[test]
fn an_own_configuration_or_library_for_dnf_is_never_read() {
    let Some(_turn) = turn("an_own_configuration_or_library_for_dnf_is_never_read") else {
        return;
    };
    let lab = Lab::up(&LabConfig::new([("five", Base::Dnf5), ("four", Base::Dnf4)])).unwrap();
    for runner in lab.runners() {
        let key = Key::enrolled(runner);
        // The home is root's. Even a home that an administrator gave away, full of everything that shells, dnf and rpm
        // look for, says nothing: each of these files would leave a mark or end the query.
        let home = "/usr/libexec/countersign";
        runner
            .sh(&format!(
                "cd {home} && mkdir -p .config/libdnf5/plugins .config/dnf .config/rpm .ssh .cache .local/state
                 for file in .profile .bashrc .bash_profile .shrc .cshrc .config/rpm/macros .rpmmacros .rpmrc .ssh/rc \
                     .ssh/environment .config/dnf/dnf.conf .config/libdnf5/plugins/actions.conf .popt .config/popt; do
                     printf '%s\\n' 'touch /tmp/evil' '%_dbpath /nonexistent' '[main]' 'installroot=/nonexistent' \
                         'pluginpath=/tmp' >$file
                 done
                 printf 'command=\"/bin/sh\" %s' '{}' >.ssh/authorized_keys
                 chown -R {ACCOUNT}: {home}/.??*",
                key.public().trim()
            ))
            .unwrap();
        let before = files(runner);
        let record = key.observe(runner, &["llvm"], &Tokens::default()).unwrap();
        let seen = Observation::parse(&record, 0).unwrap();
        assert!(seen.packages.seen().unwrap().list.len() > 5, "{:?}", seen.packages);
        assert_untouched(runner, &before);
    }
}
