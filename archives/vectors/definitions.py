"""What the vectors hold: for each a sentence, the groups per epoch, the tracks, and files with what else is configured.

Files are arrays of records (`manifests`) where a program can read them as JSON, and text (`raw`) where reading lines is
what is tested, or where numbers or names are beyond what some JSON readers take.
"""

import json

import protocol

MEDIA = ["video0.m4s", "audio0.m4s"]
FIRST_MS = 1_772_824_680_000
BOM = "\ufeff"


def digest(*labels):
    """Any 32 bytes will do for an object's hash."""
    return protocol.text_hash(" ".join(map(str, labels))).hex()


def record(sequence, label="", received=FIRST_MS, **changes):
    stated = {
        "group_sequence": sequence,
        "received_unix_ms": received + sequence % 1000 * 2000,
        "size_bytes": 1000 + sequence % 97,
        "blake3": digest(label, sequence),
    }
    return {key: value for key, value in (stated | changes).items() if value is not ...}


def records(sequences, label=""):
    return [record(sequence, label) for sequence in sequences]


def text(*parts):
    """Lines: records as compact JSON, strings as they stand."""
    compact = [part if isinstance(part, str) else json.dumps(part, separators=(",", ":")) for part in parts]
    return "".join(line + "\n" for line in compact)


def both(broadcast, sequences, **changed):
    """The same sequences on both media tracks, with other content."""
    return {f"{broadcast}/{track}.jsonl": changed.get(track[:5], records(sequences, broadcast + track)) for track in MEDIA}


def several_broadcasts():
    about = "three broadcasts, one of them in a directory of another; lines come by stream id, then sequence"
    manifests = both("la", range(60, 67)) | both("la/nbc", range(60, 65)) | both("LA-cbs", range(90, 97))
    return about, 3, MEDIA, {"manifests": manifests}


def leaf_counts():
    about = "epochs of 1, 2, 3, 5, 7 and 8 leaves: every shape of tree up to a full one; only the last is complete"
    sequences = [8 * epoch + i for epoch, count in enumerate([1, 2, 3, 5, 7, 8], 10) for i in range(count)]
    return about, 8, ["video0.m4s"], {"manifests": {"x/video0.m4s.jsonl": records(sequences)}}


def one_leaf():
    about = "one track and one group per epoch: each record is an epoch, complete, with a tree of one leaf; sequence 0 counts"
    return about, 1, ["video0.m4s"], {"manifests": {"x/video0.m4s.jsonl": records([0, 1, 2, 5])}}


def incomplete():
    about = "groups are missing at the start, inside and at the end of epochs; a parent is the nearest lower complete epoch"
    audio = [sequence for sequence in range(30, 58) if sequence not in (35, 48, 49, 50, 51)]
    changed = {"video": records(range(31, 57), "v"), "audio": records(audio, "a")}
    return about, 4, MEDIA, {"manifests": both("x", [], **changed)}


def conflicting():
    about = "one sequence with two objects, one with two sizes: such epochs have no header and are nobody's parent"
    other_object = [record(4, "v"), record(4, "other")]
    other_size = [record(10, "v"), record(10, "v", size_bytes=7)]
    video = records([0, 1, 2, 3], "v") + other_object + records(range(5, 10), "v") + other_size + records([11, 12], "v")
    return about, 3, MEDIA, {"manifests": both("x", range(13), video=video)}


def disorder():
    about = "records in any order, some twice; of a repeated record's receive times the smallest counts"
    video = records([8, 6, 7, 3, 5, 0, 2, 4, 1, 9], "v") + records([2, 2, 5], "v") + [record(4, "v", 1_700_000_000_000)]
    audio = records(reversed(range(10)), "a") + [record(0, "a", received_unix_ms=FIRST_MS - 1)]
    return about, 3, MEDIA, {"manifests": both("x", [], video=video, audio=audio)}


