//! `init --from-ansible`: the skeleton of a canonical repository from an inventory and a known_hosts file.
//!
//! Each Ansible group becomes a group with a manifest of its name, which includes those of the groups around it, so
//! that inner groups win over outer ones as they do in Ansible. Nothing is asked of the network: a host key that is not
//! in the given file is listed as missing, never fetched.

use super::Files;
use super::inventory::{Host, Inventory, is_built_in};
use countersign_manifests_schema::fleet::{FLEET_SCHEMA, FleetFile, GroupTable, KeysTable, RunnerTable};
use countersign_manifests_schema::manifest::{MANIFEST_SCHEMA, ManifestFile};
use countersign_manifests_schema::policy::POLICY_SCHEMA;
use countersign_shared::diagnostic::Diagnostic;
use countersign_shared::manifest::fleet::{is_address, is_label, is_login, is_runner_name};
use countersign_shared::manifest::ssh_key::HostKey;
use countersign_shared::manifest::{Canonical, write};
use countersign_shared::ssh::host_keys::KnownHosts;
use std::collections::{BTreeMap, BTreeSet};

/// The group of hosts that are in no other.
const UNGROUPED: &str = "ungrouped";

/// What the first policy says of itself: later commits are judged by it, so it must be right in the first one.
const POLICY_COMMENT: &str = "\
# Every key has a safe default; `countersign-observer lint --show-policy` prints them.
# Each commit is judged by the policy of the one before it, so decide before the first commit:
# without a security key, `require_touch = false` below [approval] lets key files count as people;
# alone, `root_required = 1` lets one person change approvers, policy and fleet.
";

/// A skeleton, ready to be written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Skeleton {
    /// The files of canonical.
    pub files: Files,
    /// Names of the runners, sorted.
    pub runners: Vec<String>,
    /// Runners without a host key, with the names that were looked for; nobody connects to them before they have one.
    pub without_key: Vec<(String, String)>,
    /// What was not taken over, and what is left to do, each one sentence.
    pub notes: Vec<String>,
}

/// Makes the skeleton. `inventory_file` is the inventory's name, `known_hosts` the bytes of a file as `ssh-keyscan`
/// writes it and a person has checked it.
pub fn from_ansible(
    inventory_file: &str,
    inventory: &str,
    known_hosts: Option<&[u8]>,
) -> Result<Skeleton, Vec<Diagnostic>> {
    let inventory = Inventory::read(inventory_file, inventory)?;
    let known_hosts = known_hosts.map(KnownHosts::parse).unwrap_or_default();
    let mut draft = Draft::default();
    for ignored in known_hosts.ignored() {
        draft.notes.push(format!("line {} of the known_hosts file has no effect: {}", ignored.line, ignored.reason));
    }
    let labels = draft.groups(&inventory);
    for host in inventory.resolve() {
        draft.host(&host, &labels, &known_hosts);
    }
    draft.into_skeleton(&inventory, &labels)
}

#[derive(Default)]
struct Draft {
    runners: BTreeMap<String, RunnerTable>,
    without_key: Vec<(String, String)>,
    notes: Vec<String>,
    any_user: bool,
}

