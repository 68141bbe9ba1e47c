//! The INI form: `[group]`, `[group:children]`, `[group:vars]`, and hosts with `key=value` after them.

use super::range::expand;
use super::{Inventory, MAX_HOSTS};
use countersign_shared::diagnostic::{Diagnostic, Severity, Source};
use std::ops::Range;

/// What the lines of a section are.
enum Section {
    Hosts(String),
    Children(String),
    Vars(String),
}

/// A problem with a line and what to do about it.
type Problem = (String, &'static str);

pub(super) fn read(file: &str, text: &str) -> Result<Inventory, Vec<Diagnostic>> {
    let source = Source::new(file, text);
    let mut inventory = Inventory::default();
    let mut problems = Vec::new();
    let mut section = Section::Hosts("ungrouped".to_owned());
    let mut offset = 0;
    for whole in text.split_inclusive('\n') {
        let start = offset + (whole.len() - whole.trim_start().len());
        offset += whole.len();
        let line = whole.trim();
        if line.is_empty() || line.starts_with(['#', ';']) {
            continue;
        }
        let span = start..start + line.len();
        let outcome = match header(line) {
            Some(name) => open(name).map(|opened| section = opened),
            None => content(line, &section, &mut inventory),
        };
        if let Err((message, hint)) = outcome {
            problems.push(problem(&source, span, message, hint));
        } else {
            let (Section::Hosts(group) | Section::Children(group) | Section::Vars(group)) = &section;
            inventory.groups.entry(group.clone()).or_default();
        }
    }
    if let Some(group) = inventory.circle() {
        problems.push(problem(
            &source,
            0..0,
            format!("the group `{group}` is inside itself"),
            "take it out of its children",
        ));
    }
    if problems.is_empty() { Ok(inventory) } else { Err(problems) }
}

fn problem(source: &Source<'_>, span: Range<usize>, message: String, hint: &str) -> Diagnostic {
    source.diagnostic(Severity::Error, span, message, Some(hint.to_owned()))
}

/// The inside of `[...]` at the beginning of a line; a host range does not begin one.
fn header(line: &str) -> Option<&str> {
    let inside = line.strip_prefix('[')?;
    let (inside, after) = inside.split_once(']')?;
    let after = after.trim_start();
    (after.is_empty() || after.starts_with(['#', ';'])).then_some(inside)
}

fn open(name: &str) -> Result<Section, Problem> {
    let hint = "sections are `[group]`, `[group:children]` and `[group:vars]`";
    let (group, kind) = name.split_once(':').map_or((name, None), |(group, kind)| (group, Some(kind)));
    if group.is_empty() || group.contains(char::is_whitespace) {
        return Err((format!("`{group}` is not the name of a group"), hint));
    }
    let group = group.to_owned();
    match kind {
        None | Some("hosts") => Ok(Section::Hosts(group)),
        Some("children") => Ok(Section::Children(group)),
        Some("vars") => Ok(Section::Vars(group)),
        Some(kind) => Err((format!("`:{kind}` is not a kind of section"), hint)),
    }
}

fn content(line: &str, section: &Section, inventory: &mut Inventory) -> Result<(), Problem> {
    match section {
        Section::Children(group) => {
            let child = line.split_whitespace().next().unwrap_or_default().to_owned();
            inventory.groups.entry(child.clone()).or_default();
            inventory.groups.entry(group.clone()).or_default().children.insert(child);
        }
        Section::Vars(group) => {
            let (key, value) =
                line.split_once('=').ok_or_else(|| ("a variable has no value".to_owned(), "write `key = value`"))?;
            let vars = &mut inventory.groups.entry(group.clone()).or_default().vars;
            vars.insert(key.trim().to_owned(), unquoted(value.trim()).to_owned());
        }
        Section::Hosts(group) => hosts(line, group, inventory)?,
    }
    Ok(())
}

fn hosts(line: &str, group: &str, inventory: &mut Inventory) -> Result<(), Problem> {
    let words = words(line).ok_or_else(|| ("a quote is not closed".to_owned(), "close it"))?;
    let Some((pattern, settings)) = words.split_first() else {
        return Ok(());
    };
    let (pattern, port) = match pattern.rsplit_once(':') {
        Some((host, port)) if is_port(port) && !host.contains(':') => (host, Some(port)),
        Some((host, port)) if is_port(port) && host.ends_with(']') => (host, Some(port)),
        _ => (pattern.as_str(), None),
    };
    let names = expand(pattern).map_err(|error| (error.to_string(), "correct the range"))?;
    if inventory.hosts.len() + names.len() > MAX_HOSTS {
        return Err((format!("the inventory has more than {MAX_HOSTS} hosts"), "split it"));
    }
    for name in names {
        let vars = inventory.hosts.entry(name.clone()).or_default();
        if let Some(port) = port {
            vars.insert("ansible_port".to_owned(), port.to_owned());
        }
        for setting in settings {
            let (key, value) = setting
                .split_once('=')
                .ok_or_else(|| (format!("`{setting}` is not `key=value`"), "write one host per line"))?;
            vars.insert(key.to_owned(), value.to_owned());
        }
        inventory.groups.entry(group.to_owned()).or_default().hosts.insert(name);
    }
    Ok(())
}

fn is_port(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit())
}

/// Words as a shell takes them apart: quotes and backslashes, and `#` at the beginning of a word ends the line.
fn words(line: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut started = false;
    let mut quote = None;
    let mut characters = line.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (Some('"') | None, '\\') => word.extend(characters.next()),
            (Some(_), c) => word.push(c),
            (None, '"' | '\'') => {
                quote = Some(c);
                started = true;
            }
            (None, c) if c.is_whitespace() => {
                if started || !word.is_empty() {
                    words.push(std::mem::take(&mut word));
                }
                started = false;
            }
            (None, '#') if word.is_empty() && !started => break,
            (None, c) => word.push(c),
        }
    }
    if quote.is_some() {
        return None;
    }
    if started || !word.is_empty() {
        words.push(word);
    }
    Some(words)
}

fn unquoted(text: &str) -> &str {
    ['"', '\''].into_iter().find_map(|quote| text.strip_prefix(quote)?.strip_suffix(quote)).unwrap_or(text)
}