def one_track_missing():
    about = "no file of the second track: an empty track, so no epoch is complete; the last epoch is still open"
    return about, 3, MEDIA, {"manifests": {"x/video0.m4s.jsonl": records(range(7))}}


def times_missing():
    about = "some records without a receive time, or with null: the others of the epoch give the time"
    video = [record(0, received_unix_ms=...), record(1), record(2, received_unix_ms=None), record(3)]
    return about, 2, ["video0.m4s"], {"manifests": {"x/video0.m4s.jsonl": video}}


def custom_tracks():
    about = "configured tracks, given unsorted: they sort by bytes, where Z comes before a and é after z; others are not read"
    tracks = ["é.cmfv", "a", "Z", "a.b", "z"]
    manifests = {f"x/{track}.jsonl": records(range(20, 25), track) for track in [*tracks, "video0.m4s"]}
    return about, 2, tracks, {"manifests": manifests}


def not_ascii():
    about = "names beyond ASCII are hashed as UTF-8, and no form of é is made another: two broadcasts, two streams"
    manifests = both("t\u00e9l\u00e9/\u65e5\u672c", range(4)) | both("te\u0301le\u0301/\U0001f4fa", range(4))
    return about, 2, MEDIA, {"manifests": manifests}


def timeline():
    about = "time = timeline: the epoch's place gives its time, whatever receive times say, and none is needed"
    video = [record(sequence, received_unix_ms=...) for sequence in range(886_412_340, 886_412_347)]
    streams = {"x": {"time": "timeline", "chunk_duration_ms": 2000}}
    return about, 3, ["video0.m4s"], {"streams": streams, "manifests": {"x/video0.m4s.jsonl": video}}


def mapped():
    about = "local names mapped to canonical ids, with a locator's broadcast, tracks and epochs of their own"
    streams = {
        "antenna-1": {"stream_id": "ec/stream/v1/us/la/nbc", "locator_broadcast": "la-nbc"},
        "antenna-2": {
            "stream_id": "ec/stream/v1/us/la/cbs",
            "groups_per_epoch": 2,
            "tracks": ["audio0.m4s"],
            "time": "timeline",
            "chunk_duration_ms": 1001,
        },
    }
    raw = {path: text(*lines) for path, lines in (both("antenna-1", range(7)) | both("antenna-2", range(7))).items()}
    return about, 3, MEDIA, {"streams": streams, "raw": raw}


def escapes():
    about = "names that JSON must escape in the locator: quote, backslash, control characters, delete, line separator"
    broadcast = 'a"b\\c\u0001\u001f\t\u007f\u2028/d'
    streams = {broadcast: {"stream_id": "line\nfeed\b\f\r", "locator_broadcast": "</script>"}}
    raw = {f"{broadcast}/video0.m4s.jsonl": text(*records(range(3)))}
    return about, 2, ["video0.m4s"], {"streams": streams, "raw": raw}


def u64_limits():
    about = "sequences up to 2^64-1: its epoch has 16 of 30 groups, so it is never whole and, being the last, never closed"
    last = protocol.U64_MAX
    first = last // 30 * 30
    video = [record(sequence, received_unix_ms=last) for sequence in range(first - 30, first + 2)]
    limits = [record(last, size_bytes=last), record(last - 1, size_bytes=0, received_unix_ms=0)]
    return about, 30, ["video0.m4s"], {"raw": {"x/video0.m4s.jsonl": text(*video, *limits)}}


def u64_last_epoch():
    about = "one group per epoch: 2^64-1 is an epoch's index, complete and therefore closed"
    video = records([protocol.U64_MAX, protocol.U64_MAX - 1])
    return about, 1, ["video0.m4s"], {"raw": {"x/video0.m4s.jsonl": text(*video)}}


