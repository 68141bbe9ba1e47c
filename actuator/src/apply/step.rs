//! Every boundary between two steps of an application, by name. A test build (feature `faults`) can be stopped, or lose
//! its connection, at each of them; in every other build this is nothing.

use crate::breaker::is_missing;

/// A boundary: what was done just before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// The runner was reached.
    Connected,
    /// The key was found to get nothing but the warden.
    Bounded,
    /// The warden has said what the runner is.
    Inspected,
    /// The warden has staged it.
    Staged,
    /// The start is in the ledger.
    Recorded,
    /// Every gate was asked again.
    Checked,
    /// The notary has said who is on duty; it is asked for the token next.
    OnDuty,
    /// The notary has burned it.
    Permitted,
    /// The warden has begun, and has not answered.
    UnderWay,
    /// The warden has said what came of it.
    Applied,
    /// We have looked ourselves.
    Looked,
    /// It is kept, or undone.
    Settled,
    /// The end is in the ledger.
    Ended,
    /// The notary knows the end.
    Reported,
}

impl Step {
    /// Every boundary, in order.
    pub const ALL: [Step; 14] = [
        Step::Connected,
        Step::Bounded,
        Step::Inspected,
        Step::Staged,
        Step::Recorded,
        Step::Checked,
        Step::OnDuty,
        Step::Permitted,
        Step::UnderWay,
        Step::Applied,
        Step::Looked,
        Step::Settled,
        Step::Ended,
        Step::Reported,
    ];

    /// Its name, as a fault names it.
    pub fn name(self) -> String {
        format!("{self:?}")
    }
}

/// What happens at a boundary.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Fate {
    /// Nothing.
    GoOn,
    /// The connection is lost.
    Lost,
}

/// Nothing happens.
#[cfg(not(feature = "faults"))]
pub(super) const fn at(_: Step) -> Fate {
    Fate::GoOn
}

/// Does once what `COUNTERSIGN_FAULT` says of this boundary: `STEP kill` ends the program as a power cut would, `STEP lose`
/// loses the connection, `STEP hold` makes the file that `COUNTERSIGN_FAULT_HELD` names and goes on when it is gone.
#[cfg(feature = "faults")]
pub(super) fn at(step: Step) -> Fate {
    use std::sync::atomic::{AtomicBool, Ordering};
    static SPENT: AtomicBool = AtomicBool::new(false);
    let Ok(text) = std::env::var("COUNTERSIGN_FAULT") else { return Fate::GoOn };
    let Some((name, action)) = text.split_once(' ') else { return Fate::GoOn };
    if name != step.name() || SPENT.swap(true, Ordering::SeqCst) {
        return Fate::GoOn;
    }
    // So that a test sees that it happened.
    tracing::error!("fault: {text}");
    match action {
        "kill" => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
            Fate::Lost
        }
        "hold" => {
            let Some(file) = std::env::var_os("COUNTERSIGN_FAULT_HELD") else { return Fate::GoOn };
            let _ = std::fs::write(&file, "");
            while std::path::Path::new(&file).exists() {
                std::thread::sleep(std::time::Duration::from_millis(2));
            }
            Fate::GoOn
        }
        _ => Fate::Lost,
    }
}

/// As it is.
#[cfg(not(feature = "faults"))]
pub(super) const fn patience(limit: std::time::Duration) -> std::time::Duration {
    limit
}

/// As many milliseconds as `COUNTERSIGN_FAULT_PATIENCE` says, where it says so.
#[cfg(feature = "faults")]
pub(super) fn patience(limit: std::time::Duration) -> std::time::Duration {
    let set = std::env::var("COUNTERSIGN_FAULT_PATIENCE").ok().and_then(|text| text.parse().ok());
    set.map_or(limit, std::time::Duration::from_millis)
}

/// Whether a start without an end counts as failed; both in Unix seconds.
pub(super) fn is_given_up(started: i64, now: i64) -> bool {
    // A test does not wait for an hour.
    let at_once = cfg!(feature = "faults") && std::env::var_os("COUNTERSIGN_FAULT_GIVEN_UP").is_some();
    at_once && started <= now || is_missing(started, now)
}

/// Never: nothing interrupts a request.
#[cfg(not(feature = "faults"))]
pub(super) async fn begun() {
    std::future::pending().await
}

/// Ends when the file that `COUNTERSIGN_FAULT_BEGUN` names is there and [`Step::UnderWay`] is where the fault is: the
/// warden of the test makes it when it has begun.
#[cfg(feature = "faults")]
pub(super) async fn begun() {
    let here = std::env::var("COUNTERSIGN_FAULT").is_ok_and(|text| text.starts_with("UnderWay "));
    let (true, Some(file)) = (here, std::env::var_os("COUNTERSIGN_FAULT_BEGUN")) else {
        return std::future::pending().await;
    };
    while !std::path::Path::new(&file).exists() {
        tokio::time::sleep(std::time::Duration::from_millis(2)).await;
    }
    if at(Step::UnderWay) == Fate::GoOn {
        std::future::pending().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_is_listed_once_and_in_order() {
        for (index, step) in Step::ALL.into_iter().enumerate() {
            assert_eq!(step as usize, index);
        }
        assert_eq!(Step::ALL.last(), Some(&Step::Reported), "the last one, so that a new one is not forgotten");
    }
}
