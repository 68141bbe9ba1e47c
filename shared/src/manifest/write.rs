//! Files of canonical from data: what `init`, `baseline` and `lock` write. Pure; whatever is written here loads without
//! a word.

use crate::evr::Evr;
use crate::nevra::Nevra;
use crate::observation::{Observation, Section};
use countersign_manifests_schema::fleet::{FleetFile, RunnerTable};
use countersign_manifests_schema::lock::{LOCK_SCHEMA, LockFile};
use countersign_manifests_schema::manifest::{Disposal, ManifestFile, PackageRule, PackageTable, SameAs, Selinux};
use countersign_manifests_schema::waiver::WaiverFile;
use std::fmt::Write as _;
use toml_edit::{Array, InlineTable, Key, Value};

/// Columns up to which a list stays on one line.
const WIDTH: usize = 100;

/// Lines of a file that is being written.
#[derive(Default)]
struct Page(String);

impl Page {
    /// Begins with a comment, which may have several lines or none, and the schema.
    fn new(comment: &str, schema: &str) -> Self {
        let mut page = Self::default();
        for line in comment.lines() {
            page.comment(line);
        }
        page.pair("schema", schema);
        page
    }

    fn comment(&mut self, line: &str) {
        // A comment is one line without control characters, whatever it was made of.
        let text: String = line.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let _ = writeln!(self.0, "{}", format!("# {text}").trim_end());
    }

    fn table(&mut self, header: &str) {
        let _ = writeln!(self.0, "\n{header}");
    }

    fn pair(&mut self, key: &str, value: impl Into<Value>) {
        let value: Value = value.into();
        let _ = writeln!(self.0, "{} = {value}", name(key));
    }

    fn optional(&mut self, key: &str, value: Option<impl Into<Value>>) {
        if let Some(value) = value {
            self.pair(key, value);
        }
    }

    fn list(&mut self, key: &str, values: &[String]) {
        let line = list(values);
        if line.to_string().len() + key.len() <= WIDTH {
            self.pair(key, line);
            return;
        }
        let _ = writeln!(self.0, "{} = [", name(key));
        for value in values {
            let value: Value = value.as_str().into();
            let _ = writeln!(self.0, "    {value},");
        }
        self.0.push_str("]\n");
    }

    fn list_unless_empty(&mut self, key: &str, values: &[String]) {
        if !values.is_empty() {
            self.list(key, values);
        }
    }
}

/// A key, in quotes where it needs them.
fn name(key: &str) -> String {
    Key::new(key).to_string()
}

fn list(values: &[String]) -> Value {
    Value::Array(values.iter().map(String::as_str).collect::<Array>())
}

/// A fleet file.
pub fn fleet(comment: &str, file: &FleetFile) -> String {
    let mut page = Page::new(comment, &file.schema);
    if let Some(keys) = &file.keys {
        page.table("[keys]");
        page.list("observer_ssh", &keys.observer_ssh);
        page.list("observer_sign", &keys.observer_sign);
        page.list("actuator_ssh", &keys.actuator_ssh);
    }
    if let Some(defaults) = &file.defaults {
        page.table("[defaults]");
        page.optional("user", defaults.user.as_deref());
        page.optional("actuator_user", defaults.actuator_user.as_deref());
        page.optional("port", defaults.port.map(i64::from));
    }
    for (group, table) in &file.groups {
        page.table(&format!("[groups.{}]", name(group)));
        page.optional("owner", table.owner.as_deref());
        page.list("manifests", &table.manifests);
    }
    for (bastion, table) in &file.bastions {
        page.table(&format!("[bastions.{}]", name(bastion)));
        page.pair("address", table.address.as_str());
        page.pair("user", table.user.as_str());
        page.optional("port", table.port.map(i64::from));
        page.list_unless_empty("host_keys", &table.host_keys);
    }
    for (runner, table) in &file.runners {
        page.table(&format!("[runners.{}]", name(runner)));
        runner_keys(&mut page, table);
    }
    page.0
}

fn runner_keys(page: &mut Page, table: &RunnerTable) {
    page.pair("address", table.address.as_str());
    page.optional("port", table.port.map(i64::from));
    page.optional("user", table.user.as_deref());
    page.optional("actuator_user", table.actuator_user.as_deref());
    page.list_unless_empty("groups", &table.groups);
    page.list_unless_empty("manifests", &table.manifests);
    if table.host_keys.is_empty() {
        page.comment("host_keys = [...]: none is known; nobody connects to this runner before there is one");
    } else {
        page.list("host_keys", &table.host_keys);
    }
    page.optional("bastion", table.bastion.as_deref());
    if table.wave > 0 {
        page.pair("wave", i64::from(table.wave));
    }
}

