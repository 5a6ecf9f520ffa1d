//! Files, scripts and tests that documents name are there.

use std::{
    collections::BTreeSet,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use crate::{
    document::{Document, FOREIGN, documents, files_below, nothing_wrong, root},
    shell::{CommandLine, command_lines},
};

/// Files that are named and only there once a command has made them.
const MADE: [&str; 1] = ["nix/images.lock.json"];

/// Endings of files that are the repository's own wherever they are named.
const ENDINGS: [&str; 4] = [".rs", ".sol", ".sh", ".nix"];

#[test]
fn every_file_and_folder_that_is_named_is_there() {
    let names: BTreeSet<String> =
        files_below("").iter().map(|path| path.file_name().unwrap().to_string_lossy().into()).collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for document in documents() {
        let bases = bases(&document);
        for span in document.spans() {
            let word = span.what.split_whitespace().next().unwrap_or_default();
            match is_path(word, &bases) {
                None if ENDINGS.iter().any(|ending| word.ends_with(ending)) && !word.contains(['/', '…', '*']) => {
                    seen += 1;
                    if !names.contains(word) {
                        wrong.push(format!("{}:{}: {word}", document.name, span.line));
                    }
                }
                Some(false) => wrong.push(format!("{}:{}: {word}", document.name, span.line)),
                Some(true) => seen += 1,
                None => {}
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_file_in_a_command_is_there_and_every_script_has_the_flags() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for document in documents() {
        for command in command_lines(&document) {
            let is_gone = |word: &&String| is_path(word, &bases(&document)) == Some(false);
            let gone = command.words.iter().filter(is_gone);
            wrong.extend(gone.map(|word| format!("{}:{}: {word} is not there", document.name, command.line)));
            let Some(script) = script(&document, &command.words[0]) else { continue };
            seen += 1;
            for word in words_unknown_to(&script, &command) {
                wrong.push(format!("{}:{}: {}: {word}", document.name, command.line, command.words.join(" ")));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(seen > 40, "{seen}");
}

#[test]
fn every_cargo_command_names_what_there_is() {
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for document in documents() {
        for command in command_lines(&document).iter().filter(|command| command.words[0] == "cargo") {
            seen += 1;
            for word in unknown_to_cargo(&command.words) {
                wrong.push(format!("{}:{}: {}: {word}", document.name, command.line, command.words.join(" ")));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(seen > 5, "{seen}");
}

/// `a_full_disk…`: the beginning of a test's name.
#[test]
fn every_test_that_a_promise_names_is_there() {
    let sources: String =
        files_below("").iter().filter(|path| path.extension().is_some_and(|end| end == "rs")).map(read).collect();
    let document = Document::read("docs/threat-model.md");
    let begun = |span: &str| Some(span.strip_suffix('…')?.to_owned()).filter(|name| name.contains('_'));
    let tests: Vec<String> = document.spans().iter().filter_map(|span| begun(&span.what)).collect();
    assert!(tests.len() > 5, "{tests:?}");
    let wrong: Vec<_> = tests.into_iter().filter(|test| !sources.contains(&format!("fn {test}"))).collect();
    nothing_wrong(&wrong);
}

/// Where a document's paths begin: the root, its own folder, and where it says that they do.
fn bases(document: &Document) -> Vec<PathBuf> {
    let mut bases = vec![root().to_owned(), document.folder()];
    if document.name == "docs/threat-model.md" {
        bases.extend(["ec-witness/tests", "ec-witness"].map(|folder| root().join(folder)));
    }
    bases
}

/// Whether this path is there; `None` for what is no path of the repository: one whose first part is nowhere.
fn is_path(word: &str, bases: &[PathBuf]) -> Option<bool> {
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "./_-".contains(c));
    let (first, _) = word.split_once('/').filter(|(first, _)| is_plain && !matches!(*first, "" | "."))?;
    let is_ours = |base: &&PathBuf| base.join(first).exists() && !(*base == root() && FOREIGN.contains(&first));
    let of: Vec<_> = bases.iter().filter(is_ours).collect();
    // a folder in capitals, or a file, is for the reader to replace
    let is_replaced = |part: &str| part.len() > 2 && part.chars().all(|c| c.is_ascii_uppercase());
    let is_pattern = word.split(['/', '.']).any(is_replaced) && !word.ends_with(".md");
    if of.is_empty() || is_pattern || word.contains("node_modules") || MADE.contains(&word) {
        return None;
    }
    Some(of.iter().any(|base| base.join(word).exists()))
}

/// A script of the repository.
fn script(document: &Document, word: &str) -> Option<PathBuf> {
    let bases = bases(document);
    is_path(word, &bases)?;
    let found = bases.iter().map(|base| base.join(word)).find(|path| path.is_file())?;
    // a program that npm brings is no script of ours
    fs::read(&found).ok().filter(|text| text.starts_with(b"#!")).map(|_| found.clone())
}

/// Flags that the script's help does not have, and names that its list does not.
fn words_unknown_to(script: &Path, command: &CommandLine) -> Vec<String> {
    if fs::metadata(script).unwrap().permissions().mode() & 0o111 == 0 {
        return vec!["it cannot be run".into()];
    }
    let help = help(script);
    let words = |text: &str| -> BTreeSet<String> {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && !"-:_".contains(c));
        words.map(str::to_owned).collect()
    };
    let flags = words(&help);
    let is_name = |word: &str| word.chars().all(|c| c.is_ascii_lowercase() || "-:".contains(c));
    let mut unknown = Vec::new();
    for (before, word) in command.words.iter().zip(&command.words[1..]) {
        let is_known = match word.starts_with("--") {
            true => flags.contains(word),
            // behind a flag stands its value, if anything
            false if before.starts_with("--") || !is_name(word) || !help.contains("  --list ") => true,
            false => words(&output(script, "--list")).contains(word),
        };
        unknown.extend((!is_known).then(|| word.clone()));
    }
    unknown
}

/// A script's help, where it has one: how a script takes the flag is looked for, as any other would start its work. Else
/// its text, which must name its flags.
fn help(script: &Path) -> String {
    let text = fs::read_to_string(script).unwrap();
    let takes = ["--help)", "== --help "].iter().any(|takes| text.contains(takes));
    if takes { output(script, "--help") } else { text }
}

fn output(script: &Path, flag: &str) -> String {
    let output = Command::new(script).arg(flag).stdin(Stdio::null()).output().unwrap();
    [output.stdout, output.stderr].map(|text| String::from_utf8_lossy(&text).into_owned()).concat()
}

fn unknown_to_cargo(words: &[String]) -> Vec<String> {
    let files = files_below("");
    let target = |folder: &str, name: &str| {
        let ends = [format!("{folder}/{name}.rs"), format!("{folder}/{name}/main.rs")];
        files.iter().find(|path| ends.iter().any(|end| path.ends_with(end))).cloned()
    };
    let package = |name: &str| {
        let is_named =
            |path: &&PathBuf| path.ends_with("Cargo.toml") && read(path).contains(&format!("name = \"{name}\""));
        files.iter().find(is_named).cloned()
    };
    let mut unknown = Vec::new();
    let mut test = None;
    for pair in words.windows(2) {
        let found = match pair[0].as_str() {
            "-p" | "--package" => package(&pair[1]),
            "--test" => target("tests", &pair[1]),
            "--bench" => target("benches", &pair[1]),
            "--example" => target("examples", &pair[1]),
            _ => continue,
        };
        if found.is_none() {
            unknown.push(pair[1].clone());
        }
        test = test.or(found.filter(|_| pair[0] == "--test"));
    }
    // what stands behind the test's name, or behind the dashes, picks tests by a part of their path
    let Some(test) = test else { return unknown };
    let folder = test.parent().unwrap();
    let tests: String = files
        .iter()
        .filter(|path| path.starts_with(folder))
        .map(|path| format!("{} {}", path.display(), read(path)))
        .collect();
    let is_filter = |word: &&String| word.chars().all(|c| c.is_ascii_lowercase() || "_:".contains(c));
    let filters = words.iter().skip_while(|word| *word != "--test").skip(2).filter(is_filter);
    unknown.extend(filters.filter(|filter| !tests.contains(filter.as_str())).cloned());
    unknown
}

fn read(path: &PathBuf) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}
