//! The fleet while its files are being read.

use super::references::{Reference, ReferenceKind};
use super::{Bastion, Fleet, Group, Runner, is_address, is_label, is_login, is_runner_name};
use crate::diagnostic::{Diagnostic, Severity, Source};
use crate::manifest::findings::Findings;
use crate::manifest::read::{Scope, Text, document, place};
use crate::manifest::ssh_key::{HostKey, PublicKey};
use countersign_manifests_schema::fleet::FLEET_SCHEMA;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::ops::Range;

#[derive(Debug, Default)]
struct Defaults {
    user: Option<String>,
    actuator_user: Option<String>,
    port: Option<u16>,
}

struct DraftRunner {
    file: usize,
    span: Range<usize>,
    runner: Runner,
    user: Option<String>,
    actuator_user: Option<String>,
    port: Option<u16>,
}

/// What is read so far, over the files of the fleet.
#[derive(Default)]
struct Draft {
    fleet: Fleet,
    defaults: Defaults,
    runners: BTreeMap<String, DraftRunner>,
    references: Vec<Reference>,
    /// Where each thing was defined first, to name it when it is defined again.
    defined: BTreeMap<String, String>,
    key_owners: Vec<(PublicKey, &'static str)>,
}

/// Reads all files of the fleet. The references point into `sources`. `report_absence` is false when there is a
/// `fleet.toml` that could not be read.
pub(in crate::manifest) fn read(
    sources: &[Source<'_>],
    report_absence: bool,
    findings: &mut Findings,
) -> (Fleet, Vec<Reference>) {
    let mut draft = Draft::default();
    if report_absence && !sources.iter().any(|source| source.file() == "fleet.toml") {
        findings.push(Diagnostic::whole_file(
            Severity::Error,
            "fleet.toml",
            "there is no fleet.toml",
            Some("write one, or start with `countersign-observer init --from-ansible INVENTORY`".to_owned()),
        ));
    }
    for (index, source) in sources.iter().enumerate() {
        document(source, FLEET_SCHEMA, findings, |scope, findings| {
            draft.read_file(index, scope, findings);
        });
    }
    draft.finish(sources, findings)
}

impl Draft {
    fn read_file(&mut self, file: usize, scope: &mut Scope<'_>, findings: &mut Findings) {
        if let Some(mut keys) = scope.table("keys", findings) {
            let roles: [(&'static str, &'static str); 3] =
                [("observer_ssh", "observer"), ("observer_sign", "observer"), ("actuator_ssh", "actuator")];
            for (role, program) in roles {
                let list = self.read_role(role, program, &mut keys, findings);
                match role {
                    "observer_ssh" => self.fleet.keys.observer_ssh.extend(list),
                    "observer_sign" => self.fleet.keys.observer_sign.extend(list),
                    _ => self.fleet.keys.actuator_ssh.extend(list),
                }
            }
            keys.finish(findings);
        }
        if let Some(mut defaults) = scope.table("defaults", findings) {
            for key in ["user", "actuator_user", "port"] {
                if let Some(span) = defaults.key_span(key) {
                    self.define("default", key, scope.source(), &span, findings);
                }
            }
            let user = user(&mut defaults, "user", findings);
            let actuator_user = user_of_actuator(&mut defaults, findings);
            let port = port(&mut defaults, findings);
            self.defaults.user = user.or(self.defaults.user.take());
            self.defaults.actuator_user = actuator_user.or(self.defaults.actuator_user.take());
            self.defaults.port = port.or(self.defaults.port);
            defaults.finish(findings);
        }
        for (name, mut table) in scope.tables("groups", findings) {
            self.read_group(file, &name, &mut table, findings);
            table.finish(findings);
        }
        for (name, mut table) in scope.tables("bastions", findings) {
            self.read_bastion(&name, &mut table, findings);
            table.finish(findings);
        }
        for (name, mut table) in scope.tables("runners", findings) {
            if let Some(rest) = table.names_inside() {
                let whole = format!("{}.{rest}", name.value);
                findings.error(
                    table.source(),
                    &name.span,
                    format!("`{whole}` without quotes is several tables inside one another"),
                    format!("write `[runners.\"{whole}\"]`"),
                );
                continue;
            }
            self.read_runner(file, &name, &mut table, findings);
            table.finish(findings);
        }
    }

    fn read_role(
        &mut self,
        role: &'static str,
        program: &'static str,
        keys: &mut Scope<'_>,
        findings: &mut Findings,
    ) -> Vec<PublicKey> {
        if let Some(span) = keys.key_span(role) {
            self.define("keys of role", role, keys.source(), &span, findings);
        }
        let mut list = Vec::new();
        for text in keys.texts(role, findings).unwrap_or_default() {
            let key = match PublicKey::parse_signer(text.value) {
                Ok(key) => key,
                Err(error) => {
                    findings.error(keys.source(), &text.span, error.to_string(), error.hint());
                    continue;
                }
            };
            let other = self.key_owners.iter().find(|(known, _)| *known == key);
            match other {
                Some((_, owner)) if !owner.starts_with(program) => findings.error(
                    keys.source(),
                    &text.span,
                    format!("this key is also one of `{owner}`"),
                    "the program that looks and the program that touches never share a key: make a new one",
                ),
                Some((_, owner)) => findings.warning(
                    keys.source(),
                    &text.span,
                    format!("this key is also one of `{owner}`"),
                    "use a key of its own for each purpose",
                ),
                None => self.key_owners.push((key.clone(), role)),
            }
            list.push(key);
        }
        list
    }

    /// Notes that something is defined; false when it was defined before.
    fn define(
        &mut self,
        what: &str,
        name: &str,
        source: &Source<'_>,
        span: &Range<usize>,
        findings: &mut Findings,
    ) -> bool {
        let (line, column) = source.position(span.start);
        let here = format!("{}:{line}:{column}", source.file());
        match self.defined.get(&format!("{what} {name}")) {
            Some(first) => {
                findings.error(
                    source,
                    span,
                    format!("the {what} `{name}` is defined twice"),
                    format!("it is also defined at {first}; keep one"),
                );
                false
            }
            None => {
                self.defined.insert(format!("{what} {name}"), here);
                true
            }
        }
    }

    fn read_group(&mut self, file: usize, name: &Text<'_>, table: &mut Scope<'_>, findings: &mut Findings) {
        check_label("group", name, table.source(), findings);
        let owner = table.text("owner", findings);
        let manifests = self.references(file, ReferenceKind::Manifest, "manifests", table, findings);
        let group = Group {
            owner: owner.map(|owner| owner.value.to_owned()),
            manifests,
            place: place(table.source(), &name.span),
        };
        if self.define("group", name.value, table.source(), &name.span, findings) {
            self.fleet.groups.insert(name.value.to_owned(), group);
        }
    }

    fn read_bastion(&mut self, name: &Text<'_>, table: &mut Scope<'_>, findings: &mut Findings) {
        check_label("bastion", name, table.source(), findings);
        let address = address(table, findings);
        let port = port(table, findings).unwrap_or(22);
        let user = match table.has("user") {
            true => user(table, "user", findings),
            false => {
                table.required("user", findings);
                None
            }
        };
        let host_keys = host_keys(table, findings);
        let place = place(table.source(), &name.span);
        let new = self.define("bastion", name.value, table.source(), &name.span, findings);
        // A bastion that could not be read is kept by name, so that references to it are not called unknown.
        if new {
            self.fleet.bastions.insert(
                name.value.to_owned(),
                Bastion {
                    address: address.unwrap_or_default(),
                    port,
                    user: user.unwrap_or_default(),
                    host_keys,
                    place,
                },
            );
        }
    }

    fn read_runner(&mut self, file: usize, name: &Text<'_>, table: &mut Scope<'_>, findings: &mut Findings) {
        if !is_runner_name(name.value) {
            findings.error(
                table.source(),
                &name.span,
                format!("`{}` is not a name for a runner", name.value),
                "begin with a lower-case letter or digit; then up to 62 of a-z, 0-9, `.` and `-`",
            );
        }
        let address = address(table, findings);
        let user = user(table, "user", findings);
        let actuator_user = user_of_actuator(table, findings);
        let port = port(table, findings);
        let groups = self.references(file, ReferenceKind::Group, "groups", table, findings);
        let manifests = self.references(file, ReferenceKind::Manifest, "manifests", table, findings);
        let host_keys = host_keys(table, findings);
        let bastion = table.text("bastion", findings);
        if let Some(bastion) = &bastion {
            self.references.push(Reference {
                file,
                span: bastion.span.clone(),
                name: bastion.value.to_owned(),
                kind: ReferenceKind::Bastion,
            });
        }
        let wave = table.integer("wave", 0..=10_000, findings).unwrap_or(0);
        if !self.define("runner", name.value, table.source(), &name.span, findings) {
            return;
        }
        let address = address.unwrap_or_default();
        let bastion = bastion.map(|bastion| bastion.value.to_owned());
        let runner = Runner {
            name: name.value.to_owned(),
            address,
            port: 0,
            user: String::new(),
            actuator_user: String::new(),
            groups,
            manifests,
            host_keys,
            bastion,
            wave,
            place: place(table.source(), &name.span),
        };
        self.runners.insert(
            name.value.to_owned(),
            DraftRunner { file, span: name.span.clone(), runner, user, actuator_user, port },
        );
    }

    /// Names in a list, sorted, each noted for the check when everything is read.
    fn references(
        &mut self,
        file: usize,
        kind: ReferenceKind,
        key: &'static str,
        table: &mut Scope<'_>,
        findings: &mut Findings,
    ) -> Vec<String> {
        let mut names = BTreeSet::new();
        for text in table.texts(key, findings).unwrap_or_default() {
            if !names.insert(text.value.to_owned()) {
                findings.warning(table.source(), &text.span, format!("`{}` is listed twice", text.value), "remove one");
                continue;
            }
            self.references.push(Reference { file, span: text.span, name: text.value.to_owned(), kind });
        }
        names.into_iter().collect()
    }

    fn finish(self, sources: &[Source<'_>], findings: &mut Findings) -> (Fleet, Vec<Reference>) {
        let mut fleet = self.fleet;
        let defaults = self.defaults;
        if self.runners.is_empty() && !findings.has_errors() {
            findings.push(Diagnostic::whole_file(
                Severity::Warning,
                "fleet.toml",
                "the fleet has no runners",
                Some("add `[runners.NAME]` with an `address`".to_owned()),
            ));
        }
        let user = defaults.user.as_deref().unwrap_or("countersign-observer");
        let actuator = defaults.actuator_user.as_deref().unwrap_or("countersign-actuator");
        let mut machines: HashMap<(String, u16, Option<String>), String> = HashMap::new();
        for draft in self.runners.into_values() {
            let runner = Runner {
                port: draft.port.or(defaults.port).unwrap_or(22),
                user: draft.user.unwrap_or_else(|| user.to_owned()),
                actuator_user: draft.actuator_user.unwrap_or_else(|| actuator.to_owned()),
                ..draft.runner
            };
            // Two names for one machine make it drift twice; one is usually a copy that was not edited.
            let machine = (runner.address.clone(), runner.port, runner.bastion.clone());
            match machines.get(&machine) {
                Some(other) if !runner.address.is_empty() => findings.warning(
                    &sources[draft.file],
                    &draft.span,
                    format!("`{}` has the address and port of `{other}`", runner.name),
                    "give each runner its own address",
                ),
                _ => {
                    machines.insert(machine, runner.name.clone());
                }
            }
            fleet.runners.push(runner);
        }
        (fleet, self.references)
    }
}

fn check_label(what: &str, name: &Text<'_>, source: &Source<'_>, findings: &mut Findings) {
    if !is_label(name.value) {
        findings.error(
            source,
            &name.span,
            format!("`{}` is not a name for a {what}", name.value),
            "begin with a letter or digit; then up to 62 letters, digits, `.`, `_` and `-`",
        );
    }
}

fn address(table: &mut Scope<'_>, findings: &mut Findings) -> Option<String> {
    let text = table.required("address", findings)?;
    if is_address(text.value) {
        return Some(text.value.to_owned());
    }
    let hint = match text.value.rsplit_once(':') {
        Some((_, port)) if port.parse::<u16>().is_ok() => "write the port as `port = ...`",
        _ if text.value.starts_with('[') => "write an IPv6 address without brackets",
        _ if text.value.contains('@') => "write the login name as `user = \"...\"`",
        _ => "write a host name or an IP address",
    };
    findings.error(table.source(), &text.span, format!("`{}` is not an address", text.value), hint);
    None
}

fn user_of_actuator(table: &mut Scope<'_>, findings: &mut Findings) -> Option<String> {
    user(table, "actuator_user", findings)
}

fn user(table: &mut Scope<'_>, key: &'static str, findings: &mut Findings) -> Option<String> {
    let text = table.text(key, findings)?;
    let fits = is_login(text.value);
    if !fits {
        findings.error(
            table.source(),
            &text.span,
            format!("`{}` is not a login name", text.value),
            "letters, digits, `.`, `_` and `-`, at most 32",
        );
    }
    fits.then(|| text.value.to_owned())
}

fn port(table: &mut Scope<'_>, findings: &mut Findings) -> Option<u16> {
    let port = table.integer("port", 1..=65_535, findings)?;
    u16::try_from(port).ok()
}

fn host_keys(table: &mut Scope<'_>, findings: &mut Findings) -> Vec<HostKey> {
    let mut keys = Vec::new();
    for text in table.texts("host_keys", findings).unwrap_or_default() {
        match HostKey::parse(text.value) {
            Ok(key) => keys.push(key),
            Err(error) => {
                findings.error(table.source(), &text.span, error.to_string(), error.hint());
            }
        }
    }
    keys
}
