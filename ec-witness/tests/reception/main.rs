//! `archive subscribe`: real relay, real publishers, real recorders, on loopback.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;
mod lines;
mod media;
mod names;
mod recorder;
mod refusals;
mod witnesses;

use std::{path::Path, time::Duration};

use ec_testing::relay::{Media, Publisher, Relay};

use crate::{lines::sessions, recorder::Recorder};

const BROADCAST: &str = "la/nbc";
const VIDEO: &str = "0.m4s";
const AUDIO: &str = "1.m4s";

/// Whatever ends and comes back, two recorders hold the same groups, each once, and every session from its first number; and
/// witnesses of both make final what both have.
#[test]
fn two_recorders_hold_the_same_through_every_failure() {
    let dir = tempfile::tempdir().unwrap();
    let media = Media::encode(dir.path(), 90);
    let mut relay = Relay::start(dir.path());
    let mut first = Recorder::start(dir.path(), "a", &relay, &[]);

    // a late second recorder gets the last ten seconds
    let publisher = Publisher::start(&relay, BROADCAST, &media);
    first.await_groups(0, 5);
    let mut second = Recorder::start(dir.path(), "b", &relay, &[]);
    both(&first, &second, 0, 8);

    // the publisher is killed: its route stands on for ten seconds, and another one plays the same again
    publisher.kill();
    let publisher = Publisher::start(&relay, BROADCAST, &media);
    both(&first, &second, 1, 5);

    // a recorder is killed in the middle, and goes on
    first.kill();
    first.restart();
    let seen = second.newest(1);
    both(&first, &second, 1, seen + 4);

    // the relay is killed: the publisher's numbers go on
    relay.kill();
    relay.restart();
    let seen = second.newest(1);
    both(&first, &second, 1, seen + 5);

    // two publishers of one name: the relay serves the second at once, or in the middle of its numbers when the first is gone
    let backup = Publisher::start(&relay, BROADCAST, &media);
    std::thread::sleep(Duration::from_secs(4));
    publisher.kill();
    both(&first, &second, 2, 4);
    drop(backup);

    assert_eq!((first.stop(), second.stop()), (0, 0));
    hold_the_same(&first, &second, media.path());
    witnesses::finalize_what_both_received(&first, &second);
}

/// Waits until both have so many numbers of a session.
fn both(first: &Recorder, second: &Recorder, session: usize, numbers: u64) {
    for recorder in [first, second] {
        recorder.await_groups(session, numbers);
    }
}

fn hold_the_same(first: &Recorder, second: &Recorder, media: &Path) {
    for recorder in [first, second] {
        recorder.check();
    }
    for track in [VIDEO, AUDIO] {
        let (of_first, of_second) = (sessions(&first.lines(track)), sessions(&second.lines(track)));
        assert_eq!((of_first.len(), of_second.len()), (3, 3), "{track}: a session for each publisher");
        for (number, (a, b)) in of_first.iter().zip(&of_second).enumerate() {
            // publishers notice after ten seconds that a relay is gone; it then gets the last ten seconds, not all, and of those
            // not one that grows too old while it is sent
            let is_relay_killed = number == 1;
            for session in [a, b] {
                let missing = session.missing();
                let lasted = missing.first().zip(missing.last()).map_or(0, |(first, last)| last - first);
                assert!(missing.is_empty() || is_relay_killed && lasted < 10, "{track}: {missing:?}");
            }
            assert!(a.equals_where_both(b) > 3, "{track}");
        }
        assert_eq!(of_first[0].groups.keys().next(), Some(&0), "{track}: who was there from the start has it");
        assert_eq!(of_first[1].groups.keys().next(), Some(&0), "{track}: so after a publisher's restart");
        assert_eq!(of_second[1].groups.keys().next(), Some(&0), "{track}");
    }
    // what is there are the bytes that were sent, in their order, and from the first on
    let sent = std::fs::read(media).unwrap();
    for (track, number) in [(VIDEO, 1), (AUDIO, 2)] {
        let sent = media::payloads(&sent, number).concat();
        for session in &sessions(&first.lines(track))[..2] {
            let mut at = 0;
            for (group, hash) in &session.groups {
                let payload = media::payloads(&first.object(hash), number).concat();
                let found = sent[at..].windows(payload.len()).position(|window| window == payload);
                let is_next = *group == 0 || session.groups.contains_key(&(group - 1));
                assert!(found.is_some_and(|skipped| skipped == 0 || !is_next), "{track} {group}: not what was sent");
                at += found.unwrap() + payload.len();
            }
        }
    }
}
