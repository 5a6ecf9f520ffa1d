"""What the session vectors hold: for each a sentence, the ledger's log, and what several witnesses have of the lane.

Epochs last a minute. Times are seconds after the first one.
"""

import protocol
import sessions
from definitions import FIRST_MS, digest

LANE = {"stream_id": "la-nbc/track/0.m4s", "locator_broadcast": "la-nbc", "track": "0.m4s", "groups_per_epoch": 30}
AGREEMENT = {"precision_ms": 2000, "message_delay_ms": 15000}
TOLERANCE = 17


def ms(seconds):
    return FIRST_MS + round(seconds * 1000)


def root(label):
    return "0x" + digest("root", label)


def address(seat):
    return "0x" + digest("witness", seat)[-40:]


class Log:
    """A ledger with its witnesses, which takes what the contract would take, in blocks of two seconds."""

    def __init__(self, witnesses=5, quorum=3, bitmap=None):
        self.events, self.votes, self.quorum, self.bitmap = [], {}, quorum, bitmap or (1 << witnesses) - 1
        self.witnesses = [address(seat) for seat in range(witnesses)]
        self.block, self.log_index = 100, -1

    def propose(self, seat, mark, index, content, at=None, beside=False, epoch_id=None, sequence=None):
        """A candidate of (mark, index), both as seconds and number; without a time of its own it opens the session."""
        epoch_id = epoch_id or sessions.epoch_id(LANE, ms(mark), index)
        stream = {"stream_id": LANE["stream_id"], "locator_broadcast": LANE["locator_broadcast"], "tracks": [LANE["track"]]}
        header = {
            "streamHash": protocol.text_hash(LANE["stream_id"]),
            "epochHash": protocol.text_hash(epoch_id),
            "parentObservationHash": protocol.ZERO,
            "dataRoot": bytes.fromhex(root(content)[2:]),
            "locatorHash": protocol.locator_hash(stream, epoch_id),
            "observedUnixMs": ms(mark if at is None else at),
            "sequence": ms(mark) + index if sequence is None else sequence,
        }
        hash = "0x" + protocol.observation_hash(header).hex()
        candidate = {"slot": "0x" + protocol.slot(header).hex(), "observation_hash": hash}
        said = candidate | {"proposer": address(seat), "header": protocol.shown(header)}
        self._add("proposed", said, beside)
        self._vote(seat, candidate)
        return candidate

    def attest(self, candidate, *seats):
        for seat in seats:
            self._add("attested", candidate | {"witness": address(seat)}, False)
            self._vote(seat, candidate)

    def _add(self, kind, said, beside):
        self.block, self.log_index = (self.block, self.log_index + 1) if beside else (self.block + 1, 0)
        timestamp = FIRST_MS // 1000 + 70 + 2 * (self.block - 100)
        self.events.append({"block": self.block, "log_index": self.log_index, "timestamp": timestamp, kind: said})

    def _vote(self, seat, candidate):
        votes = self.votes.setdefault(candidate["slot"], {})
        assert seat not in votes and list(votes.values()).count("final") == 0
        votes[seat] = candidate["observation_hash"]
        if list(votes.values()).count(candidate["observation_hash"]) == self.quorum:
            self._add("finalized", candidate, True)
            votes["final"] = "final"


def epoch(index, at, content, complete=True):
    return {"index": index, "complete": complete, "data_root": root(content), "observed_unix_ms": ms(at)}


def run(indices, begin, label, incomplete=()):
    """A segment: epochs of a session that began at `begin`, each a minute after the one before."""
    return [epoch(i, begin + 60 * i, f"{label}{i}", i not in incomplete) for i in indices]


def vector(about, log, **archives):
    """An archive's name says what is special about its witness; it is a list of segments."""
    made = {
        "about": about,
        "lane": LANE,
        "agreement": AGREEMENT,
        "set": {"witnesses": log.witnesses, "bitmap": log.bitmap, "quorum": log.quorum},
        "log": log.events,
        "archives": [{"about": name.replace("_", " "), "segments": segments} for name, segments in archives.items()],
    }
    return made | {"expected": sessions.expected(made)}


