//! A proposal, and bundles over it.

use super::NOW;
use super::keys::Keys;
use countersign_manifests_schema::bundle::{APPROVE_NAMESPACE, BUNDLE_SCHEMA, Bundle, SignedText, Statement};
use countersign_manifests_schema::lease::{LEASE_NAMESPACE, LEASE_SCHEMA, Lease};
use countersign_manifests_schema::proposal::Proposal;
use countersign_manifests_schema::token::{TOKEN_NAMESPACE, TOKEN_SCHEMA, Token};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::people::People;
use countersign_shared::canonical_json::{sha256, to_bytes};
use countersign_shared::proposal::Sealed;
use serde::Serialize;
use serde_json::json;

/// RFC 3339 of [`NOW`] and `seconds` more.
pub(crate) fn at(seconds: i64) -> String {
    jiff::Timestamp::from_second(NOW + seconds).unwrap().to_string()
}

/// Removes one package from a runner; made an hour ago, runs out in a week.
pub(crate) fn proposal(runner: &str) -> Proposal {
    serde_json::from_value(json!({
        "schema": "countersign/proposal/1",
        "runner": runner,
        "created": at(-3600),
        "expires": at(7 * 24 * 3600 - 3600),
        "renderer": 1,
        "observer": {"version": "0.1.0"},
        "canonical": {"commit": "ab".repeat(20), "manifest_digest": "01".repeat(32)},
        "base": {"digest": "02".repeat(32), "set_digest": "03".repeat(32), "observed_at": at(-3700)},
        "drift": [{
            "code": "unwanted", "package": "htop", "arch": "x86_64", "wanted": "absent",
            "seen": ["htop-3.3.0-4.fc41.x86_64"], "since": null, "by": null, "spec_changed": null, "file": null,
            "reason": null,
        }],
        "transaction": {"generation": 5, "rpms": [{
            "nevra": "htop-3.3.0-4.fc41.x86_64", "action": "Remove", "reason": "User", "repo_id": "@System",
            "sha256": null, "asserted": false,
        }]},
        "predicted": {"set_digest": "04".repeat(32)},
        "way_back": {"kind": "packages", "missing": []},
        "risk": {"removals": 1, "downgrades": 0, "protected": []},
    }))
    .unwrap()
}

pub(crate) fn sealed(runner: &str) -> Sealed {
    Sealed::new(proposal(runner)).unwrap()
}

/// The line by which a merge approves it.
pub(crate) fn line(sealed: &Sealed) -> String {
    format!("Countersign-Approves: {} sha256:{}", sealed.proposal().runner, sealed.id())
}

/// The payload of a merge with this message.
pub(crate) fn merge(message: &str) -> String {
    let id = "4b825dc642cb6eb9a060e54bf8d69288fbee4904";
    format!(
        "tree {id}\nparent {id}\nparent {id}\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nMerge\n\n{message}\n"
    )
}

/// A list of allowed signers of these names.
pub(crate) fn listed(keys: &Keys, names: &[&str]) -> AllowedSigners {
    let text: String = names.iter().map(|name| format!("{name}@example.org {}\n", keys.public(name))).collect();
    AllowedSigners::parse(&text).unwrap()
}

/// These people, software keys allowed.
pub(crate) fn people(listed: &AllowedSigners) -> People<'_> {
    People { listed, bots: &[], revoked: &[], require_touch: false, now: NOW }
}

/// A signature over the proposal's bytes.
pub(crate) fn signature(keys: &Keys, name: &str, sealed: &Sealed) -> Statement {
    Statement::Signature { signature: keys.sign(name, APPROVE_NAMESPACE, sealed.bytes()) }
}

/// A signed merge.
pub(crate) fn signed_merge(keys: &Keys, name: &str, payload: String) -> Statement {
    let signature = keys.sign(name, "git", payload.as_bytes());
    Statement::Merge { payload, signature }
}

/// Canonical JSON, signed.
pub(crate) fn signed<T: Serialize>(keys: &Keys, name: &str, namespace: &str, content: &T) -> SignedText {
    let text = String::from_utf8(to_bytes(content).unwrap()).unwrap();
    SignedText { signature: keys.sign(name, namespace, text.as_bytes()), text }
}

/// A lease of half an hour, five minutes old.
pub(crate) fn lease(sealed: &Sealed) -> Lease {
    Lease {
        schema: LEASE_SCHEMA.to_owned(),
        nonce: "aa".repeat(32),
        proposals: vec![sealed.id().to_owned()],
        max: 1,
        reason: "on duty".to_owned(),
        issued: at(-300),
        expires: at(1500),
    }
}

/// A token of ten minutes, one minute old.
pub(crate) fn token(sealed: &Sealed, lease: &SignedText) -> Token {
    Token {
        schema: TOKEN_SCHEMA.to_owned(),
        proposal: sealed.id().to_owned(),
        runner: sealed.proposal().runner.clone(),
        nonce: "bb".repeat(32),
        staged: "cc".repeat(32),
        lease: sha256(lease.text.as_bytes()),
        issued: at(-60),
        expires: at(540),
    }
}

/// A bundle with these statements, sorted, and neither lease nor token.
pub(crate) fn bundle(sealed: &Sealed, mut statements: Vec<Statement>) -> Bundle {
    statements.sort();
    Bundle {
        schema: BUNDLE_SCHEMA.to_owned(),
        proposal: String::from_utf8(sealed.bytes().to_vec()).unwrap(),
        statements,
        lease: None,
        token: None,
    }
}

/// The whole of it: Ada's merge, Ben's signature, Ada's lease, and the token of the key `notary`.
pub(crate) fn whole(keys: &Keys, sealed: &Sealed) -> Bundle {
    let statements = vec![signed_merge(keys, "ada", merge(&line(sealed))), signature(keys, "ben", sealed)];
    let lease = signed(keys, "ada", LEASE_NAMESPACE, &lease(sealed));
    let token = signed(keys, "notary", TOKEN_NAMESPACE, &token(sealed, &lease));
    Bundle { lease: Some(lease), token: Some(token), ..bundle(sealed, statements) }
}

/// Another proposal for the same runner.
pub(crate) fn later(runner: &str) -> Sealed {
    let mut proposal = proposal(runner);
    proposal.observer.version = "0.2.0".to_owned();
    Sealed::new(proposal).unwrap()
}
