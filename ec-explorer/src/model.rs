//! What the API answers: every JSON shape, and every route that gives it.
//!
//! # Conventions
//!
//! - Base path `/api/v1`. All routes are `GET`, need no key and allow every origin (`Access-Control-Allow-Origin: *`).
//! - **Hashes and addresses** are `0x` and lower-case hex, but for BLAKE3, which is 64 hex digits without `0x`, as in an
//!   archive's index and in a proof. Paths and parameters take both, in either case.
//! - **Times** are JSON numbers, milliseconds since 1970 (UTC), and end in `_ms`. One that a header states and that is above
//!   2^53−1 is given as 2^53−1; the header itself has the true one.
//! - **Numbers that others choose** and that may be above 2^53 are strings of decimal digits: `sequence`, `mark`, `index`,
//!   `group_sequence`. Counts, sizes and block numbers are JSON numbers.
//! - Two shapes are not this API's own but the protocol's, and are given exactly as its tools write them: [`Proof`] (what
//!   `ec-witness check-proof` takes) and the `header` in it and in a [`Candidate`]. Their integers are JSON integers of 64 bit.
//!   A reader that cannot hold them must take them from the text; [`Candidate::encoded`] has the same without numbers.
//! - An optional field is there and `null`.
//! - Objects may gain fields.
//!
//! # Routes
//!
//! | route | parameters | answer |
//! |---|---|---|
//! | `/api/v1` | | [`About`]: ledgers with their heads, archives, what is allowed |
//! | `/api/v1/streams` | `ledger`, `q` (part of the id), `strip` (cells ≤ 288: each stream comes with its strip), `from`, `to` (ms), `limit` ≤ 500, `cursor` | [`StreamPage`] |
//! | `/api/v1/streams/{stream}` | `ledger` | [`Stream`] |
//! | `/api/v1/streams/{stream}/sessions` | `ledger`, `limit` ≤ 500, `cursor` | [`SessionPage`], newest first |
//! | `/api/v1/streams/{stream}/strip` | `ledger`, `from`, `to` (ms), `cells` ≤ 1000 (default 96) | [`Strip`] |
//! | `/api/v1/streams/{stream}/groups` | `ledger`, `archive`, `from`, `to` (ms, at most six hours apart) | [`Groups`]: the groups that a playlist of the same bounds has, each with its slot |
//! | `/api/v1/streams/{stream}/slots` | `ledger`, `from`, `to` (ms) or `sequence`, `state`, `order=newest\|oldest`, `limit` ≤ 500, `cursor` | [`SlotPage`] |
//! | `/api/v1/slots/{slot}` | `ledger` | [`SlotDetail`] |
//! | `/api/v1/slots/{slot}/records` | `ledger` | [`SlotRecords`]: where archives differ |
//! | `/api/v1/witnesses` | `ledger`, `from`, `to` (ms; default: the last 24 hours before the newest slot) | [`Witnesses`] |
//! | `/api/v1/witnesses/{witness}` | as above | [`WitnessDetail`]; `{witness}` is the seat's address, or any that it had |
//! | `/api/v1/segments/{blake3}` | `ledger` | [`Segment`]: every broadcast of these bytes, with its proof |
//! | `/api/v1/proof` | `blake3`, and `slot` where it is in several; or `slot`, `group_sequence`, `track`; `ledger` | [`Proof`] alone, as a file |
//! | `/api/v1/events` | `ledger`, `stream`, `slot` | server-sent events, see below |
//! | `/api/v1/openapi.json` | | the OpenAPI document |
//! | `/healthz` | | 200 or 503, [`Health`] |
//! | `/metrics` | | Prometheus text |
//!
//! `{stream}` is a stream's hash; `/api/v1/streams?q=` finds it by its id. `ledger` is a ledger's name in [`About`], by default
//! the first one. `from` is inclusive, `to` exclusive. `cursor` is what a page's `next` says. Where `to` is not given, it is now,
//! or just after the newest slot of the ledger where that is older than a day; where `from` is not given, it is a day before `to`.
//! `/api/v1/streams/{stream}/slots` has neither bound unless it is given.
//!
//! Where media are served (`About::media`), also:
//!
//! | route | parameters | answer |
//! |---|---|---|
//! | `/media/objects/{blake3}` | `Range` header | the object's bytes, whose BLAKE3 was checked; also as `/media/objects/{blake3}.m4s` |
//! | `/media/streams/{stream}/playlist.m3u8` | `ledger`, `archive`, `track`, `from`, `to` (ms, at most six hours apart) | an HLS playlist that ends, one segment per group; `#EXT-X-PROGRAM-DATE-TIME` at each; each segment's URI ends in `{blake3}.m4s` |
//! | `/media/streams/{stream}/init.mp4` | `ledger`, `archive`, `track`, `at` (ms) | the track's initialisation segment |
//!
//! # Errors
//!
//! RFC 9457: status 4xx or 5xx, `Content-Type: application/problem+json`, [`Problem`].
//!
//! # Events
//!
//! `/api/v1/events` is `text/event-stream`. Each event has an `id`, which grows; a client that comes back with
//! `Last-Event-ID` gets what it missed, or `reset` where that is not kept any more: then it reads anew what it shows. `data` is
//! a JSON object.
//!
//! | event | data | |
//! |---|---|---|
//! | `hello` | [`LedgerStatus`] | first, at once |
//! | `heads` | [`LedgerStatus`] | the heads moved, or the ledger cannot be followed now |
//! | `candidate` | [`CandidateEvent`] | a new candidate |
//! | `vote` | [`VoteEvent`] | a vote was cast or moved; also that of a candidate's proposer |
//! | `final` | [`FinalEvent`] | a slot is final at the latest head |
//! | `finalized` | [`FinalizedEvent`] | final slots are now below the finalized head |
//! | `reorg` | [`ReorgEvent`] | what was told of blocks above this one does not hold any more |
//! | `archive` | [`ArchiveEvent`] | an archive grew |
//! | `reset` | `{}` | read anew what you show |
//!
//! # Caching
//!
//! What cannot change any more, a slot that is final below the finalized head, a proof of it, an object, has a strong `ETag`
//! and `Cache-Control: public, max-age=…`; all else `no-cache` and an `ETag`. `If-None-Match` is answered with 304.

