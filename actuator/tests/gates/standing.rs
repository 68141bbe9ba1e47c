//! What time, people on duty, stops and budgets decide.

use super::repositories::git;
use super::stage::{Stage, directory, from_now};
use countersign_manifests_schema::lease::LEASE_NAMESPACE;
use countersign_manifests_schema::notary::NotaryState;
use jiff::{Timestamp, ToSpan};

#[test]
fn a_halt_in_any_place_stops_and_says_where() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    let local = stage.at("state/HALT");
    std::fs::write(&local, "llvm looks wrong\n").unwrap();
    assert!(stage.refused(&sealed, "halted").contains("llvm looks wrong"));
    assert_eq!(stage.json(&["plan"]).0, 21);
    std::fs::remove_file(&local).unwrap();
    stage.ready(&sealed);
    // A halt that cannot be read is one.
    std::os::unix::fs::symlink("nowhere", &local).unwrap();
    assert!(stage.refused(&sealed, "halted").contains("not known"));
    std::fs::remove_file(&local).unwrap();
    stage.notary.set(|state| state.halted = Some("ask ada".to_owned()));
    assert!(stage.refused(&sealed, "halted").contains("ask ada"));
    stage.notary.set(|state| state.halted = None);
    stage.on_main();
    stage.write("proposed/HALT", "everybody stop\n");
    stage.commit_as("proposed", None, "Halt");
    stage.push("proposed");
    assert!(stage.refused(&sealed, "halted").contains("everybody stop"));
    git(&stage.at("proposed"), &["rm", "--quiet", "HALT"]);
    // Whatever else is called so stops as well.
    stage.write("proposed/HALT/reason.txt", "everybody stop\n");
    stage.commit_as("proposed", None, "Halt");
    stage.push("proposed");
    assert!(stage.refused(&sealed, "halted").contains("not a file"));
    git(&stage.at("proposed"), &["rm", "--quiet", "-r", "HALT"]);
    stage.commit_as("proposed", None, "Go on");
    stage.push("proposed");
    stage.ready(&sealed);
}

#[test]
fn a_notary_that_does_not_answer_stops_everything() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.ready(&sealed);
    std::fs::remove_file(stage.at("notary.sock")).unwrap();
    let row = stage.verdict(&sealed);
    assert_eq!(row.refusals(), ["halted", "no-lease", "spent", "breaker"], "{row:?}");
    assert_eq!(stage.json(&["plan"]).0, 21);
}

#[test]
fn somebody_must_be_on_duty_for_this_proposal_now() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let id = sealed.id().to_owned();
    stage.ready(&sealed);
    stage.notary.set(|state| state.leases[0].drawn = 1);
    assert!(stage.refused(&sealed, "no-lease").contains("used up"));
    stage.notary.set(|state| state.leases.clear());
    assert!(stage.refused(&sealed, "no-lease").contains("nobody is on duty"));
    // For another proposal.
    stage.lease_with("ada", |lease| lease.proposals = vec!["0".repeat(64)], LEASE_NAMESPACE);
    stage.refused(&sealed, "no-lease");
    // By a bot, by a stranger, signed for another purpose.
    for (who, namespace) in [("bot", LEASE_NAMESPACE), ("eve", LEASE_NAMESPACE), ("ada", "git"), ("ada", "file")] {
        stage.lease_with(who, |lease| lease.proposals = vec![id.clone()], namespace);
        assert!(stage.refused(&sealed, "no-lease").contains("does not count"), "{who} {namespace}");
    }
    // Over, too long, from the future.
    let at = |minutes: i64| {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        now.checked_add(minutes.minutes()).unwrap().to_string()
    };
    for (issued, expires) in [(-40, -10), (-1, 60), (20, 40)] {
        stage.lease_with(
            "ada",
            |lease| {
                lease.proposals = vec![id.clone()];
                (lease.issued, lease.expires) = (at(issued), at(expires));
            },
            LEASE_NAMESPACE,
        );
        stage.refused(&sealed, "no-lease");
    }
    stage.lease("bob", &[&sealed]);
    stage.ready(&sealed);
}

#[test]
fn a_proposal_has_its_time() {
    let stage = Stage::new();
    let sealed = stage.proposal(|proposal| {
        (proposal.created, proposal.expires) = (from_now(-48), from_now(-24));
    });
    stage.merge("ada", &stage.propose(&[&sealed]), &[&sealed]);
    stage.lease("ada", &[&sealed]);
    stage.refused(&sealed, "expired");
    // It is still listed, and its refusal is no news.
    let (status, document) = stage.json(&["plan"]);
    assert_eq!((status, document["proposals"].as_array().unwrap().len()), (0, 1));
    assert_eq!(stage.json(&["plan", sealed.id()]).0, 20);
    let future = stage.proposal(|proposal| {
        (proposal.created, proposal.expires) = (from_now(24), from_now(48));
    });
    stage.merge("ada", &stage.propose(&[&future]), &[&future]);
    stage.lease("ada", &[&future]);
    assert!(stage.refused(&future, "expired").contains("future"));
}

#[test]
fn the_newest_approved_proposal_of_a_runner_supersedes_and_one_that_nobody_approved_does_not() {
    let stage = Stage::new();
    let old = stage.merged();
    let new = stage.proposal(|proposal| proposal.created = from_now(0));
    let commit = stage.propose(&[&new]);
    stage.merge_on_the_web(&commit, "Merge pull request");
    stage.lease("ada", &[&old, &new]);
    stage.ready(&old);
    stage.refused(&new, "not-human");
    // Of another runner, it is nothing to this one.
    let other = stage.proposal(|proposal| {
        proposal.runner = "runner-02".to_owned();
        proposal.created = from_now(0);
    });
    stage.merge("ada", &stage.propose(&[&other]), &[&other]);
    stage.ready(&old);
    stage.sign("bob", "countersign", "approvals", &new);
    assert!(stage.refused(&old, "superseded").contains(new.id()));
    stage.ready(&new);
    // A newer one that was rejected gives way again.
    stage.sign("bob", "countersign-reject", "rejections", &new);
    stage.ready(&old);
}

