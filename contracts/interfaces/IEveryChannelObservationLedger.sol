// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEveryChannelWitnessRegistry} from "./IEveryChannelWitnessRegistry.sol";

/// @notice What a witness says about one epoch of one stream.
/// @param streamHash keccak256 of the stream's id.
/// @param epochHash keccak256 of the epoch's id.
/// @param parentObservationHash An earlier final observation of the stream, or 0.
/// @param dataRoot Commitment to the epoch's records.
/// @param locatorHash keccak256 of the canonical description of where they are.
/// @param observedUnixMs When the epoch was observed, milliseconds since 1970.
/// @param sequence The epoch's number within the stream.
struct ObservationHeader {
    bytes32 streamHash;
    bytes32 epochHash;
    bytes32 parentObservationHash;
    bytes32 dataRoot;
    bytes32 locatorHash;
    uint64 observedUnixMs;
    uint64 sequence;
}

/// @title Where witnesses vote on what was broadcast
/// @notice A slot is one epoch of one stream. Its candidates are the headers proposed for it, named by their hashes. A
/// witness has one vote per slot, and it stands for content: for ever for what the header says of the epoch, which is every
/// field but parent and time. Between candidates of the same content the vote may move, as long as the slot is open. A
/// candidate is final as soon as it has the votes of a quorum of the currently active witnesses; a slot has at most one
/// final candidate, and it never changes.
/// @dev The ledger does not judge content: a header is right because a quorum derived the same one. Headers are kept in
/// the log only. A vote belongs to its witness's seat, whichever address holds that. Checks come in the order in which the
/// errors of a vote are listed here.
interface IEveryChannelObservationLedger {
    /// @notice A new candidate, and the proposer's vote for it.
    /// @param slot The slot.
    /// @param observationHash The candidate.
    /// @param streamHash The header's stream, to find a stream's observations by.
    /// @param proposer The witness that proposed it.
    /// @param header The header in full; nothing else on chain holds it.
    event ObservationProposed(
        bytes32 indexed slot,
        bytes32 indexed observationHash,
        bytes32 indexed streamHash,
        address proposer,
        ObservationHeader header
    );

    /// @notice A vote for a candidate that another witness proposed.
    /// @param slot The slot.
    /// @param observationHash The candidate.
    /// @param witness The witness that voted.
    event ObservationAttested(bytes32 indexed slot, bytes32 indexed observationHash, address indexed witness);

    /// @notice A vote moved from one candidate to another of the same content. Where that is a new one, this follows its
    /// `ObservationProposed`, and both tell of the same vote.
    /// @param slot The slot.
    /// @param to The candidate that has the vote from here on.
    /// @param witness The witness whose vote it is.
    /// @param from The candidate that had it.
    event VoteMoved(bytes32 indexed slot, bytes32 indexed to, address indexed witness, bytes32 from);

    /// @notice A candidate became final.
    /// @param slot The slot.
    /// @param observationHash The candidate.
    event ObservationFinalized(bytes32 indexed slot, bytes32 indexed observationHash);

    /// @notice An item of a batch was passed over.
    /// @param slot The slot.
    /// @param observationHash The candidate that was not voted for.
    /// @param witness The witness that sent the batch.
    /// @param reason The ABI-encoded error, arguments included, that the item would have reverted with on its own.
    event VoteSkipped(bytes32 indexed slot, bytes32 indexed observationHash, address indexed witness, bytes reason);

    /// @notice Thrown when the caller is no active witness.
    error NotWitness(address account);

    /// @notice Thrown when the slot is final already.
    error SlotFinalized(bytes32 slot, bytes32 finalHash);

    /// @notice Thrown when a vote is to move that the witness does not have: not in the slot, or not for this candidate.
    error NoSuchVote(bytes32 slot, address witness, bytes32 observationHash);

    /// @notice Thrown when a vote is to move to a header of another content, or of another slot.
    error OtherContent(bytes32 slot, bytes32 from, bytes32 to);

    /// @notice Thrown when the witness's vote is for this very candidate.
    error AlreadyVoted(bytes32 slot, address witness);

    /// @notice Thrown when the witness's vote is for another candidate of the slot. `observationHash` is the refused one.
    error Equivocation(bytes32 slot, address witness, bytes32 observationHash);

    /// @notice Thrown when a new candidate is proposed and the slot holds `candidates` of them, not as many as the
    /// proposer saw.
    error StaleProposal(bytes32 slot, uint256 candidates);

