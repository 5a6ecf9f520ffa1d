//! Writes an archive's index of any size, to measure with: `cargo run --release --example make_archive -- DIR MEGABYTES
//! [BROADCASTS [GROUPS_PER_SESSION]]`. With the last, numbers begin at 0 again after so many groups.

#[path = "../benches/speed/archive.rs"]
mod archive;

use std::path::PathBuf;

use archive::Numbers;

const USAGE: &str = "usage: make_archive DIR MEGABYTES [BROADCASTS [GROUPS_PER_SESSION]]";

fn main() -> eyre::Result<()> {
    let mut arguments = std::env::args().skip(1);
    let directory: PathBuf = arguments.next().ok_or_else(|| eyre::eyre!(USAGE))?.into();
    let megabytes: u64 = arguments.next().ok_or_else(|| eyre::eyre!(USAGE))?.parse()?;
    let broadcasts: u64 = arguments.next().map_or(Ok(1), |count| count.parse())?;
    let groups_per_session = arguments.next().map(|groups| groups.parse()).transpose()?;
    let numbers = groups_per_session.map_or(Numbers::Timeline, Numbers::Sessions);
    for number in 0..broadcasts {
        let name = format!("broadcast-{number}");
        let (records, bytes) = archive::write(&directory, &name, megabytes * 1_000_000 / broadcasts, numbers)?;
        println!("{name}: {records} records, {bytes} bytes");
    }
    Ok(())
}
