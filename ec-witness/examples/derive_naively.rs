//! Derives the data roots of one broadcast's epochs as one writes it first: to compare `ec-witness derive` with, as a
//! process. `derive_naively DIR BROADCAST`

#![allow(dead_code, missing_docs, clippy::unwrap_used)]

#[path = "../benches/speed/archive.rs"]
mod archive;
#[path = "../benches/speed/naive.rs"]
mod naive;

use std::io::{BufWriter, Write};

use ec_archive::Archive;

const USAGE: &str = "usage: derive_naively DIR BROADCAST";

fn main() -> eyre::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [directory, broadcast] = arguments.as_slice() else { eyre::bail!(USAGE) };
    let roots = naive::naive(&Archive::at(directory.as_ref()).broadcast(broadcast), naive::portable_keccak);
    let mut out = BufWriter::new(std::io::stdout().lock());
    roots.iter().try_for_each(|root| writeln!(out, "{root}"))?;
    Ok(out.flush()?)
}
