//! How fast deriving is, and its parts: `cargo bench --bench speed`. After divan's table of the keccak levels come
//! ratios, each work measured in turn with its baseline. `EC_WITNESS_KECCAK` names the level.

#![allow(missing_docs, clippy::unwrap_used)]

mod archive;
mod keccak;
mod naive;
mod objects;
mod pipeline;
mod ratio;

use ec_observation::keccak::Level;

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--bench") {
        if let Ok(level) = std::env::var("EC_WITNESS_KECCAK") {
            level.parse::<Level>().unwrap().choose().unwrap();
        }
        keccak::ratios();
        pipeline::parsing();
        pipeline::trees();
        pipeline::pipeline();
        pipeline::numberings();
        objects::ratios();
    }
}
