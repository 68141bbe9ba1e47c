//! Who may ask what, by the kernel's word on the other end of the socket.

use crate::process::{answered, client};
use crate::stage::{Stage, USUAL, id, is_root, outcome, token};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest, Outcome};

/// Neither an account nor a group of the machine.
const STRANGER: u32 = 54_321;
/// In `operators` of every stage.
const OPERATOR: u32 = 4242;

#[test]
fn each_account_gets_what_it_is_there_for_and_nothing_else() {
    if !is_root() {
        eprintln!("NOT RUN: clients of other accounts need root (setpriv)");
        return;
    }
    let stage = Stage::new();
    let _notary = stage.start();
    stage.lease(&[id(1)], &USUAL);
    let lease = stage.sign_lease(&stage.draft(&[id(2)], &USUAL), &USUAL);
    let asked = |account: (u32, &[u32]), request: &NotaryRequest| match answered(client(
        &stage.path(""),
        Some(account),
        &stage.socket(),
        request,
    )) {
        Ok(NotaryAnswer::Refused { code, .. }) => code,
        Ok(_) => "done".to_owned(),
        Err(said) => panic!("{said}"),
    };
    let all = [
        ("nonce", NotaryRequest::Nonce {}),
        ("state", NotaryRequest::State {}),
        ("token", token(&id(1), 1)),
        ("outcome", outcome(&id(1), Outcome::Applied, 2)),
        ("lease", lease),
        ("halt", NotaryRequest::Halt { reason: "x".to_owned() }),
    ];
    let mut cases = 0;
    for (name, request) in &all {
        assert_eq!(asked((STRANGER, &[]), request), "peer", "a stranger: {name}");
        assert_eq!(asked((STRANGER, &[7, 8]), request), "peer", "a stranger in other groups: {name}");
        cases += 2;
    }
    for (name, request) in &all {
        let by_uid = asked((OPERATOR, &[]), request);
        let expected = if matches!(*name, "token" | "outcome") { "peer" } else { "done" };
        assert_eq!(by_uid, expected, "an operator by uid: {name}");
        cases += 1;
    }
    // The group is a supplementary one, which SO_PEERCRED alone does not show.
    assert_eq!(asked((STRANGER, &[7, 0, 8]), &NotaryRequest::Nonce {}), "done", "an operator by a group");
    assert_eq!(asked((STRANGER, &[7, 0, 8]), &token(&id(1), 1)), "peer", "who is not the actuator");
    assert_eq!(asked((STRANGER, &[7, 8]), &NotaryRequest::Nonce {}), "peer", "and without it");
    eprintln!("{} accounts and requests", cases + 3);
}

#[test]
fn the_actuator_draws_and_people_take_leases() {
    if !is_root() {
        eprintln!("NOT RUN: clients of other accounts need root (setpriv)");
        return;
    }
    let stage = Stage::new();
    let text = std::fs::read_to_string(stage.path("notary.toml")).unwrap();
    std::fs::write(stage.path("notary.toml"), text.replace("actuator_uid = 0", "actuator_uid = 986")).unwrap();
    let _notary = stage.start();
    // Root is in the group of the operators.
    stage.lease(&[id(1)], &USUAL);
    let by =
        |uid, request: &NotaryRequest| answered(client(&stage.path(""), Some((uid, &[])), &stage.socket(), request));
    let refused = |answer| matches!(answer, Ok(NotaryAnswer::Refused { code, .. }) if code == "peer");
    assert!(refused(by(986, &NotaryRequest::Nonce {})), "the actuator takes no lease");
    assert!(refused(Ok(stage.ask(&token(&id(1), 1)))), "root draws no token");
    assert!(matches!(by(986, &token(&id(1), 1)), Ok(NotaryAnswer::Token { .. })));
    assert!(matches!(by(986, &NotaryRequest::State {}), Ok(NotaryAnswer::State(_))));
    assert!(matches!(by(986, &NotaryRequest::Halt { reason: "x".to_owned() }), Ok(NotaryAnswer::Done {})));
}
