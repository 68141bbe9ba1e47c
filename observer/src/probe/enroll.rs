//! What an administrator does on a runner before it can be observed, as text. Nothing is installed by us.

use super::{FORCED_COMMAND, PROBE};
use countersign_shared::ssh::ssh_key::{Algorithm, PublicKey};
use sha2::{Digest, Sha256};

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
        /// As it stands in fleet.toml.
        key: String,
        /// What is wrong with it.
        source: countersign_shared::ssh::ssh_key::Error,
    },
    /// A key of a kind that sshd does not take any more.
    #[error("{0:?} is a DSA key, which sshd does not accept")]
    Dsa(String),
    /// Nobody could log in.
    #[error("no key: `observer_ssh` in [keys] of fleet.toml is empty")]
    NoKey,
}

/// One runner to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrollment {
    runner: String,
    account: String,
    /// Type and base64 of each key, without comments.
    keys: Vec<String>,
}

/// sshd asks the runner every six hours at most; spread, so that a fleet does not ask its mirror all at once.
const TIMER: &str = "\
[Unit]
Description=Fresh metadata for countersign

[Timer]
OnBootSec=10min
OnUnitInactiveSec=6h
RandomizedDelaySec=1h

[Install]
WantedBy=timers.target
";

const SERVICE: &str = "\
[Unit]
Description=Fresh metadata for countersign
After=network-online.target
Wants=network-online.target

[Service]
Type=oneshot
ExecStart=/usr/libexec/countersign/refresh
";

const CRON: &str = "17 */6 * * * root /usr/libexec/countersign/refresh\n";

