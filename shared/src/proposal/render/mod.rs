//! The README beside a proposal: everything from the proposal, nothing from anywhere else, the same bytes each time.
//!
//! It is written for a person who has never seen the program. Text of others is shown as code, never obeyed.

mod approve;
mod changes;
mod drift;

use super::sealed::Sealed;
use crate::terminal::markdown::code;
use changes::{Kind, Row};
use countersign_manifests_schema::proposal::{Proposal, TriedEnd, WayBackKind};
use std::fmt::Write as _;

/// The rendering that new proposals get. Any change of the bytes of any README is a new number.
pub const RENDERER: u32 = 1;

/// The renderings that are still known.
pub const RENDERERS: std::ops::RangeInclusive<u32> = 1..=RENDERER;

/// Writes the README of a proposal.
pub fn render(sealed: &Sealed) -> String {
    let proposal = sealed.proposal();
    let rows = changes::rows(&proposal.transaction);
    let mut out = String::new();
    head(proposal, &rows, &mut out);
    tried(proposal, &mut out);
    on_approval(proposal, &rows, &mut out);
    drift::section(proposal, &mut out);
    changes::section(&rows, &mut out);
    risk(proposal, &rows, &mut out);
    way_back(proposal, &rows, &mut out);
    approve::section(sealed, &mut out);
    details(sealed, &rows, &mut out);
    out
}

fn line(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("NOTE: a String never fails");
    out.push('\n');
}

