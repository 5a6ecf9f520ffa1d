"""`session` numbering: each track is a lane, and its records are cut into segments by when they were received."""

import protocol

TOLD_APART_MS = 20_000  # W of the protocol
BELOW = 64
REMEMBERED = 65_536
TAKEN, DUPLICATE, BEGINS = "taken", "duplicate", "begins another segment"


class Segment:
    """What the rules must know of the present segment, and the epochs of its records."""

    def __init__(self):
        self.content, self.remembered, self.epochs = {}, {}, {}
        self.first_ms = self.latest_ms = None

    def judge(self, sequence, time, content):
        """What a record is to this segment."""
        if not self.content:
            return TAKEN
        if sequence in self.content:
            known = self.remembered.get(sequence)
            is_same = self.content[sequence] == content and known is not None and abs(time - known) <= TOLD_APART_MS
            return DUPLICATE if is_same else BEGINS
        lowest, highest = min(self.content), max(self.content)
        if sequence > highest:
            return TAKEN
        if sequence > lowest:
            above = self.remembered.get(min(s for s in self.content if s > sequence))
            return TAKEN if above is not None and time - above <= TOLD_APART_MS else BEGINS
        is_near = sequence + BELOW >= lowest and time - self.first_ms <= TOLD_APART_MS
        return TAKEN if is_near else BEGINS

    def take(self, sequence, time, content):
        """Adds a record. What is once forgotten stays so."""
        if sequence not in self.content:
            self.content[sequence] = content
            self.remembered[sequence] = time
        self.first_ms = time if self.first_ms is None else self.first_ms
        self.latest_ms = max(time, time if self.latest_ms is None else self.latest_ms)
        recent = [(s, at) for s, at in self.remembered.items() if self.latest_ms - at <= TOLD_APART_MS]
        self.remembered = dict(recent[-REMEMBERED:])


def cut(found):
    """Segments of a lane's lines, the number of the good record that each begins with, and the segment of each line.

    A line's segment is the present one where the line stands; of a bad line before any good one, the first.
    """
    segments, begins, present, time = [], [], [], 0
    for _, record, _ in found:
        if record:
            sequence, content = record["group_sequence"], (record["blake3"], record["size_bytes"])
            time = record["received_unix_ms"] if record["received_unix_ms"] is not None else time
            if not segments or segments[-1].judge(sequence, time, content) == BEGINS:
                segments.append(Segment())
                begins.append(sum(record is not None for _, record, _ in found[: len(present)]))
            segments[-1].take(sequence, time, content)
        present.append(max(len(segments) - 1, 0))
    return segments, begins, present


def touched(found, present, i):
    """(segment, sequence) of what a bad line touches."""
    _, _, sequence = found[i]
    if sequence is not None:
        return [(present[i], sequence)]
    good = [(at, present[at], record["group_sequence"]) for at, (_, record, _) in enumerate(found) if record]
    return [place for at, *place in good if at < i][-1:] + [place for at, *place in good if at > i][:1]


def gather(lane, files, names):
    """The segments of a lane with their epochs, where they begin, and the offsets of bad lines."""
    found, size = protocol.read(lane["broadcast"], lane["tracks"][0], files, names), lane["groups_per_epoch"]
    segments, begins, present = cut(found)
    for i, (_, record, _) in enumerate(found):
        if record:
            epochs = segments[present[i]].epochs
            epochs.setdefault(record["group_sequence"] // size, protocol.Epoch()).add(lane["tracks"][0], record)
            continue
        for segment, sequence in touched(found, present, i) if segments else []:
            segments[segment].epochs.setdefault(sequence // size, protocol.Epoch()).bad = True
    for segment in segments:
        segment.epochs = {index: epoch for index, epoch in segment.epochs.items() if epoch.objects}
    return segments, begins, [at for at, record, _ in found if not record]


def mark(lane, segment):
    """By what a segment is named without a ledger."""
    complete = [index for index, epoch in segment.epochs.items() if protocol.is_complete(lane, epoch)]
    timed = [index for index, epoch in segment.epochs.items() if epoch.times]
    named_by = min(complete or timed or segment.epochs)
    return protocol.observed_unix_ms(lane, named_by, segment.epochs[named_by])


def derive(lane, files, names):
    """The expected lines of a lane of an archive at rest, where its segments begin, and the offsets of its bad lines."""
    expected, parent = [], protocol.ZERO
    segments, begins, bad = gather(lane, files, names)
    for number, segment in enumerate(segments):
        is_last = number == len(segments) - 1
        for index in sorted(segment.epochs):
            epoch = segment.epochs[index]
            is_complete = protocol.is_complete(lane, epoch)
            if not is_complete and is_last and index == max(segment.epochs):
                continue
            session = {"mark": mark(lane, segment), "index": index, "segment": number}
            line = protocol.line_of(lane, index, epoch, parent, session)
            expected.append(line)
            if is_complete:
                parent = bytes.fromhex(line["observation_hash"][2:])
    return expected, begins, bad


def lanes_of(stream, files):
    """The lanes of a stream: each configured track, or each track there is whose name ends in .m4s."""
    here = [path.rpartition("/")[2] for path in files if path.rpartition("/")[0] == stream["broadcast"]]
    found = [name.removesuffix(".jsonl") for name in here if name.endswith(".m4s.jsonl")]
    for track in sorted(stream.get("tracks", found)):
        size = stream.get("groups_per_epoch_of", {}).get(track, stream["groups_per_epoch"])
        yield stream | {"stream_id": f"{stream['stream_id']}/track/{track}", "tracks": [track], "groups_per_epoch": size}