impl Draft {
    /// The name of each group here.
    fn groups<'i>(&mut self, inventory: &'i Inventory) -> BTreeMap<&'i str, String> {
        let mut labels: BTreeMap<&str, String> = BTreeMap::new();
        let mut taken = BTreeSet::from([UNGROUPED.to_owned()]);
        for name in inventory.groups.keys().filter(|name| !is_built_in(name)) {
            let label = adapted(name, |c| c.is_ascii_alphanumeric() || "._-".contains(c));
            if !is_label(&label) || !taken.insert(label.clone()) {
                self.notes.push(format!("the group `{name}` is left out: its name cannot be used here"));
                continue;
            }
            if label != *name {
                self.notes.push(format!("the group `{name}` is called `{label}` here"));
            }
            labels.insert(name, label);
        }
        labels
    }

    fn host(&mut self, host: &Host, labels: &BTreeMap<&str, String>, known_hosts: &KnownHosts) {
        let var = |names: [&str; 2]| names.iter().find_map(|name| host.vars.get(*name)).map(|value| value.trim());
        if host
            .vars
            .get("ansible_connection")
            .is_some_and(|connection| !["ssh", "smart", "paramiko"].contains(&connection.as_str()))
        {
            self.notes.push(format!("`{}` is left out: it is not reached by SSH", host.name));
            return;
        }
        let name = adapted(&host.name.to_ascii_lowercase(), |c| c.is_ascii_alphanumeric() || ".-".contains(c));
        if !is_runner_name(&name) || self.runners.contains_key(&name) {
            self.notes.push(format!("`{}` is left out: `{name}` is no name for a runner, or is taken", host.name));
            return;
        }
        if name != host.name {
            self.notes.push(format!("`{}` is called `{name}` here", host.name));
        }
        let address = var(["ansible_host", "ansible_ssh_host"]).unwrap_or(&host.name);
        let address = address.trim_start_matches('[').trim_end_matches(']');
        if !is_address(address) {
            self.notes.push(format!("`{}` is left out: its address `{address}` is none, or is a template", host.name));
            return;
        }
        let port = match var(["ansible_port", "ansible_ssh_port"]).map(str::parse::<u16>) {
            None => 22,
            Some(Ok(port)) if port > 0 => port,
            Some(_) => {
                self.notes.push(format!("`{}` is left out: its port is none", host.name));
                return;
            }
        };
        let mut groups: Vec<String> =
            host.groups.iter().filter_map(|group| labels.get(group.as_str()).cloned()).collect();
        if groups.is_empty() {
            groups.push(UNGROUPED.to_owned());
        }
        let host_keys = self.keys(&name, address, &host.name, port, known_hosts);
        if host.vars.keys().any(|key| key.starts_with("ansible_ssh_") && key.ends_with("_args")) {
            self.notes
                .push(format!("`{name}` has SSH options in the inventory: a jump host is `[bastions.NAME]` here"));
        }
        let user = self.user(&name, var(["ansible_user", "ansible_ssh_user"]));
        let table = RunnerTable {
            address: address.to_owned(),
            port: (port != 22).then_some(port),
            user,
            groups,
            host_keys,
            ..RunnerTable::default()
        };
        self.runners.insert(name, table);
    }

    /// The keys known for the address, or else for the name in the inventory.
    fn keys(&mut self, runner: &str, address: &str, name: &str, port: u16, known_hosts: &KnownHosts) -> Vec<String> {
        let mut pins = known_hosts.pins(address, port);
        if pins.is_empty() && name != address {
            pins = known_hosts.pins(name, port);
        }
        let mut keys = Vec::new();
        for pin in pins {
            match HostKey::parse(&pin) {
                Ok(key) => keys.push(key.to_string()),
                Err(error) => self.notes.push(format!("a key of `{runner}` is left out: {error}")),
            }
        }
        if !keys.iter().any(|key| !key.starts_with("@revoked")) {
            let shown = if port == 22 { address.to_owned() } else { format!("[{address}]:{port}") };
            self.without_key.push((runner.to_owned(), shown));
        }
        keys
    }

    fn user(&mut self, runner: &str, user: Option<&str>) -> Option<String> {
        let user = user?;
        if user == "root" || !is_login(user) {
            self.notes.push(format!(
                "`{runner}`: the user `{user}` is not taken over: the observer needs an account without privileges"
            ));
            return None;
        }
        self.any_user = true;
        Some(user.to_owned())
    }

    fn into_skeleton(
        mut self,
        inventory: &Inventory,
        labels: &BTreeMap<&str, String>,
    ) -> Result<Skeleton, Vec<Diagnostic>> {
        let used: BTreeSet<&String> = self.runners.values().flat_map(|runner| &runner.groups).collect();
        let is_used = |label: &str| used.contains(&label.to_owned());
        let parents = inventory.parents();
        let mut groups = BTreeMap::new();
        let mut files = Files::new();
        let ungrouped = is_used(UNGROUPED).then(|| (UNGROUPED, UNGROUPED.to_owned()));
        let all = labels.iter().map(|(name, label)| (*name, label.clone())).chain(ungrouped);
        for (name, label) in all.filter(|(_, label)| is_used(label)) {
            let around = parents.get(name).into_iter().flatten();
            let include = around.filter_map(|parent| labels.get(parent).cloned()).collect();
            let manifest = ManifestFile {
                schema: MANIFEST_SCHEMA.to_owned(),
                include,
                owner: None,
                lock: None,
                packages: BTreeMap::new(),
                unlisted: None,
                host: None,
            };
            let comment = format!(
                "What every runner of the group {label} should have.\n`countersign-observer baseline --group {label} --into DIR` fills it from what is there."
            );
            files.insert(format!("manifests/{label}.toml"), write::manifest(&comment, &manifest));
            groups.insert(label.clone(), GroupTable { owner: None, manifests: vec![label] });
        }
        if self.any_user {
            self.notes.push(
                "users were taken from the inventory: the observer needs an account of its own, without sudo; see `enroll`"
                    .to_owned(),
            );
        }
        let fleet = FleetFile {
            schema: FLEET_SCHEMA.to_owned(),
            keys: Some(KeysTable::default()),
            defaults: None,
            groups,
            bastions: BTreeMap::new(),
            runners: self.runners,
        };
        let comment = "The fleet, from an Ansible inventory. Still to do: the programs' public keys in [keys], an owner\n\
                       for each group, and host keys where none was known.";
        files.insert("fleet.toml".to_owned(), write::fleet(comment, &fleet));
        files.insert("policy.toml".to_owned(), format!("{POLICY_COMMENT}schema = \"{POLICY_SCHEMA}\"\n"));
        files.insert(
            "approvers".to_owned(),
            "# The people, one key each, in OpenSSH's allowed_signers format:\n# ada@example.org ssh-ed25519 AAAA...\n"
                .to_owned(),
        );
        let bytes = files.iter().map(|(path, text)| (path.clone(), text.clone().into_bytes())).collect();
        Canonical::load(&bytes)?;
        self.notes.sort();
        self.notes.dedup();
        Ok(Skeleton {
            files,
            runners: fleet.runners.into_keys().collect(),
            without_key: self.without_key,
            notes: self.notes,
        })
    }
}

/// A name with a dash for every character that is not allowed.
fn adapted(name: &str, allowed: impl Fn(char) -> bool) -> String {
    name.chars().map(|c| if allowed(c) { c } else { '-' }).collect()
}

#[cfg(test)]
mod tests;
