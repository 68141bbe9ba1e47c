//! Drift that people have adopted: what a commit of canonical must say so that its following of drift is theirs.
//! Everything else that follows drift is found as *spec-follows-drift*.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::collections::BTreeMap;
use std::fmt::Write as _;

/// What stands in front of an adoption in a commit message, as `Countersign-Adopts: RUNNER sha256:HEX`.
pub const TRAILER: &str = "Countersign-Adopts:";

/// The item that is adopted, as the report has it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Adopted<'a> {
    /// The runner.
    pub runner: &'a str,
    /// Drift code.
    pub code: &'a str,
    /// Package; `None` for host items.
    pub package: Option<&'a str>,
    /// Architecture.
    pub arch: Option<&'a str>,
    /// The rule that stood against it.
    pub wanted: Option<&'a str>,
    /// What is there, and is wanted from now on.
    pub seen: &'a [String],
}

impl Adopted<'_> {
    /// `sha256:` and 64 hex digits, over canonical JSON with sorted keys, no spaces and one newline. Anyone who has the
    /// report can recompute it, so a trailer cannot cover other drift than was looked at.
    pub fn digest(&self) -> String {
        let fields: BTreeMap<&str, Value> = BTreeMap::from([
            ("arch", json!(self.arch)),
            ("code", json!(self.code)),
            ("package", json!(self.package)),
            ("runner", json!(self.runner)),
            ("seen", json!(self.seen)),
            ("wanted", json!(self.wanted)),
        ]);
        let mut text = String::from("{");
        for (index, (key, value)) in fields.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            let _ = write!(text, "{comma}\"{key}\":{value}");
        }
        text.push_str("}\n");
        digest_of(&text)
    }

    /// The line for the commit message.
    pub fn trailer(&self) -> String {
        trailer(self.runner, &self.digest())
    }
}

/// The digest of all items that a report has for a runner, without those that are waived: over a JSON array of their own
/// digests, sorted, no spaces and one newline. One line adopts them all, and whoever has the report can recompute it.
pub fn digest_of_all<'a>(items: impl IntoIterator<Item = Adopted<'a>>) -> String {
    let mut digests: Vec<String> = items.into_iter().map(|item| item.digest()).collect();
    digests.sort();
    digest_of(&format!("{}\n", json!(digests)))
}

/// The line for the commit message: `digest` is that of an item or of all of a runner's.
pub fn trailer(runner: &str, digest: &str) -> String {
    format!("{TRAILER} {runner} {digest}")
}

fn digest_of(text: &str) -> String {
    let mut digest = String::from("sha256:");
    for byte in Sha256::digest(text) {
        let _ = write!(digest, "{byte:02x}");
    }
    digest
}

/// The digests that a commit message adopts for a runner. A line that is not exactly of the form counts for nothing.
pub fn adopted_in(message: &str, runner: &str) -> Vec<String> {
    message
        .lines()
        .filter_map(|line| {
            let (name, digest) = line.strip_prefix(TRAILER)?.strip_prefix(' ')?.split_once(' ')?;
            let hex = digest.strip_prefix("sha256:")?;
            let lower_hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
            (name == runner && hex.len() == 64 && hex.bytes().all(lower_hex)).then(|| digest.to_owned())
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEEN: &[String] = &[];

    fn adopted<'a>(runner: &'a str, package: &'a str) -> Adopted<'a> {
        Adopted { runner, code: "missing", package: Some(package), arch: None, wanted: Some("*"), seen: SEEN }
    }

    #[test]
    fn the_digest_is_that_of_canonical_json() {
        let json = "{\"arch\":null,\"code\":\"missing\",\"package\":\"htop\",\"runner\":\"r1\",\"seen\":[],\"wanted\":\"*\"}\n";
        let mut expected = String::from("sha256:");
        for byte in Sha256::digest(json) {
            let _ = write!(expected, "{byte:02x}");
        }
        assert_eq!(adopted("r1", "htop").digest(), expected);
    }

    #[test]
    fn the_digest_of_all_is_that_of_the_sorted_digests_and_of_no_item() {
        let (a, b) = (adopted("r1", "htop"), adopted("r1", "vim"));
        let all = digest_of_all([a, b]);
        assert_eq!(all, digest_of_all([b, a]), "the order does not matter");
        let mut digests = [a.digest(), b.digest()];
        digests.sort();
        assert_eq!(all, digest_of(&format!("[\"{}\",\"{}\"]\n", digests[0], digests[1])));
        for other in [digest_of_all([a]), digest_of_all([a, b, b]), digest_of_all([]), a.digest()] {
            assert_ne!(all, other);
        }
        assert_ne!(digest_of_all([a]), a.digest());
    }

    #[test]
    fn a_message_adopts_for_the_named_runner_what_its_exact_lines_say() {
        let item = adopted("r1", "htop");
        let message = format!("Adopt\n\n{}\n{}\n", item.trailer(), adopted("r2", "htop").trailer());
        assert_eq!(adopted_in(&message, "r1"), [item.digest()]);
        for other in [
            format!(" {}", item.trailer()),
            item.trailer().replace("sha256:", "sha256:0"),
            item.trailer().replace("sha256:", ""),
            item.trailer().to_uppercase(),
            format!("{} and more", item.trailer()),
            item.trailer().replace(": ", ":  "),
        ] {
            assert_eq!(adopted_in(&other, "r1"), [""; 0], "{other}");
        }
    }
}
