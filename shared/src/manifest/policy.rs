//! `policy.toml`: what the programs may do by themselves, and what they need people for.

use super::findings::Findings;
use super::read::{Scope, document, suggestion_or_list};
use super::ssh_key::PublicKey;
use super::window::Window;
use crate::diagnostic::Source;
use crate::duration::Span;
use crate::nevra::check_name;
use countersign_manifests_schema::policy::{
    ApprovalTable, BreakerTable, DrillTable, Evidence, ObserverTable, POLICY_SCHEMA, PolicyFile, ProtectedTable,
    PullRequest,
};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

/// The policy, defaults applied.
#[derive(Debug, Clone, PartialEq)]
pub struct Policy {
    /// Consecutive observations after which an unlisted package is proposed for removal.
    pub settle: u32,
    /// Pull requests open at once.
    pub max_open: u32,
    /// Whether pull requests are opened, and as what.
    pub pull_request: PullRequest,
    /// Whether the observer comments on pull requests; has no effect yet.
    pub comment: bool,
    /// Whether pull requests of gone drift are closed.
    pub close_resolved: bool,
    /// Older repository metadata is not planned with.
    pub metadata_max_age: Duration,
    /// How many people.
    pub approval: Approval,
    /// Names of packages whose change wants `approval.protected_required` people.
    pub protected: BTreeSet<String>,
    /// Budgets.
    pub breaker: BreakerTable,
    /// Maintenance windows by group; none = always.
    pub windows: BTreeMap<String, Vec<Window>>,
    /// How often the way back is rehearsed; has no effect yet.
    pub drill_every: Duration,
}

/// `[approval]`, parsed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Distinct people for an ordinary proposal.
    pub required: u32,
    /// Distinct people when a protected package is touched.
    pub protected_required: u32,
    /// Distinct people for a change of approvers, policy or fleet.
    pub root_required: u32,
    /// Whether a security key must have been touched.
    pub require_touch: bool,
    /// What counts as an approval.
    pub evidence: Evidence,
    /// Public keys that never count as a person.
    pub bots: Vec<PublicKey>,
    /// How long a proposal may be applied.
    pub proposal_ttl: Duration,
}

impl Default for Policy {
    fn default() -> Self {
        let observer = ObserverTable::default();
        let approval = ApprovalTable::default();
        let period = |text: &str| {
            // NOTE: the defaults are constants of the schema; a test reads each back.
            text.parse::<Span>().map_or(Duration::ZERO, Span::as_duration)
        };
        Self {
            settle: observer.settle,
            max_open: observer.max_open,
            pull_request: observer.pull_request,
            comment: observer.comment,
            close_resolved: observer.close_resolved,
            metadata_max_age: period(&observer.metadata_max_age),
            approval: Approval {
                required: approval.required,
                protected_required: approval.protected_required,
                root_required: approval.root_required,
                require_touch: approval.require_touch,
                evidence: approval.evidence,
                bots: Vec::new(),
                proposal_ttl: period(&approval.proposal_ttl),
            },
            protected: ProtectedTable::default().packages.into_iter().collect(),
            breaker: BreakerTable::default(),
            windows: BTreeMap::new(),
            drill_every: period(&DrillTable::default().every),
        }
    }
}

impl Policy {
    /// The whole policy as a `policy.toml`, defaults included; it reads back as it is.
    pub fn to_toml(&self) -> String {
        let approval = &self.approval;
        let file = PolicyFile {
            schema: POLICY_SCHEMA.to_owned(),
            observer: ObserverTable {
                settle: self.settle,
                max_open: self.max_open,
                pull_request: self.pull_request,
                comment: self.comment,
                close_resolved: self.close_resolved,
                metadata_max_age: written(self.metadata_max_age),
            },
            approval: ApprovalTable {
                required: approval.required,
                protected_required: approval.protected_required,
                root_required: approval.root_required,
                require_touch: approval.require_touch,
                evidence: approval.evidence,
                bots: approval.bots.iter().map(PublicKey::to_string).collect(),
                proposal_ttl: written(approval.proposal_ttl),
            },
            protected: ProtectedTable { packages: self.protected.iter().cloned().collect() },
            breaker: self.breaker.clone(),
            windows: self
                .windows
                .iter()
                .map(|(group, windows)| (group.clone(), windows.iter().map(Window::to_string).collect()))
                .collect(),
            drill: DrillTable { every: written(self.drill_every) },
        };
        toml::to_string_pretty(&file).expect("NOTE: tables of plain values always have a TOML form")
    }
}

