//! The btrfs image that a lab runs on: one provisioned subvolume per kind of runner, and the package repos.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

use super::enter::enter;
use super::rootfs::{DNF4, DNF5, Recipe};
use super::run::{host, run};
use super::{Base, package, workstation};

/// Sparse: what is not written takes no room.
const IMAGE_BYTES: u64 = 16 << 30;

/// Counted up when `build` comes to do something else.
const BUILD: &str = "2";

/// What a lab works on: `image` is mounted and gets a snapshot per runner, a copy of `repo` is bound into every runner at /srv/lab.
pub(super) struct Golden {
    image: PathBuf,
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
            BUILD,
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
        // Nothing below is synced to the disk: an image that a power cut spoilt is found when it is mounted.
        fs::rename(&partial, &done).with_context(|| format!("cannot rename {}", partial.display()))?;
        Ok(golden)
    }

    /// Copies the image into another cache. It gets a file system id of its own: the kernel takes two of one id for one.
    pub(super) fn copy(&self, cache: &Path) -> Result<()> {
        let from = self.image.with_file_name("");
        let done = cache.join(from.file_name().context("the image is in no directory")?);
        if done.exists() {
            return Ok(());
        }
        fs::create_dir_all(cache).with_context(|| format!("cannot make {}", cache.display()))?;
        let partial = done.with_extension("partial");
        if partial.exists() {
            fs::remove_dir_all(&partial).with_context(|| format!("cannot remove {}", partial.display()))?;
        }
        let copy = ["-a".as_ref(), "--sparse=always".as_ref(), from.as_ref(), partial.as_ref()];
        run(&mut host("cp", copy))?;
        run(&mut host("btrfstune", ["-m".as_ref(), partial.join("image").as_ref()]))?;
        fs::rename(&partial, &done).with_context(|| format!("cannot rename {}", partial.display()))
    }

    /// Mounts the image, without what a dead lab left in it; one that cannot be mounted is made anew, once.
    pub(super) fn mount(cache: &Path, at: &Path) -> Result<(Self, Mounted)> {
        let golden = Self::get(cache)?;
        let mounted = match Mounted::new(&golden.image, at.to_owned()) {
            Ok(mounted) => mounted,
            Err(error) => {
                tracing::warn!("making the image anew: {error:#}");
                fs::remove_file(&golden.image)?;
                fs::remove_dir_all(golden.image.with_file_name("repo"))?;
                fs::remove_dir_all(golden.image.with_file_name("mnt"))?;
                fs::remove_dir(golden.image.with_file_name(""))?;
                Mounted::new(&Self::get(cache)?.image, at.to_owned())?
            }
        };
        mounted.delete_runners()?;
        Ok((golden, mounted))
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

    // They are installed; a lab that copied and removed them each time would be busy with nothing else.
    fs::remove_dir_all(repo.join("workstation"))?;
    mounted.delete_runners()?;
    for base in [Base::Dnf5, Base::Dnf4, Base::Workstation] {
        let path = mounted.0.join(base.subvolume());
        let set = ["property", "set", "-ts"].map(AsRef::as_ref);
        run(host("btrfs", set).arg(path).args(["ro", "true"]))?;
    }
    Ok(())
}

fn copy_root(recipe: &Recipe, cache: &Path, to: &Path) -> Result<()> {
    let from = recipe.root(cache)?.join(".");
    run(&mut host("btrfs", ["subvolume".as_ref(), "create".as_ref(), to.as_ref()]))?;
    run(&mut host("cp", ["-a".as_ref(), from.as_ref(), to.as_ref()]))?;
    // Half of the image that every lab copies, and read by nobody there.
    for waste in ["var/cache/apt/archives", "var/lib/apt/lists", "usr/share/doc", "usr/share/man", "usr/share/locale"] {
        let waste = to.join(waste);
        if waste.exists() {
            fs::remove_dir_all(&waste).with_context(|| format!("cannot remove {}", waste.display()))?;
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

/// How often a busy mount is tried again: for 30 s.
const UNMOUNT_TRIES: u32 = 150;
const UNMOUNT_PAUSE: Duration = Duration::from_millis(200);

/// A mounted image; unmounted when dropped.
pub(super) struct Mounted(pub(super) PathBuf);

impl Mounted {
    /// Mounts over a loop device that goes away with the mount.
    ///
    /// Without barriers: nothing here must survive a power cut, and a `fsync` of dnf would otherwise write the whole image to the disk.
    /// Without discards: on a host that hands them on, they take a minute.
    pub(super) fn new(image: &Path, at: PathBuf) -> Result<Self> {
        run(&mut host(
            "mount",
            [
                "-o".as_ref(),
                "loop,noatime,nobarrier,nodiscard,commit=300,compress=zstd:1".as_ref(),
                image.as_ref(),
                at.as_ref(),
            ],
        ))?;
        let mounted = Self(at);
        run(&mut host("mount", ["--make-private".as_ref(), mounted.0.as_os_str()]))?;
        Ok(mounted)
    }

    /// Whether something is mounted at `path`, by the kernel's own table.
    pub(super) fn is(path: &Path) -> Result<bool> {
        let table = fs::read_to_string("/proc/self/mountinfo").context("cannot read /proc/self/mountinfo")?;
        // Field 5 of proc_pid_mountinfo(5), with blanks as \040.
        let wanted = path.to_string_lossy().replace(' ', "\\040");
        Ok(table.lines().any(|line| line.split(' ').nth(4) == Some(&wanted)))
    }

    /// Deletes every subvolume but the bases, those inside others (snapper makes such) first.
    fn delete_runners(&self) -> Result<()> {
        let list = ["subvolume", "list"].map(AsRef::as_ref);
        let text = run(host("btrfs", list).arg(&self.0))?;
        // `ID 257 gen 10 top level 5 path runner-01`
        let paths = text.lines().filter_map(|line| line.split_once(" path "));
        let mut paths: Vec<&str> = paths.map(|(_, path)| path).filter(|path| !path.starts_with("base-")).collect();
        paths.sort_unstable_by(|a, b| b.cmp(a));
        for path in paths {
            let path = self.0.join(path);
            run(&mut host("btrfs", ["subvolume".as_ref(), "delete".as_ref(), path.as_ref()]))?;
        }
        Ok(())
    }

    /// Unmounts whatever is at `path`, if anything. What a lab that was killed had just begun (`btrfs`, a shell) may hold it
    /// for a moment longer.
    pub(super) fn clear(path: &Path) -> Result<()> {
        let mut left = UNMOUNT_TRIES;
        while Self::is(path)? {
            match run(&mut host("umount", [path.as_os_str()])) {
                Err(_) if left > 0 => {
                    left -= 1;
                    std::thread::sleep(UNMOUNT_PAUSE);
                }
                done => drop(done?),
            }
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
