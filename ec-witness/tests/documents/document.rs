//! The documents, and what stands in them as code, as a link or in a table.

use std::{
    fs,
    path::{Path, PathBuf},
};

use pulldown_cmark::{CodeBlockKind, Event, Options, Parser, Tag, TagEnd};
use walkdir::WalkDir;

/// The root of the repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap()
}

/// Folders that hold nothing of the repository's own.
pub(crate) const FOREIGN: [&str; 7] = [".git", "target", "node_modules", "out", "cache", "tools", ".direnv"];

/// Every file below `folder`, as a path from the root.
pub(crate) fn files_below(folder: &str) -> Vec<PathBuf> {
    let is_ours = |name: &str, depth: usize| {
        // `scripts/op-stack/tools` and `contracts/tools` are; only what is installed at the root is not
        !FOREIGN.contains(&name) || (name == "tools" && depth > 1)
    };
    let walk = WalkDir::new(root().join(folder)).into_iter();
    let entries = walk.filter_entry(|entry| is_ours(&entry.file_name().to_string_lossy(), entry.depth()));
    let files = entries.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
    files.map(|entry| entry.path().strip_prefix(root()).unwrap().to_owned()).collect()
}

/// A document.
pub(crate) struct Document {
    /// Its path from the root.
    pub(crate) name: String,
    text: String,
}

/// Something that stands in a document.
pub(crate) struct Found<T> {
    /// The line it stands in, from 1.
    pub(crate) line: usize,
    /// What it is.
    pub(crate) what: T,
}

/// A code block.
pub(crate) struct Block {
    /// The word after its fence; empty for one that is only indented.
    pub(crate) language: String,
    pub(crate) text: String,
}

/// A row of a table, its head's included: each cell's text, and what in it is code.
pub(crate) struct Row {
    /// The first cell of the table's head.
    pub(crate) head: String,
    pub(crate) cells: Vec<Cell>,
}

/// One cell of a table.
#[derive(Clone, Default)]
pub(crate) struct Cell {
    pub(crate) text: String,
    pub(crate) spans: Vec<String>,
}

/// Every document that is held to the truth. The changelog tells of what once was.
pub(crate) fn documents() -> Vec<Document> {
    let names = files_below("").into_iter().map(|path| path.to_str().unwrap().to_owned());
    let mut names: Vec<String> = names.filter(|name| name.ends_with(".md") && name != "CHANGELOG.md").collect();
    names.sort();
    names.iter().map(|name| Document::read(name)).collect()
}

impl Document {
    /// Reads one.
    pub(crate) fn read(name: &str) -> Self {
        Self { name: name.to_owned(), text: fs::read_to_string(root().join(name)).unwrap() }
    }

    /// The folder that its links start from.
    pub(crate) fn folder(&self) -> PathBuf {
        root().join(&self.name).parent().unwrap().to_owned()
    }

    /// All of it.
    pub(crate) fn text(&self) -> &str {
        &self.text
    }

    /// Its code blocks.
    pub(crate) fn blocks(&self) -> Vec<Found<Block>> {
        let mut blocks: Vec<Found<Block>> = Vec::new();
        let mut inside = false;
        for (line, event) in self.events() {
            match event {
                Event::Start(Tag::CodeBlock(kind)) => {
                    inside = true;
                    let (language, line) = match kind {
                        CodeBlockKind::Fenced(language) => (language.into_string(), line + 1),
                        CodeBlockKind::Indented => (String::new(), line),
                    };
                    blocks.push(Found { line, what: Block { language, text: String::new() } });
                }
                Event::Text(text) if inside => blocks.last_mut().unwrap().what.text.push_str(&text),
                Event::End(TagEnd::CodeBlock) => inside = false,
                _ => {}
            }
        }
        blocks
    }

    /// What stands in its text as code.
    pub(crate) fn spans(&self) -> Vec<Found<String>> {
        let spans = self.events().filter_map(|(line, event)| match event {
            Event::Code(text) => Some(Found { line, what: text.into_string() }),
            _ => None,
        });
        spans.collect()
    }

    /// Where its links lead.
    pub(crate) fn links(&self) -> Vec<Found<String>> {
        let links = self.events().filter_map(|(line, event)| match event {
            Event::Start(Tag::Link { dest_url, .. }) => Some(Found { line, what: dest_url.into_string() }),
            _ => None,
        });
        links.collect()
    }

    /// The anchors of its headings, as GitHub makes them.
    pub(crate) fn anchors(&self) -> Vec<String> {
        let mut anchors: Vec<String> = Vec::new();
        let mut heading = None;
        for (_, event) in self.events() {
            match (event, &mut heading) {
                (Event::Start(Tag::Heading { .. }), _) => heading = Some(String::new()),
                (Event::Text(text) | Event::Code(text), Some(heading)) => heading.push_str(&text),
                (Event::End(TagEnd::Heading(_)), _) => {
                    let anchor = anchor(&heading.take().unwrap_or_default());
                    let same = anchors.iter().filter(|other| **other == anchor).count();
                    anchors.push(if same == 0 { anchor } else { format!("{anchor}-{same}") });
                }
                _ => {}
            }
        }
        anchors
    }

    /// The rows of its tables.
    pub(crate) fn rows(&self) -> Vec<Found<Row>> {
        let mut rows: Vec<Found<Row>> = Vec::new();
        let (mut head, mut cells, mut cell) = (None, Vec::new(), Cell::default());
        for (line, event) in self.events() {
            match event {
                Event::Start(Tag::Table(_)) => head = None,
                Event::Start(Tag::TableCell) => cell = Cell::default(),
                Event::Text(text) => cell.text.push_str(&text),
                Event::Code(text) => {
                    cell.text.push_str(&text);
                    cell.spans.push(text.into_string());
                }
                Event::End(TagEnd::TableCell) => cells.push(std::mem::take(&mut cell)),
                Event::End(TagEnd::TableHead | TagEnd::TableRow) => {
                    let cells: Vec<Cell> = std::mem::take(&mut cells);
                    let head = head.get_or_insert_with(|| cells[0].text.clone()).clone();
                    rows.push(Found { line, what: Row { head, cells } });
                }
                _ => {}
            }
        }
        rows
    }

    fn events(&self) -> impl Iterator<Item = (usize, Event<'_>)> {
        let events = Parser::new_ext(&self.text, Options::ENABLE_TABLES).into_offset_iter();
        events.map(|(event, range)| (self.text[..range.start].matches('\n').count() + 1, event))
    }
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Fails with all that is wrong, unless nothing is.
pub(crate) fn nothing_wrong(wrong: &[String]) {
    assert!(wrong.is_empty(), "{} in the documents:\n{}", wrong.len(), wrong.join("\n"));
}
