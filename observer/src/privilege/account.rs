//! The account on a runner: not root, no sudo, no hold on the rpm database, in no group that amounts to root.

use super::{Code, Violation};
use countersign_shared::observation::{Privileges, Section};

/// Groups whose members can become root, or write below the file system.
pub const PRIVILEGED_GROUPS: &[&str] = &[
    "admin",
    "disk",
    "docker",
    "incus",
    "incus-admin",
    "kmem",
    "libvirt",
    "lxc",
    "lxd",
    "mem",
    "mock",
    "podman",
    "root",
    "rpm",
    "shadow",
    "staff",
    "sudo",
    "systemd-sysext",
    "wheel",
];

/// Judges what the probe said about its own account.
pub fn judge(privileges: &Section<Privileges<'_>>) -> Vec<Violation> {
    let seen = match privileges {
        Section::Seen(seen) => seen,
        Section::Failed(failure) => {
            let message =
                format!("what the account could do was not found out ({}): {}", failure.code, failure.message);
            return vec![Violation::new(Code::AccountUnproven, message)];
        }
    };
    let mut said = Vec::new();
    if seen.uid == 0 {
        said.push("it is root".to_owned());
    }
    if seen.sudo {
        said.push("`sudo -n -l` lists something".to_owned());
    }
    if seen.rpmdb_writable {
        said.push("it can write the rpm database".to_owned());
    }
    // root's own group is in the list, and says nothing new for uid 0.
    let groups: Vec<&str> = seen.groups.split_whitespace().filter(|g| PRIVILEGED_GROUPS.contains(g)).collect();
    if !groups.is_empty() && seen.uid != 0 {
        said.push(format!("it is in the group {}", groups.join(", ")));
    }
    let mut violations = Vec::new();
    if !said.is_empty() {
        let message = format!("the account on the runner could change it: {}", said.join("; "));
        violations.push(Violation::new(Code::AccountPrivileged, message));
    }
    // `id -Gn` names at least the primary group: nothing at all means that it failed.
    if seen.groups.split_whitespace().next().is_none() {
        violations.push(Violation::new(Code::AccountUnproven, "the account's groups were not found out"));
    }
    if !seen.forced {
        violations.push(Violation::new(
            Code::PlainExec,
            "the probe was run by plain exec, not as a forced command from a root-owned file",
        ));
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use countersign_shared::observation::Failure;

    const GOOD: Privileges<'_> =
        Privileges { uid: 986, sudo: false, rpmdb_writable: false, groups: "countersign-observer", forced: true };

    fn codes(privileges: Privileges<'_>) -> Vec<Code> {
        judge(&Section::Seen(privileges)).into_iter().map(|v| v.code).collect()
    }

    #[test]
    fn an_account_of_its_own_behind_a_forced_command_passes() {
        assert!(codes(GOOD).is_empty());
        assert!(codes(Privileges { groups: "countersign-observer adm systemd-journal", ..GOOD }).is_empty());
    }

    #[test]
    fn every_privilege_is_seen() {
        use Code::{AccountPrivileged, AccountUnproven, PlainExec};
        for (privileges, expected) in [
            (Privileges { uid: 0, ..GOOD }, vec![AccountPrivileged]),
            (Privileges { sudo: true, ..GOOD }, vec![AccountPrivileged]),
            (Privileges { rpmdb_writable: true, ..GOOD }, vec![AccountPrivileged]),
            (Privileges { groups: "", ..GOOD }, vec![AccountUnproven]),
            (Privileges { forced: false, ..GOOD }, vec![PlainExec]),
            (Privileges { uid: 0, forced: false, ..GOOD }, vec![AccountPrivileged, PlainExec]),
        ] {
            assert_eq!(codes(privileges), expected, "{privileges:?}");
        }
        for group in PRIVILEGED_GROUPS {
            let groups = format!("users {group} games");
            assert_eq!(codes(Privileges { groups: &groups, ..GOOD }), [AccountPrivileged], "{group}");
        }
        // A name that only contains one of them is another group.
        assert!(codes(Privileges { groups: "wheelers dockerless", ..GOOD }).is_empty());
    }

    #[test]
    fn an_unread_section_is_no_pass() {
        let failed = Section::Failed(Failure::new("truncated", "the answer ended early"));
        assert_eq!(judge(&failed)[0].code, Code::AccountUnproven);
    }
}
