//! Tries whether a credential could write, without writing: asks for receive-pack and looks at what answers.

use super::error::GitError;
use super::history::CommitId;
use super::mirror::{Mirror, classify};
use super::remote::{Kind, Reference, Remote};
use super::transport::{self, Ended, Verb};

/// What the remote did when it was asked to receive.
#[derive(Debug)]
pub enum WriteAnswer {
    /// receive-pack answered: this credential can write.
    Receives,
    /// The remote was reached, knew the credential, and refused; the text is its message, escaped.
    Refused(String),
    /// Nothing is known: no connection, or an answer that proves neither.
    Unknown(GitError),
}

impl Mirror {
    /// Asks `remote` for receive-pack by a dry run that would create `probe` at `object`.
    ///
    /// Not for local paths, where receive-pack answers whoever can read.
    pub fn probe_write(&self, remote: &Remote, object: CommitId, probe: &Reference) -> WriteAnswer {
        let object = object.to_string();
        let verb = Verb::RefusedPush { object: &object, to: probe };
        match transport::run(self.path(), remote, verb) {
            Ok(ended) => judge(remote, &ended),
            Err(error) => WriteAnswer::Unknown(error),
        }
    }
}

/// Pure: git's packets, ssh's log and the exit status in, the answer out.
fn judge(remote: &Remote, ended: &Ended) -> WriteAnswer {
    if receive_pack_answered(&ended.stderr) {
        return WriteAnswer::Receives;
    }
    let detail = transport::shown(&ended.stderr, remote);
    let refused = match remote.url.kind() {
        Kind::Ssh => ssh_refused(&ended.stderr),
        // An ERR packet is the daemon's own word.
        Kind::Daemon => ended.stderr.contains("fatal: remote error: "),
        Kind::Http => http_refused(&ended.stderr),
        Kind::Local(_) => false,
    };
    if refused {
        return WriteAnswer::Refused(detail);
    }
    // A dry run that went well against something that is no receive-pack: a forced command answered with upload-pack.
    if upload_pack_answered(&ended.stderr) {
        return WriteAnswer::Refused("another service than receive-pack answered".to_owned());
    }
    if ended.success {
        // Cannot be explained, so it is taken for the worse.
        return WriteAnswer::Receives;
    }
    WriteAnswer::Unknown(classify(remote, None, ended))
}

/// The capabilities in the first reference that the remote advertised, as git traces the packet.
fn capabilities(stderr: &str) -> Option<&str> {
    stderr
        .lines()
        .filter_map(|line| line.trim_start().strip_prefix("packet:"))
        .filter_map(|line| line.split_once("push< ").map(|(_, packet)| packet))
        .find_map(|packet| packet.split_once("\\0").map(|(_, capabilities)| capabilities))
}

/// gitprotocol-capabilities(5): only receive-pack says `report-status` or `delete-refs`.
fn receive_pack_answered(stderr: &str) -> bool {
    capabilities(stderr)
        .is_some_and(|text| text.split(' ').any(|c| matches!(c, "report-status" | "report-status-v2" | "delete-refs")))
}

/// gitprotocol-capabilities(5): only upload-pack says these.
fn upload_pack_answered(stderr: &str) -> bool {
    capabilities(stderr).is_some_and(|text| {
        text.split(' ').any(|c| matches!(c, "multi_ack" | "multi_ack_detailed" | "thin-pack" | "shallow"))
    })
}

/// Authenticated, and then the command was refused or ended in failure. A connection that broke is neither.
fn ssh_refused(stderr: &str) -> bool {
    let let_in = stderr.contains("Authenticated to ");
    let exec_refused = stderr.contains("exec request failed on channel");
    let failed = stderr.lines().any(|line| {
        line.trim()
            .strip_prefix("debug1: Exit status ")
            .and_then(|status| status.parse::<i32>().ok())
            .is_some_and(|status| status > 0)
    });
    let_in && (exec_refused || failed)
}

/// 401, 403, 404 or 405 for the receive-pack service; git answers 401 by asking for a name.
fn http_refused(stderr: &str) -> bool {
    [
        "returned error: 401",
        "returned error: 403",
        "returned error: 404",
        "returned error: 405",
        "could not read Username",
        "Authentication failed",
        "' not found",
    ]
    .iter()
    .any(|needle| stderr.contains(needle))
}
