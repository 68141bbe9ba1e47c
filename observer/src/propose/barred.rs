//! What the sequence guard found stands in the way of proposals.

use crate::guard::{Code, RESETS};
use countersign_manifests_schema::report::Guard;
use countersign_shared::proposal::{Block, Blocked};

/// Why nothing is proposed on a runner; a finding that names no runner is about all of them.
pub fn barred(runner: &str, guards: &[Guard]) -> Option<Blocked> {
    let is_here = |guard: &&Guard| guard.runners.is_empty() || guard.runners.iter().any(|name| name == runner);
    let serious = |guard: &Guard| Code::parse(&guard.code).filter(|code| code.is_serious());
    let code = guards.iter().filter(is_here).find_map(serious)?;
    let message =
        format!("the sequence guard found {code}: a commit of canonical that says `{RESETS} {code}` ends this");
    Some(Blocked::new(Block::Policy, message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_serious_finding_bars_the_runners_that_it_names_or_all() {
        for code in Code::ALL {
            let guard = |runners: &[&str]| {
                let runners = runners.iter().map(|name| (*name).to_owned()).collect();
                [Guard { code: code.to_string(), message: String::new(), runners, since_run: None }]
            };
            for (runners, hit) in [(&["r1"][..], true), (&["r2"], false), (&["r1", "r2"], true), (&[], true)] {
                let bar = barred("r1", &guard(runners));
                assert_eq!(bar.is_some(), hit && code.is_serious(), "{code} {runners:?}");
                assert!(bar.is_none_or(|bar| bar.message.contains(code.as_str()) && bar.code == Block::Policy));
            }
        }
    }
}
