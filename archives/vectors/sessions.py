"""Sessions of a lane: what the ledger's log says of them, and which one each segment of a witness has.

Everything is computed from the log up to one block and the active set there, as by a witness that looks for the first time.
"""

from protocol import text_hash

U64 = range(1 << 64)


def epoch_id(lane, mark, index):
    return f"ec/epoch/v2/g{lane['groups_per_epoch']}/{mark}/{index}"


def fits(lane, header, mark):
    """Whether the header is of the session with this mark."""
    index = header["sequence"] - mark
    return index in U64 and "0x" + text_hash(epoch_id(lane, mark, index)).hex() == header["epochHash"]


def place(event):
    return event["block"], event["log_index"]


def decode(lane, log):
    """Of each candidate in the log its mark and index, or None; and the sessions in the order in which they were opened."""
    decoded, opened = [], {}
    for event in log:
        if "proposed" not in event:
            continue
        header = event["proposed"]["header"]
        below = sorted((mark for mark in opened if mark <= header["sequence"]), reverse=True)
        mark = next((mark for mark in [*below, header["observedUnixMs"]] if fits(lane, header, mark)), None)
        decoded.append(None if mark is None else {"mark": mark, "index": header["sequence"] - mark})
        if mark is not None and mark not in opened:
            opened[mark] = decoded[-1] | {"block": event["block"], "log_index": event["log_index"]}
    return decoded, list(opened.values())


class Session:
    """What is known of one session: its candidates, where it first became final, and whether votes there are unbeatable."""

    def __init__(self, opener, log, decoded, active, quorum):
        proposals = [event["proposed"] for event in log if "proposed" in event]
        mine = [(of["index"], proposed) for proposed, of in zip(proposals, decoded) if of and of["mark"] == opener["mark"]]
        self.mark, self.opened_by = opener["mark"], opener["index"]
        self.candidates = [(index, proposed["header"]) for index, proposed in mine]
        keys = [(proposed["slot"], proposed["observation_hash"]) for _, proposed in mine]
        key = lambda said: (said["slot"], said["observation_hash"])  # noqa: E731
        finals = {key(event["finalized"]): place(event) for event in log if "finalized" in event}
        self.first_final = min((finals[key] for key in keys if key in finals), default=None)
        self.finals = [(index, header) for (index, header), key in zip(self.candidates, keys) if key in finals]
        voters = {key(proposed): {proposed["proposer"]} for _, proposed in mine}
        for event in log:
            if "attested" in event and key(event["attested"]) in voters:
                voters[key(event["attested"])].add(event["attested"]["witness"])
        self.has_unbeatable = any(len(who & active) >= len(active) - quorum + 1 for who in voters.values())

    def near(self, segment, tolerance):
        """The pairs of a complete epoch of the segment and a candidate of its index whose times do not differ too much."""
        return [
            (epoch, header)
            for epoch in segment
            for index, header in self.candidates
            if epoch["complete"] and epoch["index"] == index and is_near(epoch, header["observedUnixMs"], tolerance)
        ]

    def last_final(self, segment, tolerance):
        """The highest index of a final observation that is near and has the own data root, or None."""
        equal = [
            (epoch["index"], header)
            for epoch, header in self.near(segment, tolerance)
            if epoch["data_root"] == header["dataRoot"]
        ]
        return max((index for index, header in equal if (index, header) in self.finals), default=None)

    def is_usable(self, segments, tolerance):
        has_opener = any(
            epoch["complete"] and epoch["index"] == self.opened_by and is_near(epoch, self.mark, tolerance)
            for segment in segments
            for epoch in segment
        )
        return has_opener or self.first_final is not None or self.has_unbeatable


def is_near(epoch, time, tolerance):
    return abs(epoch["observed_unix_ms"] - time) <= tolerance


def by_matching(sessions, segments, segment, tolerance):
    """(mark, rule) of the first two rules for a segment, or None."""
    matching = [session for session in sessions if session.near(segment, tolerance)]
    final = [(session.last_final(segment, tolerance), session) for session in matching]
    final = sorted(((-index, session.first_final), session) for index, session in final if index is not None)
    if final:
        return final[0][1].mark, "final"
    usable = [session for session in matching if session.is_usable(segments, tolerance)]
    has_equal = lambda session: any(  # noqa: E731
        epoch["data_root"] == header["dataRoot"] for epoch, header in session.near(segment, tolerance)
    )
    equal = [session for session in usable if has_equal(session)]
    return ((equal or usable)[0].mark, "matching") if usable else None


def goes_on(before, segment):
    """Whether a segment may be what is left of the one before it."""
    last, first = max(before, key=lambda epoch: epoch["index"]), min(segment, key=lambda epoch: epoch["index"])
    both_complete = last["complete"] and first["complete"]
    return first["index"] > last["index"] or first["index"] == last["index"] and not both_complete


def name(sessions, segments, tolerance):
    """For each segment of a lane, in order: the mark of its session or None, the rule that gives it, whether it is settled."""
    named = []
    for number, segment in enumerate(segments):
        found = None
        if any(epoch["complete"] for epoch in segment):
            found = by_matching(sessions, segments, segment, tolerance)
            before = named[-1]["mark"] if named else None
            if found is None and before is not None and goes_on(segments[number - 1], segment):
                found = before, "before"
        mark, rule = found or (None, "none")
        named.append({"mark": mark, "rule": rule, "settled": rule == "final"})
    return named


def expected(vector):
    """What a session vector expects: of the log, and of each archive."""
    lane, log, agreement = vector["lane"], vector["log"], vector["agreement"]
    tolerance = agreement["precision_ms"] + agreement["message_delay_ms"]
    seats, bitmap = vector["set"]["witnesses"], vector["set"]["bitmap"]
    active = {witness for seat, witness in enumerate(seats) if bitmap >> seat & 1}
    decoded, opened = decode(lane, log)
    sessions = [Session(opener, log, decoded, active, vector["set"]["quorum"]) for opener in opened]
    segments = [name(sessions, archive["segments"], tolerance) for archive in vector["archives"]]
    return {"candidates": decoded, "sessions": opened, "archives": segments}
