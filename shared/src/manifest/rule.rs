//! One rule of `[packages]`: its key and its short or table form.

use super::effective::{PackageKey, Rule, Ruling};
use super::findings::Findings;
use super::read::{Scope, Text, kind, place, suggestion};
use super::version::VersionSpec;
use crate::diagnostic::{Source, closest};
use crate::nevra::{KNOWN_ARCHES, check_name, is_known_arch};
use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use toml::Spanned;
use toml::de::DeValue;

/// Architectures of source packages, which are never installed.
const SOURCES: [&str; 2] = ["src", "nosrc"];

/// Reads `name` or `name.arch`; a suffix that is no known architecture belongs to the name, as in `python3.12`.
pub(super) fn parse_key(source: &Source<'_>, text: &Text<'_>, findings: &mut Findings) -> Option<PackageKey> {
    let (name, arch) = match text.value.rsplit_once('.') {
        Some((name, arch)) if is_known_arch(arch) => (name, Some(arch)),
        _ => (text.value, None),
    };
    if let Err(error) = check_name(name) {
        let hint = if name.contains(['*', '?', '[']) {
            "globs are only for `ignore` in `[unlisted]`"
        } else if name.contains([' ', '=', '<', '>', ':']) {
            "the version goes to the right of the `=`"
        } else {
            "write `name` or `name.arch`"
        };
        findings.error(source, &text.span, format!("`{}` is not a package: {error}", text.value), hint);
        return None;
    }
    if arch.is_some_and(|arch| SOURCES.contains(&arch)) {
        findings.error(
            source,
            &text.span,
            format!("`{}` is a source package, which is never installed", text.value),
            "write the name of the binary package",
        );
        return None;
    }
    if arch.is_none()
        && let Some((_, suffix)) = name.rsplit_once('.')
        && suffix.len() > 3
        && let Some(meant) = closest(suffix, KNOWN_ARCHES.iter().copied())
    {
        findings.warning(
            source,
            &text.span,
            format!("`{suffix}` is not a known architecture, so it is read as part of the name"),
            format!("did you mean `{meant}`?"),
        );
    }
    if name == "gpg-pubkey" {
        findings.warning(source, &text.span, "gpg-pubkey is never judged", "remove the rule");
    }
    Some(PackageKey { name: name.to_owned(), arch: arch.map(str::to_owned) })
}

/// Reads the right-hand side.
pub(super) fn parse_ruling(
    scope: &Scope<'_>,
    key: &Text<'_>,
    value: &Spanned<DeValue<'_>>,
    findings: &mut Findings,
) -> Option<Ruling> {
    let source = scope.source();
    let place = place(source, &key.span);
    match value.get_ref() {
        DeValue::String(text) => Some(Ruling {
            rule: parse_rule(source, text, &value.span(), findings)?,
            from: Vec::new(),
            reason: None,
            place,
        }),
        DeValue::Table(_) => {
            let mut table = scope.inner(key.value, key.span.clone(), value, findings)?;
            let ruling = parse_table(&mut table, key, findings);
            report_unknown(&table, key, findings);
            let (rule, from, reason) = ruling?;
            Some(Ruling { rule, from, reason, place })
        }
        other => {
            let hint = match other {
                DeValue::Float(_) | DeValue::Integer(_) => "put the version in quotes: `\"= 1.2\"`",
                DeValue::Boolean(_) => "write \"*\" or \"absent\"",
                _ => "write a version spec, \"absent\", \"allowed\", or a table",
            };
            findings.error(source, &value.span(), format!("the rule for `{}` is {}", key.value, kind(other)), hint);
            None
        }
    }
}

type TableRule = (Rule, Vec<String>, Option<String>);

fn parse_table(table: &mut Scope<'_>, key: &Text<'_>, findings: &mut Findings) -> Option<TableRule> {
    let source = table.source();
    let version = table.text("version", findings);
    let state = table.text("state", findings);
    let same_as = table.text("same-as", findings);
    let repositories = table.texts("from", findings).unwrap_or_default();
    let reason = table.text("reason", findings).map(|text| text.value.to_owned());
    let from = word_list(source, &repositories, REPOSITORY_ID, is_id, findings);
    let written: Vec<_> = ["version", "state", "same-as"].into_iter().filter(|name| table.has(name)).collect();
    if written.len() > 1 {
        let span = table.key_span(written[1]).unwrap_or_else(|| key.span.clone());
        findings.error(
            source,
            &span,
            format!("`{}` has both `{}` and `{}`", key.value, written[0], written[1]),
            "keep one; a state with versions is `state = \"absent < 2\"`",
        );
        return None;
    }
    let rule = match (version, state, same_as) {
        (Some(text), _, _) => {
            let spec = VersionSpec::parse(text.value);
            match spec {
                Ok(spec) => Rule::Present(spec),
                Err(error) => {
                    findings.error(source, &text.span, error.to_string(), error.hint());
                    return None;
                }
            }
        }
        (_, Some(text), _) => match text.value.split_whitespace().next() {
            Some("absent" | "allowed") => parse_rule(source, text.value, &text.span, findings)?,
            _ => {
                let hint = match suggestion(text.value, ["absent", "allowed"]) {
                    hint if hint.is_empty() => "a version is `version = ...`".to_owned(),
                    hint => hint,
                };
                findings.error(source, &text.span, format!("`{}` is not a state", text.value), hint);
                return None;
            }
        },
        (_, _, Some(text)) if text.value == "running-kernel" => Rule::SameAsRunningKernel,
        (_, _, Some(text)) => {
            findings.error(
                source,
                &text.span,
                format!("a package cannot be the same as `{}`", text.value),
                "write `same-as = \"running-kernel\"`",
            );
            return None;
        }
        (None, None, None) => {
            // Only when none is written at all: a mistyped one was reported above, a misspelt one is by its key.
            if written.is_empty() && table.is_complete() && !looks_like_name_parts(table) {
                findings.error(
                    source,
                    &key.span,
                    format!("`{}` says neither version nor state", key.value),
                    "add `version = \"*\"` or `state = \"absent\"`",
                );
            }
            return None;
        }
    };
    if matches!(rule, Rule::Absent(_)) && !from.is_empty() {
        let span = table.key_span("from").unwrap_or_else(|| key.span.clone());
        findings.error(
            source,
            &span,
            format!("`{}` is to be absent, so it comes from nowhere", key.value),
            "remove `from`",
        );
        return None;
    }
    Some((rule, from, reason))
}

