//! Reports on disk: `latest.*` and one set per run, each replaced whole or not at all.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use countersign_shared::terminal::Screen;

use super::moment::fits;
use super::summary::Summary;
use super::text::Extent;

/// The forms in which a report is written. JSON comes last: whoever watches it finds the others in place.
const FORMS: [&str; 4] = ["html", "md", "txt", "json"];

/// A started file of a writer that died is cleared away when it is this much older than what was just written.
const LEFT_OVER: Duration = Duration::from_secs(3_600);

const UNFINISHED: &str = ".unfinished-";

/// Reports could not be written or cleared away.
#[derive(Debug, thiserror::Error)]
pub enum FilesError {
    /// The run has no name that a file could have.
    #[error("{0:?} is not the name of a run, so no file is named after it")]
    Run(String),
    /// The directory is not there and cannot be made.
    #[error("the report directory {} cannot be made", .0.display())]
    Directory(PathBuf, #[source] io::Error),
    /// A file could not be replaced; what was there before still is.
    #[error("{} cannot be written", .0.display())]
    Write(PathBuf, #[source] io::Error),
    /// The new report is written, but old ones are still there.
    #[error("old reports in {} cannot be removed", .0.display())]
    Prune(PathBuf, #[source] io::Error),
}

/// Where the report of a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Written {
    /// The run's own JSON, which stays what it is.
    pub json: PathBuf,
    /// The newest page.
    pub latest_html: PathBuf,
}

/// Writes all forms of the report and removes those of all but the newest `keep` runs; this one is always kept.
///
/// # Errors
/// The first thing that failed. Files that were replaced before stay replaced.
pub fn write(directory: &Path, summary: &Summary<'_>, keep: usize) -> Result<Written, FilesError> {
    let run = &summary.report.run;
    let Some(order) = run_order(run) else {
        return Err(FilesError::Run(run.clone()));
    };
    fs::create_dir_all(directory).map_err(|e| FilesError::Directory(directory.to_owned(), e))?;
    let mut finished = Vec::with_capacity(2 * FORMS.len());
    for form in FORMS {
        let bytes = match form {
            "html" => super::html(summary),
            "md" => super::markdown(summary),
            "txt" => super::text(summary, Screen::FILE, Extent::All),
            _ => super::json(summary.report),
        };
        let path = |stem: &str| directory.join(format!("{stem}.{form}"));
        let failed = |e| FilesError::Write(path("latest"), e);
        let first = Unfinished::write(directory, bytes.as_bytes()).map_err(failed)?;
        let second = first.again(bytes.as_bytes()).map_err(failed)?;
        finished.extend([(first, path(run)), (second, path("latest"))]);
    }
    // All contents are on disk: from here on only names change.
    let (others, json) = finished.split_at_mut(2 * (FORMS.len() - 1));
    for files in [others, json] {
        for (file, path) in files {
            file.rename(path).map_err(|e| FilesError::Write(path.clone(), e))?;
        }
        sync(directory).map_err(|e| FilesError::Write(directory.to_owned(), e))?;
    }
    prune(directory, &order, keep).map_err(|e| FilesError::Prune(directory.to_owned(), e))?;
    Ok(Written { json: directory.join(format!("{run}.json")), latest_html: directory.join("latest.html") })
}

/// Replaces a file so that a reader, or a crash at any moment, finds the old content or the new, never a part.
///
/// # Errors
/// Any of the system calls; the started file is removed again.
pub fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    Unfinished::write(directory, bytes)?.rename(path)?;
    sync(directory)
}

/// A file that is on disk and has no name yet that anybody looks for. What is not renamed is removed.
struct Unfinished(PathBuf);

impl Unfinished {
    fn write(directory: &Path, bytes: &[u8]) -> io::Result<Self> {
        let started = Self::free(directory)?;
        let mut file = OpenOptions::new().write(true).create_new(true).open(&started.0)?;
        file.write_all(bytes)?;
        file.sync_all()?;
        Ok(started)
    }

    /// The same content for one name more: the same file where the file system can do that, as it is never written again.
    fn again(&self, bytes: &[u8]) -> io::Result<Self> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        let other = Self::free(directory)?;
        match fs::hard_link(&self.0, &other.0) {
            Ok(()) => Ok(other),
            Err(_) => Self::write(directory, bytes),
        }
    }

    /// A name that nobody has.
    fn free(directory: &Path) -> io::Result<Self> {
        static NUMBER: AtomicU64 = AtomicU64::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let started = directory.join(format!("{UNFINISHED}{}-{number}", std::process::id()));
        // A leftover of a dead process that had our number: `create_new` follows no link, so the name must be free.
        match fs::remove_file(&started) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
            _ => Ok(Self(started)),
        }
    }

    fn rename(&mut self, path: &Path) -> io::Result<()> {
        fs::rename(&self.0, path)?;
        self.0.clear();
        Ok(())
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            // NOTE: the first error is the one to report.
            let _ = fs::remove_file(&self.0);
        }
    }
}

