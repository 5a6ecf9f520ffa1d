//! What is left to do: a pure comparison of what is there with what shall be.

use std::collections::{BTreeMap, BTreeSet};

use super::listing::Listed;

/// What makes a copy equal to its original.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan<'a> {
    /// Copied by an earlier run, and the original has not been written since.
    pub(super) keep: Vec<&'a Listed>,
    /// Not copied yet, or written since.
    pub(super) copy: Vec<&'a Listed>,
    /// In the copy only: what an earlier run did not finish, and what the original has no longer.
    pub(super) remove: Vec<&'a str>,
}

/// Compares an original with what earlier runs have copied of it. A copy has its original's time, and is renamed into its
/// place when it is whole and on the disk: so one of equal size and time is that file.
pub(super) fn plan<'a>(original: &'a [Listed], copied: &'a [Listed]) -> Plan<'a> {
    let there: BTreeMap<_, _> = copied.iter().map(|file| (file.path.as_str(), file)).collect();
    let wanted: BTreeSet<_> = original.iter().map(|file| file.path.as_str()).collect();
    let is_kept = |file: &Listed| {
        there.get(file.path.as_str()).is_some_and(|copy| copy.size == file.size && copy.modified == file.modified)
    };
    let (keep, copy) = original.iter().partition(|file| is_kept(file));
    let remove = there.into_keys().filter(|path| !wanted.contains(path) && !is_part_of(path, &wanted)).collect();
    Plan { keep, copy, remove }
}

/// What a file is called until it is whole.
pub(super) const PART: &str = ".ec-part";

/// The unfinished copy of a file that is wanted: it is gone on with.
fn is_part_of(path: &str, wanted: &BTreeSet<&str>) -> bool {
    path.strip_suffix(PART).is_some_and(|path| wanted.contains(path))
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use super::*;

    fn listed(path: &str, size: u64, seconds: u64) -> Listed {
        let modified = SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        Listed { path: path.to_owned(), size, mode: 0o600, modified }
    }

    fn names<'a>(files: &[&'a Listed]) -> Vec<&'a str> {
        files.iter().map(|file| file.path.as_str()).collect()
    }

    #[test]
    fn only_what_differs_is_copied_and_nothing_else_stays() {
        let original = [listed("a", 1, 1), listed("b", 1, 1), listed("c", 1, 1), listed("d", 1, 1)];
        let copied = [
            listed("a", 1, 1),
            listed("b", 2, 1),
            listed("c", 1, 2),
            listed("d.ec-part", 1, 9),
            listed("gone", 1, 1),
            listed("gone.ec-part", 1, 1),
        ];
        let Plan { keep, copy, remove } = plan(&original, &copied);
        assert_eq!(names(&keep), ["a"]);
        assert_eq!(names(&copy), ["b", "c", "d"]);
        assert_eq!(remove, ["gone", "gone.ec-part"]);
    }

    #[test]
    fn of_nothing_all_is_copied() {
        let original = [listed("a", 1, 1)];
        assert_eq!(plan(&original, &[]), Plan { copy: vec![&original[0]], ..Plan::default() });
        assert_eq!(plan(&[], &[]), Plan::default());
    }
}
