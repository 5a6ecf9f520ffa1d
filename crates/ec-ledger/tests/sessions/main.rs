//! Sessions by the shared vectors, which another program computed from the protocol.

#![allow(clippy::unwrap_used)]

mod archive;
mod clauses;
mod drawn;
mod reorgs;
mod vector;

use ec_ledger::{LedgerState, Matching};

use crate::{
    archive::Archive,
    vector::{Decoded, Named, Vector},
};

/// The ledger that a vector's log makes.
fn ledger_of(vector: &Vector) -> LedgerState {
    let mut ledger = LedgerState::new(Some(vector.followed()));
    vector.blocks().into_iter().for_each(|(block, events)| ledger.apply(block, events));
    ledger
}

/// The session of each segment.
fn named(vector: &Vector, ledger: &LedgerState, archive: &mut Archive) -> Vec<Named> {
    let (set, segments) = (vector.set(), 0..archive.len());
    let stream = vector.rule().stream_hash();
    let matching = Matching::new(ledger, stream, &set, vector.tolerance_ms()).unwrap();
    let named = |segment| {
        let found = matching.session_of(archive, segment);
        let rule: &'static str = found.rule.into();
        Named { mark: found.mark, rule: rule.to_owned(), settled: found.is_settled() }
    };
    segments.map(named).collect()
}

/// All that a vector expects holds of this ledger.
fn check(vector: &Vector, ledger: &LedgerState) {
    check_log(vector, ledger);
    check_archives(vector, ledger);
}

fn check_log(vector: &Vector, ledger: &LedgerState) {
    let name = &vector.name;
    let decoded = |(slot, hash)| {
        let candidate = ledger.slot(slot).unwrap().candidate(hash).unwrap();
        candidate.name.map(|name| Decoded { mark: name.mark, index: name.index })
    };
    assert_eq!(vector.candidates().map(decoded).collect::<Vec<_>>(), vector.expected.candidates, "{name}");
    let sessions = ledger.lane(vector.rule().stream_hash()).unwrap().sessions();
    let opened: Vec<_> = sessions.map(|session| (session.mark, session.opened_by)).collect();
    let expected = &vector.expected.sessions;
    assert!(expected.is_sorted_by_key(|opened| opened.place()), "{name}");
    assert_eq!(opened, expected.iter().map(|opened| (opened.mark, opened.index)).collect::<Vec<_>>(), "{name}");
}

fn check_archives(vector: &Vector, ledger: &LedgerState) {
    let archives: Vec<_> = vector.archives().collect();
    assert_eq!(archives.len(), vector.expected.archives.len());
    for ((about, mut archive), expected) in archives.into_iter().zip(&vector.expected.archives) {
        assert_eq!(&named(vector, ledger, &mut archive), expected, "{}: {about}", vector.name);
    }
}

#[test]
fn every_vector_holds() {
    let vectors = Vector::all();
    assert!(vectors.len() >= 21, "{} session vectors", vectors.len());
    vectors.iter().for_each(|vector| check(vector, &ledger_of(vector)));
}

#[test]
fn sessions_far_off_in_time_are_not_asked_about() {
    let vector = Vector::all().into_iter().find(|vector| vector.name == "far-mark").unwrap();
    let ledger = ledger_of(&vector);
    let (_, archive) = vector.archives().next().unwrap();
    let mut near = archive.clone();
    named(&vector, &ledger, &mut near);
    assert!(!near.asked.is_empty());
    let mut far = archive.moved_by(10_000_000);
    let sessions = named(&vector, &ledger, &mut far);
    assert_eq!((far.asked, sessions[0].rule.as_str()), (vec![], "none"));
}
