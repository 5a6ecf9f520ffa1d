//! Holds the documents to the truth: links, paths, commands, variables, settings, defaults, names and messages.

#![allow(clippy::unwrap_used)] // a panic is the report of a test

mod commands;
mod document;
mod layout;
mod links;
mod names;
mod paths;
mod program;
mod settings;
mod shell;
mod tables;

use std::ops::RangeFrom;

use document::Document;
use program::Program;

/// The program whose commands are held.
const PROGRAM: Program = Program { name: "ec-witness", path: env!("CARGO_BIN_EXE_ec-witness") };

/// What its variables begin with.
const VARIABLE_PREFIX: &str = "EC_WITNESS_";

/// Variables that no help shows: this one is for measurements.
const HIDDEN_VARIABLES: [&str; 1] = ["EC_WITNESS_KECCAK"];

/// The least that must be found in all documents, so that a test that looks past everything fails.
const COMMANDS_IN_SENTENCES: RangeFrom<usize> = 20..;
const VARIABLES: usize = 20;

/// Documents about this program.
fn own_documents() -> Vec<Document> {
    let docs = ["protocol", "operating-a-witness", "recording", "vote-history", "threat-model", "first-steps"];
    let docs = docs.map(|name| format!("docs/{name}.md"));
    commands::all(&["README.md", &docs[0], &docs[1], &docs[2], &docs[3], &docs[4], &docs[5]])
}

/// What is shipped with it and sets its variables.
fn packaging() -> Vec<Document> {
    let packaging = ["ec-witness.service", "ec-archive@.service", "Containerfile"];
    let packaging = packaging.map(|name| format!("ec-witness/packaging/{name}"));
    commands::all(&[&packaging[0], &packaging[1], &packaging[2]])
}
