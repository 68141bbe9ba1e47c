//! The btrfs image that every lab starts from: one provisioned subvolume per kind of runner, and the package repos.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use sha2::{Digest, Sha256};

use super::enter::enter;
use super::rootfs::{DNF4, DNF5, Recipe};
use super::run::{host, run};
use super::{Base, package, workstation};

/// Sparse: what is not written takes no room.
const IMAGE_BYTES: u64 = 16 << 30;

/// What a lab copies: `image` is mounted, `repo` is bound into every runner at /srv/lab.
pub(super) struct Golden {
    pub(super) image: PathBuf,
    pub(super) repo: PathBuf,
}

/// The first 16 hex digits of the sha256 of all parts.
pub(super) fn digest(parts: &[&str]) -> String {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_le_bytes());
        hash.update(part);
    }
    hash.finalize()[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

impl Golden {
    /// From the cache, or made now: about a minute after the root file systems are there.
    pub(super) fn get(cache: &Path) -> Result<Self> {
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let specs: Vec<String> = package::PACKAGES.iter().map(package::Package::spec).collect();
        let workstation = workstation::Workstation::read()?;
        let key = digest(&[
            &DNF5.text(),
            &DNF4.text(),
            include_str!("enter.sh"),
            include_str!("build-packages.sh"),
            include_str!("provision.sh"),
            include_str!("workstation.sh"),
            &specs.concat(),
            &package::repo_file(),
            &package::BASE.join(" "),
            &workstation.text(),
        ]);
        let done = cache.join(format!("image-{key}"));
        let golden = Self { image: done.join("image"), repo: done.join("repo") };
        if done.exists() {
            return Ok(golden);
        }
        let partial = cache.join(format!("image-{key}.partial"));
        if partial.exists() {
            let mounted = Mounted(partial.join("mnt"));
            drop(mounted);
            fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
        }
        build(cache, &partial, &workstation)?;
        fs::rename(&partial, &done).with_context(|| format!("cannot rename {}", partial.display()))?;
        Ok(golden)
    }
}

fn build(cache: &Path, partial: &Path, workstation: &workstation::Workstation) -> Result<()> {
    let roots = [(&DNF5, Base::Dnf5), (&DNF4, Base::Dnf4)];
    let image = partial.join("image");
    let repo = partial.join("repo");
    let mount = partial.join("mnt");
    for directory in [&repo.join("specs"), &mount] {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    fs::File::create(&image)?.set_len(IMAGE_BYTES)?;
    run(&mut host("mkfs.btrfs", ["--quiet".as_ref(), image.as_ref()]))?;
    let mounted = Mounted::new(&image, mount)?;
    for (recipe, base) in roots {
        tracing::info!("copying the root file system of {}", recipe.name);
        copy_root(recipe, cache, &mounted.0.join(base.subvolume()))?;
    }

    tracing::info!("building packages");
    let workshop = mounted.0.join("workshop");
    snapshot(&mounted.0.join(Base::Dnf5.subvolume()), &workshop)?;
    for package in package::PACKAGES {
        fs::write(repo.join("specs").join(package.spec_name()), package.spec())?;
    }
    fs::write(repo.join("lab.repo"), package::repo_file())?;
    fs::write(repo.join("base-packages"), package::BASE.join("\n"))?;
    inside(&workshop, &repo, &["sh", "-c", include_str!("build-packages.sh")])?;

    for (recipe, base) in roots {
        tracing::info!("installing the base packages with {}", recipe.name);
        inside(
            &mounted.0.join(base.subvolume()),
            &repo,
            &["sh", "-c", include_str!("provision.sh"), "provision", recipe.name],
        )?;
    }

    tracing::info!("filling a full-size package set");
    let full = mounted.0.join(Base::Workstation.subvolume());
    snapshot(&mounted.0.join(Base::Dnf5.subvolume()), &full)?;
    let installed = inside(&full, &repo, &["rpm", "-qa", "--qf", "%{name}\n"])?;
    let installed = installed.lines().filter(|name| *name != "gpg-pubkey").count();
    fs::create_dir_all(repo.join("workstation"))?;
    fs::write(repo.join("workstation/workstation.spec"), workstation.spec(installed)?)?;
    inside(&workshop, &repo, &["sh", "-c", include_str!("workstation.sh"), "workstation", "build"])?;
    inside(&full, &repo, &["sh", "-c", include_str!("workstation.sh"), "workstation", "install"])?;

    run(&mut host("btrfs", ["subvolume".as_ref(), "delete".as_ref(), workshop.as_ref()]))?;
    Ok(())
}

fn copy_root(recipe: &Recipe, cache: &Path, to: &Path) -> Result<()> {
    let from = recipe.root(cache)?.join(".");
    run(&mut host("btrfs", ["subvolume".as_ref(), "create".as_ref(), to.as_ref()]))?;
    run(&mut host("cp", ["-a".as_ref(), from.as_ref(), to.as_ref()]))?;
    // Half of the image that every lab copies, and read by nobody there.
    for waste in [
        "var/cache/apt/archives",
        "var/lib/apt/lists",
        "usr/share/doc",
        "usr/share/man",
        "usr/share/locale",
    ] {
        let waste = to.join(waste);
        if waste.exists() {
            fs::remove_dir_all(&waste)
                .with_context(|| format!("cannot remove {}", waste.display()))?;
        }
    }
    Ok(())
}

/// Runs one command in a root file system, without network, and gives its stdout.
fn inside(root: &Path, repo: &Path, command: &[&str]) -> Result<String> {
    run(enter(root, "workshop", repo, None).args(command))
}

/// A writable snapshot of a subvolume.
pub(super) fn snapshot(from: &Path, to: &Path) -> Result<()> {
    run(&mut host("btrfs", ["subvolume".as_ref(), "snapshot".as_ref(), from.as_ref(), to.as_ref()])).map(drop)
}

/// A mounted image; unmounted when dropped.
pub(super) struct Mounted(pub(super) PathBuf);

impl Mounted {
    /// Mounts over a loop device that goes away with the mount.
    ///
    /// Without barriers: nothing here must survive a power cut, and a `fsync` of dnf would otherwise write the whole image to the disk.
    pub(super) fn new(image: &Path, at: PathBuf) -> Result<Self> {
        run(&mut host(
            "mount",
            [
                "-o".as_ref(),
                "loop,noatime,nobarrier,commit=300,compress=zstd:1".as_ref(),
                image.as_ref(),
                at.as_ref(),
            ],
        ))?;
        let mounted = Self(at);
        run(&mut host(
            "mount",
            ["--make-private".as_ref(), mounted.0.as_os_str()],
        ))?;
        Ok(mounted)
    }

    /// Whether something is mounted at `path`, by the kernel's own table.
    pub(super) fn is(path: &Path) -> Result<bool> {
        let table = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
        // Field 5 of proc_pid_mountinfo(5), with blanks as \040.
        let wanted = path.to_string_lossy().replace(' ', "\\040");
        Ok(table.lines().any(|line| line.split(' ').nth(4) == Some(&wanted)))
    }

    /// Unmounts whatever is at `path`, if anything.
    pub(super) fn clear(path: &Path) -> Result<()> {
        while Self::is(path)? {
            run(&mut host("umount", [path.as_os_str()]))?;
        }
        Ok(())
    }
}

impl Drop for Mounted {
    fn drop(&mut self) {
        if let Err(error) = Self::clear(&self.0) {
            tracing::warn!("{error:#}");
        }
    }
}

/// Copies an image and gives the copy an identity of its own: the kernel takes two file systems with one id for one.
pub(super) fn clone(golden: &Path, to: &Path) -> Result<()> {
    if to.exists() {
        bail!("{} is in the way", to.display());
    }
    run(&mut host(
        "cp",
        [
            "--sparse=auto".as_ref(),
            "--reflink=auto".as_ref(),
            golden.as_ref(),
            to.as_ref(),
        ],
    ))?;
    run(&mut host("btrfstune", ["-m".as_ref(), to.as_ref()]))?;
    Ok(())
}
