//! The text file for Prometheus, as a strict reader of its format takes it.

use std::collections::{BTreeMap, BTreeSet};

use countersign_observer::notify::{RunFacts, metrics, write_metrics};
use countersign_observer::report::Summary;

use crate::sample::{self, Sample};

fn facts<'r>(summary: Option<&'r Summary<'r>>) -> RunFacts<'r> {
    RunFacts { version: "0.1.0", started: 1_795_145_400, finished: 1_795_145_412, summary }
}

fn rendered(sample: &Sample, before: Option<&str>) -> String {
    let summary = Summary::of(&sample.report, &sample.context);
    metrics(&facts(Some(&summary)), before)
}

/// Series and their values; fails on whatever the format (text 0.0.4) does not allow, and on what promtool complains
/// about in gauges.
fn parsed(text: &str) -> BTreeMap<String, f64> {
    assert!(text.ends_with('\n'));
    let mut series = BTreeMap::new();
    let mut family = None;
    let mut families = BTreeSet::new();
    let name_is_fine = |name: &str| {
        name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
    };
    let mut lines = text.lines().peekable();
    while let Some(line) = lines.next() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            let (name, text) = help.split_once(' ').unwrap();
            assert!(name_is_fine(name) && !text.contains('\\'));
            assert_eq!(lines.next().unwrap(), format!("# TYPE {name} gauge"));
            assert!(families.insert(name.to_owned()), "{name} comes twice");
            assert!(!name.ends_with("_total"), "{name} is no counter");
            family = Some(name.to_owned());
            continue;
        }
        let (identity, value) = line.rsplit_once(' ').unwrap();
        let name = identity.split('{').next().unwrap();
        assert_eq!(Some(name), family.as_deref(), "{line} is not of its family");
        if let Some(labels) = identity.strip_prefix(name).filter(|labels| !labels.is_empty()) {
            let (label, value) = labels.strip_prefix('{').unwrap().strip_suffix('}').unwrap().split_once('=').unwrap();
            assert!(name_is_fine(label) && !label.starts_with("__"));
            let inside = value.strip_prefix('"').unwrap().strip_suffix('"').unwrap();
            let mut characters = inside.chars();
            while let Some(c) = characters.next() {
                assert!(c != '"' && !c.is_control(), "{line}");
                if c == '\\' {
                    assert!(matches!(characters.next(), Some('\\' | '"' | 'n')), "{line}");
                }
            }
        }
        assert!(series.insert(identity.to_owned(), value.parse().unwrap()).is_none(), "{identity} comes twice");
    }
    series
}

#[test]
fn the_incident_in_metrics() {
    insta::assert_snapshot!(rendered(&sample::incident(), None));
}

#[test]
fn every_sample_is_in_the_format() {
    let samples =
        [sample::clean(), sample::incident(), sample::blind(), sample::empty(), sample::hostile(), sample::large(500)];
    let directory = std::path::Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    std::fs::create_dir_all(&directory).unwrap();
    for (n, sample) in samples.iter().enumerate() {
        let text = rendered(sample, None);
        parsed(&text);
        std::fs::write(directory.join(format!("{n}.prom")), text).unwrap();
    }
    parsed(&metrics(&facts(None), None));
}

#[test]
fn every_code_has_a_series_so_that_an_alert_can_wait_for_it() {
    let series = parsed(&rendered(&sample::clean(), None));
    for code in countersign_shared::drift::Code::ALL {
        assert_eq!(series[&format!("countersign_drift_items{{code=\"{code}\"}}")], 0.0);
    }
    assert_eq!(series["countersign_last_run_success"], 1.0);
    assert_eq!(series["countersign_last_success_timestamp_seconds"], 1_795_145_412.0);
}

#[test]
fn a_failed_run_keeps_the_time_of_the_last_complete_one_and_claims_no_drift() {
    let before = rendered(&sample::clean(), None).replace("1795145412", "1700000000");
    for text in [metrics(&facts(None), Some(&before)), rendered(&sample::blind(), Some(&before))] {
        let series = parsed(&text);
        assert_eq!(series["countersign_last_run_success"], 0.0);
        assert_eq!(series["countersign_last_success_timestamp_seconds"], 1_700_000_000.0);
        assert_eq!(series["countersign_last_run_timestamp_seconds"], 1_795_145_400.0);
        assert!(!text.contains("countersign_drift_items"), "zero drift would be a claim");
    }
    // A run of which a step failed saw the drift, and is no success.
    let series = parsed(&rendered(&sample::incident(), Some(&before)));
    assert_eq!(series["countersign_last_run_success"], 0.0);
    assert_eq!(series["countersign_last_success_timestamp_seconds"], 1_700_000_000.0);
    assert_eq!(series["countersign_drift_items{code=\"ahead\"}"], 6.0);
    // And without anything before, nothing is claimed.
    assert!(!metrics(&facts(None), None).contains("last_success"));
}

#[test]
fn the_file_is_replaced_and_remembers() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("countersign.prom");
    let sample = sample::clean();
    let summary = Summary::of(&sample.report, &sample.context);
    write_metrics(&path, &facts(Some(&summary))).unwrap();
    write_metrics(&path, &facts(None)).unwrap();
    let series = parsed(&std::fs::read_to_string(&path).unwrap());
    assert_eq!(series["countersign_last_success_timestamp_seconds"], 1_795_145_412.0);
    assert_eq!(series["countersign_last_run_success"], 0.0);
    assert_eq!(std::fs::read_dir(directory.path()).unwrap().count(), 1);
}
