//! The man page says what the program says of itself.

use clap::CommandFactory as _;
use countersign_notary::cli::Cli;
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
    for subcommand in command.get_subcommands() {
        let name = format!("countersign-notary {}", subcommand.get_name());
        page.extend_from_slice(format!(".SH {}\n", name.to_uppercase()).as_bytes());
        let man = clap_mangen::Man::new(subcommand.clone().bin_name(name));
        man.render_synopsis_section(&mut page).expect("a synopsis is made");
        man.render_description_section(&mut page).expect("a description is made");
        man.render_options_section(&mut page).expect("options are listed");
    }
    page.extend_from_slice(include_bytes!("../man/notary.toml.roff"));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/countersign-notary.1");
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == page, "run UPDATE_MAN=1 cargo test -p countersign-notary --test manual, and commit the page");
}
