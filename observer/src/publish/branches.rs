//! Which proposals share a branch.

use super::Ready;
use countersign_shared::git::{GitError, ProposalRef};
use std::collections::BTreeMap;

/// Hex digits of a class in the name of its branch; the whole digest is in the pull request.
const DIGITS: usize = 12;

/// The proposals of one branch, in the order of their runners.
pub(super) type Members<'a> = Vec<&'a Ready>;

/// Groups proposals by class. A runner that is alone in its class has a branch of its own name, unless the class has a
/// branch already: a class that shrinks keeps its pull request.
pub(super) fn assign<'a>(
    ready: &'a [Ready],
    there: impl Fn(&ProposalRef) -> bool,
) -> (BTreeMap<ProposalRef, Members<'a>>, Vec<(&'a Ready, GitError)>) {
    let mut classes: BTreeMap<(Option<&str>, &str), Members<'a>> = BTreeMap::new();
    for proposal in ready {
        classes.entry((proposal.group.as_deref(), &proposal.class)).or_default().push(proposal);
    }
    let mut branches: BTreeMap<ProposalRef, Members<'a>> = BTreeMap::new();
    let mut refused = Vec::new();
    for ((group, class), mut members) in classes {
        members.sort_by(|a, b| a.runner.cmp(&b.runner));
        let shared = group.map(|group| {
            // What a branch cannot be called is left out; the digits make it this class.
            let group: String =
                group.chars().filter(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || *c == '-').take(60).collect();
            let digits: String = class.chars().take(DIGITS).collect();
            ProposalRef::class(format!("{}-{digits}", group.trim_matches('-')).trim_start_matches('-'))
        });
        match shared {
            Some(Ok(branch)) if members.len() > 1 || there(&branch) => {
                branches.entry(branch).or_default().append(&mut members);
            }
            _ => {
                for member in members {
                    match ProposalRef::runner(&member.runner) {
                        Ok(branch) => branches.entry(branch).or_default().push(member),
                        Err(error) => refused.push((member, error)),
                    }
                }
            }
        }
    }
    (branches, refused)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::publish::Counts;

    fn ready(runner: &str, group: Option<&str>, class: char) -> Ready {
        Ready {
            runner: runner.to_owned(),
            group: group.map(str::to_owned),
            class: class.to_string().repeat(64),
            id: "0".repeat(64),
            created: 0,
            proposal_json: Vec::new(),
            readme: String::new(),
            counts: Counts::default(),
            owner: None,
        }
    }

    fn names(ready: &[Ready], there: &[&str]) -> Vec<String> {
        let (branches, refused) = assign(ready, |branch| there.contains(&branch.short()));
        let line = |(branch, members): (&ProposalRef, &Members<'_>)| {
            format!("{branch}: {}", members.iter().map(|m| m.runner.as_str()).collect::<Vec<_>>().join(" "))
        };
        let bad = refused.iter().map(|(ready, error)| format!("{}: {}", ready.runner, error.code()));
        branches.iter().map(line).chain(bad).collect()
    }

    #[test]
    fn runners_of_one_group_and_class_share_a_branch() {
        let all = [
            ready("r-2", Some("builders"), 'a'),
            ready("r-1", Some("builders"), 'a'),
            ready("r-3", Some("builders"), 'b'),
            ready("r-4", Some("testers"), 'a'),
            ready("r-5", None, 'a'),
        ];
        let expected = [
            "proposals/@builders-aaaaaaaaaaaa: r-1 r-2",
            "proposals/r-3: r-3",
            "proposals/r-4: r-4",
            "proposals/r-5: r-5",
        ];
        assert_eq!(names(&all, &[]), expected);
    }

    #[test]
    fn a_class_that_has_shrunk_to_one_keeps_its_branch() {
        let one = [ready("r-1", Some("builders"), 'a')];
        assert_eq!(names(&one, &[]), ["proposals/r-1: r-1"]);
        assert_eq!(names(&one, &["proposals/@builders-aaaaaaaaaaaa"]), ["proposals/@builders-aaaaaaaaaaaa: r-1"]);
    }

    #[test]
    fn odd_names_of_groups_and_runners_never_make_an_odd_branch() {
        let two = |group| [ready("r-1", Some(group), 'a'), ready("r-2", Some(group), 'a')];
        assert_eq!(names(&two("../Ops team"), &[]), ["proposals/@psteam-aaaaaaaaaaaa: r-1 r-2"]);
        assert_eq!(names(&two("--"), &[]), ["proposals/@aaaaaaaaaaaa: r-1 r-2"]);
        assert_eq!(names(&[ready("a..b", None, 'a'), ready("c", None, 'a')], &[]), ["proposals/c: c", "a..b: usage"]);
    }
}
