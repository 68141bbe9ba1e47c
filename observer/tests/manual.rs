//! The man page says what the program says of itself.

use clap::CommandFactory as _;
use countersign_observer::cli::Cli;
use countersign_observer::config::Config;
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

const CONFIGURATION: &str = include_str!("../man/observer.toml.roff");

/// Everything that has no default, in each table.
const REQUIRED: [(&str, &str); 6] = [
    ("canonical", "url = \"c.git\"\n"),
    ("proposed", "url = \"p.git\"\n"),
    ("forge", "kind = \"gitea\"\napi = \"a\"\nrepository = \"o/n\"\ntoken_file = \"t\"\n"),
    ("ssh", "key = \"k\"\n"),
    ("trust", "approvers = \"a\"\n"),
    ("", ""),
];

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
        let name = format!("countersign-observer {}", subcommand.get_name());
        let title = format!("{}\n", name.to_uppercase());
        page.extend_from_slice(format!(".SH {title}").as_bytes());
        let man = clap_mangen::Man::new(subcommand.clone().bin_name(name));
        man.render_synopsis_section(&mut page).expect("a synopsis is made");
        man.render_description_section(&mut page).expect("a description is made");
        man.render_options_section(&mut page).expect("options are listed");
    }
    // What no option can say.
    page.extend_from_slice(CONFIGURATION.as_bytes());
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("man/countersign-observer.1");
    if std::env::var_os("UPDATE_MAN").is_some() {
        std::fs::write(&path, &page).expect("the page is written");
    }
    let stored = std::fs::read(&path).unwrap_or_default();
    assert!(stored == page, "run UPDATE_MAN=1 cargo test -p countersign-observer --test manual, and commit the page");
}

#[test]
fn the_readme_has_the_table_of_exit_codes() {
    let readme = include_str!("../../README.md");
    assert!(readme.contains(&countersign_shared::exit::markdown_table()));
}

/// The page's keys by table, `""` for none, with the default where one is named; the names below a key as `TABLE.KEY`.
fn documented() -> BTreeMap<String, BTreeMap<String, Option<String>>> {
    let mut tables: BTreeMap<String, BTreeMap<String, Option<String>>> = BTreeMap::new();
    let (mut table, mut key, mut below) = (String::new(), String::new(), false);
    let configuration = CONFIGURATION.split("\n.SH ").next().expect("a section").replace("\\-", "-");
    for line in configuration.lines() {
        if let Some(name) = line.strip_prefix(".SS [") {
            table = name.trim_end_matches(']').to_owned();
        } else if let ".RS" | ".RE" = line {
            below = line == ".RS";
        } else if let Some((name, rest)) = line.strip_prefix("\\fB").and_then(|line| line.split_once("\\fR"))
            && (rest.is_empty() || rest.starts_with(" = "))
        {
            let place = if below { format!("{table}.{key}") } else { table.clone() };
            if !below {
                name.clone_into(&mut key);
            }
            tables.entry(place).or_default().insert(name.to_owned(), rest.strip_prefix(" = ").map(str::to_owned));
        }
    }
    tables
}

/// What the types take instead of something that they do not know.
fn taken(text: &str) -> BTreeSet<String> {
    let refused = Config::parse(text, Path::new("/etc/x.toml")).expect_err("`zzz` is unknown everywhere");
    let message = refused.document().message;
    let (_, expected) = message.split_once(", expected ").unwrap_or_else(|| panic!("{message}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

#[test]
fn the_man_page_has_every_key_of_the_configuration_and_no_other() {
    let mut documented = documented();
    let tables: BTreeSet<String> =
        documented.keys().filter(|name| !name.contains('.') && !name.is_empty()).cloned().collect();
    documented.entry(String::new()).or_default().extend(tables.iter().map(|name| (name.clone(), None)));
    assert!(tables.len() > 5, "{tables:?}");
    for (place, keys) in &documented {
        let unknown = match place.split_once('.') {
            Some((table, key)) => format!("[{table}]\n{key} = [\"zzz\"]\n"),
            None if place.is_empty() => "zzz = 1\n".to_owned(),
            None => format!("[{place}]\nzzz = 1\n"),
        };
        assert_eq!(keys.keys().cloned().collect::<BTreeSet<_>>(), taken(&unknown), "[{place}]");
    }
    for kind in taken("[forge]\nkind = \"zzz\"\n") {
        assert!(CONFIGURATION.contains(&format!("\"{kind}\"")), "{kind}");
    }
}

#[test]
fn the_defaults_of_the_man_page_are_those_in_force() {
    let documented = documented();
    let read = |with_defaults: bool| {
        let mut text = String::new();
        for (place, keys) in documented.iter().filter(|(place, _)| !place.contains('.')) {
            let required = REQUIRED.iter().find(|(table, _)| table == place).map_or("", |(_, keys)| keys);
            let header = if place.is_empty() { String::new() } else { format!("[{place}]\n") };
            let defaults = keys.iter().filter_map(|(key, value)| Some(format!("{key} = {}\n", value.as_ref()?)));
            text.push_str(&format!("{header}{required}"));
            text.extend(defaults.filter(|_| with_defaults));
        }
        format!(
            "{:?}",
            Config::parse(&text, Path::new("/etc/x.toml")).unwrap_or_else(|error| panic!("{error:?}: {text}"))
        )
    };
    assert_eq!(read(true), read(false));
}