def restart():
    about = "a publisher's restart: two sessions, each opened by the first complete epoch; one is final, the other only usable"
    log = Log()
    first = log.propose(0, 0, 0, "a0")
    log.attest(first, 1, 2)
    log.propose(1, 0, 1, "a1", at=60.02)
    log.propose(2, 200, 0, "b0")
    both = [run(range(4), 0.01, "a", incomplete=[3]), run(range(2), 200.02, "b")]
    return vector(about, log, both_sessions=both, second_only=both[1:])


def late_subscriber():
    about = "a witness that came late has not the epoch that opened the session: it waits until others stand for the name"
    log = Log()
    log.propose(0, 0, 0, "a0")
    for index in range(1, 6):
        log.propose(index % 5, 0, index, f"a{index}", at=60 * index)
    # its backlog came up to ten seconds later than the others had it
    late = [[epoch(4, 262, "a4", False), epoch(5, 310.4, "a5"), *run([6], 0.3, "a")]]
    return vector(about, log, late=late, from_the_start=[run(range(6), 0.02, "a")])


def late_subscriber_votes():
    about = "unbeatable votes anywhere in a session make it usable: two of five where the quorum is four, one is too few"
    log = Log(quorum=4)
    log.attest(log.propose(0, 0, 0, "a0"), 1)
    log.propose(3, 500, 0, "b0")
    log.propose(1, 500, 3, "b3", at=680)
    log.propose(1, 0, 5, "a5", at=300)
    late = [run([5, 6], 0.3, "a"), run([3, 4], 500.1, "b")]
    return vector(about, log, late=late)


def removed_witness():
    about = "the votes of a witness that left count for nothing: one of two is left in the first session; in the second two of four are"
    log = Log(witnesses=5, quorum=3, bitmap=0b01111)
    log.attest(log.propose(0, 0, 0, "a0"), 4)
    log.propose(1, 0, 5, "a5", at=300)
    log.attest(log.propose(1, 500, 0, "b0"), 2)
    log.propose(1, 500, 5, "b5", at=800)
    return vector(about, log, late=[run([5, 6], 0.3, "a")], late_in_another=[run([5, 6], 500.3, "b")])


def late_subscriber_final():
    about = "a final observation anywhere in a session makes it usable, whoever has that epoch; one that matches settles the segment"
    log = Log()
    log.attest(log.propose(0, 0, 0, "a0"), 1, 2)
    log.propose(1, 0, 5, "a5", at=300)
    log.attest(log.propose(2, 0, 8, "a8", at=480), 0, 1)
    return vector(
        about, log, late=[run([5, 6], 0.3, "a")], settled=[run([5, 8], 0.3, "a")], other_bytes=[run([8], 0.3, "b")], later=[run([6, 7], 0.3, "a")],
        incomplete=[run([5, 6], 0.3, "a", incomplete=[5])], another_index=[[epoch(7, 300.1, "a5")]],
    )  # fmt: skip


def two_openers():
    about = "two witnesses open at the same moment: the first in the log counts"
    log = Log()
    log.propose(1, 0.015, 0, "a0")
    log.propose(0, 0, 0, "a0", beside=True)
    log.propose(2, 0, 1, "a1", at=60)
    return vector(about, log, third=[run(range(3), 0.02, "a")])


def opener_index():
    about = "whoever came late may open the session with a later epoch; one that has the mark for its time opens nothing new"
    log = Log()
    log.propose(0, 180, 3, "a3")
    log.propose(1, 180, 4, "a4", at=240)
    log.propose(2, 180, 5, "a5", at=180)
    return vector(about, log, has_it=[run(range(6), 0, "a")], has_not=[run([4, 5], 0.1, "a")])


def far_mark():
    about = "a rogue's marks far off: one is not matched, one is by a later candidate and cannot be used; another's is the first"
    log = Log()
    log.propose(0, 1_000_000, 0, "a0")
    log.propose(1, -500, 0, "a0")
    log.propose(1, -500, 1, "a1", at=60)
    log.propose(3, 60.2, 1, "a1")
    return vector(about, log, honest=[run(range(3), 0, "a")])


def far_mark_alone():
    about = "nothing but a rogue's mark far off that matches and cannot be used: the witness opens another session"
    log = Log()
    log.propose(1, -500, 0, "a0")
    log.propose(1, -500, 1, "a1", at=60)
    return vector(about, log, honest=[run(range(3), 0, "a")])


