//! canonical: fetched, its history judged, loaded.

use super::people::Lists;
use super::seen::Seen;
use super::{From, Source};
use crate::config::{Accept, Config};
use crate::stop::Stop;
use countersign_manifests_schema::report::Notice;
use countersign_shared::approval::history::{self, Judgement, Rules};
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{CommitId, Limits, Mirror};
use countersign_shared::manifest::Canonical;

/// canonical at its tip.
#[derive(Debug)]
pub struct Spec {
    /// The mirror.
    pub mirror: Mirror,
    /// The tip.
    pub tip: CommitId,
    /// What people wrote, checked.
    pub canonical: Canonical,
    /// One sentence when the tip does not descend from the last one seen.
    pub rewritten: Option<String>,
    /// Who stands behind its history, or why not enough people do.
    pub people: Result<String, String>,
    /// What is accepted although it should not be.
    pub notices: Vec<Notice>,
}

pub(super) fn gather(config: &Config, from: From, seen: &Seen, now: i64) -> Result<(Spec, Lists), Stop> {
    let source = Source::new("canonical", &config.canonical, &config.state_dir)?;
    let (mirror, tip) = source.tip(from)?;
    let rewritten = source.rewritten("canonical", &mirror, tip, seen.tip("canonical"))?;
    let files = mirror.snapshot(tip, &CANONICAL, &Limits::default())?.files;
    let canonical = Canonical::load(&files).map_err(|diagnostics| Stop::lint(&diagnostics))?;
    let lists = Lists::read(config, &canonical, now)?;
    let judged = match source.anchor {
        None => Err("[canonical] has no anchor to judge its history from".to_owned()),
        Some(anchor) => {
            let (bots, revoked) = (&lists.bots, &lists.revoked);
            let rules = Rules { anchor, pinned: &lists.pinned, bots, revoked, now };
            match history::judge(&mirror, tip, &rules)? {
                Judgement::ByPeople { untouched: Some(commit), .. } if lists.require_touch => {
                    Err(format!("commit {commit}: too few people without keys that nobody touched"))
                }
                Judgement::ByPeople { commits, .. } => {
                    Ok(format!("people stand behind all {commits} commits since the anchor"))
                }
                Judgement::Refused { commit, why } => Err(format!("commit {commit}: {why}")),
            }
        }
    };
    let mut notices = Vec::new();
    let people = match judged {
        Err(why) if config.trust.accepts(Accept::CanonicalUnsigned) => {
            notices.push(Notice { code: "canonical-unsigned".to_owned(), message: why.clone() });
            Ok(format!("accepted in [trust]: {why}"))
        }
        judged => judged,
    };
    Ok((Spec { mirror, tip, canonical, rewritten, people, notices }, lists))
}
