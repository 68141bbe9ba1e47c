//! What the probe answers, read back: complete answers, broken ones, hostile ones.

#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_manifests_schema::warden::Stage;
use countersign_shared::observation::{
    Applied, Nonce, Observation, Reason, Section, Tokens, is_warm, merge, open, set_digest, tokens,
};
use proptest::prelude::*;

const HEADER: &str = "4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e4f5c7a0e";
const TOKEN: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
const OTHER: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";

fn nonce() -> Nonce {
    Nonce::new([7; 16])
}

/// Sections of a small healthy runner: name, rows, what follows `close `.
fn healthy() -> Vec<(&'static str, String, &'static str)> {
    let packages = format!(
        "bash\t0\t5.2\t1.fc41\tx86_64\t1700000000\t2\t{HEADER}\t0123456789abcdef\tu\t-\tfedora\tFedora Project\n\
         gpg-pubkey\t0\ta15b79cc\t63d04c2c\t(none)\t1700000000\t3\t\t\t-\t-\t\t\n\
         kernel-core\t0\t6.10\t1.fc41\tx86_64\t1700000001\t5\t{HEADER}\t\tw\ti\tupdates\t\n\
         kernel-core\t0\t6.9\t1.fc41\tx86_64\t1700000000\t4\t{HEADER}\t\td\ti\t\tA, B\n\
         zlib\t2\t1.3~rc1\t1.fc41\ti686\t1700000000\t9\t\t\te\t-\t\té\n"
    );
    let history = format!(
        "t\t7\t1700000100\t1700000110\tOk\t{TOKEN}\t\"1000 Ann Example <ann>\"\t\"dnf5 -y install \\\"bash\\\"\"\n\
         c\tInstall\tbash-0:5.2-1.fc41.x86_64\n\
         c\tReplaced\tbash-3:5.1-1.fc41.x86_64\n\
         c\tReason Change\tzlib-2:1.3~rc1-1.fc41.i686\n\
         t\t8\t1700000200\t0\tStarted\t\t\"4294967295 \"\t\"dnf5 upgrade\"\n"
    );
    vec![
        ("os", "id\tfedora\nversion_id\t41\narch\tx86_64\n".into(), "0"),
        ("kernel", "6.10.0-1.fc41.x86_64\t1700000000\n".into(), "0"),
        ("selinux", "enforcing\n".into(), "0"),
        ("dnf", "5\t5.4.6.0\n".into(), "0"),
        ("packages", packages, "0 5"),
        ("needed", "glibc\n".into(), "0 1"),
        ("history", history, "0 5"),
        ("tokens", format!("{TOKEN}\t{OTHER}\n"), "0"),
        ("repos", "fedora\tenabled\nupdates\tdisabled\n".into(), "0"),
        ("versionlocks", "llvm evr = 19.1.0-1.fc41\n".into(), "0"),
        ("config", format!("{}\n", "c0".repeat(32)), "0"),
        ("modules", "nodejs:20\n".into(), "0"),
        ("locks", "/run/dnf/rpmtransaction.lock\t1700000005\n".into(), "0"),
        ("reboot", "no\n".into(), "0"),
        ("privileges", "986\tno\tno\tyes\tcountersign-observer\n".into(), "0"),
        ("metadata", "1700000009\n".into(), "0"),
        ("avc", "the audit log is not readable\n".into(), "1 unreadable"),
        ("stable", "yes\n".into(), "0"),
    ]
}

fn record_of(sections: &[(&str, String, &str)]) -> String {
    let mut text = String::new();
    for (name, rows, close) in sections {
        text.push_str(&format!("section {name}\n"));
        for row in rows.lines() {
            text.push_str(&format!(" {row}\n"));
        }
        text.push_str(&format!("close {close}\n"));
    }
    text.push_str(&format!("end {}\n", sections.len()));
    text
}

fn answer_of(record: &str) -> String {
    let nonce = nonce();
    format!("countersign-probe/1 answer {nonce}\n{record}bye {nonce}\n")
}

fn code_of(bytes: &[u8]) -> String {
    open(bytes.to_vec(), &nonce()).unwrap_err().code
}

