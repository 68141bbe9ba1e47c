//! In how many consecutive observations an item was seen.

use crate::history::{HistoryError, Run, Store};
use countersign_manifests_schema::report::DriftItem;
use countersign_shared::proposal::Standing;

/// For each item: whether it is waived, and in how many consecutive observations of the runner it was seen, this one
/// included; counted no further than `most`.
pub fn standings(
    store: &Store,
    run: &Run,
    runner: &str,
    items: &[DriftItem],
    most: u32,
) -> Result<Vec<Standing>, HistoryError> {
    let mut standings: Vec<Standing> =
        items.iter().map(|item| Standing { waived: item.waived.is_some(), observations: 1 }).collect();
    let mut at = run.clone();
    for seen in 1..most {
        if !standings.iter().any(|standing| standing.observations == seen) {
            break;
        }
        let Some(earlier) = store.previous(&at, runner)? else { break };
        for (item, standing) in items.iter().zip(&mut standings) {
            let same =
                |old: &DriftItem| (&old.code, &old.package, &old.arch) == (&item.code, &item.package, &item.arch);
            if standing.observations == seen && earlier.items.iter().any(same) {
                standing.observations += 1;
            }
        }
        at = Run { id: earlier.run, ..at };
    }
    Ok(standings)
}
