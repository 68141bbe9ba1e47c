//! Which lines of a known_hosts file speak about a host: patterns as in `ssh_config(5)` PATTERNS and `sshd(8)`
//! SSH_KNOWN_HOSTS FILE FORMAT.

use hmac::{Hmac, KeyInit, Mac};
use russh::keys::ssh_key::encoding::base64::{Base64, Encoding};
use sha1::Sha1;

/// Longest single pattern; OpenSSH lets a longer one match nothing, nor anything else on its line.
const LONGEST_PATTERN: usize = 1022;

/// The first field of a known_hosts line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum HostPattern {
    /// `|1|salt|hash`: HMAC-SHA1 over the name, keyed with the salt.
    Hashed { salt: [u8; 20], hash: [u8; 20] },
    /// Names and patterns, lower case; all must be looked at, as a negation anywhere wins.
    List(Vec<Pattern>),
}

/// One element of a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pattern {
    negated: bool,
    text: Vec<u8>,
}

impl HostPattern {
    /// Reads the field; `None` if it is a broken hash.
    pub(super) fn parse(field: &[u8]) -> Option<Self> {
        if field.first() == Some(&b'|') {
            return Self::parse_hashed(std::str::from_utf8(field).ok()?);
        }
        let mut patterns = Vec::new();
        for element in field.split(|byte| *byte == b',') {
            let (negated, text) = match element.split_first() {
                Some((b'!', rest)) => (true, rest),
                _ => (false, element),
            };
            if text.len() > LONGEST_PATTERN {
                return None;
            }
            // An empty element matches only the empty name, which no host has.
            if !text.is_empty() {
                patterns.push(Pattern { negated, text: text.to_ascii_lowercase() });
            }
        }
        Some(Self::List(patterns))
    }

    fn parse_hashed(field: &str) -> Option<Self> {
        let (salt, hash) = field.strip_prefix("|1|")?.split_once('|')?;
        let salt = Base64::decode_vec(salt).ok()?.try_into().ok()?;
        let hash = Base64::decode_vec(hash).ok()?.try_into().ok()?;
        Some(Self::Hashed { salt, hash })
    }

    /// The names, if there are no wildcards, negations or hashes: such lines can be found through an index.
    pub(super) fn plain_names(&self) -> Option<impl Iterator<Item = &[u8]>> {
        match self {
            Self::List(patterns)
                if patterns.iter().all(|p| !p.negated && !p.text.iter().any(|b| matches!(b, b'*' | b'?'))) =>
            {
                Some(patterns.iter().map(|p| p.text.as_slice()))
            }
            _ => None,
        }
    }

    /// Whether the line is about `name`, which is in lower case, with its port as `[name]:port` unless that is 22.
    pub(super) fn matches(&self, name: &str) -> bool {
        match self {
            Self::Hashed { salt, hash } => {
                let mut mac = Hmac::<Sha1>::new_from_slice(salt).expect("NOTE: HMAC takes keys of every length");
                mac.update(name.as_bytes());
                mac.verify_slice(hash).is_ok()
            }
            Self::List(patterns) => {
                let mut positive = false;
                for pattern in patterns {
                    if matches_wildcards(name.as_bytes(), &pattern.text) {
                        if pattern.negated {
                            return false;
                        }
                        positive = true;
                    }
                }
                positive
            }
        }
    }
}

/// `*` for any run of bytes, `?` for one; linear in the product of the lengths at worst, never exponential.
pub(super) fn matches_wildcards(name: &[u8], pattern: &[u8]) -> bool {
    let (mut at, mut in_pattern) = (0, 0);
    let mut last_star: Option<(usize, usize)> = None;
    while at < name.len() {
        match pattern.get(in_pattern) {
            Some(b'*') => {
                last_star = Some((in_pattern, at));
                in_pattern += 1;
            }
            Some(&c) if c == b'?' || c == name[at] => {
                at += 1;
                in_pattern += 1;
            }
            _ => match last_star {
                Some((star, from)) => {
                    last_star = Some((star, from + 1));
                    at = from + 1;
                    in_pattern = star + 1;
                }
                None => return false,
            },
        }
    }
    pattern[in_pattern..].iter().all(|c| *c == b'*')
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn matches(field: &str, name: &str) -> bool {
        HostPattern::parse(field.as_bytes()).is_some_and(|pattern| pattern.matches(name))
    }

    #[test]
    fn patterns_match_as_ssh_config_says() {
        for (field, name, expected) in [
            ("host", "host", true),
            ("HOST", "host", true),
            ("host", "hosts", false),
            ("a,host,b", "host", true),
            ("h?st", "host", true),
            ("h?st", "hst", false),
            ("*", "host", true),
            ("*.example.org", "a.b.example.org", true),
            ("*.example.org", "example.org", false),
            ("*,!host", "host", false),
            ("!host,*", "host", false),
            ("!host", "other", false),
            ("!h*,other", "other", true),
            ("[host]:2222", "[host]:2222", true),
            ("[host]:2222", "host", false),
            ("[*]:22??", "[host]:2222", true),
            ("host,", "host", true),
            ("", "", false),
            ("a*b*c*d", "axxbyybzzcd", true),
            ("a*b*c*d", "axxbyybzzcde", false),
        ] {
            assert_eq!(matches(field, name), expected, "{field} against {name}");
        }
    }

    #[test]
    fn hashed_names_match_the_name_that_was_hashed() {
        // Written by `ssh-keygen -H` for the name `host.example`.
        let field = "|1|h/Ff2aovum+4Xr9AYt/NuawN6ws=|cNn1ot9FCxrjcWd2OeaofNeta1g=";
        assert!(matches(field, "host.example"));
        assert!(!matches(field, "host.exampl"));
        assert!(!matches(field, "[host.example]:2222"));
        for broken in ["|1|", "|1||", "|2|JfKTdBh7rNbXkVAQCRp4OQoPfmI=|USECr3SWf1JUPsms5AqfD5QfxkM=", "|1|AAAA|AAAA"] {
            assert_eq!(HostPattern::parse(broken.as_bytes()), None, "{broken}");
        }
    }

    /// The plainest possible definition, to compare with.
    fn slow(name: &[u8], pattern: &[u8]) -> bool {
        match pattern.split_first() {
            None => name.is_empty(),
            Some((b'*', rest)) => (0..=name.len()).any(|from| slow(&name[from..], rest)),
            Some((b'?', rest)) => !name.is_empty() && slow(&name[1..], rest),
            Some((c, rest)) => name.first() == Some(c) && slow(&name[1..], rest),
        }
    }

    proptest! {
        #[test]
        fn the_fast_matcher_agrees_with_the_definition(name in "[ab]{0,8}", pattern in "[ab*?]{0,8}") {
            prop_assert_eq!(
                matches_wildcards(name.as_bytes(), pattern.as_bytes()),
                slow(name.as_bytes(), pattern.as_bytes())
            );
        }
    }
}
