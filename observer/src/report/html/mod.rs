//! The report as one page that needs nothing else: no script, no image, no font, no request.

mod lists;
mod matrix;
mod runners;
mod trend;

use countersign_manifests_schema::report::StepStatus;
use countersign_shared::terminal::{cut, visible};
use maud::{DOCTYPE, Markup, PreEscaped, Render, html};

use super::summary::{Summary, Verdict};
use super::{counted, grouped, moment};

/// Nothing may be loaded, run or sent, whatever the page says.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

/// Text of others is shown up to here, in columns.
const LONGEST: usize = 600;

/// Steps named at the foot of the page.
const MOST_STEPS: usize = 30;

/// Text that somebody else wrote, made visible, bounded and escaped. Whatever is not a number or a literal goes
/// through this.
struct Text<'t>(&'t str);

impl Render for Text<'_> {
    fn render_to(&self, buffer: &mut String) {
        cut(&visible(self.0), LONGEST).as_ref().render_to(buffer);
    }
}

/// The whole page.
pub fn html(summary: &Summary<'_>) -> String {
    let run = moment::of_run(&summary.report.run);
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { "Drift report, " (Text(&run)) }
                style { (PreEscaped(include_str!("style.css"))) }
            }
            body {
                (head(summary, &run))
                main {
                    (lists::steps(summary))
                    (lists::guards(summary))
                    (lists::trust(summary))
                    (lists::news(summary))
                    (lists::classes(summary))
                    (lists::failures(summary))
                    (trend::trend(summary))
                    (matrix::matrix(summary))
                    (runners::runners(summary))
                    (lists::risks(summary))
                    (runners::clean(summary))
                }
                footer {
                    p {
                        @for (i, step) in summary.report.steps.iter().take(MOST_STEPS).enumerate() {
                            @if i == 0 { "Steps: " } @else { ", " }
                            (Text(&step.step)) " " (status(step.status))
                        }
                    }
                    p { (Text(&summary.context.generator)) ", run " (Text(&summary.report.run)) ". All times are UTC." }
                }
            }
        }
    };
    page.into_string()
}

fn head(summary: &Summary<'_>, run: &str) -> Markup {
    let (class, word) = match summary.verdict() {
        Verdict::Clean => ("good", "In line."),
        Verdict::AsFarAsJudged => ("warn", "In line as far as judged."),
        Verdict::Mixed if summary.counts.items == 0 => ("bad", "Incomplete."),
        Verdict::Mixed if summary.counts.failed > 0 => ("bad", "Drift, and incomplete."),
        Verdict::Mixed => ("warn", "Drift."),
        Verdict::Blind | Verdict::Empty => ("bad", "No result."),
    };
    let counts = &summary.counts;
    let tiles = [
        ("runners", counts.runners, ""),
        ("observed", counts.observed, ""),
        ("not observed", counts.failed, "bad"),
        ("with drift", counts.drifted, "warn"),
        ("drift items", counts.items, "warn"),
        ("new", counts.new, "warn"),
    ];
    html! {
        header {
            h1 { "Drift report" }
            p.facts {
                (Text(run)) " · canonical " code title=(Text(&summary.report.canonical_commit)) { (Text(short(&summary.report.canonical_commit))) }
                @if let Some(previous) = &summary.context.previous {
                    " · compared with " (Text(&moment::of_run(&previous.run)))
                }
            }
            p class={"verdict " (class)} { b { (word) } span { (summary.verdict_text()) } }
            dl.counts {
                @for (label, number, class) in tiles {
                    div { dt { (label) } dd class=[(number > 0 && !class.is_empty()).then_some(class)] { (grouped(number)) } }
                }
            }
            p.facts {
                (summary.quiet_counts()) "."
                @if counts.unjudged > 0 {
                    " Not judged: "
                    @for (i, (code, runners)) in summary.unjudged_by_code().into_iter().enumerate() {
                        @if i > 0 { ", " }
                        (Text(code)) " on " (counted(runners, "runner"))
                    }
                    "."
                }
            }
            (contents(summary))
        }
    }
}

fn contents(summary: &Summary<'_>) -> Markup {
    let links = [
        ("new", "New", summary.new.len()),
        ("classes", "Classes", summary.classes.len()),
        ("failed", "Not observed", summary.report.runners.len().min(summary.counts.failed as usize)),
        ("trend", "Trend", summary.context.trend.len().min(trend::MOST_RUNS)),
        ("matrix", "Matrix", summary.by_code.len()),
        ("runners", "Runners", summary.shown_runners().count()),
    ];
    html! {
        nav aria-label="Parts of this report" {
            @for (id, title, _) in links.into_iter().filter(|(_, _, number)| *number > 0) {
                a href={"#" (id)} { (title) }
            }
        }
    }
}

fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

fn status(status: StepStatus) -> Markup {
    match status {
        StepStatus::Ok => html! { "ok" },
        StepStatus::Failed => html! { span.bad { "failed" } },
        StepStatus::Skipped => html! { "skipped" },
    }
}

/// Names in a flow, each unbroken.
fn names<'n>(names: impl IntoIterator<Item = &'n str>, most: usize) -> Markup {
    let names: Vec<&str> = names.into_iter().collect();
    html! {
        @for (i, name) in names.iter().take(most).enumerate() {
            @if i > 0 { ", " }
            span { (Text(name)) }
        }
        @if names.len() > most { " and " (counted((names.len() - most) as u64, "more")) }
    }
}
