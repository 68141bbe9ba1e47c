//! `no-token`: none, used, foreign, or late.

use super::Verdict;
use crate::facts::{Facts, TokenFact};

pub(super) fn judge(facts: &Facts<'_>) -> Verdict {
    match facts.token {
        TokenFact::NotYet => Verdict::Skipped("a token is drawn right before it is used".to_owned()),
        TokenFact::Held => Verdict::pass("the notary has signed a token for it"),
        TokenFact::None(why) => Verdict::refuse(why),
    }
}