impl Enrollment {
    /// Checks everything that goes into a script that root will run.
    pub fn new<'a>(runner: &str, account: &str, keys: impl IntoIterator<Item = &'a str>) -> Result<Self, EnrollError> {
        if !is_runner(runner) {
            return Err(EnrollError::Runner(runner.to_owned()));
        }
        if !is_account(account) {
            return Err(EnrollError::Account(account.to_owned()));
        }
        let keys = keys.into_iter().map(bare_key).collect::<Result<Vec<_>, _>>()?;
        if keys.is_empty() {
            return Err(EnrollError::NoKey);
        }
        Ok(Self { runner: runner.to_owned(), account: account.to_owned(), keys })
    }

    /// A POSIX sh script for root; running it again changes nothing.
    pub fn script(&self) -> String {
        self.fill(include_str!("enroll.sh"))
    }

    /// The script that takes it all back.
    pub fn removal(&self) -> String {
        self.fill(include_str!("remove.sh"))
    }

    /// The same as an Ansible playbook.
    pub fn playbook(&self) -> String {
        self.fill(include_str!("enroll.yml"))
    }

    /// sshd's rules for the account. `AcceptEnv` in a Match block replaces what the distribution accepts from everybody
    /// (`LC_*`) by a name that is never asked for.
    fn sshd(&self) -> String {
        format!(
            "# countersign: this account reaches the probe and nothing else.\n\
             Match User {}\n    \
             AuthorizedKeysFile /etc/ssh/countersign-observer.keys\n    \
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

    fn authorized_keys(&self) -> String {
        self.keys.iter().map(|key| format!("restrict,command=\"{FORCED_COMMAND}\" {key}\n")).collect()
    }

    /// Replaces each `@NAME@` of a template; lines that hold `@NAME_INDENTED@` give their indent to every line.
    fn fill(&self, template: &str) -> String {
        let digest: String = Sha256::digest(PROBE).iter().map(|byte| format!("{byte:02x}")).collect();
        let words = [("@RUNNER@", &*self.runner), ("@ACCOUNT@", &*self.account), ("@PROBE_SHA256@", &*digest)];
        let (keys, sshd) = (self.authorized_keys(), self.sshd());
        let blocks = [
            ("PROBE", PROBE),
            ("KEYS", &*keys),
            ("SSHD", &*sshd),
            ("REFRESH", include_str!("refresh.sh")),
            ("SERVICE", SERVICE),
            ("TIMER", TIMER),
            ("CRON", CRON),
        ];
        let mut text = String::with_capacity(template.len() + PROBE.len() * 2);
        for line in template.split_inclusive('\n') {
            let block = blocks.iter().find_map(|(name, block)| {
                let rest = line.strip_prefix(&format!("@{name}@"));
                let indent = line.trim_start().strip_prefix(&format!("@{name}_INDENTED@"));
                rest.map(|rest| (String::new(), *block, rest))
                    .or(indent.map(|_| (line[..line.len() - line.trim_start().len()].to_owned(), *block, "")))
            });
            match block {
                Some((indent, block, rest)) => {
                    for line in block.split_inclusive('\n') {
                        if line != "\n" {
                            text.push_str(&indent);
                        }
                        text.push_str(line);
                    }
                    text.push_str(rest);
                }
                None => {
                    let mut line = line.to_owned();
                    for (word, value) in words {
                        line = line.replace(word, value);
                    }
                    text.push_str(&line);
                }
            }
        }
        text
    }
}

/// Type and base64 of an OpenSSH public key, checked, without options and comment.
fn bare_key(key: &str) -> Result<String, EnrollError> {
    let mut parsed =
        PublicKey::from_openssh(key.trim()).map_err(|source| EnrollError::Key { key: key.to_owned(), source })?;
    if parsed.algorithm() == Algorithm::Dsa {
        return Err(EnrollError::Dsa(key.to_owned()));
    }
    parsed.set_comment("");
    let text = parsed.to_openssh().map_err(|source| EnrollError::Key { key: key.to_owned(), source })?;
    Ok(text.trim().to_owned())
}

fn is_runner(name: &str) -> bool {
    name.len() <= 63
        && name.starts_with(|c: char| c.is_ascii_lowercase() || c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'.' || b == b'-')
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

    fn enrollment() -> Enrollment {
        Enrollment::new("runner-04", "countersign-observer", [KEY]).unwrap()
    }

    #[test]
    fn nothing_is_left_to_fill_in() {
        for text in [enrollment().script(), enrollment().removal(), enrollment().playbook()] {
            let left: Vec<&str> = text
                .split('@')
                .filter(|part| !part.is_empty() && part.bytes().all(|b| b.is_ascii_uppercase() || b == b'_'))
                .collect();
            assert!(left.is_empty(), "{left:?}");
            assert!(text.contains("runner-04") && text.ends_with('\n'));
        }
    }

    #[test]
    fn the_probe_arrives_byte_for_byte() {
        let script = enrollment().script();
        let start = script.find("<<'COUNTERSIGN_PROBE'\n").unwrap() + "<<'COUNTERSIGN_PROBE'\n".len();
        let end = script.find("\nCOUNTERSIGN_PROBE\n").unwrap() + 1;
        assert_eq!(&script[start..end], PROBE);
        assert_eq!(PROBE.matches("COUNTERSIGN_").count(), 0);
    }

    #[test]
    fn a_key_loses_its_comment_and_gains_its_bounds() {
        let line = enrollment().authorized_keys();
        let bare = KEY.rsplit_once(' ').unwrap().0;
        assert_eq!(line, format!("restrict,command=\"/usr/bin/env -i /usr/libexec/countersign/probe\" {bare}\n"));
    }

    #[test]
    fn nothing_that_root_would_run_can_be_slipped_in() {
        for runner in ["", "a b", "a;id", "$(id)", "A", "-a", "a\nb", &"a".repeat(64)] {
            assert!(matches!(Enrollment::new(runner, "x", [KEY]), Err(EnrollError::Runner(_))), "{runner:?}");
        }
        for account in ["", "root", "a b", "a;id", "-a", "A", "a\n", "0a"] {
            assert!(matches!(Enrollment::new("a", account, [KEY]), Err(EnrollError::Account(_))), "{account:?}");
        }
        for key in ["", "x", "ssh-ed25519 AAAA", &format!("restrict {KEY}"), &format!("command=\"id\" {KEY}")] {
            assert!(matches!(Enrollment::new("a", "b", [key]), Err(EnrollError::Key { .. })), "{key:?}");
        }
        let two = format!("{KEY}\nssh-rsa AAAA");
        if let Ok(accepted) = Enrollment::new("a", "b", [two.as_str()]) {
            assert_eq!(accepted.authorized_keys().lines().count(), 1);
        }
        assert!(matches!(Enrollment::new("a", "b", []), Err(EnrollError::NoKey)));
    }
}
