//! The life of pull requests over several nights.

use super::stage::{Stage, class_branch, many, ready};
use countersign_integration::forge::{FakeForge, Fault, Flavour, LOGIN, REPOSITORY, TOKEN};
use countersign_observer::config::{self, ForgeKind};
use countersign_observer::publish::forge::{Forge, ForgeError, Kept, Ladder};
use countersign_observer::publish::{Door, Known, Night, Ready, publish};
use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

pub(crate) const LADDER: Ladder = Ladder { open: true, draft: true, max_open: 20, close_resolved: true };

/// A stage with a forge in front of its repository.
pub(crate) struct Site {
    pub(crate) stage: Stage,
    pub(crate) forge: FakeForge,
    pub(crate) kind: ForgeKind,
    pub(crate) authority: Option<PathBuf>,
    /// What was waited, in seconds.
    pub(crate) waited: Arc<Mutex<Vec<u64>>>,
}

impl Site {
    pub(crate) async fn new(kind: ForgeKind) -> Self {
        let stage = Stage::new();
        let forge = FakeForge::start(flavour(kind), &stage.proposed()).await.unwrap();
        Self { stage, forge, kind, authority: None, waited: Arc::default() }
    }

    pub(crate) fn config(&self) -> config::Forge {
        let token_file = self.stage.root.path().join("token");
        fs::write(&token_file, format!("{TOKEN}\n")).unwrap();
        fs::set_permissions(&token_file, fs::Permissions::from_mode(0o600)).unwrap();
        config::Forge {
            kind: self.kind,
            api: self.forge.api(),
            repository: REPOSITORY.to_owned(),
            token_file,
            ca_file: self.authority.clone(),
        }
    }

    pub(crate) fn client(&self) -> Forge {
        self.client_of(&self.config()).unwrap()
    }

    pub(crate) fn client_of(&self, config: &config::Forge) -> Result<Forge, ForgeError> {
        let waited = Arc::clone(&self.waited);
        let pause = Arc::new(move |time: Duration| {
            waited.lock().unwrap().push(time.as_secs());
            Box::pin(std::future::ready(())) as std::pin::Pin<Box<dyn Future<Output = ()> + Send>>
        });
        Forge::new(config, None, pause)
    }

    pub(crate) async fn night(&self, ready: &[Ready]) -> Kept {
        self.night_with(ready, &[], LADDER).await.pulls.unwrap().unwrap()
    }

    pub(crate) async fn night_with(&self, ready: &[Ready], unjudged: &[&str], ladder: Ladder) -> Night {
        self.night_from("state", ready, unjudged, ladder).await
    }

    pub(crate) async fn night_from(&self, state: &str, ready: &[Ready], unjudged: &[&str], ladder: Ladder) -> Night {
        let unjudged: BTreeSet<String> = unjudged.iter().map(|name| (*name).to_owned()).collect();
        let known = Known { unjudged, declared: self.stage.declared.clone(), seen: None };
        let client = self.client();
        publish(self.stage.place(state, "observer"), Door::Open(&client), ready.to_vec(), known, ladder).await.unwrap()
    }

    /// `number open|closed|merged branch` of all pull requests.
    pub(crate) fn pulls(&self) -> Vec<String> {
        let word = |open, merged| match (open, merged) {
            (true, _) => "open",
            (_, true) => "merged",
            _ => "closed",
        };
        let state = self.forge.lock();
        state.pulls.values().map(|p| format!("{} {} {}", p.number, word(p.open, p.merged), p.head)).collect()
    }
}

pub(crate) fn flavour(kind: ForgeKind) -> Flavour {
    match kind {
        ForgeKind::Forgejo | ForgeKind::Gitea => Flavour::Forgejo,
        ForgeKind::Github => Flavour::Github,
    }
}

pub(crate) const KINDS: [ForgeKind; 3] = [ForgeKind::Forgejo, ForgeKind::Gitea, ForgeKind::Github];