#[test]
fn of_two_made_in_the_same_second_the_one_merged_last_is_newer() {
    let stage = Stage::new();
    let first = stage.proposal(|_| ());
    let second = stage.proposal(|proposal| proposal.created.clone_from(&first.proposal().created.clone()));
    let second = if second.id() == first.id() {
        stage.proposal(|proposal| {
            proposal.created.clone_from(&first.proposal().created);
            proposal.expires = from_now(50);
        })
    } else {
        second
    };
    stage.merge("ada", &stage.propose(&[&first]), &[&first]);
    stage.merge("ada", &stage.propose(&[&second]), &[&second]);
    stage.lease("ada", &[&first, &second]);
    assert!(stage.refused(&first, "superseded").contains(second.id()));
    stage.ready(&second);
}

#[test]
fn what_was_burned_is_spent_for_ever() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.notary.set(|state| state.burned = vec!["0".repeat(64)]);
    stage.ready(&sealed);
    let id = sealed.id().to_owned();
    stage.notary.set(|state: &mut NotaryState| state.burned = vec![id]);
    stage.refused(&sealed, "spent");
}

#[test]
fn bytes_that_changed_on_main_afterwards_are_edited() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.on_main();
    let path = format!("proposed/{}/proposal.json", directory(&sealed));
    let text = std::str::from_utf8(sealed.bytes()).unwrap();
    stage.write(&path, &text.replace("htop-3.3.0", "evil-3.3.0"));
    stage.commit_as("proposed", Some("ada"), "Edit");
    stage.push("proposed");
    let row = stage.verdict(&sealed);
    assert_eq!(row.refusals(), ["edited"], "{row:?}");
    // The same content in another spelling is other bytes.
    stage.write(&path, &format!("{text}\n"));
    stage.commit_as("proposed", Some("ada"), "Edit");
    stage.push("proposed");
    stage.refused(&sealed, "edited");
    stage.write(&path, text);
    stage.commit_as("proposed", Some("ada"), "Put it back");
    stage.push("proposed");
    stage.ready(&sealed);
}

#[test]
fn a_readme_that_says_something_else_misleads() {
    let stage = Stage::new();
    let sealed = stage.proposal(|_| ());
    stage.begin_branch();
    stage.lay_down(&sealed);
    let path = format!("proposed/{}/README.md", directory(&sealed));
    let readme = countersign_shared::proposal::render(&sealed);
    stage.write(&path, &readme.replacen("htop", "glibc", 1));
    let commit = stage.commit_as("proposed", Some("observer"), "Add a proposal");
    stage.publish_branch();
    stage.merge("ada", &commit, &[&sealed]);
    stage.lease("ada", &[&sealed]);
    assert!(stage.refused(&sealed, "misleading").contains("line"));
    stage.on_main();
    stage.write(&path, &readme);
    stage.commit_as("proposed", None, "Mend it");
    stage.push("proposed");
    stage.ready(&sealed);
    // Another file beside the two is something else that it says.
    stage.write(&format!("proposed/{}/MORE.md", directory(&sealed)), "also this");
    stage.commit_as("proposed", None, "Add to it");
    stage.push("proposed");
    assert!(stage.refused(&sealed, "misleading").contains("MORE.md"));
}

#[test]
fn a_breaker_that_tripped_or_a_budget_that_is_used_up_refuses() {
    let stage = Stage::with_policy("[breaker]\ntransactions_per_day = 3\nremovals_per_transaction = 0\n");
    let sealed = stage.merged();
    stage.notary.set(|state| state.tokens_today = 2);
    stage.ready(&sealed);
    stage.notary.set(|state| state.tokens_today = 3);
    assert!(stage.refused(&sealed, "breaker").contains("3 tokens"));
    stage.notary.set(|state| {
        state.tokens_today = 0;
        state.tripped = Some("runner-01 failed".to_owned());
    });
    assert!(stage.refused(&sealed, "breaker").contains("runner-01 failed"));
}

#[test]
fn outside_of_a_window_nothing_begins() {
    // Windows of the whole week but for today, and of today.
    let today = Timestamp::now().to_zoned(jiff::tz::TimeZone::UTC).weekday();
    let name = |offset: i8| {
        let day = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];
        day[usize::try_from((today.to_monday_zero_offset() + offset).rem_euclid(7)).unwrap()]
    };
    let other = format!("[windows]\nbuilders = [\"{} 00:00-24:00 UTC\"]\n", name(3));
    let stage = Stage::with_policy(&other);
    let sealed = stage.merged();
    assert!(stage.refused(&sealed, "outside-window").contains("builders"));
    // From yesterday to tomorrow, whatever the hour is.
    let always = format!(
        "[windows]\nbuilders = [\"{0}-{1} 00:00-24:00 UTC\", \"{0}-{1} 12:00-12:30 UTC\"]\n",
        name(-1),
        name(1)
    );
    let near_midnight = Timestamp::now().as_second() % 86_400 > 86_400 - 900;
    let stage = Stage::with_policy(&always);
    let sealed = stage.merged();
    if !near_midnight {
        stage.ready(&sealed);
    }
}
