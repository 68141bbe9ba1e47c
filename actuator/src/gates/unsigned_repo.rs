//! `unsigned-repo`: packages without a checked signature. The runner itself checks each file.

use super::Verdict;
use crate::facts::Facts;

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    super::staged(facts, "the runner has checked the signature of each package")
}
