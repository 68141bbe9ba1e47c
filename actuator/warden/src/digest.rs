//! sha256 of a file, however long it is.

use sha2::{Digest as _, Sha256};
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// 64 hex digits.
pub(crate) fn of_file(path: &Path) -> io::Result<String> {
    let mut digest = Sha256::new();
    feed(&mut File::open(path)?, &mut digest)?;
    Ok(hex(digest))
}

/// Adds everything that is left to read.
pub(crate) fn feed(from: &mut impl Read, digest: &mut Sha256) -> io::Result<()> {
    let mut part = vec![0; 65536];
    loop {
        match from.read(&mut part)? {
            0 => return Ok(()),
            some => digest.update(&part[..some]),
        }
    }
}

/// 64 hex digits.
pub(crate) fn hex(digest: Sha256) -> String {
    digest.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}