/// The healthy runner with one section changed.
fn with(name: &str, rows: &str, close: &str) -> String {
    let mut sections = healthy();
    for section in &mut sections {
        if section.0 == name {
            section.1 = rows.to_owned();
        }
    }
    let text = record_of(&sections);
    let start = text.find(&format!("section {name}\n")).unwrap();
    let at = start + text[start..].find("\nclose ").unwrap() + 1;
    let end = at + text[at..].find('\n').unwrap();
    format!("{}close {close}{}", &text[..at], &text[end..])
}

#[test]
fn a_complete_answer_is_read_section_by_section() {
    let record = open(answer_of(&record_of(&healthy())).into_bytes(), &nonce()).unwrap();
    let seen = Observation::parse(&record, 1_800_000_000).unwrap();
    let os = seen.os.seen().unwrap();
    assert_eq!((os.id, os.version_id, os.arch), ("fedora", "41", "x86_64"));
    assert_eq!(seen.kernel.seen().unwrap().booted, 1_700_000_000);
    assert_eq!(seen.selinux, Section::Seen("enforcing"));
    assert_eq!(seen.needed, Section::Seen(vec!["glibc"]));
    assert_eq!(seen.modules, Section::Seen(vec!["nodejs:20"]));
    assert_eq!(seen.versionlocks, Section::Seen(vec!["llvm evr = 19.1.0-1.fc41"]));
    assert_eq!(seen.metadata, Section::Seen(Some(1_700_000_009)));
    assert_eq!(seen.locks.seen().unwrap()[0].path, "/run/dnf/rpmtransaction.lock");
    assert_eq!(seen.avc.failure().unwrap().code, "unreadable");
    let rights = seen.privileges.seen().unwrap();
    assert_eq!((rights.uid, rights.sudo, rights.forced), (986, false, true));

    let packages = &seen.packages.seen().unwrap().list;
    let names: Vec<String> = packages.iter().map(|package| package.nevra.to_string()).collect();
    assert_eq!(
        names,
        [
            "bash-5.2-1.fc41.x86_64",
            "kernel-core-6.9-1.fc41.x86_64",
            "kernel-core-6.10-1.fc41.x86_64",
            "zlib-2:1.3~rc1-1.fc41.i686"
        ]
    );
    assert_eq!(
        (packages[0].reason, packages[0].from_repo, packages[0].vendor),
        (Reason::User, "fedora", "Fedora Project")
    );
    assert!(packages[1].install_only && !packages[0].install_only);
    assert_eq!((packages[3].vendor, packages[3].header_sha256), ("é", ""));

    let history = &seen.history.seen().unwrap().entries;
    assert_eq!((history[0].id, history[0].completed, history[0].user.as_deref()), (8, false, None));
    assert_eq!((history[1].user.as_deref(), &*history[1].command), (Some("ann"), "dnf5 -y install \"bash\""));
    let changes: Vec<(&str, bool)> = history[1].changes.iter().map(|c| (c.nevra.as_str(), c.incoming)).collect();
    assert_eq!(changes, [("bash-5.2-1.fc41.x86_64", true), ("bash-3:5.1-1.fc41.x86_64", false)]);
}

#[test]
fn the_digests_are_those_of_dnf_and_of_a_sorted_text() {
    use sha2::{Digest, Sha256};
    let record = record_of(&healthy());
    let seen = Observation::parse(&record, 0).unwrap();
    let packages = seen.packages.seen().unwrap();
    let hex = |bytes: &[u8]| Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>();
    // gpg-pubkey counts for dnf, and not for the set; both kernels follow their name once, by instance.
    let rpmdb = b"bash\x02\0\0\0gpg-pubkey\x03\0\0\0kernel-core\x04\0\0\0\x05\0\0\0zlib\x09\0\0\0";
    assert_eq!(packages.rpmdb_digest, hex(rpmdb));
    let set = "bash\t0\t5.2\t1.fc41\tx86_64\nkernel-core\t0\t6.10\t1.fc41\tx86_64\nkernel-core\t0\t6.9\t1.fc41\tx86_64\nzlib\t2\t1.3~rc1\t1.fc41\ti686\n";
    assert_eq!(set_digest(&packages.list), hex(set.as_bytes()));
}

