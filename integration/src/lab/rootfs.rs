//! The two root file systems, made once by debootstrap and kept.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use super::run::{host, run};

/// What debootstrap is asked for.
pub(super) struct Recipe {
    /// `dnf5` or `dnf4`.
    pub(super) name: &'static str,
    suite: &'static str,
    include: &'static str,
}

/// rpm 6.1 and dnf5 5.4 with its `local` and `actions` plugins, which are in libdnf5 there.
pub(super) const DNF5: Recipe = Recipe {
    name: "dnf5",
    suite: "forky",
    include: "dnf5,rpm,openssh-server,createrepo-c,sudo,git,gnupg,snapper,btrfs-progs",
};

/// rpm 4.20 and dnf4 4.23.
pub(super) const DNF4: Recipe = Recipe {
    name: "dnf4",
    suite: "trixie",
    include: "dnf,dnf-plugins-core,python3-systemd,rpm,openssh-server,createrepo-c,sudo,git,gnupg",
};

impl Recipe {
    /// Every byte that decides what comes out.
    pub(super) fn text(&self) -> String {
        format!("{} {} {}", self.name, self.suite, self.include)
    }

    /// The directory with this root file system; takes a minute the first time.
    pub(super) fn root(&self, cache: &Path) -> Result<PathBuf> {
        let done = cache.join(format!("{}-{}", self.name, super::image::digest(&[&self.text()])));
        if done.exists() {
            return Ok(done);
        }
        link_suite(self.suite)?;
        let partial = done.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
        }
        tracing::info!("debootstrap {} (about a minute)", self.suite);
        let include = format!("--include={}", self.include);
        run(&mut host(
            "debootstrap",
            ["--variant=minbase".as_ref(), include.as_ref(), self.suite.as_ref(), partial.as_os_str()],
        ))?;
        fs::rename(&partial, &done).with_context(|| format!("cannot rename {}", partial.display()))?;
        Ok(done)
    }
}

/// Releases of debootstrap older than a suite know it by no name; all Debian suites are made as `sid` is.
fn link_suite(suite: &str) -> Result<()> {
    let script = Path::new("/usr/share/debootstrap/scripts").join(suite);
    if script.exists() || fs::symlink_metadata(&script).is_ok() {
        return Ok(());
    }
    std::os::unix::fs::symlink("sid", &script).with_context(|| format!("cannot link {}", script.display()))
}
