//! Version specs: their meaning, what is above and below, and which of them nothing can satisfy.
#![expect(clippy::unwrap_used, reason = "a test may stop at the first surprise")]

use countersign_shared::evr::{Evr, compare_version};
use countersign_shared::manifest::version::{Bound, Operator, Position, VersionSpec};
use countersign_shared::nevra::Nevra;
use proptest::prelude::*;
use std::cmp::Ordering;

fn position(spec: &str, evr: &str) -> Position {
    let spec = VersionSpec::parse(spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
    let evr = Evr::parse(evr).unwrap();
    let position = spec.position(&evr);
    assert_eq!(spec.matches(&evr), position == Position::Fits, "{spec} {evr}");
    position
}

#[test]
fn a_spec_means_what_an_rpm_dependency_means() {
    use Position::{Above, Below, Fits};
    let table = [
        ("*", "1-1", Fits),
        ("= 1", "1-1", Fits),
        ("= 1", "1-99.fc41", Fits),
        ("= 1", "1.0-1", Above),
        ("= 1", "1.1-1", Above),
        ("= 1", "0.9-1", Below),
        ("= 1", "1~rc1-1", Below),
        ("= 1", "1^git1-1", Above),
        ("= 1-1", "1-1", Fits),
        ("= 1-1", "1-1.fc41", Above),
        ("= 1-2", "1-1", Below),
        ("= 1.0", "1.00-1", Fits),
        // Without a release any release fits, for every operator.
        ("> 1", "1-5", Below),
        (">= 1", "1-5", Fits),
        ("<= 1", "1-5", Fits),
        ("< 1", "1-5", Above),
        ("> 1-4", "1-5", Fits),
        ("> 1-5", "1-5", Below),
        ("< 1-6", "1-5", Fits),
        ("< 1-5", "1-5", Above),
        // Without an epoch the candidate's is taken; with one it is exact.
        ("= 1", "7:1-1", Fits),
        ("< 2", "7:1-1", Fits),
        ("= 0:1", "7:1-1", Above),
        ("= 7:1", "1-1", Below),
        (">= 7:1", "6:99-1", Below),
        (">= 7:1", "8:0-1", Fits),
        ("< 7:1", "6:99-1", Fits),
        // The documentation's range.
        (">= 2.40, < 2.41", "2.39-99", Below),
        (">= 2.40, < 2.41", "2.40-1", Fits),
        (">= 2.40, < 2.41", "2.40.9-1", Fits),
        (">= 2.40, < 2.41", "2.41-1", Above),
        (">= 2.40, < 2.41", "2.41~rc1-1", Fits),
        // A named epoch decides before versions do.
        (">= 1:2, < 3", "5-1", Below),
        (">= 2, < 1:3", "2:1-1", Above),
    ];
    for (spec, evr, expected) in table {
        assert_eq!(position(spec, evr), expected, "{spec} against {evr}");
    }
}

#[test]
fn the_order_in_which_a_spec_is_written_does_not_matter() {
    let a = VersionSpec::parse(">= 2.40, < 2.41").unwrap();
    for text in ["<2.41,>=2.40", " < 2.41 , >= 2.40 , < 2.41 "] {
        assert_eq!(VersionSpec::parse(text).unwrap(), a);
    }
    assert_eq!(a.to_string(), ">= 2.40, < 2.41");
}

#[test]
fn ranges_that_nothing_satisfies_are_told_from_narrow_ones() {
    let empty = [
        "> 2, < 1",
        "= 1, = 2",
        "> 1, <= 1",
        "> 1, < 1",
        ">= 2, < 2",
        "= 1, > 1",
        "= 1, < 1",
        "= 1-1, = 1-2",
        "= 1-1, > 1",
        "> 1-2, < 1-1",
        "> 1-1, < 1-1",
        "= 1, = 1.0.0",
        "= 1:1, = 2:1",
        "= 1:1, < 1",
        "> 2:1, < 1:9",
        "> 1:5, < 1:4",
        "= 1-1, > 1-1",
        "> 1.00, < 1.0",
        "<= 1, > 1-1, < 1-1",
        ">= 1, <= 1, < 1-1, > 1-2",
        "< 0:1, > 0:1",
        "= 2, > 1:1, < 1:2",
        "= 1-1, > 1-0, < 1-1",
    ];
    // `> 1` leaves out every release of 1, `= 1` takes only those.
    for text in empty.into_iter().chain(["> 1, < 1-1, = 1"]) {
        let error = VersionSpec::parse(text).unwrap_err();
        assert!(error.to_string().starts_with("no version can satisfy"), "{text}: {error}");
    }
    let narrow = [
        "> 1, < 2",
        ">= 1, <= 1",
        "> 1~, < 1",
        "> 1, < 1^",
        "> 1^, < 1.0",
        "> 1~~, < 1~",
        "> 1-1, < 1-1^",
        "= 1, > 1-1",
        "= 1, = 1-1",
        "= 1.0, = 1.00",
        "> 1-1, <= 1",
        "< 1",
        "< ~",
        "> 99999999999999999999",
        "< 0:0",
        "= 1:1, = 1",
        "> 1:5, < 1",
        ">= 2, < 1:3",
        "= 4294967295:1",
        "> 4294967295:1",
        "<= 1, > 1-1",
        "< 1-~",
        "= 2, > 1:1",
    ];
    for text in narrow {
        assert!(VersionSpec::parse(text).is_ok(), "{text}");
    }
}

/// Pieces from which close and equal versions come about.
fn version() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec!["0", "1", "01", "2", "10", "a", "b", "A", "~", "^", ".", "_", "1.0", "rc"]);
    prop::collection::vec(piece, 1..5).prop_map(|pieces| pieces.concat())
}

