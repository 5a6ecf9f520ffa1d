//! Which process holds a store, found without touching its lock.

use std::{fs, os::unix::fs::MetadataExt, path::Path};

use super::files::LOCK_FILE;

/// The process that holds the store in this directory, if one is seen. Reads the kernel's list of locks (proc_locks(5)),
/// as trying the lock itself could make a starting daemon fail. A process in another PID namespace is not seen.
pub fn holder(directory: &Path) -> Option<u32> {
    let inode = fs::metadata(directory.join(LOCK_FILE)).ok()?.ino();
    let locks = fs::read_to_string("/proc/locks").ok()?;
    locks.lines().filter_map(|line| held_by(line, inode)).find(|&process| is_ec_witness(process))
}

/// The process that a line says to hold an exclusive lock on this inode. The device is not compared: some file systems
/// show another one to stat(2).
fn held_by(line: &str, inode: u64) -> Option<u32> {
    let fields: Vec<_> = line.split_whitespace().collect();
    let [_, "FLOCK", _, "WRITE", process, place, ..] = fields.as_slice() else { return None };
    (place.rsplit(':').next()?.parse() == Ok(inode)).then(|| process.parse().ok())?
}

fn is_ec_witness(process: u32) -> bool {
    fs::read_to_string(format!("/proc/{process}/comm")).is_ok_and(|name| name.trim_end() == "ec-witness")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_an_exclusive_lock_on_the_file_counts() {
        assert_eq!(held_by("1: FLOCK  ADVISORY  WRITE 4711 fe:00:123 0 EOF", 123), Some(4711));
        assert_eq!(held_by("1: FLOCK  ADVISORY  WRITE 4711 fe:00:1123 0 EOF", 123), None);
        assert_eq!(held_by("2: FLOCK  ADVISORY  READ 4711 fe:00:123 0 EOF", 123), None);
        assert_eq!(held_by("3: POSIX  ADVISORY  WRITE 4711 fe:00:123 0 EOF", 123), None);
        assert_eq!(held_by("3: -> FLOCK  ADVISORY  WRITE 4712 fe:00:123 0 EOF", 123), None, "it waits");
    }
}