use ec_observation::{ObservationHeader, Proof as ObservationProof};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What is wrong with a request, or with the explorer (RFC 9457).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// A URI that names the kind of problem: `urn:every-channel:problem:` and one of `bad-parameter`, `not-found`,
    /// `unknown-ledger`, `unknown-archive`, `unknown-stream`, `unknown-slot`, `unknown-witness`, `unknown-segment`, `no-proof`,
    /// `not-served`, `bad-range`, `method-not-allowed`, `too-many-streams`, `busy`, `internal`.
    #[serde(rename = "type")]
    pub kind: String,
    /// The kind in words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// What is wrong here, with the value and what to do.
    pub detail: String,
    /// The parameter that is wrong.
    pub parameter: Option<String>,
}

/// What this explorer is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct About {
    /// `ec-explorer`.
    pub name: String,
    /// Its version.
    pub version: String,
    /// The clock's reading here.
    pub now_ms: u64,
    /// Whether `/media/` serves bytes.
    pub media: bool,
    /// The ledgers that are followed; the first is meant where none is named.
    pub ledgers: Vec<LedgerStatus>,
    /// The archives that are read.
    pub archives: Vec<ArchiveStatus>,
    /// An RPC endpoint per ledger that a visitor's browser may ask, where the host names one.
    pub public_rpcs: Vec<PublicRpc>,
}

/// An RPC endpoint that a visitor may choose.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PublicRpc {
    /// The ledger's name.
    pub ledger: String,
    /// The URL.
    pub url: String,
}

/// A ledger, and how far it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct LedgerStatus {
    /// Its name here.
    pub name: String,
    /// The chain's id.
    pub chain_id: u64,
    /// The contract.
    pub ledger: String,
    /// Its registry of witnesses.
    pub registry: String,
    /// The block from which its log is read.
    pub deploy_block: u64,
    /// Whether it is followed.
    pub state: LedgerState,
    /// Why it is not, in words.
    pub trouble: Option<String>,
    /// When it was read last.
    pub read_ms: Option<u64>,
    /// The block to which it is read; `null` before the first.
    pub read_to: Option<u64>,
    /// The chain's heads when it was read last.
    pub heads: Heads,
    /// For how long the finalized head has stood still, if longer than it may.
    pub finality_stalled_ms: Option<u64>,
    /// Seats of the active witnesses, by index.
    pub active: Vec<String>,
    /// Votes that make a slot final; 0 where nothing can.
    pub quorum: u32,
    /// What the rollup's node says of L1, where it is asked.
    pub l1: Option<L1>,
}

