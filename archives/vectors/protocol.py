"""The derivation rules of docs/protocol.md, a second time: plain, slow, sharing nothing with the Rust code.

It holds a whole archive in memory and computes every closed epoch's expected line. Here are lines, epochs and headers, and
streams with `timeline` numbering; lanes.py has those with `session` numbering.
"""

import json

from keccak import U64_MAX, keccak256

MAX_LINE_LEN = 1 << 20
MAX_DEPTH = 64
ZERO = bytes(32)
FIELDS = {
    "group_sequence": ["group_sequence", "sequence", "group_id"],
    "blake3": ["blake3", "hash", "digest"],
    "size_bytes": ["size_bytes", "size", "bytes"],
    "received_unix_ms": ["received_unix_ms", "received_at_ms"],
    "broadcast": ["broadcast"],
    "track": ["track"],
}
REQUIRED = ("group_sequence", "blake3", "size_bytes")


def word(number):
    return number.to_bytes(32, "big")


def text_hash(text):
    return keccak256(text.encode())


class Underivable(Exception):
    """An archive from which nothing can be derived: the program says why and exits 2."""


# Lines


class Bad(Exception):
    """A complete line that is no record."""


class Number:
    """A JSON number as it is written."""

    def __init__(self, text):
        self.text = text


class Object(list):
    """A JSON object: its key-value pairs in order, repeated keys included."""


def _no_constant(name):
    raise Bad(name)


_DECODER = json.JSONDecoder(
    object_pairs_hook=Object, parse_int=Number, parse_float=Number, parse_constant=_no_constant
)


def _check_text(value, depth=1):
    """No lone surrogate anywhere, and no deeper nesting than is allowed."""
    if isinstance(value, str) and any("\ud800" <= char <= "\udfff" for char in value):
        raise Bad("lone surrogate")
    if isinstance(value, list):
        if depth > MAX_DEPTH:
            raise Bad("too deep")
        for item in value:
            parts = item if isinstance(value, Object) else [item]
            for part in parts:
                _check_text(part, depth + 1)


def parse(line):
    if len(line) > MAX_LINE_LEN:
        raise Bad("too long")
    try:
        value = _DECODER.decode(line.decode("utf-8"))
    except (ValueError, RecursionError) as error:
        raise Bad(str(error)) from error
    if not isinstance(value, Object):
        raise Bad("no object")
    _check_text(value)
    return value


def u64(value):
    text = value.text if isinstance(value, Number) else value
    if not isinstance(text, str) or not text.isascii() or not text.isdigit() or (text[0] == "0" and text != "0"):
        raise Bad("no u64")
    if int(text) > U64_MAX:
        raise Bad("above 2^64-1")
    return int(text)


def digest(value):
    text = value.removeprefix("blake3:") if isinstance(value, str) else ""
    if len(text) != 64 or any(char not in "0123456789abcdefABCDEF" for char in text):
        raise Bad("no digest")
    return bytes.fromhex(text)


def string(value):
    if not isinstance(value, str):
        raise Bad("no string")
    return value


DECODE = {"group_sequence": u64, "blake3": digest, "size_bytes": u64, "received_unix_ms": u64}


def field(line, name, names):
    """The one value that all present names of a field state; None when there is none."""
    stated = [value for key, value in line if key in names[name]]
    if name not in REQUIRED:
        stated = [value for value in stated if value is not None]
    values = [DECODE.get(name, string)(value) for value in stated]
    if any(value != values[0] for value in values):
        raise Bad(f"{name} stated twice")
    return values[0] if values else None


def judge(text, names, path_says):
    """(record, None) of a good line; (None, the sequence it states or None) of a bad one."""
    sequence = None
    try:
        line = parse(text)
        sequence = field(line, "group_sequence", names)
        record = {name: field(line, name, names) for name in FIELDS}
        keys = [key for key, _ in line]
        if len(set(keys)) != len(keys):
            raise Bad("duplicate key")
        if any(record[name] is None for name in REQUIRED):
            raise Bad("field missing")
        if any(record[name] not in (None, said) for name, said in path_says.items()):
            raise Bad("contradicts its path")
        return record, None
    except Bad:
        return None, sequence


def lines(data):
    """Offset and text of every complete line that is not blank."""
    offset = 0
    for raw in data.split(b"\n")[:-1]:
        text = raw.removesuffix(b"\r")
        text = text.removeprefix(b"\xef\xbb\xbf") if offset == 0 else text
        if text.strip(b" \t\r"):
            yield offset, text
        offset += len(raw) + 1


# Epochs


class Epoch:
    def __init__(self):
        self.objects, self.times, self.conflicting, self.bad = {}, [], False, False

    def add(self, track, record):
        place = (track.encode(), record["group_sequence"])
        content = (record["blake3"], record["size_bytes"])
        self.conflicting |= self.objects.setdefault(place, content) != content
        if record["received_unix_ms"] is not None:
            self.times.append(record["received_unix_ms"])


