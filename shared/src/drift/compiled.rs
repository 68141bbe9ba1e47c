//! The manifest in force, prepared once for all runners that share it.

use crate::evr::{Evr, ParseError};
use crate::manifest::effective::{Effective, Rule};
use crate::nevra::Nevra;
use globset::{Glob, GlobSet, GlobSetBuilder};
use std::sync::Arc;

/// An [`Effective`] with its globs compiled and its lock parsed. Cheap to share, expensive enough to make once.
#[derive(Debug, Clone)]
pub struct Compiled {
    effective: Arc<Effective>,
    ignore: GlobSet,
    lock: Option<Vec<Locked>>,
}

/// One line of a lock.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Locked {
    pub(super) name: Box<str>,
    pub(super) arch: Box<str>,
    epoch: u32,
    version: Box<str>,
    release: Box<str>,
}

impl Locked {
    pub(super) fn evr(&self) -> Evr<'_> {
        Evr { epoch: self.epoch, version: &self.version, release: &self.release }
    }
}

/// Why a manifest cannot be prepared. Lint finds both earlier, with their place.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    /// A glob of `[unlisted] ignore`.
    #[error("`{0}` in [unlisted] ignore is not a glob")]
    Glob(String, #[source] globset::Error),
    /// A line of a lock.
    #[error("`{0}` in a lock is not a NEVRA")]
    Nevra(String, #[source] ParseError),
}

impl Compiled {
    /// Prepares a manifest.
    pub fn new(effective: Arc<Effective>) -> Result<Self, CompileError> {
        let mut ignore = GlobSetBuilder::new();
        for glob in &effective.unlisted.ignore {
            ignore.add(Glob::new(glob).map_err(|e| CompileError::Glob(glob.clone(), e))?);
        }
        let ignore = ignore.build().map_err(|e| CompileError::Glob(effective.unlisted.ignore.join(", "), e))?;
        let lock = effective.lock.as_ref().map(|lock| locked(&lock.packages)).transpose()?;
        Ok(Self { effective, ignore, lock })
    }

    /// The manifest itself.
    pub fn effective(&self) -> &Arc<Effective> {
        &self.effective
    }

    /// Names of the packages that the manifest lists as something to have, sorted, each once: what `needed` is asked
    /// for.
    pub fn listed(&self) -> Vec<&str> {
        let ruled = self
            .effective
            .packages
            .iter()
            .filter(|(_, ruling)| !matches!(ruling.rule, Rule::Absent(_)))
            .map(|(key, _)| key.name.as_str());
        let locked = self.locked().iter().map(|line| &*line.name);
        let mut names: Vec<&str> = ruled.chain(locked).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    pub(super) fn is_ignored(&self, name: &str) -> bool {
        self.ignore.is_match(name)
    }

    pub(super) fn is_closed(&self) -> bool {
        self.lock.is_some()
    }

    /// The lock's lines by name, arch, EVR; empty without a lock.
    pub(super) fn locked(&self) -> &[Locked] {
        self.lock.as_deref().unwrap_or_default()
    }
}

fn locked(lines: &[String]) -> Result<Vec<Locked>, CompileError> {
    let mut lock = lines
        .iter()
        .map(|line| {
            let nevra = Nevra::parse(line).map_err(|e| CompileError::Nevra(line.clone(), e))?;
            Ok(Locked {
                name: nevra.name.into(),
                arch: nevra.arch.into(),
                epoch: nevra.evr.epoch,
                version: nevra.evr.version.into(),
                release: nevra.evr.release.into(),
            })
        })
        .collect::<Result<Vec<_>, _>>()?;
    lock.retain(|line| &*line.name != super::judge::GPG_PUBKEY);
    lock.sort_by(|a, b| (&*a.name, &*a.arch).cmp(&(&*b.name, &*b.arch)).then_with(|| a.evr().cmp(&b.evr())));
    lock.dedup();
    Ok(lock)
}
