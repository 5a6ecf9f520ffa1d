//! A process that does not outlive the one that started it, however that one ends.
//!
//! The only `unsafe` code of the crate: std has no safe step between fork and exec.

#![allow(unsafe_code)]

use std::{io, os::unix::process::CommandExt, process::Command};

use rustix::process::{Signal, getpid, getppid, set_parent_process_death_signal};

/// Lets the kernel send the process SIGTERM when the thread that starts it is gone, also by SIGKILL of its program. So
/// that thread must wait for the process, or live as long as its program.
pub(crate) fn ends_with_parent(command: &mut Command) -> &mut Command {
    let parent = getpid();
    let tie = move || {
        set_parent_process_death_signal(Some(Signal::TERM))?;
        // one that was gone before will send nothing
        if getppid() == Some(parent) { Ok(()) } else { Err(io::Error::from(io::ErrorKind::NotFound)) }
    };
    // SAFETY: after the fork, in what may be a copy of a program with several threads, it only makes system calls.
    unsafe { command.pre_exec(tie) }
}

#[cfg(test)]
mod tests {
    use std::{fs, path::Path, process::Stdio, thread, time::Duration};

    use super::*;

    /// What a process is told when its parent is killed is only seen from outside of both.
    #[test]
    fn a_process_ends_when_its_parent_is_killed() {
        const CHILD: &str = "EC_TESTING_LIFELINE";
        if let Some(file) = std::env::var_os(CHILD) {
            let mut child = ends_with_parent(Command::new("sleep").arg("600")).spawn().unwrap();
            fs::write(file, child.id().to_string()).unwrap();
            child.wait().unwrap();
        }
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("pid");
        let mut parent = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "lifeline::tests::a_process_ends_when_its_parent_is_killed"])
            .env(CHILD, &file)
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        let until = |reached: &dyn Fn() -> bool| {
            (0..1000).any(|_| {
                thread::sleep(Duration::from_millis(20));
                reached()
            })
        };
        assert!(until(&|| fs::read_to_string(&file).is_ok_and(|id| !id.is_empty())));
        let child = format!("/proc/{}", fs::read_to_string(&file).unwrap());
        assert!(Path::new(&child).exists());
        parent.kill().unwrap();
        parent.wait().unwrap();
        let zombie = || fs::read_to_string(format!("{child}/stat")).is_ok_and(|stat| stat.contains(") Z "));
        assert!(until(&|| !Path::new(&child).exists() || zombie()), "it outlives its parent");
    }
}