#[test]
fn every_truncation_is_recognised() {
    let answer = answer_of(&record_of(&healthy())).into_bytes();
    for length in 0..answer.len() {
        let code = match open(answer[..length].to_vec(), &nonce()) {
            Ok(_) => panic!("{length} of {} bytes were taken for a whole answer", answer.len()),
            Err(failure) => failure.code,
        };
        // Cut inside a character, the rest is not UTF-8.
        let inside = std::str::from_utf8(&answer[..length]).is_err();
        assert_eq!(code, if inside { "garbage" } else { "truncated" }, "{length}");
    }
    let record = record_of(&healthy());
    for length in (0..record.len()).filter(|length| record.is_char_boundary(*length)) {
        assert!(Observation::parse(&record[..length], 0).is_err(), "{length}");
    }
}

#[test]
fn every_lost_line_is_recognised_or_changes_only_its_own_section() {
    let record = record_of(&healthy());
    let whole = Observation::parse(&record, 0).unwrap();
    let lines: Vec<&str> = record.split_inclusive('\n').collect();
    let mut refused = 0;
    for lost in 0..lines.len() {
        let text: String = lines.iter().enumerate().filter(|(at, _)| *at != lost).map(|(_, line)| *line).collect();
        match Observation::parse(&text, 0) {
            Err(_) => refused += 1,
            Ok(seen) => {
                assert!(seen.packages == whole.packages, "a lost package row went unseen: {:?}", lines[lost]);
                assert!(seen.history == whole.history, "{:?}", lines[lost]);
            }
        }
    }
    assert!(refused > 40, "{refused}");
}

#[test]
fn noise_around_the_answer_is_garbage() {
    let answer = answer_of(&record_of(&healthy()));
    let cases = [
        format!("Welcome to runner-04!\n{answer}"),
        format!("{answer}logout\n"),
        format!("\n{answer}"),
        format!("{answer}{answer}"),
        answer.replace("section kernel\n", "section kernel\nBroadcast message from root\n"),
        answer.replace("close 0\nsection kernel", "close 0\n\nsection kernel"),
        answer.replace(" enforcing", "enforcing"),
        answer.replace(" enforcing", " enfor\u{1b}[31mcing"),
        answer.replace(" enforcing", " enfor\0cing"),
        answer.replace("section kernel", "section os"),
        answer.replace("end 18", "end 17"),
        answer.replace("close 1 unreadable", "close 1 Unreadable"),
        answer.replace("close 1 unreadable", "close -1 unreadable"),
        answer.replace("close 0 5", "close 0 6"),
        answer.replace(nonce().as_str(), "00000000000000000000000000000000"),
        "bash: /usr/libexec/countersign/probe: No such file or directory\n".to_owned(),
    ];
    for case in cases {
        assert_ne!(case, answer, "a case that changes nothing");
        assert_eq!(code_of(case.as_bytes()), "garbage", "{}", &case[..60.min(case.len())]);
    }
    assert_eq!(code_of(b"\xff\xfe"), "garbage");
    assert_eq!(code_of(&vec![b'a'; 17 << 20]), "garbage");
    let long = answer.replace("enforcing", &"e".repeat(70_000));
    assert_eq!(code_of(long.as_bytes()), "garbage");
}

#[test]
fn refusals_and_other_versions_keep_their_own_codes() {
    assert_eq!(code_of(b"countersign-probe/1 error no-rpm rpm does not answer\n"), "no-rpm");
    assert_eq!(code_of(b"countersign-probe/1 error Bad\x1b code\n"), "garbage");
    assert_eq!(code_of(b"countersign-probe/2 answer x\n"), "probe-version");
    assert_eq!(code_of(b""), "truncated");
}

