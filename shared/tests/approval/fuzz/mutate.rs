//! Seeds, and changes to them that the bytes of an input describe.

use std::fs;
use std::path::PathBuf;

/// The directory of a target's seeds.
pub(crate) fn directory(target: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/approval/fuzz/__fuzz__").join(target).join("corpus")
}

/// The seeds of a target, by name.
pub(crate) fn seeds(target: &str) -> Vec<Vec<u8>> {
    let mut files: Vec<PathBuf> = fs::read_dir(directory(target)).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.sort();
    assert!(!files.is_empty(), "{target} has no seeds");
    files.iter().map(|file| fs::read(file).unwrap()).collect()
}

/// One of the seeds, changed as the script says: four bytes are one change.
pub(crate) fn mutated(seeds: &[Vec<u8>], script: &[u8]) -> Vec<u8> {
    let Some((first, script)) = script.split_first() else { return Vec::new() };
    let mut bytes = seeds[usize::from(*first) % seeds.len()].clone();
    // Few changes get further than many.
    for change in script.chunks_exact(4).take(1 + usize::from(*first) % 4) {
        let at = (usize::from(change[1]) << 8 | usize::from(change[2])) % (bytes.len() + 1);
        let end = (at + usize::from(change[3]) % 16).min(bytes.len());
        match change[0] % 5 {
            0 if at < bytes.len() => bytes[at] = change[3],
            1 => bytes.insert(at, change[3]),
            2 => drop(bytes.drain(at..end)),
            3 => {
                let copy = bytes[at..end].to_vec();
                bytes.splice(at..at, copy);
            }
            _ => {
                let other = &seeds[usize::from(change[3]) % seeds.len()];
                let from = at.min(other.len());
                bytes.truncate(at);
                bytes.extend_from_slice(&other[from..]);
            }
        }
    }
    bytes
}