/// Whether a ledger is followed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum LedgerState {
    /// Its log is being read for the first time.
    CatchingUp,
    /// It is read to the latest head.
    Following,
    /// It cannot be read now; what is shown is what was read before.
    Down,
    /// The chain no longer holds a block that was final; see the explorer's log.
    Contradicted,
}

/// The three heads of a chain.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Heads {
    /// The newest block, which may be taken back.
    pub latest: Head,
    /// The newest block that data on L1 proves.
    pub safe: Head,
    /// The newest block that cannot be taken back.
    pub finalized: Head,
}

/// A head of a chain; number 0 where there is none yet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Head {
    /// The block's number.
    pub number: u64,
    /// The block's time; `null` where the node does not say.
    pub time_ms: Option<u64>,
}

/// Where the rollup stands on L1, by its node's `optimism_syncStatus`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct L1 {
    /// The newest block of L1 that the node knows.
    pub head: u64,
    /// L1's finalized block that the node knows.
    pub finalized: u64,
    /// The L1 origin of the L2's safe head.
    pub safe_origin: u64,
    /// The L1 origin of the L2's finalized head.
    pub finalized_origin: u64,
    /// The newest block of the L2 that the node has derived from L1.
    pub safe_l2: u64,
    /// The newest block of the L2 that it has derived from finalized blocks of L1.
    pub finalized_l2: u64,
    /// When the node was asked.
    pub asked_ms: u64,
}

/// How a block of a rollup stands on L1, by the rollup's node.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum L1Standing {
    /// The node has not found its data on L1.
    Missing,
    /// Its data is on L1, in blocks that L1 may still take back.
    Posted,
    /// Its data is in finalized blocks of L1.
    Finalized,
}

/// An archive, and how far it is read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArchiveStatus {
    /// Its name here.
    pub name: String,
    /// The ledger that its streams are on.
    pub ledger: String,
    /// Streams found in it.
    pub streams: u64,
    /// Records in the index.
    pub records: u64,
    /// Lines that are no records.
    pub bad_lines: u64,
    /// Whether it is read to its end.
    pub current: bool,
    /// Why it cannot be read, in words.
    pub trouble: Option<String>,
}

/// Streams, by id.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct StreamPage {
    /// The streams.
    pub streams: Vec<Stream>,
    /// The `cursor` of the next page.
    pub next: Option<String>,
}

/// A stream: a broadcast on the timeline, or one lane of a broadcast.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Stream {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash, by which it is asked for.
    pub stream: String,
    /// Its id; `null` where only the ledger knows it, which has hashes alone.
    pub stream_id: Option<String>,
    /// The broadcast.
    pub broadcast: Option<String>,
    /// The tracks; of a lane one.
    pub tracks: Vec<String>,
    /// How its groups are numbered.
    pub numbering: Option<Numbering>,
    /// Groups of each track in an epoch.
    pub groups_per_epoch: Option<u64>,
    /// About how long an epoch lasts: the median distance of the newest ones.
    pub epoch_ms: Option<u64>,
    /// The archives that have it.
    pub archives: Vec<String>,
    /// The observed time of its oldest slot or epoch.
    pub first_ms: Option<u64>,
    /// The observed time of its newest slot or epoch.
    pub last_ms: Option<u64>,
    /// Its slots of the time that was asked for, by state.
    pub slots: Counts,
    /// Its newest slot.
    pub newest: Option<Slot>,
    /// That time, cut into cells, where `strip` asks for it.
    pub strip: Option<Strip>,
}

/// How the groups of a stream are numbered.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Numbering {
    /// From 0 with each start of the publisher: the stream is a lane, and has sessions.
    Session,
    /// By the broadcast's timeline.
    Timeline,
}

/// How many slots are in each state.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Counts {
    /// [`SlotState::Final`].
    #[serde(rename = "final")]
    pub r#final: u64,
    /// [`SlotState::Open`].
    pub open: u64,
    /// [`SlotState::Disputed`].
    pub disputed: u64,
    /// [`SlotState::Mismatched`].
    pub mismatched: u64,
    /// [`SlotState::Unvoted`].
    pub unvoted: u64,
}

