//! Both repositories, fetched, and what canonical says now.

use crate::config::{Accept, Config, Place};
use crate::git::Repository;
use crate::shell::Shell;
use crate::stop::{Result, Stop};
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::history::{self, Judgement, Rules};
use countersign_shared::approval::people::{Approver, NotAPerson, People, read_keys};
use countersign_shared::exit::Outcome;
use countersign_shared::git::snapshot::CANONICAL;
use countersign_shared::git::{CommitId, Limits};
use countersign_shared::manifest;
use ssh_key::PublicKey;
use ssh_key::public::KeyData;
use std::path::Path;

/// What every command works with.
pub(crate) struct Desk {
    pub(crate) shell: Shell,
    pub(crate) config: Config,
    pub(crate) canonical: Repository,
    pub(crate) proposed: Repository,
}

/// Canonical at one commit, and whom it names.
pub(crate) struct Spec {
    pub(crate) tip: CommitId,
    pub(crate) canonical: manifest::Canonical,
    /// The person's own copy; without one, what canonical lists.
    pinned: AllowedSigners,
    listed: AllowedSigners,
    bots: Vec<KeyData>,
    /// The keys that sign proposals.
    pub(crate) observers: Vec<KeyData>,
    revoked: Vec<KeyData>,
    require_touch: bool,
    /// Our clock, Unix seconds.
    pub(crate) now: i64,
    /// Whether people stand behind every commit since the anchor; `None` without an anchor.
    pub(crate) history: Option<std::result::Result<(), String>>,
}

impl Desk {
    /// Opens both clones and fetches them.
    pub(crate) fn open(shell: Shell, config: Config) -> Result<Self> {
        let canonical = Repository::open(&shell, "canonical", place("canonical", config.canonical.as_ref())?)?;
        let proposed = Repository::open(&shell, "proposed", place("proposed", config.proposed.as_ref())?)?;
        if canonical.is(&proposed) {
            return Err(Stop::invalid("config", "canonical and proposed are one repository"));
        }
        let desk = Self { shell, config, canonical, proposed };
        desk.fetch()?;
        Ok(desk)
    }

    /// Looks at both remotes again.
    pub(crate) fn fetch(&self) -> Result<()> {
        self.canonical.fetch(&self.shell, false)?;
        self.proposed.fetch(&self.shell, true)
    }

    /// Canonical as last fetched.
    pub(crate) fn spec(&self) -> Result<Spec> {
        let tip = self.canonical.tip()?;
        let snapshot = self.canonical.mirror.snapshot(tip, &CANONICAL, &Limits::default())?;
        let canonical = manifest::Canonical::load(&snapshot.files).map_err(|problems| Stop::lint(&problems))?;
        let text = canonical.approvers.as_ref().map(|approvers| approvers.text.clone()).unwrap_or_default();
        let own = match &self.config.trust.approvers {
            Some(path) => std::fs::read_to_string(path).map_err(|error| {
                Stop::invalid("config", format!("cannot read the approvers {}", path.display()))
                    .because(error.to_string())
            })?,
            None => text.clone(),
        };
        let parse =
            |text: &str| AllowedSigners::parse(text).map_err(|error| Stop::of(Outcome::Invalid, "approvers", &error));
        let (listed, pinned) = (parse(&text)?, parse(&own)?);
        let keys = |list: &[manifest::ssh_key::PublicKey]| {
            let read = |key: &manifest::ssh_key::PublicKey| PublicKey::from_openssh(&key.to_string()).ok();
            list.iter().filter_map(read).map(|key| key.key_data().clone()).collect::<Vec<_>>()
        };
        let roles = &canonical.fleet.keys;
        let machines =
            [&canonical.policy.approval.bots, &roles.observer_ssh, &roles.observer_sign, &roles.actuator_ssh];
        let bots = machines.into_iter().flat_map(|list| keys(list)).collect();
        let observers = keys(&roles.observer_sign);
        let require_touch =
            canonical.policy.approval.require_touch && !self.config.trust.accept.contains(&Accept::SoftwareKeys);
        let revoked = self.config.trust.revoked.as_deref().map(revoked).transpose()?.unwrap_or_default();
        let now = jiff::Timestamp::now().as_second();
        let mut spec =
            Spec { tip, canonical, pinned, listed, bots, observers, revoked, require_touch, now, history: None };
        spec.history = self.judged(&spec)?;
        Ok(spec)
    }

    /// Judges canonical's history, where the person has said from where on.
    fn judged(&self, spec: &Spec) -> Result<Option<std::result::Result<(), String>>> {
        let Some(anchor) = self.config.canonical.as_ref().and_then(|place| place.anchor.as_deref()) else {
            return Ok(None);
        };
        let anchor = CommitId::parse(anchor)?;
        let rules = Rules { anchor, pinned: &spec.pinned, bots: &spec.bots, revoked: &spec.revoked, now: spec.now };
        let untouched_counts = self.config.trust.accept.contains(&Accept::SoftwareKeys);
        Ok(Some(match history::judge(&self.canonical.mirror, spec.tip, &rules)? {
            Judgement::ByPeople { untouched: Some(commit), .. } if !untouched_counts => {
                Err(format!("{commit}: the policy of its parent wants touched keys"))
            }
            Judgement::ByPeople { .. } => Ok(()),
            Judgement::Refused { commit, why } => Err(format!("{commit}: {why}")),
        }))
    }
}

impl Spec {
    /// Asks both lists, where there are two; they must name the same person.
    pub(crate) fn ask<E: From<NotAPerson>>(
        &self,
        ask: impl Fn(&People<'_>) -> std::result::Result<Approver, E>,
    ) -> std::result::Result<Approver, E> {
        let people = |listed| People {
            listed,
            bots: &self.bots,
            revoked: &self.revoked,
            require_touch: self.require_touch,
            now: self.now,
        };
        let person = ask(&people(&self.listed))?;
        if ask(&people(&self.pinned))? == person { Ok(person) } else { Err(NotAPerson::TwoNames.into()) }
    }
}

fn revoked(path: &Path) -> Result<Vec<KeyData>> {
    let invalid = |cause: String| {
        Stop::invalid("config", format!("cannot use the revoked keys {}", path.display())).because(cause)
    };
    let text = std::fs::read_to_string(path).map_err(|error| invalid(error.to_string()))?;
    read_keys(&text).map_err(|line| invalid(format!("line {line} is no public key")))
}

pub(crate) fn place<'c>(role: &str, place: Option<&'c Place>) -> Result<&'c Place> {
    place.ok_or_else(|| {
        Stop::invalid("config", format!("it is not known where your clone of {role} is"))
            .hint(format!("write `[{role}]` with `path` or `url` into ~/.config/countersign/countersign.toml"))
    })
}
