//! Every runner with its items: since, by, wanted and installed, waived, blocked.

use std::collections::BTreeSet;

use countersign_manifests_schema::report::{By, DriftItem, RunnerReport};
use countersign_shared::terminal::{cut, visible};
use maud::{Markup, html};

use super::{Text, names};
use crate::report::classes::home;
use crate::report::difference::{Piece, compare};
use crate::report::summary::Summary;
use crate::report::{counted, grouped, items_that_count, moment, subject};

/// Items listed on the whole page, and of one runner. The classes above cover all of them.
const MOST_ITEMS: usize = 4_000;
const MOST_ITEMS_EACH: usize = 300;
/// Runners that need no click to be seen.
const SHOWN: usize = 40;
/// Runners open at once where there are few.
const OPEN: usize = 3;
const MOST_NAMES: usize = 20_000;

pub(super) fn runners(summary: &Summary<'_>) -> Markup {
    let listed = within_bounds(summary);
    let all = summary.shown_runners().count();
    let details = summary.shown_runners().filter(|runner| listed.contains(runner.name.as_str())).enumerate();
    let details: Vec<Markup> =
        details.map(|(i, runner)| details_of(summary, runner, all <= OPEN || i == 0 && all <= 10)).collect();
    let (first, more) = details.split_at(details.len().min(SHOWN));
    html! {
        @if all > 0 {
            section #runners aria-labelledby="h-runners" {
                h2 #h-runners { "Runners" small { (counted(all as u64, "runner")) " with something to show" } }
                div.card {
                    @for runner in first { (runner) }
                    @if !more.is_empty() {
                        details.more { summary { (counted(more.len() as u64, "more runner")) } @for runner in more { (runner) } }
                    }
                    @if all > listed.len() { (unlisted(summary, &listed)) }
                }
            }
        }
    }
}

/// The runners whose items are listed: those with news first, until the page is full.
fn within_bounds<'r>(summary: &Summary<'r>) -> BTreeSet<&'r str> {
    let mut runners: Vec<&RunnerReport> = summary.shown_runners().collect();
    runners.sort_by_key(|runner| !items_that_count(runner).any(|item| item.new));
    let mut room = MOST_ITEMS;
    let mut listed = BTreeSet::new();
    for runner in runners {
        let items = runner.drift.len().clamp(1, MOST_ITEMS_EACH);
        if items > room {
            break;
        }
        room -= items;
        listed.insert(runner.name.as_str());
    }
    listed
}

fn unlisted(summary: &Summary<'_>, listed: &BTreeSet<&str>) -> Markup {
    let rest: Vec<_> = summary.shown_runners().filter(|runner| !listed.contains(runner.name.as_str())).collect();
    html! {
        details.more {
            summary { (counted(rest.len() as u64, "more runner")) ", in the classes above and in the JSON report item by item" }
            p.names {
                @for (i, runner) in rest.iter().take(MOST_NAMES).enumerate() {
                    @if i > 0 { ", " }
                    span { (Text(&runner.name)) " " span.soft { (grouped(runner.drift.len() as u64)) } }
                }
            }
        }
    }
}

fn details_of(summary: &Summary<'_>, runner: &RunnerReport, open: bool) -> Markup {
    let group = home(runner, summary.context);
    let owner = group.and_then(|group| summary.context.owners.get(group));
    let counting = items_that_count(runner).count();
    let new = items_that_count(runner).filter(|item| item.new).count();
    let waived = runner.drift.len() - counting;
    let unjudged = summary.context.unjudged.get(&runner.name).map(Vec::as_slice).unwrap_or_default();
    html! {
        details.runner open[open] {
            summary {
                b { (Text(&runner.name)) }
                span.grow {
                    @if counting > 0 { (counted(counting as u64, "item")) } @else { "no drift that counts" }
                    @if waived > 0 { span.soft { ", " (grouped(waived as u64)) " waived" } }
                }
                @if new > 0 { span .tag .warn { (grouped(new as u64)) " new" } }
                @if !unjudged.is_empty() { span .tag .bad { "not all judged" } }
                span.soft { (Text(&runner.groups.join(", "))) }
            }
            div.body {
                p.soft {
                    (counted(runner.packages, "package"))
                    @if runner.warm { ", unchanged since the last observation by dnf's own digest" }
                    @if let Some(owner) = owner { " · " (Text(owner)) }
                    @if let Some(proposal) = &runner.proposal { " · proposal " code title=(Text(proposal)) { (Text(super::short(proposal))) } }
                }
                @for notice in unjudged {
                    p { span.bad { "Not judged: " } code { (Text(&notice.code)) } " " (Text(&notice.message)) }
                }
                @if !runner.drift.is_empty() { (items(runner)) }
            }
        }
    }
}

