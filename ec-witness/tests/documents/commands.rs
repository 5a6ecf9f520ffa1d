//! Commands that documents show are commands of the program.

use std::{fs, path::PathBuf};

use crate::{
    PROGRAM,
    document::{Document, documents, files_below, nothing_wrong, root},
    program::Help,
    shell::{CommandLine, command_lines},
};

/// Values that stand in for a word which the reader is to replace, until the program's own parser takes one.
const SAMPLES: [&str; 6] = [
    "1",
    "1.16.7",
    "0x0000000000000000000000000000000000000001",
    "0x0000000000000000000000000000000000000000000000000000000000000001",
    "http://127.0.0.1:1",
    "127.0.0.1:1",
];

#[test]
fn every_command_that_is_shown_is_taken_by_the_program() {
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for document in documents() {
        for command in command_lines(&document).into_iter().filter(is_ours) {
            tried += 1;
            let words = command.words.join(" ");
            if let Err(why) = parses(&command) {
                wrong.push(format!("{}:{}: {words}: {why}", document.name, command.line));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(tried > 10, "{tried}");
}

/// A command within a sentence that leaves the program's name out.
#[test]
fn every_command_named_without_the_program_is_one() {
    let helps = PROGRAM.helps();
    let (mut wrong, mut tried) = (Vec::new(), 0);
    for document in crate::own_documents() {
        for span in document.spans() {
            let words: Vec<String> = span.what.split_whitespace().map(str::to_owned).collect();
            let is_command = words.len() > 1 && helps.contains_key(&words[..1]);
            let goes_on = |help: &Help| !help.commands.is_empty() || words[1].starts_with('-');
            if is_command && goes_on(&helps[&words[..1]]) {
                tried += 1;
                let command = CommandLine {
                    line: span.line,
                    words: [vec![PROGRAM.name.to_owned()], words].concat(),
                    is_whole: false,
                };
                if let Err(why) = parses(&command) {
                    wrong.push(format!("{}:{}: {}: {why}", document.name, span.line, span.what));
                }
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(crate::COMMANDS_IN_SENTENCES.contains(&tried), "{tried}");
}

#[test]
fn every_variable_is_one_that_the_program_reads() {
    let helps = PROGRAM.helps();
    let known = |name: &str| {
        let of_flag = |help: &Help| help.flags.values().any(|flag| flag.variable.as_deref() == Some(name));
        helps.values().any(|help| of_flag(help) || help.text.contains(&format!("variable {name}")))
            || crate::HIDDEN_VARIABLES.contains(&name)
    };
    let (mut wrong, mut seen) = (Vec::new(), 0);
    for document in documents().into_iter().chain(crate::packaging()) {
        for (number, line) in document.text().lines().enumerate() {
            for name in variables(line) {
                seen += 1;
                if !known(&name) {
                    wrong.push(format!("{}:{}: {name}", document.name, number + 1));
                }
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(seen >= crate::VARIABLES, "{seen}");
}

#[test]
fn every_flag_in_a_sentence_is_one() {
    let helps = PROGRAM.helps();
    // other programs' flags: what a script takes, an image is built with, or a program of the OP Stack lists
    let others: String = ["scripts", "nix/lib", "ec-op-stack", "ec-witness/packaging"]
        .into_iter()
        .flat_map(files_below)
        .map(read)
        .collect();
    let mut wrong = Vec::new();
    for document in crate::own_documents() {
        for span in document.spans().into_iter().filter(|span| span.what.starts_with("--")) {
            let flag = span.what.trim_start_matches('-').split([' ', '=']).next().unwrap();
            let is_ours = helps.values().any(|help| help.flags.contains_key(flag));
            // as a script has it, as a list of a program's flags has it
            let forms = [format!("--{flag}"), format!("\n{flag} "), format!("\"{flag}\"")];
            if !is_ours && !forms.iter().any(|form| others.contains(form)) {
                wrong.push(format!("{}:{}: {}", document.name, span.line, span.what));
            }
        }
    }
    nothing_wrong(&wrong);
}

fn is_ours(command: &CommandLine) -> bool {
    let name = command.words[0].rsplit('/').next().unwrap();
    // in a sentence, the program's name alone is no command
    name == PROGRAM.name && command.words.len() > 1 && !is_placeholder(&command.words[1])
}

/// Whether the program's own parser takes it. Help is asked for behind it, so nothing is run; arguments that are missing
/// are told by the usage.
fn parses(command: &CommandLine) -> Result<(), String> {
    let mut args = command.words[1..].to_vec();
    loop {
        let output = PROGRAM.run(&[&args[..], &["--help".to_owned()]].concat());
        if output.status.success() {
            return if command.is_whole { has_all(&args) } else { Ok(()) };
        }
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        // a sentence may end with a flag whose value it leaves to the reader
        if !command.is_whole && said.starts_with("error: a value is required for") {
            return Ok(());
        }
        let refused = said.strip_prefix("error: invalid value '").and_then(|said| said.split('\'').next());
        let replaced = args.iter_mut().find(|arg| Some(arg.as_str()) == refused).is_some_and(stand_in);
        if !replaced {
            return Err(said.lines().next().unwrap_or_default().to_owned());
        }
    }
}

/// Puts the first sample in a placeholder's place, or the next one in a sample's.
fn stand_in(word: &mut String) -> bool {
    let next = match SAMPLES.iter().position(|sample| sample == word) {
        Some(place) => SAMPLES.get(place + 1),
        None => SAMPLES.first().filter(|_| is_placeholder(word)),
    };
    next.map(|next| *word = (*next).to_owned()).is_some()
}

/// `ADDRESS`, `0x…`: a word that the reader is to replace.
fn is_placeholder(word: &str) -> bool {
    word.contains('…') || word.chars().all(|c| c.is_ascii_uppercase() || matches!(c, '_' | '-'))
}

/// Whether every argument is there that the usage demands.
fn has_all(args: &[String]) -> Result<(), String> {
    let depth = (0..=args.len()).rev().find(|&depth| is_command(&args[..depth])).unwrap_or_default();
    let help = PROGRAM.help(&args[..depth]);
    let (mut given, mut rest) = (0, args[depth..].iter());
    while let Some(arg) = rest.next() {
        match arg.strip_prefix("--") {
            Some(flag) if help.flags.get(flag).is_some_and(|flag| flag.takes_value) => _ = rest.next(),
            Some(_) => {}
            None => given += 1,
        }
    }
    let (mut needed, mut flags) = (0, help.required.iter().peekable());
    while let Some(required) = flags.next() {
        if required.starts_with("--") {
            flags.next_if(|next| next.starts_with('<'));
            if !args.contains(required) {
                return Err(format!("{required} is missing"));
            }
        } else {
            needed += 1;
        }
    }
    if given < needed { Err(format!("{needed} arguments are needed, not {given}")) } else { Ok(()) }
}

fn is_command(path: &[String]) -> bool {
    let Some((last, above)) = path.split_last() else { return true };
    is_command(above) && PROGRAM.help(above).commands.contains(last)
}

fn read(path: PathBuf) -> String {
    fs::read_to_string(root().join(path)).unwrap_or_default()
}

/// The program's variables that a line names.
fn variables(line: &str) -> Vec<String> {
    let words = line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
    let ours = words.filter(|word| word.starts_with(crate::VARIABLE_PREFIX) && *word != crate::VARIABLE_PREFIX);
    ours.map(str::to_owned).collect()
}

/// Reads these.
pub(crate) fn all(names: &[&str]) -> Vec<Document> {
    names.iter().map(|name| Document::read(name)).collect()
}