    /// @notice Thrown when a vote is to move to a new candidate, and the witness made one by a move before. Else a single
    /// witness could make candidates without end, and every proposal of the others stale.
    error AlreadyProposed(bytes32 slot, address witness);

    /// @notice Thrown when the slot has no such candidate.
    error UnknownCandidate(bytes32 slot, bytes32 observationHash);

    /// @notice Thrown when a candidate is to be finalized whose votes from active witnesses fall short of the quorum.
    error QuorumNotReached(bytes32 slot, bytes32 observationHash, uint256 activeVotes, uint8 quorum);

    /// @notice Thrown when the lists of a batch differ in length.
    error LengthMismatch(uint256 left, uint256 right);

    /// @notice Thrown when a candidate is asked for that the slot does not have.
    error UnknownPlace(bytes32 slot, uint256 place);

    /// @notice Thrown when the registry given at deployment is no contract.
    error NoCode(address account);

    /// @notice Proposes a header and votes for it. A header that already is a candidate counts as `attest`.
    /// @param header The header.
    /// @param candidatesSeen The number of candidates the slot held when the witness decided to propose. If another one
    /// came in since, the proposal is refused, so that the witness can look at it and join instead of splitting the slot.
    /// @return hash The header's hash.
    function propose(ObservationHeader calldata header, uint256 candidatesSeen) external returns (bytes32 hash);

    /// @notice Votes for a candidate.
    function attest(bytes32 slot, bytes32 hash) external;

    /// @notice Moves the caller's vote to another candidate of the same slot and content: headers that differ in parent and
    /// time at most.
    /// @param from The candidate that has the vote.
    /// @param to The one to have it. It becomes a candidate if it is none yet, once for each witness and slot.
    /// @param candidatesSeen As for `propose`, if `to` is to become a candidate.
    function move(ObservationHeader calldata from, ObservationHeader calldata to, uint256 candidatesSeen) external;

    /// @notice `propose` for each item. One that would fail is skipped with `VoteSkipped`; only a caller that is no
    /// witness, or lists of unequal length, revert.
    function proposeBatch(ObservationHeader[] calldata headers, uint256[] calldata candidatesSeen) external;

    /// @notice `attest` for each item. One that would fail is skipped with `VoteSkipped`; only a caller that is no
    /// witness, or lists of unequal length, revert.
    function attestBatch(bytes32[] calldata slots, bytes32[] calldata observationHashes) external;

    /// @notice `move` for each item, each after the ones before it. One that would fail is skipped with `VoteSkipped`, which
    /// names the header to have the vote; only a caller that is no witness, or lists of unequal length, revert.
    function moveBatch(
        ObservationHeader[] calldata from,
        ObservationHeader[] calldata to,
        uint256[] calldata candidatesSeen
    ) external;

    /// @notice Finalizes a candidate that has its quorum already, which a change of the set may bring about. Anyone may
    /// call. Fails with `SlotFinalized`, `UnknownCandidate` or `QuorumNotReached`.
    function finalize(bytes32 slot, bytes32 hash) external;

    /// @notice The registry whose witnesses vote here.
    function registry() external view returns (IEveryChannelWitnessRegistry);

    /// @notice keccak256 of the ABI-encoded header, 224 bytes.
    function observationHash(ObservationHeader calldata header) external pure returns (bytes32);

    /// @notice keccak256(abi.encode(streamHash, epochHash)).
    function slotOf(bytes32 streamHash, bytes32 epochHash) external pure returns (bytes32);

    /// @notice The final candidate of the slot, 0 if none is.
    function finalizedObservation(bytes32 slot) external view returns (bytes32);

    /// @notice The number of candidates of the slot.
    function candidateCount(bytes32 slot) external view returns (uint256);

    /// @notice A candidate of the slot, in the order of their proposal from 0.
    function candidateAt(bytes32 slot, uint256 place) external view returns (bytes32);

    /// @notice The votes for a candidate; (0, 0) if the slot has no such candidate.
    /// @return bitmap Every vote it has, whoever cast it, bit `i` for the witness of index `i`.
    /// @return activeCount The number of those from currently active witnesses, which is what finality counts.
    function votes(bytes32 slot, bytes32 hash) external view returns (uint256 bitmap, uint256 activeCount);

    /// @notice Whether the witness's seat voted in the slot, for whichever candidate, by whichever of its addresses.
    function hasVoted(bytes32 slot, address witness) external view returns (bool);
}
