//! What the key gets on a runner besides the probe, tried over the session that asks the runner.

use crate::privilege::reach::{Answer, Way};
use countersign_shared::ssh::{Attempt, Finding, Session};
use std::collections::BTreeMap;
use std::time::Duration;

/// First bytes of whatever the probe says.
const PROBE_SAYS: &[u8] = b"countersign-probe/";

/// Tries every way.
pub(super) async fn try_all(session: &Session, port: u16, timeout: Duration) -> BTreeMap<Way, Answer> {
    let attempts: Vec<_> = Attempt::all(port).into_iter().filter(|attempt| way(attempt).is_some()).collect();
    let findings = session.reach(&attempts, timeout).await;
    findings.into_iter().filter_map(|(attempt, finding)| Some((way(&attempt)?, answer(&finding)))).collect()
}

/// Whether a command of our choice runs. What a forced command says instead is not that.
pub(super) async fn runs_anything(session: &Session, timeout: Duration) -> bool {
    session.reach(&[Attempt::Exec], timeout).await.iter().any(|(_, finding)| *finding == Finding::Granted)
}

/// Environment variables are not a way in: the probe runs under `env -i`.
fn way(attempt: &Attempt) -> Option<Way> {
    Some(match attempt {
        Attempt::Shell => Way::Shell,
        Attempt::Exec => Way::Exec,
        Attempt::Sftp => Way::Sftp,
        Attempt::Pty => Way::Pty,
        Attempt::Environment(_) => return None,
        Attempt::TcpConnect { .. } => Way::TcpOut,
        Attempt::TcpListen => Way::TcpIn,
        Attempt::SocketConnect { .. } => Way::SocketOut,
        Attempt::SocketListen { .. } => Way::SocketIn,
        Attempt::Agent => Way::Agent,
        Attempt::X11 => Way::X11,
    })
}

fn answer(finding: &Finding) -> Answer {
    match finding {
        Finding::Refused => Answer::Refused,
        Finding::Granted => Answer::Granted,
        Finding::Answered(said) if said.starts_with(PROBE_SAYS) => Answer::ProbeAnswered,
        // Something else ran than what was asked for, and it is not the probe.
        Finding::Answered(_) => Answer::Granted,
        Finding::Unknown(_) => Answer::Unknown,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_way_is_tried() {
        let tried: std::collections::BTreeSet<_> = Attempt::all(22).iter().filter_map(way).collect();
        assert_eq!(tried, Way::ALL.into());
    }

    #[test]
    fn only_the_probes_own_words_count_as_the_probe() {
        let said = |text: &str| answer(&Finding::Answered(text.as_bytes().to_vec()));
        assert_eq!(said("countersign-probe/1 error request no request\n"), Answer::ProbeAnswered);
        assert_eq!(said("Welcome!\ncountersign-probe/1 error request\n"), Answer::Granted);
        assert_eq!(said(""), Answer::Granted);
    }
}
