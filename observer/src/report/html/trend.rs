//! Drift over the stored runs.

use std::fmt::Write as _;

use maud::{Markup, html};

use super::Text;
use crate::history::TrendPoint;
use crate::report::summary::Summary;
use crate::report::{grouped, moment};

/// The newest runs that are drawn.
pub(super) const MOST_RUNS: usize = 90;

/// Drawing units; the browser stretches them to the page.
const WIDTH: f64 = 1000.0;
const HEIGHT: f64 = 100.0;

pub(super) fn trend(summary: &Summary<'_>) -> Markup {
    let all = &summary.context.trend;
    let points = &all[all.len().saturating_sub(MOST_RUNS)..];
    let (Some(first), Some(last)) = (points.first(), points.last()) else {
        return Markup::default();
    };
    let top = scale(points.iter().map(items).max().unwrap_or(0));
    let most_failed = points.iter().map(|point| point.failed).max().unwrap_or(0);
    html! {
        section #trend aria-labelledby="h-trend" {
            h2 #h-trend { "Trend" small { "drift items over the last " (grouped(points.len() as u64)) " runs" } }
            div .card .trend {
                div.plot {
                    div.y aria-hidden="true" { @for tick in [top, top / 2, 0] { span { (grouped(tick)) } } }
                    (drift(points, top))
                    @if most_failed > 0 {
                        div.label aria-hidden="true" { "not observed" }
                        (lane(points, most_failed))
                    }
                    div.x aria-hidden="true" {
                        span { (Text(&day(&first.run))) }
                        @if points.len() > 1 { span { (Text(&day(&last.run))) } }
                    }
                }
                @if most_failed > 0 {
                    p.legend { "Red dots: some runners were not observed, so there may be more drift. Gaps: none was." }
                }
                details { summary { "As a table" } (table(points)) }
            }
        }
    }
}

fn items(point: &TrendPoint) -> u64 {
    point.drift_by_code.values().sum()
}

/// Nothing was seen, so nothing is known: not the same as no drift.
fn is_blind(point: &TrendPoint) -> bool {
    point.observed == 0
}

/// The smallest even number of the form 2, 4, 10, 20, 40, 100 ... that holds the value.
fn scale(most: u64) -> u64 {
    let mut top = 2;
    for factor in [2.0, 2.5, 2.0].into_iter().cycle() {
        if top >= most {
            break;
        }
        top = (top as f64 * factor) as u64;
    }
    top
}

fn day(run: &str) -> String {
    let shown = moment::of_run(run);
    shown.get(..10).filter(|_| shown != run).map_or(shown.clone(), str::to_owned)
}

/// The middle of a run's share of the width.
fn x(index: usize, runs: usize) -> f64 {
    WIDTH * (index as f64 + 0.5) / runs as f64
}

fn y(number: u64, top: u64) -> f64 {
    HEIGHT * (1.0 - number as f64 / top.max(1) as f64)
}

fn drift(points: &[TrendPoint], top: u64) -> Markup {
    let at = |index: usize| (x(index, points.len()), y(items(&points[index]), top));
    let mut line = String::new();
    let mut area = String::new();
    let seen: Vec<usize> = (0..points.len()).filter(|index| !is_blind(&points[*index])).collect();
    for stretch in seen.chunk_by(|a, b| a + 1 == *b) {
        let (Some(&start), Some(&end)) = (stretch.first(), stretch.last()) else { continue };
        let corner = |index| at(index).0;
        let _ = write!(area, "M{:.1} {HEIGHT}", corner(start));
        for (i, &index) in stretch.iter().enumerate() {
            let (x, y) = at(index);
            let _ = write!(line, "{}{x:.1} {y:.1}", if i == 0 { 'M' } else { 'L' });
            let _ = write!(area, "L{x:.1} {y:.1}");
        }
        let _ = write!(area, "L{:.1} {HEIGHT}Z", corner(end));
    }
    html! {
        svg viewBox={"0 0 " (WIDTH) " " (HEIGHT)} preserveAspectRatio="none" role="img" aria-labelledby="t-trend d-trend" {
            title #t-trend { "Drift items per run" }
            desc #d-trend { (described(points)) }
            @for height in [0.0, HEIGHT / 2.0, HEIGHT] { path.grid d={"M0 " (height) "H" (WIDTH)} {} }
            path.area d=(area) {}
            path.line d=(line) {}
            @for index in seen {
                @let (x, y) = at(index);
                path class={"dot" @if points[index].failed > 0 { " partial" }} d=(format!("M{x:.1} {y:.1}h0")) {
                    title { (Text(&moment::of_run(&points[index].run))) ": " (grouped(items(&points[index]))) " items" }
                }
            }
        }
    }
}

fn described(points: &[TrendPoint]) -> String {
    let known: Vec<u64> = points.iter().filter(|point| !is_blind(point)).map(items).collect();
    match (known.first(), known.last(), known.iter().max()) {
        (Some(first), Some(last), Some(most)) => {
            format!("From {first} items in the first of these runs to {last} in the last, {most} at most.")
        }
        _ => "No runner was observed in any of these runs.".to_owned(),
    }
}

fn lane(points: &[TrendPoint], most: u64) -> Markup {
    let share = WIDTH / points.len() as f64;
    html! {
        svg.lane viewBox={"0 0 " (WIDTH) " " (HEIGHT)} preserveAspectRatio="none" role="img" aria-labelledby="t-lane" {
            title #t-lane { "Runners not observed per run, " (grouped(most)) " at most" }
            path.grid d={"M0 " (HEIGHT) "H" (WIDTH)} {}
            @for (index, point) in points.iter().enumerate().filter(|(_, point)| point.failed > 0) {
                @let height = (HEIGHT - y(point.failed, most)).max(6.0);
                @let width = (share * 0.5).min(24.0);
                rect.bar x=(format!("{:.1}", x(index, points.len()) - width / 2.0)) y=(format!("{:.1}", HEIGHT - height)) width=(format!("{width:.1}")) height=(format!("{height:.1}")) {
                    title { (Text(&moment::of_run(&point.run))) ": " (grouped(point.failed)) " not observed" }
                }
            }
        }
    }
}

fn table(points: &[TrendPoint]) -> Markup {
    html! {
        div.scroll tabindex="0" role="region" aria-label="Runs" {
            table {
                thead { tr { th scope="col" { "Run" } th.n scope="col" { "Observed" } th.n scope="col" { "Not observed" } th.n scope="col" { "Items" } th scope="col" { "By code" } } }
                tbody {
                    @for point in points.iter().rev() {
                        tr {
                            td.nowrap { (Text(&moment::of_run(&point.run))) }
                            td.n { (grouped(point.observed)) }
                            td.n { (grouped(point.failed)) }
                            td.n { @if is_blind(point) { "unknown" } @else { (grouped(items(point))) } }
                            td { @for (i, (code, number)) in point.drift_by_code.iter().filter(|(_, number)| **number > 0).enumerate() {
                                @if i > 0 { ", " } (Text(code)) " " (grouped(*number))
                            } }
                        }
                    }
                }
            }
        }
    }
}
