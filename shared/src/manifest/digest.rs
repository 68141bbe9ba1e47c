//! The digest of an effective manifest: what proposals are bound to.

use super::effective::Effective;
use crate::canonical_json;
use serde_json::{Map, Value, json};

impl Effective {
    /// Canonical JSON: sorted keys, no spaces, one newline. It has what is demanded, not where or why it was written,
    /// so that moving a rule to another file changes nothing.
    pub fn canonical_json(&self) -> String {
        let packages: Map<String, Value> = self
            .packages
            .iter()
            .map(|(key, ruling)| {
                let rule = json!({ "from": ruling.from, "rule": ruling.rule.to_string() });
                (key.to_string(), rule)
            })
            .collect();
        let lock = self
            .lock
            .as_ref()
            .map(|lock| json!({ "arch": lock.arch, "packages": lock.packages, "releasever": lock.releasever }));
        let document = json!({
            "host": {
                "keys": self.host.keys,
                "modules": self.host.modules,
                "repositories": self.host.repositories,
                "selinux": self.host.selinux,
                "vendors": self.host.vendors,
            },
            "lock": lock,
            "packages": packages,
            "unlisted": {
                "dependencies": self.unlisted.dependencies.as_str(),
                "external": self.unlisted.external.as_str(),
                "groups": self.unlisted.groups.as_str(),
                "ignore": self.unlisted.ignore,
                "user-installed": self.unlisted.user_installed.as_str(),
            },
        });
        let mut text = String::new();
        canonical_json::write(&document, &mut text);
        text.push('\n');
        text
    }

    /// sha256 of [`Effective::canonical_json`], 64 hex digits.
    pub fn digest(&self) -> String {
        canonical_json::sha256(self.canonical_json().as_bytes())
    }
}
