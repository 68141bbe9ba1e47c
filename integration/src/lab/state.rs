//! One lab: what is up, who holds it, and how all of it goes away again.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use super::image::{self, Golden, Mounted};
use super::network::Bridge;
use super::runner::Runner;
use super::{Base, process, run};

/// Where labs live unless `COUNTERSIGN_LAB_DIR` says otherwise.
const DEFAULT_DIR: &str = "/var/tmp/countersign-lab";

/// One runner that a lab is to have.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct RunnerConfig {
    /// Its name and host name.
    pub name: String,
    /// What it starts from.
    pub base: Base,
}

/// What [`Lab::up`] makes.
#[derive(Debug, Clone)]
pub struct LabConfig {
    /// State and cached root file systems; one lab per directory.
    pub dir: PathBuf,
    /// The runners, all started.
    pub runners: Vec<RunnerConfig>,
}

impl LabConfig {
    /// The given runners under `COUNTERSIGN_LAB_DIR`, or its default.
    #[must_use]
    pub fn new<'a>(runners: impl IntoIterator<Item = (&'a str, Base)>) -> Self {
        let runners = runners.into_iter().map(|(name, base)| RunnerConfig { name: name.to_owned(), base }).collect();
        Self { dir: default_dir(), runners }
    }

    /// Nine runners as in the incident: six with dnf5, the last of them with a full-size package set, and three with dnf4.
    #[must_use]
    pub fn nine() -> Self {
        use Base::{Dnf4, Dnf5, Workstation};
        Self::new([
            ("runner-01", Dnf5),
            ("runner-02", Dnf5),
            ("runner-03", Dnf5),
            ("runner-04", Dnf5),
            ("runner-05", Dnf5),
            ("runner-06", Workstation),
            ("runner-07", Dnf4),
            ("runner-08", Dnf4),
            ("runner-09", Dnf4),
        ])
    }
}

/// `COUNTERSIGN_LAB_DIR`, or /var/tmp/countersign-lab.
#[must_use]
pub fn default_dir() -> PathBuf {
    let dir = std::env::var_os("COUNTERSIGN_LAB_DIR").map_or_else(|| PathBuf::from(DEFAULT_DIR), PathBuf::from);
    // Mounts and processes are found again by it, from whatever directory.
    std::path::absolute(&dir).unwrap_or(dir)
}

/// What is written down so that another process can find a lab, or clean up after one that died.
#[derive(Debug, Serialize, Deserialize)]
struct State {
    /// Stays up without the process that made it.
    detached: bool,
    bridge: Bridge,
    runners: Vec<RunnerConfig>,
}

/// A lab that is up. Torn down when dropped, unless [`Lab::detach`]ed.
#[derive(Debug)]
pub struct Lab {
    dir: PathBuf,
    state: State,
    runners: Vec<Runner>,
    /// Held while this value lives: the kernel lets go of it however the process ends.
    _lock: File,
}

impl Lab {
    /// Makes every runner and starts it. What a dead process left in the directory is cleaned first.
    ///
    /// # Errors
    /// Not root, a tool is missing or fails, or another lab is up in this directory.
    pub fn up(config: &LabConfig) -> Result<Self> {
        need_root()?;
        let dir = &config.dir;
        fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        let lock = lock(dir)?;
        if read(dir)?.is_some_and(|state| state.detached) && !process::processes(dir)?.is_empty() {
            bail!("a lab is up in {}; `cargo lab down` ends it", dir.display());
        }
        clean(dir)?;

        let mount = dir.join("mnt");
        fs::create_dir_all(&mount)?;
        // From here on a failure must take down what was made: the value's Drop does.
        let bridge = Bridge::create()?;
        let state = State { detached: false, bridge, runners: config.runners.clone() };
        let mut lab = Self { dir: dir.clone(), state, runners: Vec::new(), _lock: lock };
        lab.write()?;
        let (golden, mounted) = Golden::mount(&dir.join("cache"), &mount)?;
        // It stays mounted as long as the lab is up, which may be longer than this process.
        std::mem::forget(mounted);
        run::run(&mut run::host("cp", ["-a".as_ref(), golden.repo.as_ref(), dir.join("repo").as_ref()]))?;
        for (index, runner) in config.runners.iter().enumerate() {
            tracing::info!("starting {}", runner.name);
            let root = mount.join(&runner.name);
            image::snapshot(&mount.join(runner.base.subvolume()), &root)?;
            let mut runner = Runner::new(dir, &lab.state.bridge, index, runner)?;
            runner.make_host_keys()?;
            runner.start()?;
            lab.runners.push(runner);
        }
        Ok(lab)
    }

    /// The lab that another process left up in `dir`.
    ///
    /// # Errors
    /// None is up, or the process that made it still holds it.
    pub fn attach(dir: &Path) -> Result<Self> {
        need_root()?;
        if !dir.exists() {
            bail!("no lab is up in {}; `cargo lab up` makes one", dir.display());
        }
        let lock = lock(dir)?;
        let Some(state) = read(dir)?.filter(|state| state.detached) else {
            bail!("no lab is up in {}; `cargo lab up` makes one", dir.display());
        };
        let runners = state
            .runners
            .iter()
            .enumerate()
            .map(|(index, runner)| Runner::new(dir, &state.bridge, index, runner))
            .collect::<Result<_>>()?;
        Ok(Self { dir: dir.to_owned(), state, runners, _lock: lock })
    }

