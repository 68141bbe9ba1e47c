//! What the observer's key reaches on a runner besides the probe, tried at full readings.
//!
//! Tunnels (`ssh -w`) are not tried: they need root on both sides, and the account is proven not to be root.

use super::{Code, Violation};
use std::collections::BTreeMap;

/// A way into a runner that the key must not open.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Way {
    /// A shell.
    Shell,
    /// Another command than the probe.
    Exec,
    /// The sftp subsystem.
    Sftp,
    /// A terminal.
    Pty,
    /// TCP connections from the runner (`direct-tcpip`, `ssh -L`).
    TcpOut,
    /// Listening TCP ports on the runner (`tcpip-forward`, `ssh -R`).
    TcpIn,
    /// Connections to unix sockets of the runner (`direct-streamlocal`).
    SocketOut,
    /// Listening unix sockets on the runner (`streamlocal-forward`).
    SocketIn,
    /// The agent.
    Agent,
    /// X11.
    X11,
}

impl Way {
    /// All that are tried.
    pub const ALL: [Way; 10] = [
        Way::Shell,
        Way::Exec,
        Way::Sftp,
        Way::Pty,
        Way::TcpOut,
        Way::TcpIn,
        Way::SocketOut,
        Way::SocketIn,
        Way::Agent,
        Way::X11,
    ];

    /// For people.
    pub const fn as_str(self) -> &'static str {
        match self {
            Way::Shell => "a shell",
            Way::Exec => "another command",
            Way::Sftp => "sftp",
            Way::Pty => "a terminal",
            Way::TcpOut => "TCP forwarding",
            Way::TcpIn => "remote TCP forwarding",
            Way::SocketOut => "unix socket forwarding",
            Way::SocketIn => "remote unix socket forwarding",
            Way::Agent => "agent forwarding",
            Way::X11 => "X11 forwarding",
        }
    }

    /// The code when it is open.
    pub const fn code(self) -> Code {
        match self {
            Way::Shell | Way::Exec | Way::Sftp | Way::Pty => Code::PlainExec,
            _ => Code::ForwardingOpen,
        }
    }

    /// Whether sshd runs a forced command in its place.
    const fn runs_the_forced_command(self) -> bool {
        matches!(self, Way::Shell | Way::Exec | Way::Sftp)
    }
}

/// What the runner answered.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Answer {
    /// The server refused.
    Refused,
    /// It is open.
    Granted,
    /// The probe ran in its place.
    ProbeAnswered,
    /// Not tried, or the answer was lost.
    Unknown,
}

/// Judges the answers. A way without an answer counts as unknown.
pub fn judge(answers: &BTreeMap<Way, Answer>) -> Vec<Violation> {
    let mut open: BTreeMap<Code, Vec<&str>> = BTreeMap::new();
    for way in Way::ALL {
        let code = match answers.get(&way).copied().unwrap_or(Answer::Unknown) {
            Answer::Refused => continue,
            Answer::ProbeAnswered if way.runs_the_forced_command() => continue,
            Answer::Granted => way.code(),
            Answer::ProbeAnswered | Answer::Unknown => Code::KeyUnproven,
        };
        open.entry(code).or_default().push(way.as_str());
    }
    open.into_iter()
        .map(|(code, ways)| {
            let ways = ways.join(", ");
            let message = match code {
                Code::KeyUnproven => format!("whether the key gets {ways} was not found out"),
                _ => format!("the key gets {ways}"),
            };
            Violation::new(code, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bound() -> BTreeMap<Way, Answer> {
        Way::ALL
            .into_iter()
            .map(|w| (w, if w.runs_the_forced_command() { Answer::ProbeAnswered } else { Answer::Refused }))
            .collect()
    }

    #[test]
    fn a_key_that_gets_the_probe_alone_passes() {
        assert!(judge(&bound()).is_empty());
        assert!(judge(&Way::ALL.into_iter().map(|w| (w, Answer::Refused)).collect()).is_empty());
    }

    #[test]
    fn each_open_way_is_a_violation_and_named() {
        for way in Way::ALL {
            let mut answers = bound();
            answers.insert(way, Answer::Granted);
            let violations = judge(&answers);
            assert_eq!(violations.len(), 1);
            assert_eq!(violations[0].code, way.code());
            assert!(violations[0].message.contains(way.as_str()));
        }
    }

    #[test]
    fn what_was_not_tried_is_no_pass() {
        for way in Way::ALL {
            for answer in [None, Some(Answer::Unknown)] {
                let mut answers = bound();
                answers.remove(&way);
                answers.extend(answer.map(|a| (way, a)));
                assert_eq!(judge(&answers)[0].code, Code::KeyUnproven, "{way:?} {answer:?}");
            }
        }
        // No forwarding ends in the probe: whoever says so has measured something else.
        let mut answers = bound();
        answers.insert(Way::TcpOut, Answer::ProbeAnswered);
        assert_eq!(judge(&answers)[0].code, Code::KeyUnproven);
    }
}
