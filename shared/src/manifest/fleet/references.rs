//! Names that point to something else, checked when everything is read.

use super::Fleet;
use crate::diagnostic::Source;
use crate::manifest::findings::Findings;
use crate::manifest::read::suggestion;
use std::collections::BTreeSet;
use std::ops::Range;

/// A reference to something by name, to be checked when everything is read.
#[derive(Debug)]
pub(in crate::manifest) struct Reference {
    pub(in crate::manifest) file: usize,
    pub(in crate::manifest) span: Range<usize>,
    pub(in crate::manifest) name: String,
    pub(in crate::manifest) kind: ReferenceKind,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::manifest) enum ReferenceKind {
    Group,
    Bastion,
    Manifest,
}

/// Reports names that nothing is known by.
pub(in crate::manifest) fn check_references<'n>(
    references: &[Reference],
    sources: &[Source<'_>],
    fleet: &'n Fleet,
    manifests: &BTreeSet<&'n str>,
    findings: &mut Findings,
) {
    for reference in references {
        let (what, known, nearest) = match reference.kind {
            ReferenceKind::Group => (
                "group",
                fleet.groups.contains_key(&reference.name),
                suggestion(&reference.name, fleet.groups.keys().map(String::as_str)),
            ),
            ReferenceKind::Bastion => (
                "bastion",
                fleet.bastions.contains_key(&reference.name),
                suggestion(&reference.name, fleet.bastions.keys().map(String::as_str)),
            ),
            ReferenceKind::Manifest => (
                "manifest",
                manifests.contains(reference.name.as_str()),
                suggestion(&reference.name, manifests.iter().copied()),
            ),
        };
        if known {
            continue;
        }
        let hint = match (nearest.as_str(), reference.kind) {
            ("", ReferenceKind::Group) => format!("define `[groups.{}]`", reference.name),
            ("", ReferenceKind::Bastion) => format!("define `[bastions.{}]`", reference.name),
            ("", ReferenceKind::Manifest) => format!("write manifests/{}.toml", reference.name),
            _ => nearest,
        };
        findings.error(
            &sources[reference.file],
            &reference.span,
            format!("there is no {what} `{}`", reference.name),
            hint,
        );
    }
}
