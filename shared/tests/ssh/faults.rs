//! Servers that are silent, lie, flood or vanish: each costs one error, at its time, and nothing stays behind.

use std::sync::Arc;
use std::time::Duration;

use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Connector, ConnectorConfig, Endpoint, Exit, Limits, Phase, SshError, Target};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::scripted::{Fault, Scripted};
use crate::sshd::{Sshd, Workshop, direct};

/// Short, for phases whose end can only be waited for.
const SHORT: Duration = Duration::from_millis(200);

/// A listener that hands every connection to `script`, and a connector and target for it.
async fn raw<F, R>(script: F) -> (Connector, Target)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        loop {
            let (stream, _) = listener.accept().await.unwrap();
            tokio::spawn(script(stream));
        }
    });
    let workshop = Workshop::new();
    let key = workshop.key("user_key", "ed25519");
    let identity = countersign_shared::ssh::Identity::from_files(&key, None).unwrap();
    let endpoint = Endpoint {
        address: "127.0.0.1".to_owned(),
        port,
        user: "observer".to_owned(),
        host_keys: Arc::new(HostKeys::default()),
    };
    (Connector::new(ConnectorConfig::new(identity)), direct(endpoint))
}

async fn keep(stream: TcpStream) {
    std::future::pending::<()>().await;
    drop(stream);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_never_says_a_word_is_given_up() {
    let (connector, target) = raw(keep).await;
    let begun = tokio::time::Instant::now();
    let error = connector.connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::ConnectTimeout(_)), "{error}");
    assert_eq!(error.code(), "timeout");
    // By the paused clock: the configured ten seconds, once.
    assert_eq!(begun.elapsed().as_secs(), 10);
}

#[tokio::test]
async fn a_server_that_stops_in_the_handshake_is_left_and_nothing_stays_behind() {
    let (report, mut reported) = tokio::sync::mpsc::unbounded_channel();
    let (_, target) = raw(move |mut stream: TcpStream| {
        let report = report.clone();
        async move {
            stream.write_all(b"SSH-2.0-Silence\r\n").await.unwrap();
            // Our side is read to its end, so the test stays here if the client keeps the connection.
            let mut all = Vec::new();
            let _ = stream.read_to_end(&mut all).await;
            let _ = report.send(all.starts_with(b"SSH-2.0-"));
        }
    })
    .await;
    let workshop = Workshop::new();
    let identity = countersign_shared::ssh::Identity::from_files(&workshop.key("key", "ed25519"), None).unwrap();
    let connector = Connector::new(ConnectorConfig { connect_timeout: SHORT, ..ConnectorConfig::new(identity) });
    let error = connector.connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::ConnectTimeout(_)), "{error}");
    assert_eq!(reported.recv().await, Some(true));
}

#[tokio::test]
async fn a_silent_authentication_is_given_up() {
    let server = Scripted::start(Fault::SilentAuthentication).await;
    let config = ConnectorConfig { authentication_timeout: SHORT, ..server.config() };
    let error = Connector::new(config).connect(&server.target()).await.unwrap_err();
    assert!(matches!(error, SshError::AuthenticationTimeout(_)), "{error}");
}

#[tokio::test]
async fn a_session_that_is_dropped_leaves_nothing_behind() {
    let mut server = Scripted::start(Fault::SilentCommand).await;
    drop(server.connector().connect(&server.target()).await.unwrap());
    server.until_one_has_ended().await;
}

#[tokio::test]
async fn a_channel_that_never_opens_is_given_up() {
    let server = Scripted::start(Fault::SilentChannel).await;
    let config = ConnectorConfig { channel_timeout: SHORT, ..server.config() };
    let session = Connector::new(config).connect(&server.target()).await.unwrap();
    let error = session.exec("true", b"", Limits::default()).await.unwrap_err();
    assert!(matches!(error, SshError::ChannelTimeout(_)), "{error}");
}

#[tokio::test]
async fn a_command_that_is_never_answered_is_given_up() {
    let mut server = Scripted::start(Fault::SilentCommand).await;
    let session = server.connector().connect(&server.target()).await.unwrap();
    let limits = Limits { deadline: SHORT, ..Limits::default() };
    let error = session.exec("true", b"", limits).await.unwrap_err();
    assert!(matches!(error, SshError::RunTimeout(_)), "{error}");
    drop(session);
    server.until_one_has_ended().await;
}

#[tokio::test]
async fn refusals_have_names_of_their_own() {
    for (fault, code) in [(Fault::RefusesChannels, "channel-refused"), (Fault::RefusesCommands, "exec-refused")] {
        let server = Scripted::start(fault).await;
        let session = server.connector().connect(&server.target()).await.unwrap();
        let error = session.exec("true", b"", Limits::default()).await.unwrap_err();
        assert_eq!(error.code(), code, "{error}");
    }
}

