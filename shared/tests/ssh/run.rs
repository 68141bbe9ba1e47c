//! Commands and what comes back.

use std::time::Duration;

use countersign_shared::ssh::{Bound, Exit, Limits, SshError};

use crate::sshd::Sshd;

#[tokio::test]
async fn a_command_gets_its_input_and_its_output_errors_and_status_come_back() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    let output = session.exec("cat; echo oops >&2; exit 7", b"in\nput\n", Limits::default()).await.unwrap();
    assert_eq!(output.stdout, b"in\nput\n");
    assert_eq!(output.ended.stderr, b"oops\n");
    assert_eq!(output.ended.exit, Exit::Status(7));
    assert!(!output.ended.exit.is_success());
    session.close().await;
}

#[tokio::test]
async fn the_exit_status_is_never_lost_to_an_early_end_of_output() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    for status in 0..40 {
        let output = session.exec(&format!("exit {status}"), b"", Limits::default()).await.unwrap();
        assert_eq!(output.ended.exit, Exit::Status(status));
    }
}

#[tokio::test]
async fn input_and_output_larger_than_the_window_pass() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    let input: Vec<u8> = (0..5_000_000_u32).map(|n| if n % 80 == 79 { b'\n' } else { b'x' }).collect();
    let output = session.exec("cat", &input, Limits::default()).await.unwrap();
    assert!(output.stdout == input);
    assert!(output.ended.exit.is_success());
}

#[tokio::test]
async fn a_command_killed_by_a_signal_is_no_success() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    let output = session.exec("kill -TERM $$", b"", Limits::default()).await.unwrap();
    match output.ended.exit {
        Exit::Signal(name) => assert_eq!(name.as_str(), "TERM"),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_killed_session_process_is_an_error_and_no_success() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    // The shell's parent is the process of sshd that serves this connection.
    let error = session.exec("echo begun; kill -KILL $PPID", b"", Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), "closed", "{error}");
}

#[tokio::test]
async fn a_flood_is_cut_at_each_bound_and_the_session_lives_on() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    let limits = Limits { bytes: 100_000, lines: 1000, line_bytes: 10_000, deadline: Duration::from_secs(30) };
    for (command, expected) in [
        (
            "while :; do echo 0123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890123456789012345678901234567890; done",
            Bound::Bytes,
        ),
        ("yes", Bound::Lines),
        ("cat /dev/zero", Bound::LineBytes),
        ("cat /dev/zero >&2", Bound::Bytes),
    ] {
        match session.exec(command, b"", limits).await {
            Err(SshError::TooMuchOutput { bound, .. }) => assert_eq!(bound, expected, "{command}"),
            other => panic!("{command}: {other:?}"),
        }
    }
    let output = session.exec("echo still here", b"", limits).await.unwrap();
    assert_eq!(output.stdout, b"still here\n");
}

#[tokio::test]
async fn a_command_that_hangs_is_given_up() {
    let sshd = Sshd::start();
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    let limits = Limits { deadline: Duration::from_millis(200), ..Limits::default() };
    let error = session.exec("sleep 1000", b"", limits).await.unwrap_err();
    assert!(matches!(error, SshError::RunTimeout(_)), "{error}");
    assert_eq!(error.code(), "timeout");
}
