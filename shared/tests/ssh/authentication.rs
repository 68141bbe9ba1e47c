//! Who we are, shown to a real sshd.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};

use countersign_shared::ssh::ssh_key::PublicKey;
use countersign_shared::ssh::{Connector, ConnectorConfig, Identity, IdentityError, Limits, SshError};

use crate::sshd::{Settings, Sshd, Workshop, me, public, ssh_keygen, text};

async fn runs(sshd: &Sshd, identity: Identity) -> Result<bool, SshError> {
    let connector = Connector::new(ConnectorConfig::new(identity));
    let session = connector.connect(&sshd.target()).await?;
    let output = session.exec("true", b"", Limits::default()).await?;
    Ok(output.ended.exit.is_success())
}

/// The account as sshd's own log saw it.
fn accepted_by(sshd: &Sshd, what: &str) {
    let log = sshd.log();
    assert!(log.contains(what), "{what:?} is not in the log: {log}");
}

#[tokio::test]
async fn keys_of_every_type_log_in() {
    for kind in ["ed25519", "ecdsa", "rsa"] {
        let sshd = Sshd::with(&Settings { user_key: kind, ..Settings::default() });
        assert!(runs(&sshd, sshd.identity()).await.unwrap(), "{kind}");
    }
}

#[tokio::test]
async fn a_refused_key_is_shown_once_and_named() {
    let sshd = Sshd::start();
    let other = sshd.workshop.key("other", "ed25519");
    let identity = Identity::from_files(&other, None).unwrap();
    let error = runs(&sshd, identity.clone()).await.unwrap_err();
    assert_eq!(error.code(), "auth");
    match &error {
        SshError::AuthenticationRefused { user, key } => {
            assert_eq!((user.as_str(), key.as_str()), (me().as_str(), identity.fingerprint().as_str()));
        }
        other => panic!("{other:?}"),
    }
    // One refusal, and no other method tried after it.
    assert_eq!(sshd.log().matches("Failed ").count(), 1, "{}", sshd.log());
}

#[tokio::test]
async fn a_second_factor_is_an_error_of_its_own() {
    let sshd = Sshd::with(&Settings { config: "AuthenticationMethods publickey,password", ..Settings::default() });
    let error = runs(&sshd, sshd.identity()).await.unwrap_err();
    assert!(matches!(error, SshError::AuthenticationPartial { .. }), "{error}");
}

#[tokio::test]
async fn user_certificates_log_in_where_only_their_authority_is_trusted() {
    for (authority, kind) in [("ed25519", "ed25519"), ("ecdsa", "rsa"), ("rsa", "ecdsa")] {
        let workshop = Workshop::new();
        let authority = workshop.key("authority", authority);
        let config = format!("TrustedUserCAKeys {}.pub", text(&authority));
        let sshd = Sshd::in_workshop(workshop, &Settings { config: &config, ..Settings::default() });
        let key = sshd.workshop.key("certified", kind);
        let certificate = sshd.workshop.certificate(&authority, &key, &["-I", "id", "-n", &me()]);
        assert!(runs(&sshd, Identity::from_files(&key, None).unwrap()).await.is_err());
        let identity = Identity::from_files(&key, Some(&certificate)).unwrap();
        assert!(runs(&sshd, identity).await.unwrap(), "{kind}");
        accepted_by(&sshd, "ID id");
    }
}

#[tokio::test]
async fn a_certificate_for_somebody_else_is_refused() {
    let workshop = Workshop::new();
    let authority = workshop.key("authority", "ed25519");
    let config = format!("TrustedUserCAKeys {}.pub", text(&authority));
    let sshd = Sshd::in_workshop(workshop, &Settings { config: &config, ..Settings::default() });
    let key = sshd.workshop.key("certified", "ed25519");
    let certificate = sshd.workshop.certificate(&authority, &key, &["-I", "id", "-n", "somebody-else"]);
    let identity = Identity::from_files(&key, Some(&certificate)).unwrap();
    assert!(matches!(runs(&sshd, identity).await, Err(SshError::AuthenticationRefused { .. })));
}

/// A real ssh-agent, ended with the test.
struct Agent {
    child: Child,
    socket: std::path::PathBuf,
}

