//! The first day: from what there is to a canonical repository whose first report is empty.
//!
//! Everything is written into an empty directory of the person who asks, never into canonical. What is written is
//! loaded before it is handed out, so it lints clean.

pub mod baseline;
pub mod init;
pub mod inventory;
pub mod lock;

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Component, Path, PathBuf};

/// Files that are to be written: path below the directory -> text.
pub type Files = BTreeMap<String, String>;

/// Why files were not written.
#[derive(Debug, thiserror::Error)]
pub enum WriteError {
    /// There is something in the directory.
    #[error("{} is not empty", .0.display())]
    NotEmpty(PathBuf),
    /// A path that leads out of the directory.
    #[error("{0:?} is not a path inside a directory")]
    Outside(String),
    /// The file system.
    #[error("{} cannot be written", .0.display())]
    File(PathBuf, #[source] io::Error),
}

impl WriteError {
    /// What to do about it.
    pub fn hint(&self) -> &'static str {
        match self {
            WriteError::NotEmpty(_) => "name a directory that is empty or not there; nothing is ever overwritten",
            WriteError::Outside(_) => "this is an error of the program",
            WriteError::File(..) => "choose a directory that you may write to",
        }
    }
}

/// Writes into a directory that is empty or not there, and returns the paths, sorted.
pub fn write_into(directory: &Path, files: &Files) -> Result<Vec<PathBuf>, WriteError> {
    let failed = |path: &Path| {
        let path = path.to_owned();
        move |source| WriteError::File(path, source)
    };
    if let Some(path) = files.keys().find(|path| !is_inside(path)) {
        return Err(WriteError::Outside(path.clone()));
    }
    fs::create_dir_all(directory).map_err(failed(directory))?;
    if fs::read_dir(directory).map_err(failed(directory))?.next().is_some() {
        return Err(WriteError::NotEmpty(directory.to_owned()));
    }
    let mut written = Vec::with_capacity(files.len());
    for (path, text) in files {
        let path = directory.join(path);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent).map_err(failed(parent))?;
        }
        // `create_new`: should somebody else write there meanwhile, nothing of theirs is lost.
        let mut file = OpenOptions::new().write(true).create_new(true).open(&path).map_err(failed(&path))?;
        file.write_all(text.as_bytes()).map_err(failed(&path))?;
        written.push(path);
    }
    Ok(written)
}

fn is_inside(path: &str) -> bool {
    let mut components = Path::new(path).components().peekable();
    components.peek().is_some() && components.all(|component| matches!(component, Component::Normal(_)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn files(list: &[(&str, &str)]) -> Files {
        list.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
    }

    #[test]
    fn files_go_into_a_new_or_an_empty_directory_only() {
        let home = tempfile::tempdir().unwrap();
        let new = home.path().join("a/b");
        let wanted = files(&[("fleet.toml", "x"), ("manifests/web/front.toml", "y")]);
        let written = write_into(&new, &wanted).unwrap();
        assert_eq!(written, [new.join("fleet.toml"), new.join("manifests/web/front.toml")]);
        assert_eq!(fs::read_to_string(&written[1]).unwrap(), "y");

        let again = write_into(&new, &files(&[("other.toml", "z")])).unwrap_err();
        assert!(matches!(again, WriteError::NotEmpty(_)), "{again}");
        assert!(!new.join("other.toml").exists());
        assert_eq!(fs::read_to_string(&written[0]).unwrap(), "x");

        let empty = home.path().join("empty");
        fs::create_dir(&empty).unwrap();
        write_into(&empty, &wanted).unwrap();
    }

    #[test]
    fn no_path_leads_out_of_the_directory() {
        let home = tempfile::tempdir().unwrap();
        for path in ["../x", "/etc/x", "a/../../x", "", "."] {
            let error = write_into(&home.path().join("in"), &files(&[(path, "x")])).unwrap_err();
            assert!(matches!(error, WriteError::Outside(_)), "{path}: {error}");
        }
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 0, "nothing is left behind");
    }
}