fn head(proposal: &Proposal, rows: &[Row<'_>], out: &mut String) {
    line(out, format_args!("# {}: {}\n", code(&proposal.runner), headline(rows)));
    line(
        out,
        format_args!(
            "**Nothing has been changed yet.** This proposes how to bring the machine {} back to what its \
             manifest asks for, the one that people keep in the repository `canonical`.\n\
             It was seen at {}, and the proposal **ends at {}**.\n",
            code(&proposal.runner),
            moment(&proposal.base.observed_at),
            moment(&proposal.expires)
        ),
    );
}

/// What a person must know before approving it again. The words are the runner's.
fn tried(proposal: &Proposal, out: &mut String) {
    if proposal.tried.is_empty() {
        return;
    }
    line(out, format_args!("## This was tried before\n"));
    for one in &proposal.tried {
        let end = match one.end {
            TriedEnd::Undone => "was applied here and **undone**",
            TriedEnd::Failed => {
                "was applied here and **failed**: neither the approved nor the former state was reached"
            }
        };
        let at = moment(&one.at);
        line(
            out,
            format_args!(
                "- A proposal against this drift {end}, at {at}, as the machine says: {}.",
                code(&one.proposal)
            ),
        );
    }
    line(
        out,
        format_args!(
            "\nWithout another cause it ends in the same way. Its receipt says why: look for that id in what \
             `countersign-actuator ledger show` prints.\n"
        ),
    );
}

/// `2 downgrades, 1 removal`
fn headline(rows: &[Row<'_>]) -> String {
    let counted = Kind::ALL.iter().filter_map(|kind| {
        let count = rows.iter().filter(|row| row.kind == *kind).count();
        (count > 0).then(|| plural(count, kind.noun()))
    });
    counted.collect::<Vec<_>>().join(", ")
}

fn plural(count: usize, (one, many): (&str, &str)) -> String {
    format!("{count} {}", if count == 1 { one } else { many })
}

/// `2026-11-20 03:30:00 UTC`, from RFC 3339.
fn moment(time: &str) -> String {
    time.replacen('T', " ", 1).replacen('Z', " UTC", 1)
}

fn on_approval(proposal: &Proposal, rows: &[Row<'_>], out: &mut String) {
    let runner = code(&proposal.runner);
    let changes = plural(rows.len(), ("change", "changes"));
    line(
        out,
        format_args!(
            "## What happens when you approve\n\n\
             1. Your signature lets the actuator, the program that applies changes, do **exactly {changes}, listed below** on \
             {runner}: once, and before the end given above. Nothing happens at the moment of the merge itself; a person \
             on duty starts it.\n\
             2. Before it starts, the machine itself checks the signature again, and that dnf would still do exactly \
             this and nothing more. If the manifest, the packages named here or the configuration of dnf have changed \
             in between, it refuses, and nothing happens.\n\
             3. Afterwards it compares the machine with what is predicted here. If they differ, it undoes the change.\n\n\
             A merge without a signature of a listed person, or made in a web page, approves nothing."
        ),
    );
    if !proposal.risk.protected.is_empty() {
        line(out, format_args!("Protected packages are touched, so the policy may ask for more than one person."));
    }
    out.push('\n');
}

fn names(rows: &[&Row<'_>]) -> String {
    rows.iter().map(|row| code(&row.subject())).collect::<Vec<_>>().join(", ")
}

fn risk(proposal: &Proposal, rows: &[Row<'_>], out: &mut String) {
    line(out, format_args!("## Risk\n"));
    let of = |kind| rows.iter().filter(|row| row.kind == kind).collect::<Vec<_>>();
    let (removed, back) = (of(Kind::Removal), of(Kind::Downgrade));
    let pulled: Vec<&Row<'_>> = rows.iter().filter(|row| row.asserted).collect();
    if !removed.is_empty() {
        line(out, format_args!("- **{}**: {}.", plural(removed.len(), Kind::Removal.noun()), names(&removed)));
    }
    if !back.is_empty() {
        line(
            out,
            format_args!(
                "- **{}**: {}. An older version may lack fixes that the newer one has.",
                plural(back.len(), Kind::Downgrade.noun()),
                names(&back)
            ),
        );
    }
    if !pulled.is_empty() {
        line(
            out,
            format_args!(
                "- **{}** that no drift asks for: {}.",
                plural(pulled.len(), ("change", "changes")),
                names(&pulled)
            ),
        );
    }
    if !proposal.risk.protected.is_empty() {
        let protected: Vec<String> = proposal.risk.protected.iter().map(|name| code(name)).collect();
        line(out, format_args!("- **Protected by the policy**: {}.", protected.join(", ")));
    }
    if removed.is_empty() && back.is_empty() && pulled.is_empty() && proposal.risk.protected.is_empty() {
        line(out, format_args!("- No package goes, none goes back to an older version, none is protected."));
    }
    if rows.iter().any(|row| row.incoming.is_some()) {
        line(
            out,
            format_args!("- A package runs its own scripts as root when it is installed: approving it approves them."),
        );
    }
    out.push('\n');
}

fn way_back(proposal: &Proposal, rows: &[Row<'_>], out: &mut String) {
    line(out, format_args!("## Way back\n"));
    let missing: Vec<String> = proposal.way_back.missing.iter().map(|nevra| code(nevra)).collect();
    let list = missing.join(", ");
    let text = match proposal.way_back.kind {
        WayBackKind::Packages if rows.iter().all(|row| row.outgoing.is_empty()) => {
            "Nothing leaves the machine: what comes is removed again.".to_owned()
        }
        WayBackKind::Packages => {
            "Every package that leaves can still be had, so the opposite transaction undoes all of it.".to_owned()
        }
        WayBackKind::Snapshot => format!(
            "By a snapshot of the file system, taken before. No repository offers these any more, so dnf alone could not \
             bring them back: {list}."
        ),
        WayBackKind::None => format!("**There is none that is proven.** No repository offers these any more: {list}."),
    };
    line(out, format_args!("{text}\n"));
    line(
        out,
        format_args!(
            "The undo exists only until the result is confirmed, minutes after the change. To go back later, change \
             canonical.\n"
        ),
    );
}

fn details(sealed: &Sealed, rows: &[Row<'_>], out: &mut String) {
    let proposal = sealed.proposal();
    line(out, format_args!("## What this is bound to\n\n| | |\n|---|---|"));
    let canonical = &proposal.canonical;
    let entries = [
        ("proposal (sha256)", code(sealed.id())),
        ("canonical, commit", code(&canonical.commit)),
        ("manifest in force (sha256)", code(&canonical.manifest_digest)),
        ("packages before (sha256)", code(&proposal.base.set_digest)),
        ("packages after (sha256)", code(&proposal.predicted.set_digest)),
        ("machine state (sha256)", code(&proposal.base.digest)),
        ("made", format!("{} by observer {}", moment(&proposal.created), code(&proposal.observer.version))),
        ("resolved by", format!("dnf{} on the machine", proposal.transaction.generation)),
    ];
    for (name, value) in entries {
        line(out, format_args!("| {name} | {value} |"));
    }
    let incoming: Vec<_> = rows.iter().filter_map(|row| row.incoming).collect();
    if !incoming.is_empty() {
        line(
            out,
            format_args!(
                "\nFiles that will be installed, and no others:\n\n| package | sha256 of the file |\n|---|---|"
            ),
        );
        for change in incoming {
            line(out, format_args!("| {} | {} |", code(&change.nevra), code(change.sha256.as_deref().unwrap_or("-"))));
        }
    }
}
