//! The one push there is, over real connections.

use super::repositories::{git, repository};
use super::servers::{READ_ONLY, Sshd};
use super::{FILES, Place, main_branch, over_ssh, remote};
use countersign_shared::git::{ProposalRef, Pushed, Update};
use std::fs;

#[test]
fn a_branch_is_pushed_over_ssh_with_a_pinned_host_key_and_only_with_the_right_one() {
    let place = Place::new();
    let source = place.path("proposed.git");
    repository(&source, FILES);
    let sshd = Sshd::start(&place.path("sshd"));
    let writer = over_ssh(&sshd, &source, &sshd.key("writer", "restrict"));
    let mirror = place.mirror();
    let tip = mirror.fetch(&writer, &main_branch()).unwrap();
    let branch = ProposalRef::class("builders-0a1b").unwrap();
    let create = [Update { branch: branch.clone(), expected: None, new: Some(tip) }];
    assert_eq!(mirror.push_proposals(&writer, &create).unwrap(), [Pushed::Done]);
    assert_eq!(git(&source, &["rev-parse", branch.as_str()]), tip.to_string());
    assert_eq!(mirror.fetch_proposals(&writer).unwrap()[&branch], tip);
    // It is expected not to be there.
    let other = [Update { branch: ProposalRef::runner("r-1").unwrap(), expected: Some(tip), new: Some(tip) }];
    assert_eq!(mirror.push_proposals(&writer, &other).unwrap(), [Pushed::Moved]);
    let gone = [Update { branch: branch.clone(), expected: Some(tip), new: None }];
    assert_eq!(mirror.push_proposals(&writer, &gone).unwrap(), [Pushed::Done]);
    assert!(mirror.fetch_proposals(&writer).unwrap().is_empty());

    let read = sshd.script("read", READ_ONLY);
    let reader = over_ssh(&sshd, &source, &sshd.key("reader", &format!("restrict,command=\"{}\"", read.display())));
    assert!(mirror.push_proposals(&reader, &create).is_err());
    let mut unknown = writer.clone();
    let empty = place.path("known_hosts");
    fs::write(&empty, "").unwrap();
    unknown.ssh.known_hosts = Some(empty);
    assert_eq!(mirror.push_proposals(&unknown, &create).unwrap_err().code(), "host-key");
    assert_eq!(git(&source, &["for-each-ref", "--format=%(refname)"]), "refs/heads/main");
}

#[test]
fn hooks_of_the_other_side_count_and_hooks_in_the_mirror_do_not() {
    let place = Place::new();
    let source = place.path("proposed.git");
    repository(&source, FILES);
    let remote = remote(source.to_str().unwrap());
    let mirror = place.mirror();
    let tip = mirror.fetch(&remote, &main_branch()).unwrap();
    let hook = |path: &std::path::Path, text: &str| {
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, format!("#!/bin/sh\n{text}\n")).unwrap();
        fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    };
    let marker = place.path("hook-ran");
    hook(&mirror.path().join("hooks/pre-push"), &format!("touch {}", marker.display()));
    hook(&mirror.path().join("hooks/reference-transaction"), &format!("touch {}", marker.display()));
    let update = [Update { branch: ProposalRef::runner("r-1").unwrap(), expected: None, new: Some(tip) }];
    hook(&source.join("hooks/pre-receive"), "echo not today >&2; exit 1");
    let [Pushed::Refused(words)] = &mirror.push_proposals(&remote, &update).unwrap()[..] else { panic!() };
    assert!(words.contains("not today"), "{words}");
    fs::remove_file(source.join("hooks/pre-receive")).unwrap();
    assert_eq!(mirror.push_proposals(&remote, &update).unwrap(), [Pushed::Done]);
    assert!(!marker.exists());
}
