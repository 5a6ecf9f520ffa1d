//! Names and messages that documents quote stand in the code.

use std::{collections::BTreeSet, fs, path::Path};

use crate::document::{Document, files_below, nothing_wrong, root};

/// Text that is searched for names. Documents are not: what they say is what is held.
const SOURCES: [&str; 12] = ["rs", "sol", "nix", "sh", "toml", "yml", "json", "py", "sql", "service", "pl", "js"];

/// Names that other programs give.
const FOREIGN: [&str; 2] = ["FOUNDRY_SOLC", "L1StandardBridge"];

/// The largest file that is searched, bytes; larger ones are data.
const LARGEST: u64 = 1 << 20;

#[test]
fn every_identifier_is_one_of_the_code() {
    let words = words_of_the_code();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    let documents = ["contracts/README.md", "archives/README.md"].map(Document::read);
    for document in crate::own_documents().into_iter().chain(documents) {
        for span in document.spans().into_iter().filter(|span| is_identifier(&span.what)) {
            seen += 1;
            let name = span.what.trim_start_matches("ec_witness_");
            if !words.contains(&span.what) && !words.contains(name) && !FOREIGN.contains(&name) {
                wrong.push(format!("{}:{}: {}", document.name, span.line, span.what));
            }
        }
    }
    nothing_wrong(&wrong);
    assert!(seen > 100, "{seen}");
}

#[test]
fn every_message_of_the_guide_is_one_of_the_program() {
    let sources =
        files_below("").into_iter().filter(|path| is_source(path) && path.extension().is_some_and(|end| end == "rs"));
    let said: String = sources.map(|path| without_breaks(&fs::read_to_string(root().join(path)).unwrap())).collect();
    let (mut wrong, mut seen) = (Vec::new(), 0);
    let guide = Document::read("docs/operating-a-witness.md");
    for row in guide.rows().into_iter().filter(|row| row.what.head == "message") {
        for message in &row.what.cells[0].spans {
            seen += 1;
            let parts = message.split(['…', '|']).map(str::trim).filter(|part| part.len() > 3);
            wrong.extend(
                parts.filter(|part| !said.contains(part)).map(|part| format!("{}:{}: {part}", guide.name, row.line)),
            );
        }
    }
    nothing_wrong(&wrong);
    assert!(seen > 60, "{seen}");
}

fn is_identifier(word: &str) -> bool {
    let is_word = word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    let humps = word.chars().filter(char::is_ascii_uppercase).count();
    let is_small = word.starts_with(|c: char| c.is_ascii_lowercase()) && (word.contains('_') || humps > 0);
    is_word
        && !word.ends_with('_')
        && (is_small || word.starts_with(|c: char| c.is_ascii_uppercase()) && humps > 1 && humps < word.len())
}

fn words_of_the_code() -> BTreeSet<String> {
    let sources = files_below("").into_iter().filter(|path| is_source(path));
    let texts = sources.map(|path| fs::read_to_string(root().join(path)).unwrap_or_default());
    texts
        .flat_map(|text| {
            text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_').map(str::to_owned).collect::<BTreeSet<_>>()
        })
        .collect()
}

fn is_source(path: &Path) -> bool {
    let ending = path.extension().and_then(|ending| ending.to_str()).unwrap_or("sh");
    // these tests quote what they look for
    let is_own = path.components().any(|part| part.as_os_str() == "documents");
    !is_own && SOURCES.contains(&ending) && fs::metadata(root().join(path)).is_ok_and(|found| found.len() <= LARGEST)
}

/// The text without backticks, which a span of a document cannot show, and with those lines joined that a backslash breaks.
fn without_breaks(source: &str) -> String {
    let mut lines = source.lines();
    let mut joined = String::new();
    let mut goes_on = false;
    for line in &mut lines {
        joined.push_str(if goes_on { line.trim_start() } else { line }.trim_end_matches('\\'));
        goes_on = line.ends_with('\\');
        if !goes_on {
            joined.push('\n');
        }
    }
    joined.replace('`', "")
}
