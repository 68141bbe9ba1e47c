//! `locks/**.toml`: complete package sets.

use super::effective::Lock;
use super::findings::Findings;
use super::read::document;
use crate::diagnostic::Source;
use crate::nevra::{Nevra, is_known_arch};
use countersign_manifests_schema::lock::LOCK_SCHEMA;
use std::collections::BTreeMap;

pub(super) fn read(source: &Source<'_>, findings: &mut Findings) -> Lock {
    document(source, LOCK_SCHEMA, findings, |scope, findings| {
        let arch = scope.required("arch", findings);
        if let Some(arch) = &arch
            && (!is_known_arch(arch.value) || ["noarch", "src", "nosrc"].contains(&arch.value))
        {
            findings.error(
                source,
                &arch.span,
                format!("`{}` is not the architecture of a machine", arch.value),
                "such as `x86_64` or `aarch64`",
            );
        }
        let releasever = scope.required("releasever", findings);
        if !scope.has("packages") {
            scope.missing("packages", findings);
        }
        let mut packages: BTreeMap<Nevra<'_>, String> = BTreeMap::new();
        for text in scope.texts("packages", findings).unwrap_or_default() {
            if text.value.starts_with("gpg-pubkey-") {
                findings.warning(source, &text.span, "gpg-pubkey is never judged", "leave it out");
                continue;
            }
            match Nevra::parse(text.value) {
                Ok(nevra) if !is_known_arch(nevra.arch) => findings.error(
                    source,
                    &text.span,
                    format!("`{}` ends in no known architecture", text.value),
                    "write name-[epoch:]version-release.arch",
                ),
                Ok(nevra) => {
                    if packages.insert(nevra, nevra.to_string()).is_some() {
                        findings.error(source, &text.span, format!("`{nevra}` is listed twice"), "remove one");
                    }
                }
                Err(error) => findings.error(
                    source,
                    &text.span,
                    format!("`{}` is not a NEVRA: {error}", text.value),
                    "write name-[epoch:]version-release.arch",
                ),
            }
        }
        Lock {
            file: source.file().to_owned(),
            arch: arch.map(|text| text.value.to_owned()).unwrap_or_default(),
            releasever: releasever.map(|text| text.value.to_owned()).unwrap_or_default(),
            packages: packages.into_values().collect(),
        }
    })
}
