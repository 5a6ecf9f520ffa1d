//! Holds what the documents say of `ec-op-stack`'s commands: its sister in `ec-witness/tests/documents` holds all else.

// shared test code, of which not all is used here; a panic is a test's report
#![allow(dead_code, clippy::unwrap_used)]

#[path = "../../ec-witness/tests/documents/commands.rs"]
mod commands;
#[path = "../../ec-witness/tests/documents/document.rs"]
mod document;
#[path = "../../ec-witness/tests/documents/program.rs"]
mod program;
#[path = "../../ec-witness/tests/documents/shell.rs"]
mod shell;

use std::ops::RangeFrom;

use document::Document;
use program::Program;

/// The program whose commands are held.
const PROGRAM: Program = Program { name: "ec-op-stack", path: env!("CARGO_BIN_EXE_ec-op-stack") };

/// What its variables begin with.
const VARIABLE_PREFIX: &str = "EC_OP_STACK_";

/// Variables that no help shows.
const HIDDEN_VARIABLES: [&str; 0] = [];

/// The least that must be found.
const COMMANDS_IN_SENTENCES: RangeFrom<usize> = 0..;
const VARIABLES: usize = 1;

/// Documents about this program.
fn own_documents() -> Vec<Document> {
    commands::all(&["docs/operating.md", "docs/recovering.md"])
}

/// What is shipped with it and sets its variables.
fn packaging() -> Vec<Document> {
    Vec::new()
}
