//! The embedded fleet itself: what it says is what was planted, and each fault is the fault that it is named after.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_integration::bench::bare::{Heard, Unheard, ask};
use countersign_integration::embedded::answer::FakeAnswers;
use countersign_integration::embedded::catalog::{FULL_SIZE, RUNNING_KERNEL, catalog};
use countersign_integration::embedded::fault::Fault;
use countersign_integration::embedded::machine::FakeMachine;
use countersign_integration::embedded::server::{FakeFleet, FakeRunner, key_of};
use countersign_integration::embedded::site::{observer_key, observer_public_key};
use countersign_shared::ssh::host_keys::HostKeys;
use countersign_shared::ssh::{Attempt, Connector, ConnectorConfig, Endpoint, Finding, Identity, Target};
use russh::keys::PrivateKey;
use russh::keys::ssh_key::LineEnding;
use std::fs::Permissions;
use std::io::ErrorKind;
use std::os::unix::fs::PermissionsExt as _;
use std::sync::Arc;
use std::time::Duration;

/// Far more than any answer.
const MOST: usize = 16 << 20;
const NOW: i64 = 1_795_163_400;
const REQUEST: &[u8] = b"countersign-probe/1 request\nnonce 000102030405060708090a0b0c0d0e0f\nend\n";

/// One runner with a fault.
async fn one(fault: Option<Fault>) -> FakeFleet {
    let machine = FakeMachine::new(catalog(FULL_SIZE), RUNNING_KERNEL, NOW);
    let runner = FakeRunner { name: "runner-01".to_owned(), answers: FakeAnswers::of(&machine), fault, warden: None };
    FakeFleet::start(vec![runner], observer_public_key()).await.unwrap()
}

async fn hear_with(fleet: &FakeFleet, key: PrivateKey) -> Result<Heard, Unheard> {
    let runner = &fleet.runners[0];
    let config = Arc::new(russh::client::Config::default());
    ask(runner.address, &runner.host_key, &Arc::new(key), &config, REQUEST, Some(MOST)).await
}

async fn hear(fault: Option<Fault>) -> Result<Heard, Unheard> {
    hear_with(&one(fault).await, observer_key()).await
}

#[tokio::test]
async fn a_sound_runner_answers_in_full_and_the_same_each_time() {
    let first = hear(None).await.unwrap();
    let second = hear(None).await.unwrap();
    assert_eq!(first.status, Some(0));
    assert_eq!(first.output, second.output);
    let text = String::from_utf8(first.output).unwrap();
    let rows = text.lines().filter(|row| row.split('\t').count() == 13);
    assert_eq!(rows.count(), FULL_SIZE);
}

#[tokio::test]
async fn only_the_observers_key_gets_in() {
    let fleet = one(None).await;
    let heard = hear_with(&fleet, key_of("somebody else")).await;
    assert!(matches!(heard, Err(Unheard::Refused)), "{heard:?}");
}

#[tokio::test]
async fn each_fault_is_what_its_name_says() {
    let whole = hear(None).await.unwrap().output;

    let refused = hear(Some(Fault::Refuse)).await.unwrap_err();
    assert!(
        matches!(&refused, Unheard::Ssh(russh::Error::IO(e)) if e.kind() == ErrorKind::ConnectionRefused),
        "{refused:?}"
    );
    assert!(matches!(hear(Some(Fault::WrongHostKey)).await, Err(Unheard::HostKey)));
    assert!(matches!(hear(Some(Fault::AuthRefused)).await, Err(Unheard::Refused)));
    assert!(hear(Some(Fault::NotSsh)).await.is_err());

    let cut = hear(Some(Fault::Truncate(1000))).await.unwrap();
    assert_eq!((cut.output.as_slice(), cut.status), (&whole[..1000], Some(0)));

    let noisy = hear(Some(Fault::Noise)).await.unwrap();
    assert!(noisy.output.ends_with(&whole) && noisy.output.len() > whole.len());

    let garbage = hear(Some(Fault::Garbage)).await.unwrap();
    assert!(std::str::from_utf8(&garbage.output).is_err());

    assert_eq!(hear(Some(Fault::ExitStatus)).await.unwrap().status, Some(1));
    assert_eq!(hear(Some(Fault::NoExitStatus)).await.unwrap().status, None);

    let dropped = hear(Some(Fault::Drop(1000))).await;
    assert!(!matches!(&dropped, Ok(heard) if heard.status.is_some()), "{dropped:?}");
}

#[tokio::test]
async fn the_key_gets_the_probe_and_nothing_else() {
    let fleet = one(None).await;
    let runner = &fleet.runners[0];
    let dir = tempfile::tempdir().unwrap();
    let key = dir.path().join("key");
    std::fs::write(&key, observer_key().to_openssh(LineEnding::LF).unwrap()).unwrap();
    std::fs::set_permissions(&key, Permissions::from_mode(0o600)).unwrap();
    let connector = Connector::new(ConnectorConfig::new(Identity::from_files(&key, None).unwrap()));
    let host_key = runner.host_key.to_openssh().unwrap();
    let endpoint = Endpoint {
        address: runner.address.ip().to_string(),
        port: runner.address.port(),
        user: "countersign-observer".to_owned(),
        host_keys: Arc::new(HostKeys::new([host_key.as_str()], None).unwrap()),
    };
    let target = Target { name: "runner-01".to_owned(), endpoint, bastion: None };
    let session = connector.connect(&target).await.unwrap();
    let attempts = Attempt::all(runner.address.port());
    for (attempt, finding) in session.reach(&attempts, Duration::from_secs(30)).await {
        match finding {
            Finding::Refused => {}
            Finding::Answered(answer) => {
                let answer = String::from_utf8(answer).unwrap();
                assert!(answer.starts_with("countersign-probe/1 error request"), "{attempt:?}: {answer}");
            }
            other => panic!("{attempt:?}: {other:?}"),
        }
    }
}

#[tokio::test(start_paused = true)]
async fn silent_hanging_and_stalling_runners_never_end_by_themselves() {
    for fault in [Fault::Silent, Fault::Hang, Fault::Stall(1000)] {
        let fleet = one(Some(fault)).await;
        let heard = tokio::time::timeout(Duration::from_secs(3600), hear_with(&fleet, observer_key())).await;
        assert!(heard.is_err(), "{fault:?} ended: {heard:?}");
    }
}

#[tokio::test]
async fn a_flood_goes_on_for_longer_than_any_answer() {
    let heard = hear(Some(Fault::Flood)).await.unwrap();
    assert!(heard.output.len() >= MOST && heard.status.is_none());
}
