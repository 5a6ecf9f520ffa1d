//! Naming as tables: one situation, and what each change to it leads to.

use alloy::primitives::B256;
use ec_observation::{EpochHash, ObservationHash, StreamHash};

use super::*;

const OWN_MS: u64 = 1_772_824_680_000;
const TOLERANCE_MS: u64 = 17_000;
const INDEX: u64 = 7;

fn membership(position: Option<usize>) -> Membership {
    Membership { position, witness_count: 5, quorum: 3 }
}

mod rounds {
    use super::*;

    /// The position that leads round 0 of the index.
    const LEADER: usize = 2;
    const FOLLOWER: usize = 4;
    const FIRST_MS: u64 = OWN_MS + 70_000;
    const HOUR_MS: u64 = 3_600_000;

    #[derive(Clone)]
    struct Facts {
        own: OwnWindow,
        seen: NamingSeen,
        membership: Membership,
        agreement: Agreement,
    }

    impl Facts {
        fn opener(&mut self) -> &mut Opener {
            &mut self.seen.openers[0]
        }
    }

    /// The header that opened a session `off_ms` from the own time, by the leader of round 0.
    fn opener(off_ms: i64) -> Opener {
        let mark = OWN_MS.strict_add_signed(off_ms);
        let own = Content {
            stream_hash: StreamHash(B256::repeat_byte(1)),
            epoch_hash: EpochHash(B256::left_padding_from(&mark.to_be_bytes())),
            data_root: B256::repeat_byte(3),
            locator_hash: B256::repeat_byte(4),
            sequence: mark + INDEX,
        };
        let header = own.header(ObservationHash::ZERO, mark);
        Opener { header, own, proposer: Some(LEADER), parent_is_right: true, voted: false }
    }

    /// In round 0, where the leader has not opened yet; the witness at `position` judges.
    fn base(position: usize) -> Facts {
        let seen = NamingSeen {
            first_ms: Some(FIRST_MS),
            head_ms: FIRST_MS + 60_000,
            live: true,
            own_mark_is_taken: false,
            openers: Vec::new(),
        };
        Facts {
            own: OwnWindow { index: INDEX, observed_unix_ms: OWN_MS, tolerance_ms: TOLERANCE_MS, led_in: None },
            seen,
            membership: membership(Some(position)),
            agreement: Agreement::default(),
        }
    }

    /// Round 0, where the leader has opened a session, and another witness judges.
    fn opened() -> Facts {
        let mut facts = base(FOLLOWER);
        facts.seen.openers = vec![opener(50)];
        facts
    }

    /// A name, what is different, and what is done then.
    type Case = (&'static str, fn(&mut Facts), Naming);

    fn check(base: &Facts, cases: &[Case]) {
        for (case, change, expected) in cases {
            let mut facts = base.clone();
            change(&mut facts);
            let Facts { own, seen, membership, agreement } = &facts;
            assert_eq!(name(own, seen, membership, agreement), *expected, "{case}");
        }
    }

    #[test]
    fn the_leader_opens_a_session_of_its_own_once_a_cycle() {
        const OPEN: Naming = Naming::Open { cycle: 0 };
        check(
            &base(LEADER),
            &[
                ("in its round", |_| {}, OPEN),
                ("before the rounds", |f| f.seen.head_ms -= 1, Naming::Nothing),
                ("at its round's end", |f| f.seen.head_ms += 59_999, OPEN),
                ("in another's", |f| f.seen.head_ms += 60_000, Naming::Nothing),
                ("in its second round", |f| f.seen.head_ms += 5 * 60_000, OPEN),
                ("of another index", |f| f.own.index += 1, Naming::Nothing),
                ("after the cycle", |f| f.seen.head_ms += 10 * 60_000, Naming::Nothing),
                ("in the next cycle", |f| f.seen.head_ms = FIRST_MS + HOUR_MS, Naming::Open { cycle: 1 }),
                ("nothing near was proposed", |f| f.seen.first_ms = None, Naming::Nothing),
                ("not active", |f| f.membership.position = None, Naming::Nothing),
                ("not live", |f| f.seen.live = false, Naming::Nothing),
                ("opened in this cycle", |f| f.own.led_in = Some(0), Naming::Nothing),
                (
                    "opened in the one before",
                    |f| {
                        f.own.led_in = Some(0);
                        f.seen.head_ms = FIRST_MS + HOUR_MS;
                    },
                    Naming::Open { cycle: 1 },
                ),
                ("its mark is taken", |f| f.seen.own_mark_is_taken = true, Naming::Nothing),
                ("whatever others opened", |f| f.seen.openers = vec![opener(5)], OPEN),
                ("no rounds", |f| f.agreement.round_ms = 0, Naming::Nothing),
                ("a longer grace", |f| f.agreement.round_grace_ms += 1, Naming::Nothing),
            ],
        );
    }

    #[test]
    fn others_vote_for_what_the_leader_opened() {
        let attest = Naming::Attest(opener(50).header);
        const EDGE: i64 = TOLERANCE_MS as i64;
        check(
            &opened(),
            &[
                ("the leader's", |_| {}, attest),
                ("before the rounds", |f| f.seen.head_ms -= 1, Naming::Nothing),
                ("in another's round", |f| f.seen.head_ms += 60_000, Naming::Nothing),
                ("another's", |f| f.opener().proposer = Some(0), Naming::Nothing),
                ("one's who has left", |f| f.opener().proposer = None, Naming::Nothing),
                ("voted already", |f| f.opener().voted = true, Naming::Nothing),
                ("a wrong parent", |f| f.opener().parent_is_right = false, Naming::Nothing),
                ("another root", |f| f.opener().header.data_root = B256::ZERO, Naming::Nothing),
                ("another locator", |f| f.opener().header.locator_hash = B256::ZERO, Naming::Nothing),
                ("not live", |f| f.seen.live = false, attest),
                ("not active", |f| f.membership.position = None, Naming::Nothing),
                ("the own mark is taken", |f| f.seen.own_mark_is_taken = true, attest),
                ("led in this cycle before", |f| f.own.led_in = Some(0), attest),
                ("nothing opened", |f| f.seen.openers.clear(), Naming::Nothing),
                ("at the edge", |f| f.seen.openers = vec![opener(EDGE)], Naming::Attest(opener(EDGE).header)),
                ("at the other", |f| f.seen.openers = vec![opener(-EDGE)], Naming::Attest(opener(-EDGE).header)),
                ("beyond", |f| f.seen.openers = vec![opener(EDGE + 1)], Naming::Nothing),
                ("beyond the other", |f| f.seen.openers = vec![opener(-EDGE - 1)], Naming::Nothing),
            ],
        );
    }

    #[test]
    fn a_leader_with_several_sessions_gets_one_vote() {
        check(
            &opened(),
            &[
                ("the first", |f| f.seen.openers.push(opener(60)), Naming::Attest(opener(50).header)),
                (
                    "the first that is near",
                    |f| f.seen.openers.insert(0, opener(17_001)),
                    Naming::Attest(opener(50).header),
                ),
                (
                    "voted for the first",
                    |f| {
                        f.opener().voted = true;
                        f.seen.openers.push(opener(60));
                    },
                    Naming::Nothing,
                ),
                (
                    "another's before it",
                    |f| f.seen.openers.insert(0, Opener { proposer: Some(1), ..opener(60) }),
                    Naming::Attest(opener(50).header),
                ),
            ],
        );
    }
}
