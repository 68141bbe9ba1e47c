//! A socket on which a notary's state is answered, with leases that people have really signed.

use super::stage::Stage;
use countersign_manifests_schema::bundle::SignedText;
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::notary::{LeaseState, NotaryAnswer, NotaryRequest, NotaryState};
use countersign_shared::canonical_json;
use countersign_shared::proposal::Sealed;
use jiff::{Timestamp, ToSpan};
use std::io::{Read as _, Write as _};
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::{Arc, Mutex};

pub(crate) struct Notary {
    pub(crate) state: Arc<Mutex<NotaryState>>,
}

impl Notary {
    pub(crate) fn start(socket: &Path) -> Self {
        let listener = UnixListener::bind(socket).unwrap();
        let empty = NotaryState {
            halted: None,
            tripped: None,
            leases: Vec::new(),
            burned: Vec::new(),
            under_way: Vec::new(),
            tokens_today: 0,
            head: None,
            reset: None,
        };
        let state = Arc::new(Mutex::new(empty));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for mut stream in listener.incoming().flatten() {
                let mut line = Vec::new();
                stream.read_to_end(&mut line).unwrap();
                let mut state = shared.lock().unwrap();
                let answer = match canonical_json::from_bytes(&line, 1 << 20).unwrap() {
                    NotaryRequest::State {} => NotaryAnswer::State(state.clone()),
                    NotaryRequest::Halt { reason } => {
                        state.halted = Some(reason);
                        NotaryAnswer::Done {}
                    }
                    _ => NotaryAnswer::Refused { code: "request".to_owned(), message: "not here".to_owned() },
                };
                let _ = stream.write_all(&canonical_json::to_bytes(&answer).unwrap());
            }
        });
        Self { state }
    }

    pub(crate) fn set(&self, change: impl FnOnce(&mut NotaryState)) {
        change(&mut self.state.lock().unwrap());
    }
}

impl Stage {
    /// A lease for these proposals, for 20 minutes from now.
    pub(crate) fn lease(&self, who: &str, proposals: &[&Sealed]) {
        let ids = proposals.iter().map(|sealed| sealed.id().to_owned()).collect();
        self.lease_with(who, |lease| lease.proposals = ids, LEASE_NAMESPACE);
    }

    pub(crate) fn lease_with(&self, who: &str, edit: impl FnOnce(&mut Lease), namespace: &str) {
        let now = Timestamp::from_second(Timestamp::now().as_second()).unwrap();
        let mut lease = Lease {
            schema: LEASE_SCHEMA.to_owned(),
            nonce: "ab".repeat(32),
            proposals: Vec::new(),
            max: 1,
            reason: "drift on the builders".to_owned(),
            issued: now.to_string(),
            expires: now.checked_add(20.minutes()).unwrap().to_string(),
        };
        edit(&mut lease);
        lease.proposals.sort();
        let text = String::from_utf8(canonical_json::to_bytes(&lease).unwrap()).unwrap();
        let signature = self.signature(who, namespace, text.as_bytes());
        let lease = SignedText { text, signature };
        self.notary.set(|state| state.leases = vec![LeaseState { lease, by: format!("{who}@example.org"), drawn: 0 }]);
    }
}
