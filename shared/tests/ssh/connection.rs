//! Host keys, queues and bastions between us and real servers.

use std::sync::Arc;

use countersign_shared::ssh::host_keys::{HostKeyError, HostKeys, KnownHosts};
use countersign_shared::ssh::{Bastion, Connector, ConnectorConfig, Limits, SshError, Target};

use crate::sshd::{Settings, Sshd, Workshop, direct, public, text};

async fn says_hello(connector: &Connector, target: &Target) -> Result<bool, SshError> {
    let session = connector.connect(target).await?;
    let output = session.exec("echo hello", b"", Limits::default()).await?;
    Ok(output.stdout == b"hello\n")
}

#[tokio::test]
async fn host_keys_of_every_type_are_verified() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::with(&Settings { host_key: kind, ..Settings::default() });
        assert!(says_hello(&sshd.connector(), &sshd.target()).await.unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn a_server_with_several_keys_is_asked_for_the_one_that_is_known() {
    for kind in ["ecdsa", "rsa"] {
        let workshop = Workshop::new();
        let second = workshop.key("second", kind);
        let config = format!("HostKey {}", text(&second));
        let sshd = Sshd::in_workshop(workshop, &Settings { config: &config, ..Settings::default() });
        let target = direct(sshd.endpoint_with([public(&second).as_str()]));
        assert!(says_hello(&sshd.connector(), &target).await.unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn a_key_that_is_unknown_changed_or_revoked_is_refused_before_we_show_ours() {
    let sshd = Sshd::start();
    let other = public(&sshd.workshop.key("other", "ed25519"));
    let key = public(&sshd.host_key);
    let revoked = format!("@revoked {key}");
    for (known, expected) in
        [(vec![], "unknown"), (vec![other.as_str()], "changed"), (vec![key.as_str(), revoked.as_str()], "revoked")]
    {
        let error = says_hello(&sshd.connector(), &direct(sshd.endpoint_with(known))).await.unwrap_err();
        assert_eq!(error.code(), "host-key");
        let SshError::HostKey(error) = error else { panic!("{error}") };
        let seen = match error {
            HostKeyError::Unknown { offered, .. } => {
                let listed = crate::sshd::ssh_keygen(&["-lf", text(&sshd.host_key)]);
                let fingerprint = listed.split_whitespace().nth(1).unwrap();
                assert!(offered.contains(fingerprint), "{offered} does not show {fingerprint}");
                "unknown"
            }
            HostKeyError::Changed { .. } => "changed",
            HostKeyError::Revoked { .. } => "revoked",
            other => panic!("{other}"),
        };
        assert_eq!(seen, expected);
    }
    assert!(!sshd.log().contains("Accepted"), "{}", sshd.log());
    assert!(!sshd.log().contains("Failed"), "{}", sshd.log());
}

#[tokio::test]
async fn a_host_certificate_counts_where_its_authority_does() {
    for (authority, host) in [("ed25519", "ed25519"), ("rsa", "ecdsa"), ("ecdsa", "rsa")] {
        let workshop = Workshop::new();
        let authority = workshop.key("authority", authority);
        let certified = workshop.key("certified", host);
        let certificate = workshop.certificate(&authority, &certified, &["-h", "-I", "id", "-n", "127.0.0.1"]);
        let config = format!("HostKey {}\nHostCertificate {}", text(&certified), text(&certificate));
        let sshd = Sshd::in_workshop(workshop, &Settings { config: &config, ..Settings::default() });
        let by = |line: String| {
            let known = Arc::new(KnownHosts::parse(line.as_bytes()));
            let mut endpoint = sshd.endpoint();
            endpoint.host_keys = Arc::new(HostKeys::new([], Some(known)).unwrap());
            direct(endpoint)
        };
        let authority = public(&authority);
        let connector = sshd.connector();
        let trusted = by(format!("@cert-authority 127.0.0.* {authority}"));
        assert!(says_hello(&connector, &trusted).await.unwrap(), "{host}");
        let elsewhere = by(format!("@cert-authority 10.* {authority}"));
        assert!(matches!(
            says_hello(&connector, &elsewhere).await,
            Err(SshError::HostKey(HostKeyError::Unknown { .. }))
        ));
        // The authority is revoked, the key inside the certificate is known: still no.
        let revoked = by(format!("* {}\n@revoked * {authority}", public(&certified)));
        assert!(matches!(says_hello(&connector, &revoked).await, Err(SshError::HostKey(HostKeyError::Revoked { .. }))));
    }
}

#[tokio::test]
async fn a_hundred_at_once_get_through_a_default_sshd() {
    let sshd = Sshd::start();
    let connector = Arc::new(sshd.connector());
    let target = Arc::new(sshd.target());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (connector, target) = (Arc::clone(&connector), Arc::clone(&target));
        tasks.spawn(async move { says_hello(&connector, &target).await });
    }
    let mut served = 0;
    while let Some(result) = tasks.join_next().await {
        assert!(result.unwrap().unwrap());
        served += 1;
    }
    assert_eq!(served, 100);
    assert!(!sshd.throttled(), "{}", sshd.log());
}

#[tokio::test]
async fn without_the_queue_a_default_sshd_would_drop_connections() {
    let sshd = Sshd::start();
    let mut config = ConnectorConfig::new(sshd.identity());
    config.per_server = 100;
    let connector = Arc::new(Connector::new(config));
    let target = Arc::new(sshd.target());
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..100 {
        let (connector, target) = (Arc::clone(&connector), Arc::clone(&target));
        tasks.spawn(async move { says_hello(&connector, &target).await });
    }
    while let Some(result) = tasks.join_next().await {
        // Dropped ones try again, so some or all of these still get through.
        let result = result.unwrap();
        assert!(matches!(result, Ok(true) | Err(SshError::Dropped { .. })), "{result:?}");
    }
    assert!(sshd.throttled(), "{}", sshd.log());
}

fn behind(runner: &Sshd, bastion: &Sshd) -> Target {
    Target {
        bastion: Some(Arc::new(Bastion { name: "gate".to_owned(), endpoint: bastion.endpoint() })),
        ..runner.target()
    }
}

/// Two servers that accept the same key.
fn pair() -> (Sshd, Sshd) {
    let (runner, bastion) = (Sshd::start(), Sshd::start());
    bastion.workshop.write("authorized_keys", &public(&runner.user_key));
    (runner, bastion)
}

#[tokio::test]
async fn runners_behind_a_bastion_share_one_connection_to_it() {
    let (runner, bastion) = pair();
    let connector = Arc::new(runner.connector());
    let target = Arc::new(behind(&runner, &bastion));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..30 {
        let (connector, target) = (Arc::clone(&connector), Arc::clone(&target));
        tasks.spawn(async move { says_hello(&connector, &target).await });
    }
    while let Some(result) = tasks.join_next().await {
        assert!(result.unwrap().unwrap());
    }
    assert_eq!(bastion.log().matches("Accepted publickey").count(), 1, "{}", bastion.log());
    assert_eq!(runner.log().matches("Accepted publickey").count(), 30);
}

#[tokio::test]
async fn a_bastion_that_died_is_connected_again() {
    let (runner, bastion) = pair();
    let connector = runner.connector();
    let target = behind(&runner, &bastion);
    assert!(says_hello(&connector, &target).await.unwrap());
    bastion.kill_connections();
    for _ in 0..3 {
        assert!(says_hello(&connector, &target).await.unwrap());
    }
    // The shared one, and the shared one again.
    assert_eq!(bastion.log().matches("Accepted publickey").count(), 2, "{}", bastion.log());
}

#[tokio::test]
async fn a_bastion_is_judged_too_and_its_failure_is_no_failure_of_the_runner() {
    let (runner, bastion) = pair();
    let mut target = behind(&runner, &bastion);
    let connector = runner.connector();

    let mut gate = bastion.endpoint();
    gate.host_keys = Arc::default();
    target.bastion = Some(Arc::new(Bastion { name: "unknown".to_owned(), endpoint: gate }));
    match says_hello(&connector, &target).await.unwrap_err() {
        SshError::Bastion { name, source } => assert_eq!((name.as_str(), source.code()), ("unknown", "host-key")),
        other => panic!("{other}"),
    }

    let mut gate = bastion.endpoint();
    gate.port = 1;
    target.bastion = Some(Arc::new(Bastion { name: "down".to_owned(), endpoint: gate }));
    for _ in 0..2 {
        let error = says_hello(&connector, &target).await.unwrap_err();
        assert_eq!(error.code(), "bastion");
        assert!(matches!(error, SshError::Bastion { source, .. } if source.code() == "unreachable"));
    }
}

#[tokio::test]
async fn a_runner_that_is_down_behind_a_bastion_is_the_runners_failure() {
    let (runner, bastion) = pair();
    let mut target = behind(&runner, &bastion);
    target.endpoint.port = 1;
    let error = says_hello(&runner.connector(), &target).await.unwrap_err();
    assert_eq!(error.code(), "unreachable", "{error}");
}

#[tokio::test]
async fn a_runner_with_a_wrong_key_behind_a_bastion_is_refused() {
    let (runner, bastion) = pair();
    let mut target = behind(&runner, &bastion);
    target.endpoint.host_keys = Arc::default();
    let error = says_hello(&runner.connector(), &target).await.unwrap_err();
    assert_eq!(error.code(), "host-key", "{error}");
}

#[tokio::test]
async fn a_bastion_that_forwards_nothing_is_named() {
    let (runner, bastion) = pair();
    bastion.workshop.write("authorized_keys", &format!("restrict {}", public(&runner.user_key)));
    let error = says_hello(&runner.connector(), &behind(&runner, &bastion)).await.unwrap_err();
    assert!(matches!(error, SshError::BastionRefused { .. }), "{error}");
    assert_eq!(error.code(), "bastion");
}

#[tokio::test]
async fn a_key_that_the_bastion_refuses_is_shown_to_it_once() {
    let (runner, bastion) = pair();
    bastion.workshop.write("authorized_keys", "");
    let connector = Arc::new(runner.connector());
    let target = Arc::new(behind(&runner, &bastion));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..10 {
        let (connector, target) = (Arc::clone(&connector), Arc::clone(&target));
        tasks.spawn(async move { says_hello(&connector, &target).await });
    }
    while let Some(result) = tasks.join_next().await {
        assert!(matches!(result.unwrap(), Err(SshError::Bastion { source, .. }) if source.code() == "auth"));
    }
    // Nor is it shown to those who come later.
    assert!(says_hello(&connector, &target).await.is_err());
    assert_eq!(bastion.log().matches("Failed ").count(), 1, "{}", bastion.log());
}
