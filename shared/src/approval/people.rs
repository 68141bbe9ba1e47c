//! From a signature to a person who counts.
//!
//! `ssh-keygen -Y verify` asks whether a *named* principal may have signed. Here nobody is named: the one line of the
//! list that has the key says who it was.

use super::allowed_signers::{AllowedSigners, Person, Unknown};
use super::sshsig::{SignatureError, Signer, SshSignature};
use ssh_key::PublicKey;
use ssh_key::public::KeyData;

/// Who counts, and when.
#[derive(Debug, Clone, Copy)]
pub struct People<'a> {
    /// The people.
    pub listed: &'a AllowedSigners,
    /// Keys of machines and forges: never a person, even when listed.
    pub bots: &'a [KeyData],
    /// Keys that count no more; the key of an authority takes its certificates with it.
    pub revoked: &'a [KeyData],
    /// Whether only security keys that say that they were touched count. Otherwise software keys count too, and a
    /// security key that nobody touched is worth as much as they are.
    pub require_touch: bool,
    /// Unix seconds by our clock. What a signature or a commit says about its time is a claim.
    pub now: i64,
}

/// A person whose signature was verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// Who.
    pub person: Person,
    /// The key that signed; with a certificate, the key inside.
    pub key: KeyData,
}

/// Why a signature is not one of a person who counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotAPerson {
    /// It does not hold.
    #[error("the signature does not hold")]
    Signature(#[from] SignatureError),
    /// A machine made it.
    #[error("a bot signed it")]
    Bot,
    /// The key, or the authority behind its certificate, is revoked.
    #[error("the key that signed it is revoked")]
    Revoked,
    /// A key in software, where a touch is required.
    #[error("a key in software signed it, and a touched security key is required")]
    Software,
    /// A security key that nobody touched.
    #[error("a security key signed it without being touched")]
    NotTouched,
    /// Not in the list.
    #[error("its signer is not among the approvers")]
    NotListed,
    /// In the list, but not now or not for this.
    #[error("its signer is among the approvers, but not at this time or not for this purpose")]
    NotInForce,
    /// The list gives the key to more than one name.
    #[error("the approvers list its key under more than one name")]
    TwoNames,
}

impl People<'_> {
    /// Verifies an armoured signature over `message`, and answers with who made it.
    pub fn who(&self, signature: &str, namespace: &str, message: &[u8]) -> Result<Approver, NotAPerson> {
        let signer = SshSignature::parse(signature)?.verify(namespace, message)?;
        self.admit(&signer, namespace)
    }

    /// Whether a signer, whose signature was verified, is a person who counts.
    pub fn admit(&self, signer: &Signer, namespace: &str) -> Result<Approver, NotAPerson> {
        let authority = signer.certificate.as_ref().map(|certificate| certificate.signature_key());
        let among = |keys: &[KeyData]| keys.iter().any(|key| *key == signer.key || Some(key) == authority);
        if among(self.revoked) {
            return Err(NotAPerson::Revoked);
        }
        if among(self.bots) {
            return Err(NotAPerson::Bot);
        }
        let person = self.listed.person(signer, namespace, self.now).map_err(|unknown| match unknown {
            Unknown::NotListed => NotAPerson::NotListed,
            Unknown::NotInForce => NotAPerson::NotInForce,
            Unknown::TwoNames => NotAPerson::TwoNames,
        })?;
        match signer.touched {
            None if self.require_touch => Err(NotAPerson::Software),
            Some(false) if self.require_touch => Err(NotAPerson::NotTouched),
            _ => Ok(Approver { person, key: signer.key.clone() }),
        }
    }
}

impl NotAPerson {
    /// Whether the bytes themselves are at fault, whoever is listed.
    pub fn is_forged(&self) -> bool {
        matches!(self, NotAPerson::Signature(_))
    }
}

/// How many people they are, and who: one key is one person, and one name is one person, also through a third. Sorted.
pub fn distinct(approvers: &[Approver]) -> Vec<String> {
    let mut people: Vec<Vec<&Approver>> = Vec::new();
    for approver in approvers {
        let same = |known: &&Approver| known.key == approver.key || known.person.principal == approver.person.principal;
        let (mut merged, others): (Vec<_>, Vec<_>) =
            people.into_iter().partition(|person: &Vec<&Approver>| person.iter().any(same));
        people = others;
        let mut one = vec![approver];
        merged.iter_mut().for_each(|person| one.append(person));
        people.push(one);
    }
    let mut names: Vec<String> =
        people.iter().filter_map(|one| one.iter().map(|approver| approver.person.principal.clone()).min()).collect();
    names.sort();
    names
}

/// Reads a list of public keys, one per line, as `ssh-keygen -Y verify -r` takes. The error is the number of the first
/// line that cannot be read: a revocation that is skipped is none.
pub fn read_keys(text: &str) -> Result<Vec<KeyData>, usize> {
    let mut keys = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let key = PublicKey::from_openssh(line).map_err(|_| index + 1)?;
        keys.push(key.key_data().clone());
    }
    Ok(keys)
}

#[cfg(test)]
mod tests {
    use super::*;
    use ssh_key::public::Ed25519PublicKey;

    fn approver(name: &str, key: u8) -> Approver {
        let key = KeyData::Ed25519(Ed25519PublicKey([key; 32]));
        Approver { person: Person { principal: name.to_owned(), listed: key.clone() }, key }
    }

    #[test]
    fn one_key_is_one_person_and_one_name_is_one_person_in_any_order() {
        for (approvers, expected) in [
            (vec![], vec![]),
            (vec![("ada", 1)], vec!["ada"]),
            (vec![("ben", 2), ("ada", 1)], vec!["ada", "ben"]),
            (vec![("ada", 1), ("ada", 2)], vec!["ada"]),
            (vec![("ada", 1), ("ben", 1)], vec!["ada"]),
            (vec![("ada", 1), ("cat", 2), ("ada", 2)], vec!["ada"]),
            // A chain of names and keys is one person, wherever one begins to count.
            (vec![("ada", 1), ("ben", 1), ("ben", 2)], vec!["ada"]),
            (vec![("ada", 1), ("ben", 2), ("ben", 1)], vec!["ada"]),
            (vec![("dan", 4), ("ada", 1), ("ben", 2), ("ben", 3), ("cat", 3), ("cat", 1)], vec!["ada", "dan"]),
        ] {
            let mut approvers: Vec<_> = approvers.into_iter().map(|(name, key)| approver(name, key)).collect();
            for _ in 0..approvers.len() + 1 {
                assert_eq!(distinct(&approvers), expected, "{approvers:?}");
                let by = approvers.len().min(1);
                approvers.rotate_left(by);
            }
            approvers.reverse();
            assert_eq!(distinct(&approvers), expected, "{approvers:?}");
        }
    }

    #[test]
    fn a_list_of_keys_with_a_line_that_is_none_is_no_list() {
        let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEBAQEB";
        let text = format!("# revoked\n\n{key} ada's old one\n  {key}\r\n");
        assert_eq!(read_keys(&text).unwrap(), vec![approver("", 1).key; 2]);
        assert_eq!(read_keys(&format!("{key}\nada {key}\n")), Err(2));
        assert_eq!(read_keys("serial: 5\n"), Err(1));
        assert_eq!(read_keys(""), Ok(Vec::new()));
    }
}
