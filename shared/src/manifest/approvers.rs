//! `approvers`: the people, in OpenSSH's allowed_signers format (ssh-keygen(1), ALLOWED SIGNERS).
//!
//! Syntax and our two extra rules only: no wildcards except for a certificate authority, and one person per key.
//! Who signed what is judged elsewhere, over the same text.

use super::findings::Findings;
use super::ssh_key::PublicKey;
use crate::diagnostic::Source;
use std::collections::BTreeMap;
use std::ops::Range;

/// The file, checked.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Approvers {
    /// The text as it is in the repository.
    pub text: String,
    /// Its entries, in order.
    pub entries: Vec<Approver>,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approver {
    /// The person, or for a certificate authority the pattern of people.
    pub principal: String,
    /// Whether the key signs certificates instead of statements.
    pub authority: bool,
    /// The key.
    pub key: PublicKey,
}

/// Options that allowed_signers has; all but the first take a value in quotes.
const OPTIONS: &[&str] = &["cert-authority", "namespaces", "valid-after", "valid-before"];

pub(super) fn read(source: &Source<'_>, findings: &mut Findings) -> Approvers {
    let mut entries = Vec::new();
    let mut owners: BTreeMap<String, String> = BTreeMap::new();
    let mut offset = 0;
    let mut damaged = false;
    for line in source.text().split_inclusive('\n') {
        let span = offset..offset + line.trim_end().len();
        offset += line.len();
        let line = line.trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        let Some(entry) = read_line(source, &span, line, findings) else {
            damaged = true;
            continue;
        };
        let key = entry.key.to_string();
        match owners.get(&key) {
            Some(owner) if *owner != entry.principal => findings.error(
                source,
                &span,
                format!("the key of `{}` is also that of `{owner}`", entry.principal),
                "one key is one person: give each their own",
            ),
            Some(_) => findings.warning(source, &span, "this key is listed twice", "remove one of the lines"),
            None => {
                owners.insert(key, entry.principal.clone());
            }
        }
        entries.push(entry);
    }
    if entries.is_empty() && !damaged {
        findings.warning(
            source,
            &(0..0),
            "no approver is listed",
            "add lines such as `ada@example.org ssh-ed25519 AAAA...`",
        );
    }
    Approvers { text: source.text().to_owned(), entries }
}

fn read_line(source: &Source<'_>, span: &Range<usize>, line: &str, findings: &mut Findings) -> Option<Approver> {
    let mut refuse = |message: String, hint: &str| -> Option<Approver> {
        findings.error(source, span, message, hint);
        None
    };
    let form = "`principal [options] type base64`";
    let Some((principals, rest)) = word(line) else {
        return refuse("the line has no key".to_owned(), form);
    };
    let mut rest = rest.trim_start();
    let mut authority = false;
    // Whatever is not the type of a key is read as options, as ssh-keygen does.
    if !is_key_type(rest) {
        let Some((options, after)) = word(rest) else {
            return refuse("the line has no key".to_owned(), form);
        };
        for option in split_options(options) {
            let (name, value) = option.split_once('=').map_or((option, None), |(n, v)| (n, Some(v)));
            let Some(known) = OPTIONS.iter().find(|known| known.eq_ignore_ascii_case(name)) else {
                return refuse(format!("`{name}` is neither an option nor the type of a key"), form);
            };
            let quoted = value.is_some_and(|v| v.len() >= 2 && v.starts_with('"') && v.ends_with('"'));
            match *known {
                "cert-authority" if value.is_none() => authority = true,
                "cert-authority" => {
                    return refuse("`cert-authority` takes no value".to_owned(), form);
                }
                _ if quoted => {}
                _ => return refuse(format!("`{name}` takes a value in double quotes"), form),
            }
        }
        rest = after.trim_start();
    }
    let key = match PublicKey::parse_signer(rest) {
        Ok(key) => key,
        Err(error) => {
            let hint = error.hint();
            return refuse(error.to_string(), &hint);
        }
    };
    let principal = principals.trim_matches('"');
    if principal.is_empty() {
        return refuse("the principal is empty".to_owned(), form);
    }
    if principal.contains(',') {
        return refuse(
            "several principals share this key".to_owned(),
            "one key is one person: write one principal per line, each with an own key",
        );
    }
    if !authority && principal.contains(['*', '?', '!']) {
        return refuse(
            format!("`{principal}` is a pattern, not a person"),
            "patterns are for lines with `cert-authority`; name the person",
        );
    }
    Some(Approver { principal: principal.to_owned(), authority, key })
}

/// Whether the text begins with something that can only be meant as the type of a key.
fn is_key_type(text: &str) -> bool {
    ["ssh-", "ecdsa-", "sk-"].iter().any(|prefix| text.starts_with(prefix))
}

/// The first word, blanks within double quotes not counting as its end, and what follows.
fn word(text: &str) -> Option<(&str, &str)> {
    let mut quoted = false;
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ' ' | '\t' if !quoted => return Some((&text[..index], &text[index..])),
            _ => {}
        }
    }
    None
}

/// Options at their commas, commas within double quotes not counting.
fn split_options(text: &str) -> Vec<&str> {
    let mut parts = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (index, c) in text.char_indices() {
        match c {
            '"' => quoted = !quoted,
            ',' if !quoted => {
                parts.push(&text[start..index]);
                start = index + 1;
            }
            _ => {}
        }
    }
    parts.push(&text[start..]);
    parts
}
