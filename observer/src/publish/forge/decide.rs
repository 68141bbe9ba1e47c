//! What should happen to pull requests. Pure: what is wanted and what is there in, acts out.

use super::pull::{Pull, retitled, without_draft};
use std::collections::BTreeSet;

/// A pull request that should be there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Short name of the branch, `proposals/...`.
    pub branch: String,
    /// The class of drift; `None` = nothing of it was judged in this run, so that nothing is said about it.
    pub class: Option<String>,
    /// Its title, without what makes it a draft.
    pub title: String,
    /// Its text.
    pub body: String,
    /// Names of its labels.
    pub labels: Vec<String>,
    /// Whom it is given to: an e-mail address, or a name on the forge.
    pub owner: Option<String>,
    /// Runners; the larger come first when not all may be open.
    pub runners: usize,
}

/// A branch that is no longer wanted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unwanted {
    /// Short name of the branch.
    pub branch: String,
    /// Whether its runners are offered something else instead.
    pub superseded: bool,
}

/// How far the observer goes by itself, from policy.toml.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ladder {
    /// Whether pull requests are opened at all.
    pub open: bool,
    /// Whether as drafts.
    pub draft: bool,
    /// How many of ours may be open at once.
    pub max_open: usize,
    /// Whether those of gone drift are closed.
    pub close_resolved: bool,
}

/// One thing to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Act {
    /// Change title and text of one that is open.
    Refresh {
        /// Which one.
        number: u64,
        /// The new title.
        title: String,
        /// By its place in the list.
        wanted: usize,
    },
    /// It is as it should be.
    Keep {
        /// By its place in the list.
        wanted: usize,
    },
    /// Somebody else has opened one for the branch; it is theirs.
    Theirs {
        /// By its place in the list.
        wanted: usize,
    },
    /// Close one whose drift is gone or is offered elsewhere.
    Close {
        /// Which one.
        number: u64,
        /// The text that it has.
        body: String,
        /// Short name of the branch.
        branch: String,
    },
    /// A person closed it, and the drift is the same: it stays closed.
    StaysClosed {
        /// By its place in the list.
        wanted: usize,
        /// Which one was closed.
        number: u64,
    },
    /// Open one.
    Open {
        /// By its place in the list.
        wanted: usize,
    },
    /// As many are open as may be.
    HeldBack {
        /// By its place in the list.
        wanted: usize,
    },
}

/// `me` is our login; `pulls` are all open ones and the closed ones that were changed last.
pub fn decide(wanted: &[Wanted], unwanted: &[Unwanted], pulls: &[Pull], me: &str, ladder: Ladder) -> Vec<Act> {
    let ours = |pull: &&Pull| pull.author.eq_ignore_ascii_case(me) && pull.same_repository;
    let about = |pull: &&Pull| pull.branch.starts_with("proposals/");
    let open: Vec<&Pull> = pulls.iter().filter(|pull| pull.open).filter(about).collect();
    let mut acts = Vec::new();
    let mut closing = BTreeSet::new();
    for pull in open.iter().copied().filter(ours) {
        let first = open.iter().copied().filter(ours).find(|other| other.branch == pull.branch);
        let double = first.is_some_and(|first| first.number != pull.number);
        let gone = match unwanted.iter().find(|branch| branch.branch == pull.branch) {
            Some(branch) => branch.superseded || ladder.close_resolved,
            // The branch is not there at all: it was taken away, and then the connection was lost.
            None => !wanted.iter().any(|wanted| wanted.branch == pull.branch) && ladder.close_resolved,
        };
        if double || gone {
            closing.insert(pull.number);
            acts.push(Act::Close { number: pull.number, body: pull.body.clone(), branch: pull.branch.clone() });
        }
    }
    let mut count = open.iter().copied().filter(ours).filter(|pull| !closing.contains(&pull.number)).count();
    let mut order: Vec<usize> = (0..wanted.len()).collect();
    order.sort_by(|a, b| {
        let (a, b) = (&wanted[*a], &wanted[*b]);
        b.runners.cmp(&a.runners).then_with(|| a.branch.cmp(&b.branch))
    });
    for index in order {
        let want = &wanted[index];
        let mut there = open.iter().copied().filter(|pull| pull.branch == want.branch && pull.same_repository);
        let own = there.clone().find(|pull| ours(pull) && !closing.contains(&pull.number));
        let Some(class) = &want.class else {
            continue;
        };
        if let Some(pull) = own {
            let same = without_draft(&pull.title) == want.title && same_text(&pull.body, &want.body);
            acts.push(if same {
                Act::Keep { wanted: index }
            } else {
                Act::Refresh { number: pull.number, title: retitled(&pull.title, &want.title), wanted: index }
            });
        } else if there.next().is_some() {
            acts.push(Act::Theirs { wanted: index });
        } else if ladder.open {
            acts.push(match stays_closed(pulls, class, ours) {
                Some(number) => Act::StaysClosed { wanted: index, number },
                None if count >= ladder.max_open => Act::HeldBack { wanted: index },
                None => {
                    count += 1;
                    Act::Open { wanted: index }
                }
            });
        }
    }
    acts
}