/// Reads the file; `groups` are those that the fleet has.
pub(super) fn read<'g>(
    source: &Source<'_>,
    groups: impl Iterator<Item = &'g str> + Clone,
    findings: &mut Findings,
) -> Policy {
    let mut policy = Policy::default();
    document(source, POLICY_SCHEMA, findings, |scope, findings| {
        if let Some(mut table) = scope.table("observer", findings) {
            read_observer(&mut policy, &mut table, findings);
            table.finish(findings);
        }
        if let Some(mut table) = scope.table("approval", findings) {
            read_approval(&mut policy.approval, &mut table, findings);
            table.finish(findings);
        }
        if let Some(mut table) = scope.table("protected", findings) {
            read_protected(&mut policy, &mut table, findings);
            table.finish(findings);
        }
        if let Some(mut table) = scope.table("breaker", findings) {
            read_breaker(&mut policy.breaker, &mut table, findings);
            table.finish(findings);
        }
        if let Some(mut table) = scope.table("windows", findings) {
            policy.windows = read_windows(&mut table, groups, findings);
        }
        if let Some(mut table) = scope.table("drill", findings) {
            read_period(&mut policy.drill_every, "every", &mut table, findings);
            if policy.drill_every != Policy::default().drill_every {
                without_effect("every", "no program rehearses the way back by itself", &table, findings);
            }
            table.finish(findings);
        }
    });
    policy
}

fn read_observer(policy: &mut Policy, table: &mut Scope<'_>, findings: &mut Findings) {
    set(&mut policy.settle, table.integer("settle", 1..=1000, findings));
    set(&mut policy.max_open, table.integer("max_open", 0..=1000, findings));
    let words = [("draft", PullRequest::Draft), ("ready", PullRequest::Ready), ("no", PullRequest::No)];
    set(&mut policy.pull_request, table.choice("pull_request", &words, findings));
    set(&mut policy.comment, table.boolean("comment", findings));
    if policy.comment {
        without_effect("comment", "no program writes comments", table, findings);
    }
    set(&mut policy.close_resolved, table.boolean("close_resolved", findings));
    read_period(&mut policy.metadata_max_age, "metadata_max_age", table, findings);
}

/// A key of the format that nothing looks at yet.
fn without_effect(key: &str, why: &str, table: &Scope<'_>, findings: &mut Findings) {
    let span = table.key_span(key).unwrap_or_else(|| table.span());
    findings.warning(table.source(), &span, format!("`{key}` has no effect: {why}"), "take it away");
}

fn read_approval(approval: &mut Approval, table: &mut Scope<'_>, findings: &mut Findings) {
    set(&mut approval.required, table.integer("required", 1..=100, findings));
    set(&mut approval.protected_required, table.integer("protected_required", 1..=100, findings));
    set(&mut approval.root_required, table.integer("root_required", 1..=100, findings));
    set(&mut approval.require_touch, table.boolean("require_touch", findings));
    let words = [("either", Evidence::Either), ("merge", Evidence::Merge), ("signature", Evidence::Signature)];
    set(&mut approval.evidence, table.choice("evidence", &words, findings));
    for text in table.texts("bots", findings).unwrap_or_default() {
        match PublicKey::parse(text.value) {
            Ok(key) => approval.bots.push(key),
            Err(error) => findings.error(table.source(), &text.span, error.to_string(), error.hint()),
        }
    }
    read_period(&mut approval.proposal_ttl, "proposal_ttl", table, findings);
    if approval.protected_required < approval.required {
        let span =
            table.key_span("protected_required").or_else(|| table.key_span("required")).unwrap_or_else(|| table.span());
        findings.warning(
            table.source(),
            &span,
            format!(
                "protected packages want fewer people ({}) than others ({})",
                approval.protected_required, approval.required
            ),
            format!("write `protected_required = {}`", approval.required),
        );
    }
}

