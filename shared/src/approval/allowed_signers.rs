//! Who may sign, in OpenSSH's allowed_signers format (ssh-keygen(1), ALLOWED SIGNERS), judged as `ssh-keygen -Y verify`
//! does, with one difference: a line that cannot be read makes the whole file an error.

use super::sshsig::{Signer, check_algorithm, check_key};
use ssh_key::certificate::CertType;
use ssh_key::public::KeyData;
use ssh_key::{Certificate, HashAlg, PublicKey};
use std::collections::BTreeSet;

/// The file.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct AllowedSigners {
    entries: Vec<Entry>,
}

/// Why a file of allowed signers cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {problem}")]
pub struct AllowedSignersError {
    /// From 1.
    pub line: usize,
    /// What is wrong.
    pub problem: &'static str,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Entry {
    principals: String,
    key: KeyData,
    authority: bool,
    namespaces: Option<String>,
    valid_after: Option<i64>,
    valid_before: Option<i64>,
}

/// A person whose signature counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// As listed, or as the certificate says.
    pub principal: String,
    /// The key that is listed: the person's own, or that of the authority.
    pub listed: KeyData,
}

/// Why a signer is no person of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unknown {
    /// No line has the key, or none that names one person.
    NotListed,
    /// A line has the key, but not for this time or namespace, or the certificate is not valid now.
    NotInForce,
    /// The key stands for more than one name.
    TwoNames,
}

impl AllowedSigners {
    /// Reads the file. Times without `Z` are UTC.
    pub fn parse(text: &str) -> Result<Self, AllowedSignersError> {
        let mut entries = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let line = line.trim_matches([' ', '\t', '\r']);
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            let entry = Entry::parse(line).map_err(|problem| AllowedSignersError { line: index + 1, problem })?;
            entries.push(entry);
        }
        Ok(Self { entries })
    }

    /// Whether `principal` may have signed with this key, as `ssh-keygen -Y verify -I principal` answers.
    pub fn allows(&self, principal: &str, signer: &Signer, namespace: &str, now: i64) -> bool {
        self.entries.iter().any(|entry| {
            pattern_list(principal, &entry.principals) == Some(true)
                && entry.has_key(signer)
                && entry.in_force(namespace, now)
                && match &signer.certificate {
                    None => true,
                    Some(certificate) => entry.certified(certificate, now).contains(&principal),
                }
        })
    }

    /// The person who signed. Keys of machines are left out by the caller; patterns name nobody but for authorities, and
    /// a key that stands for two names stands for nobody.
    pub fn person(&self, signer: &Signer, namespace: &str, now: i64) -> Result<Person, Unknown> {
        let mut names: BTreeSet<&str> = BTreeSet::new();
        let mut found = None;
        let mut known = false;
        for entry in self.entries.iter().filter(|entry| entry.has_key(signer)) {
            let own: Vec<&str> = match &signer.certificate {
                Some(certificate) => entry.certified(certificate, now),
                None if entry.principals.contains(['*', '?', '!', ',']) => continue,
                None => vec![&entry.principals],
            };
            known = true;
            names.extend(&own);
            if let (Some(name), true) = (own.first(), entry.in_force(namespace, now)) {
                found = Some(Person { principal: (*name).to_owned(), listed: entry.key.clone() });
            }
        }
        match found {
            _ if names.len() > 1 => Err(Unknown::TwoNames),
            Some(person) => Ok(person),
            None if known => Err(Unknown::NotInForce),
            None => Err(Unknown::NotListed),
        }
    }
}

