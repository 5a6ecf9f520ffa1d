//! Writes an archive's index of any size, to measure with: `cargo run --release --example make_archive -- DIR MEGABYTES
//! [BROADCASTS]`.

#[path = "../benches/speed/archive.rs"]
mod archive;

use std::path::PathBuf;

const USAGE: &str = "usage: make_archive DIR MEGABYTES [BROADCASTS]";

fn main() -> eyre::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory: PathBuf = arguments.next().ok_or_else(|| eyre::eyre!(USAGE))?.into();
    let megabytes: u64 = arguments.next().ok_or_else(|| eyre::eyre!(USAGE))?.parse()?;
    let broadcasts: u64 = arguments.next().map_or(Ok(1), |count| count.parse())?;
    for number in 0..broadcasts {
        let name = format!("broadcast-{number}");
        let (records, bytes) = archive::write(&directory, &name, megabytes * 1_000_000 / broadcasts)?;
        println!("{name}: {records} records, {bytes} bytes");
    }
    Ok(())
}