fn read_protected(policy: &mut Policy, table: &mut Scope<'_>, findings: &mut Findings) {
    let Some(names) = table.texts("packages", findings) else {
        return;
    };
    policy.protected = BTreeSet::new();
    for text in names {
        match check_name(text.value) {
            Ok(()) => {
                policy.protected.insert(text.value.to_owned());
            }
            Err(error) => findings.error(
                table.source(),
                &text.span,
                format!("`{}` is not a package name: {error}", text.value),
                "write plain names, without versions or globs",
            ),
        }
    }
}

fn read_breaker(breaker: &mut BreakerTable, table: &mut Scope<'_>, findings: &mut Findings) {
    const MANY: u32 = 1_000_000;
    set(&mut breaker.transactions_per_run, table.integer("transactions_per_run", 0..=MANY, findings));
    set(&mut breaker.transactions_per_day, table.integer("transactions_per_day", 0..=MANY, findings));
    set(&mut breaker.removals_per_transaction, table.integer("removals_per_transaction", 0..=MANY, findings));
    set(&mut breaker.dependency_changes, table.integer("dependency_changes", 0..=MANY, findings));
    set(&mut breaker.runners_at_once, table.integer("runners_at_once", 1..=MANY, findings));
    set(&mut breaker.spread_percent, table.integer("spread_percent", 1..=100, findings));
    set(&mut breaker.burst_manifests, table.integer("burst_manifests", 1..=MANY, findings));
    set(&mut breaker.failures, table.integer("failures", 1..=MANY, findings));
}

fn read_windows<'g>(
    table: &mut Scope<'_>,
    groups: impl Iterator<Item = &'g str> + Clone,
    findings: &mut Findings,
) -> BTreeMap<String, Vec<Window>> {
    let source = table.source();
    let mut windows = BTreeMap::new();
    let entries: Vec<_> = table.entries().collect();
    for (name, value) in entries {
        if !groups.clone().any(|group| group == name.value) {
            let hint = suggestion_or_list(name.value, "groups", groups.clone());
            findings.error(source, &name.span, format!("there is no group `{}`", name.value), hint);
        }
        let Some(array) = value.get_ref().as_array() else {
            findings.error(
                source,
                &value.span(),
                format!("the windows of `{}` are not a list of strings", name.value),
                "write `[\"Mon-Fri 22:00-05:00 Europe/Amsterdam\"]`",
            );
            continue;
        };
        let mut list = Vec::new();
        for entry in array.iter() {
            let Some(text) = super::read::as_text(source, entry, "a window", findings) else {
                continue;
            };
            match Window::parse(text.value) {
                Ok(window) => list.push(window),
                Err(error) => findings.error(source, &text.span, error.to_string(), error.hint()),
            }
        }
        windows.insert(name.value.to_owned(), list);
    }
    windows
}

fn read_period(target: &mut Duration, key: &'static str, table: &mut Scope<'_>, findings: &mut Findings) {
    let Some(text) = table.text(key, findings) else {
        return;
    };
    match text.value.parse::<Span>().ok().map(Span::as_duration).filter(|period| !period.is_zero()) {
        Some(period) => *target = period,
        None => findings.error(
            table.source(),
            &text.span,
            format!("`{}` is not a duration", text.value),
            "a number and one of s, m, h, d, w: `48h`, `7d`",
        ),
    }
}

/// In days, or up to two days in hours, as people say it.
fn written(period: Duration) -> String {
    const TWO_DAYS: u64 = 2 * 86_400;
    let seconds = period.as_secs();
    match seconds {
        _ if seconds > TWO_DAYS && seconds.is_multiple_of(86_400) => format!("{}d", seconds / 86_400),
        _ if seconds.is_multiple_of(3_600) => format!("{}h", seconds / 3_600),
        _ if seconds.is_multiple_of(60) => format!("{}m", seconds / 60),
        _ => format!("{seconds}s"),
    }
}

fn set<T>(target: &mut T, value: Option<T>) {
    if let Some(value) = value {
        *target = value;
    }
}