/// How it is with a slot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SlotState {
    /// A quorum made one observation final, and no complete archive here says otherwise.
    Final,
    /// There are candidates and no quorum yet.
    Open,
    /// There are candidates, of different content or for longer than `disputed_after`, and no quorum.
    Disputed,
    /// Final, but an archive here has the whole epoch with other content.
    Mismatched,
    /// An archive here has the epoch, closed, and the ledger has nothing for it: no candidate.
    Unvoted,
}

/// A head at or below which something stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// Only at the latest head: a reorg may take it back.
    Unsafe,
    /// At the safe head.
    Safe,
    /// At the finalized head.
    Finalized,
}

/// The lives of a lane's numbers.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SessionPage {
    /// The sessions, the newest first. On the timeline there is none.
    pub sessions: Vec<Session>,
    /// The `cursor` of the next page.
    pub next: Option<String>,
}

/// One life of a lane's numbers, from a start of the publisher to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Session {
    /// Its name: the time in the header that opened it.
    pub mark: String,
    /// The same as a time.
    pub opened_ms: u64,
    /// The observed time of its first slot.
    pub first_ms: u64,
    /// The observed time of its last slot.
    pub last_ms: u64,
    /// The lowest index.
    pub first_index: String,
    /// The highest index.
    pub last_index: String,
    /// Its slots, by state.
    pub slots: Counts,
}

/// A stretch of a stream's time, cut into cells.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Strip {
    /// Its begin.
    pub from_ms: u64,
    /// Its end.
    pub to_ms: u64,
    /// How long a cell lasts.
    pub cell_ms: u64,
    /// The cells from the first to the last; the last one may end after `to_ms`.
    pub cells: Vec<Cell>,
}

/// One cell of a strip. A slot stands in the cell of its observed time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Cell {
    /// What is shown of it: the worst of its slots' states, in the order mismatched, disputed, unvoted, open, final; `gap`
    /// between the first and the last of the stream's epochs where none lasts into it; `none` outside of them.
    pub state: CellState,
    /// Its slots, by state.
    #[serde(flatten)]
    pub slots: Counts,
}

/// How it is with a cell of a strip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum CellState {
    /// All that is there is final.
    Final,
    /// Something is open.
    Open,
    /// Something is disputed.
    Disputed,
    /// Something is mismatched.
    Mismatched,
    /// Something was archived and not voted for.
    Unvoted,
    /// Nothing is there, though there is something before and after.
    Gap,
    /// Before the first or after the last.
    None,
}

/// Groups of a stream, as one archive has them.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Groups {
    /// The archive.
    pub archive: String,
    /// The groups, by the time they were received; of a stream with several tracks, those of each.
    pub groups: Vec<Group>,
    /// Whether there are more than are given (20 000).
    pub truncated: bool,
}

/// One group of media.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Group {
    /// The track.
    pub track: String,
    /// Its number.
    pub group_sequence: String,
    /// BLAKE3 of its bytes.
    pub blake3: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// When the archive received it.
    pub received_ms: Option<u64>,
    /// About how long it lasts.
    pub duration_ms: u64,
    /// Its epoch's slot, where that is known.
    pub slot: Option<String>,
    /// How it is with the slot; `null` where the epoch is not closed.
    pub state: Option<SlotState>,
    /// Since when it is final, by the block's time.
    pub final_ms: Option<u64>,
}

/// Slots of a stream.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlotPage {
    /// The slots, by observed time.
    pub slots: Vec<Slot>,
    /// The `cursor` of the next page.
    pub next: Option<String>,
}

/// A slot in short: one epoch of one stream.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Slot {
    /// The ledger's name.
    pub ledger: String,
    /// The slot's hash, by which it is asked for.
    pub slot: String,
    /// The stream's hash.
    pub stream: String,
    /// The stream's id, where it is known.
    pub stream_id: Option<String>,
    /// The number in its headers.
    pub sequence: String,
    /// In a lane: of which session it is.
    pub session: Option<SessionPlace>,
    /// The epoch's id, where it is known; `epochHash` is its hash.
    pub epoch_id: Option<String>,
    /// The observed time of the final candidate, else of the first; where there is none, of the archive's epoch.
    pub observed_ms: u64,
    /// How it is with it.
    pub state: SlotState,
    /// The final observation.
    #[serde(rename = "final")]
    pub r#final: Option<Final>,
    /// How many candidates there are.
    pub candidates: u32,
    /// Votes for the final candidate, else for the one with most.
    pub votes: u32,
    /// Active witnesses now.
    pub witnesses: u32,
    /// Votes that make a candidate final now.
    pub quorum: u32,
    /// What the archives here have of it.
    pub archives: ArchiveCounts,
}

