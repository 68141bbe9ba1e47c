//! Changes behind dnf's back, by dnf's own chain of digests, and transactions that never ended: `out-of-band`
//! and `interrupted`.

use super::Code;
use super::finding::Finding;
use super::judge::Judge;
use super::since::{Cause, by};
use crate::observation::{History, HistoryEntry, Lock, Observation, Package, Packages};
use std::cmp::Ordering;

/// Hex digits of dnf's digest. Older dnf4 recorded `COUNT:SHA1`, which cannot be compared.
const DIGEST_LENGTH: usize = 64;

/// Whether the package set is the one that dnf left behind.
#[derive(Debug)]
pub(super) enum Chain<'x> {
    /// It is.
    Whole,
    /// It is not.
    Broken {
        /// Unix seconds of the end of the last completed transaction.
        end: i64,
        /// All transactions.
        entries: &'x [HistoryEntry<'x>],
        /// A set of an earlier observation that was as dnf had left it.
        known: Option<&'x Packages<'x>>,
    },
    /// dnf has no history, or it could not be read.
    NotJudged,
}

impl<'x> Chain<'x> {
    pub(super) fn new(
        packages: &Packages<'_>,
        history: Option<&'x History<'x>>,
        earlier: Option<&'x Observation<'x>>,
    ) -> Self {
        match last_completed(history) {
            None => Chain::NotJudged,
            Some(last) if last.rpmdb_end == packages.rpmdb_digest => Chain::Whole,
            Some(last) => Chain::Broken {
                end: last.end,
                entries: history.map_or(&[], |history| &history.entries),
                known: earlier.and_then(known_whole),
            },
        }
    }

    /// Whether an instance came after dnf's last completed transaction without dnf having said so.
    pub(super) fn is_out_of_band(&self, package: &Package<'_>) -> bool {
        match self {
            Chain::Whole | Chain::NotJudged => false,
            Chain::Broken { end, entries, known } => {
                let later = match package.install_time.cmp(end) {
                    Ordering::Greater => true,
                    // rpm and dnf count whole seconds: in that very one, dnf's word decides.
                    Ordering::Equal => !brought(entries, package),
                    Ordering::Less => false,
                };
                later && !known.is_some_and(|known| has(known, package))
            }
        }
    }
}

/// Whether a completed transaction brought an instance at the time at which it came.
fn brought(entries: &[HistoryEntry<'_>], package: &Package<'_>) -> bool {
    let nevra = package.nevra.to_string();
    entries
        .iter()
        .filter(|entry| entry.completed && (entry.begin..=entry.end).contains(&package.install_time))
        .any(|entry| entry.changes.iter().any(|change| change.incoming && change.nevra == nevra))
}

/// dnf's last completed transaction, if its digest can be compared.
fn last_completed<'h>(history: Option<&'h History<'_>>) -> Option<&'h HistoryEntry<'h>> {
    let last = history?
        .entries
        .iter()
        .filter(|entry| entry.completed && entry.end != 0)
        // Entries are newest first; of two that ended in one second the first is the newer.
        .min_by_key(|entry| std::cmp::Reverse(entry.end))?;
    let digest = &last.rpmdb_end;
    let comparable = digest.len() == DIGEST_LENGTH && digest.bytes().all(|b| b.is_ascii_hexdigit());
    comparable.then_some(last)
}

/// The set of an earlier observation, if it was as dnf had left it then.
fn known_whole<'x>(earlier: &'x Observation<'x>) -> Option<&'x Packages<'x>> {
    let packages = earlier.packages.seen()?;
    let last = last_completed(earlier.history.seen())?;
    (last.rpmdb_end == packages.rpmdb_digest).then_some(packages)
}

fn has(packages: &Packages<'_>, package: &Package<'_>) -> bool {
    let list = &packages.list;
    let from = list.partition_point(|p| p.nevra < package.nevra);
    list[from..]
        .iter()
        .take_while(|p| p.nevra == package.nevra)
        .any(|p| p.install_time == package.install_time && p.header_sha256 == package.header_sha256)
}

impl<'x> Judge<'x> {
    /// Reports the instances of one name and arch that came behind dnf's back; whether there are any.
    pub(super) fn out_of_band(&mut self, name: &'x str, arch: &'x str, instances: &[&'x Package<'x>]) -> bool {
        let newer: Vec<&'x Package<'x>> = instances.iter().copied().filter(|p| self.chain.is_out_of_band(p)).collect();
        if newer.is_empty() {
            return false;
        }
        self.any_out_of_band = true;
        let finding = Finding::package(Code::OutOfBand, name, Some(arch), None, newer);
        self.findings.push(finding.only_reported());
        true
    }

    /// A broken chain that no newer instance explains: something was removed, or the database was changed.
    pub(super) fn out_of_band_host(&mut self) {
        if matches!(self.chain, Chain::Broken { .. }) && !self.any_out_of_band {
            self.findings.push(Finding::host(Code::OutOfBand, None, Vec::new()));
        }
    }

    /// Transactions without an end, except one that is still at work: a lock has been held since before it began.
    pub(super) fn interrupted(&mut self, history: &'x History<'x>, locks: &[Lock<'_>]) {
        let at_work = |entry: &HistoryEntry<'_>| locks.iter().any(|lock| lock.since <= entry.begin);
        let mut killed: Vec<&HistoryEntry<'x>> =
            history.entries.iter().filter(|entry| !entry.completed && entry.end == 0 && !at_work(entry)).collect();
        killed.sort_by_key(|entry| (entry.begin, entry.id));
        let Some(newest) = killed.last() else { return };
        let cause = Cause::At(newest.begin, Some(by(newest)));
        let seen = killed.iter().map(|entry| entry.id.to_string()).collect();
        self.findings.push(Finding::host(Code::Interrupted, None, seen).caused(cause));
    }
}
