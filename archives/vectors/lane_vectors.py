"""What the vectors of `session` numbering hold: for each a sentence, the groups per epoch, and files with what else is
configured. Times are seconds after the first one; media come in groups of two seconds.
"""

import json

from definitions import FIRST_MS, digest, text
from protocol import U64_MAX

W = 20


def heard(sequence, at, label="", **changes):
    """A record received at so many seconds; another label is other content."""
    stated = {
        "group_sequence": sequence,
        "received_unix_ms": FIRST_MS + round(at * 1000),
        "size_bytes": 1000 + sequence % 97,
        "blake3": digest(label, sequence),
    }
    return {key: value for key, value in (stated | changes).items() if value is not ...}


def live(sequences, begin=0, label=""):
    """Records that come every two seconds from `begin`."""
    return [heard(sequence, begin + 2 * i, label) for i, sequence in enumerate(sequences)]


def burst(sequences, at, label=""):
    """Records that come at once."""
    return [heard(sequence, at + i / 1000, label) for i, sequence in enumerate(sequences)]


def cases(track="0.m4s", **lines):
    """Each case in a broadcast of its own."""
    return {f"{name.replace('_', '-')}/{track}.jsonl": records for name, records in lines.items()}


def lane_restart():
    about = "numbers begin again with each start of the publisher; each track is a lane, and only those of .m4s are read"
    twice = lambda track: live(range(11), 0, f"1 {track}") + live(range(8), 25, f"2 {track}")  # noqa: E731
    both = {f"x/{track}.jsonl": twice(track) for track in ("0.m4s", "1.m4s")}
    beside = {"x/catalog.json.jsonl": live([0, 1], 0, "c"), "x/timeline.z.jsonl": live([0], 0, "z")}
    return about, 3, {"manifests": both | beside}


def lane_restarts():
    about = "restarts: the second group comes first; another publisher goes on in the middle; twice; a relay's keeps the numbers"
    begun = live(range(11), 0, "1")
    manifests = cases(
        second_first=begun + [heard(1, 25, "2"), heard(0, 25.01, "2")] + live(range(2, 8), 27, "2"),
        in_the_middle=begun + burst([7, 8, 5, 6], 23, "2") + live(range(9, 14), 25, "2"),
        twice=begun + live(range(2), 25, "2") + live(range(7), 35, "3"),
        relay=begun + live(range(12, 19), 40, "1"),
        ahead=begun + live(range(30, 37), 25, "2"),
    )
    return about, 3, {"manifests": manifests}


def lane_late_subscriber():
    about = "a subscriber that comes late gets a backlog in disorder, all at once, and then what is live: one segment"
    first, far = [21, 2, 0, 1, 5, 4, 3, 8, 6, 7, 9], list(range(20, 9, -1))
    lines = burst([*first, 60, 59, *far, 61], 0) + live(range(62, 67), 1.5)
    low = burst([1390, 1400, 1379, 2784, *range(1389, 1379, -1)], 0) + live(range(2785, 2790), 1)
    return about, 3, {"manifests": cases(backlog=lines, far_above=low)}


def lane_forged():
    about = "a forged record cuts a segment, and costs the window it stands in: its number is the newest, an old one, far ahead"
    manifests = cases(
        newest=[*live(range(8)), heard(7, 14.5, "forged"), *live(range(8, 14), 16)],
        old=[*live(range(8)), heard(1, 14.5, "forged"), *live(range(8, 14), 16)],
        far_ahead=[*live(range(4)), heard(1_000_000, 6.5, "forged"), *live(range(4, 22), 8)],
        far_below=[*live(range(100, 108)), heard(3, 14.5, "forged"), *live(range(108, 114), 16)],
    )
    return about, 3, {"manifests": manifests}


def lane_replay():
    about = "the same bytes again are another segment, but for those received within W of the first: these are duplicates"
    manifests = cases(after=live(range(12)) + live(range(7), 40), within=live(range(6)) + live(range(10), 12))
    return about, 3, {"manifests": manifests}


