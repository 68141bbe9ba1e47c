//! Real runners on one Linux machine: a real rpm database, real dnf5 or dnf4, real sshd, on btrfs.
//!
//! Each runner is a btrfs subvolume that runs in mount, pid, uts, ipc and net namespaces of its own, and answers on port 22 of its own address.
//! The packages are made on the spot, after those of the nine build runners of the incident. Everything here needs root.

mod enter;
mod image;
mod network;
mod package;
mod process;
mod rootfs;
mod run;
mod runner;
mod state;
mod workstation;

pub mod cli;
pub mod plant;

pub use package::{BASE, PACKAGES, Package};
pub use runner::{Runner, Script};
pub use state::{Lab, LabConfig, RunnerConfig, default_dir, turn};
pub use workstation::WORKSTATION_PACKAGES;

/// The userland of a runner.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Base {
    /// rpm 6.1 and dnf5, as Fedora 43.
    Dnf5,
    /// rpm 4.20 and dnf4, as Fedora 40 or RHEL 10.
    Dnf4,
    /// As [`Base::Dnf5`], with 1,846 packages.
    Workstation,
}

impl Base {
    /// The subvolume that runners of this kind start from.
    const fn subvolume(self) -> &'static str {
        match self {
            Self::Dnf5 => "base-dnf5",
            Self::Dnf4 => "base-dnf4",
            Self::Workstation => "base-workstation",
        }
    }
}
