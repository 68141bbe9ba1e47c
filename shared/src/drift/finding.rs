//! A difference while it is being judged: what an [`Item`](super::Item) becomes of, still borrowing.

use super::Code;
use super::since::Cause;
use crate::observation::{Failure, Package};

/// One difference, before time and texts are filled in.
#[derive(Debug)]
pub(super) struct Finding<'x> {
    pub(super) code: Code,
    pub(super) package: Option<&'x str>,
    pub(super) arch: Option<&'x str>,
    pub(super) wanted: Option<String>,
    pub(super) seen: Seen<'x>,
    pub(super) cause: Cause<'x>,
    pub(super) remediable: bool,
    pub(super) blocked: Option<Failure>,
}

/// What there is instead of what is wanted.
#[derive(Debug)]
pub(super) enum Seen<'x> {
    /// Instances of a package, EVR-ascending; shown by their EVR.
    Instances(Vec<&'x Package<'x>>),
    /// Instances of a package, shown by something else than their EVR.
    Texts(Vec<String>, Vec<&'x Package<'x>>),
}

impl<'x> Seen<'x> {
    pub(super) fn instances(&self) -> &[&'x Package<'x>] {
        match self {
            Seen::Instances(instances) | Seen::Texts(_, instances) => instances,
        }
    }
}

impl<'x> Finding<'x> {
    /// A package item that a transaction could remove.
    pub(super) fn package(
        code: Code,
        package: &'x str,
        arch: Option<&'x str>,
        wanted: Option<String>,
        instances: Vec<&'x Package<'x>>,
    ) -> Self {
        Self {
            code,
            package: Some(package),
            arch,
            wanted,
            seen: Seen::Instances(instances),
            cause: Cause::Brought,
            remediable: true,
            blocked: None,
        }
    }

    /// A host item.
    pub(super) fn host(code: Code, wanted: Option<String>, seen: Vec<String>) -> Self {
        Self {
            code,
            package: None,
            arch: None,
            wanted,
            seen: Seen::Texts(seen, Vec::new()),
            cause: Cause::Unknown,
            remediable: false,
            blocked: None,
        }
    }

    pub(super) fn caused(self, cause: Cause<'x>) -> Self {
        Self { cause, ..self }
    }

    pub(super) fn only_reported(self) -> Self {
        Self { remediable: false, ..self }
    }

    pub(super) fn blocked(self, code: &str, message: impl Into<String>) -> Self {
        Self { blocked: Some(Failure::new(code, message)), ..self }
    }
}
