//! Clients that are silent, slow, many, or talk nonsense: bounded, and nobody else waits for them.

use crate::process::{Notary, hold, lives};
use crate::stage::{Stage, TIMEOUT, USUAL, code, id, is_root, token};
use countersign_manifests_schema::notary::NotaryRequest;
use countersign_notary::serve::{AT_ONCE, PER_ACCOUNT};
use countersign_shared::notary::LONGEST_REQUEST;
use rustix::process::{Pid, Signal, kill_process};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixStream;

/// What the kernel says of it, see proc_pid_status(5).
fn status(notary: &Notary, name: &str) -> String {
    let status = std::fs::read_to_string(format!("/proc/{}/status", notary.pid())).unwrap();
    status.lines().find_map(|line| line.strip_prefix(name)).unwrap().trim().to_owned()
}

fn said(stage: &Stage, bytes: &[u8]) -> String {
    let mut stream = UnixStream::connect(stage.socket()).unwrap();
    // It may have had enough before all is written.
    let _ = stream.write_all(bytes);
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

#[test]
fn what_is_no_request_is_refused_and_the_next_one_is_answered() {
    let stage = Stage::new();
    let notary = stage.start();
    let cases: [(&str, Vec<u8>); 11] = [
        ("nothing", Vec::new()),
        ("a newline", b"\n".to_vec()),
        ("half a line", b"{\"ask\":\"sta".to_vec()),
        ("without its newline", b"{\"ask\":\"state\"}".to_vec()),
        ("two lines", b"{\"ask\":\"state\"}\n{\"ask\":\"state\"}\n".to_vec()),
        ("another spelling", b"{\"ask\": \"state\"}\n".to_vec()),
        ("one field too many", b"{\"and\":1,\"ask\":\"state\"}\n".to_vec()),
        ("a field twice", b"{\"ask\":\"state\",\"ask\":\"state\"}\n".to_vec()),
        ("no UTF-8", b"{\"ask\":\"\xff\"}\n".to_vec()),
        ("deep", [vec![b'['; 100_000], b"\n".to_vec()].concat()),
        ("too long", vec![b'x'; LONGEST_REQUEST + 1]),
    ];
    for (why, bytes) in &cases {
        let answer = said(&stage, bytes);
        assert!(answer.contains("\"code\":\"request\""), "{why}: {answer}");
        stage.state();
    }
    // Far too long: it stops reading, so that not all of it can be written.
    let mut stream = UnixStream::connect(stage.socket()).unwrap();
    assert!(stream.write_all(&vec![b'x'; 8 * LONGEST_REQUEST]).is_err());
    stage.state();
    assert!(lives(notary.pid()));
    eprintln!("{} lines", cases.len() + 1);
}

#[test]
fn who_says_nothing_is_not_waited_for() {
    let stage = Stage::new();
    let notary = stage.start();
    // One slot is left to this account while the others are held.
    let silent: Vec<UnixStream> = (0..PER_ACCOUNT - 1).map(|_| UnixStream::connect(stage.socket()).unwrap()).collect();
    stage.lease(&[id(1)], &USUAL);
    let answer = stage.ask(&token(&id(1), 1));
    assert_eq!(code(&answer), "done", "{answer:?}");
    // Not for ever either.
    for mut stream in silent {
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        // Unlike `read`, it goes on when this process was stopped meanwhile.
        assert_eq!(stream.read_to_end(&mut Vec::new()).unwrap(), 0);
    }
    assert!(lives(notary.pid()));
}

#[test]
fn a_notary_that_was_stopped_and_goes_on_has_lost_nobody() {
    let stage = Stage::new();
    let notary = stage.start();
    let process = Pid::from_raw(notary.pid().cast_signed()).unwrap();
    for _ in 0..20 {
        let mut half = UnixStream::connect(stage.socket()).unwrap();
        half.write_all(b"{\"ask\":").unwrap();
        // By then it waits for the rest of the other.
        stage.state();
        kill_process(process, Signal::STOP).unwrap();
        while !status(&notary, "State:").starts_with('T') {}
        kill_process(process, Signal::CONT).unwrap();
        half.write_all(b"\"state\"}\n").unwrap();
        let mut answer = String::new();
        half.read_to_string(&mut answer).unwrap();
        assert!(answer.contains("\"lease"), "{answer}");
    }
}

#[test]
fn a_thousand_connections_of_one_account_block_nobody_else() {
    let stage = Stage::new();
    let notary = stage.start();
    let account = is_root().then_some((4242, &[][..]));
    if account.is_none() {
        eprintln!("NOT RUN in full: clients of other accounts need root (setpriv); one account stands for both");
    }
    let mut crowd = hold(&stage.path(""), account, &stage.socket(), 1000);
    let threads = || status(&notary, "Threads:").parse::<usize>().unwrap();
    assert!(threads() <= 1 + AT_ONCE, "{}", threads());
    if account.is_some() {
        stage.lease(&[id(1)], &USUAL);
        assert_eq!(code(&stage.ask(&token(&id(1), 1))), "done");
        assert!(threads() <= 1 + 2 * PER_ACCOUNT, "{}", threads());
    }
    drop(crowd.stdin.take());
    crowd.wait().unwrap();
    // The crowd's slots are free as soon as its end was seen.
    let answer = loop {
        let answer = stage.try_ask(&NotaryRequest::State {});
        if !answer.as_ref().is_ok_and(|answer| code(answer) == "busy") {
            break answer;
        }
    };
    assert_eq!(code(&answer.unwrap()), "done");
}