def lane_duplicates():
    about = "a record again: within W or not, with another size, from a clock set back, in an epoch whose time it lowers"
    more = live(range(4, 8), 26)
    again = lambda at: [*live(range(3)), heard(1, at), heard(3, 23), *more]  # noqa: E731
    manifests = cases(
        at_w=again(2 + W),
        beyond_w=again(2 + W + 0.001),
        at_w_before=[*live(range(3), 100), heard(1, 102 - W), *live(range(3, 8), 106)],
        beyond_w_before=[*live(range(3), 100), heard(1, 102 - W - 0.001), *live(range(3, 8), 106)],
        other_size=[*live(range(3)), heard(1, 5, size_bytes=7), *live(range(3, 8), 6)],
        # of the first of them the time counts on, not that of the second
        twice=[*live(range(3)), heard(1, 15), heard(1, 22.001), *live(range(3, 8), 23)],
        # another record of the segment came more than W later, so this one is no longer remembered
        forgotten=[*live(range(3)), heard(3, 2 + W + 0.001), heard(1, 10), *more],
        # it came more than W before the latest one, so it is forgotten as soon as it is taken
        forgotten_at_once=[*live(range(3), 100), heard(3, 60), heard(3, 61), *live(range(4, 8), 106)],
        # so does a duplicate make others forgotten, although it is remembered by its first time
        duplicate_forgets=[*live(range(3)), heard(2, 4 + W), heard(1, 10), *live(range(3, 8), 26)],
    )
    return about, 3, {"manifests": manifests}


def lane_holes():
    about = "a hole is filled no more than W after the next higher record there came, or cuts; what is forgotten is too old"
    gap = [*live([0, 1, 2, 3]), *live([5], 8)]
    manifests = cases(
        at_w=[*gap, heard(4, 8 + W), *live(range(6, 10), 29)],
        beyond_w=[*gap, heard(4, 8 + W + 0.001), *live(range(6, 10), 29)],
        # the next higher is what counts: 7 came just before, 5 did not
        next_counts=[*gap, heard(7, 29), heard(4, 29.5), *live(range(8, 12), 30)],
        next_is_near=[*gap, heard(7, 29), heard(6, 29.5), *live(range(8, 12), 30)],
        # the clock went back after 7, but 5 is forgotten
        forgotten=[*gap, heard(7, 8 + W + 0.001), heard(4, 10), *live(range(8, 12), 30)],
        clock_back=[*live(range(100, 103), 50), heard(104, 56), heard(103, 1), *live(range(105, 109), 58)],
    )
    return about, 3, {"manifests": manifests}


def lane_forgotten():
    about = "numbers that are there and forgotten are not absent, and what is below them is judged by its next higher record"
    filled = [heard(20, 0), heard(30, 0.1), heard(28, 15), heard(27, 16)]
    manifests = cases(
        # 21 to 29 are below a forgotten number, 28 and 27 are not forgotten
        below_forgotten=[*filled, heard(31, 21), heard(26, 22), *live(range(32, 37), 23)],
        between=[*live([0, 1]), heard(4, 3), heard(3, 20), heard(5, 23.5), heard(2, 24), *live(range(6, 10), 25)],
        present=[*live([0, 1]), heard(4, 3), heard(3, 20), heard(5, 23.5), heard(1, 24), *live(range(6, 10), 25)],
    )
    return about, 3, {"manifests": manifests}


def lane_below():
    about = "below the lowest: no more than 64 numbers, and no more than W after the segment's first record"
    above = live(range(100, 103))
    manifests = cases(
        at_64=[*above, heard(36, 5), *live(range(103, 108), 6)],
        beyond_64=[*above, heard(35, 5), *live(range(103, 108), 6)],
        at_w=[*above, heard(99, W), *live(range(103, 108), 21)],
        beyond_w=[*above, heard(99, W + 0.001), *live(range(103, 108), 21)],
        # 64 below the lowest, which each of them lowers
        steps=[*above, heard(40, 5), heard(0, 6), *live(range(103, 108), 7)],
        # the first record's time counts, not the lowest's
        first_counts=[*above, heard(98, 18), heard(97, 21), *live(range(103, 108), 22)],
        clock_back=[*live(range(100, 103), 50), heard(99, 1), *live(range(103, 108), 56)],
    )
    return about, 3, {"manifests": manifests}


