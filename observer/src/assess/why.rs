//! `why PACKAGE [RUNNER]`: manifest line, include chain, seen, since, by, waiver, proposal, from canonical and what is
//! stored of the last run. Nothing is asked of a runner.

use super::rfc3339;
use countersign_manifests_schema::report::{DriftItem, RunnerReport, Status};
use countersign_manifests_schema::why::{WhyInstance, WhyRule, WhyRunner};
use countersign_shared::manifest::Canonical;
use countersign_shared::manifest::canonical::Origin;
use countersign_shared::manifest::effective::{Effective, PackageKey};
use countersign_shared::manifest::fleet::Runner;
use countersign_shared::nevra::{check_name, is_known_arch};
use countersign_shared::observation::{Observation, Package, Reason};
use countersign_shared::terminal::{Palette, Role, visible};
use std::collections::{BTreeMap, BTreeSet};

/// The package that is asked about: a plain name means all its arches. `None` for what is no package name.
pub fn asked(text: &str) -> Option<PackageKey> {
    let (name, arch) = match text.rsplit_once('.') {
        Some((name, arch)) if is_known_arch(arch) => (name, Some(arch.to_owned())),
        _ => (text, None),
    };
    check_name(name).ok()?;
    Some(PackageKey { name: name.to_owned(), arch })
}

/// Everything that is known of a package on one runner; `None` when it does not matter there: no rule, not installed,
/// no drift.
pub fn why(
    package: &PackageKey,
    runner: &Runner,
    canonical: &Canonical,
    report: Option<&RunnerReport>,
    observation: Option<&Observation<'_>>,
) -> Option<WhyRunner> {
    let rules = rules(package, runner, canonical);
    let instances: Vec<&Package<'_>> = observation
        .and_then(|observation| observation.packages.seen())
        .map_or(&[][..], |packages| &packages.list)
        .iter()
        .filter(|p| p.nevra.name == package.name && is_arch(package, Some(p.nevra.arch)))
        .collect();
    let is_asked = |item: &&DriftItem| {
        item.package.as_deref() == Some(package.name.as_str()) && is_arch(package, item.arch.as_deref())
    };
    let drift: Vec<DriftItem> = report.map_or(&[][..], |r| &r.drift).iter().filter(is_asked).cloned().collect();
    if rules.is_empty() && instances.is_empty() && drift.is_empty() {
        return None;
    }
    let named = rules.iter().any(|rule| rule.in_force);
    let effective = canonical.effective(runner);
    Some(WhyRunner {
        name: runner.name.clone(),
        unlisted: instances.first().filter(|_| !named).map(|p| unlisted(&effective, p.reason)),
        rules,
        observed: observation.and_then(|observation| rfc3339(observation.at)),
        error: report.and_then(|report| report.error.clone()),
        judged: report.is_some_and(|report| report.status == Status::Observed),
        installed: instances.into_iter().map(instance).collect(),
        drift,
        proposal: report.and_then(|report| report.proposal.clone()),
    })
}

/// A null arch, and a question without one, fit every arch.
fn is_arch(package: &PackageKey, arch: Option<&str>) -> bool {
    match (&package.arch, arch) {
        (Some(asked), Some(arch)) => asked == arch,
        _ => true,
    }
}

fn rules(package: &PackageKey, runner: &Runner, canonical: &Canonical) -> Vec<WhyRule> {
    // The plain rule binds an arch that is asked for, unless that has one of its own.
    let keys: BTreeSet<&PackageKey> = canonical
        .manifests
        .values()
        .flat_map(|manifest| manifest.packages.keys())
        .filter(|key| key.name == package.name && is_arch(package, key.arch.as_deref()))
        .collect();
    let own_arch = |key: &PackageKey| key.arch.is_some() && key.arch == package.arch;
    let overridden_by_arch = keys.iter().any(|key| own_arch(key) && !canonical.why(runner, key).in_force.is_empty());
    let mut rules = Vec::new();
    for key in keys {
        let why = canonical.why(runner, key);
        let in_force = !(overridden_by_arch && key.arch.is_none());
        rules.extend(why.in_force.iter().map(|origin| rule(key, origin, in_force)));
        rules.extend(why.overridden.iter().map(|origin| rule(key, origin, false)));
    }
    rules.sort_by_key(|rule| !rule.in_force);
    rules
}

fn rule(key: &PackageKey, origin: &Origin, in_force: bool) -> WhyRule {
    let place = &origin.ruling.place;
    WhyRule {
        package: key.to_string(),
        rule: origin.ruling.rule.to_string(),
        from: origin.ruling.from.clone(),
        reason: origin.ruling.reason.clone(),
        at: format!("{}:{}:{}", place.file, place.line, place.column),
        chain: origin.chain.clone(),
        in_force,
    }
}

