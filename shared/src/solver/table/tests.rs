//! Tables as dnf5 prints them, and tables that it never prints.

use super::*;
use proptest::prelude::*;

/// As dnf5 5.4.6 printed it.
const INCIDENT: &str = "\
Package                        Arch   Version         Repository      Size
Removing:
 gcc-toolset-13                noarch 0:13.1-1.fc41   fedora       0.0   B
 kernel-core                   noarch 0:6.1-1.fc41                 1.5 MiB
Removing unused dependencies:
 gcc-toolset-13-runtime        noarch 0:13.1-1.fc41   fedora       0.0   B
Removing dependent packages:
 needs-it                      noarch 3:13.1-1.fc41   <unknown>    0.0   B
Downgrading:
 clang-tools-extra             noarch 0:19.1.0-1.fc41 fedora       0.0   B
   replacing clang-tools-extra noarch 0:20.1.0-1.fc41 updates      0.0   B
 llvm                          noarch 0:19.1.0-1.fc41 fedora       0.0   B
   replacing llvm              noarch 0:20.1.0-1.fc41 updates      0.0   B
   replacing llvm-old          noarch 2:20.1.0-1.fc41 updates      0.0   B
Installing:
 strace                        x86_64 0:6.9-1.fc41    fedora     998.9 KiB
Installing weak dependencies:
 strace-doc                    noarch 0:6.9-1.fc41    fedora       0.0   B
Changing reason:
 mlib                          noarch 2:1.0-1.fc41    @System      0.0   B
   Dependency -> User

Transaction Summary:
 Installing:         2 packages
 Replacing:          3 packages
 Removing:           4 packages
 Downgrading:        2 packages
 Changing reason:    1 package

";

fn find<'a>(table: &'a Table, nevra: &str) -> &'a Step {
    table.steps.iter().find(|step| step.nevra == nevra).unwrap()
}

#[test]
fn every_section_is_read() {
    let table = Table::parse(INCIDENT).unwrap();
    assert_eq!(table.steps.len(), 12);
    let step = find(&table, "llvm-19.1.0-1.fc41.noarch");
    assert_eq!((step.action, step.reason, step.repo_id.as_str()), (Action::Downgrade, None, "fedora"));
    let step = find(&table, "llvm-old-2:20.1.0-1.fc41.noarch");
    assert_eq!((step.action, step.repo_id.as_str()), (Action::Replaced, "@System"));
    assert_eq!(step.replaced_by, ["llvm-19.1.0-1.fc41.noarch"]);
    assert_eq!(find(&table, "needs-it-3:13.1-1.fc41.noarch").reason, Some(Reason::Dependency));
    assert_eq!(find(&table, "gcc-toolset-13-runtime-13.1-1.fc41.noarch").reason, Some(Reason::Clean));
    assert_eq!(find(&table, "kernel-core-6.1-1.fc41.noarch").action, Action::Remove);
    assert_eq!(find(&table, "strace-doc-6.9-1.fc41.noarch").reason, Some(Reason::WeakDependency));
    let step = find(&table, "mlib-2:1.0-1.fc41.noarch");
    assert_eq!((step.action, step.reason), (Action::ReasonChange, Some(Reason::User)));
}

#[test]
fn each_title_has_its_meaning() {
    let expected = [
        ("Installing:", Action::Install, Some(Reason::User), "Installing"),
        ("Installing dependencies:", Action::Install, Some(Reason::Dependency), "Installing"),
        ("Installing weak dependencies:", Action::Install, Some(Reason::WeakDependency), "Installing"),
        ("Installing group/module packages:", Action::Install, Some(Reason::Group), "Installing"),
        ("Upgrading:", Action::Upgrade, None, "Upgrading"),
        ("Downgrading:", Action::Downgrade, None, "Downgrading"),
        ("Reinstalling:", Action::Reinstall, None, "Reinstalling"),
        ("Removing:", Action::Remove, Some(Reason::User), "Removing"),
        ("Removing dependent packages:", Action::Remove, Some(Reason::Dependency), "Removing"),
        ("Removing unused dependencies:", Action::Remove, Some(Reason::Clean), "Removing"),
    ];
    for (title, action, reason, counted) in expected {
        let text = format!(
            "Package Arch   Version Repository      Size\n{title}\n a      noarch 0:1-1   fedora       0.0   B\n\n\
             Transaction Summary:\n {counted}:    1 package\n\n"
        );
        let table = Table::parse(&text).unwrap();
        assert_eq!((table.steps[0].action, table.steps[0].reason), (action, reason), "{title}");
    }
}