fn operator() -> impl Strategy<Value = Operator> {
    use Operator::{Equal, Greater, GreaterOrEqual, Less, LessOrEqual};
    prop::sample::select(vec![Equal, Less, LessOrEqual, Greater, GreaterOrEqual])
}

fn bound() -> impl Strategy<Value = Bound> {
    (operator(), prop::option::of(0..3u32), version(), prop::option::of(version()))
        .prop_map(|(operator, epoch, version, release)| Bound { operator, epoch, version, release })
}

fn spec() -> impl Strategy<Value = VersionSpec> {
    prop::collection::vec(bound(), 0..5).prop_map(VersionSpec::from_bounds)
}

/// Versions on, just above and just below those of a spec: by density there is one in every gap.
fn near(written: &[&str]) -> Vec<String> {
    let mut all = vec!["~~~~~~~~".to_owned(), "99999".to_owned()];
    for version in written {
        all.push((*version).to_owned());
        for depth in 1..8 {
            all.push(format!("{version}{}", "~".repeat(depth)));
            all.push(format!("{version}^{}", "~".repeat(depth)));
        }
        all.push(format!("{version}^"));
        all.push(format!("{version}.0"));
    }
    all
}

proptest! {
    #[test]
    fn a_spec_called_empty_has_no_member_and_any_other_has_one(spec in spec()) {
        let versions: Vec<&str> = spec.bounds.iter().map(|b| b.version.as_str()).collect();
        let releases: Vec<&str> = spec.bounds.iter().filter_map(|b| b.release.as_deref()).collect();
        let (versions, releases) = (near(&versions), near(&releases));
        let mut member = None;
        'search: for epoch in 0..5 {
            for version in &versions {
                for release in &releases {
                    let evr = Evr { epoch, version, release };
                    if spec.matches(&evr) {
                        member = Some(evr);
                        break 'search;
                    }
                }
            }
        }
        prop_assert_eq!(spec.is_empty(), member.is_none(), "{} {:?}", spec, member);
    }

    #[test]
    fn a_spec_reads_back_as_it_is_shown(spec in spec()) {
        match VersionSpec::parse(&spec.to_string()) {
            Ok(again) => prop_assert_eq!(again, spec),
            Err(error) => prop_assert!(spec.is_empty(), "{} {}", spec, error),
        }
    }

    #[test]
    fn what_fits_nothing_is_neither_above_nor_below(spec in spec(), epoch in 0..3u32, v in version(), r in version()) {
        let evr = Evr { epoch, version: &v, release: &r };
        prop_assert_eq!(spec.matches(&evr), spec.position(&evr) == Position::Fits);
    }

    #[test]
    fn whatever_lies_below_a_version_below_is_below_too(
        spec in spec(), epoch in 0..3u32, a in version(), b in version(), r in version(),
    ) {
        prop_assume!(!spec.is_empty());
        let (low, high) = if compare_version(&a, &b).is_le() { (a, b) } else { (b, a) };
        let low = Evr { epoch, version: &low, release: &r };
        let high = Evr { epoch, version: &high, release: &r };
        if spec.position(&high) == Position::Below {
            prop_assert_eq!(spec.position(&low), Position::Below);
        }
        if spec.position(&low) == Position::Above {
            prop_assert_eq!(spec.position(&high), Position::Above);
        }
    }

    #[test]
    fn parsing_a_spec_never_panics(text in "[ -~]{0,40}|\\PC{0,20}") {
        let _ = VersionSpec::parse(&text);
    }

    #[test]
    fn the_order_of_evrs_is_total_and_agrees_with_equality(
        a in (0..3u32, version(), version()), b in (0..3u32, version(), version()), c in (0..3u32, version(), version()),
    ) {
        let evr = |e: &(u32, String, String)| -> (u32, String, String) { e.clone() };
        let (a, b, c) = (evr(&a), evr(&b), evr(&c));
        let a = Evr { epoch: a.0, version: &a.1, release: &a.2 };
        let b = Evr { epoch: b.0, version: &b.1, release: &b.2 };
        let c = Evr { epoch: c.0, version: &c.1, release: &c.2 };
        prop_assert_eq!(a.cmp(&b), b.cmp(&a).reverse());
        prop_assert_eq!(a.cmp(&b) == Ordering::Equal, a == b);
        prop_assert_eq!(a.cmp_rpm(&b), b.cmp_rpm(&a).reverse());
        if a == b {
            prop_assert_eq!(a.cmp_rpm(&b), Ordering::Equal);
        }
        if a <= b && b <= c {
            prop_assert!(a <= c);
        }
        if a.cmp_rpm(&b).is_le() && b.cmp_rpm(&c).is_le() {
            prop_assert!(a.cmp_rpm(&c).is_le());
        }
        if a.cmp_rpm(&b).is_lt() {
            prop_assert!(a < b, "the total order refines rpm's");
        }
    }

    #[test]
    fn identities_read_back_as_they_are_shown(
        name in "[A-Za-z0-9_][A-Za-z0-9._+-]{0,20}", epoch in prop_oneof![Just(0u32), any::<u32>()],
        v in version(), r in version(), arch in "[a-z0-9_]{1,8}",
    ) {
        let evr = Evr::new(epoch, &v, &r).unwrap();
        let shown = evr.to_string();
        prop_assert_eq!(Evr::parse(&shown).unwrap(), evr);
        let nevra = Nevra::new(&name, evr, &arch).unwrap();
        let shown = nevra.to_string();
        prop_assert_eq!(Nevra::parse(&shown).unwrap(), nevra);
    }

    #[test]
    fn reading_an_identity_never_panics(text in "\\PC{0,30}|[a-z0-9.:~^-]{0,20}") {
        if let Ok(nevra) = Nevra::parse(&text) {
            let shown = nevra.to_string();
            prop_assert_eq!(Nevra::parse(&shown).unwrap(), nevra);
        }
        let _ = Evr::parse(&text);
    }
}