#[test]
fn a_malformed_row_fails_its_section_and_no_other() {
    let row = |column: usize, value: &str| {
        let mut columns = vec!["bash", "0", "5.2", "1", "x86_64", "17", "2", HEADER, "", "u", "-", "fedora", "v"];
        columns[column] = value;
        with("packages", &columns.join("\t"), "0 1")
    };
    assert!(Observation::parse(&row(0, "bash"), 0).unwrap().packages.seen().is_some());
    let bad = [
        (0, ""),
        (0, "-y"),
        (0, "a b"),
        (0, "a/b"),
        (0, "é"),
        (1, "-1"),
        (1, "4294967296"),
        (1, "(none)"),
        (1, "+1"),
        (2, ""),
        (2, "1-2"),
        (3, "1 2"),
        (4, "x86-64"),
        (4, "(none)"),
        (5, ""),
        (5, "now"),
        (6, "-1"),
        (7, "abc"),
        (7, "(none)"),
        (8, "xyz"),
        (9, "x"),
        (9, ""),
        (10, ""),
        (11, "a\tb"),
    ];
    for (column, value) in bad {
        let record = row(column, value);
        let seen = Observation::parse(&record, 0).unwrap();
        assert_eq!(seen.packages.failure().unwrap().code, "garbage", "{column} {value:?}");
        assert!(seen.history.seen().is_some());
    }
    for (name, rows) in [
        ("os", "id\tfedora"),
        ("kernel", "6.1"),
        ("kernel", "6.1\tsoon"),
        ("selinux", "Enforcing"),
        ("selinux", ""),
        ("dnf", "6\t1"),
        ("dnf", ""),
        ("repos", "fedora"),
        ("repos", "fedora\tmaybe"),
        ("locks", "run\t5"),
        ("locks", "/run/x\t-5"),
        ("reboot", "maybe"),
        ("privileges", "0\tno\tno\tno"),
        ("metadata", "then"),
        ("needed", "\n"),
        ("history", "x\t1"),
        ("history", "c\tInstall\ta-1-1.x86_64"),
        ("history", "w\tx\tundone\t2026-11-20T03:30:00Z\t2026-11-20T03:31:00Z"),
        ("history", &format!("w\t{HEADER}\tkept\t2026-11-20T03:30:00Z\t2026-11-20T03:31:00Z")),
        ("history", &format!("w\t{HEADER}\tundone\tyesterday\t2026-11-20T03:31:00Z")),
        ("history", &format!("w\t{HEADER}\tundone\t2026-11-20T03:30:00Z")),
        ("history", "t\t1\t2\t3\tOk\t\tann\t\"x\""),
        ("history", "t\t1\t2\t3\tOk\t\t\"a\"b\"\t\"x\""),
    ] {
        let record = with(name, rows, "0");
        let seen = Observation::parse(&record, 0).unwrap();
        let failed = format!("{seen:?}").matches("code: \"garbage\"").count();
        assert_eq!(failed, 1, "{name} {rows:?}");
    }
    let unknown = record_of(&healthy()).replace("section avc", "section moon");
    assert_eq!(Observation::parse(&unknown, 0).unwrap_err().code, "garbage");
}

#[test]
fn what_a_warden_started_is_read_oldest_first_beside_what_dnf_did() {
    let rows = format!(
        "{}w\t{OTHER}\tconfirmed\t2026-11-20T03:30:00Z\t2026-11-20T03:31:00Z\n\
         w\t{TOKEN}\tundone\t2026-11-19T03:30:00Z\t2026-11-19T03:31:00Z\n",
        healthy()[6].1
    );
    let record = with("history", &rows, "0 7");
    let seen = Observation::parse(&record, 0).unwrap();
    let history = seen.history.seen().unwrap();
    let applied = |proposal, stage, started| Applied { proposal, stage, started, at: started + 60 };
    assert_eq!(history.entries.len(), 2);
    assert_eq!(
        history.applications,
        [applied(TOKEN, Stage::Undone, 1_795_059_000), applied(OTHER, Stage::Confirmed, 1_795_145_400)]
    );
}

#[test]
fn a_failed_or_missing_section_never_looks_empty() {
    let record = with("packages", "error: cannot open Packages database", "1 rpmdb-unreadable");
    let seen = Observation::parse(&record, 0).unwrap();
    let failure = seen.packages.failure().unwrap();
    assert_eq!(
        (failure.code.as_str(), failure.message.as_str()),
        ("rpmdb-unreadable", "error: cannot open Packages database")
    );
    let mut sections = healthy();
    sections.retain(|(name, ..)| *name != "repos");
    let record = record_of(&sections);
    assert_eq!(Observation::parse(&record, 0).unwrap().repos.failure().unwrap().code, "garbage");
}

