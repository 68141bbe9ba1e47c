//! When a runner came to be as it is, and who did it, as far as dnf's history and rpm say.

use super::By;
use super::finding::Finding;
use crate::evr::Evr;
use crate::manifest::version::VersionSpec;
use crate::nevra::Nevra;
use crate::observation::{History, HistoryChange, HistoryEntry, Package};
use foldhash::fast::RandomState;
use std::cell::OnceCell;
use std::collections::{HashMap, HashSet};

/// Where to look for the origin of a difference.
#[derive(Debug)]
pub(super) enum Cause<'x> {
    /// The seen instances came.
    Brought,
    /// What is wanted went; if nothing says so, the seen instances came.
    Removed(Fits<'x>),
    /// Whichever of the two is later.
    Either(Fits<'x>),
    /// Known already.
    At(i64, Option<By>),
    /// The runner does not say.
    Unknown,
}

/// Which builds of a package count as the wanted one.
#[derive(Debug)]
pub(super) enum Fits<'x> {
    /// Every build: there is no instance at all, so whichever went last left none.
    Any,
    /// Those that fit a spec.
    Spec(&'x VersionSpec),
    /// These.
    OneOf(Vec<Evr<'x>>),
    /// That of the running kernel, `version-release`.
    VersionRelease(&'x str),
}

impl Fits<'_> {
    fn fits(&self, evr: &Evr<'_>) -> bool {
        match self {
            Fits::Any => true,
            Fits::Spec(spec) => spec.matches(evr),
            Fits::OneOf(builds) => builds.iter().any(|build| build.cmp_rpm(evr).is_eq()),
            Fits::VersionRelease(text) => super::kernel::is_version_release(evr, text),
        }
    }
}

/// dnf's history. Most findings look into one or two of its transactions only, so that what speeds the search up is made
/// when it is first needed.
pub(super) struct Past<'h> {
    entries: &'h [HistoryEntry<'h>],
    native: Option<&'h str>,
    /// Names of which something may have gone.
    gone: Vec<&'h str>,
    /// What came, by transaction.
    incoming: Vec<OnceCell<HashSet<&'h str, RandomState>>>,
    /// All changes of the names in `gone`, newest first.
    changes: OnceCell<HashMap<&'h str, Vec<Change<'h>>, RandomState>>,
}

struct Change<'h> {
    entry: &'h HistoryEntry<'h>,
    change: &'h HistoryChange,
}

/// Something that happened at a time, Unix seconds, by a transaction if one says so.
#[derive(Debug, Clone, Copy)]
struct Event<'h> {
    at: i64,
    entry: Option<&'h HistoryEntry<'h>>,
}

impl<'h> Event<'h> {
    /// Two transactions may end in one second: then their numbers tell which was later.
    fn order(&self) -> (i64, Option<u64>) {
        (self.at, self.entry.map(|entry| entry.id))
    }
}

