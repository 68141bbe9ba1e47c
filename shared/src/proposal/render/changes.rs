//! What dnf will do, one row for each package.

use super::line;
use crate::nevra::Nevra;
use crate::terminal::markdown::code;
use countersign_manifests_schema::transaction::{Action, Change, Reason, Transaction};

/// What becomes of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    Removal,
    Downgrade,
    Upgrade,
    Reinstallation,
    Installation,
    Reason,
}

impl Kind {
    /// The graver ones first.
    pub(super) const ALL: [Kind; 6] =
        [Kind::Removal, Kind::Downgrade, Kind::Upgrade, Kind::Reinstallation, Kind::Installation, Kind::Reason];

    pub(super) const fn noun(self) -> (&'static str, &'static str) {
        match self {
            Kind::Removal => ("removal", "removals"),
            Kind::Downgrade => ("downgrade", "downgrades"),
            Kind::Upgrade => ("upgrade", "upgrades"),
            Kind::Reinstallation => ("reinstallation", "reinstallations"),
            Kind::Installation => ("installation", "installations"),
            Kind::Reason => ("change of dnf's notes", "changes of dnf's notes"),
        }
    }
}

/// One package and what becomes of it.
#[derive(Debug)]
pub(super) struct Row<'t> {
    pub(super) kind: Kind,
    pub(super) asserted: bool,
    nevra: Nevra<'t>,
    reason: Reason,
    pub(super) incoming: Option<&'t Change>,
    /// What leaves: the package itself, or what it takes the place of.
    pub(super) outgoing: Vec<Nevra<'t>>,
}

impl Row<'_> {
    /// `name.arch`
    pub(super) fn subject(&self) -> String {
        format!("{}.{}", self.nevra.name, self.nevra.arch)
    }
}

/// Puts the two entries of a version change together. A package that another one obsoletes goes for good.
pub(super) fn rows(transaction: &Transaction) -> Vec<Row<'_>> {
    let parsed: Vec<(Nevra<'_>, &Change)> =
        transaction.rpms.iter().filter_map(|change| Some((Nevra::parse(&change.nevra).ok()?, change))).collect();
    let mut replaced: Vec<Option<Nevra<'_>>> =
        parsed.iter().filter(|(_, c)| c.action == Action::Replaced).map(|(nevra, _)| Some(*nevra)).collect();
    let mut take = |nevra: &Nevra<'_>| {
        let same = |other: &Nevra<'_>, arch: bool| other.name == nevra.name && (!arch || other.arch == nevra.arch);
        let find = |arch| replaced.iter().position(|slot| slot.as_ref().is_some_and(|other| same(other, arch)));
        let at = find(true).or_else(|| find(false))?;
        replaced[at].take()
    };
    let mut rows = Vec::new();
    for (nevra, change) in &parsed {
        let kind = match change.action {
            Action::Remove => Kind::Removal,
            Action::Downgrade => Kind::Downgrade,
            Action::Upgrade => Kind::Upgrade,
            Action::Reinstall => Kind::Reinstallation,
            Action::Install => Kind::Installation,
            Action::ReasonChange => Kind::Reason,
            Action::Replaced => continue,
        };
        let outgoing = match kind {
            Kind::Removal => Some(*nevra),
            Kind::Downgrade | Kind::Upgrade | Kind::Reinstallation => take(nevra),
            Kind::Installation | Kind::Reason => None,
        };
        rows.push(Row {
            kind,
            asserted: change.asserted,
            nevra: *nevra,
            reason: change.reason,
            incoming: change.action.is_incoming().then_some(*change),
            outgoing: outgoing.into_iter().collect(),
        });
    }
    for nevra in replaced.into_iter().flatten() {
        let entry = parsed.iter().find(|(other, c)| *other == nevra && c.action == Action::Replaced);
        let (asserted, reason) = entry.map_or((true, Reason::None), |(_, change)| (change.asserted, change.reason));
        rows.push(Row { kind: Kind::Removal, asserted, nevra, reason, incoming: None, outgoing: vec![nevra] });
    }
    let rank = |row: &Row<'_>| Kind::ALL.iter().position(|kind| *kind == row.kind);
    rows.sort_by(|a, b| (rank(a), a.nevra).cmp(&(rank(b), b.nevra)));
    rows
}

pub(super) fn section(rows: &[Row<'_>], out: &mut String) {
    let (pulled, asked): (Vec<&Row<'_>>, Vec<&Row<'_>>) = rows.iter().partition(|row| row.asserted);
    line(out, format_args!("## What dnf will do\n"));
    if !asked.is_empty() {
        line(out, format_args!("To remove the drift above:\n"));
        table(&asked, out);
    }
    if pulled.is_empty() {
        line(out, format_args!("Nothing else: no dependency is pulled along.\n"));
        return;
    }
    line(
        out,
        format_args!(
            "**And because dnf on the machine says that it follows from the above.** No drift asks for these; look at \
             them most closely:\n"
        ),
    );
    table(&pulled, out);
}

fn table(rows: &[&Row<'_>], out: &mut String) {
    line(
        out,
        format_args!("| package | change | from | to | repository | dnf has it because |\n|---|---|---|---|---|---|"),
    );
    for row in rows {
        let from: Vec<String> = row.outgoing.iter().map(|old| code(&old.evr.to_string())).collect();
        let from = if from.is_empty() { "-".to_owned() } else { from.join(", ") };
        let (to, repository) = match row.incoming {
            Some(change) => (code(&row.nevra.evr.to_string()), code(&change.repo_id)),
            None if row.kind == Kind::Reason => (code(&row.nevra.evr.to_string()), "-".to_owned()),
            None => ("**gone**".to_owned(), "-".to_owned()),
        };
        let (subject, kind) = (code(&row.subject()), row.kind.noun().0);
        line(out, format_args!("| {subject} | {kind} | {from} | {to} | {repository} | {} |", because(row.reason)));
    }
    out.push('\n');
}

const fn because(reason: Reason) -> &'static str {
    match reason {
        Reason::None => "dnf does not say",
        Reason::Dependency => "another package needs it",
        Reason::User => "somebody asked for it",
        Reason::Clean => "it was needed, and is not any more",
        Reason::WeakDependency => "another package recommends it",
        Reason::Group => "it came with a group",
        Reason::ExternalUser => "it came behind dnf's back",
    }
}
