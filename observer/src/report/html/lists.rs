//! What leads the page: failed steps, guards, trust, news, classes, failed runners.

use maud::{Markup, html};

use super::runners::{code, package};
use super::{Text, names};
use crate::report::classes::{Class, Finding, Remedy};
use crate::report::summary::Summary;
use crate::report::{counted, grouped, moment, subject_unless};

/// Rows shown at once; the rest is behind a click, up to [`MOST_ROWS`].
const SHOWN: usize = 10;
const MOST_ROWS: usize = 300;
/// Names listed in one place.
const MOST_NAMES: usize = 500;

pub(super) fn steps(summary: &Summary<'_>) -> Markup {
    let failed: Vec<_> = summary.failed_steps().collect();
    html! {
        @if !failed.is_empty() {
            section aria-labelledby="h-steps" {
                h2 #h-steps { "Steps that failed" }
                ul .notices .card {
                    @for step in failed.iter().take(MOST_ROWS) {
                        li {
                            code { (Text(&step.step)) }
                            @match &step.error {
                                Some(error) => { (Text(&error.message)) " " span.on { (Text(&error.code)) } }
                                None => { "no reason is known" }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn guards(summary: &Summary<'_>) -> Markup {
    let guards = &summary.report.guards;
    html! {
        @if !guards.is_empty() {
            section aria-labelledby="h-guards" {
                h2 #h-guards { "Guards" small { "findings over the sequence of runs" } }
                ul .notices .card {
                    @for guard in guards.iter().take(MOST_ROWS) {
                        li {
                            code { (Text(&guard.code)) } (Text(&guard.message))
                            @if !guard.runners.is_empty() {
                                div .on .names { "On " (names(guard.runners.iter().map(String::as_str), 40)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

pub(super) fn trust(summary: &Summary<'_>) -> Markup {
    let trust = &summary.report.trust;
    html! {
        @if !trust.is_empty() {
            section aria-labelledby="h-trust" {
                h2 #h-trust { "Taken on trust" small { "violated proofs that the configuration lets pass" } }
                ul .notices .card {
                    @for notice in trust.iter().take(MOST_ROWS) {
                        li { code { (Text(&notice.code)) } (Text(&notice.message)) }
                    }
                }
            }
        }
    }
}

pub(super) fn risks(summary: &Summary<'_>) -> Markup {
    let risks = &summary.report.risks;
    html! {
        @if !risks.is_empty() {
            section aria-labelledby="h-risks" {
                h2 #h-risks { "Risks" }
                ul .notices .quiet .card {
                    @for notice in risks.iter().take(MOST_ROWS) {
                        li { code { (Text(&notice.code)) } (Text(&notice.message)) }
                    }
                }
            }
        }
    }
}

pub(super) fn news(summary: &Summary<'_>) -> Markup {
    let all = &summary.new;
    html! {
        @if !all.is_empty() {
            section #new aria-labelledby="h-new" {
                h2 #h-new { "New since last run" small { (counted(all.len() as u64, "difference")) } }
                div.card {
                    (news_table(summary, &all[..all.len().min(SHOWN)]))
                    (rest(all, |rest| news_table(summary, rest)))
                }
            }
        }
    }
}

fn news_table(summary: &Summary<'_>, findings: &[Finding<'_>]) -> Markup {
    html! {
        div.scroll { table.stack {
            thead { tr { @for title in ["Drift", "Package", "Wanted", "Installed", "On", "Since", "By"] { th scope="col" { (title) } } } }
            tbody {
                @for finding in findings {
                    @let item = finding.item;
                    tr {
                        (code(&item.code))
                        (package(&subject_unless(item, summary.only_arch)))
                        (super::runners::versions(item))
                        td.names data-label="On" { (runners(&finding.runners)) }
                        td.nowrap data-label="Since" { @if let Some(since) = finding.since { (Text(&moment::minute(since))) } }
                        td data-label="By" { (super::runners::by(finding.by, item.spec_changed.as_deref())) }
                    }
                }
            }
        } }
    }
}

pub(super) fn classes(summary: &Summary<'_>) -> Markup {
    let all = &summary.classes;
    let number = if all.len() == 1 { "1 class".to_owned() } else { format!("{} classes", grouped(all.len() as u64)) };
    html! {
        @if !all.is_empty() {
            section #classes aria-labelledby="h-classes" {
                h2 #h-classes { "Classes" small { (number) ": the same drift on runners of one group" } }
                div.card {
                    (classes_table(summary, &all[..all.len().min(SHOWN)]))
                    (rest(all, |rest| classes_table(summary, rest)))
                }
            }
        }
    }
}

fn classes_table(summary: &Summary<'_>, classes: &[Class<'_>]) -> Markup {
    html! {
        div.scroll { table.stack {
            thead { tr { @for title in ["Runners", "Group", "Drift", "Since", "Owner", "Remedy"] { th scope="col" { (title) } } } }
            tbody {
                @for class in classes {
                    tr {
                        td.names data-label="Runners" { (runners(&class.runners)) }
                        td data-label="Group" { (Text(class.group.unwrap_or_default())) }
                        td data-label="Drift" {
                            div {
                                @for (code, subjects) in class.by_code(summary.only_arch) {
                                    div {
                                        span.code { (Text(code)) } " "
                                        @if subjects.iter().any(|subject| subject != "host") {
                                            span.names { (names(subjects.iter().map(String::as_str), 12)) }
                                        }
                                    }
                                }
                                @if class.new { span .tag .warn { "new" } }
                            }
                        }
                        td.nowrap data-label="Since" { @if let Some(since) = class.since { (Text(&moment::minute(since))) } }
                        td data-label="Owner" { (Text(class.owner.unwrap_or_default())) }
                        td data-label="Remedy" {
                            @let remedy = class.remedy();
                            span class=[matches!(remedy, Remedy::Blocked(_)).then_some("warn")] { (Text(&remedy.text())) }
                        }
                    }
                }
            }
        } }
    }
}

pub(super) fn failures(summary: &Summary<'_>) -> Markup {
    html! {
        @if !summary.failures.is_empty() {
            section #failed aria-labelledby="h-failed" {
                h2 #h-failed { "Not observed" small { "nothing is known about the drift of these" } }
                ul .notices .card {
                    @for group in summary.failures.iter().take(MOST_ROWS) {
                        li {
                            code { (Text(group.code)) }
                            @match group.runners.as_slice() {
                                [(name, message)] => { b { (Text(name)) } ": " (Text(message)) }
                                many => {
                                    (counted(many.len() as u64, "runner"))
                                    details {
                                        summary { "Which, and what they said" }
                                        @for (name, message) in many.iter().take(MOST_NAMES) {
                                            div.on { b { (Text(name)) } ": " (Text(message)) }
                                        }
                                        @if many.len() > MOST_NAMES {
                                            div.on { "and " (counted((many.len() - MOST_NAMES) as u64, "more runner")) }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

/// One name, or the number with the names behind a click.
fn runners(all: &[&str]) -> Markup {
    html! {
        @match all {
            [one] => { (Text(one)) }
            [a, b] => { (Text(a)) ", " (Text(b)) }
            many => {
                details {
                    summary { (counted(many.len() as u64, "runner")) }
                    (names(many.iter().copied(), MOST_NAMES))
                }
            }
        }
    }
}

/// What does not fit on the first look.
fn rest<T>(all: &[T], table: impl FnOnce(&[T]) -> Markup) -> Markup {
    html! {
        @if all.len() > SHOWN {
            details.more {
                summary { (grouped((all.len() - SHOWN) as u64)) " more" }
                (table(&all[SHOWN..all.len().min(MOST_ROWS)]))
                @if all.len() > MOST_ROWS {
                    p.soft { "and " (grouped((all.len() - MOST_ROWS) as u64)) " more in the JSON report" }
                }
            }
        }
    }
}