#[test]
fn what_dnf_would_skip_is_no_change() {
    let text = "\
Package Arch   Version Repository      Size
Installing:
 a      noarch 0:1-1   fedora       0.0   B
Skipping packages with conflicts:
 b      noarch 1-1     fedora       0.0   B
Skipping packages with broken dependencies:
 c      noarch 2:1-1   fedora       0.0   B

Transaction Summary:
 Installing:         1 package
 Skipping:           2 packages

";
    let table = Table::parse(text).unwrap();
    assert_eq!((table.steps.len(), table.skipped), (1, vec!["b-1-1.noarch".to_owned(), "c-2:1-1.noarch".to_owned()]));
}

#[test]
fn groups_modules_and_the_unknown_are_refused() {
    for title in [
        "Installing groups:",
        "Installing groups dependencies:",
        "Removing groups:",
        "Upgrading groups:",
        "Changing reason of installed groups:",
        "Installing environmental groups:",
        "Removing environmental groups:",
        "Upgrading environmental groups:",
        "Enabling module streams:",
        "Disabling modules:",
        "Resetting modules:",
        "Switching module streams:",
        "Obsoleting:",
        "installing:",
    ] {
        let text = INCIDENT.replacen("Installing:", title, 1);
        assert!(matches!(Table::parse(&text), Err(TableError::Section(_, said)) if said == title), "{title}");
    }
}

#[test]
fn a_table_that_dnf_never_prints_is_refused() {
    for (from, to) in [
        ("Package  ", "Packet   "),
        (" Repository ", " Repo       "),
        (" llvm     ", " llvm lib "),
        (" llvm     ", " \u{fc}llvm   "),
        ("0:6.9-1.fc41    fedora     998.9", "0:6.9-1.fc41-and-x fedora  998.9"),
        ("0:6.9-1.fc41    fedora     998.9", "0:6.9           fedora     998.9"),
        ("998.9 KiB", "998.9 KB"),
        ("998.9 KiB", "many KiB"),
        ("x86_64 0:6.9-1.fc41    fedora ", "x86_64 0:6.9-1.fc41           "),
        ("x86_64 0:6.9-1.fc41    fedora  ", "x86_64 0:6.9-1.fc41    @System "),
        ("Removing:\n", ""),
        ("   replacing llvm  ", "   because of llvm"),
        ("   Dependency -> User", "   Dependency -> Whim"),
        ("   Dependency -> User", "   Dependency"),
        (" Installing:         2 packages", " Installing:         3 packages"),
        (" Replacing:          3 packages\n", ""),
        (" Removing:           4 packages", " Removing:           4 groups"),
        (" Changing reason:    1 package", " Changing reasons:   1 package"),
        ("package\n\n", "package"),
        ("\nTransaction Summary:", "\nSummary:"),
        (" strace-doc ", " strace     "),
    ] {
        assert!(INCIDENT.contains(from), "{from}");
        let text = INCIDENT.replacen(from, to, 1);
        if to == " strace     " {
            // Another arch is another package; the very same line is not.
            assert!(Table::parse(&text).is_ok());
            continue;
        }
        assert!(Table::parse(&text).is_err(), "{from} -> {to}");
    }
    assert_eq!(Table::parse(""), Err(TableError::NoTable));
    assert!(matches!(Table::parse(&INCIDENT.repeat(2)), Err(TableError::TooMuch(_))));
    let twice = INCIDENT.replacen(" strace-doc                    noarch", " strace                        x86_64", 1);
    assert!(matches!(Table::parse(&twice), Err(TableError::Twice(..))), "{:?}", Table::parse(&twice));
}

