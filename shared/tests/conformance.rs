//! NEVRA and EVR against rpm's own tables and against real package sets.
//!
//! The tables are large and not ours, so they are read from the folder that `COUNTERSIGN_DATA` names.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]
#![expect(clippy::print_stderr, reason = "how many cases ran is part of the result")]

use countersign_shared::evr::{Evr, compare_version, split_epoch};
use countersign_shared::nevra::{Nevra, is_known_arch};
use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

/// The folder with the tables, or a loud word that nothing was checked.
fn data(test: &str) -> Option<PathBuf> {
    let folder = std::env::var_os("COUNTERSIGN_DATA").map(PathBuf::from);
    if folder.is_none() {
        eprintln!("SKIPPED {test}: COUNTERSIGN_DATA does not name the folder with rpm's tables");
    }
    folder
}

/// The rows of a table below its header.
fn rows(path: PathBuf) -> Vec<Vec<String>> {
    let text = fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    text.lines()
        .skip(1)
        .filter(|line| !line.is_empty())
        .map(|line| line.split('\t').map(str::to_owned).collect())
        .collect()
}

fn order(number: &str) -> Ordering {
    number.parse::<i8>().unwrap().cmp(&0)
}

/// Exceptions that did not come up are stale.
fn assert_all_used(exceptions: &[(&str, &str)], used: &BTreeSet<&str>) {
    for (row, reason) in exceptions {
        assert!(used.contains(row), "the exception for {row:?} ({reason}) is stale; remove it");
    }
}

#[test]
fn versions_compare_as_in_rpms_own_table() {
    let Some(data) = data("versions_compare_as_in_rpms_own_table") else { return };
    let (mut active, mut oddities) = (0, 0);
    for row in rows(data.join("evr/rpmvercmp.tsv")) {
        let [a, b, expected, status, line] = &row[..] else { panic!("{row:?}") };
        if status == "active" {
            assert_eq!(compare_version(a, b), order(expected), "{a} {b}, {line}");
            active += 1;
        } else {
            oddities += 1;
        }
    }
    assert!(active >= 91, "{active}");
    eprintln!("rpmvercmp.tsv: {active} active rows hold, {oddities} rows are commented out in rpm itself");
}

#[test]
fn real_evrs_compare_as_rpm_compared_them() {
    let Some(data) = data("real_evrs_compare_as_rpm_compared_them") else { return };
    for (file, least) in
        [("real_pairs_rpm4.18_oracle.tsv", 9_636), ("real_downgrades.tsv", 8), ("real_epoch_changes.tsv", 44)]
    {
        let mut count = 0;
        for row in rows(data.join("evr").join(file)) {
            let [_, a, b, whole, version, release, ..] = &row[..] else { panic!("{row:?}") };
            let (a, b) = (Evr::parse(a).unwrap(), Evr::parse(b).unwrap());
            assert_eq!(a.cmp_rpm(&b), order(whole), "{row:?}");
            assert_eq!(b.cmp_rpm(&a), order(whole).reverse(), "{row:?}");
            assert_eq!(compare_version(a.version, b.version), order(version), "{row:?}");
            assert_eq!(compare_version(a.release, b.release), order(release), "{row:?}");
            assert_eq!(Evr::parse(&a.to_string()).unwrap(), a);
            count += 1;
        }
        assert!(count >= least, "{file}: {count}");
        eprintln!("{file}: {count} pairs hold");
    }
}

/// `[epoch:]version[-release]` as rpm reads it, for tables with partial EVRs.
fn loose(text: &str) -> (u32, &str, Option<&str>) {
    let (epoch, rest) = split_epoch(text).unwrap();
    let (version, release) = match rest.split_once('-') {
        Some((version, release)) => (version, Some(release)),
        None => (rest, None),
    };
    (epoch.unwrap_or(0), version, release)
}

