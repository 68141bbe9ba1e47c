//! The man page has every command and every key that the program knows.

use countersign_warden::cli::USAGE;

const PAGE: &str = include_str!("../man/countersign-warden.8");

#[test]
fn every_command_is_in_the_man_page() {
    let page = PAGE.replace('\\', "");
    let mut commands = 0;
    for line in USAGE
        .lines()
        .filter_map(|line| line.trim_start().trim_start_matches("Usage: ").strip_prefix("countersign-warden "))
    {
        let word = line.split_whitespace().next().unwrap_or_default();
        if word.bytes().next().is_some_and(|b| b.is_ascii_lowercase()) && word != "one" {
            assert!(page.contains(&format!(".B {word}")), "{word}");
            commands += 1;
        }
    }
    assert_eq!(commands, 6);
}

#[test]
fn every_key_of_the_configuration_is_in_the_man_page() {
    let page = PAGE.replace('\\', "");
    let section = page.split(".SH CONFIGURATION").nth(1).expect("there is such a section");
    let section = section.split(".SH").next().expect("a split has a first part");
    for key in countersign_warden::cli::CONFIGURATION_KEYS {
        assert!(section.lines().any(|line| line.starts_with(".B ") && line.contains(key)), "{key}");
    }
}

#[test]
fn help_and_man_page_have_the_exit_statuses_that_there_are_and_no_other() {
    let help = String::from_utf8(
        std::process::Command::new(env!("CARGO_BIN_EXE_countersign-warden"))
            .arg("--help")
            .output()
            .expect("it runs")
            .stdout,
    )
    .expect("help is text");
    let (_, table) = help.split_once("Exit status").expect("help has a table");
    let of_help: Vec<_> = table.lines().skip(1).filter_map(|line| line.trim().split_once("  ")).collect();
    assert_eq!(of_help.iter().map(|(status, _)| *status).collect::<Vec<_>>(), ["2", "1", "0"]);
    let (_, page) = PAGE.split_once(".SH EXIT STATUS\n").expect("the page has a section");
    let (section, _) = page.split_once(".SH").expect("another follows");
    let of_page: Vec<_> = section.split(".TP\n").skip(1).filter_map(|entry| entry.trim().split_once('\n')).collect();
    assert_eq!(of_page, of_help);
}
