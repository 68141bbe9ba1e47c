//! `transaction-differs`: the runner resolves anything else than the approved set. The runner itself compares: NEVRA,
//! action, reason, sha256, repository.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    super::staged(facts, "the runner resolves exactly the approved set")
}