#[test]
fn a_table_cut_anywhere_is_refused() {
    let end = INCIDENT.len() - 1;
    for cut in 0..end {
        assert!(Table::parse(&INCIDENT[..cut]).is_err(), "{}", &INCIDENT[..cut]);
    }
}

/// Prints a table as dnf5 does: as wide as its widest cells.
fn print(sections: &[(&str, &str, Vec<[String; 3]>)]) -> String {
    let mut widths = ["Package".len(), "Arch".len(), "Version".len(), "Repository".len()];
    for (_, _, rows) in sections {
        for [name, arch, version] in rows {
            widths[0] = widths[0].max(name.len() + 1);
            widths[1] = widths[1].max(arch.len());
            widths[2] = widths[2].max(version.len());
        }
    }
    let line = |cells: [&str; 4], size: &str| {
        format!(
            "{:<a$} {:<b$} {:<c$} {:<d$} {size:>9}\n",
            cells[0],
            cells[1],
            cells[2],
            cells[3],
            a = widths[0],
            b = widths[1],
            c = widths[2],
            d = widths[3]
        )
    };
    let mut text = line(["Package", "Arch", "Version", "Repository"], "Size");
    let mut counts = String::new();
    for (title, counted, rows) in sections {
        text.push_str(&format!("{title}\n"));
        for [name, arch, version] in rows {
            text.push_str(&line([&format!(" {name}"), arch, version, "fedora"], "0.0   B"));
        }
        counts.push_str(&format!(" {counted}: {:10} packages\n", rows.len()));
    }
    format!("{text}\nTransaction Summary:\n{counts}\n")
}

proptest! {
    #[test]
    fn what_is_printed_is_what_is_read(
        packages in proptest::collection::btree_set(
            ("[A-Za-z0-9][A-Za-z0-9._+-]{0,90}", "(noarch|x86_64|i686)", 0_u32..4, "[a-z0-9.~^+]{1,60}", "[a-z0-9.]{1,40}"),
            2..30,
        ),
    ) {
        let rows: Vec<[String; 3]> = packages
            .iter()
            .map(|(name, arch, epoch, version, release)| [name.clone(), arch.clone(), format!("{epoch}:{version}-{release}")])
            .collect();
        let (come, go) = rows.split_at(rows.len() / 2);
        let text = print(&[("Installing:", "Installing", come.to_vec()), ("Removing:", "Removing", go.to_vec())]);
        let table = Table::parse(&text).unwrap();
        let read: BTreeSet<(String, Action)> = table.steps.into_iter().map(|step| (step.nevra, step.action)).collect();
        let wanted: BTreeSet<(String, Action)> = come
            .iter()
            .map(|row| (row, Action::Install))
            .chain(go.iter().map(|row| (row, Action::Remove)))
            .map(|([name, arch, version], action)| {
                (format!("{name}-{}.{arch}", version.strip_prefix("0:").unwrap_or(version)), action)
            })
            .collect();
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn no_text_stops_the_program(text in "(\\PC|\n| ){0,400}") {
        let _ = Table::parse(&text);
        let _ = Table::parse(&format!("Package Arch   Version Repository      Size\n{text}"));
    }

    #[test]
    fn a_changed_byte_is_noticed_or_changes_only_a_name(at in 0_usize..INCIDENT.len(), byte in 0x20_u8..0x7f) {
        let mut bytes = INCIDENT.as_bytes().to_vec();
        bytes[at] = byte;
        if let Ok(table) = Table::parse(std::str::from_utf8(&bytes).unwrap()) {
            prop_assert!((10..=13).contains(&table.steps.len()));
        }
    }
}