const KEYS: [&str; 5] = ["version", "state", "same-as", "from", "reason"];

/// `python3.12 = "*"` without quotes is a table in TOML; it is told apart by having none of our keys.
fn looks_like_name_parts(table: &Scope<'_>) -> bool {
    KEYS.iter().all(|key| !table.has(key)) && table.keys().next().is_some()
}

fn report_unknown(table: &Scope<'_>, key: &Text<'_>, findings: &mut Findings) {
    if !looks_like_name_parts(table) {
        table.finish(findings);
        return;
    }
    for (part, span) in table.keys() {
        let hint = match closest(part, KEYS) {
            Some(known) => format!("did you mean `{known}`?"),
            None => format!("a name with a dot needs quotes: `\"{}.{part}\"`", key.value),
        };
        findings.error(table.source(), &span, format!("unknown key `{part}` in the rule for `{}`", key.value), hint);
    }
}

/// Reads the short form.
fn parse_rule(source: &Source<'_>, text: &str, span: &Range<usize>, findings: &mut Findings) -> Option<Rule> {
    let text = text.trim();
    let (head, rest) = match text.split_once(char::is_whitespace) {
        Some((head, rest)) => (head, rest.trim()),
        None => (text, ""),
    };
    let spec = match (head, rest) {
        ("absent", "") => return Some(Rule::Absent(None)),
        ("allowed", "") => return Some(Rule::Allowed),
        ("absent", rest) => rest,
        _ => text,
    };
    match VersionSpec::parse(spec) {
        Ok(parsed) if head == "absent" && parsed.is_any() => Some(Rule::Absent(None)),
        Ok(parsed) if head == "absent" => Some(Rule::Absent(Some(parsed))),
        Ok(parsed) => Some(Rule::Present(parsed)),
        Err(error) => {
            let hint = match closest(head, ["absent", "allowed"]) {
                Some(word) if word != head => format!("did you mean `{word}`?"),
                _ => error.hint(),
            };
            findings.error(source, span, error.to_string(), hint);
            None
        }
    }
}

/// Words of a list that pass a check, sorted, each once.
pub(super) fn word_list(
    source: &Source<'_>,
    texts: &[Text<'_>],
    (what, hint): (&str, &str),
    check: impl Fn(&str) -> bool,
    findings: &mut Findings,
) -> Vec<String> {
    let mut words = BTreeSet::new();
    for text in texts {
        if !check(text.value) {
            findings.error(source, &text.span, format!("`{}` is not {what}", text.value), hint);
        } else if !words.insert(text.value.to_owned()) {
            findings.warning(source, &text.span, format!("`{}` is listed twice", text.value), "remove one");
        }
    }
    words.into_iter().collect()
}

/// What [`is_id`] looks for, and how to get it right.
pub(super) const REPOSITORY_ID: (&str, &str) =
    ("a repository id", "letters, digits and `._:-`, as `dnf repolist` shows them");

/// A repository id as dnf takes it.
pub(super) fn is_id(text: &str) -> bool {
    !text.is_empty() && text.len() <= 255 && text.bytes().all(|c| c.is_ascii_alphanumeric() || b"._:-".contains(&c))
}

/// As people write it in the short form; `same-as` has its table.
impl fmt::Display for Rule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Rule::Present(spec) => spec.fmt(f),
            Rule::Absent(None) => f.write_str("absent"),
            Rule::Absent(Some(spec)) => write!(f, "absent {spec}"),
            Rule::Allowed => f.write_str("allowed"),
            Rule::SameAsRunningKernel => f.write_str("same-as running-kernel"),
        }
    }
}

/// `name` or `name.arch`.
impl fmt::Display for PackageKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)?;
        match &self.arch {
            Some(arch) => write!(f, ".{arch}"),
            None => Ok(()),
        }
    }
}
