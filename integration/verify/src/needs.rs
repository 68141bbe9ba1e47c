//! What must be on the machine, and how it gets there.

use std::path::Path;
use std::process::Command;

/// One thing that a step needs: found by a program on the PATH or a file, brought by a Debian package.
struct Need {
    found_by: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const fn need(found_by: &'static str, package: &'static str, purpose: &'static str) -> Need {
    Need { found_by, package, purpose }
}

const NEEDS: &[Need] = &[
    need("cc", "gcc", "compiles the C parts of dependencies"),
    need("/usr/include/stdio.h", "libc6-dev", "compiles the C parts of dependencies"),
    need("/etc/ssl/certs/ca-certificates.crt", "ca-certificates", "fetches dependencies"),
    need("git", "git", "canonical and proposed repositories in tests"),
    need("ssh-keygen", "openssh-client", "keys and signatures in tests"),
    need("ssh", "openssh-client", "interoperation tests"),
    need("sshd", "openssh-server", "interoperation tests"),
    need("debootstrap", "debootstrap", "root file systems of the lab"),
    need("/usr/share/keyrings/debian-archive-keyring.gpg", "debian-archive-keyring", "root file systems of the lab"),
    need("gpgv", "gpgv", "root file systems of the lab"),
    need("mkfs.btrfs", "btrfs-progs", "disks of the lab"),
    need("btrfstune", "btrfs-progs", "disks of the lab"),
    need("ip", "iproute2", "network of the lab"),
    need("mount", "mount", "disks of the lab"),
    need("unshare", "util-linux", "runners of the lab"),
    need("nsenter", "util-linux", "runners of the lab"),
    need("setsid", "util-linux", "runners of the lab"),
];

/// Finds or installs everything; what cannot be had is an error that names each missing thing.
pub(crate) fn provide() -> Result<(), String> {
    let missing = missing();
    if missing.is_empty() {
        return components();
    }
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.sort_unstable();
    packages.dedup();
    if !crate::steps::is_root() || !on_path("apt-get") {
        let list: Vec<String> =
            missing.iter().map(|need| format!("  {} ({}; {})", need.found_by, need.package, need.purpose)).collect();
        return Err(format!(
            "missing, and not root on Debian or Ubuntu to install it:\n{}\n  hint: apt-get install {}",
            list.join("\n"),
            packages.join(" ")
        ));
    }
    crate::steps::say(&format!("installing {}", packages.join(" ")));
    apt(&["update", "-q"])?;
    let mut install = vec!["install", "-q", "-y", "--no-install-recommends"];
    install.extend(&packages);
    apt(&install)?;
    match self::missing().first() {
        Some(need) => Err(format!("{} is still missing after installing {}", need.found_by, need.package)),
        None => components(),
    }
}

fn missing() -> Vec<&'static Need> {
    let there = |need: &Need| {
        if need.found_by.starts_with('/') { Path::new(need.found_by).exists() } else { on_path(need.found_by) }
    };
    NEEDS.iter().filter(|need| !there(need)).collect()
}

/// The parts of the toolchain that a minimal profile leaves out.
fn components() -> Result<(), String> {
    for (program, component) in [("fmt", "rustfmt"), ("clippy", "clippy")] {
        let found = Command::new(crate::steps::program()).args([program, "--version"]).output();
        if !found.is_ok_and(|output| output.status.success()) {
            return Err(format!("the toolchain has no {component}\n  hint: rustup component add {component}"));
        }
    }
    Ok(())
}

fn apt(arguments: &[&str]) -> Result<(), String> {
    let status = Command::new("apt-get")
        .args(arguments)
        .env("DEBIAN_FRONTEND", "noninteractive")
        .status()
        .map_err(|error| format!("cannot start apt-get: {error}"))?;
    if status.success() { Ok(()) } else { Err(format!("apt-get {}: {status}", arguments.join(" "))) }
}

/// Also where root's programs are, which is not on everybody's PATH.
fn on_path(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .any(|directory| directory.join(program).is_file())
}