def edge_of_tolerance():
    about = "a rogue's mark at the edge of the tolerance splits those whose own times are within it from the others"
    log = Log()
    log.propose(0, 0, 0, "a0")
    return vector(
        about, log, at_the_edge=[run(range(2), TOLERANCE, "a")], beyond=[run(range(2), TOLERANCE + 0.001, "a")],
        at_the_other_edge=[run(range(2), -TOLERANCE, "a")], beyond_the_other=[run(range(2), -TOLERANCE - 0.001, "a")],
    )  # fmt: skip


def wrong_content():
    about = "a rogue opens with other content at the right time: a session like any other, in which the own content is voted for"
    log = Log()
    log.propose(0, 0, 0, "bogus")
    return vector(about, log, honest=[run(range(2), 1, "a")], incomplete=[run(range(2), 1, "a", incomplete=[0])])


def equal_root():
    about = "of usable matching sessions those with an equal data root come before others, where that candidate's time is near"
    log = Log()
    log.propose(0, 0, 0, "bogus")
    log.propose(1, 3, 0, "a0")
    log.propose(2, 4, 0, "a0")
    log.propose(3, 0, 1, "a1", at=78.001)
    return vector(about, log, honest=[run(range(2), 1, "a")], other=[run(range(2), 1, "b")], near_78=[run(range(2), 2, "a")])


def replay():
    about = "the same bytes in two sessions: times tell them apart, equal data roots do not"
    log = Log()
    log.attest(log.propose(0, 0, 0, "a0"), 1, 2)
    log.propose(0, 0, 1, "a1", at=60)
    log.propose(1, 400, 0, "a0")
    again = run(range(2), 400.02, "a")
    return vector(about, log, both=[run(range(2), 0, "a"), again], second_only=[again], third=[run(range(2), 800, "a")])


def cut_segment():
    about = "a forged record cuts a segment in two: what goes on is of the same session until it matches another"
    log = Log()
    log.propose(0, 0, 0, "a0")
    first = run(range(4), 0, "a", incomplete=[3])
    return vector(
        about, log,
        goes_on=[first, run(range(3, 6), 0, "a", incomplete=[3])],
        from_the_next=[first, run(range(4, 6), 0, "a")],
        twice=[first, run(range(4, 6), 0, "a"), run(range(5, 9), 0, "a", incomplete=[5])],
        lower=[first, run(range(2, 6), 0, "a", incomplete=[2])],
        forged_far_ahead=[[*first, epoch(333_333, 190, "forged", False)], run(range(4, 6), 0, "a")],
        nothing_complete=[first, run(range(4, 6), 0, "a", incomplete=[4, 5]), run(range(6, 9), 0, "a")],
        first_unnamed=[run(range(3), 600, "b"), run(range(3, 5), 600, "b")],
        restarted_after_one=[run(range(1), 0, "a"), run(range(2), 65, "b")],
        forged_at_its_end=[run(range(1), 0, "a"), run(range(3), 0, "a", incomplete=[0])],
    )  # fmt: skip


def cut_segment_matches():
    about = "what goes on is of the session before only where it matches no other itself"
    log = Log()
    log.propose(0, 0, 0, "a0")
    log.propose(1, 500, 3, "b3")
    first = run(range(3), 0, "a")
    return vector(about, log, restarted=[first, run(range(3, 6), 320.1, "b")], goes_on=[first, run(range(3, 6), 0, "a")])


def fits_no_mark():
    about = "headers that fit no mark: another sequence, groups per epoch, or version, and a mark above the sequence"
    log = Log()
    log.propose(0, 0, 0, "a0", sequence=ms(0) + 1)
    log.propose(0, 0, 1, "a1", epoch_id=f"ec/epoch/v2/g60/{ms(0)}/1")
    log.propose(0, 0, 2, "a2", epoch_id=f"ec/epoch/v1/g30/{ms(0) + 2}")
    log.propose(0, 0, 3, "a3", at=5, sequence=ms(4), epoch_id=sessions.epoch_id(LANE, ms(5), (ms(4) - ms(5)) % (1 << 64)))
    log.propose(0, 0, 3, "a3", at=5, sequence=ms(4), epoch_id=f"ec/epoch/v2/g30/{ms(5)}/-1000")
    log.propose(0, 0, 4, "a4", epoch_id=f"ec/epoch/v2/g30/{ms(0)}/04")
    log.propose(0, 0, 5, "a5", at=300)
    return vector(about, log, honest=[run(range(6), 0, "a")])