/// The last word on this class, if it was a person closing it.
fn stays_closed(pulls: &[Pull], class: &str, ours: impl Fn(&&Pull) -> bool) -> Option<u64> {
    let last = pulls.iter().filter(|pull| !pull.open).filter(ours).filter(|pull| pull.class() == Some(class));
    last.max_by_key(|pull| pull.number).filter(|pull| pull.closed_by_person()).map(|pull| pull.number)
}

/// Forges turn line ends into CR LF and cut spaces at the end.
fn same_text(a: &str, b: &str) -> bool {
    let plain = |text: &str| text.replace("\r\n", "\n").trim_end().to_owned();
    plain(a) == plain(b)
}

#[cfg(test)]
mod tests {
    use super::super::pull::{closed, marks};
    use super::*;

    const LADDER: Ladder = Ladder { open: true, draft: true, max_open: 2, close_resolved: true };

    fn wanted(branch: &str, class: &str) -> Wanted {
        Wanted {
            branch: format!("proposals/{branch}"),
            class: Some(class.to_owned()),
            title: "title".to_owned(),
            body: format!("body{}", marks(class)),
            labels: Vec::new(),
            owner: None,
            runners: 1,
        }
    }

    fn pull(number: u64, branch: &str, class: &str, open: bool) -> Pull {
        Pull {
            number,
            open,
            merged: false,
            title: "WIP: title".to_owned(),
            body: format!("body{}", marks(class)),
            branch: format!("proposals/{branch}"),
            author: "Bot".to_owned(),
            same_repository: true,
        }
    }

    fn acts(wanted: &[Wanted], pulls: &[Pull]) -> Vec<Act> {
        decide(wanted, &[], pulls, "bot", LADDER)
    }

    #[test]
    fn one_is_opened_once_and_refreshed_in_place() {
        let one = [wanted("a", "c1")];
        assert_eq!(acts(&one, &[]), [Act::Open { wanted: 0 }]);
        assert_eq!(acts(&one, &[pull(1, "a", "c1", true)]), [Act::Keep { wanted: 0 }]);
        let refresh = Act::Refresh { number: 1, title: "WIP: title".to_owned(), wanted: 0 };
        assert_eq!(acts(&one, &[pull(1, "a", "c0", true)]), [refresh]);
    }

