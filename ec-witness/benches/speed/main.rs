//! How fast deriving is, and its parts: `cargo bench --bench speed`.

#![allow(missing_docs, clippy::unwrap_used)]

mod keccak;
mod ratio;

fn main() {
    divan::main();
    if std::env::args().any(|argument| argument == "--bench") {
        keccak::ratios();
    }
}
