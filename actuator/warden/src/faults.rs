//! Every boundary between two steps that matter, by name. In the lab's build (feature `faults`) the program can be
//! stopped at each of them; in every other build this is nothing.

/// A boundary: what was done just before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Step {
    /// A bundle was judged.
    StageJudged,
    /// Everything was fetched and checked.
    StageFetched,
    /// The staging is written, not yet in its place.
    StageWritten,
    /// Token and machine were judged, the nonce is used up.
    ApplyChecked,
    /// What an undo needs is written.
    ApplyJournalled,
    /// The proposal is spent.
    ApplyMarked,
    /// The undo is armed.
    ApplyArmed,
    /// The runner is out of use.
    ApplyDrained,
    /// A snapshot was taken, where there are any.
    ApplySnapshot,
    /// The machine was looked at again, and dnf is about to begin.
    ApplyBegun,
    /// dnf has ended.
    ApplyReplayed,
    /// The outcome was judged good.
    ApplyJudged,
    /// It is written down that it waits for its confirmation.
    ApplyWaiting,
    /// The confirmation was judged.
    ConfirmJudged,
    /// It is written down that it is kept.
    ConfirmKept,
    /// An undo knows what to do.
    UndoPlanned,
    /// dnf has ended.
    UndoReplayed,
    /// The former state was found again.
    UndoJudged,
    /// It is written down.
    UndoWritten,
}

/// Every boundary, in order.
#[cfg(test)]
pub(crate) const ALL: [Step; 19] = [
    Step::StageJudged,
    Step::StageFetched,
    Step::StageWritten,
    Step::ApplyChecked,
    Step::ApplyJournalled,
    Step::ApplyMarked,
    Step::ApplyArmed,
    Step::ApplyDrained,
    Step::ApplySnapshot,
    Step::ApplyBegun,
    Step::ApplyReplayed,
    Step::ApplyJudged,
    Step::ApplyWaiting,
    Step::ConfirmJudged,
    Step::ConfirmKept,
    Step::UndoPlanned,
    Step::UndoReplayed,
    Step::UndoJudged,
    Step::UndoWritten,
];

/// Nothing happens.
#[cfg(not(feature = "faults"))]
pub(crate) const fn at(_: Step) {}

/// Does what the lab's file says of this boundary, once: `STEP kill` ends the program as a power cut would, `STEP hold`
/// waits until the file `held` beside it is gone.
#[cfg(feature = "faults")]
pub(crate) fn at(step: Step) {
    use std::fs;
    const FILE: &str = "/run/countersign-fault";
    const HELD: &str = "/run/countersign-fault.held";
    let Ok(text) = fs::read_to_string(FILE) else { return };
    let Some((name, action)) = text.trim().split_once(' ') else { return };
    if name != format!("{step:?}") {
        return;
    }
    let _ = fs::remove_file(FILE);
    match action {
        "kill" => {
            let _ = rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL);
        }
        _ => {
            let _ = fs::write(HELD, "");
            while fs::metadata(HELD).is_ok() {
                std::thread::sleep(std::time::Duration::from_millis(10));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_boundary_is_listed_once() {
        let names: std::collections::BTreeSet<String> = ALL.iter().map(|step| format!("{step:?}")).collect();
        assert_eq!(names.len(), ALL.len());
        assert_eq!(ALL.last(), Some(&Step::UndoWritten), "the last one, so that a new one is not forgotten");
        assert_eq!(Step::UndoWritten as usize + 1, ALL.len());
    }
}