def decode_order():
    about = "marks closer together than their indices: the nearest below the sequence does not fit, one further below does"
    log = Log()
    log.propose(0, 0, 0, "a0")
    log.propose(1, 0.003, 0, "b0")
    log.propose(2, 0.005, 0, "c0")
    log.propose(0, 0, 5, "a5", at=300)
    log.propose(1, 0.003, 2, "b2", at=120)
    log.propose(4, 0.005, 0, "c0", at=1)
    log.propose(3, 0, 4, "a4", at=0.003)
    return vector(about, log, honest=[run(range(6), 0, "a")])


def opened_later():
    about = "a mark is known from the candidate on that opened it: one before that used it is of no session, and stays so"
    log = Log()
    early = log.propose(0, 0, 1, "a1", at=60)
    log.propose(1, 0, 0, "a0")
    log.attest(early, 1, 2)
    log.propose(2, 0, 2, "a2", at=120)
    late, whole = run(range(1, 2), 0, "a"), run(range(3), 0, "a")
    return vector(about, log, has_only_that=[late], has_the_opener=[whole])


def last_final():
    about = "of two sessions with final observations that match, the one where that has the highest index counts"
    log = Log()
    first = log.propose(0, 0, 0, "a0")
    second = log.propose(1, 5, 0, "a0")
    log.attest(second, 2, 3)
    log.attest(first, 2, 3)
    log.attest(log.propose(4, 0, 1, "a1", at=60), 0, 1)
    early = [run(range(2), -13, "a")]
    return vector(about, log, honest=[run(range(2), 3, "a")], matches_the_other_only=early)


def first_final():
    about = "of two sessions that are final at the highest index the one that was final first counts, not the one opened first"
    log = Log()
    first = log.propose(0, 0, 0, "a0")
    second = log.propose(1, 5, 0, "a0")
    log.attest(second, 2, 3)
    log.attest(first, 2, 3)
    return vector(about, log, honest=[run(range(2), 3, "a")], matches_the_other_only=[run(range(2), -13, "a")])


def final_first():
    about = "a final session comes before one that was opened first, where the data roots are equal"
    log = Log()
    log.propose(0, 0, 0, "a0")
    log.attest(log.propose(1, 5, 0, "b0"), 2, 3)
    return vector(about, log, equal=[run(range(2), 3, "b")], equal_to_the_first=[run(range(2), 3, "a")], other=[run(range(2), 3, "c")])


def old_session():
    about = "a rogue goes on with an old session: it is matched and usable, but another that is final at the index counts"
    log = Log()
    log.attest(log.propose(0, 0, 0, "a0"), 1, 2)
    log.attest(log.propose(0, 600, 0, "b0"), 1, 2)
    log.propose(4, 0, 1, "b1", at=660)
    honest = [run(range(1), 0, "a"), run(range(2), 600, "b")]
    return vector(about, log, honest=honest, late=[run([1], 600, "b")])


def segments_of_one_session():
    about = "several segments of one session, and the epoch that opened it in another segment than the one that matches"
    log = Log()
    log.propose(0, 0, 0, "a0")
    log.propose(1, 0, 4, "a4", at=240)
    cut = [run(range(3), 0, "a", incomplete=[2]), run(range(1, 6), 0.1, "a", incomplete=[1, 2, 5])]
    return vector(about, log, cut=cut, without_the_first=cut[1:], opener_incomplete=[run(range(6), 0, "a", incomplete=[0])])


VECTORS = [
    restart, late_subscriber, late_subscriber_votes, removed_witness, late_subscriber_final, two_openers, opener_index,
    far_mark, far_mark_alone, edge_of_tolerance, wrong_content, equal_root, replay, cut_segment, cut_segment_matches,
    fits_no_mark, decode_order, opened_later, last_final, first_final, final_first, old_session, segments_of_one_session,
]  # fmt: skip