impl Agent {
    fn start(workshop: &Workshop, keys: &[&Path]) -> Self {
        let socket = workshop.path("agent");
        let mut child = Command::new("ssh-agent")
            .args(["-D", "-a", text(&socket)])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .expect("these tests need OpenSSH: `apt-get install openssh-client`, or `cargo verify`");
        // It says where it listens once it does.
        let mut line = String::new();
        std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line).unwrap();
        for key in keys {
            let added = Command::new("ssh-add").arg("-q").arg(key).env("SSH_AUTH_SOCK", &socket).status().unwrap();
            assert!(added.success());
        }
        Self { child, socket }
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn declared(key: &Path) -> PublicKey {
    PublicKey::from_openssh(&public(key)).unwrap()
}

#[tokio::test]
async fn an_agent_signs_with_the_declared_key_and_no_other() {
    for kind in ["ed25519", "rsa"] {
        let sshd = Sshd::with(&Settings { user_key: kind, ..Settings::default() });
        let other = sshd.workshop.key("other", "ed25519");
        let agent = Agent::start(&sshd.workshop, &[&other, &sshd.user_key]);
        let identity = Identity::from_agent(&agent.socket, &[declared(&sshd.user_key)], None).await.unwrap();
        assert!(runs(&sshd, identity).await.unwrap(), "{kind}");
        assert!(!sshd.log().contains("Failed "), "{}", sshd.log());
    }
}

#[tokio::test]
async fn an_agent_without_the_declared_key_is_an_error() {
    let sshd = Sshd::start();
    let other = sshd.workshop.key("other", "ed25519");
    let agent = Agent::start(&sshd.workshop, &[&other]);
    let error = Identity::from_agent(&agent.socket, &[declared(&sshd.user_key)], None).await.unwrap_err();
    assert!(matches!(error, IdentityError::AgentWithoutKey { declared: 1 }), "{error}");
}

#[tokio::test]
async fn an_agent_signs_for_a_certificate() {
    let workshop = Workshop::new();
    let authority = workshop.key("authority", "ed25519");
    let config = format!("TrustedUserCAKeys {}.pub", text(&authority));
    let sshd = Sshd::in_workshop(workshop, &Settings { config: &config, ..Settings::default() });
    for kind in ["ed25519", "rsa"] {
        let key = sshd.workshop.key(&format!("certified-{kind}"), kind);
        let agent = Agent::start(&sshd.workshop, &[&key]);
        let certificate = sshd.workshop.certificate(&authority, &key, &["-I", "id", "-n", &me()]);
        let identity = Identity::from_agent(&agent.socket, &[declared(&key)], Some(&certificate)).await.unwrap();
        assert!(runs(&sshd, identity).await.unwrap(), "{kind}");
        drop(agent);
        std::fs::remove_file(sshd.workshop.path("agent")).unwrap_or(());
    }
}

#[tokio::test]
async fn an_agent_that_went_away_is_an_error_of_ours() {
    let sshd = Sshd::start();
    let agent = Agent::start(&sshd.workshop, &[&sshd.user_key]);
    let identity = Identity::from_agent(&agent.socket, &[declared(&sshd.user_key)], None).await.unwrap();
    drop(agent);
    let error = runs(&sshd, identity).await.unwrap_err();
    assert!(matches!(error, SshError::Identity(_)), "{error:?}");
    assert_eq!(error.code(), "auth");
}

#[test]
fn key_files_that_cannot_or_must_not_be_used_are_errors() {
    let workshop = Workshop::new();
    let key = workshop.key("key", "ed25519");
    let other = workshop.key("other", "ed25519");
    let authority = workshop.key("authority", "ed25519");
    let set_mode = |path: &Path, mode| std::fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    for mode in [0o644, 0o640, 0o604, 0o620, 0o601] {
        set_mode(&key, mode);
        let error = Identity::from_files(&key, None).unwrap_err();
        assert!(matches!(error, IdentityError::Permissions { mode: found, .. } if found == mode), "{error}");
    }
    for mode in [0o600, 0o400] {
        set_mode(&key, mode);
        assert!(Identity::from_files(&key, None).is_ok());
    }

    let locked = workshop.path("locked");
    ssh_keygen(&["-q", "-t", "ed25519", "-N", "secret", "-f", text(&locked)]);
    assert!(matches!(Identity::from_files(&locked, None), Err(IdentityError::Encrypted { .. })));

    let nothing = workshop.write("nothing", "not a key");
    set_mode(&nothing, 0o600);
    assert!(matches!(Identity::from_files(&nothing, None), Err(IdentityError::NotAKey { .. })));
    assert!(matches!(Identity::from_files(&workshop.path("absent"), None), Err(IdentityError::Read { .. })));

    let for_other = workshop.certificate(&authority, &other, &["-I", "id", "-n", "user"]);
    assert!(matches!(Identity::from_files(&key, Some(&for_other)), Err(IdentityError::OtherKey { .. })));
    let for_hosts = workshop.certificate(&authority, &key, &["-h", "-I", "id", "-n", "host"]);
    assert!(matches!(Identity::from_files(&key, Some(&for_hosts)), Err(IdentityError::NotACertificate { .. })));
    assert!(matches!(Identity::from_files(&key, Some(&nothing)), Err(IdentityError::NotACertificate { .. })));
}