fn unlisted(effective: &Effective, reason: Reason) -> String {
    if let Some(lock) = &effective.lock {
        return format!("closed by {}", lock.file);
    }
    let unlisted = &effective.unlisted;
    let (class, disposal) = match reason {
        Reason::User => ("user-installed", unlisted.user_installed),
        Reason::Group => ("groups", unlisted.groups),
        Reason::External | Reason::Unknown => ("external", unlisted.external),
        Reason::Dependency | Reason::WeakDependency | Reason::Clean => ("dependencies", unlisted.dependencies),
    };
    format!("{class} = {}", disposal.as_str())
}

fn instance(package: &Package<'_>) -> WhyInstance {
    let reason = match package.reason {
        Reason::User => "user",
        Reason::Group => "group",
        Reason::Dependency => "dependency",
        Reason::WeakDependency => "weak-dependency",
        Reason::Clean => "clean",
        Reason::External => "external",
        Reason::Unknown => "unknown",
    };
    WhyInstance {
        nevra: package.nevra.to_string(),
        reason: reason.to_owned(),
        from_repo: Some(package.from_repo).filter(|repo| !repo.is_empty()).map(str::to_owned),
        installed: rfc3339(package.install_time),
    }
}

/// For people: runners of which the same is to be said are named together.
pub fn text(runners: &[WhyRunner], palette: Palette) -> String {
    let mut said: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for runner in runners {
        said.entry(body(runner, palette)).or_default().push(&runner.name);
    }
    let mut parts: Vec<(Vec<&str>, String)> = said.into_iter().map(|(body, names)| (names, body)).collect();
    parts.sort();
    let mut text = String::new();
    for (index, (names, body)) in parts.iter().enumerate() {
        if index > 0 {
            text.push('\n');
        }
        text.push_str(&palette.paint(Role::Heading, &visible(&names.join(", "))));
        text.push('\n');
        text.push_str(body);
    }
    text
}

fn body(runner: &WhyRunner, palette: Palette) -> String {
    let mut lines = Lines { text: String::new(), palette };
    for rule in &runner.rules {
        let from = if rule.from.is_empty() { String::new() } else { format!(" from {}", rule.from.join(", ")) };
        let label = if rule.in_force { "rule" } else { "overridden" };
        lines.line(label, &format!("{} {}{from}   {}", rule.package, rule.rule, rule.at));
        lines.line("", &rule.chain.join(" > "));
        if let Some(reason) = &rule.reason {
            lines.line("", &format!("because {reason}"));
        }
    }
    if !runner.rules.iter().any(|rule| rule.in_force) {
        let class = runner.unlisted.as_ref().map_or(String::new(), |class| format!(" ([unlisted] {class})"));
        lines.line("rule", &format!("no manifest names it{class}"));
    }
    if let Some(error) = &runner.error {
        lines.line("not seen", &format!("in the last run: {}: {}", error.code, error.message));
    }
    match &runner.observed {
        None => lines.line("seen", "never observed"),
        Some(at) if runner.installed.is_empty() => lines.line("seen", &format!("not installed at {at}")),
        Some(_) => {}
    }
    for instance in &runner.installed {
        let repo = instance.from_repo.as_ref().map_or(String::new(), |repo| format!(", from {repo}"));
        let at = instance.installed.as_ref().map_or(String::new(), |at| format!(", installed {at}"));
        lines.line("seen", &format!("{} (reason {}{repo}{at})", instance.nevra, instance.reason));
    }
    if runner.drift.is_empty() && runner.judged {
        lines.line("drift", "none");
    }
    for item in &runner.drift {
        drift(&mut lines, item);
    }
    let proposal = match (&runner.proposal, runner.drift.is_empty()) {
        (Some(proposal), _) => proposal,
        (None, false) => "none",
        (None, true) => return lines.text,
    };
    lines.line("proposal", proposal);
    lines.text
}

fn drift(lines: &mut Lines, item: &DriftItem) {
    let arch = item.arch.as_ref().map_or(String::new(), |arch| format!(" on {arch}"));
    let wanted = item.wanted.as_ref().map_or(String::new(), |wanted| format!(", wanted {wanted}"));
    let seen = if item.seen.is_empty() { "nothing".to_owned() } else { item.seen.join(", ") };
    let new = if item.new { ", new" } else { "" };
    lines.line("drift", &format!("{}{arch}{wanted}, seen {seen}{new}", item.code));
    if let Some(since) = &item.since {
        lines.line("since", since);
    }
    if let Some(by) = &item.by {
        lines.line("by", &format!("{}: {}", by.user.as_deref().unwrap_or("(no login)"), by.command));
    }
    if let Some(commit) = &item.spec_changed {
        lines.line("by", &format!("canonical commit {commit}"));
    }
    if let Some(waived) = &item.waived {
        lines.line("waived", &format!("until {} by {}", waived.until, waived.owner));
    }
    if let Some(blocked) = &item.blocked {
        lines.line("blocked", &format!("{}: {}", blocked.code, blocked.message));
    }
}

struct Lines {
    text: String,
    palette: Palette,
}

impl Lines {
    fn line(&mut self, label: &str, text: &str) {
        let label = format!("{label:<11}");
        self.text.push_str("  ");
        self.text.push_str(&self.palette.paint(Role::Dim, &label));
        self.text.push_str(&visible(text));
        self.text.push('\n');
    }
}
