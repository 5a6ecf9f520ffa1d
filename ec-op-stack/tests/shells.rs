//! Completions complete real words in real shells, and every command has a man page.

#![allow(clippy::unwrap_used)] // Test code: a panic is its report.

use std::{fs, process::Command};

use ec_testing::shells::Shell;

const PROGRAM: &str = env!("CARGO_BIN_EXE_ec-op-stack");

fn said(arguments: &[&str]) -> String {
    let output = Command::new(PROGRAM).args(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[test]
fn words_are_completed_in_each_shell() {
    for shell in Shell::ALL {
        let script = said(&["completions", shell.name()]);
        for (line, word) in [
            ("ec-op-stack norm", "normalise"),
            ("ec-op-stack key crea", "create"),
            ("ec-op-stack prestate --js", "--json"),
            ("ec-op-stack completions fi", "fish"),
        ] {
            assert_eq!(shell.completes(&script, line), [word], "{shell:?}: {line:?}");
        }
    }
}

/// After a command its flags are offered, and not the files that happen to be there.
#[test]
fn after_a_command_its_own_flags_are_offered() {
    for shell in [Shell::Bash, Shell::Fish] {
        let script = said(&["completions", shell.name()]);
        let offered = shell.completes(&script, "ec-op-stack prestate --");
        assert!(offered.iter().any(|word| word == "--json"), "{shell:?}: {offered:?}");
        assert!(offered.iter().all(|word| word.starts_with("--")), "{shell:?}: {offered:?}");
    }
}

#[test]
fn every_command_has_a_man_page() {
    let dir = tempfile::tempdir().unwrap();
    said(&["man", dir.path().to_str().unwrap()]);
    let pages: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    for name in ["ec-op-stack.1", "ec-op-stack-doctor.1", "ec-op-stack-key-create.1"] {
        assert!(pages.iter().any(|page| page == name), "{name}: {pages:?}");
    }
    for page in &pages {
        let shown = Command::new("man").args(["--warnings", "-l"]).arg(dir.path().join(page)).output().unwrap();
        assert!(shown.status.success() && shown.stderr.is_empty(), "{page:?}: {shown:?}");
    }
}
