//! Command lines, as documents show them to a person with a shell.

use std::collections::BTreeMap;

use crate::document::Document;

/// A command that a document shows.
#[derive(Debug)]
pub(crate) struct CommandLine {
    /// The line it stands in.
    pub(crate) line: usize,
    /// Program and arguments; assignments, redirections and wrappers such as `sudo` are taken off.
    pub(crate) words: Vec<String>,
    /// Whether it is to be typed as it stands; one in the middle of a sentence may lack arguments.
    pub(crate) is_whole: bool,
}

/// What a code block must be called to be read as a shell's input.
const SHELL: [&str; 3] = ["", "sh", "bash"];

/// Every command that a document shows.
pub(crate) fn command_lines(document: &Document) -> Vec<CommandLine> {
    let mut found = Vec::new();
    for block in document.blocks().into_iter().filter(|block| SHELL.contains(&block.what.language.as_str())) {
        let mut arrays = BTreeMap::new();
        for (line, text) in joined(&block.what.text) {
            let commands = commands(&text, &mut arrays).into_iter();
            found.extend(commands.map(|words| CommandLine { line: block.line + line, words, is_whole: true }));
        }
    }
    for span in document.spans() {
        let commands = commands(&span.what, &mut BTreeMap::new()).into_iter();
        found.extend(commands.map(|words| CommandLine { line: span.line, words, is_whole: false }));
    }
    found
}

/// Lines, with those joined that a backslash or an open array ties together, and the number of the first.
fn joined(text: &str) -> Vec<(usize, String)> {
    let (mut lines, mut open): (Vec<(usize, String)>, bool) = (Vec::new(), false);
    for (number, line) in text.lines().enumerate() {
        let goes_on = line.ends_with('\\');
        let line = line.trim_end_matches('\\').trim();
        match lines.last_mut().filter(|_| open) {
            Some((_, last)) => *last += &format!(" {line}"),
            None => lines.push((number, line.to_owned())),
        }
        let last = &lines[lines.len() - 1].1;
        open = goes_on || array(last).is_some() && !last.ends_with(')');
    }
    lines
}

/// The name and the words of `name=(words`.
fn array(line: &str) -> Option<(&str, &str)> {
    let (name, words) = line.split_once("=(")?;
    name.chars().all(|c| c.is_ascii_lowercase()).then_some((name, words))
}

fn commands(line: &str, arrays: &mut BTreeMap<String, Vec<String>>) -> Vec<Vec<String>> {
    if let Some((name, words)) = array(line) {
        let words = words.trim_end_matches(')');
        arrays.insert(name.to_owned(), split(words));
        return Vec::new();
    }
    let words = split(line).into_iter().flat_map(|word| {
        let name = word.strip_prefix("${").and_then(|word| word.strip_suffix("[@]}"));
        name.and_then(|name| arrays.get(name).cloned()).unwrap_or_else(|| vec![word])
    });
    let words: Vec<String> = words.collect();
    let ends = |word: &String| matches!(word.as_str(), "|" | "||" | "&&" | "&" | ";");
    words.split(ends).flat_map(command).collect()
}

fn split(line: &str) -> Vec<String> {
    shell_words::split(line).unwrap_or_else(|_| line.split_whitespace().map(str::to_owned).collect())
}

/// The commands of one link of a pipe: itself, and what a shell within it is told.
fn command(words: &[String]) -> Vec<Vec<String>> {
    let mut words: Vec<String> = words.to_vec();
    if let Some(first) = words.first_mut() {
        *first = first.trim_start_matches('(').to_owned();
    }
    let mut found: Vec<Vec<String>> =
        words.iter().filter(|word| word.contains(' ')).flat_map(|word| commands(word, &mut BTreeMap::new())).collect();
    let mut rest = without_redirections(&words).into_iter().skip_while(is_before_program()).collect::<Vec<_>>();
    // a container's program stands behind its image
    if rest.first().is_some_and(|word| word == "podman") {
        let image = rest.windows(2).position(|pair| pair[0] == pair[1]);
        image.into_iter().for_each(|image| _ = rest.drain(..=image));
    }
    if !rest.is_empty() {
        found.push(rest);
    }
    found
}

/// Assignments, a substitution in one included, and programs that only run another one.
fn is_before_program() -> impl FnMut(&String) -> bool {
    let mut in_substitution = false;
    move |word| {
        let is_assignment = word.split_once('=').is_some_and(|(name, _)| {
            !name.is_empty() && name.chars().all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
        });
        let before = in_substitution || is_assignment || matches!(word.as_str(), "sudo" | "env" | "bash" | "export");
        in_substitution = (in_substitution || is_assignment && word.contains("$(")) && !word.contains(')');
        before
    }
}

fn without_redirections(words: &[String]) -> Vec<String> {
    let mut kept = Vec::new();
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.trim_start_matches(|c: char| c.is_ascii_digit()) {
            ">" | ">>" | "<" | "<<<" => _ = words.next(),
            // `<NAME>` is a word that the reader is to put in
            redirected if redirected.starts_with('>') || redirected.starts_with('<') && !redirected.ends_with('>') => {}
            _ => kept.push(word.clone()),
        }
    }
    kept
}
