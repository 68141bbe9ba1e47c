//! The report on a terminal.

use countersign_observer::report::{Extent, Summary, text};
use countersign_shared::terminal::{Palette, Screen, width};

use crate::sample::{self, Sample};

fn rendered(sample: &Sample, width: usize, extent: Extent) -> String {
    let summary = Summary::of(&sample.report, &sample.context);
    text(&summary, Screen { width, palette: Palette::Plain }, extent)
}

fn first_screen(sample: &Sample) -> String {
    rendered(sample, 80, Extent::FirstScreen)
}

#[test]
fn a_clean_fleet_gets_a_short_friendly_text() {
    insta::assert_snapshot!(first_screen(&sample::clean()));
}

#[test]
fn the_incident_at_80_columns() {
    insta::assert_snapshot!(first_screen(&sample::incident()));
}

#[test]
fn the_incident_at_120_columns() {
    insta::assert_snapshot!(rendered(&sample::incident(), 120, Extent::FirstScreen));
}

#[test]
fn all_of_the_incident() {
    insta::assert_snapshot!(rendered(&sample::incident(), 100, Extent::All));
}

#[test]
fn a_fleet_that_nobody_saw_does_not_look_clean() {
    insta::assert_snapshot!(first_screen(&sample::blind()));
}

#[test]
fn a_fleet_without_runners_does_not_look_clean() {
    insta::assert_snapshot!(first_screen(&sample::empty()));
}

#[test]
fn a_thousand_runners_fit_on_the_first_screen() {
    insta::assert_snapshot!(first_screen(&sample::large(1_000)));
}

#[test]
fn the_first_screen_has_at_most_sixty_lines_and_no_line_is_too_wide() {
    let samples = [
        sample::clean(),
        sample::incident(),
        sample::blind(),
        sample::empty(),
        sample::hostile(),
        sample::large(2_000),
    ];
    for sample in &samples {
        for columns in [40, 60, 80, 100, 200] {
            let first = rendered(sample, columns, Extent::FirstScreen);
            assert!(columns < 80 || first.lines().count() <= 60, "{} lines\n{first}", first.lines().count());
            for line in first.lines().chain(rendered(sample, columns, Extent::All).lines()) {
                assert!(width(line) <= columns, "{} > {columns}: {line}", width(line));
            }
        }
    }
}

#[test]
fn hostile_text_moves_nothing() {
    for extent in [Extent::FirstScreen, Extent::All] {
        let text = rendered(&sample::hostile(), 100, extent);
        assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "a control character is left");
        assert!(!text.contains(['\u{202e}', '\u{200b}', '\u{feff}', '\u{301}']), "a hidden character is left");
        assert!(text.contains("\\x1b[2J"), "what was sent is shown");
    }
}

#[test]
fn colours_change_no_character() {
    let sample = sample::incident();
    let summary = Summary::of(&sample.report, &sample.context);
    for extent in [Extent::FirstScreen, Extent::All] {
        let plain = text(&summary, Screen { width: 90, palette: Palette::Plain }, extent);
        let coloured = text(&summary, Screen { width: 90, palette: Palette::Coloured }, extent);
        assert!(coloured.contains("\x1b[31m") || coloured.contains("\x1b[1m\x1b[31m"));
        let mut stripped = String::new();
        let mut rest = coloured.as_str();
        while let Some(start) = rest.find('\x1b') {
            stripped.push_str(&rest[..start]);
            rest = &rest[start + rest[start..].find('m').unwrap() + 1..];
        }
        stripped.push_str(rest);
        assert_eq!(stripped, plain);
    }
}