impl<'h> Past<'h> {
    pub(super) fn new(history: Option<&'h History<'h>>, native: Option<&'h str>, findings: &[Finding<'h>]) -> Self {
        let entries = history.map_or(&[][..], |h| &h.entries);
        let may_have_gone = |f: &&Finding<'h>| matches!(f.cause, Cause::Removed(_) | Cause::Either(_));
        Self {
            entries,
            native,
            gone: findings.iter().filter(may_have_gone).filter_map(|f| f.package).collect(),
            incoming: entries.iter().map(|_| OnceCell::new()).collect(),
            changes: OnceCell::new(),
        }
    }

    /// Unix seconds and author of what `finding` shows.
    pub(super) fn origin(&self, finding: &Finding<'h>) -> (Option<i64>, Option<By>) {
        let brought = || self.newest_brought(finding.seen.instances());
        match &finding.cause {
            Cause::Brought => split(brought()),
            Cause::Removed(fits) => split(self.removed(finding, fits).or_else(brought)),
            Cause::Either(fits) => {
                split([self.removed(finding, fits), brought()].into_iter().flatten().max_by_key(Event::order))
            }
            Cause::At(time, by) => (Some(*time), by.clone()),
            Cause::Unknown => (None, None),
        }
    }

    fn of(&self, name: Option<&str>) -> &[Change<'h>] {
        let changes = self.changes.get_or_init(|| {
            let mut changes: HashMap<&'h str, Vec<Change<'h>>, _> = HashMap::default();
            changes.extend(self.gone.iter().map(|name| (*name, Vec::new())));
            for entry in self.entries {
                for change in &entry.changes {
                    if let Some(of_name) = name_of(&change.nevra).and_then(|name| changes.get_mut(name)) {
                        of_name.push(Change { entry, change });
                    }
                }
            }
            changes
        });
        name.and_then(|name| changes.get(name)).map_or(&[], Vec::as_slice)
    }

    fn newest_brought(&self, instances: &[&Package<'h>]) -> Option<Event<'h>> {
        instances.iter().map(|instance| self.brought(instance)).max_by_key(Event::order)
    }

    /// The newest transaction that brought this very instance: rpm's install time lies within it. A transaction that
    /// only names it (a change of reason, an older install of the same build) did not bring it.
    fn brought(&self, instance: &Package<'h>) -> Event<'h> {
        let at = instance.install_time;
        let nevra = instance.nevra.to_string();
        self.entries
            .iter()
            .zip(&self.incoming)
            .filter(|(entry, _)| entry.begin <= at && (entry.end == 0 || at <= entry.end))
            .find(|(entry, incoming)| {
                let came = || entry.changes.iter().filter(|c| c.incoming).map(|c| c.nevra.as_str()).collect();
                incoming.get_or_init(came).contains(nevra.as_str())
            })
            .map_or(Event { at, entry: None }, |(entry, _)| Event { at: end_or(entry, at), entry: Some(entry) })
    }

    /// The newest transaction that took the wanted builds away, unless dnf brought one back later: then it went behind
    /// dnf's back, and nobody is named.
    fn removed(&self, finding: &Finding<'h>, fits: &Fits<'_>) -> Option<Event<'h>> {
        let relevant = |change: &&Change<'h>| {
            let Ok(nevra) = Nevra::parse(&change.change.nevra) else {
                return false;
            };
            let arch_fits = match (finding.arch, self.native) {
                (Some(arch), _) => nevra.arch == arch,
                (None, Some(native)) => super::version::is_native(nevra.arch, Some(native)),
                (None, None) => true,
            };
            arch_fits && fits.fits(&nevra.evr)
        };
        let mut changes = self
            .of(finding.package)
            .iter()
            // An incoming package of a transaction that failed may never have arrived.
            .filter(|change| !change.change.incoming || change.entry.completed)
            .filter(relevant)
            .peekable();
        let newest = changes.peek()?.entry;
        changes
            .take_while(|change| std::ptr::eq(change.entry, newest))
            .all(|change| !change.change.incoming)
            .then(|| Event { at: end_or(newest, newest.begin), entry: Some(newest) })
    }
}

/// The name in a NEVRA, without checking the rest: most changes of a history are about packages that did not drift.
fn name_of(nevra: &str) -> Option<&str> {
    let (rest, _release) = nevra.rsplit_once('-')?;
    Some(rest.rsplit_once('-')?.0)
}

fn split(found: Option<Event<'_>>) -> (Option<i64>, Option<By>) {
    (found.map(|event| event.at), found.and_then(|event| event.entry).map(by))
}

fn end_or(entry: &HistoryEntry<'_>, otherwise: i64) -> i64 {
    if entry.end == 0 { otherwise } else { entry.end }
}

pub(super) fn by(entry: &HistoryEntry<'_>) -> By {
    By { user: entry.user.clone(), command: entry.command.clone().into_owned() }
}
