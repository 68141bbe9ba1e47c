//! The man page says what the program says of itself.

use clap::CommandFactory as _;
use countersign_actuator::bounds::Code;
use countersign_actuator::cli::Cli;
use countersign_actuator::gates::GATES;
use std::path::Path;

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
    for subcommand in command.get_subcommands() {
        let name = format!("countersign-actuator {}", subcommand.get_name());
        let title = format!("{}\n", name.to_uppercase());
        page.extend_from_slice(format!(".SH {title}").as_bytes());
        let man = clap_mangen::Man::new(subcommand.clone().bin_name(name));
        man.render_synopsis_section(&mut page).expect("a synopsis is made");
        man.render_description_section(&mut page).expect("a description is made");
        man.render_options_section(&mut page).expect("options are listed");
    }
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/countersign-actuator.1");
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == page, "run UPDATE_MAN=1 cargo test -p countersign-actuator --test manual, and commit the page");
}

/// A dash that is one, and no line that begins as a request does.
fn roff(text: &str) -> String {
    text.replace('-', "\\-").replace('\'', "\\(aq")
}