    /// Lets the lab stay up when this value and its process are gone.
    ///
    /// # Errors
    /// The state file cannot be written.
    pub fn detach(mut self) -> Result<()> {
        self.state.detached = true;
        self.write()
    }

    /// Ends whatever lab is, or was, in `dir`; nothing there is no error.
    ///
    /// # Errors
    /// A live process holds it, or something cannot be taken down.
    pub fn down(dir: &Path) -> Result<()> {
        need_root()?;
        if !dir.exists() {
            return Ok(());
        }
        let _lock = lock(dir)?;
        clean(dir)
    }

    /// Gives another directory what runners start from, so that two labs can be up at once.
    ///
    /// # Errors
    /// A live process holds either, or something cannot be made or copied.
    pub fn copy(from: &Path, to: &Path) -> Result<()> {
        need_root()?;
        for dir in [from, to] {
            fs::create_dir_all(dir).with_context(|| format!("cannot make {}", dir.display()))?;
        }
        let _locks = (lock(from)?, lock(to)?);
        Golden::get(&from.join("cache"))?.copy(&to.join("cache"))
    }

    /// All runners, in the order of the configuration.
    #[must_use]
    pub fn runners(&self) -> &[Runner] {
        &self.runners
    }

    /// The runner of this name.
    ///
    /// # Panics
    /// There is none.
    #[must_use]
    pub fn runner(&self, name: &str) -> &Runner {
        self.find(name).expect("NOTE: tests name runners that they configured")
    }

    /// The same, to start and stop it.
    ///
    /// # Panics
    /// There is none.
    pub fn runner_mut(&mut self, name: &str) -> &mut Runner {
        self.runners
            .iter_mut()
            .find(|runner| runner.name == name)
            .expect("NOTE: tests name runners that they configured")
    }

    /// The runner of this name, if there is one.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<&Runner> {
        self.runners.iter().find(|runner| runner.name == name)
    }

    /// The package repos on the host; every runner sees them at /srv/lab.
    #[must_use]
    pub fn repo_dir(&self) -> PathBuf {
        self.dir.join("repo")
    }

    /// The host's own address on the runners' network.
    #[must_use]
    pub fn host_address(&self) -> std::net::Ipv4Addr {
        self.state.bridge.host()
    }

    fn write(&self) -> Result<()> {
        let path = self.dir.join("state.json");
        let partial = self.dir.join("state.json.partial");
        fs::write(&partial, serde_json::to_vec_pretty(&self.state)?)?;
        fs::rename(&partial, &path).with_context(|| format!("cannot write {}", path.display()))
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        if self.state.detached {
            return;
        }
        if let Err(error) = clean(&self.dir) {
            tracing::error!("the lab in {} is not all down: {error:#}", self.dir.display());
        }
    }
}

fn need_root() -> Result<()> {
    if rustix::process::geteuid().is_root() {
        return Ok(());
    }
    bail!("the lab makes namespaces, mounts and network devices: run it as root")
}

fn lock(dir: &Path) -> Result<File> {
    let path = dir.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot make {}", path.display()))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(fs::TryLockError::WouldBlock) => {
            bail!("another process uses the lab in {}; set COUNTERSIGN_LAB_DIR for a second one", dir.display())
        }
        Err(fs::TryLockError::Error(error)) => Err(error).with_context(|| format!("cannot lock {}", path.display())),
    }
}

fn read(dir: &Path) -> Result<Option<State>> {
    let path = dir.join("state.json");
    match fs::read(&path) {
        Ok(bytes) => {
            Ok(Some(serde_json::from_slice(&bytes).with_context(|| format!("cannot read {}", path.display()))?))
        }
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error).with_context(|| format!("cannot read {}", path.display())),
    }
}

/// Takes down everything that a lab in `dir` may have left, whatever state it died in. The cache stays.
fn clean(dir: &Path) -> Result<()> {
    // One that was just being started is only seen the next time.
    loop {
        let processes = process::processes(dir)?;
        if processes.is_empty() {
            break;
        }
        for process in processes {
            process::kill(process)?;
        }
    }
    Mounted::clear(&dir.join("mnt"))?;
    if let Some(state) = read(dir)? {
        state.bridge.delete()?;
    }
    remove(fs::remove_file(dir.join("state.json")))?;
    for name in ["repo", "log"] {
        remove(fs::remove_dir_all(dir.join(name)))?;
    }
    Ok(())
}

fn remove(result: std::io::Result<()>) -> Result<()> {
    match result {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// The turn of a test with real runners: tests of one program share a directory, so one has it at a time.
///
/// `None` unless `COUNTERSIGN_LAB=1`, which `cargo verify` sets; then it says so where the test harness cannot swallow it.
#[must_use]
pub fn turn(test: &str) -> Option<MutexGuard<'static, ()>> {
    static TURN: Mutex<()> = Mutex::new(());
    if std::env::var_os("COUNTERSIGN_LAB").is_some_and(|value| value == "1") {
        // A test that failed leaves a lab that its Drop took down: the next may go on.
        return Some(TURN.lock().unwrap_or_else(PoisonError::into_inner));
    }
    let line = format!("NOT RUN: {test} needs real runners; run it as root with COUNTERSIGN_LAB=1 (cargo verify does)");
    // If even stderr is closed there is nobody to tell.
    let _ = writeln!(io::stderr(), "{line}");
    None
}
