//! The YAML form: groups with `hosts`, `children` and `vars`.

use super::range::expand;
use super::{Inventory, MAX_HOSTS, Vars};
use countersign_shared::diagnostic::{Diagnostic, Severity, Source};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeMap;

/// Groups inside one another.
const MAX_DEPTH: usize = 64;

type Groups = BTreeMap<String, Option<GroupNode>>;

#[derive(Debug, Default, Deserialize)]
struct GroupNode {
    #[serde(default)]
    hosts: Option<BTreeMap<String, Option<BTreeMap<String, Value>>>>,
    #[serde(default)]
    children: Option<Groups>,
    #[serde(default)]
    vars: Option<BTreeMap<String, Value>>,
}

pub(super) fn read(file: &str, text: &str) -> Result<Inventory, Vec<Diagnostic>> {
    let source = Source::new(file, text);
    let one = |span, message: String, hint: &str| {
        vec![source.diagnostic(Severity::Error, span, message, Some(hint.to_owned()))]
    };
    let groups: Groups = serde_saphyr::from_str(text).map_err(|error| {
        let at = error.location().map(|at| (at.line(), at.column()));
        let narrow = |n: u64| u32::try_from(n).unwrap_or(u32::MAX);
        let span = at.map_or(0..0, |(line, column)| source.span_at(narrow(line), narrow(column), ""));
        let message = error.to_string();
        // The place is said by the diagnostic itself.
        let first = message.lines().next().unwrap_or_default();
        let place = at.map(|(line, column)| format!("line {line} column {column}: ")).unwrap_or_default();
        let first = first.trim_start_matches("error: ").trim_start_matches(&place).to_owned();
        let hint = "an inventory is groups with `hosts`, `children` and `vars`, as \
                    `ansible-inventory --list --yaml` prints it";
        one(span, format!("this is not an inventory: {first}"), hint)
    })?;
    if groups.contains_key("_meta") {
        return Err(one(
            0..0,
            "this is the output of an inventory script".to_owned(),
            "convert it: `ansible-inventory --list --yaml`",
        ));
    }
    let mut inventory = Inventory::default();
    // An explicit stack: the depth is what somebody wrote.
    let mut open: Vec<(String, Option<GroupNode>, usize)> =
        groups.into_iter().map(|(name, node)| (name, node, 0)).collect();
    while let Some((name, node, depth)) = open.pop() {
        let node = node.unwrap_or_default();
        if depth > MAX_DEPTH {
            return Err(one(0..0, "the groups are too deep inside one another".to_owned(), "flatten them"));
        }
        let mut hosts = Vec::new();
        for (pattern, vars) in node.hosts.unwrap_or_default() {
            let names =
                expand(&pattern).map_err(|error| one(0..0, format!("`{pattern}`: {error}"), "correct the range"))?;
            if inventory.hosts.len() + names.len() > MAX_HOSTS {
                return Err(one(0..0, format!("the inventory has more than {MAX_HOSTS} hosts"), "split it"));
            }
            let vars = simple(vars.unwrap_or_default());
            for name in names {
                inventory.hosts.entry(name.clone()).or_default().extend(vars.clone());
                hosts.push(name);
            }
        }
        let group = inventory.groups.entry(name).or_default();
        group.hosts.extend(hosts);
        group.vars.extend(simple(node.vars.unwrap_or_default()));
        for (child, node) in node.children.unwrap_or_default() {
            group.children.insert(child.clone());
            open.push((child, node, depth + 1));
        }
    }
    match inventory.circle() {
        Some(group) => Err(one(0..0, format!("the group `{group}` is inside itself"), "take it out of its children")),
        None => Ok(inventory),
    }
}

/// Variables that are one value.
fn simple(vars: BTreeMap<String, Value>) -> Vars {
    vars.into_iter()
        .filter_map(|(key, value)| {
            let text = match value {
                Value::String(text) => text,
                Value::Number(number) => number.to_string(),
                Value::Bool(value) => value.to_string(),
                Value::Null | Value::Array(_) | Value::Object(_) => return None,
            };
            Some((key, text))
        })
        .collect()
}
