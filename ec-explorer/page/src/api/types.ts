/** The shapes of the API that the page reads: `ec-explorer/src/api/model.rs` has all, and says what each field means. */

export type Problem = { type: string; title: string; status: number; detail: string; parameter: string | null };

export interface About {
    name: string;
    version: string;
    now_ms: number;
    media: boolean;
    ledgers: LedgerStatus[];
    archives: ArchiveStatus[];
    public_rpcs: { ledger: string; url: string }[];
}

export type LedgerState = "catching_up" | "following" | "down" | "contradicted";

export interface LedgerStatus {
    name: string;
    chain_id: number;
    ledger: string;
    registry: string;
    deploy_block: number;
    state: LedgerState;
    trouble: string | null;
    read_ms: number | null;
    read_to: number | null;
    heads: Heads;
    finality_stalled_ms: number | null;
    active: string[];
    quorum: number;
    l1: L1 | null;
}

export interface Head {
    number: number;
    time_ms: number | null;
}

export interface Heads {
    latest: Head;
    safe: Head;
    finalized: Head;
}

export interface L1 {
    head: number;
    finalized: number;
    safe_origin: number;
    finalized_origin: number;
    safe_l2: number;
    finalized_l2: number;
    asked_ms: number;
}

export interface ArchiveStatus {
    name: string;
    ledger: string;
    streams: number;
    records: number;
    bad_lines: number;
    current: boolean;
    trouble: string | null;
}

export interface StreamPage {
    streams: Stream[];
    next: string | null;
}

export interface Stream {
    ledger: string;
    stream: string;
    stream_id: string | null;
    broadcast: string | null;
    tracks: string[];
    numbering: "session" | "timeline" | null;
    groups_per_epoch: number | null;
    epoch_ms: number | null;
    archives: string[];
    first_ms: number | null;
    last_ms: number | null;
    slots: Counts;
    newest: Slot | null;
    strip: Strip | null;
}

export type SlotState = "final" | "open" | "disputed" | "mismatched" | "unvoted";
export type CellState = SlotState | "gap" | "none";
export type Counts = Record<SlotState, number>;
export type Standing = "unsafe" | "safe" | "finalized";
export type L1Standing = "missing" | "posted" | "finalized";

export interface SessionPage {
    sessions: Session[];
    next: string | null;
}

export interface Session {
    mark: string;
    opened_ms: number;
    first_ms: number;
    last_ms: number;
    first_index: string;
    last_index: string;
    slots: Counts;
}

export interface Strip {
    from_ms: number;
    to_ms: number;
    cell_ms: number;
    cells: Cell[];
}

export type Cell = { state: CellState } & Counts;

export interface SlotPage {
    slots: Slot[];
    next: string | null;
}

export interface Slot {
    ledger: string;
    slot: string;
    stream: string;
    stream_id: string | null;
    sequence: string;
    session: { mark: string; index: string } | null;
    epoch_id: string | null;
    observed_ms: number;
    state: SlotState;
    final: Final | null;
    candidates: number;
    votes: number;
    witnesses: number;
    quorum: number;
    archives: { equal: number; differing: number; incomplete: number };
}

export interface Final {
    observation: string;
    block: number;
    time_ms: number;
    transaction: string | null;
    standing: Standing;
    l1: L1Standing | null;
}

export interface SlotDetail extends Slot {
    candidate_list: Candidate[];
    vote_list: Vote[];
    not_voted: string[];
    archive_list: ArchiveEpoch[];
    previous: string | null;
    next: string | null;
}

/** Its two integers may lose digits above 2^53: what is computed with comes from `encoded`. */
export interface HeaderShown {
    streamHash: string;
    epochHash: string;
    parentObservationHash: string;
    dataRoot: string;
    locatorHash: string;
    observedUnixMs: number;
    sequence: number;
}

export interface Candidate {
    observation: string;
    header: HeaderShown;
    encoded: string;
    proposer: string;
    voters: string[];
    active_votes: number;
    is_final: boolean;
    parent_slot: string | null;
    block: number;
    time_ms: number;
    transaction: string | null;
}

export interface Vote {
    witness: string;
    address: string;
    kind: "propose" | "attest" | "move";
    observation: string;
    from: string | null;
    block: number;
    time_ms: number;
    log_index: number;
    transaction: string | null;
    lag_ms: number;
    standing: Standing;
}

export interface ArchiveEpoch {
    archive: string;
    segment: number;
    index: string;
    state: "complete" | "incomplete" | "conflicting";
    leaf_count: number;
    expected: number;
    data_root: string | null;
    observed_ms: number | null;
    equals: string[];
}

export interface SlotRecords {
    slot: string;
    archives: ArchiveEpoch[];
    records: ComparedRecord[];
    differing: number;
    truncated: boolean;
}

export interface ComparedRecord {
    track: string;
    group_sequence: string;
    objects: { blake3: string; size_bytes: number; archives: string[] }[];
    missing_in: string[];
}

export interface Witnesses {
    ledger: string;
    quorum: number;
    from_ms: number;
    to_ms: number;
    final_slots: number;
    witnesses: Witness[];
}

export interface Witness {
    witness: string;
    address: string;
    addresses: string[];
    name: string | null;
    index: number | null;
    active: boolean;
    record: WitnessRecord;
    last_seen_ms: number | null;
    first_seen_ms: number | null;
    last_slot: string | null;
}

export interface WitnessRecord {
    voted: number;
    agreed: number;
    disagreed: number;
    missed: number;
    proposed: number;
    moved: number;
    lag_median_ms: number | null;
    lag_p90_ms: number | null;
    effectiveness_permille: number | null;
}

export interface WitnessDetail {
    ledger: string;
    from_ms: number;
    to_ms: number;
    witness: Witness;
    votes: WitnessVote[];
    missed: Slot[];
    disagreed: Slot[];
}

export type WitnessVote = Vote & { slot: string; stream: string; stream_id: string | null; observed_ms: number };

export type PlaceWord = "final" | "not_final_yet" | "open" | "not_in_final" | "unvoted";

export interface Segment {
    blake3: string;
    size_bytes: number;
    media: boolean;
    places: Place[];
    truncated: boolean;
}

export interface Place {
    ledger: string;
    stream: string;
    stream_id: string;
    broadcast: string;
    track: string;
    group_sequence: string;
    archives: { archive: string; received_ms: number | null }[];
    time_ms: number | null;
    word: PlaceWord;
    slot: Slot | null;
    /** Of 64-bit numbers: taken from the text, never from here. */
    proof: unknown;
}

/** The groups that a playlist of the same bounds has. */
export interface Groups {
    archive: string;
    groups: Group[];
    truncated: boolean;
}

export interface Group {
    track: string;
    group_sequence: string;
    blake3: string;
    size_bytes: number;
    received_ms: number | null;
    duration_ms: number;
    slot: string | null;
    state: SlotState | null;
    final_ms: number | null;
}