#[tokio::test]
async fn a_class_has_one_draft_that_is_refreshed_and_closed_when_the_drift_is_gone() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        let branch = class_branch("llvm");
        let first = site.night(&many(1..=9, "llvm", 1)).await;
        assert_eq!(first.opened, [(branch.clone(), 1)], "{kind:?}: {first:?}");
        assert_eq!((&first.notes[..], first.failed.len()), (&[][..], 0));
        {
            let state = site.forge.lock();
            let pull = &state.pulls[&1];
            assert!(pull.draft && pull.author == LOGIN);
            assert!(pull.title.ends_with("Bring 9 runners of builders back to their manifest"), "{}", pull.title);
            assert_eq!(
                (&pull.labels[..], &pull.assignees[..]),
                (&["countersign".to_owned()][..], &["build-platform".to_owned()][..])
            );
            assert!(pull.body.starts_with("9 runners, 9 items of drift removed by"), "{}", pull.body);
            assert!(pull.body.contains(&state.tip(&branch).unwrap()));
        }
        // The second night: nothing new, and nothing is written.
        let before = site.forge.lock().seen.len();
        assert_eq!(site.night(&many(1..=9, "llvm", 1)).await.unchanged, 1);
        assert!(site.forge.lock().seen[before..].iter().all(|request| request.method == "GET"));
        // A person says that it is ready; a tenth runner has the same drift.
        site.forge.lock().change(1, |pull| {
            pull.title = pull.title.trim_start_matches("WIP: ").to_owned();
            pull.draft = false;
            pull.body = pull.body.replace('\n', "\r\n");
        });
        assert_eq!(site.night(&many(1..=10, "llvm", 2)).await.refreshed, [1]);
        assert!(!site.forge.lock().pulls[&1].draft);
        assert!(site.forge.lock().pulls[&1].title.starts_with("Bring 10 runners"));
        // Gone, and back again.
        assert_eq!(site.night(&[]).await.closed, [1]);
        assert_eq!(site.stage.branches(), Vec::<String>::new());
        assert_eq!(site.night(&many(1..=9, "llvm", 3)).await.opened, [(branch.clone(), 2)]);
        assert_eq!(site.pulls(), [format!("1 closed {branch}"), format!("2 open {branch}")]);
    }
}

#[tokio::test]
async fn what_a_person_closes_stays_closed_until_the_drift_changes() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        site.night(&[ready("a", "one", 1)]).await;
        site.forge.lock().change(1, |pull| pull.open = false);
        for night in 1..=3 {
            let kept = site.night(&[ready("a", "one", night)]).await;
            assert_eq!(
                (kept.stay_closed.as_slice(), kept.opened.len()),
                (&["proposals/a".to_owned()][..], 0),
                "{kind:?}"
            );
        }
        assert_eq!(site.night(&[ready("a", "two", 4)]).await.opened, [("proposals/a".to_owned(), 2)]);
        // Deleting the branch is a person's way to say the same.
        site.stage.git(&["update-ref", "-d", "refs/heads/proposals/a"]);
        site.forge.lock().settle();
        assert_eq!(site.night(&[ready("a", "two", 5)]).await.stay_closed, ["proposals/a"]);
    }
}

#[tokio::test]
async fn what_was_merged_is_not_offered_again() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let both = many(1..=2, "llvm", 1);
    let branch = class_branch("llvm");
    site.night(&both).await;
    site.stage.merge(&site.stage.tip(&branch));
    site.forge.lock().change(1, |pull| (pull.open, pull.merged) = (false, true));
    let night = site.night_with(&both, &[], LADDER).await;
    assert_eq!((night.synced.merged.len(), night.left.len()), (2, 0));
    assert_eq!(night.pulls.unwrap().unwrap().opened, []);
    assert_eq!(site.stage.branches(), Vec::<String>::new());
    // The same drift again, later: a new one.
    assert_eq!(site.night(&many(1..=2, "llvm", 9)).await.opened, [(branch, 2)]);
}

#[tokio::test]
async fn a_network_that_is_lost_anywhere_is_repaired_by_the_next_run_and_nothing_is_doubled() {
    let (user, pulls) = ("/user", "/repos/ops/proposed/pulls");
    let (labels, issues) = ("/repos/ops/proposed/labels", "/repos/ops/proposed/issues");
    let both = [("GET", user), ("GET", pulls), ("POST", pulls), ("PATCH", pulls), ("POST", issues)];
    let numbered = [("GET", labels), ("POST", labels)];
    let mut cases = Vec::new();
    for kind in [ForgeKind::Forgejo, ForgeKind::Github] {
        let more = if kind == ForgeKind::Forgejo { &numbered[..] } else { &[] };
        for request in both.iter().chain(more) {
            cases.push((kind, *request, Fault::Lost));
            cases.push((kind, *request, Fault::Refused));
        }
        cases.push((kind, ("POST", pulls), Fault::Status(502, Vec::new())));
        cases.push((kind, ("POST", pulls), Fault::Garbage(b"no HTTP".to_vec())));
    }
    for (kind, (method, path), fault) in cases {
        let site = Site::new(kind).await;
        site.night(&[ready("gone", "zero", 1)]).await;
        let set = [ready("a", "one", 1), ready("b", "two", 1)];
        site.forge.lock().labels.clear();
        for _ in 0..6 {
            site.forge.lock().fault(method, path, fault.clone());
        }
        site.night_with(&set, &[], LADDER).await;
        let left = site.forge.lock().faults.values().map(std::collections::VecDeque::len).sum::<usize>();
        assert!(left < 6, "{kind:?} never asks {method} {path}");
        site.forge.lock().faults.clear();
        let kept = site.night(&set).await;
        assert_eq!(kept.failed.len(), 0, "{kept:?}");
        let mut open: Vec<String> = site.forge.lock().open_pulls().iter().map(|p| p.head.clone()).collect();
        open.sort();
        assert_eq!(open, ["proposals/a", "proposals/b"], "{kind:?} {method} {path} {fault:?}");
        assert_eq!(site.forge.lock().pulls.len(), 3, "{kind:?} {method} {path} {fault:?}");
        assert_eq!(site.stage.branches().len(), 2);
    }
}