/// Of which session a slot is.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SessionPlace {
    /// The session's name.
    pub mark: String,
    /// The epoch's index there.
    pub index: String,
}

/// What is final in a slot, and since when.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Final {
    /// The observation's hash.
    pub observation: String,
    /// The block that holds its `ObservationFinalized`.
    pub block: u64,
    /// That block's time.
    pub time_ms: u64,
    /// The transaction.
    pub transaction: Option<String>,
    /// At which head it stands.
    pub standing: Standing,
    /// How its block stands on L1; `null` where no rollup's node is asked, or it does not answer.
    pub l1: Option<L1Standing>,
}

/// How many archives here have what of a slot.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArchiveCounts {
    /// The content of the final candidate, else of any.
    pub equal: u32,
    /// The whole epoch with other content.
    pub differing: u32,
    /// Not the whole epoch, or records that contradict each other.
    pub incomplete: u32,
}

/// All of a slot.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SlotDetail {
    /// It in short.
    #[serde(flatten)]
    pub slot: Slot,
    /// The candidates, in the order of their proposals.
    pub candidate_list: Vec<Candidate>,
    /// The votes as they came, moves included.
    pub vote_list: Vec<Vote>,
    /// The seats of active witnesses without a vote.
    pub not_voted: Vec<String>,
    /// What each archive here has of it.
    pub archive_list: Vec<ArchiveEpoch>,
    /// The slot before it in its stream, by observed time.
    pub previous: Option<String>,
    /// The slot after it.
    pub next: Option<String>,
}

/// A header that stands for election.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Candidate {
    /// Its hash: that of `encoded`.
    pub observation: String,
    /// The header, as the protocol's tools write it.
    #[schema(value_type = Header)]
    pub header: ObservationHeader,
    /// The header's 224 bytes as they are hashed, in hex.
    pub encoded: String,
    /// The seat that proposed it.
    pub proposer: String,
    /// The seats whose votes it has now, in the order in which they came.
    pub voters: Vec<String>,
    /// How many of these are of active witnesses.
    pub active_votes: u32,
    /// Whether it is the final one.
    pub is_final: bool,
    /// The parent's slot, where it is known.
    pub parent_slot: Option<String>,
    /// The block of its proposal.
    pub block: u64,
    /// That block's time.
    pub time_ms: u64,
    /// The transaction.
    pub transaction: Option<String>,
}

/// A header, as the protocol's tools write it (protocol §3.2). Its two integers are of 64 bit.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Header {
    /// keccak256 of the stream's id.
    pub stream_hash: String,
    /// keccak256 of the epoch's id.
    pub epoch_hash: String,
    /// The observation before it in its stream, or zero.
    pub parent_observation_hash: String,
    /// The root over the epoch's records.
    pub data_root: String,
    /// keccak256 of the locator.
    pub locator_hash: String,
    /// When the epoch was observed, milliseconds.
    pub observed_unix_ms: u64,
    /// The epoch's number.
    pub sequence: u64,
}

/// A vote as it stands in the log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Vote {
    /// The seat, by the first of its addresses.
    pub witness: String,
    /// The address that cast it.
    pub address: String,
    /// How.
    pub kind: VoteKind,
    /// The candidate.
    pub observation: String,
    /// The candidate that it left, of a move.
    pub from: Option<String>,
    /// The block.
    pub block: u64,
    /// That block's time.
    pub time_ms: u64,
    /// The log's index in the block.
    pub log_index: u64,
    /// The transaction.
    pub transaction: Option<String>,
    /// How long after the slot's first vote it came.
    pub lag_ms: u64,
    /// At which head it stands.
    pub standing: Standing,
}

/// The ways to vote.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum VoteKind {
    /// With a new candidate.
    Propose,
    /// For a candidate that is there.
    Attest,
    /// From one candidate to another of the same content.
    Move,
}

/// What an archive has of an epoch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArchiveEpoch {
    /// The archive.
    pub archive: String,
    /// Its number in the archive's own order; 0 on the timeline.
    pub segment: u64,
    /// The epoch's index there.
    pub index: String,
    /// How it is.
    pub state: EpochState,
    /// Records.
    pub leaf_count: u64,
    /// Records that a whole epoch has.
    pub expected: u64,
    /// The root over its records; `null` where they contradict each other.
    pub data_root: Option<String>,
    /// Its own time.
    pub observed_ms: Option<u64>,
    /// The candidates with this content.
    pub equals: Vec<String>,
}

