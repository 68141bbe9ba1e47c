//! What an administrator does on a runner before anything can be applied there, as text. Nothing is installed by us.
//!
//! The actuator's key reaches an account without rights, whose forced command is sudo for the warden alone, without an
//! argument. Root's own login over the network is not needed and not touched: sshd hands nobody a root session, the
//! rules of sshd for root stay the administrator's, and a mistake in ours locks nobody out.

use countersign_shared::duration::Span;
use countersign_shared::enroll::{self, Login, bare_key, fill};
use countersign_shared::manifest::fleet::RoleKeys;
use countersign_shared::manifest::policy::Policy;
use std::collections::BTreeSet;

/// What the runner's sshd runs for the actuator's key, whatever it is asked for. Some releases of sudo do not survive an
/// empty environment.
pub const FORCED_COMMAND: &str =
    "/usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin /usr/bin/sudo -n -- /usr/libexec/countersign/warden";

/// sshd's file of keys for the account.
const KEYS: &str = "/etc/ssh/countersign-actuator.keys";

/// Why a runner cannot be enrolled.
#[derive(Debug, thiserror::Error)]
pub enum EnrollError {
    /// A name or a key.
    #[error(transparent)]
    Login(#[from] enroll::EnrollError),
    /// Not a sha256.
    #[error("the digest of the warden's program is not 64 hex digits")]
    Digest,
    /// A text that would end the place where it is written.
    #[error("{0} holds a line that cannot be put into a script")]
    Line(&'static str),
}

/// By what the warden of a runner is to judge.
#[derive(Debug, Clone, Copy)]
pub struct Rules<'a> {
    /// The text of `approvers`.
    pub approvers: &'a str,
    /// The public key of the notary.
    pub notary: &'a str,
    /// canonical's policy: how many people, how old a proposal may be, protected packages.
    pub policy: &'a Policy,
    /// The keys of the programs, from fleet.toml: nobody's approval.
    pub machines: &'a RoleKeys,
}

/// One runner to be enrolled.
#[derive(Debug, Clone)]
pub struct Enrollment {
    login: Login,
    program: String,
    approvers: String,
    notary: String,
    rules: String,
}

const SERVICE: &str = "\
[Unit]
Description=Undo what countersign applied and nobody confirmed
Documentation=man:countersign-warden(8)

[Service]
Type=oneshot
ExecStart=/usr/libexec/countersign/warden check
";

/// The first run is as early as timers run after a boot.
const TIMER: &str = "\
[Unit]
Description=Undo what countersign applied and nobody confirmed
Documentation=man:countersign-warden(8)

[Timer]
OnBootSec=0
OnUnitInactiveSec=1min
AccuracySec=1s

[Install]
WantedBy=timers.target
";

const CRON: &str = "\
@reboot root /usr/libexec/countersign/warden check
* * * * * root /usr/libexec/countersign/warden check
";

const HOOK: &str = "pre_transaction:::mode=json raise_error=1:/usr/libexec/countersign/warden hook\n";

impl Enrollment {
    /// Checks everything that goes into a script that root will run. `program` is the sha256 of the warden's program.
    pub fn new<'a>(
        runner: &str,
        account: &str,
        keys: impl IntoIterator<Item = &'a str>,
        program: &str,
        rules: &Rules<'_>,
    ) -> Result<Self, EnrollError> {
        let login = Login::new(runner, account, "actuator_ssh", keys)?;
        if program.len() != 64 || !program.bytes().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f')) {
            return Err(EnrollError::Digest);
        }
        if rules.approvers.lines().any(|line| line.starts_with("COUNTERSIGN_") || line.contains(['\0', '\r'])) {
            return Err(EnrollError::Line("approvers"));
        }
        let mut approvers = rules.approvers.to_owned();
        if !approvers.ends_with('\n') {
            approvers.push('\n');
        }
        Ok(Self {
            login,
            program: program.to_owned(),
            approvers,
            notary: bare_key(rules.notary)? + "\n",
            rules: rules_text(runner, rules)?,
        })
    }

    /// A POSIX sh script for root; running it again changes nothing.
    pub fn script(&self) -> String {
        self.fill(include_str!("enroll.sh"))
    }

    /// The script that takes it all back, but for the memory of what was started.
    pub fn removal(&self) -> String {
        self.fill(include_str!("remove.sh"))
    }

    /// The same as an Ansible playbook.
    pub fn playbook(&self) -> String {
        self.fill(include_str!("enroll.yml"))
    }

    /// sudo's rules: one program, no argument, nothing of the caller's environment, and no terminal of its own, which
    /// would change the bytes of a request.
    fn sudo(&self) -> String {
        let account = &self.login.account;
        format!(
            "# countersign: this account may run the warden, without an argument, and nothing else.\n\
             Defaults:{account} env_reset, !requiretty, !use_pty, !lecture, !setenv\n\
             {account} ALL=(root) NOPASSWD: /usr/libexec/countersign/warden \"\"\n"
        )
    }

    fn fill(&self, template: &str) -> String {
        let login = &self.login;
        let words = [("RUNNER", &*login.runner), ("ACCOUNT", &*login.account), ("WARDEN_SHA256", &*self.program)];
        let (keys, sshd, sudo) = (login.authorized_keys(FORCED_COMMAND), login.sshd("warden", KEYS), self.sudo());
        let blocks = [
            ("APPROVERS", &*self.approvers),
            ("NOTARY", &*self.notary),
            ("RULES", &*self.rules),
            ("KEYS", &*keys),
            ("SSHD", &*sshd),
            ("SUDO", &*sudo),
            ("SERVICE", SERVICE),
            ("TIMER", TIMER),
            ("CRON", CRON),
            ("HOOK", HOOK),
        ];
        fill(template, &words, &blocks)
    }
}

