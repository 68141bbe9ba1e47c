//! The man page says what the program says of itself.

use clap::CommandFactory as _;
use countersign_actuator::bounds::Code;
use countersign_actuator::cli::Cli;
use countersign_actuator::config::Config;
use countersign_actuator::gates::GATES;
use std::path::Path;

const CONFIGURATION: &str = include_str!("../man/actuator.toml.roff");

#[test]
fn the_man_page_is_that_of_the_command_line() {
    let mut page = Vec::new();
    let command = Cli::command().version(env!("CARGO_PKG_VERSION"));
    // The commands have sections of their own, not pages.
    let whole = clap_mangen::Man::new(command.clone());
    whole.render_title(&mut page).expect("a title is made");
    whole.render_name_section(&mut page).expect("a name is made");
    whole.render_synopsis_section(&mut page).expect("a synopsis is made");
    whole.render_description_section(&mut page).expect("a description is made");
    whole.render_options_section(&mut page).expect("options are listed");
    whole.render_extra_section(&mut page).expect("the exit status is listed");
    page.extend_from_slice(b".SH GATES\nIn the order in which they decide. The first that refuses decides.\n");
    for gate in GATES {
        page.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{}\n", roff(gate.code), roff(gate.refuses)).as_bytes());
    }
    page.extend_from_slice(b".SH BOUNDS\nMeasured before anything else; what does not hold stops the run.\n");
    for code in Code::ALL {
        page.extend_from_slice(format!(".TP\n\\fB{}\\fR\n{}\n", roff(code.as_str()), roff(code.hint())).as_bytes());
    }
    page.extend_from_slice(CONFIGURATION.as_bytes());
    for subcommand in command.get_subcommands() {
        let name = format!("countersign-actuator {}", subcommand.get_name());
        section(&mut page, &name, subcommand);
        for verb in subcommand.get_subcommands() {
            section(&mut page, &format!("{name} {}", verb.get_name()), verb);
        }
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/countersign-actuator.1");
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == page, "run UPDATE_MAN=1 cargo test -p countersign-actuator --test manual, and commit the page");
}

fn section(page: &mut Vec<u8>, name: &str, command: &clap::Command) {
    page.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
    let man = clap_mangen::Man::new(command.clone().bin_name(name.to_owned()));
    man.render_synopsis_section(page).expect("a synopsis is made");
    man.render_description_section(page).expect("a description is made");
    man.render_options_section(page).expect("options are listed");
}

/// What the program takes, it says itself when it is given something else.
#[test]
fn the_man_page_names_every_key_and_every_word_of_the_configuration() {
    let tables = ["canonical", "proposed", "ssh", "trust", "notary", "ledger", "warden"];
    let mut texts: Vec<String> = tables.iter().map(|table| format!("[{table}]\nnone = 1\n")).collect();
    texts.push("none = 1\n".to_owned());
    texts.push("[trust]\naccept = [\"none\"]\n".to_owned());
    let mut names = 0;
    for text in texts {
        let stop = Config::parse(&text, Path::new("/etc/countersign/actuator.toml")).expect_err("nothing takes `none`");
        let message = stop.words();
        let known = message.split_once("expected").unwrap_or_else(|| panic!("{message}")).1;
        for name in known.split('`').skip(1).step_by(2) {
            let named = [format!("\\fB{}\\fR", roff(name)), format!("\\fB[{name}]\\fR")];
            assert!(named.iter().any(|named| CONFIGURATION.contains(named.as_str())), "{name} is not in the man page");
            names += 1;
        }
    }
    assert!(names > 35, "{names} names");
}

/// A dash that is one, and no line that begins as a request does.
fn roff(text: &str) -> String {
    text.replace('-', "\\-").replace('\'', "\\(aq")
}
