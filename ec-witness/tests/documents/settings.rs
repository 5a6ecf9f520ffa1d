//! Settings and defaults are the program's.
//!
//! What the program takes is asked of itself: an unknown key is refused with the names of those that are known, and the
//! help tells flags, variables and defaults.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
};

use toml::{Table, Value};

use crate::{
    PROGRAM,
    document::{Document, documents, nothing_wrong, root},
    program::{Flag, Help},
};

/// The block time that stands for a number of blocks where none is configured, milliseconds (the OP Stack's).
const BLOCK_MS: u64 = 2000;

/// Keys whose flag has another name.
const OTHER_FLAGS: [((&str, &str), &str); 2] = [(("archive", "dir"), "archive"), (("store", "dir"), "store")];

/// A key that no section has.
const UNKNOWN: &str = "no_such_key";

/// The README's whole example.
fn example() -> String {
    let blocks = Document::read("README.md").blocks();
    let block =
        blocks.into_iter().find(|block| block.what.language == "toml" && block.what.text.contains("[agreement]"));
    block.expect("the README shows a configuration").what.text
}

#[test]
fn every_toml_that_is_shown_is_taken_by_the_program() {
    let (mut wrong, mut read) = (Vec::new(), 0);
    for document in documents() {
        // the explorer's own is held to the explorer
        let is_another_programs = |text: &str| text.starts_with("[explorer]");
        let blocks = document.blocks().into_iter().filter(|block| block.what.language == "toml");
        for block in blocks.filter(|block| !is_another_programs(&block.what.text)) {
            read += 1;
            if let Err(why) = is_taken_in_a_section(&block.what.text) {
                wrong.push(format!("{}:{}: {why}", document.name, block.line));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(read >= 3, "{read}");
}

#[test]
fn the_readme_shows_every_key_and_no_other() {
    let shown: Table = toml::from_str(&example()).unwrap();
    let shown: BTreeMap<String, BTreeSet<String>> =
        shown.iter().map(|(name, value)| (name.clone(), keys(value))).collect();
    let known: BTreeMap<String, BTreeSet<String>> =
        sections().into_iter().map(|name| (name.clone(), known_keys(&name))).collect();
    // a key that excludes another one is shown as a comment
    let commented = example()
        .lines()
        .filter_map(|line| Some(line.strip_prefix("# ")?.split_once(" = ")?.0.to_owned()))
        .collect::<BTreeSet<_>>();
    for (section, known) in &known {
        let shown: BTreeSet<_> =
            shown.get(section).into_iter().flatten().chain(commented.intersection(known)).cloned().collect();
        assert_eq!(&shown, known, "[{section}]");
    }
    assert_eq!(shown.keys().collect::<Vec<_>>(), known.keys().collect::<Vec<_>>());
    assert_eq!(keys(&toml::from_str::<Table>(&example()).unwrap()["archive"]["fields"]), known_keys("archive.fields"));
}

#[test]
fn every_key_has_its_flag_and_variable_unless_the_readme_says_that_it_has_none() {
    let flags = flags();
    let mut wrong = Vec::new();
    let lines = lines_of_example().into_iter().filter(|line| !line.of_section.contains("file only"));
    for Line { section, key, comment, .. } in lines {
        let only_in_file = comment.contains("file only");
        let name = OTHER_FLAGS
            .iter()
            .find(|(of, _)| *of == (&section, &key))
            .map_or(key.replace('_', "-"), |(_, flag)| (*flag).into());
        let variable = format!("EC_WITNESS_{}", name.replace('-', "_").to_uppercase());
        let flag = flags.get(&name).filter(|flag| flag.variable.as_ref() == Some(&variable));
        if only_in_file == flag.is_some() {
            wrong.push(format!("[{section}] {key}: --{name}, {variable}"));
        }
    }
    nothing_wrong(&wrong);
}

#[test]
fn every_default_in_the_readme_is_the_programs() {
    let flags = flags();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    let shown: Table = toml::from_str(&example()).unwrap();
    for Line { section, key, comment, .. } in lines_of_example() {
        let Some(default) = flags.get(&key.replace('_', "-")).and_then(|flag| flag.default.clone()) else { continue };
        let Some(value) = shown[&section].get(&key) else { continue };
        compared += 1;
        // what is no number is said beside it
        if !is_default(value, &default) && !comment.contains(&format!("default: {default}")) {
            wrong.push(format!("[{section}] {key} = {value}, but the default is {default}"));
        }
    }
    nothing_wrong(&wrong);
    assert!(compared >= 20, "{compared}");
}

/// What has no flag is listed below the flags: `[section] key [default: value]`.
#[test]
fn every_default_that_only_the_file_sets_is_the_programs() {
    let shown: Table = toml::from_str(&example()).unwrap();
    let (lines, help) = (lines_of_example(), PROGRAM.help(&["run".to_owned()]).text);
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for line in help.lines().map(str::trim).filter(|line| line.starts_with('[')) {
        let Some((name, default)) = line.trim_end_matches(']').split_once(" [default: ") else { continue };
        let (section, key) = name.rsplit_once(' ').unwrap();
        let mut parts = section.trim_matches(['[', ']']).split('.');
        let top = parts.next().unwrap();
        let table = parts.try_fold(&shown[top], |table, part| table.get(part));
        let value = table.and_then(|table| table.get(key));
        // an example that is not the default says what is
        let is_said = |line: &Line| line.comment.contains(&format!("\"{default}\", the default"));
        let said = lines.iter().any(|line| line.section == top && line.key == key && is_said(line));
        compared += 1;
        if !said && !value.is_some_and(|value| is_default(value, default)) {
            wrong.push(format!("{name} = {value:?}, but the default is {default}"));
        }
    }
    nothing_wrong(&wrong);
    assert!(compared >= 7, "{compared}");
}

#[test]
fn the_protocols_constants_are_the_programs() {
    let keys: BTreeSet<String> = sections().iter().flat_map(|section| known_keys(section)).collect();
    let flags = flags();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for row in Document::read("docs/protocol.md").rows().into_iter().filter(|row| row.what.head == "name") {
        let [name, value, configurable] = &row.what.cells[..] else { continue };
        let Some(key) = name.spans.first() else { continue };
        let is_configurable = configurable.text != "no";
        if keys.contains(key) != is_configurable {
            wrong.push(format!("docs/protocol.md:{}: `{key}` configurable: {}", row.line, configurable.text));
        }
        if let Some(default) = flags.get(&key.replace('_', "-")).and_then(|flag| flag.default.clone()) {
            compared += 1;
            let value = Value::Integer(value.text.replace(' ', "").parse().unwrap());
            if !is_default(&value, &default) {
                wrong.push(format!("docs/protocol.md:{}: `{key}` is {value}, but the default is {default}", row.line));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(compared >= 12, "{compared}");
}

/// `name` (12 000), `name` (64): a number behind a setting.
#[test]
fn every_number_behind_a_setting_is_its_default() {
    let flags = flags();
    let (mut wrong, mut compared) = (Vec::new(), 0);
    for document in crate::own_documents() {
        for (number, line) in document.text().lines().enumerate() {
            for (key, value) in line.split('`').skip(1).step_by(2).zip(line.split('`').skip(2).step_by(2)) {
                let Some(told) = value.strip_prefix(" (").and_then(|value| value.split_once(')')) else { continue };
                let Ok(told) = told.0.replace(' ', "").parse() else { continue };
                let Some(default) = flags.get(&key.replace('_', "-")).and_then(|flag| flag.default.clone()) else {
                    continue;
                };
                compared += 1;
                if !is_default(&Value::Integer(told), &default) {
                    wrong.push(format!(
                        "{}:{}: `{key}` ({told}), but the default is {default}",
                        document.name,
                        number + 1
                    ));
                }
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(compared >= 6, "{compared}");
}

fn is_default(value: &Value, default: &str) -> bool {
    match value {
        Value::Integer(number) => match default.strip_suffix(" blocks") {
            Some(blocks) => blocks.parse().is_ok_and(|blocks: u64| *number as u64 == blocks * BLOCK_MS),
            None => *number.to_string() == *default,
        },
        Value::Array(values) => values.iter().filter_map(Value::as_str).eq(default.split(',')),
        other => other.as_str() == Some(default),
    }
}

/// Every flag that is a setting; as `run` has it, where `run` does.
fn flags() -> BTreeMap<String, Flag> {
    let run = PROGRAM.help(&["run".to_owned()]);
    let helps = PROGRAM.helps().into_values().chain([run]);
    helps.flat_map(|Help { flags, .. }| flags).filter(|(_, flag)| flag.variable.is_some()).collect()
}

/// A key in the example, with the comments beside it and beside its section.
struct Line {
    section: String,
    key: String,
    comment: String,
    of_section: String,
}

fn lines_of_example() -> Vec<Line> {
    let (mut found, mut section, mut of_section) = (Vec::new(), String::new(), String::new());
    for line in example().lines() {
        let (said, comment) = line.split_once(" # ").unwrap_or((line, ""));
        if said.starts_with('[') {
            (section, of_section) = (said.trim().trim_matches(['[', ']']).to_owned(), comment.to_owned());
        } else if let Some((key, _)) = said.trim_start_matches("# ").split_once(" = ") {
            let top = section.split('.').next().unwrap().to_owned();
            found.push(Line {
                section: top,
                key: key.trim().to_owned(),
                comment: comment.to_owned(),
                of_section: of_section.clone(),
            });
        }
    }
    found
}

/// The keys of a section, or of all tables of one that is repeated.
fn keys(section: &Value) -> BTreeSet<String> {
    let tables = section.as_array().map_or(std::slice::from_ref(section), Vec::as_slice);
    tables.iter().flat_map(|table| table.as_table().unwrap().keys().cloned()).collect()
}

/// The sections that the program knows.
fn sections() -> Vec<String> {
    expected(&format!("[{UNKNOWN}]\n"))
}

fn known_keys(section: &str) -> BTreeSet<String> {
    let (open, close) = if section == "stream" { ("[[", "]]") } else { ("[", "]") };
    expected(&format!("{open}{section}{close}\n{UNKNOWN} = 1\n")).into_iter().collect()
}

/// What the program names as known instead of the key that it refuses.
fn expected(text: &str) -> Vec<String> {
    let refusal = is_taken(text).expect_err("an unknown key is refused");
    let (_, expected) = refusal.split_once("expected").unwrap_or_else(|| panic!("{refusal}"));
    expected.split('`').skip(1).step_by(2).map(str::to_owned).collect()
}

/// As it stands or, where it is a part of a section, within the one that takes it.
fn is_taken_in_a_section(text: &str) -> Result<(), String> {
    let as_it_stands = is_taken(text);
    let within = |section: &String| is_taken(&format!("[{section}]\n{text}"));
    if text.starts_with('[') || !sections().iter().any(|section| within(section).is_ok()) {
        as_it_stands
    } else {
        Ok(())
    }
}

/// Whether the program reads this as its configuration. It derives from the sample then; where a ledger is configured it
/// first asks its chain, which is not there, and has read all else by then.
fn is_taken(text: &str) -> Result<(), String> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("config.toml");
    fs::write(&path, text.replace("\"0x…\"", "\"0x0000000000000000000000000000000000000001\"")).unwrap();
    let args = ["derive", "--json", "--archive"].map(str::to_owned).to_vec();
    let sample = root().join("archives/sample").to_str().unwrap().to_owned();
    let output = PROGRAM.run(&[args, vec![sample, "--config".into(), path.to_str().unwrap().into()]].concat());
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    let asks_the_chain = said.contains("error: rpc ");
    if output.status.success() || asks_the_chain { Ok(()) } else { Err(said) }
}