/// A manifest.
pub fn manifest(comment: &str, file: &ManifestFile) -> String {
    let mut page = Page::new(comment, &file.schema);
    page.list_unless_empty("include", &file.include);
    page.optional("owner", file.owner.as_deref());
    page.optional("lock", file.lock.as_deref());
    if !file.packages.is_empty() {
        page.table("[packages]");
        for (package, rule) in &file.packages {
            match rule {
                PackageRule::Short(text) => page.pair(package, text.as_str()),
                PackageRule::Table(table) => page.pair(package, package_table(table)),
            }
        }
    }
    if let Some(unlisted) = &file.unlisted {
        page.table("[unlisted]");
        page.optional("user-installed", unlisted.user_installed.map(disposal));
        page.optional("groups", unlisted.groups.map(disposal));
        page.optional("external", unlisted.external.map(disposal));
        page.optional("dependencies", unlisted.dependencies.map(disposal));
        if let Some(ignore) = &unlisted.ignore {
            page.list("ignore", ignore);
        }
    }
    if let Some(host) = &file.host {
        page.table("[host]");
        page.optional("selinux", host.selinux.map(selinux));
        let lists = [
            ("repositories", &host.repositories),
            ("vendors", &host.vendors),
            ("keys", &host.keys),
            ("modules", &host.modules),
        ];
        for (key, values) in lists {
            if let Some(values) = values {
                page.list(key, values);
            }
        }
    }
    page.0
}

fn package_table(table: &PackageTable) -> Value {
    let mut inline = InlineTable::new();
    let texts = [("version", &table.version), ("state", &table.state)];
    for (key, text) in texts {
        if let Some(text) = text {
            inline.insert(key, text.as_str().into());
        }
    }
    if let Some(SameAs::RunningKernel) = table.same_as {
        inline.insert("same-as", "running-kernel".into());
    }
    if !table.from.is_empty() {
        inline.insert("from", list(&table.from));
    }
    if let Some(reason) = &table.reason {
        inline.insert("reason", reason.as_str().into());
    }
    Value::InlineTable(inline)
}

const fn disposal(disposal: Disposal) -> &'static str {
    match disposal {
        Disposal::Remove => "remove",
        Disposal::Report => "report",
        Disposal::Ignore => "ignore",
    }
}

const fn selinux(mode: Selinux) -> &'static str {
    match mode {
        Selinux::Enforcing => "enforcing",
        Selinux::Permissive => "permissive",
        Selinux::Disabled => "disabled",
    }
}

/// Waivers.
pub fn waivers(comment: &str, file: &WaiverFile) -> String {
    let mut page = Page::new(comment, &file.schema);
    for waiver in &file.waive {
        page.table("[[waive]]");
        page.list_unless_empty("runners", &waiver.runners);
        page.list_unless_empty("groups", &waiver.groups);
        page.optional("package", waiver.package.as_deref());
        page.optional("code", waiver.code.as_deref());
        if let Some(seen) = &waiver.seen {
            page.list("seen", seen);
        }
        page.pair("reason", waiver.reason.as_str());
        page.pair("owner", waiver.owner.as_str());
        page.pair("until", waiver.until.as_str());
    }
    page.0
}

/// A lock.
pub fn lock(comment: &str, file: &LockFile) -> String {
    let mut page = Page::new(comment, &file.schema);
    page.pair("arch", file.arch.as_str());
    page.pair("releasever", file.releasever.as_str());
    let _ = writeln!(page.0, "packages = [");
    for package in &file.packages {
        let value: Value = package.as_str().into();
        let _ = writeln!(page.0, "    {value},");
    }
    page.0.push_str("]\n");
    page.0
}

/// The complete set of an observation as a lock: every instance once, its epoch unless it is 0, without `gpg-pubkey`.
pub fn lock_of(observation: &Observation<'_>) -> Result<LockFile, crate::observation::Failure> {
    let os = match &observation.os {
        Section::Seen(os) => os,
        Section::Failed(failure) => return Err(failure.clone()),
    };
    let packages = match &observation.packages {
        Section::Seen(packages) => packages,
        Section::Failed(failure) => return Err(failure.clone()),
    };
    let mut list: Vec<Nevra<'_>> = packages.list.iter().map(|package| package.nevra).collect();
    list.retain(|nevra| nevra.name != "gpg-pubkey");
    list.sort_unstable();
    list.dedup();
    Ok(LockFile {
        schema: LOCK_SCHEMA.to_owned(),
        arch: os.arch.to_owned(),
        releasever: os.version_id.to_owned(),
        packages: list.iter().map(ToString::to_string).collect(),
    })
}

/// `= [epoch:]version-release`: exactly this build.
pub fn pin(evr: &Evr<'_>) -> String {
    super::version::VersionSpec::exactly(evr).to_string()
}