#[tokio::test]
async fn a_missing_exit_status_is_unknown_and_no_success() {
    let server = Scripted::start(Fault::NoStatus).await;
    let session = server.connector().connect(&server.target()).await.unwrap();
    let output = session.exec("true", b"", Limits::default()).await.unwrap();
    assert_eq!(output.stdout, b"all is well\n");
    assert_eq!(output.ended.exit, Exit::Unknown);
    assert!(!output.ended.exit.is_success());
}

#[tokio::test]
async fn what_a_hostile_server_says_is_escaped() {
    let server = Scripted::start(Fault::HostileSignal).await;
    let session = server.connector().connect(&server.target()).await.unwrap();
    match session.exec("true", b"", Limits::default()).await.unwrap().ended.exit {
        Exit::Signal(name) => assert_eq!(name.as_str(), "\\x1b[2J"),
        other => panic!("{other:?}"),
    }

    let server = Scripted::start(Fault::HostileGoodbye).await;
    let session = server.connector().connect(&server.target()).await.unwrap();
    let error = session.exec("true", b"", Limits::default()).await.unwrap_err();
    assert!(matches!(error, SshError::Closed { phase: Phase::Run, .. }), "{error:?}");
    assert_eq!(error.to_string(), "the connection was lost while running the command: bye\\u{202e}\\x0d\\x0a");
}

#[tokio::test]
async fn a_server_can_open_nothing_towards_us() {
    let server = Scripted::start(Fault::OpensChannels).await;
    let session = server.connector().connect(&server.target()).await.unwrap();
    let output = session.exec("true", b"", Limits::default()).await.unwrap();
    assert_eq!(String::from_utf8(output.stdout).unwrap(), "0 of 7\n");
}

#[tokio::test]
async fn a_server_that_speaks_something_else_is_named_as_such() {
    let endless =
        |mut stream: TcpStream| async move { while stream.write_all(b"x".repeat(4096).as_slice()).await.is_ok() {} };
    let lines = |mut stream: TcpStream| async move { while stream.write_all(b"220 mail ready\r\n").await.is_ok() {} };
    let bytes = |mut stream: TcpStream| async move {
        stream.write_all(b"SSH-2.0-Garbage\r\n").await.unwrap();
        while stream.write_all(&[0xff; 4096]).await.is_ok() {}
    };
    let (connector, target) = raw(endless).await;
    assert_eq!(connector.connect(&target).await.unwrap_err().code(), "protocol");
    let (connector, target) = raw(lines).await;
    assert_eq!(connector.connect(&target).await.unwrap_err().code(), "protocol");
    let (connector, target) = raw(bytes).await;
    assert_eq!(connector.connect(&target).await.unwrap_err().code(), "protocol");
}

#[tokio::test]
async fn a_server_that_hangs_up_at_once_is_tried_again_and_then_unreachable() {
    let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let (connector, target) = raw(move |mut stream: TcpStream| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            // What sshd says when it has too many of us.
            let _ = stream.write_all(b"Exceeded MaxStartups\r\n").await;
        }
    })
    .await;
    let error = connector.connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::Dropped { .. }), "{error}");
    assert_eq!(error.code(), "unreachable");
    assert_eq!(tries.load(std::sync::atomic::Ordering::Relaxed), 4);
}

#[tokio::test]
async fn an_end_after_the_greeting_is_not_tried_again() {
    let tries = Arc::new(std::sync::atomic::AtomicU32::new(0));
    let counted = Arc::clone(&tries);
    let (connector, target) = raw(move |mut stream: TcpStream| {
        counted.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        async move {
            let _ = stream.write_all(b"SSH-2.0-Short\r\n").await;
        }
    })
    .await;
    let error = connector.connect(&target).await.unwrap_err();
    assert_eq!(error.code(), "closed", "{error}");
    assert_eq!(tries.load(std::sync::atomic::Ordering::Relaxed), 1);
}

#[tokio::test]
async fn a_port_that_nobody_listens_on_is_unreachable() {
    let (connector, mut target) = raw(keep).await;
    target.endpoint.port = 1;
    let error = connector.connect(&target).await.unwrap_err();
    assert!(matches!(error, SshError::Unreachable { .. }), "{error}");
    target.endpoint.address = "no-such-host.invalid".to_owned();
    let error = connector.connect(&target).await.unwrap_err();
    assert_eq!(error.code(), "unreachable", "{error}");
}

#[tokio::test]
async fn a_frozen_server_is_noticed_by_its_missing_signs_of_life() {
    let sshd = Sshd::start();
    let config = ConnectorConfig { keepalive: Duration::from_secs(1), ..ConnectorConfig::new(sshd.identity()) };
    let session = Connector::new(config).connect(&sshd.target()).await.unwrap();
    // The process of sshd that serves us stops; the shell ends it a little later, so that nothing is left.
    let freeze = "kill -STOP $PPID; sleep 30; kill -KILL $PPID";
    let error = session.exec(freeze, b"", Limits::default()).await.unwrap_err();
    assert_eq!(error.code(), "closed", "{error}");
    assert!(error.to_string().contains("eepalive"), "{error}");
}
