//! Our own public keys: declared in `fleet.toml` for our role, and for no other.

use super::{Code, Violation};

/// A role under `[keys]` and the public keys declared for it, in OpenSSH's text form.
#[derive(Debug, Clone, Copy)]
pub struct Role<'a> {
    /// `observer_ssh`, `observer_sign`, `actuator_ssh`.
    pub name: &'a str,
    /// Lines `TYPE BASE64 [COMMENT]`.
    pub keys: &'a [String],
}

/// Judges one of our keys. With a certificate, it is the key inside that is declared.
pub fn judge(own: &str, role: &str, roles: &[Role<'_>]) -> Vec<Violation> {
    let Some(identity) = identity(own) else {
        return vec![Violation::new(Code::KeyNotDeclared, "our own public key is not in OpenSSH's text form")];
    };
    let listed = |r: &Role<'_>| r.keys.iter().any(|key| self::identity(key) == Some(identity));
    let mut violations = Vec::new();
    if !roles.iter().any(|r| r.name == role && listed(r)) {
        let message = format!("the key {} is not declared as {role} in fleet.toml", shortened(identity));
        violations.push(Violation::new(Code::KeyNotDeclared, message));
    }
    for other in roles.iter().filter(|r| r.name != role && listed(r)) {
        let message = format!("the key {} is declared as {role} and as {}", shortened(identity), other.name);
        violations.push(Violation::new(Code::KeyInOtherRole, message));
    }
    violations
}

/// Type and key; the comment does not count.
fn identity(line: &str) -> Option<(&str, &str)> {
    let mut words = line.split_whitespace();
    Some((words.next()?, words.next()?))
}

/// Enough of a key for a person to recognise it.
fn shortened((kind, key): (&str, &str)) -> String {
    let skip = key.chars().count().saturating_sub(12);
    let end: String = key.chars().skip(skip).collect();
    format!("{kind} ...{end}")
}

#[cfg(test)]
mod tests {
    use super::*;

    const OURS: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOurs observer@host";

    fn codes(observer: &[&str], actuator: &[&str]) -> Vec<Code> {
        let own = |keys: &[&str]| keys.iter().map(|k| (*k).to_owned()).collect::<Vec<_>>();
        let (observer, actuator) = (own(observer), own(actuator));
        let roles = [Role { name: "observer_ssh", keys: &observer }, Role { name: "actuator_ssh", keys: &actuator }];
        judge(OURS, "observer_ssh", &roles).into_iter().map(|v| v.code).collect()
    }

    #[test]
    fn a_key_must_be_declared_for_its_role_and_no_other() {
        let same_without_comment = "ssh-ed25519  AAAAC3NzaC1lZDI1NTE5AAAAIOurs";
        let another = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIElse observer@host";
        assert!(codes(&[another, OURS], &[another]).is_empty());
        assert!(codes(&[same_without_comment], &[]).is_empty());
        assert_eq!(codes(&[], &[]), [Code::KeyNotDeclared]);
        assert_eq!(codes(&[another], &[]), [Code::KeyNotDeclared]);
        assert_eq!(codes(&[OURS], &[same_without_comment]), [Code::KeyInOtherRole]);
        assert_eq!(codes(&[], &[OURS]), [Code::KeyNotDeclared, Code::KeyInOtherRole]);
        // The same text under another type is another key.
        assert_eq!(codes(&["ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIOurs"], &[]), [Code::KeyNotDeclared]);
    }

    #[test]
    fn an_own_key_that_cannot_be_read_is_no_pass() {
        assert_eq!(judge("", "observer_ssh", &[])[0].code, Code::KeyNotDeclared);
    }
}
