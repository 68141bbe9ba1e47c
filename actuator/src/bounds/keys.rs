//! Our key for wardens: declared in `fleet.toml` as `actuator_ssh`, and as nothing else.

use super::{Code, Violation};
use crate::config::Config;
use countersign_shared::manifest::fleet::RoleKeys;
use countersign_shared::manifest::ssh_key::PublicKey;
use std::path::Path;

pub(super) fn look(config: &Config, declared: &RoleKeys) -> Vec<Violation> {
    // Of an agent, the key is the one that is declared, or there is none.
    let Some(path) = &config.ssh.key else { return Vec::new() };
    match public(path) {
        Ok(own) => judge(&own, declared),
        Err(why) => vec![Violation::new(Code::KeyNotDeclared, why)],
    }
}

fn judge(own: &PublicKey, declared: &RoleKeys) -> Vec<Violation> {
    let roles = [
        ("actuator_ssh", &declared.actuator_ssh),
        ("observer_ssh", &declared.observer_ssh),
        ("observer_sign", &declared.observer_sign),
    ];
    let mut violations = Vec::new();
    for (role, keys) in roles {
        match (role, keys.contains(own)) {
            ("actuator_ssh", false) => {
                let message = format!("the key {own} is not declared as {role} in fleet.toml");
                violations.push(Violation::new(Code::KeyNotDeclared, message));
            }
            ("actuator_ssh", true) | (_, false) => {}
            (_, true) => {
                let message = format!("the key {own} is declared as {role}");
                violations.push(Violation::new(Code::KeyInOtherRole, message));
            }
        }
    }
    violations
}

/// The public half of a private key file.
fn public(path: &Path) -> Result<PublicKey, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let key = ssh_key::PrivateKey::from_openssh(text).map_err(|error| format!("{}: {error}", path.display()))?;
    let line = key.public_key().to_openssh().map_err(|error| format!("{}: {error}", path.display()))?;
    PublicKey::parse(&line).map_err(|error| format!("{}: {error}", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(end: char) -> PublicKey {
        PublicKey::parse(&format!("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAI{}{end}", "A".repeat(42))).unwrap()
    }

    #[test]
    fn a_key_is_declared_for_our_role_and_for_no_other() {
        let (ours, other) = (key('B'), key('C'));
        let roles = |actuator: &[&PublicKey], observer: &[&PublicKey]| RoleKeys {
            actuator_ssh: actuator.iter().map(|key| (*key).clone()).collect(),
            observer_ssh: Vec::new(),
            observer_sign: observer.iter().map(|key| (*key).clone()).collect(),
        };
        for (declared, codes) in [
            (roles(&[&other, &ours], &[&other]), &[][..]),
            (roles(&[], &[]), &[Code::KeyNotDeclared]),
            (roles(&[&other], &[]), &[Code::KeyNotDeclared]),
            (roles(&[&ours], &[&ours]), &[Code::KeyInOtherRole]),
            (roles(&[], &[&ours]), &[Code::KeyNotDeclared, Code::KeyInOtherRole]),
        ] {
            let found: Vec<Code> = judge(&ours, &declared).iter().map(|violation| violation.code).collect();
            assert_eq!(found, codes, "{declared:?}");
        }
    }
}
