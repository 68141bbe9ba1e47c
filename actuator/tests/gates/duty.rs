//! The same questions, put to the real notary.

use super::repositories::git;
use super::stage::Stage;
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::notary::{NotaryAnswer, NotaryRequest};
use countersign_notary::clock::SystemTime;
use countersign_notary::config::Config;
use countersign_notary::desk::{Desk, Surroundings};
use countersign_notary::{serve, socket};
use countersign_shared::canonical_json::to_bytes;
use countersign_shared::notary::ask;
use countersign_shared::proposal::Sealed;
use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(30);

impl Stage {
    /// The real notary in the place of the one that says what it is told. It ends with the test's process.
    fn real_notary(&self) -> PathBuf {
        let dir = self.at("notary");
        fs::create_dir(&dir).unwrap();
        fs::set_permissions(&dir, fs::Permissions::from_mode(0o700)).unwrap();
        let uid = fs::metadata(&dir).unwrap().uid();
        fs::copy(self.key("ledger"), dir.join("key")).unwrap();
        fs::copy(self.at("approvers"), dir.join("approvers")).unwrap();
        let text = format!(
            "socket = \"notary.sock\"\nstate_dir = \"state\"\nsigning_key = \"key\"\napprovers = \"approvers\"\n\
             operators = [\"uid:{uid}\"]\nactuator_uid = 4242424\nrequire_touch = false\n"
        );
        fs::write(dir.join("notary.toml"), text).unwrap();
        let config = Config::load(&dir.join("notary.toml")).unwrap();
        let path = config.socket.clone();
        let desk = Desk::open(config, Surroundings { time: Box::new(SystemTime), watch: None }).unwrap();
        let listener = socket::listen(&path).unwrap();
        std::thread::spawn(move || serve::serve(&listener, &Arc::new(desk)));
        let text = fs::read_to_string(self.config()).unwrap();
        self.write("actuator.toml", &text.replace("\"notary.sock\"", "\"notary/notary.sock\""));
        path
    }

    /// A lease over the notary's own nonce.
    fn go_on_duty(&self, socket: &std::path::Path, sealed: &Sealed) -> NotaryAnswer {
        let NotaryAnswer::Nonce { nonce, issued, .. } = ask(socket, &NotaryRequest::Nonce {}, PATIENCE).unwrap() else {
            panic!("no nonce")
        };
        let at: jiff::Timestamp = issued.parse().unwrap();
        let lease = Lease {
            schema: LEASE_SCHEMA.to_owned(),
            nonce,
            proposals: vec![sealed.id().to_owned()],
            max: 1,
            reason: "drift on the builders".to_owned(),
            issued,
            expires: jiff::Timestamp::from_second(at.as_second() + 1_200).unwrap().to_string(),
        };
        let text = String::from_utf8(to_bytes(&lease).unwrap()).unwrap();
        let signature = self.signature("ada", LEASE_NAMESPACE, text.as_bytes());
        ask(socket, &NotaryRequest::Lease { lease: SignedText { text, signature } }, PATIENCE).unwrap()
    }
}

#[test]
fn the_real_notary_lets_pass_what_a_person_is_on_duty_for_until_it_is_halted() {
    let stage = Stage::new();
    let sealed = stage.merged();
    let socket = stage.real_notary();
    assert!(stage.refused(&sealed, "no-lease").contains("nobody is on duty"));
    assert_eq!(stage.go_on_duty(&socket, &sealed), NotaryAnswer::Done {});
    stage.ready(&sealed);
    let (status, document) = stage.json(&["halt", "llvm looks wrong"]);
    assert_eq!(status, 0, "{document}");
    fs::remove_file(stage.at("state/HALT")).unwrap();
    assert!(stage.refused(&sealed, "halted").contains("the notary: llvm looks wrong"));
    let (_, document) = stage.json(&["ledger", "verify"]);
    assert_eq!(document["witnesses"][0]["status"], "agrees", "{document}");
}

#[test]
fn a_lease_that_the_notary_took_is_still_judged_by_our_own_lists() {
    let stage = Stage::new();
    let sealed = stage.merged();
    stage.sign("bob", "countersign", "approvals", &sealed);
    let socket = stage.real_notary();
    stage.go_on_duty(&socket, &sealed);
    stage.ready(&sealed);
    // The notary's host is somebody else's: its list says what they want.
    stage.write("revoked", &format!("{}\n", stage.public("ada")));
    let text = fs::read_to_string(stage.config()).unwrap();
    stage.write("actuator.toml", &text.replace("[trust]\n", "[trust]\nrevoked = \"revoked\"\n"));
    // Canonical's first commit is ada's, and the anchor.
    assert_eq!(git(&stage.at("canonical.git"), &["rev-list", "--count", "main"]), "1");
    assert!(stage.refused(&sealed, "no-lease").contains("revoked"));
}