fn items(runner: &RunnerReport) -> Markup {
    html! {
        div.scroll { table.stack {
            thead { tr { @for title in ["Drift", "Package", "Wanted", "Installed", "Since", "By", "State"] { th scope="col" { (title) } } } }
            tbody {
                @for item in runner.drift.iter().take(MOST_ITEMS_EACH) {
                    tr {
                        (code(&item.code))
                        (package(&subject(item)))
                        (versions(item))
                        td.nowrap data-label="Since" { @if let Some(since) = &item.since { (Text(&moment::minute(since))) } }
                        td data-label="By" { (by(item.by.as_ref(), item.spec_changed.as_deref())) }
                        td data-label="State" { (state(item)) }
                    }
                }
            }
        } }
        @if runner.drift.len() > MOST_ITEMS_EACH {
            p.soft { "and " (counted((runner.drift.len() - MOST_ITEMS_EACH) as u64, "more item")) " in the JSON report" }
        }
    }
}

/// Who and how, or the commit of canonical that made it drift.
pub(super) fn by(by: Option<&By>, commit: Option<&str>) -> Markup {
    html! {
        @if let Some(by) = by {
            div { (Text(by.user.as_deref().unwrap_or("(no login)"))) code.why { (Text(&by.command)) } }
        } @else if let Some(commit) = commit {
            div { "canonical " code title=(Text(commit)) { (Text(super::short(commit))) } }
        }
    }
}

/// One cell; a name of usual length stays on one line.
pub(super) fn package(name: &str) -> Markup {
    html! { td class=[is_short(name).then_some("nowrap")] data-label="Package" { (Text(name)) } }
}

/// One cell.
pub(super) fn code(code: &str) -> Markup {
    html! { td class={"code" @if is_short(code) { " nowrap" }} data-label="Drift" { (Text(code)) } }
}

fn is_short(text: &str) -> bool {
    text.len() <= 26
}

fn state(item: &DriftItem) -> Markup {
    html! {
        @if item.new || item.waived.is_some() || item.blocked.is_some() {
            div {
                @if item.new { span .tag .warn { "new" } " " }
                @if let Some(waived) = &item.waived {
                    span .tag .soft { "waived" } span.why { "until " (Text(&waived.until)) " by " (Text(&waived.owner)) }
                }
                @if let Some(blocked) = &item.blocked {
                    span .tag .bad { "blocked" } span.why { (Text(&blocked.code)) ": " (Text(&blocked.message)) }
                }
            }
        }
    }
}

/// Two cells: the rule and what is there, with what differs marked.
pub(super) fn versions(item: &DriftItem) -> Markup {
    let wanted = item.wanted.as_deref().unwrap_or_default();
    let seen = item.seen.join(", ");
    // Both are cut before they are compared: what is marked is what is shown.
    let [wanted, seen] = [wanted, &seen].map(|text| cut(&visible(text), super::LONGEST).into_owned());
    let (left, right) = compare(&wanted, &seen);
    let pieces = |pieces: &[Piece<'_>]| {
        html! {
            @for piece in pieces {
                @match piece {
                    Piece::Same(text) => { (Text(text)) }
                    Piece::Changed(text) => { mark { (Text(text)) } }
                }
            }
        }
    };
    html! {
        td class=[is_short(&wanted).then_some("nowrap")] data-label="Wanted" {
            @if !wanted.is_empty() { del.mono { (pieces(&left)) } }
        }
        td class=[is_short(&seen).then_some("nowrap")] data-label="Installed" {
            @if !seen.is_empty() { ins.mono { (pieces(&right)) } }
        }
    }
}

pub(super) fn clean(summary: &Summary<'_>) -> Markup {
    let clean: Vec<&str> = summary.clean_runners().map(|runner| runner.name.as_str()).collect();
    let list = html! { div .list .names { (names(clean.iter().copied(), MOST_NAMES)) } };
    html! {
        @if !clean.is_empty() {
            section aria-labelledby="h-clean" {
                h2 #h-clean { "Without drift" small { (counted(clean.len() as u64, "runner")) } }
                div.card {
                    @if clean.len() <= 60 { (list) } @else {
                        details.more { summary { "All names" } (list) }
                    }
                }
            }
        }
    }
}