#[tokio::test]
async fn not_more_than_the_policy_allows_are_open_and_the_rest_is_counted() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let ladder = Ladder { max_open: 2, ..LADDER };
    let set: Vec<Ready> = (1..=5).map(|number| ready(&format!("r-{number}"), &format!("d-{number}"), 1)).collect();
    let kept = site.night_with(&set, &[], ladder).await.pulls.unwrap().unwrap();
    assert_eq!((kept.opened.len(), kept.held_back), (2, 3));
    assert_eq!(site.stage.branches().len(), 5);
    let kept = site.night_with(&set[1..], &[], ladder).await.pulls.unwrap().unwrap();
    assert_eq!((kept.closed.len(), kept.opened.len(), kept.held_back), (1, 1, 2));
    assert_eq!(site.forge.lock().open_pulls().len(), 2);
}

#[tokio::test]
async fn long_lists_are_read_to_their_end() {
    for kind in KINDS {
        let site = Site::new(kind).await;
        {
            let mut state = site.forge.lock();
            state.page = 7;
            for number in 1..=40 {
                let branch = format!("topic-{number}");
                let author = if number % 2 == 0 { LOGIN } else { "eve" };
                let new = state.open(author, &branch, "t", "");
                state.change(new, |pull| pull.open = number % 3 == 0);
            }
        }
        for number in 1..=40 {
            site.stage.git(&["branch", &format!("topic-{number}"), "main"]);
        }
        let set = [ready("a", "one", 1)];
        site.night(&set).await;
        site.forge.lock().change(41, |pull| pull.open = false);
        // The one that a person closed is on no first page.
        for number in 1..=12 {
            site.forge.lock().change(number, |pull| pull.labels.push("touched".to_owned()));
        }
        assert_eq!(site.night(&set).await.stay_closed, ["proposals/a"], "{kind:?}");
    }
}

#[tokio::test]
async fn pull_requests_of_other_people_are_not_touched() {
    let site = Site::new(ForgeKind::Forgejo).await;
    site.night_with(&[ready("a", "one", 1)], &[], Ladder { open: false, ..LADDER }).await;
    assert_eq!(site.pulls(), Vec::<String>::new());
    site.forge.lock().open("eve", "proposals/a", "mine", "my words");
    let kept = site.night(&[ready("a", "one", 1)]).await;
    assert_eq!((kept.theirs.as_slice(), kept.opened.len()), (&["proposals/a".to_owned()][..], 0));
    let kept = site.night(&[]).await;
    assert_eq!(kept.closed, Vec::<u64>::new());
    assert_eq!(site.forge.lock().pulls[&1].body, "my words");
    // Its branch stays as long as it is open.
    assert_eq!(site.stage.branches().len(), 1);
}

#[tokio::test]
async fn two_observers_on_one_night_open_one_pull_request() {
    let site = Site::new(ForgeKind::Forgejo).await;
    let set = many(1..=3, "llvm", 1);
    let one = site.night_from("one", &set, &[], LADDER);
    let two = site.night_from("two", &set, &[], LADDER);
    let (one, two) = tokio::join!(one, two);
    let opened = [one, two].into_iter().map(|night| night.pulls.unwrap().unwrap().opened.len()).sum::<usize>();
    assert_eq!((opened, site.forge.lock().pulls.len()), (1, 1));
    assert_eq!(site.night(&set).await.unchanged, 1);
}

#[tokio::test]
async fn a_forge_that_cannot_be_used_loses_no_branch() {
    let site = Site::new(ForgeKind::Forgejo).await;
    site.night(&[ready("a", "one", 1)]).await;
    let known = Known { declared: site.stage.declared.clone(), ..Known::default() };
    let set = vec![ready("b", "two", 1)];
    let night = publish(site.stage.place("state", "observer"), Door::Shut, set.clone(), known.clone(), LADDER).await;
    assert!(night.unwrap().pulls.is_none());
    assert_eq!(site.stage.branches().len(), 2);
    assert_eq!(site.pulls(), ["1 open proposals/a"]);
    // Without any forge, what is gone goes.
    let night = publish(site.stage.place("state", "observer"), Door::None, set, known, LADDER).await.unwrap();
    assert_eq!((night.left.len(), site.stage.branches().len()), (0, 1));
}

#[tokio::test]
async fn runners_that_were_not_judged_close_nothing() {
    let site = Site::new(ForgeKind::Forgejo).await;
    site.night(&[ready("a", "one", 1)]).await;
    let night = site.night_with(&[], &["a"], LADDER).await;
    assert_eq!(night.pulls.unwrap().unwrap().closed, Vec::<u64>::new());
    assert_eq!(site.pulls(), ["1 open proposals/a"]);
}