/// How an archive's epoch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum EpochState {
    /// All records are there.
    Complete,
    /// Some are missing.
    Incomplete,
    /// Two records contradict each other.
    Conflicting,
}

/// The records of a slot, archive beside archive.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct SlotRecords {
    /// The slot.
    pub slot: String,
    /// What each archive has.
    pub archives: Vec<ArchiveEpoch>,
    /// Every record that any archive has, by track and group.
    pub records: Vec<ComparedRecord>,
    /// How many of these differ between archives, or are missing in one.
    pub differing: u64,
    /// Whether there are more records than are given.
    pub truncated: bool,
}

/// One group as the archives have it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ComparedRecord {
    /// The track.
    pub track: String,
    /// The group.
    pub group_sequence: String,
    /// What is stored; more than one where archives differ.
    pub objects: Vec<StoredObject>,
    /// The archives that have the epoch, and not this record.
    pub missing_in: Vec<String>,
}

/// A stored object, and who has it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct StoredObject {
    /// BLAKE3 of its bytes.
    pub blake3: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// The archives that have it there.
    pub archives: Vec<String>,
}

/// The witnesses of a ledger.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Witnesses {
    /// The ledger's name.
    pub ledger: String,
    /// Votes that make a slot final.
    pub quorum: u32,
    /// Of which slots the records tell: with an observed time from here on.
    pub from_ms: u64,
    /// Up to here.
    pub to_ms: u64,
    /// Final slots in that time.
    pub final_slots: u64,
    /// Every seat that is active or ever voted; the active ones first, by index.
    pub witnesses: Vec<Witness>,
}

/// A witness and its record.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Witness {
    /// The seat, by the first of its addresses.
    pub witness: String,
    /// The address that votes for it now.
    pub address: String,
    /// Every address that it had.
    pub addresses: Vec<String>,
    /// Its name here, which the host gave it; the ledger knows none.
    pub name: Option<String>,
    /// Its index in the registry, of an active one.
    pub index: Option<u32>,
    /// Whether it is active.
    pub active: bool,
    /// What it did.
    pub record: Record,
    /// When it voted last, by the block's time.
    pub last_seen_ms: Option<u64>,
    /// When it voted first.
    pub first_seen_ms: Option<u64>,
    /// The slot that it voted in last.
    pub last_slot: Option<String>,
}

/// What a witness did in a time. Only slots after its first vote count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, ToSchema)]
pub struct Record {
    /// Slots it voted in.
    pub voted: u64,
    /// Final slots in which it voted for the final content.
    pub agreed: u64,
    /// Final slots in which it voted for other content.
    pub disagreed: u64,
    /// Final slots without its vote. A slot takes none once it is final, so who is slower than a quorum misses some.
    pub missed: u64,
    /// Candidates it proposed.
    pub proposed: u64,
    /// Votes it moved.
    pub moved: u64,
    /// How long after a slot's first vote its own came: half of them within this.
    pub lag_median_ms: Option<u64>,
    /// Nine in ten within this.
    pub lag_p90_ms: Option<u64>,
    /// `agreed` of `agreed + disagreed + missed`, in tenths of a percent.
    pub effectiveness_permille: Option<u32>,
}

/// A witness, and its newest votes.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WitnessDetail {
    /// The ledger's name.
    pub ledger: String,
    /// Of which slots the record tells: with an observed time from here on.
    pub from_ms: u64,
    /// Up to here.
    pub to_ms: u64,
    /// It and its record.
    pub witness: Witness,
    /// Its newest votes, at most 100, the newest first.
    pub votes: Vec<WitnessVote>,
    /// Final slots without its vote, at most 100, the newest first.
    pub missed: Vec<Slot>,
    /// Final slots in which it voted for other content, at most 100, the newest first.
    pub disagreed: Vec<Slot>,
}

/// A vote of one witness, with its slot.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct WitnessVote {
    /// The slot.
    pub slot: String,
    /// The stream's hash.
    pub stream: String,
    /// The stream's id, where it is known.
    pub stream_id: Option<String>,
    /// The slot's observed time.
    pub observed_ms: u64,
    /// The vote.
    #[serde(flatten)]
    pub vote: Vote,
}