    #[test]
    fn what_a_person_closed_stays_closed_until_the_drift_changes() {
        let by_person = pull(1, "a", "c1", false);
        assert_eq!(
            acts(&[wanted("a", "c1")], std::slice::from_ref(&by_person)),
            [Act::StaysClosed { wanted: 0, number: 1 }]
        );
        // Also when the class has got another branch.
        assert_eq!(
            acts(&[wanted("@b-c1", "c1")], std::slice::from_ref(&by_person)),
            [Act::StaysClosed { wanted: 0, number: 1 }]
        );
        assert_eq!(acts(&[wanted("a", "c2")], std::slice::from_ref(&by_person)), [Act::Open { wanted: 0 }]);
        let by_us = Pull { body: closed(&by_person.body), ..by_person.clone() };
        assert_eq!(acts(&[wanted("a", "c1")], &[by_us]), [Act::Open { wanted: 0 }]);
        let merged = Pull { merged: true, ..by_person.clone() };
        assert_eq!(acts(&[wanted("a", "c1")], &[merged]), [Act::Open { wanted: 0 }]);
        // Somebody else's closed one says nothing.
        let foreign = Pull { author: "eve".to_owned(), ..by_person };
        assert_eq!(acts(&[wanted("a", "c1")], &[foreign]), [Act::Open { wanted: 0 }]);
    }

    #[test]
    fn what_is_gone_is_closed_as_far_as_the_policy_says() {
        let there = [pull(1, "a", "c1", true)];
        let gone = |superseded| [Unwanted { branch: "proposals/a".to_owned(), superseded }];
        let close = Act::Close { number: 1, body: there[0].body.clone(), branch: "proposals/a".to_owned() };
        let patient = Ladder { close_resolved: false, ..LADDER };
        assert_eq!(decide(&[], &gone(false), &there, "bot", LADDER), std::slice::from_ref(&close));
        assert_eq!(decide(&[], &gone(false), &there, "bot", patient), []);
        assert_eq!(decide(&[], &gone(true), &there, "bot", patient), std::slice::from_ref(&close));
        assert_eq!(decide(&[], &[], &there, "bot", LADDER), [close]);
        // Nothing that is not ours, and nothing that is not about proposals.
        let eve = Pull { author: "eve".to_owned(), ..there[0].clone() };
        let other = Pull { branch: "topic".to_owned(), ..there[0].clone() };
        let fork = Pull { same_repository: false, ..there[0].clone() };
        assert_eq!(decide(&[], &gone(true), &[eve, other, fork], "bot", LADDER), []);
    }

    #[test]
    fn what_was_not_judged_is_left_as_it_is() {
        let silent = [Wanted { class: None, ..wanted("a", "c1") }];
        assert_eq!(acts(&silent, &[pull(1, "a", "old", true)]), []);
        assert_eq!(acts(&silent, &[]), []);
    }

    #[test]
    fn the_largest_come_first_and_the_rest_is_held_back() {
        let mut three = [wanted("a", "c1"), wanted("b", "c2"), wanted("c", "c3")];
        three[2].runners = 9;
        let expected = [Act::Open { wanted: 2 }, Act::Open { wanted: 0 }, Act::HeldBack { wanted: 1 }];
        assert_eq!(acts(&three, &[]), expected);
        // One that is closed in the same run makes room.
        let pulls = [pull(1, "x", "c8", true), pull(2, "y", "c9", true)];
        assert_eq!(acts(&three, &pulls)[2..], expected);
    }

    #[test]
    fn never_two_for_one_branch() {
        let one = [wanted("a", "c1")];
        let twice = [pull(1, "a", "c1", true), pull(2, "a", "c1", true)];
        let close = Act::Close { number: 2, body: twice[1].body.clone(), branch: "proposals/a".to_owned() };
        assert_eq!(acts(&one, &twice), [close, Act::Keep { wanted: 0 }]);
        let theirs = Pull { author: "eve".to_owned(), ..pull(3, "a", "c1", true) };
        assert_eq!(acts(&one, &[theirs]), [Act::Theirs { wanted: 0 }]);
    }

    #[test]
    fn a_policy_of_no_pull_requests_opens_none() {
        let none = Ladder { open: false, ..LADDER };
        assert_eq!(decide(&[wanted("a", "c1")], &[], &[], "bot", none), []);
    }
}