def aliases():
    about = "every default name of every field, numbers as strings, digests in capitals or with their prefix, two names that agree"
    hashes = [digest("alias", i) for i in range(9)]
    lines = [
        {"sequence": 0, "hash": hashes[0], "size": 5, "received_at_ms": 1000},
        {"group_id": 1, "digest": hashes[1], "bytes": 5, "received_unix_ms": 1001},
        {"group_sequence": "2", "blake3": "blake3:" + hashes[2], "size_bytes": "5", "received_at_ms": "1002"},
        {"group_id": "3", "hash": hashes[3].upper(), "size": "18446744073709551615", "track": "video0.m4s"},
        {"sequence": 4, "group_id": "4", "hash": "blake3:" + hashes[4].upper(), "blake3": hashes[4], "bytes": 5, "size": "5"},
        {"sequence": 5, "blake3": hashes[5], "size": 5, "received_unix_ms": None, "received_at_ms": 900, "broadcast": None},
        {"sequence": 6, "blake3": hashes[6], "size": 5, "received_unix_ms": 5, "cas_path": 7, "track": None, "x": {"size": 6}},
        '{"\\u0073equence":"\\u0037","blake3":"' + hashes[7] + '","size":5,"big":-1.5e999,"pair":"\\ud83d\\ude00"}',
        {"sequence": 8, "blake3": hashes[8], "size": 5, "received_unix_ms": 5, "broadcast": "x"},
    ]
    return about, 2, ["video0.m4s"], {"raw": {"x/video0.m4s.jsonl": text(*lines)}}


def configured_fields():
    about = "a configured list replaces a field's names: the default ones are then unknown fields"
    lines = [{"n": i, "sequence": "unknown", "blake3": digest(i), "len": 5, "size_bytes": [], "at": 9} for i in range(3)]
    fields = {"group_sequence": ["n"], "size_bytes": ["len", "length"], "received_unix_ms": ["at"]}
    return about, 2, ["video0.m4s"], {"fields": fields, "raw": {"x/video0.m4s.jsonl": text(*lines)}}


def line_endings():
    about = "a byte order mark, CR LF, blank lines and white space around a record change nothing; a torn last line is no data"
    plain = text(*records(range(5)))
    marked = BOM + plain.replace("\n", "\r\n")
    blanks = "\n\r\n \t\r\n" + plain.replace("\n", " \t\n\n").replace("{", "  {") + "\n"
    torn = plain + json.dumps(record(5))
    raw = {f"{name}/video0.m4s.jsonl": lines for name, lines in
           [("plain", plain), ("marked", marked), ("blanks", blanks), ("torn", torn), ("mark-alone", BOM + "\n" + plain)]}
    return about, 2, ["video0.m4s"], {"raw": raw}


def bad_lines_alone():
    """Each kind of bad line that states no sequence that can be read."""
    good = json.dumps(record(7))
    number = lambda value: good.replace('"group_sequence": 7', '"group_sequence": ' + value)  # noqa: E731
    return {
        "garbage": "garbage", "empty-object": "{}", "array": "[]", "array-around": f"[{good}]", "scalar": "7", "null": "null",
        "torn": good[:-1], "two": good + good, "nul": good[:-1] + ',"x":"\0"}', "late-mark": BOM + good,
        "nan": good[:-1] + ',"x":NaN}', "infinity": good[:-1] + ',"x":-Infinity}', "comma": good[:-1] + ",}",
        "single-quotes": good.replace('"', "'"), "lone-surrogate": good[:-1] + ',"x":"\\ud800"}',
        "lone-surrogate-key": good[:-1] + ',"\\udc00":1}', "swapped-pair": good[:-1] + ',"x":"\\ude00\\ud83d"}',
        "deep": good[:-1] + ',"x":' + "[" * 64 + "]" * 64 + "}", "no-sequence": good.replace("group_sequence", "other"),
        "null-sequence": number("null"), "negative": number("-7"), "minus-zero": number("-0"), "fraction": number("7.0"),
        "exponent": number("7e0"), "above-u64": number("18446744073709551616"), "leading-zero": number("07"),
        "leading-zero-text": number('"07"'), "plus": number('"+7"'), "space": number('" 7"'), "no-digits": number('""'),
        "other-digits": number('"\u0667"'), "list": number("[7]"), "disagree": good[:-1] + ',"sequence":8}',
        "twice-differently": good[:-1] + ',"group_sequence":8}',
    }