def read(broadcast, track, files, names):
    """Offset, record or None, and stated sequence or None, of each line of one track's file."""
    path_says = {"broadcast": broadcast, "track": track}
    return [(at, *judge(text, names, path_says)) for at, text in lines(files.get(f"{broadcast}/{track}.jsonl", b""))]


def gather(stream, files, names):
    """The epochs of one stream, and the offsets of its bad lines by file."""
    epochs, quarantined, size = {}, {}, stream["groups_per_epoch"]
    for track in stream["tracks"]:
        path = f"{stream['broadcast']}/{track}.jsonl"
        found = read(stream["broadcast"], track, files, names)
        good = [(i, record["group_sequence"]) for i, (_, record, _) in enumerate(found) if record]
        for i, (offset, record, sequence) in enumerate(found):
            if record:
                epochs.setdefault(record["group_sequence"] // size, Epoch()).add(track, record)
                continue
            quarantined.setdefault(path, []).append(offset)
            neighbours = [s for at, s in good if at < i][-1:] + [s for at, s in good if at > i][:1]
            for touched in [sequence] if sequence is not None else neighbours:
                epochs.setdefault(touched // size, Epoch()).bad = True
    return {index: epoch for index, epoch in epochs.items() if epoch.objects}, quarantined


def tree(leaves):
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return keccak256(tree(leaves[:split]) + tree(leaves[split:]))


def data_root(epoch):
    leaves = [
        keccak256(keccak256(track) + word(sequence) + blake3 + word(size))
        for (track, sequence), (blake3, size) in sorted(epoch.objects.items())
    ]
    return keccak256(word(len(leaves)) + tree(leaves))


def locator_hash(stream, epoch_id):
    """RFC 8785: sorted keys, no white space, nothing escaped that need not be; Python writes the same escapes."""
    locator = {
        "broadcast": stream["locator_broadcast"],
        "epoch_id": epoch_id,
        "objects": "blake3",
        "stream_id": stream["stream_id"],
        "tracks": sorted(stream["tracks"], key=str.encode),
        "v": 1,
    }
    return text_hash(json.dumps(locator, sort_keys=True, ensure_ascii=False, separators=(",", ":")))


def observed_unix_ms(stream, index, epoch):
    if stream["time"] == "timeline":
        return index * stream["groups_per_epoch"] * stream["chunk_duration_ms"]
    if not epoch.times:
        raise Underivable(f"epoch {index} of {stream['stream_id']} has no receive time")
    return min(epoch.times)


def is_complete(stream, epoch):
    whole = len(epoch.objects) == stream["groups_per_epoch"] * len(stream["tracks"])
    return whole and not epoch.bad and not epoch.conflicting


def header_of(stream, epoch_id, epoch, parent, observed, sequence):
    return {
        "streamHash": text_hash(stream["stream_id"]),
        "epochHash": text_hash(epoch_id),
        "parentObservationHash": parent,
        "dataRoot": data_root(epoch),
        "locatorHash": locator_hash(stream, epoch_id),
        "observedUnixMs": observed,
        "sequence": sequence,
    }


def slot(header):
    return keccak256(header["streamHash"] + header["epochHash"])


def observation_hash(header):
    return keccak256(b"".join(word(value) if isinstance(value, int) else value for value in header.values()))


def shown(header):
    """As JSON has it: hashes as 0x and hex digits."""
    return {name: value if isinstance(value, int) else "0x" + value.hex() for name, value in header.items()}


def line_of(stream, index, epoch, parent, session=None):
    """The expected line of one closed epoch; of a lane's, with the mark, index and segment of its session."""
    size = stream["groups_per_epoch"]
    epoch_id = f"ec/epoch/v2/g{size}/{session['mark']}/{index}" if session else f"ec/epoch/v1/g{size}/{index}"
    sequence = session["mark"] + index if session else index
    if sequence > U64_MAX:
        raise Underivable(f"mark and index of epoch {index} of {stream['stream_id']} are together above 2^64-1")
    line = {
        "stream_id": stream["stream_id"],
        "epoch_id": epoch_id,
        **({"session": session} if session else {}),
        "slot": "0x" + keccak256(text_hash(stream["stream_id"]) + text_hash(epoch_id)).hex(),
        "complete": is_complete(stream, epoch),
        "conflicting": epoch.conflicting,
        "leaf_count": None,
        "observation_hash": None,
        "header": None,
    }
    if epoch.conflicting:
        return line
    header = header_of(stream, epoch_id, epoch, parent, observed_unix_ms(stream, index, epoch), sequence)
    line["leaf_count"] = len(epoch.objects)
    line["observation_hash"] = "0x" + observation_hash(header).hex()
    line["header"] = shown(header)
    return line


def derive(stream, files, names):
    """The expected lines of a stream of an archive at rest, and the offsets of its bad lines by file."""
    expected, parent = [], ZERO
    epochs, quarantined = gather(stream, files, names)
    for index in sorted(epochs):
        line = line_of(stream, index, epochs[index], parent)
        if line["complete"] or index < max(epochs):
            expected.append(line)
        if line["complete"]:
            parent = bytes.fromhex(line["observation_hash"][2:])
    return expected, quarantined