def lane_without_times():
    about = "a record without a time takes that of the good record before it for the cutting; its epoch's time is from others"
    no = {"received_unix_ms": ...}
    null = {"received_unix_ms": None}
    manifests = cases(
        some=[heard(0, 0), heard(1, 0, **no), heard(2, 4), heard(3, 0, **null), heard(4, 8), heard(5, 10), heard(6, 12)],
        # 6 and 4 take the time of 7: that is more than W after 5 came, but not after 7
        hole=[*live([0, 1, 2, 3, 5]), heard(7, 30), heard(6, 0, **no), heard(4, 0, **no), heard(5, 31), *live(range(8, 12), 32)],
        duplicate=[*live(range(3)), heard(1, 0, **no), *live(range(3, 7), 6)],
        # 3 takes the time of the duplicate, more than W after 4 came
        after_duplicate=[heard(0, 0), heard(4, 1), *live([1, 2], 2), heard(1, 2 + W), heard(3, 0, **no), *live(range(5, 10), 23)],
        # nothing stands before it, so its time is 0: it is forgotten at once
        first=[heard(1, 0, **no), *live([2, 3]), heard(1, 4.5), *live([4, 5, 6, 7, 8], 5)],
        first_and_below=[heard(1, 0, **no), heard(2, 0), heard(0, 1), *live(range(1, 8), 2)],
        all_of_the_first=[heard(0, 0, **no), heard(1, 0, **no), heard(0, 0, **no), heard(2, 0)],
    )
    return about, 3, {"manifests": manifests}


def lane_without_any_time():
    about = "an epoch none of whose records has a time of its own has no header, though its records are cut: an error"
    records = [heard(0, 0), heard(1, 2), heard(2, 0, received_unix_ms=...), heard(3, 0, received_unix_ms=...), heard(4, 8)]
    return about, 2, {"manifests": cases(x=records)}


def lane_bad_lines():
    about = "a bad line touches epochs of the segment where it stands, and an unreadable one between two segments one of each"
    before, after = live(range(6), 0, "1"), live(range(7), 30, "2")
    stated = lambda sequence: json.dumps(heard(sequence, 29)).replace("blake3", "b3")  # noqa: E731
    raw = {
        # touches epoch 1 of the first segment and epoch 0 of the second
        "unreadable": [*before, "bad", *after],
        # the segment that is present is the first one, whatever its number fits
        "readable-last": [*before, stated(1), *after],
        "readable-first": [*before, after[0], stated(1), *after[1:]],
        "readable-elsewhere": [*before, stated(400), *after],
        "before-all": ["bad", *before, *after],
        "readable-before-all": [stated(4), *before, *after],
        "at-the-end": [*before, *after, "bad"],
        # the good line before is a duplicate
        "duplicate": [*before, heard(1, 10.5, "1"), "bad", *after],
        "row": [*before, "bad", "worse", stated(2), *after],
        "only": ["bad", stated(4)],
    }
    return about, 3, {"raw": {f"{name}/0.m4s.jsonl": text(*lines) for name, lines in raw.items()}}


def lane_groups_per_track():
    about = "a publisher of March: a video group at each keyframe, an audio group at each fragment, each with its own epochs"
    video, audio = live(range(8), 0, "v"), [heard(i, i * 0.5, "a") for i in range(30)]
    later = live(range(4), 30, "w"), [heard(i, 30 + i * 0.5, "b") for i in range(15)]
    manifests = {"x/video0.m4s.jsonl": video + later[0], "x/audio0.m4s.jsonl": audio + later[1]}
    return about, 3, {"streams": {"x": {"groups_per_epoch_of": {"audio0.m4s": 12}}}, "manifests": manifests}


def lane_without_complete_epoch():
    about = "a segment without a complete epoch is named by its lowest one, and is no parent; one with, by its first complete one"
    manifests = cases(
        none_complete=live([1, 2], 0, "1") + live([0, 2, 3, 5], 25, "2") + live(range(4), 60, "3"),
        # the lowest epoch has not the smallest time
        lowest_counts=burst([4, 5, 1, 2], 0, "1") + live(range(4), 25, "2"),
        later_complete=live([1, 2, 3, 4, 5, 6], 0, "1") + live(range(4), 25, "2"),
        last_is_open=live(range(3), 0, "1") + live([0, 1], 25, "2"),
    )
    return about, 3, {"manifests": manifests}


def at(sequence, time, label=""):
    return heard(sequence, 0, label, received_unix_ms=time)


def lane_highest_sequence():
    about = "mark and index are together 2^64-1 at most; a mark of 0 is one"
    raw = {
        "at-the-limit/0.m4s.jsonl": text(at(0, U64_MAX - 1), at(1, U64_MAX)),
        # numbers at the upper end, times at the lower one: nothing overflows
        "numbers/0.m4s.jsonl": text(*(at(U64_MAX - i, 0) for i in (3, 60, 0, 1)), at(U64_MAX, 0, "other"), at(0, 1), at(1, 1)),
        "times/0.m4s.jsonl": text(at(1, U64_MAX - 5), at(0, 3), at(2, U64_MAX - 3), at(3, U64_MAX - 2)),
    }
    return about, 1, {"raw": raw}


