//! Who counts as a person: the approvers, without bots and without what was revoked.

use crate::config::Config;
use countersign_shared::approval::allowed_signers::AllowedSigners;
use countersign_shared::approval::people::{People, read_keys};
use ssh_key::public::KeyData;
use std::io;
use std::path::{Path, PathBuf};

/// Why the approvers cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum ApproversError {
    /// The file cannot be read.
    #[error("cannot read {}", path.display())]
    File {
        /// Which file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line cannot be read.
    #[error("{}: {problem}", path.display())]
    Line {
        /// Which file.
        path: PathBuf,
        /// Which line, and what is wrong.
        problem: String,
    },
}

/// Both lists, as they are in their files now.
#[derive(Debug)]
pub(crate) struct Lists {
    approvers: AllowedSigners,
    revoked: Vec<KeyData>,
}

impl Lists {
    /// Read again for every signature: who was taken from the list must not have to wait for a restart.
    pub(crate) fn read(config: &Config) -> Result<Self, ApproversError> {
        let read = |path: &Path| {
            std::fs::read_to_string(path).map_err(|source| ApproversError::File { path: path.to_owned(), source })
        };
        let wrong = |path: &Path, problem: String| ApproversError::Line { path: path.to_owned(), problem };
        let approvers = AllowedSigners::parse(&read(&config.approvers)?)
            .map_err(|error| wrong(&config.approvers, error.to_string()))?;
        let revoked = match &config.revoked {
            None => Vec::new(),
            Some(path) => {
                let text = read(path)?;
                read_keys(&text).map_err(|line| wrong(path, format!("line {line}: the key cannot be read")))?
            }
        };
        Ok(Self { approvers, revoked })
    }

    /// To be asked at `now`, Unix seconds.
    pub(crate) fn people<'a>(&'a self, config: &'a Config, now: i64) -> People<'a> {
        People {
            listed: &self.approvers,
            bots: &config.bots,
            revoked: &self.revoked,
            require_touch: config.require_touch,
            now,
        }
    }
}
