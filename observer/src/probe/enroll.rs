//! What an administrator does on a runner before it can be observed, as text. Nothing is installed by us.

use super::{FORCED_COMMAND, PROBE};
pub use countersign_shared::enroll::EnrollError;
use countersign_shared::enroll::{Login, fill};
use sha2::{Digest, Sha256};

/// sshd's file of keys for the account.
const KEYS: &str = "/etc/ssh/countersign-observer.keys";

/// One runner to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrollment(Login);

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
        Login::new(runner, account, "observer_ssh", keys).map(Self)
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

    fn fill(&self, template: &str) -> String {
        let digest: String = Sha256::digest(PROBE).iter().map(|byte| format!("{byte:02x}")).collect();
        let words = [("RUNNER", &*self.0.runner), ("ACCOUNT", &*self.0.account), ("PROBE_SHA256", &*digest)];
        let (keys, sshd) = (self.0.authorized_keys(FORCED_COMMAND), self.0.sshd("probe", KEYS));
        let blocks = [
            ("PROBE", PROBE),
            ("KEYS", &*keys),
            ("SSHD", &*sshd),
            ("REFRESH", include_str!("refresh.sh")),
            ("SERVICE", SERVICE),
            ("TIMER", TIMER),
            ("CRON", CRON),
        ];
        fill(template, &words, &blocks)
    }
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
}
