//! What else a key can do, measured on accounts that are and are not bound to one program.

use std::time::Duration;

use countersign_shared::ssh::{Attempt, Finding};

use crate::sshd::{Settings, Sshd};

const TIMEOUT: Duration = Duration::from_secs(10);

async fn reach(sshd: &Sshd, attempts: &[Attempt]) -> Vec<(Attempt, Finding)> {
    let session = sshd.connector().connect(&sshd.target()).await.unwrap();
    session.reach(attempts, TIMEOUT).await
}

#[tokio::test]
async fn a_key_bound_to_one_program_gets_nothing_else() {
    let sshd =
        Sshd::with(&Settings { key_options: "restrict,command=\"echo this is the probe\"", ..Settings::default() });
    for (attempt, finding) in reach(&sshd, &Attempt::all(sshd.port)).await {
        let expected = match attempt {
            Attempt::Shell | Attempt::Exec | Attempt::Sftp => Finding::Answered(b"this is the probe\n".to_vec()),
            _ => Finding::Refused,
        };
        assert_eq!(finding, expected, "{attempt:?}");
    }
}

#[tokio::test]
async fn a_forced_command_without_restrict_still_gets_terminals_and_forwarding() {
    let sshd = Sshd::with(&Settings {
        key_options: "command=\"echo this is the probe\"",
        config: "AcceptEnv LC_*",
        ..Settings::default()
    });
    let socket = sshd.workshop.path("listen");
    let listener = std::os::unix::net::UnixListener::bind(&socket).unwrap();
    let mut attempts = Attempt::all(sshd.port);
    attempts.retain(|a| !matches!(a, Attempt::SocketConnect { .. } | Attempt::SocketListen { .. }));
    attempts.push(Attempt::SocketConnect { paths: vec![socket.to_str().unwrap().to_owned()] });
    for (attempt, finding) in reach(&sshd, &attempts).await {
        let expected = match attempt {
            Attempt::Shell | Attempt::Exec | Attempt::Sftp => Finding::Answered(b"this is the probe\n".to_vec()),
            // X11Forwarding is off by default in sshd itself.
            Attempt::X11 => Finding::Refused,
            _ => Finding::Granted,
        };
        assert_eq!(finding, expected, "{attempt:?}");
    }
    drop(listener);
}

#[tokio::test]
async fn a_key_without_any_bounds_is_seen_as_such() {
    let sshd = Sshd::start();
    let attempts = [Attempt::Shell, Attempt::Exec, Attempt::Sftp, Attempt::Pty, Attempt::Agent];
    for (attempt, finding) in reach(&sshd, &attempts).await {
        assert_eq!(finding, Finding::Granted, "{attempt:?}");
    }
}

#[tokio::test]
async fn a_program_that_echoes_its_input_is_no_shell() {
    let sshd = Sshd::with(&Settings { key_options: "restrict,command=\"cat\"", ..Settings::default() });
    for (attempt, finding) in reach(&sshd, &[Attempt::Shell, Attempt::Exec]).await {
        assert!(matches!(finding, Finding::Answered(_)), "{attempt:?}: {finding:?}");
    }
}

#[tokio::test]
async fn a_long_answer_is_cut() {
    let sshd = Sshd::with(&Settings { key_options: "restrict,command=\"yes\"", ..Settings::default() });
    match &reach(&sshd, &[Attempt::Exec]).await[0].1 {
        Finding::Answered(bytes) => assert_eq!(bytes.len(), 4096),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_lost_connection_proves_nothing() {
    let sshd = Sshd::with(&Settings {
        key_options: "restrict,command=\"kill -KILL $PPID; sleep 100\"",
        ..Settings::default()
    });
    for (attempt, finding) in reach(&sshd, &[Attempt::Exec, Attempt::Pty, Attempt::TcpListen]).await {
        assert!(matches!(finding, Finding::Unknown(_)), "{attempt:?}: {finding:?}");
    }
}

#[tokio::test]
async fn a_socket_that_is_not_there_proves_nothing_while_forwarding_works() {
    let sshd = Sshd::start();
    let attempts = [
        Attempt::SocketConnect { paths: vec!["/nowhere".to_owned()] },
        Attempt::TcpConnect { host: "127.0.0.1".to_owned(), port: sshd.port },
    ];
    let findings = reach(&sshd, &attempts).await;
    assert!(matches!(findings[0].1, Finding::Unknown(_)));
    assert_eq!(findings[1].1, Finding::Granted);
}

#[tokio::test]
async fn what_leaves_a_file_behind_is_tried_only_on_a_key_that_got_nothing_else() {
    let sshd = Sshd::start();
    let path = sshd.workshop.path("made");
    let listen = Attempt::SocketListen { path: path.to_str().unwrap().to_owned() };

    let findings = reach(&sshd, &[Attempt::Pty, listen.clone()]).await;
    assert_eq!(findings[0].1, Finding::Granted);
    assert!(matches!(findings[1].1, Finding::Unknown(_)));
    assert!(!path.exists());

    assert_eq!(reach(&sshd, &[listen]).await[0].1, Finding::Granted);
    assert!(path.exists());
}
