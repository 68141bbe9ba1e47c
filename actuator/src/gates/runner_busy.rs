//! `runner-busy`: its `busy` program says so, or an application on it is not finished.

use super::Verdict;
use crate::facts::Facts;
use countersign_manifests_schema::warden::Stage;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    let answered = match facts.answered() {
        Ok(answered) => answered,
        Err(why) => return Verdict::Skipped(why),
    };
    if let Some(why) = &answered.inspection.busy {
        return Verdict::refuse(why);
    }
    match &answered.inspection.last {
        Some(last) if matches!(last.stage, Stage::Started | Stage::Unconfirmed) => {
            Verdict::refuse(format!("the application of {} is not finished", last.proposal))
        }
        _ => Verdict::pass("not in use"),
    }
}