/// Every broadcast of the same bytes.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Segment {
    /// BLAKE3 of the bytes.
    pub blake3: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// Whether `/media/objects/{blake3}` has the bytes.
    pub media: bool,
    /// Where they were broadcast, the oldest first: one entry for each slot, or for each archive's epoch that has none.
    pub places: Vec<Place>,
    /// Whether there are more than are given (100).
    pub truncated: bool,
}

/// One broadcast of a segment.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct Place {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash.
    pub stream: String,
    /// The stream's id.
    pub stream_id: String,
    /// The broadcast.
    pub broadcast: String,
    /// The track.
    pub track: String,
    /// The group.
    pub group_sequence: String,
    /// The archives that have it there, and when each received it.
    pub archives: Vec<Received>,
    /// When it was broadcast: the earliest time that an archive here received it, else that of its epoch.
    pub time_ms: Option<u64>,
    /// Whether it can be believed.
    pub word: PlaceWord,
    /// Its slot, where the ledger has one.
    pub slot: Option<Slot>,
    /// The way from the record to the header of the final observation, else of a candidate with the archive's content.
    pub proof: Option<Proof>,
}

/// An archive that received a segment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Received {
    /// The archive.
    pub archive: String,
    /// When it received it.
    pub received_ms: Option<u64>,
}

/// What can be said of a broadcast of a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum PlaceWord {
    /// It is in an observation that is final at the finalized head; `proof` proves it.
    Final,
    /// It is in an observation that is final above the finalized head, so that a reorg may still take it back.
    NotFinalYet,
    /// It is in a candidate without a quorum.
    Open,
    /// An archive here has it, and what is final in its slot is something else.
    NotInFinal,
    /// An archive here has it, and nobody voted for its epoch, or the epoch is not closed.
    Unvoted,
}

/// A proof, exactly as `ec-witness prove` prints it and `ec-witness check-proof` takes it (protocol §6.4).
#[derive(Clone, Debug, Serialize)]
#[serde(transparent)]
pub struct Proof(pub ObservationProof);

/// The shape of [`Proof`], for the document.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = Proof)]
pub struct ProofShape {
    /// The version: 1.
    pub v: u8,
    /// The observation's header.
    pub header: Header,
    /// The track.
    pub track: String,
    /// The group, an integer of 64 bit.
    pub group_sequence: u64,
    /// BLAKE3 of the stored bytes, 64 hex digits without prefix.
    pub blake3: String,
    /// How many bytes.
    pub size_bytes: u64,
    /// The record's place among the leaves.
    pub index: u64,
    /// Leaves in the tree.
    pub leaf_count: u64,
    /// Siblings from the leaf to the root.
    pub path: Vec<String>,
}

impl utoipa::PartialSchema for Proof {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ProofShape::schema()
    }
}

impl ToSchema for Proof {
    fn name() -> std::borrow::Cow<'static, str> {
        "Proof".into()
    }

    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        ProofShape::schemas(schemas);
    }
}

/// `event: candidate`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CandidateEvent {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash.
    pub stream: String,
    /// The slot.
    pub slot: String,
    /// The candidate.
    pub observation: String,
    /// Its observed time.
    pub observed_ms: u64,
    /// The block.
    pub block: u64,
}

/// `event: vote`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct VoteEvent {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash.
    pub stream: String,
    /// The slot.
    pub slot: String,
    /// The vote.
    #[serde(flatten)]
    pub vote: Vote,
}

/// `event: final`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FinalEvent {
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash.
    pub stream: String,
    /// The slot.
    pub slot: String,
    /// What is final, and since when.
    #[serde(flatten)]
    pub r#final: Final,
}

/// `event: finalized`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct FinalizedEvent {
    /// The ledger's name.
    pub ledger: String,
    /// The finalized head.
    pub block: u64,
    /// Slots whose finality is below it since then, at most 1000.
    pub slots: Vec<String>,
}

/// `event: reorg`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ReorgEvent {
    /// The ledger's name.
    pub ledger: String,
    /// The newest block that still holds.
    pub block: u64,
}

/// `event: archive`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct ArchiveEvent {
    /// The archive.
    pub archive: String,
    /// The ledger's name.
    pub ledger: String,
    /// The stream's hash.
    pub stream: String,
    /// Records that came.
    pub records: u64,
}

/// Whether the explorer does what it is there for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct Health {
    /// Whether all is well.
    pub ok: bool,
    /// What is not, in words.
    pub troubles: Vec<String>,
}