#[test]
fn a_set_that_changed_meanwhile_is_no_observation() {
    let record = with("stable", "no", "0");
    assert_eq!(Observation::parse(&record, 0).unwrap_err().code, "changing");
    let mut sections = healthy();
    sections.pop();
    let record = record_of(&sections);
    assert_eq!(Observation::parse(&record, 0).unwrap_err().code, "garbage");
}

#[test]
fn a_warm_answer_and_the_stored_record_are_the_cold_answer_again() {
    let cold = record_of(&healthy());
    assert!(!is_warm(&cold));
    assert_eq!(tokens(&cold), Tokens { packages: Some(TOKEN.into()), history: Some(OTHER.into()) });
    let mut sections = healthy();
    for section in &mut sections {
        if ["packages", "needed", "history"].contains(&section.0) {
            section.1.clear();
            section.2 = "0 warm";
        }
        if section.0 == "selinux" {
            section.1 = "permissive\n".into();
        }
    }
    let warm = record_of(&sections);
    assert!(is_warm(&warm));
    assert_eq!(tokens(&warm), tokens(&cold));
    assert_eq!(Observation::parse(&warm, 0).unwrap().packages.failure().unwrap().code, "warm");
    let merged = merge(&cold, &warm).unwrap();
    assert_eq!(merged, cold.replace("enforcing", "permissive"));
    // A stored record that does not have the list is not taken for an empty one.
    assert_eq!(merge(&warm, &warm).unwrap_err().code, "garbage");
    let failed = with("needed", "", "1 dnf-failed");
    assert_eq!(merge(&failed, &warm).unwrap_err().code, "garbage");
    assert_eq!(tokens(&failed).packages, None);
    assert_eq!(tokens(&failed).history.as_deref(), Some(OTHER));
}

proptest! {
    #[test]
    fn arbitrary_bytes_are_refused_and_never_panic(bytes in proptest::collection::vec(any::<u8>(), 0..2000)) {
        prop_assert!(open(bytes, &nonce()).is_err());
    }

    #[test]
    fn mutated_answers_never_panic_and_never_lose_a_package(
        at in any::<prop::sample::Index>(), byte in any::<u8>(), remove in any::<bool>(),
    ) {
        let record = record_of(&healthy());
        let mut answer = answer_of(&record).into_bytes();
        let at = at.index(answer.len());
        if remove { answer.remove(at); } else { answer[at] = byte; }
        if let Ok(record) = open(answer, &nonce())
            && let Ok(seen) = Observation::parse(&record, 0)
            && let Some(packages) = seen.packages.seen()
        {
            prop_assert!(packages.list.len() + 1 == 5 || packages.list.len() == 5);
        }
    }

    #[test]
    fn arbitrary_lines_never_panic(lines in proptest::collection::vec(
        "(section [a-z]{2,8}| [a-z0-9\t\" ]{0,30}|close [0-9]{1,2}( [a-z0-9]{1,5})?|end [0-9]|t\t.*|c\t.*| t\t1\t2\t3\tOk\t\t\".*\"\t\".*\")", 0..40,
    )) {
        let record = lines.iter().map(|line| format!("{line}\n")).collect::<String>();
        let _ = Observation::parse(&record, 0);
        let _ = tokens(&record);
        let _ = merge(&record, &record);
    }

    #[test]
    fn rows_in_any_order_give_the_same_observation(order in Just((0..5usize).collect::<Vec<_>>()).prop_shuffle()) {
        let healthy = healthy();
        let rows: Vec<&str> = healthy[4].1.lines().collect();
        let shuffled: String = order.iter().map(|at| format!("{}\n", rows[*at])).collect();
        let record = with("packages", &shuffled, "0 5");
        let sorted = record_of(&healthy);
        prop_assert_eq!(
            Observation::parse(&record, 0).unwrap().packages,
            Observation::parse(&sorted, 0).unwrap().packages
        );
    }
}
