//! How much memory the process may use.

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Where the second version of control groups is mounted (systemd's `MemoryHigh=` and `MemoryMax=`, a container's `--memory`).
const CGROUPS: &str = "/sys/fs/cgroup";

/// The least of the limits of the process's control group and of those above it, else all memory of the machine, bytes; `None`
/// where the system tells nothing.
pub(super) fn limit() -> Option<u64> {
    let read = |path: &Path| fs::read_to_string(path).ok();
    let groups = read(Path::new("/proc/self/cgroup")).unwrap_or_default();
    let limits = group(&groups).into_iter().flat_map(|group| limits(&group, read));
    let machine = read(Path::new("/proc/meminfo")).and_then(|told| total(&told));
    limits.chain(machine).min()
}

/// The process's group below [`CGROUPS`], by what `/proc/self/cgroup` says: the line of the one hierarchy begins with `0::`.
fn group(told: &str) -> Option<PathBuf> {
    let path = told.lines().find_map(|line| line.strip_prefix("0::/"))?;
    Some(Path::new(CGROUPS).join(path))
}

/// The limits of a group and of those above it. Where there is none, the file says `max`.
fn limits(group: &Path, read: impl Fn(&Path) -> Option<String>) -> Vec<u64> {
    let groups = group.ancestors().take_while(|group| group.starts_with(CGROUPS));
    let files = groups.flat_map(|group| [group.join("memory.high"), group.join("memory.max")]);
    files.filter_map(|file| read(&file)?.trim().parse().ok()).collect()
}

/// All memory of the machine, by `/proc/meminfo`: `MemTotal:       16384 kB`.
fn total(told: &str) -> Option<u64> {
    let total = told.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    total.trim().strip_suffix(" kB")?.parse::<u64>().ok()?.checked_mul(1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_of_the_group_and_of_all_above_it() {
        let group = group("0::/system.slice/ec-witness.service\n").unwrap();
        let read = |path: &Path| {
            let told = match path.to_str()? {
                "/sys/fs/cgroup/system.slice/ec-witness.service/memory.high" => "6442450944\n",
                "/sys/fs/cgroup/system.slice/ec-witness.service/memory.max" => "8589934592\n",
                "/sys/fs/cgroup/system.slice/memory.high" => "max\n",
                "/sys/fs/cgroup/system.slice/memory.max" => "4294967296\n",
                _ => return None,
            };
            Some(told.to_owned())
        };
        assert_eq!(limits(&group, read), [6 << 30, 8 << 30, 4 << 30]);
        assert_eq!(limits(&group, |_| None), [0u64; 0]);
    }

    #[test]
    fn a_container_sees_its_own_group_as_the_root() {
        assert_eq!(group("0::/\n"), Some(PathBuf::from("/sys/fs/cgroup/")));
        assert_eq!(group("12:memory:/user\n0::/a\n"), Some(PathBuf::from("/sys/fs/cgroup/a")));
        assert_eq!(group("12:memory:/user\n"), None, "the first version only");
    }

    #[test]
    fn the_machine_has_what_meminfo_tells() {
        assert_eq!(total("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(total("MemFree: 1 kB\n"), None);
        assert!(limit().is_some_and(|limit| limit > 1 << 20), "of this machine");
    }
}
