//! What an administrator does on a runner so that a program may log in there, as text: what the programs have in common.

use crate::manifest::fleet::is_runner_name;
use ssh_key::{Algorithm, PublicKey};

/// Why a runner cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// Not a name of fleet.toml.
    #[error("{0:?} is not a runner's name: [a-z0-9][a-z0-9.-]{{0,62}}")]
    Runner(String),
    /// Not a name that useradd takes.
    #[error("{0:?} is not an account's name: [a-z_][a-z0-9_-]{{0,30}}")]
    Account(String),
    /// Not a public key.
    #[error("{key:?} is not an OpenSSH public key")]
    Key {
        /// As it stands in the file.
        key: String,
        /// What is wrong with it.
        source: ssh_key::Error,
    },
    /// A key of a kind that sshd does not take any more.
    #[error("{0:?} is a DSA key, which sshd does not accept")]
    Dsa(String),
    /// Nobody could log in.
    #[error("no key: `{0}` in [keys] of fleet.toml is empty")]
    NoKey(&'static str),
}

/// An account of a runner that keys reach for one command.
#[derive(Debug, Clone)]
pub struct Login {
    /// The runner's name.
    pub runner: String,
    /// The account's.
    pub account: String,
    /// Type and base64 of each key, without comments.
    keys: Vec<String>,
}

impl Login {
    /// Checks everything that goes into a script that root will run. `role` is the list of fleet.toml that has the keys.
    pub fn new<'a>(
        runner: &str,
        account: &str,
        role: &'static str,
        keys: impl IntoIterator<Item = &'a str>,
    ) -> Result<Self, EnrollError> {
        if !is_runner_name(runner) {
            return Err(EnrollError::Runner(runner.to_owned()));
        }
        if !is_account(account) {
            return Err(EnrollError::Account(account.to_owned()));
        }
        let keys = keys.into_iter().map(bare_key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(EnrollError::NoKey(role));
        }
        Ok(Self { runner: runner.to_owned(), account: account.to_owned(), keys })
    }

    /// The lines of sshd's file of keys: whatever it is asked for, it runs `command`.
    pub fn authorized_keys(&self, command: &str) -> String {
        self.keys.iter().map(|key| format!("restrict,command=\"{command}\" {key}\n")).collect()
    }

    /// sshd's rules for the account. `AcceptEnv` in a Match block replaces what the distribution accepts from everybody
    /// (`LC_*`) by a name that is never asked for.
    pub fn sshd(&self, program: &str, keys: &str) -> String {
        format!(
            "# countersign: this account reaches the {program} and nothing else.\n\
             Match User {}\n    \
             AuthorizedKeysFile {keys}\n    \
             AuthorizedKeysCommand none\n    \
             AuthenticationMethods publickey\n    \
             AcceptEnv COUNTERSIGN_NOTHING\n    \
             DisableForwarding yes\n    \
             PermitTTY no\n    \
             PermitUserRC no\n\
             Match all\n",
            self.account
        )
    }
}

/// Replaces each `@NAME@` of a template by a word, or, where it begins a line, by a block; a line that holds
/// `@NAME_INDENTED@` gives its indent to every line of the block.
pub fn fill(template: &str, words: &[(&str, &str)], blocks: &[(&str, &str)]) -> String {
    let mut text = String::with_capacity(template.len() * 2);
    for line in template.split_inclusive('\n') {
        let indent = &line[..line.len() - line.trim_start().len()];
        let block = blocks.iter().find_map(|(name, block)| {
            let rest = line.strip_prefix(&format!("@{name}@")).map(|rest| ("", *block, rest));
            let indented = line.trim_start().starts_with(&format!("@{name}_INDENTED@"));
            rest.or(indented.then_some((indent, *block, "")))
        });
        let Some((indent, block, rest)) = block else {
            let word = |line: String, (name, value): &(&str, &str)| line.replace(&format!("@{name}@"), value);
            text.push_str(&words.iter().fold(line.to_owned(), word));
            continue;
        };
        for line in block.split_inclusive('\n') {
            if line != "\n" {
                text.push_str(indent);
            }
            text.push_str(line);
        }
        text.push_str(rest);
    }
    text
}

/// Type and base64 of an OpenSSH public key, checked, without options and comment.
pub fn bare_key(key: &str) -> Result<String, EnrollError> {
    let shown = || key.chars().take(200).collect();
    let wrong = |source| EnrollError::Key { key: shown(), source };
    let mut parsed = PublicKey::from_openssh(key.trim()).map_err(wrong)?;
    if parsed.algorithm() == Algorithm::Dsa {
        return Err(EnrollError::Dsa(shown()));
    }
    parsed.set_comment("");
    let text = parsed.to_openssh().map_err(wrong)?;
    Ok(text.trim().to_owned())
}

fn is_account(name: &str) -> bool {
    name.len() <= 31
        && name != "root"
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c == '_')
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIyq7HQpbMu2jI9jIjDyPOGWjvNxG/QGGUOHhN0ESPk5 ann@example.org";

    fn new(runner: &str, account: &str, keys: &[&str]) -> Result<Login, EnrollError> {
        Login::new(runner, account, "observer_ssh", keys.iter().copied())
    }

    #[test]
    fn a_key_loses_its_comment_and_gains_its_bounds() {
        let line = new("runner-04", "observer", &[KEY]).unwrap().authorized_keys("/bin/program");
        let bare = KEY.rsplit_once(' ').unwrap().0;
        assert_eq!(line, format!("restrict,command=\"/bin/program\" {bare}\n"));
    }

    #[test]
    fn nothing_that_root_would_run_can_be_slipped_in() {
        for runner in ["", "a b", "a;id", "$(id)", "A", "-a", "a\nb", &"a".repeat(64)] {
            assert!(matches!(new(runner, "x", &[KEY]), Err(EnrollError::Runner(_))), "{runner:?}");
        }
        for account in ["", "root", "a b", "a;id", "-a", "A", "a\n", "0a", &"a".repeat(32)] {
            assert!(matches!(new("a", account, &[KEY]), Err(EnrollError::Account(_))), "{account:?}");
        }
        for key in ["", "x", "ssh-ed25519 AAAA", &format!("restrict {KEY}"), &format!("command=\"id\" {KEY}")] {
            assert!(matches!(new("a", "b", &[key]), Err(EnrollError::Key { .. })), "{key:?}");
        }
        let two = format!("{KEY}\nssh-rsa AAAA");
        if let Ok(accepted) = new("a", "b", &[two.as_str()]) {
            assert_eq!(accepted.authorized_keys("x").lines().count(), 1);
        }
        assert!(matches!(new("a", "b", &[]), Err(EnrollError::NoKey("observer_ssh"))));
    }

    #[test]
    fn words_and_blocks_are_put_where_they_stand() {
        let template = "a @W@ b @W@\n@B@end\n  - @B_INDENTED@\n  @B_INDENTED@ gone\n@N@\n";
        let filled = fill(template, &[("W", "w")], &[("B", "one\n\ntwo\n")]);
        assert_eq!(filled, "a w b w\none\n\ntwo\nend\n  - @B_INDENTED@\n  one\n\n  two\n@N@\n");
    }
}