impl Entry {
    fn parse(line: &str) -> Result<Self, &'static str> {
        let (principals, rest) = word(line).ok_or("there is no key")?;
        let principals = match principals.strip_prefix('"') {
            Some(quoted) => quoted.strip_suffix('"').ok_or("a quote is not closed")?,
            None => principals,
        };
        if principals.is_empty() || principals.contains('"') {
            return Err("the principal is empty or oddly quoted");
        }
        let mut entry = Self {
            principals: principals.to_owned(),
            key: KeyData::Ed25519(ssh_key::public::Ed25519PublicKey([0; 32])),
            authority: false,
            namespaces: None,
            valid_after: None,
            valid_before: None,
        };
        let rest = rest.trim_start_matches([' ', '\t']);
        entry.key = match key(rest) {
            Some(key) => key,
            None => {
                let (options, rest) = word(rest).ok_or("there is no key")?;
                entry.options(options)?;
                key(rest.trim_start_matches([' ', '\t'])).ok_or("the key cannot be read")?
            }
        };
        if let (Some(after), Some(before)) = (entry.valid_after, entry.valid_before)
            && before <= after
        {
            return Err("valid-before is not later than valid-after");
        }
        check_key(&entry.key).map_err(|_| "the key is of a kind or size that is not accepted")?;
        Ok(entry)
    }

    fn options(&mut self, text: &str) -> Result<(), &'static str> {
        for option in split_options(text)? {
            let (name, value) = match option.split_once('=') {
                None => (option, None),
                Some((name, value)) => {
                    let value = value.strip_prefix('"').and_then(|v| v.strip_suffix('"'));
                    (name, Some(value.ok_or("an option's value is not in quotes")?))
                }
            };
            match (name.to_ascii_lowercase().as_str(), value) {
                ("cert-authority", None) => self.authority = true,
                ("namespaces", Some(value)) if self.namespaces.is_none() => self.namespaces = Some(value.to_owned()),
                ("valid-after", Some(value)) if self.valid_after.is_none() => self.valid_after = Some(time(value)?),
                ("valid-before", Some(value)) if self.valid_before.is_none() => self.valid_before = Some(time(value)?),
                _ => return Err("an option is unknown, there twice, or lacks its value"),
            }
        }
        Ok(())
    }

    fn in_force(&self, namespace: &str, now: i64) -> bool {
        self.namespaces.as_deref().is_none_or(|list| pattern_list(namespace, list) == Some(true))
            && self.valid_after.is_none_or(|after| now >= after)
            && self.valid_before.is_none_or(|before| now <= before)
    }

    /// Whether this entry's key stands behind the signature. A plain key signs for itself; that of an authority never.
    fn has_key(&self, signer: &Signer) -> bool {
        match &signer.certificate {
            None => !self.authority && self.key == signer.key,
            Some(certificate) => self.authority && *certificate.signature_key() == self.key,
        }
    }

    /// The principals that this authority's certificate may sign for.
    fn certified<'a>(&self, certificate: &'a Certificate, now: i64) -> Vec<&'a str> {
        let authority = self.key.fingerprint(HashAlg::Sha256);
        let valid = u64::try_from(now).is_ok_and(|now| certificate.validate_at(now, [&authority]).is_ok())
            && check_algorithm(&self.key, certificate.signature()).is_ok()
            && certificate.cert_type() == CertType::User
            // An option that must be obeyed and is not understood forbids.
            && certificate.critical_options().is_empty();
        let principals = certificate.valid_principals().iter().map(String::as_str);
        principals.filter(|name| valid && pattern_list(name, &self.principals) == Some(true)).collect()
    }
}

/// The key at the start of the text: type and base64; a comment may follow.
fn key(text: &str) -> Option<KeyData> {
    let mut words = text.split([' ', '\t']).filter(|w| !w.is_empty());
    let line = format!("{} {}", words.next()?, words.next()?);
    PublicKey::from_openssh(&line).ok().map(|key| key.key_data().clone())
}

/// The first word, blanks within double quotes not counting as its end, and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    let end = text.char_indices().find(|(_, c)| {
        quoted ^= *c == '"';
        !quoted && matches!(c, ' ' | '\t')
    });
    end.map(|(at, _)| text.split_at(at))
}

fn split_options(text: &str) -> Result<Vec<&str>, &'static str> {
    let mut quoted = false;
    let parts = text
        .split(|c| {
            quoted ^= c == '"';
            !quoted && c == ','
        })
        .collect();
    if quoted { Err("a quote is not closed") } else { Ok(parts) }
}

/// `YYYYMMDD[HHMM[SS]][Z]` in UTC, see ssh-keygen(1), TIME FORMATS.
fn time(text: &str) -> Result<i64, &'static str> {
    let wrong = "a time is not of the form YYYYMMDD[HHMM[SS]][Z]";
    let digits = text.strip_suffix(['Z', 'z']).unwrap_or(text);
    if !digits.bytes().all(|b| b.is_ascii_digit()) || !matches!(digits.len(), 8 | 12 | 14) {
        return Err(wrong);
    }
    let number = |from: usize, to: usize| digits.get(from..to).map_or(Ok(0), |d| d.parse::<i16>().map_err(|_| wrong));
    let small = |n: i16| i8::try_from(n).map_err(|_| wrong);
    let date = jiff::civil::DateTime::new(
        number(0, 4)?,
        small(number(4, 6)?)?,
        small(number(6, 8)?)?,
        small(number(8, 10)?)?,
        small(number(10, 12)?)?,
        small(number(12, 14)?)?,
        0,
    )
    .map_err(|_| wrong)?;
    let zoned = jiff::tz::TimeZone::UTC.to_timestamp(date).map_err(|_| wrong)?;
    Ok(zoned.as_second())
}

/// OpenSSH's match_pattern_list: `Some(false)` = a negated pattern matches, `None` = nothing does.
fn pattern_list(text: &str, list: &str) -> Option<bool> {
    let mut matched = None;
    for pattern in list.split(',') {
        match pattern.strip_prefix('!') {
            Some(negated) if pattern_matches(text.as_bytes(), negated.as_bytes()) => return Some(false),
            Some(_) => {}
            None if pattern_matches(text.as_bytes(), pattern.as_bytes()) => matched = Some(true),
            None => {}
        }
    }
    matched
}

/// `*` and `?`, case-sensitive, without recursion over the text.
fn pattern_matches(text: &[u8], pattern: &[u8]) -> bool {
    let (mut t, mut p) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(b'?') => {
                t += 1;
                p += 1;
            }
            Some(c) if *c == text[t] => {
                t += 1;
                p += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern[p..].iter().all(|c| *c == b'*')
}
