//! The `ec-witness` command.
fn main() {}
