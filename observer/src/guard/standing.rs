//! Serious findings stand until people reset them: what one run found blocks proposals in the next ones as well.

use super::Code;
use countersign_manifests_schema::report::Guard;
use serde::Deserialize;
use std::collections::{BTreeMap, BTreeSet};

/// What stands in front of a code in the message of a commit of canonical by which people reset it.
pub const RESETS: &str = "Countersign-Resets:";

/// What an earlier report found.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub struct Found {
    /// Its run.
    pub run: String,
    /// The commit of canonical that it judged by.
    pub canonical_commit: String,
    /// Its findings.
    pub guards: Vec<Guard>,
}

impl Found {
    /// Whether anything of it may stand.
    pub fn has_serious(&self) -> bool {
        self.serious().next().is_some()
    }

    fn serious(&self) -> impl Iterator<Item = (Code, &Guard)> {
        let parsed = self.guards.iter().filter_map(|guard| Some((Code::parse(&guard.code)?, guard)));
        parsed.filter(|(code, _)| code.is_serious())
    }
}

/// The codes that a commit message resets. A line that is not exactly of the form counts for nothing.
pub fn reset_in(message: &str) -> Vec<Code> {
    message.lines().filter_map(|line| Code::parse(line.strip_prefix(RESETS)?.strip_prefix(' ')?)).collect()
}

/// What stands of an earlier report: one finding per code, with every runner that was named and is still there. Codes
/// that people have `reset` since do not stand.
pub fn standing(earlier: &Found, reset: &BTreeSet<Code>, is_there: impl Fn(&str) -> bool) -> Vec<Guard> {
    let mut by_code: BTreeMap<Code, Vec<&Guard>> = BTreeMap::new();
    for (code, guard) in earlier.serious().filter(|(code, _)| !reset.contains(code)) {
        // A finding about runners never becomes one about the fleet because they are gone.
        if guard.runners.is_empty() || guard.runners.iter().any(|name| is_there(name)) {
            by_code.entry(code).or_default().push(guard);
        }
    }
    let one = |(code, guards): (Code, Vec<&Guard>)| {
        let since = guards.iter().map(|guard| guard.since_run.as_ref().unwrap_or(&earlier.run)).min();
        let since = since.unwrap_or(&earlier.run).clone();
        let named: BTreeSet<&String> = guards.iter().flat_map(|guard| &guard.runners).collect();
        let whole_fleet = guards.iter().any(|guard| guard.runners.is_empty());
        let runners = named.into_iter().filter(|name| !whole_fleet && is_there(name)).cloned().collect();
        let message = format!("found in run {since}, and no commit of canonical has said `{RESETS} {code}` since");
        Guard { code: code.to_string(), message, runners, since_run: Some(since) }
    };
    by_code.into_iter().map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guard(code: Code, runners: &[&str], since: Option<&str>) -> Guard {
        Guard {
            code: code.to_string(),
            message: "something".to_owned(),
            runners: runners.iter().map(|name| (*name).to_owned()).collect(),
            since_run: since.map(str::to_owned),
        }
    }

    fn stand(guards: Vec<Guard>, reset: &[Code]) -> Vec<(String, Vec<String>, Option<String>)> {
        let earlier = Found { run: "run-5".to_owned(), canonical_commit: "c".to_owned(), guards };
        let reset = reset.iter().copied().collect();
        let stands = standing(&earlier, &reset, |name| name != "gone");
        stands.into_iter().map(|guard| (guard.code, guard.runners, guard.since_run)).collect()
    }

    fn one(code: Code, runners: &[&str], since: &str) -> (String, Vec<String>, Option<String>) {
        let guard = guard(code, runners, Some(since));
        (guard.code, guard.runners, guard.since_run)
    }

    #[test]
    fn what_is_serious_stands_and_only_that() {
        for code in Code::ALL {
            let expected = if code.is_serious() { vec![one(code, &["r1"], "run-5")] } else { Vec::new() };
            assert_eq!(stand(vec![guard(code, &["r1"], None)], &[]), expected, "{code}");
        }
    }

    #[test]
    fn findings_of_one_code_stand_together_since_the_oldest() {
        let found = vec![
            guard(Code::Spread, &["r2"], None),
            guard(Code::Spread, &["gone", "r1"], Some("run-3")),
            guard(Code::Burst, &[], None),
        ];
        let both = [one(Code::Burst, &[], "run-5"), one(Code::Spread, &["r1", "r2"], "run-3")];
        assert_eq!(stand(found.clone(), &[]), both);
        assert_eq!(stand(found.clone(), &[Code::Burst]), both[1..]);
        assert_eq!(stand(found, &[Code::Burst, Code::Spread]), []);
        let wide = vec![guard(Code::Spread, &["r2"], None), guard(Code::Spread, &[], Some("run-4"))];
        assert_eq!(stand(wide, &[]), [one(Code::Spread, &[], "run-4")], "the whole fleet has every runner");
        let gone = vec![guard(Code::Oscillation, &["gone"], None)];
        assert_eq!(stand(gone, &[]), [], "a runner that is gone does not block the others");
    }

    #[test]
    fn a_message_resets_what_its_exact_lines_say() {
        assert_eq!(
            reset_in("We looked\n\nCountersign-Resets: spread\nCountersign-Resets: burst\n"),
            [Code::Spread, Code::Burst]
        );
        for other in [" Countersign-Resets: spread", "Countersign-Resets:  spread", "Countersign-Resets: all", "spread"]
        {
            assert_eq!(reset_in(other), [], "{other}");
        }
    }
}
