//! What a witness does to its store, each step acknowledged on stdout after it returned.

use std::{env, path::PathBuf};

use alloy::primitives::{Address, B256};
use ec_observation::{Ballot, EpochHash, ObservationHash, ObservationHeader, StreamHash, VoteKind};
use ec_rpc::BlockRef;
use ec_witness::store::{Evidence, Identity, OutboxTx, StoreError, TxState, VoteStore};

use crate::{migration, signed};

/// The test that is the workload.
pub(super) const NAME: &str = "power::workload::workload";
/// Where it works.
pub(super) const DIRECTORY: &str = "EC_POWER_DIRECTORY";

const CHAIN_ID: u64 = 7;
const ROUNDS: u64 = 40;

pub(crate) fn identity() -> Identity {
    Identity { chain_id: CHAIN_ID, ledger: Address::repeat_byte(1), witness: signed::witness() }
}

pub(crate) fn ballot(epoch: u64, time: u64) -> Ballot {
    let header = ObservationHeader {
        stream_hash: StreamHash(B256::repeat_byte(9)),
        epoch_hash: EpochHash(B256::left_padding_from(&epoch.to_be_bytes())),
        parent_observation_hash: ObservationHash::ZERO,
        data_root: B256::repeat_byte(5),
        locator_hash: B256::ZERO,
        observed_unix_ms: time,
        sequence: epoch,
    };
    Ballot { header, vote: VoteKind::Propose { candidates_seen: 1 } }
}

fn acknowledge_votes(ballots: &[Ballot]) {
    for ballot in ballots {
        println!("ACK vote {}", ballot.header.hash());
    }
}

fn record(store: &mut VoteStore, ballots: &[Ballot]) {
    assert!(store.record(ballots).unwrap().iter().all(Result::is_ok));
    acknowledge_votes(ballots);
}

fn keep(store: &mut VoteStore, nonce: u64, fee: u128, ballots: &[Ballot]) -> OutboxTx {
    let (hash, raw) = signed::signed(CHAIN_ID, nonce, fee);
    let tx = OutboxTx { hash, nonce, raw, state: TxState::Signed };
    let votes: Vec<_> = ballots.iter().map(|ballot| ballot.header.hash()).collect();
    store.keep(&tx, &votes).unwrap();
    println!("ACK tx {hash} signed");
    tx
}

fn set(store: &mut VoteStore, tx: &OutboxTx, state: TxState, name: &str) {
    store.set_state(tx.hash, state).unwrap();
    println!("ACK tx {} {name}", tx.hash);
}

#[test]
#[ignore = "run under strace by the test of power cuts"]
fn workload() {
    let Some(directory) = env::var_os(DIRECTORY).map(PathBuf::from) else { panic!("{DIRECTORY} is not set") };
    if directory.exists() {
        println!("ACK created");
        migrated(VoteStore::open(&directory, migration::identity()).unwrap());
    } else {
        let adopted = ballot(1_000_000, 1);
        let store = VoteStore::create(&directory, identity(), 0, |store| {
            store.adopt(&[adopted.header])?;
            store.fix_from_sequence("tv", 3)?;
            Ok::<_, StoreError>(())
        });
        println!("ACK created");
        acknowledge_votes(&[adopted]);
        new(store.unwrap());
    }
}

/// A store that an older program wrote: what it held counts as acknowledged from the start.
fn migrated(mut store: VoteStore) {
    acknowledge_votes(&store.ballots().unwrap());
    for tx in store.outbox().unwrap() {
        set(&mut store, &tx, TxState::Finalized { block: 99 }, "finalized");
    }
    for epoch in 0..ROUNDS {
        record(&mut store, &[ballot(epoch, 1)]);
    }
}

/// The life of votes, with replacements, batches, a halt and finality.
fn new(mut store: VoteStore) {
    for round in 0..ROUNDS {
        let ballots: Vec<_> = (0..=round % 5).map(|i| ballot(round * 10 + i, 1)).collect();
        record(&mut store, &ballots);
        let first = keep(&mut store, round, 1, &ballots);
        set(&mut store, &first, TxState::Sent, "sent");
        let last = if round % 3 == 0 { keep(&mut store, round, 2, &ballots) } else { first };
        set(&mut store, &last, TxState::Executed { block: round }, "executed");
        if round % 4 == 0 {
            set(&mut store, &last, TxState::Safe { block: round }, "safe");
            record(&mut store, &[ballot(round * 10, 2)]);
        }
        if round % 2 == 0 {
            set(&mut store, &last, TxState::Finalized { block: round }, "finalized");
            store.note_finalized_head(BlockRef { number: round, hash: B256::ZERO }).unwrap();
        }
        if round == ROUNDS / 2 {
            println!("DOES halt");
            let halt = store.halt(&Evidence::ForeignNonce { account: Address::ZERO, nonce: 0 }, "a halt").unwrap();
            println!("ACK halt");
            println!("DOES resume");
            store.resume(halt.id).unwrap();
            println!("ACK resume");
        }
    }
}