#[test]
fn partial_evrs_compare_as_rpm_compares_them() {
    let Some(data) = data("partial_evrs_compare_as_rpm_compares_them") else { return };
    let mut count = 0;
    for row in rows(data.join("evr/evr_compare_extra.tsv")) {
        let [a, b, by_source, by_rpm, _] = &row[..] else { panic!("{row:?}") };
        assert_eq!(by_source, by_rpm, "{row:?}");
        let (x, y) = (loose(a), loose(b));
        let release = |release: Option<&str>| release.map(str::to_owned).unwrap_or_default();
        let answer =
            x.0.cmp(&y.0).then(compare_version(x.1, y.1)).then_with(|| compare_version(&release(x.2), &release(y.2)));
        assert_eq!(answer, order(by_rpm), "{row:?}");
        if let (Ok(a), Ok(b)) = (Evr::parse(a), Evr::parse(b)) {
            assert_eq!(a.cmp_rpm(&b), order(by_rpm), "{row:?}");
        }
        count += 1;
    }
    assert!(count >= 35, "{count}");
    eprintln!("evr_compare_extra.tsv: {count} rows hold");
}

#[test]
fn evrs_read_as_rpm_reads_them_or_not_at_all() {
    let Some(data) = data("evrs_read_as_rpm_reads_them_or_not_at_all") else { return };
    // We take a complete EVR with a valid epoch only. Whatever is refused is listed here, row by row.
    const NO_RELEASE: &str = "an installed package always has a release";
    const NOT_A_NUMBER: &str = "an epoch is a number";
    const EMPTY: &str = "nothing is not a version";
    const TWO_DASHES: &str =
        "rpm splits at the last dash and allows no other in a version; the source splits at the first";
    const COLON: &str = "rpm allows no colon in a version";
    let refused = [
        ("5.0.0", NO_RELEASE),
        ("6.1", NO_RELEASE),
        ("7", NO_RELEASE),
        ("1:5.0.0", NO_RELEASE),
        ("2:6.1", NO_RELEASE),
        ("3:7", NO_RELEASE),
        ("1.0", NO_RELEASE),
        ("4:1.0", NO_RELEASE),
        ("4.16", NO_RELEASE),
        ("0", NO_RELEASE),
        ("0:0", NO_RELEASE),
        ("1:0", NO_RELEASE),
        ("5:1", NO_RELEASE),
        ("1.2.3", NO_RELEASE),
        ("1:1.2.3", NO_RELEASE),
        (":", NOT_A_NUMBER),
        (":-", NOT_A_NUMBER),
        ("-:", NOT_A_NUMBER),
        ("foo:bar", NOT_A_NUMBER),
        ("-1:0-1", NOT_A_NUMBER),
        ("a:0-0", NOT_A_NUMBER),
        ("A:1-2", NOT_A_NUMBER),
        ("A:1.2.3", NOT_A_NUMBER),
        ("-1:1.2.3", NOT_A_NUMBER),
        ("", EMPTY),
        ("-", EMPTY),
        ("0:0-", EMPTY),
        ("0:", EMPTY),
        ("0:0-0-0", TWO_DASHES),
        ("0:0-0-0-0", TWO_DASHES),
        ("0:0:0-0-0", TWO_DASHES),
        ("0:0-0:0-0", TWO_DASHES),
        ("0:0:0-0", COLON),
        ("0:0:0:0-0", COLON),
    ];
    let mut used = BTreeSet::new();
    let mut read = 0;
    for row in rows(data.join("evr/evr_parse.tsv")) {
        let [input, epoch, version, release, source] = &row[..] else { panic!("{row:?}") };
        if let Some((exception, reason)) = refused.iter().find(|(text, _)| text == input) {
            assert!(Evr::parse(input).is_err(), "{input:?} is taken, against the exception: {reason}");
            used.insert(*exception);
            continue;
        }
        let evr = Evr::parse(input).unwrap_or_else(|error| panic!("{input:?} ({source}): {error}"));
        let expected = if epoch == "(none)" { 0 } else { epoch.parse().unwrap() };
        assert_eq!((evr.epoch, evr.version, evr.release), (expected, version.as_str(), release.as_str()), "{row:?}");
        read += 1;
    }
    assert_all_used(&refused, &used);
    assert!(read >= 14, "{read}");
    eprintln!("evr_parse.tsv: {read} rows read alike, {} inputs are refused on purpose", used.len());
}

