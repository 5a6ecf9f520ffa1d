//! How fast deriving is, and its parts: `cargo bench --bench speed`. After divan's table of the keccak levels come
//! ratios, each work measured in turn with its baseline. `EC_WITNESS_KECCAK` names the level; `-- numberings` takes those
//! of that name alone.

#![allow(missing_docs, clippy::unwrap_used)]

mod archive;
mod keccak;
mod naive;
mod objects;
mod pipeline;
mod ratio;

use ec_observation::keccak::Level;

/// What is measured after divan's table.
const RATIOS: [(&str, fn()); 6] = [
    ("keccak", keccak::ratios),
    ("parsing", pipeline::parsing),
    ("trees", pipeline::trees),
    ("pipeline", pipeline::pipeline),
    ("numberings", pipeline::numberings),
    ("objects", objects::ratios),
];

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--bench") {
        if let Ok(level) = std::env::var("EC_WITNESS_KECCAK") {
            level.parse::<Level>().unwrap().choose().unwrap();
        }
        let asked: Vec<_> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
        let is_asked = |(name, _): &&(&str, fn())| asked.is_empty() || asked.iter().any(|asked| asked == name);
        RATIOS.iter().filter(is_asked).for_each(|(_, measure)| measure());
    }
}
