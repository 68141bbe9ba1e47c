//! Proposals as files in the state directory: `proposals/RUNNER/SHA256/{proposal.json,README.md}`, one per runner.

use countersign_shared::manifest::fleet::is_runner_name;
use countersign_shared::proposal::{MAX_BYTES, Sealed, render};
use std::io::Write as _;
use std::path::{Path, PathBuf};

/// Why the proposals cannot be read or written.
#[derive(Debug, thiserror::Error)]
#[error("cannot {what} {}", path.display())]
pub struct ShelfError {
    what: &'static str,
    path: PathBuf,
    source: std::io::Error,
}

/// Where proposals are kept.
#[derive(Debug, Clone)]
pub struct Shelf {
    root: PathBuf,
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(std::io::Error) -> ShelfError {
    let path = path.to_path_buf();
    move |source| ShelfError { what, path, source }
}

impl Shelf {
    /// Below the state directory.
    pub fn new(state_dir: &Path) -> Self {
        Self { root: state_dir.join("proposals") }
    }

    /// Where the files of a proposal are.
    pub fn directory(&self, runner: &str, id: &str) -> PathBuf {
        self.root.join(runner).join(id)
    }

    /// The proposal of a runner. One that was cut off or changed by others counts as none.
    pub fn get(&self, runner: &str) -> Result<Option<Sealed>, ShelfError> {
        let mut found: Option<Sealed> = None;
        for id in names(&self.root.join(runner))? {
            let path = self.directory(runner, &id).join("proposal.json");
            let bytes = match std::fs::metadata(&path) {
                Ok(file) if file.len() <= MAX_BYTES as u64 => std::fs::read(&path).map_err(failed("read", &path))?,
                Ok(_) => continue,
                Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
                Err(error) => return Err(failed("read", &path)(error)),
            };
            match Sealed::parse(&bytes) {
                Ok(sealed) if sealed.id() == id && sealed.proposal().runner == runner => {
                    let newer = |old: &Sealed| old.proposal().created < sealed.proposal().created;
                    if found.as_ref().is_none_or(newer) {
                        found = Some(sealed);
                    }
                }
                _ => tracing::warn!(runner, "{} is not a proposal of this runner; passed over", path.display()),
            }
        }
        Ok(found)
    }

    /// Every proposal, by runner.
    pub fn all(&self) -> Result<Vec<Sealed>, ShelfError> {
        let mut all = Vec::new();
        for runner in names(&self.root)?.iter().filter(|name| is_runner_name(name)) {
            all.extend(self.get(runner)?);
        }
        Ok(all)
    }

    /// Makes this the proposal of its runner; the one before goes. A kill at any moment leaves one of both.
    pub fn put(&self, sealed: &Sealed) -> Result<(), ShelfError> {
        let runner = &sealed.proposal().runner;
        let place = self.directory(runner, sealed.id());
        let fresh = self.root.join(runner).join(format!(".{}", sealed.id()));
        remove(&fresh)?;
        std::fs::create_dir_all(&fresh).map_err(failed("make", &fresh))?;
        for (name, bytes) in [("proposal.json", sealed.bytes()), ("README.md", render(sealed).as_bytes())] {
            let path = fresh.join(name);
            let mut file = std::fs::File::create(&path).map_err(failed("write", &path))?;
            file.write_all(bytes).and_then(|()| file.sync_all()).map_err(failed("write", &path))?;
        }
        remove(&place)?;
        std::fs::rename(&fresh, &place).map_err(failed("write", &place))?;
        self.keep(runner, Some(sealed.id()))
    }

    /// Takes the proposal of a runner away.
    pub fn clear(&self, runner: &str) -> Result<(), ShelfError> {
        self.keep(runner, None)
    }

    fn keep(&self, runner: &str, id: Option<&str>) -> Result<(), ShelfError> {
        let directory = self.root.join(runner);
        for name in names(&directory)?.iter().filter(|name| Some(name.as_str()) != id) {
            remove(&directory.join(name))?;
        }
        Ok(())
    }
}

fn remove(path: &Path) -> Result<(), ShelfError> {
    match std::fs::remove_dir_all(path) {
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => Err(failed("remove", path)(error)),
        _ => Ok(()),
    }
}

/// What is in a directory, sorted; nothing when it is not there.
fn names(directory: &Path) -> Result<Vec<String>, ShelfError> {
    let entries = match std::fs::read_dir(directory) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        entries => entries.map_err(failed("read", directory))?,
    };
    let mut names = Vec::new();
    for entry in entries {
        names.extend(entry.map_err(failed("read", directory))?.file_name().into_string().ok());
    }
    names.sort();
    Ok(names)
}