#[test]
fn nevras_read_as_dnf_reads_them_or_not_at_all() {
    let Some(data) = data("nevras_read_as_dnf_reads_them_or_not_at_all") else { return };
    // dnf reads an argument in several forms; we read one form, and no globs. Rows by input and form.
    const OTHER_FORM: &str = "dnf tries several forms on what a person typed; a NEVRA here is always complete";
    const GLOB: &str = "dnf reads globs; an identity has none";
    // The last column is what we read instead, if anything.
    let different = [
        ("four-of-fish-8:3.6.9 NEV", OTHER_FORM, None),
        ("fish-8:3.6.9 NEV", OTHER_FORM, None),
        ("fish-3.6.9 NEV", OTHER_FORM, None),
        ("four-of-fish-3.6.9.i686 NA", OTHER_FORM, Some(("four-of", "fish", "3.6.9", "i686"))),
        ("four-of-fish-3.6.9.i686 NEV", OTHER_FORM, Some(("four-of", "fish", "3.6.9", "i686"))),
        (
            "four-of-fish-8:3.6.9-11.fc100.x86_64 NEVR",
            OTHER_FORM,
            Some(("four-of-fish", "3.6.9", "11.fc100", "x86_64")),
        ),
        ("four-of-fish-[01]:3.6.9-11.fc100.x86_64 NEVRA", GLOB, None),
        ("four-of-fish-?:3.6.9-11.fc100.x86_64 NEVRA", GLOB, None),
    ];
    let mut used = BTreeSet::new();
    let (mut read, mut refused) = (0, 0);
    for row in rows(data.join("evr/nevra_parse.tsv")) {
        let [input, form, result, name, epoch, version, release, arch, source] = &row[..] else { panic!("{row:?}") };
        let ours = Nevra::parse(input);
        let row_name = format!("{input} {form}");
        if let Some((exception, _, instead)) = different.iter().find(|(text, ..)| *text == row_name) {
            let parts = ours.ok().map(|n| (n.name, n.evr.version, n.evr.release, n.arch));
            assert_eq!(parts, *instead, "{row_name}");
            used.insert(*exception);
            continue;
        }
        if result == "ok" {
            let nevra = ours.unwrap_or_else(|error| panic!("{input:?} ({source}): {error}"));
            let expected = if ["", "(not set)"].contains(&epoch.as_str()) { 0 } else { epoch.parse().unwrap() };
            let evr = nevra.evr;
            assert_eq!(
                (nevra.name, evr.epoch, evr.version, evr.release, nevra.arch),
                (name.as_str(), expected, version.as_str(), release.as_str(), arch.as_str()),
                "{row:?}"
            );
            assert!(is_known_arch(nevra.arch));
            read += 1;
        } else {
            assert!(ours.is_err(), "{input:?} ({source}) is read as {ours:?}");
            refused += 1;
        }
    }
    assert_all_used(&different.map(|(row, reason, _)| (row, reason)), &used);
    assert!(read + refused + used.len() >= 21, "{read} {refused}");
    eprintln!("nevra_parse.tsv: {read} read alike, {refused} refused alike, {} rows differ on purpose", used.len());
}

