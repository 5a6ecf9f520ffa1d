//! keccak256 at every level this machine has, beside alloy's and one at a time.

use alloy::primitives::{B256, keccak256};
use divan::{Bencher, black_box};
use ec_observation::keccak::Level;

use crate::ratio::{Work, compare};

/// Messages per run.
const COUNT: usize = 4096;

fn messages<const LEN: usize>() -> Vec<[u8; LEN]> {
    (0..COUNT).map(|i| std::array::from_fn(|at| (i * 7 + at) as u8)).collect()
}

#[divan::bench(args = Level::available(), consts = [64, 128])]
fn fixed<const LEN: usize>(bencher: Bencher<'_, '_>, level: Level) {
    let messages = messages::<LEN>();
    let mut hashes = vec![B256::ZERO; COUNT];
    bencher.counter(COUNT).bench_local(|| level.hash_into(black_box(&messages), &mut hashes));
}

/// The hash of messages of `LEN` bytes at each level, to alloy's as it is built here (keccak-asm).
pub(crate) fn ratios() {
    width::<64>("keccak256 of 64 bytes (a node)");
    width::<128>("keccak256 of 128 bytes (a leaf)");
}

fn width<const LEN: usize>(title: &str) {
    let messages = &messages::<LEN>();
    let alone = Work::new("keccak-asm, one by one", || messages.iter().map(keccak256).collect::<Vec<_>>());
    let levels: Vec<_> = Level::available().into_iter().map(|level| (level, level.to_string())).collect();
    let at = levels.iter().map(|(level, name)| Work::new(name, || level.hash_each(messages)));
    compare(title, (COUNT as f64 / 1e6, "M"), std::iter::once(alone).chain(at).collect());
}
