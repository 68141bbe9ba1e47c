//! A small canonical repository in good order.

use std::collections::BTreeMap;

/// A host key.
pub(crate) const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIIccdLYrxAC1Zd5pFtEvnXOd+gi7wSuUkw0gTxFsNW5J";
/// Another one.
pub(crate) const OTHER_KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIBzhgRR4Hh7Q3zTpOVEcKTqcBfVHuM0gRdiyMBN+vH5k";

/// Files from path and text.
fn files(list: &[(&str, &str)]) -> BTreeMap<String, Vec<u8>> {
    list.iter().map(|(path, text)| ((*path).to_owned(), text.as_bytes().to_vec())).collect()
}

/// The examples of the documentation, as one repository.
pub(crate) fn example() -> BTreeMap<String, Vec<u8>> {
    let fleet = format!(
        r#"schema = "countersign/fleet/1"
[keys]
observer_ssh = ["{KEY}"]
[defaults]
user = "countersign-observer"
actuator_user = "countersign-actuator"
port = 22
[groups.builders]
owner = "build-platform@example.org"
manifests = ["builder"]
[bastions.gate]
address = "192.0.2.1"
user = "jump"
host_keys = ["{KEY}"]
[runners.runner-01]
address = "10.0.0.11"
groups = ["builders"]
manifests = []
host_keys = ["{KEY} root@runner-01", "@cert-authority {OTHER_KEY}"]
bastion = "gate"
wave = 0
"#
    );
    let fragment = r#"schema = "countersign/fleet/1"
[runners.runner-02]
address = "runner-02.example.org"
port = 2222
user = "watch"
groups = ["builders"]
wave = 1
"#;
    let builder = r#"schema  = "countersign/manifest/1"
include = ["base"]
owner   = "build-platform@example.org"

[packages]
htop              = "*"
llvm              = "= 19.1.0-1.fc41"
glibc             = { version = ">= 2.40, < 2.41", reason = "tenant X links its module against 2.40" }
kernel-devel      = { same-as = "running-kernel" }
"glibc.i686"      = "absent"
gcc-toolset-13    = { state = "absent", reason = "tenant X's build prefers it" }
strace            = "allowed"
nodejs            = { version = "*", from = ["updates"] }

[unlisted]
user-installed = "report"
groups         = "ignore"
external       = "ignore"
dependencies   = "ignore"
ignore         = ["*-debuginfo"]

[host]
selinux      = "enforcing"
repositories = ["fedora", "updates"]
vendors      = []
keys         = []
modules      = []
"#;
    let base = r#"schema = "countersign/manifest/1"
[packages]
bash = "*"
llvm = "*"
[unlisted]
dependencies = "report"
"#;
    let policy = r#"schema = "countersign/policy/1"
[observer]
settle = 3
[windows]
builders = ["Mon-Fri 22:00-05:00 Europe/Amsterdam"]
"#;
    let waivers = r#"schema = "countersign/waiver/1"
[[waive]]
runners = ["runner-02"]
package = "llvm"
code = "ahead"
reason = "until the rebuild"
owner = "ada@example.org"
until = "2026-12-31"
[[waive]]
groups = ["builders"]
code = "selinux"
reason = "labels are being repaired"
owner = "ada@example.org"
until = 2026-11-30
"#;
    files(&[
        ("fleet.toml", &fleet),
        ("fleet.d/more.toml", fragment),
        ("manifests/builder.toml", builder),
        ("manifests/base.toml", base),
        ("policy.toml", policy),
        ("waivers/2026.toml", waivers),
        ("approvers", &format!("# people\nada@example.org namespaces=\"git\" {KEY} ada\n")),
        ("README.md", "not for the programs \u{1b}[2J"),
    ])
}