#[test]
fn nevras_sort_as_dnf_sorts_them() {
    let Some(data) = data("nevras_sort_as_dnf_sorts_them") else { return };
    // Ours is name, EVR, arch (`cmp_nevra`); `cmp_naevr` puts arch first, which differs in one row.
    let different = [("foo-1-1.noarch foo-1-0.x86_64", "cmp_naevr compares the arch before the version")];
    let mut used = BTreeSet::new();
    let mut count = 0;
    for row in rows(data.join("evr/nevra_order.tsv")) {
        let [comparator, lower, higher] = &row[..] else { panic!("{row:?}") };
        let (low, high) = (Nevra::parse(lower).unwrap(), Nevra::parse(higher).unwrap());
        let pair = format!("{lower} {higher}");
        if let Some((exception, _)) = different.iter().find(|(text, _)| *text == pair) {
            assert!(low > high, "{pair}");
            used.insert(*exception);
            continue;
        }
        let expected = if comparator.contains("equal") { Ordering::Equal } else { Ordering::Less };
        assert_eq!(low.cmp(&high), if low == high { Ordering::Equal } else { Ordering::Less }, "{row:?}");
        if expected == Ordering::Equal {
            assert_eq!(low.evr.cmp_rpm(&high.evr), expected, "{row:?}");
        } else {
            assert_eq!(low.cmp(&high), expected, "{row:?}");
        }
        count += 1;
    }
    assert_all_used(&different, &used);
    assert!(count >= 9, "{count}");
    eprintln!("nevra_order.tsv: {count} rows hold, {} differs on purpose", used.len());
}

#[test]
fn every_real_package_is_read_and_written_back() {
    let Some(data) = data("every_real_package_is_read_and_written_back") else { return };
    let mut entries: Vec<PathBuf> = Vec::new();
    for folder in ["packages", "packages/rpmqa"] {
        entries.extend(fs::read_dir(data.join(folder)).unwrap().map(|entry| entry.unwrap().path()));
    }
    entries.sort();
    let (mut sets, mut packages, mut keys) = (0, 0, 0);
    for path in entries.iter().filter(|path| path.is_file()) {
        let is_table = path.extension().is_some_and(|extension| extension == "tsv");
        let text = fs::read_to_string(path).unwrap();
        let mut identities = BTreeSet::new();
        let before = packages;
        for (index, line) in text.lines().enumerate().filter(|(_, line)| !line.is_empty()) {
            let at = format!("{}:{}", path.display(), index + 1);
            let written;
            let nevra = if is_table {
                if index == 0 {
                    assert!(line.starts_with("name\tepoch"), "{at}");
                    continue;
                }
                let fields: Vec<&str> = line.split('\t').collect();
                let epoch = fields[1].parse().unwrap_or_else(|_| {
                    assert_eq!(fields[1], "", "{at}");
                    0
                });
                let evr = Evr::new(epoch, fields[2], fields[3]).unwrap_or_else(|error| panic!("{at}: {error}"));
                written =
                    Nevra::new(fields[0], evr, fields[4]).unwrap_or_else(|error| panic!("{at}: {error}")).to_string();
                let nevra = Nevra::parse(&written).unwrap_or_else(|error| panic!("{at}: {error}"));
                assert_eq!((nevra.name, nevra.evr, nevra.arch), (fields[0], evr, fields[4]), "{at}");
                nevra
            } else if line.starts_with("gpg-pubkey-") {
                assert!(Nevra::parse(line).is_err(), "{at}: a key has no arch");
                keys += 1;
                continue;
            } else {
                Nevra::parse(line).unwrap_or_else(|error| panic!("{at}: {error}"))
            };
            assert!(is_known_arch(nevra.arch), "{at}: {}", nevra.arch);
            if !is_table {
                assert_eq!(nevra.to_string(), line, "{at}");
            }
            assert!(identities.insert(nevra.to_string()), "{at}: twice");
            packages += 1;
        }
        assert!(packages > before, "{}: no packages", path.display());
        sets += 1;
    }
    assert!(packages >= 15_000 && keys >= 20, "{packages} {keys}");
    eprintln!("packages: {packages} of {sets} sets are read and written back, {keys} gpg-pubkey lines are told apart");
}
