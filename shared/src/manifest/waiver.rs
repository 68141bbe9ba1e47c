//! `waivers/**.toml`: accepted drift, with an owner and an end.

use super::effective::{PackageKey, Place};
use super::findings::Findings;
use super::fleet::Fleet;
use super::read::{Scope, Text, document, place, suggestion, suggestion_or_list};
use super::rule::parse_key;
use crate::diagnostic::Source;
use crate::drift::Code;
use countersign_manifests_schema::waiver::WAIVER_SCHEMA;
use jiff::civil::Date;
use jiff::tz::TimeZone;
use std::collections::BTreeSet;
use toml::de::DeValue;

/// Accepted drift.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waiver {
    /// Names of runners, sorted.
    pub runners: Vec<String>,
    /// Names of groups, sorted.
    pub groups: Vec<String>,
    /// The package; `None` = any package and the host items of the code.
    pub package: Option<PackageKey>,
    /// The code; `None` = every code.
    pub code: Option<Code>,
    /// What must be there, sorted; `None` = whatever is there.
    pub seen: Option<Vec<String>>,
    /// Why.
    pub reason: String,
    /// Who answers for it.
    pub owner: String,
    /// The last valid day.
    pub until: Date,
    /// Unix seconds of 23:59:59 UTC on the last valid day.
    pub last_second: i64,
    /// Where it is written.
    pub place: Place,
}

/// A difference, as far as a waiver can name it.
#[derive(Debug, Clone, Copy)]
pub struct Difference<'a> {
    /// What kind.
    pub code: Code,
    /// Package; `None` for host items.
    pub package: Option<&'a str>,
    /// Architecture.
    pub arch: Option<&'a str>,
    /// The rule as it is shown.
    pub wanted: Option<&'a str>,
    /// What is there.
    pub seen: &'a [String],
}

impl<'a> Difference<'a> {
    /// What `seen` of a waiver is compared with. Nothing is seen of a repository that is not enabled, so it is its name.
    pub fn accepted(&self) -> Vec<&'a str> {
        match self.code {
            Code::RepoDisabled => self.wanted.into_iter().collect(),
            _ => self.seen.iter().map(String::as_str).collect(),
        }
    }
}

impl Waiver {
    /// Whether it is still valid at this Unix second.
    pub fn is_valid_at(&self, now: i64) -> bool {
        now <= self.last_second
    }

    /// Whether it is about such an item; who it is for is for [`Waiver::is_for`].
    pub fn covers(&self, item: &Difference<'_>) -> bool {
        let about = |own: &PackageKey| {
            item.package == Some(own.name.as_str()) && own.arch.as_deref().is_none_or(|own| item.arch == Some(own))
        };
        let exactly = |own: &Vec<String>| {
            let there = item.accepted();
            own.iter().all(|text| there.contains(&text.as_str()))
                && there.iter().all(|text| own.iter().any(|o| o == text))
        };
        self.code.is_none_or(|own| own == item.code)
            && self.package.as_ref().is_none_or(about)
            && self.seen.as_ref().is_none_or(exactly)
    }

    /// Whether it is for this runner or one of these groups.
    pub fn is_for(&self, runner: &str, groups: &[String]) -> bool {
        self.runners.iter().any(|own| own == runner) || self.groups.iter().any(|own| groups.contains(own))
    }
}

pub(super) fn read(source: &Source<'_>, fleet: &Fleet, findings: &mut Findings) -> Vec<Waiver> {
    document(source, WAIVER_SCHEMA, findings, |scope, findings| {
        let tables = scope.array_of_tables("waive", findings);
        tables
            .into_iter()
            .filter_map(|mut table| {
                let waiver = read_waiver(&mut table, fleet, findings);
                table.finish(findings);
                waiver
            })
            .collect()
    })
}

fn read_waiver(table: &mut Scope<'_>, fleet: &Fleet, findings: &mut Findings) -> Option<Waiver> {
    let source = table.source();
    let runners = table.texts("runners", findings).unwrap_or_default();
    let groups = table.texts("groups", findings).unwrap_or_default();
    let package = table.text("package", findings);
    let code = table.text("code", findings);
    let seen = table.texts("seen", findings);
    let reason = table.required("reason", findings);
    let owner = table.required("owner", findings);
    let until = read_until(table, findings);
    let span = table.span();

    for text in &runners {
        if fleet.runner(text.value).is_none() {
            let hint = suggestion_or_list(text.value, "runners", fleet.runners.iter().map(|r| r.name.as_str()));
            findings.error(source, &text.span, format!("there is no runner `{}`", text.value), hint);
        }
    }
    for text in &groups {
        if !fleet.groups.contains_key(text.value) {
            let hint = suggestion_or_list(text.value, "groups", fleet.groups.keys().map(String::as_str));
            findings.error(source, &text.span, format!("there is no group `{}`", text.value), hint);
        }
    }
    if runners.is_empty() && groups.is_empty() && table.is_complete() {
        findings.error(source, &span, "the waiver is for nobody", "add `runners = [...]` or `groups = [...]`");
    }
    if package.is_none() && code.is_none() && table.is_complete() {
        findings.error(
            source,
            &span,
            "the waiver would cover every drift",
            "add `package = ...`; a waiver without a package needs a `code`",
        );
    }
    let package = match package {
        Some(text) => Some(parse_key(source, &text, findings)?),
        None => None,
    };
    let code = match code {
        Some(text) => Some(read_code(source, &text, findings)?),
        None => None,
    };
    let until = until?;
    let midnight = until.tomorrow().ok()?.to_zoned(TimeZone::UTC).ok()?;
    Some(Waiver {
        runners: sorted(runners),
        groups: sorted(groups),
        package,
        code,
        seen: seen.map(sorted),
        reason: reason?.value.to_owned(),
        owner: owner?.value.to_owned(),
        until,
        last_second: midnight.timestamp().as_second() - 1,
        place: place(source, &span),
    })
}

fn read_code(source: &Source<'_>, text: &Text<'_>, findings: &mut Findings) -> Option<Code> {
    let code = Code::parse(text.value);
    if code.is_none() {
        let hint = match suggestion(text.value, Code::ALL.iter().map(|code| code.as_str())) {
            hint if hint.is_empty() => {
                let all: Vec<&str> = Code::ALL.iter().map(|code| code.as_str()).collect();
                format!("the codes are {}", all.join(", "))
            }
            hint => hint,
        };
        findings.error(source, &text.span, format!("`{}` is not a drift code", text.value), hint);
    }
    code
}

/// A day, as a string or as TOML's own date.
fn read_until(table: &mut Scope<'_>, findings: &mut Findings) -> Option<Date> {
    if !table.has("until") {
        table.required("until", findings);
        return None;
    }
    let value = table.value("until")?;
    let written = match value.get_ref() {
        DeValue::String(text) => text.to_string(),
        DeValue::Datetime(date) => date.to_string(),
        _ => String::new(),
    };
    let strict = written.len() == 10 && !written.starts_with(['+', '-']);
    let date = written.parse::<Date>().ok().filter(|date| strict && date.year() < 9999);
    if date.is_none() {
        findings.error(
            table.source(),
            &value.span(),
            "`until` is not a day",
            "write the last valid day: `until = \"2026-12-31\"`",
        );
    }
    date
}

fn sorted(texts: Vec<Text<'_>>) -> Vec<String> {
    let unique: BTreeSet<String> = texts.into_iter().map(|text| text.value.to_owned()).collect();
    unique.into_iter().collect()
}
