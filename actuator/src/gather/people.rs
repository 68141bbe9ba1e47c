//! Who counts: a person whom canonical lists, and whom the copy on this machine lists in the same way.

use crate::config::{Accept, Config};
use crate::stop::Stop;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::people::{Approver, NotAPerson, People, read_keys};
use countersign_shared::exit::Outcome;
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::ssh_key::PublicKey;
use countersign_shared::terminal::{Failure, Place};
use ssh_key::public::KeyData;
use std::path::Path;

/// Both lists, and who is on neither.
#[derive(Debug)]
pub struct Lists {
    /// The copy on this machine, which nobody changes by a commit.
    pub pinned: AllowedSigners,
    /// canonical's `approvers` at its tip.
    pub listed: AllowedSigners,
    /// Keys of machines: never a person, even when listed.
    pub bots: Vec<KeyData>,
    /// Keys that count no more.
    pub revoked: Vec<KeyData>,
    /// Whether a key in software counts.
    pub require_touch: bool,
    /// Unix seconds by our clock.
    pub now: i64,
}

impl Lists {
    pub(super) fn read(config: &Config, canonical: &Canonical, now: i64) -> Result<Self, Stop> {
        let pinned = parse(&config.trust.approvers, &read(&config.trust.approvers)?)?;
        let listed = match &canonical.approvers {
            Some(approvers) => parse(Path::new("approvers"), &approvers.text)?,
            None => AllowedSigners::default(),
        };
        let revoked = match &config.trust.revoked {
            None => Vec::new(),
            Some(path) => read_keys(&read(path)?).map_err(|line| {
                let failure = Failure::new("revoked", "a line is no public key: a revocation that is skipped is none");
                Stop::new(Outcome::Invalid, failure.at(Place::File(format!("{}:{line}", path.display()))))
            })?,
        };
        let keys = &canonical.fleet.keys;
        let machines = [&canonical.policy.approval.bots, &keys.observer_ssh, &keys.observer_sign, &keys.actuator_ssh];
        let bots = machines.into_iter().flatten().filter_map(key_data).collect();
        let require_touch = !config.trust.accepts(Accept::SoftwareKeys);
        Ok(Self { pinned, listed, bots, revoked, require_touch, now })
    }

    /// Asks both lists; they must name the same person.
    pub fn both<E: From<NotAPerson>>(&self, ask: impl Fn(&People<'_>) -> Result<Approver, E>) -> Result<Approver, E> {
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

/// A key of canonical's text as the signatures have it.
pub(super) fn key_data(key: &PublicKey) -> Option<KeyData> {
    ssh_key::PublicKey::from_openssh(&key.to_string()).ok().map(|key| key.key_data().clone())
}

fn read(path: &Path) -> Result<String, Stop> {
    std::fs::read_to_string(path).map_err(|error| {
        let failure = Failure::new("trust", "cannot read a file of [trust]").because(error.to_string());
        Stop::new(Outcome::Invalid, failure.at(Place::File(path.display().to_string())))
    })
}

fn parse(path: &Path, text: &str) -> Result<AllowedSigners, Stop> {
    AllowedSigners::parse(text).map_err(|error| {
        let failure = Failure::new("approvers", error.problem);
        Stop::new(Outcome::Invalid, failure.at(Place::File(format!("{}:{}", path.display(), error.line))))
    })
}
