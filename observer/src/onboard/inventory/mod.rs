//! Ansible inventories, INI and YAML, as far as they say which hosts there are, in which groups, and how to reach them.
//!
//! Variables are taken from the inventory file itself; `host_vars/` and `group_vars/` are not read, nor are templates.

mod ini;
mod range;
mod yaml;

use countersign_shared::diagnostic::Diagnostic;
use std::collections::{BTreeMap, BTreeSet};

/// Variables by name, as far as they are simple values.
pub type Vars = BTreeMap<String, String>;

/// Hosts that one inventory may have.
pub const MAX_HOSTS: usize = 100_000;

/// An inventory as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Inventory {
    /// Variables of each host.
    pub hosts: BTreeMap<String, Vars>,
    /// Groups; `all` and `ungrouped` have no special treatment here.
    pub groups: BTreeMap<String, Group>,
}

/// A group as it is written.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Group {
    /// Hosts named in it.
    pub hosts: BTreeSet<String>,
    /// Groups inside it.
    pub children: BTreeSet<String>,
    /// Variables of all its hosts.
    pub vars: Vars,
}

/// A host with everything that holds for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// As the inventory names it.
    pub name: String,
    /// Its groups, direct and indirect, without `all` and `ungrouped`, sorted.
    pub groups: Vec<String>,
    /// Its variables: those of its groups, outer ones first, overridden by its own.
    pub vars: Vars,
}

impl Inventory {
    /// Reads an inventory; `file` is its name, for the choice of the format and for problems.
    pub fn read(file: &str, text: &str) -> Result<Self, Vec<Diagnostic>> {
        if is_yaml(file, text) { yaml::read(file, text) } else { ini::read(file, text) }
    }

    /// Every host with its groups and variables, by name.
    pub fn resolve(&self) -> Vec<Host> {
        let parents = self.parents();
        let depths: BTreeMap<&str, usize> =
            self.groups.keys().map(|name| (name.as_str(), ancestors(name, &parents).len())).collect();
        let mut direct: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (group, content) in &self.groups {
            for host in &content.hosts {
                direct.entry(host).or_default().push(group);
            }
        }
        self.hosts
            .iter()
            .map(|(name, own)| {
                let named_in = direct.get(name.as_str()).map(Vec::as_slice).unwrap_or_default();
                let mut groups: BTreeSet<&str> = named_in.iter().copied().collect();
                groups.extend(named_in.iter().flat_map(|group| ancestors(group, &parents)));
                // Ansible: parents first, then by name; the last one wins, and a host over all of them.
                let mut order: Vec<&str> = groups.iter().copied().filter(|group| *group != "all").collect();
                order.sort_by_key(|group| (depths.get(group).copied().unwrap_or(0), *group));
                let everyone = self.groups.get("all").into_iter();
                let mut vars = Vars::new();
                for group in everyone.chain(order.iter().filter_map(|group| self.groups.get(*group))) {
                    vars.extend(group.vars.clone());
                }
                vars.extend(own.clone());
                let groups = groups.into_iter().filter(|group| !is_built_in(group)).map(str::to_owned).collect();
                Host { name: name.clone(), groups, vars }
            })
            .collect()
    }

    /// The groups that each group is directly inside of, without `all`.
    pub fn parents(&self) -> BTreeMap<&str, BTreeSet<&str>> {
        let mut parents: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
        for (name, group) in self.groups.iter().filter(|(name, _)| !is_built_in(name)) {
            for child in &group.children {
                parents.entry(child).or_default().insert(name);
            }
        }
        parents
    }

    /// A group that is inside itself, if there is one.
    fn circle(&self) -> Option<&str> {
        let parents = self.parents();
        self.groups.keys().map(String::as_str).find(|name| ancestors(name, &parents).contains(name))
    }
}

/// Groups that every inventory has.
pub fn is_built_in(group: &str) -> bool {
    group == "all" || group == "ungrouped"
}

fn ancestors<'i>(group: &str, parents: &BTreeMap<&'i str, BTreeSet<&'i str>>) -> BTreeSet<&'i str> {
    let mut found = BTreeSet::new();
    let mut open: Vec<&str> = vec![group];
    while let Some(name) = open.pop() {
        for parent in parents.get(name).into_iter().flatten() {
            if found.insert(*parent) {
                open.push(parent);
            }
        }
    }
    found
}

/// By the file's name, or by its first line that says something.
fn is_yaml(file: &str, text: &str) -> bool {
    let extension = file.rsplit_once('.').map(|(_, extension)| extension);
    match extension {
        Some("yml" | "yaml" | "json") => true,
        Some("ini" | "cfg") => false,
        _ => {
            let mut lines = text.lines().map(str::trim_end);
            let first = lines.find(|line| !line.is_empty() && !line.starts_with(['#', ';']));
            first.is_some_and(|line| {
                line == "---" || line.starts_with('{') || (line.ends_with(':') && !line.contains(' '))
            })
        }
    }
}

#[cfg(test)]
mod tests;
