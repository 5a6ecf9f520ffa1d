//! A store in which a byte changed is refused, or still holds exactly what it held.

use std::{fs, path::Path};

use ec_observation::Ballot;
use ec_witness::store::{OutboxTx, STORE_FILE, StoreError, VoteStore};
use rand::{RngExt, SeedableRng, rngs::StdRng};

use super::{
    create_private,
    migration::{identity, old_store},
    write_private,
};

const PAGE: usize = 4096;
/// Bytes changed besides one in every page.
const RANDOM: usize = 400;

type Held = (Vec<Ballot>, Vec<OutboxTx>, u64);

fn held(store: &VoteStore) -> Result<Held, StoreError> {
    Ok((store.ballots()?, store.outbox()?, store.next_nonce()?))
}

fn opened(store: &Path) -> Result<Held, StoreError> {
    held(&VoteStore::open(store, identity())?)
}

#[test]
fn a_flipped_byte_is_noticed_or_changes_nothing() {
    let (dir, store) = old_store();
    let whole = opened(&store).unwrap();
    let bytes = fs::read(store.join(STORE_FILE)).unwrap();
    let mut rng = StdRng::seed_from_u64(1);
    let pages = bytes.len() / PAGE;
    let one_a_page: Vec<_> = (0..pages).map(|page| page * PAGE + rng.random_range(0..PAGE)).collect();
    let header = 0..100;
    let random = (0..RANDOM).map(|_| rng.random_range(0..bytes.len())).collect::<Vec<_>>();
    let (mut refused, mut unchanged) = (0, 0);
    for offset in one_a_page.into_iter().chain(header).chain(random) {
        let mut decayed = bytes.clone();
        decayed[offset] ^= 1 << rng.random_range(0..8);
        let store = dir.path().join(format!("decayed-{offset}"));
        create_private(&store);
        write_private(&store.join(STORE_FILE), &decayed);
        match opened(&store) {
            Err(_) => refused += 1,
            Ok(found) if found == whole => unchanged += 1,
            Ok(found) => panic!("byte {offset}: opened with {} votes, other than before", found.0.len()),
        }
        fs::remove_dir_all(&store).unwrap();
    }
    println!("{refused} refused, {unchanged} opened with every vote and transaction, of {pages} pages");
    assert!(refused > pages, "{refused} of {pages}");
}

#[test]
fn a_store_cut_short_is_refused_unless_nothing_is_missing() {
    let (_dir, store) = old_store();
    let whole = opened(&store).unwrap();
    let file = store.join(STORE_FILE);
    let bytes = fs::read(&file).unwrap();
    for length in [0, 1, 99, PAGE - 1, PAGE, bytes.len() / 2, bytes.len() - PAGE, bytes.len() - 1] {
        write_private(&file, &bytes[..length]);
        // the last page may be a free one
        let is_kept = opened(&store).is_ok_and(|found| found == whole);
        let is_refused = opened(&store).is_err();
        assert!(is_refused || is_kept && length > bytes.len() - PAGE, "{length} bytes");
    }
    write_private(&file, &bytes);
    assert_eq!(opened(&store).unwrap(), whole);
}
