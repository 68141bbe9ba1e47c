//! What our key gets on a runner besides the warden: tried on the connection on which the warden is asked.

use crate::config::{Accept, Trust};
use countersign_manifests_schema::report::Notice;
use countersign_shared::observation::Failure;
use countersign_shared::ssh::{Attempt, Finding, Session};
use countersign_shared::warden::ANSWER_MAGIC;
use std::time::Duration;

/// Tries every way. What is let pass is a notice; anything else that is open, or was not found out, is a failure.
pub(super) async fn prove(
    session: &Session,
    port: u16,
    timeout: Duration,
    trust: &Trust,
) -> Result<Vec<Notice>, Failure> {
    // Environment variables are no way in: the warden takes nothing from them.
    let attempts: Vec<Attempt> =
        Attempt::all(port).into_iter().filter(|attempt| !matches!(attempt, Attempt::Environment(_))).collect();
    judge(&session.reach(&attempts, timeout).await, trust)
}

fn judge(findings: &[(Attempt, Finding)], trust: &Trust) -> Result<Vec<Notice>, Failure> {
    let mut notices = Vec::new();
    for code in ["plain-exec", "forwarding-open", "key-unproven"] {
        let ways: Vec<&str> =
            findings.iter().filter(|(attempt, finding)| violated(attempt, finding) == Some(code)).map(name).collect();
        if ways.is_empty() {
            continue;
        }
        let message = match code {
            "key-unproven" => format!("whether our key gets {} was not found out", ways.join(", ")),
            _ => format!("our key gets {}", ways.join(", ")),
        };
        if code == "key-unproven" || !trust.accepts(Accept::PlainExec) {
            return Err(Failure::new(code, message));
        }
        notices.push(Notice { code: code.to_owned(), message });
    }
    Ok(notices)
}

fn violated(attempt: &Attempt, finding: &Finding) -> Option<&'static str> {
    let runs = matches!(attempt, Attempt::Shell | Attempt::Exec | Attempt::Sftp);
    match finding {
        Finding::Refused => None,
        Finding::Answered(said) if runs && said.starts_with(ANSWER_MAGIC.as_bytes()) => None,
        Finding::Unknown(_) => Some("key-unproven"),
        Finding::Granted | Finding::Answered(_) if runs || matches!(attempt, Attempt::Pty) => Some("plain-exec"),
        Finding::Granted | Finding::Answered(_) => Some("forwarding-open"),
    }
}

fn name((attempt, _): &(Attempt, Finding)) -> &'static str {
    match attempt {
        Attempt::Shell => "a shell",
        Attempt::Exec => "another command",
        Attempt::Sftp => "sftp",
        Attempt::Pty => "a terminal",
        Attempt::Environment(_) => "environment variables",
        Attempt::TcpConnect { .. } => "TCP forwarding",
        Attempt::TcpListen => "remote TCP forwarding",
        Attempt::SocketConnect { .. } => "unix socket forwarding",
        Attempt::SocketListen { .. } => "remote unix socket forwarding",
        Attempt::Agent => "agent forwarding",
        Attempt::X11 => "X11 forwarding",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn trust(accept: Vec<Accept>) -> Trust {
        Trust { approvers: "approvers".into(), revoked: None, accept }
    }

    fn bound() -> Vec<(Attempt, Finding)> {
        let answer = format!("{ANSWER_MAGIC} 2 00\n{{}}");
        let finding = |attempt: &Attempt| match attempt {
            Attempt::Shell | Attempt::Exec | Attempt::Sftp => Finding::Answered(answer.clone().into_bytes()),
            _ => Finding::Refused,
        };
        Attempt::all(22).into_iter().map(|attempt| (attempt.clone(), finding(&attempt))).collect()
    }

    #[test]
    fn a_key_that_gets_the_warden_alone_passes() {
        assert_eq!(judge(&bound(), &trust(Vec::new())), Ok(Vec::new()));
        let refused: Vec<_> = bound().into_iter().map(|(attempt, _)| (attempt, Finding::Refused)).collect();
        assert_eq!(judge(&refused, &trust(Vec::new())), Ok(Vec::new()));
    }

    #[test]
    fn each_open_way_is_named_and_what_was_not_found_out_is_no_pass() {
        for index in 0..bound().len() {
            let mut findings = bound();
            findings[index].1 = Finding::Granted;
            let failure = judge(&findings, &trust(Vec::new())).unwrap_err();
            assert!(failure.message.contains(name(&findings[index])), "{failure:?}");
            assert_eq!(judge(&findings, &trust(vec![Accept::PlainExec])).unwrap().len(), 1);
            findings[index].1 = Finding::Unknown(countersign_shared::ssh::RemoteText::new("late"));
            let failure = judge(&findings, &trust(vec![Accept::PlainExec])).unwrap_err();
            assert_eq!(failure.code, "key-unproven");
        }
        let mut findings = bound();
        findings[0].1 = Finding::Answered(b"Welcome!".to_vec());
        assert_eq!(judge(&findings, &trust(Vec::new())).unwrap_err().code, "plain-exec");
    }
}