def lane_overflow():
    about = "mark and index are together above 2^64-1: an error, not another number"
    return about, 1, {"raw": {"x/0.m4s.jsonl": text(at(0, U64_MAX), at(1, U64_MAX))}}


def wander(name, count):
    """Records drawn by hashes: mostly the next number after a while, else whatever comes close to a limit of a rule."""
    lines, at, newest, label = [], 100.0, 80, 0
    for i in range(count):
        draw = lambda what, options: options[int(digest(name, i, what)[:8], 16) % len(options)]  # noqa: B023, E731
        at += draw("time", [2, 2, 2, 0.001, 5, 9.999, 10, W, W + 0.001, -2, -5, 0])
        label += draw("other", [0] * 9 + [1])
        newest = draw("newest", [newest] * 20 + [3, 40])
        sequence = newest + draw("number", [1] * 12 + [2, 0, -1, -2, -3, -4, -63, -64, -65, 3, 5])
        newest = max(newest, sequence)
        lines.append(heard(max(sequence, 0), round(at, 3), f"{name} {label}"))
    return lines


def lane_drawn():
    about = "lanes whose records are drawn by hashes, so that rules follow each other in orders that nobody would write"
    raw = {f"{n:02}/0.m4s.jsonl": text(*wander(f"drawn {n}", 40)) for n in range(10)}
    return about, 4, {"raw": raw}


def lanes_beside_timeline():
    about = "lanes and a stream with timeline numbering in one archive; lines come by the bytes of stream ids, a lane's included"
    tracks = ["10.m4s", "2.m4s"]
    relayed = {f"{name}/{track}.jsonl": live(range(5), 0, name + track) for name in ("b", "la/nbc") for track in tracks}
    numbered = {f"{name}/video0.m4s.jsonl": live(range(90, 95), 0, name) for name in ("la", "numbered")}
    streams = {
        "b": {"stream_id": "la/track", "locator_broadcast": "antenna", "tracks": ["2.m4s", "data"]},
        "la": {"numbering": "timeline", "tracks": ["video0.m4s"]},
        "numbered": {
            "numbering": "timeline", "tracks": ["video0.m4s"], "stream_id": "la/track/2", "time": "timeline",
            "chunk_duration_ms": 2000,
        },
    }  # fmt: skip
    raw = {path: text(*lines) for path, lines in (relayed | numbered | {"b/data.jsonl": live(range(4), 0, "d")}).items()}
    return about, 3, {"streams": streams, "raw": raw}


def relay_killed_a():
    about = "recorded from a relay: the publisher is killed and another begins, then a second one of the same name goes on for it"
    return about, 10, {"archive": "relay/r5-a"}


def relay_killed_b():
    about = "the same broadcast, recorded by a subscriber that came 20 s later: what both have whole is equal but for its time"
    return about, 10, {"archive": "relay/r5-b"}


def relay_replayed_a():
    about = "recorded from a relay: a publisher plays the same file twice, and sends the same bytes twice"
    return about, 8, {"archive": "relay/r9-a"}


def relay_replayed_b():
    about = "the same broadcast, recorded by a subscriber that came before the second time"
    return about, 8, {"archive": "relay/r9-b"}


# As archives/sample.toml says.
SAMPLE = {
    "la-abc": {"groups_per_epoch_of": {"audio0.m4s": 940}},
    "la-nbc": {"numbering": "timeline", "tracks": ["audio0.m4s", "video0.m4s"], "groups_per_epoch": 30},
}


def sample():
    about = "the sample archive: publishers of October and of March that were started again, beside a timeline"
    return about, 10, {"archive": "sample", "streams": SAMPLE}


def sample_late():
    about = "the sample archive of the witness that subscribed 20 s later"
    return about, 10, {"archive": "sample-late", "streams": SAMPLE}


VECTORS = [
    lane_restart, lane_restarts, lane_late_subscriber, lane_forged, lane_replay, lane_duplicates, lane_holes, lane_forgotten,
    lane_below, lane_without_times, lane_without_any_time, lane_bad_lines, lane_groups_per_track,
    lane_without_complete_epoch, lane_highest_sequence, lane_overflow, lane_drawn, lanes_beside_timeline, relay_killed_a,
    relay_killed_b, relay_replayed_a, relay_replayed_b, sample, sample_late,
]  # fmt: skip