def bad_lines_stating(sequence):
    """Each kind of bad line whose sequence can be read."""
    good, blake3 = json.dumps(record(sequence)), digest("", sequence)
    more = lambda fields: good[:-1] + "," + fields + "}"  # noqa: E731
    return {
        "key-twice": more('"x":1,"x":1'), "key-twice-escaped": more('"x":1,"\\u0078":1'),
        "sequence-twice": more(f'"group_sequence":"{sequence}"'), "no-hash": good.replace("blake3", "b3"),
        "null-hash": good.replace(f'"{blake3}"', "null"), "short-hash": good.replace(blake3, blake3[1:]),
        "hash-with-0x": good.replace(blake3, "0x" + blake3), "hash-with-capital-prefix": good.replace(blake3, "BLAKE3:" + blake3),
        "no-hex": good.replace(blake3, "g" + blake3[1:]), "no-size": good.replace("size_bytes", "length"),
        "size-null": good.replace("size_bytes", "x").replace('"x": ', '"size_bytes":null,"x": '),
        "sizes-disagree": more('"size":7'), "hashes-disagree": more(f'"digest":"{digest("another")}"'),
        "time-fraction": more('"received_at_ms":1.5'), "times-disagree": more('"received_at_ms":1'),
        "other-broadcast": more('"broadcast":"X"'), "broadcast-number": more('"broadcast":1'), "other-track": more('"track":"audio0.m4s"'),
    }


def bad_lines():
    about = "each kind of bad line, in a broadcast of its own, between records of two epochs: both become incomplete"
    raw = {}
    for name, bad in bad_lines_alone().items():
        raw[f"{name}/video0.m4s.jsonl"] = text(*records(range(4)), bad, "", *records(range(4, 7)))
    return about, 2, ["video0.m4s"], {"raw": raw}


def bad_lines_with_sequence():
    about = "each kind of bad line whose sequence can be read, far from its epoch: only that epoch becomes incomplete"
    raw = {}
    for name, bad in bad_lines_stating(2).items():
        raw[f"{name}/video0.m4s.jsonl"] = text(*records(range(6)), bad, record(6))
    return about, 2, ["video0.m4s"], {"raw": raw}


def bad_line_neighbours():
    about = "bad lines at the start, at the end, several in a row, and across a bad line that states its sequence"
    stated = json.dumps(record(4)).replace("blake3", "b3")
    raw = {
        "start/video0.m4s.jsonl": text("bad", *records(range(5))),
        "end/video0.m4s.jsonl": text(*records(range(5)), "bad"),
        "row/video0.m4s.jsonl": text(*records(range(2)), "bad", "worse", "", "worst", *records(range(2, 9))),
        "across/video0.m4s.jsonl": text(*records([0, 1]), "bad", stated, *records([8, 9, 2, 3, 4, 5, 6, 7, 10])),
        "only/video0.m4s.jsonl": text("bad"),
        "other-track/audio0.m4s.jsonl": text("bad"),
        "other-track/video0.m4s.jsonl": text(*records(range(5))),
        "unknown-epoch/video0.m4s.jsonl": text(*records(range(4)), stated.replace(": 4", ": 400")),
    }
    return about, 2, ["video0.m4s"], {"raw": raw}


VECTORS = [
    several_broadcasts, leaf_counts, one_leaf, incomplete, conflicting, disorder, one_track_missing, times_missing,
    custom_tracks, not_ascii, timeline, mapped, escapes, u64_limits, u64_last_epoch, aliases, configured_fields,
    line_endings, bad_lines, bad_lines_with_sequence, bad_line_neighbours,
]  # fmt: skip