fn rules_text(runner: &str, rules: &Rules<'_>) -> Result<String, EnrollError> {
    let RoleKeys { observer_ssh, observer_sign, actuator_ssh } = rules.machines;
    let machines = [&rules.policy.approval.bots, observer_ssh, observer_sign, actuator_ssh];
    // Sorted, so that the same rules have the same digest.
    let bots =
        machines.into_iter().flatten().map(|key| bare_key(&key.to_string())).collect::<Result<BTreeSet<_>, _>>()?;
    let bots: Vec<String> = bots.iter().map(|key| format!("\"{key}\"")).collect();
    let approval = &rules.policy.approval;
    let protected: Vec<String> = rules.policy.protected.iter().map(|name| format!("\"{name}\"")).collect();
    Ok(format!(
        "# Rules of this runner's warden, see countersign-warden(8). Only root here can change them.\n\
         runner = \"{runner}\"\n\
         approvers = \"/etc/countersign/approvers\"\n\
         notary_key = \"/etc/countersign/notary.pub\"\n\
         bots = [{}]\n\
         state_dir = \"/var/lib/countersign-warden\"\n\
         confirm_within = \"10m\"\n\
         max_age = \"{}\"\n\
         require_touch = {}\n\
         required = {}\n\
         protected_required = {}\n\
         protected = [{}]\n\
         halt_file = \"/etc/countersign/HALT\"\n\
         hook = \"off\"\n",
        bots.join(", "),
        // The runner must not call old what people and the actuator still take.
        Span::from_secs(approval.proposal_ttl.as_secs()),
        approval.require_touch,
        approval.required,
        approval.protected_required,
        protected.join(", ")
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str =
        "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIyq7HQpbMu2jI9jIjDyPOGWjvNxG/QGGUOHhN0ESPk5 ann@example.org";

    const BOT: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
    const NOBODY: &RoleKeys =
        &RoleKeys { observer_ssh: Vec::new(), observer_sign: Vec::new(), actuator_ssh: Vec::new() };

    fn rules(policy: &Policy) -> Rules<'_> {
        Rules { approvers: "ann@example.org ssh-ed25519 AAAA", notary: KEY, policy, machines: NOBODY }
    }

    fn enrollment() -> Enrollment {
        let policy = Policy::default();
        Enrollment::new("runner-04", "countersign-actuator", [KEY], &"ab".repeat(32), &rules(&policy)).unwrap()
    }

    #[test]
    fn the_runner_judges_as_the_policy_says() {
        let mut policy = Policy::default();
        let line = |policy: &Policy, key: &str| {
            let text = rules_text("runner-04", &rules(policy)).unwrap();
            text.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")).map(str::to_owned)).unwrap()
        };
        for (key, value) in [("max_age", "\"1w\""), ("require_touch", "true"), ("required", "1")] {
            assert_eq!(line(&policy, key), value);
        }
        assert_eq!(line(&policy, "protected_required"), "2");
        policy.approval.proposal_ttl = std::time::Duration::from_secs(90 * 60);
        policy.approval.required = 3;
        policy.protected = ["glibc".to_owned(), "rpm".to_owned()].into();
        assert_eq!(line(&policy, "max_age"), "\"90m\"");
        assert_eq!(line(&policy, "required"), "3");
        assert_eq!(line(&policy, "protected"), "[\"glibc\", \"rpm\"]");
    }

    #[test]
    fn the_keys_of_the_programs_and_of_bots_are_nobodys_there_too() {
        let key = |text: &str| countersign_shared::manifest::ssh_key::PublicKey::parse(text).unwrap();
        let mut policy = Policy::default();
        let bots = |rules: &Rules<'_>| rules_text("runner-04", rules).unwrap().lines().nth(4).unwrap().to_owned();
        assert_eq!(bots(&rules(&policy)), "bots = []");
        let own = KEY.rsplit_once(' ').unwrap().0;
        policy.approval.bots = vec![key(KEY)];
        assert_eq!(bots(&rules(&policy)), format!("bots = [\"{own}\"]"));
        let of = |keys: [&str; 3]| {
            let [observer_ssh, observer_sign, actuator_ssh] = keys.map(|text| vec![key(text)]);
            RoleKeys { observer_ssh, observer_sign, actuator_ssh }
        };
        // Each once, without comments, in one order.
        for machines in [of([BOT, KEY, KEY]), of([KEY, BOT, KEY]), of([KEY, KEY, &format!("{BOT} a \"b\"")])] {
            let rules = Rules { machines: &machines, ..rules(&policy) };
            assert_eq!(bots(&rules), format!("bots = [\"{BOT}\", \"{own}\"]"));
        }
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
    fn what_people_wrote_is_no_template_to_ansible() {
        let approvers = "# {{ lookup('pipe', 'id') }}\nann@example.org ssh-ed25519 AAAA\n";
        let policy = Policy::default();
        let rules = Rules { approvers, ..rules(&policy) };
        let playbook = Enrollment::new("runner-04", "a", [KEY], &"ab".repeat(32), &rules).unwrap().playbook();
        assert!(playbook.contains("content: !unsafe |\n          # {{ lookup('pipe', 'id') }}\n"), "{playbook}");
    }

    #[test]
    fn the_key_gets_the_warden_and_the_account_gets_nothing_else_as_root() {
        let bare = KEY.rsplit_once(' ').unwrap().0;
        assert!(enrollment().script().contains(&format!("\nrestrict,command=\"{FORCED_COMMAND}\" {bare}\n")));
        assert!(
            enrollment()
                .sudo()
                .ends_with("countersign-actuator ALL=(root) NOPASSWD: /usr/libexec/countersign/warden \"\"\n")
        );
    }

    #[test]
    fn nothing_that_root_would_run_can_be_slipped_in() {
        let sum = "ab".repeat(32);
        let policy = Policy::default();
        let rules = rules(&policy);
        assert!(matches!(Enrollment::new("a;id", "x", [KEY], &sum, &rules), Err(EnrollError::Login(_))));
        for digest in ["", "ab", &"AB".repeat(32), &format!("{}\nid", "a".repeat(61))] {
            assert!(matches!(Enrollment::new("a", "b", [KEY], digest, &rules), Err(EnrollError::Digest)));
        }
        let evil = Rules { approvers: "x y z\nCOUNTERSIGN_APPROVERS\nid\n", ..rules };
        assert!(matches!(Enrollment::new("a", "b", [KEY], &sum, &evil), Err(EnrollError::Line(_))));
    }
}