/// New names in a directory last from here on.
fn sync(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// The time and the number of a run's name, to sort by.
fn run_order(run: &str) -> Option<(String, u32)> {
    let (time, number) = run.split_once('-').unwrap_or((run, "1"));
    let number = number.parse().ok().filter(|_| number.len() <= 6 && number.bytes().all(|b| b.is_ascii_digit()))?;
    fits(time, "ddddddddTddddddZ").then(|| (time.to_owned(), number))
}

fn prune(directory: &Path, current: &(String, u32), keep: usize) -> io::Result<()> {
    let mut runs: BTreeMap<(String, u32), Vec<PathBuf>> = BTreeMap::new();
    let mut unfinished = Vec::new();
    for entry in fs::read_dir(directory)? {
        let entry = entry?;
        let name = entry.file_name();
        let Some(name) = name.to_str() else { continue };
        if !entry.file_type()?.is_file() {
            continue;
        }
        if name.starts_with(UNFINISHED) {
            unfinished.push(entry);
            continue;
        }
        let run = name.rsplit_once('.').filter(|(_, form)| FORMS.contains(form)).and_then(|(run, _)| run_order(run));
        if let Some(run) = run {
            runs.entry(run).or_default().push(entry.path());
        }
    }
    for (run, files) in runs.iter().rev().skip(keep.max(1)) {
        if run != current {
            files.iter().try_for_each(fs::remove_file)?;
        }
    }
    let now = fs::metadata(directory.join("latest.json"))?.modified()?;
    for entry in unfinished {
        let age = now.duration_since(entry.metadata()?.modified()?).unwrap_or_default();
        if age > LEFT_OVER {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names(directory: &Path) -> Vec<String> {
        let names = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.collect();
        names.sort();
        names
    }

    #[test]
    fn a_file_is_replaced_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latest.json");
        replace(&path, b"one").unwrap();
        replace(&path, b"two").unwrap();
        assert_eq!(fs::read(&path).unwrap(), b"two");
        assert_eq!(names(directory.path()), ["latest.json"]);
    }

    #[test]
    fn a_link_in_the_way_is_replaced_and_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        let target = directory.path().join("precious");
        fs::write(&target, "as it was").unwrap();
        let path = directory.path().join("latest.json");
        std::os::unix::fs::symlink(&target, &path).unwrap();
        replace(&path, b"new").unwrap();
        assert_eq!(fs::read_to_string(&target).unwrap(), "as it was");
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn a_failure_leaves_what_was_there_and_no_started_file() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("latest.json");
        fs::create_dir_all(path.join("in the way")).unwrap();
        assert!(replace(&path, b"new").is_err());
        assert_eq!(names(directory.path()), ["latest.json"]);
        assert!(path.join("in the way").is_dir());
    }

    #[test]
    fn only_reports_of_older_runs_are_removed() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for run in ["20261117T033000Z", "20261118T033000Z", "20261118T033000Z-2", "20261118T033000Z-10"] {
            fs::write(at(&format!("{run}.json")), "x").unwrap();
            fs::write(at(&format!("{run}.html")), "x").unwrap();
        }
        let others = ["latest.json", "notes.json", "20261117T033000Z.tar", "20261117T033000Zx.json", "2026.json"];
        for other in others {
            fs::write(at(other), "x").unwrap();
        }
        fs::create_dir(at("20261101T033000Z.json")).unwrap();
        fs::write(at(".unfinished-1-1"), "of somebody who is still writing").unwrap();
        prune(directory.path(), &run_order("20261118T033000Z-10").unwrap(), 2).unwrap();
        assert_eq!(
            names(directory.path()),
            [
                ".unfinished-1-1",
                "2026.json",
                "20261101T033000Z.json",
                "20261117T033000Z.tar",
                "20261117T033000Zx.json",
                "20261118T033000Z-10.html",
                "20261118T033000Z-10.json",
                "20261118T033000Z-2.html",
                "20261118T033000Z-2.json",
                "latest.json",
                "notes.json",
            ]
        );
    }

    #[test]
    fn the_run_that_was_just_written_is_kept_whatever_the_number() {
        let directory = tempfile::tempdir().unwrap();
        for run in ["20261117T033000Z", "20261118T033000Z", "latest"] {
            fs::write(directory.path().join(format!("{run}.json")), "x").unwrap();
        }
        // The clock went back: the current run is the older one.
        prune(directory.path(), &run_order("20261117T033000Z").unwrap(), 0).unwrap();
        assert_eq!(names(directory.path()), ["20261117T033000Z.json", "20261118T033000Z.json", "latest.json"]);
    }

    #[test]
    fn names_that_are_no_runs_name_no_file() {
        for odd in [
            "",
            "latest",
            "../x",
            "20261118T033000Z/..",
            "20261118T033000Z-",
            "20261118T033000Z-+1",
            "20261118T033000Z-1-2",
        ] {
            assert_eq!(run_order(odd), None, "{odd}");
        }
        assert!(run_order("20261118T033000Z") < run_order("20261118T033000Z-2"));
        assert!(run_order("20261118T033000Z-2") < run_order("20261118T033000Z-10"));
    }
}
