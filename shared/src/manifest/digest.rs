//! The digest of an effective manifest: what proposals are bound to.

use super::effective::Effective;
use serde_json::{Map, Value, json};
use sha2::{Digest, Sha256};
use std::fmt::Write as _;

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
        write_sorted(&document, &mut text);
        text.push('\n');
        text
    }

    /// sha256 of [`Effective::canonical_json`], 64 hex digits.
    pub fn digest(&self) -> String {
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(self.canonical_json()) {
            let _ = write!(hex, "{byte:02x}");
        }
        hex
    }
}

/// Sorts by itself: whether `serde_json` keeps insertion order depends on features that others may switch on.
pub(crate) fn write_sorted(value: &Value, out: &mut String) {
    match value {
        Value::Object(map) => {
            let mut keys: Vec<&String> = map.keys().collect();
            keys.sort();
            out.push('{');
            for (index, key) in keys.into_iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                let _ = write!(out, "{}:", Value::String(key.clone()));
                write_sorted(&map[key], out);
            }
            out.push('}');
        }
        Value::Array(list) => {
            out.push('[');
            for (index, entry) in list.iter().enumerate() {
                if index > 0 {
                    out.push(',');
                }
                write_sorted(entry, out);
            }
            out.push(']');
        }
        scalar => {
            let _ = write!(out, "{scalar}");
        }
    }
}
