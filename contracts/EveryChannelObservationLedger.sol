// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Hashes} from "@openzeppelin/contracts/utils/cryptography/Hashes.sol";

import {IEveryChannelObservationLedger, ObservationHeader} from "./interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry} from "./interfaces/IEveryChannelWitnessRegistry.sol";
import {Bitmap} from "./libraries/Bitmap.sol";
import {Candidate, CandidateLib, Lead, Voter, VoterLib} from "./libraries/Tally.sol";

/// @title Where witnesses vote on what was broadcast
/// @dev Storage follows the common case, a slot with one candidate: its hash is one word, and all the rest is the word
/// found under (slot, hash), so that a vote for it touches that one word only. Later candidates of a slot pay more.
contract EveryChannelObservationLedger is IEveryChannelObservationLedger {
    using Bitmap for uint120;

    /// @notice The candidates of a slot and their votes.
    struct Slot {
        mapping(uint256 place => bytes32 hash) hashes;
        mapping(bytes32 hash => Lead) leads; // one entry: the first candidate's
        mapping(bytes32 hash => Candidate) rivals; // the later ones
        uint120 movedToNew; // the seats that made a candidate by moving their vote
    }

    IEveryChannelWitnessRegistry private immutable REGISTRY;

    mapping(bytes32 slot => Slot) private _slots;

    /// @param registry_ Whose witnesses vote here.
    constructor(IEveryChannelWitnessRegistry registry_) {
        if (address(registry_).code.length == 0) revert NoCode(address(registry_));
        REGISTRY = registry_;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function propose(ObservationHeader calldata header, uint256 candidatesSeen) external returns (bytes32 hash) {
        bytes memory refusal;
        (, hash, refusal) = _propose(_voter(), header, candidatesSeen);
        _revertIf(refusal);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function attest(bytes32 slot, bytes32 hash) external {
        _revertIf(_attest(_voter(), slot, hash));
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function move(ObservationHeader calldata from, ObservationHeader calldata to, uint256 candidatesSeen) external {
        bytes memory refusal;
        (,, refusal) = _move(_voter(), from, to, candidatesSeen);
        _revertIf(refusal);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function proposeBatch(ObservationHeader[] calldata headers, uint256[] calldata candidatesSeen) external {
        Voter voter = _voter();
        if (headers.length != candidatesSeen.length) revert LengthMismatch(headers.length, candidatesSeen.length);
        for (uint256 i = 0; i < headers.length; ++i) {
            (bytes32 slot, bytes32 hash, bytes memory refusal) = _propose(voter, headers[i], candidatesSeen[i]);
            if (refusal.length != 0) emit VoteSkipped(slot, hash, msg.sender, refusal);
        }
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function attestBatch(bytes32[] calldata slots, bytes32[] calldata observationHashes) external {
        Voter voter = _voter();
        if (slots.length != observationHashes.length) revert LengthMismatch(slots.length, observationHashes.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes memory refusal = _attest(voter, slots[i], observationHashes[i]);
            if (refusal.length != 0) emit VoteSkipped(slots[i], observationHashes[i], msg.sender, refusal);
        }
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function moveBatch(
        ObservationHeader[] calldata from,
        ObservationHeader[] calldata to,
        uint256[] calldata candidatesSeen
    ) external {
        Voter voter = _voter();
        if (from.length != to.length) revert LengthMismatch(from.length, to.length);
        if (to.length != candidatesSeen.length) revert LengthMismatch(to.length, candidatesSeen.length);
        for (uint256 i = 0; i < to.length; ++i) {
            (bytes32 slot, bytes32 hash, bytes memory refusal) = _move(voter, from[i], to[i], candidatesSeen[i]);
            if (refusal.length != 0) emit VoteSkipped(slot, hash, msg.sender, refusal);
        }
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function finalize(bytes32 slot, bytes32 hash) external {
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        if (lead.finalOrdinal() != 0) revert SlotFinalized(slot, _finalHash(state, leadHash, lead));
        if (!candidate.exists()) revert UnknownCandidate(slot, hash);
        Voter nobody = _nobody();
        if (!_hasQuorum(candidate, nobody)) {
            revert QuorumNotReached(slot, hash, (candidate.votes() & nobody.active()).count(), nobody.quorum());
        }
        _store(nobody, slot, hash, state, leadHash, lead, candidate);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function registry() external view returns (IEveryChannelWitnessRegistry) {
        return REGISTRY;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function finalizedObservation(bytes32 slot) external view returns (bytes32) {
        Slot storage state = _slots[slot];
        bytes32 leadHash = state.hashes[0];
        Lead lead = state.leads[leadHash];
        return lead.finalOrdinal() == 0 ? bytes32(0) : _finalHash(state, leadHash, lead);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function candidateCount(bytes32 slot) external view returns (uint256) {
        return _leadOf(_slots[slot]).count();
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function candidateAt(bytes32 slot, uint256 place) external view returns (bytes32 hash) {
        hash = _slots[slot].hashes[place];
        if (hash == 0) revert UnknownPlace(slot, place);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function votes(bytes32 slot, bytes32 hash) external view returns (uint256 bitmap, uint256 activeCount) {
        (,, Candidate candidate) = _read(_slots[slot], hash);
        return (candidate.votes(), (candidate.votes() & _nobody().active()).count());
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function hasVoted(bytes32 slot, address witness) external view returns (bool) {
        // slither-disable-next-line unused-return
        (uint120 seat,,) = REGISTRY.seatOf(witness);
        return _leadOf(_slots[slot]).voters() & seat != 0;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function observationHash(ObservationHeader calldata header) public pure returns (bytes32) {
        return keccak256(abi.encode(header));
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function slotOf(bytes32 streamHash, bytes32 epochHash) public pure returns (bytes32) {
        return Hashes.efficientKeccak256(streamHash, epochHash);
    }

    /// @dev Votes for the header, as a new candidate if it is none yet. Returns the error that forbids it, if any does.
    function _propose(Voter voter, ObservationHeader calldata header, uint256 candidatesSeen)
        private
        returns (bytes32 slot, bytes32 hash, bytes memory refusal)
    {
        slot = slotOf(header.streamHash, header.epochHash);
        hash = observationHash(header);
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        if (!lead.admits(voter.seat())) {
            return (slot, hash, _refusal(voter, slot, hash, state, leadHash, lead, candidate));
        }

        if (candidate.exists()) {
            emit ObservationAttested(slot, hash, msg.sender);
        } else {
            uint8 place = lead.count();
            if (place != candidatesSeen) {
                return (slot, hash, abi.encodeWithSelector(StaleProposal.selector, slot, place));
            }
            if (place == 0) leadHash = hash;
            (lead, candidate) = _addCandidate(slot, hash, state, lead, header);
        }
        _store(voter, slot, hash, state, leadHash, lead, candidate);
    }

    /// @dev Votes for a candidate. Returns the error that forbids it, if any does.
    function _attest(Voter voter, bytes32 slot, bytes32 hash) private returns (bytes memory refusal) {
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        if (!lead.admits(voter.seat())) return _refusal(voter, slot, hash, state, leadHash, lead, candidate);
        if (!candidate.exists()) return abi.encodeWithSelector(UnknownCandidate.selector, slot, hash);

        emit ObservationAttested(slot, hash, msg.sender);
        _store(voter, slot, hash, state, leadHash, lead, candidate);
    }

    /// @dev Moves the voter's vote from one candidate to another of the same content, a new one if it is none yet. Returns
    /// the slot and the candidate that would have the vote, and the error that forbids it, if any does.
    function _move(Voter voter, ObservationHeader calldata from, ObservationHeader calldata to, uint256 candidatesSeen)
        private
        returns (bytes32 slot, bytes32 hash, bytes memory refusal)
    {
        slot = slotOf(from.streamHash, from.epochHash);
        hash = observationHash(to);
        bytes32 left = observationHash(from);
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate origin) = _read(state, left);
        if (lead.finalOrdinal() != 0) {
            return (slot, hash, abi.encodeWithSelector(SlotFinalized.selector, slot, _finalHash(state, leadHash, lead)));
        }
        if (origin.votes() & voter.seat() == 0) {
            return (slot, hash, abi.encodeWithSelector(NoSuchVote.selector, slot, msg.sender, left));
        }
        if (!_haveSameContent(from, to)) {
            return (slot, hash, abi.encodeWithSelector(OtherContent.selector, slot, left, hash));
        }
        if (hash == left) return (slot, hash, abi.encodeWithSelector(AlreadyVoted.selector, slot, msg.sender));

        Candidate candidate = hash == leadHash ? lead.first() : state.rivals[hash];
        if (!candidate.exists()) {
            if (lead.count() != candidatesSeen) {
                return (slot, hash, abi.encodeWithSelector(StaleProposal.selector, slot, lead.count()));
            }
            if (state.movedToNew & voter.seat() != 0) {
                return (slot, hash, abi.encodeWithSelector(AlreadyProposed.selector, slot, msg.sender));
            }
            state.movedToNew |= voter.seat();
            (lead, candidate) = _addCandidate(slot, hash, state, lead, to);
        }
        emit VoteMoved(slot, hash, msg.sender, left);
        if (left == leadHash) {
            lead = lead.removeVote(voter.seat());
        } else {
            lead = lead.removeRivalVote(voter.seat());
            state.rivals[left] = origin.removeVote(voter.seat());
        }
        _store(voter, slot, hash, state, leadHash, lead, candidate);
    }

    /// @dev Makes the header a candidate, without a vote yet. The caller writes both words.
    function _addCandidate(bytes32 slot, bytes32 hash, Slot storage state, Lead lead, ObservationHeader calldata header)
        private
        returns (Lead, Candidate)
    {
        state.hashes[lead.count()] = hash;
        lead = lead.addCandidate();
        emit ObservationProposed(slot, hash, header.streamHash, msg.sender, header);
        return (lead, CandidateLib.create(lead.count()));
    }

    /// @dev Adds the voter's seat, if any, to the candidate, makes it final when that makes a quorum, and writes both it
    /// and its slot. Checks are the caller's.
    function _store(
        Voter voter,
        bytes32 slot,
        bytes32 hash,
        Slot storage state,
        bytes32 leadHash,
        Lead lead,
        Candidate candidate
    ) private {
        candidate = candidate.addVote(voter.seat());
        if (hash == leadHash) {
            lead = lead.addVote(voter.seat());
        } else {
            lead = lead.addRivalVote(voter.seat());
            state.rivals[hash] = candidate;
        }
        if (_hasQuorum(candidate, voter)) {
            lead = lead.finalize(candidate.ordinal());
            emit ObservationFinalized(slot, hash);
        }
        state.leads[leadHash] = lead;
    }

    /// @dev The caller's seat and the set. Reverts unless the caller is an active witness.
    function _voter() private view returns (Voter) {
        (uint120 seat, uint120 active, uint8 quorum) = REGISTRY.seatOf(msg.sender);
        if (seat & active == 0) revert NotWitness(msg.sender);
        return VoterLib.create(seat, active, quorum);
    }

    /// @dev The set alone, with no seat to vote from.
    function _nobody() private view returns (Voter) {
        (uint256 active, uint8 quorum) = REGISTRY.activeSet();
        // forge-lint: disable-next-line(unsafe-typecast) no index is beyond the registry's capacity of 120
        return VoterLib.create(0, uint120(active), quorum);
    }

    /// @dev Reads a slot for one hash, candidate or not. Only one that is not the first candidate costs more than a word.
    function _read(Slot storage state, bytes32 hash)
        private
        view
        returns (bytes32 leadHash, Lead lead, Candidate candidate)
    {
        lead = state.leads[hash];
        if (lead.count() != 0) return (hash, lead, lead.first());

        leadHash = state.hashes[0];
        if (leadHash != 0) return (leadHash, state.leads[leadHash], state.rivals[hash]);
    }

    /// @dev What is known of a slot.
    function _leadOf(Slot storage state) private view returns (Lead) {
        return state.leads[state.hashes[0]];
    }

    /// @dev The final candidate of a slot that has one. Most often it is the first, whose hash is at hand.
    function _finalHash(Slot storage state, bytes32 leadHash, Lead lead) private view returns (bytes32) {
        uint8 ordinal = lead.finalOrdinal();
        return ordinal == 1 ? leadHash : state.hashes[ordinal - 1];
    }

    /// @dev Why a slot that does not admit the voter refuses it a vote for this hash, candidate or not.
    function _refusal(
        Voter voter,
        bytes32 slot,
        bytes32 hash,
        Slot storage state,
        bytes32 leadHash,
        Lead lead,
        Candidate candidate
    ) private view returns (bytes memory) {
        if (lead.finalOrdinal() != 0) {
            return abi.encodeWithSelector(SlotFinalized.selector, slot, _finalHash(state, leadHash, lead));
        }
        if (candidate.votes() & voter.seat() != 0) {
            return abi.encodeWithSelector(AlreadyVoted.selector, slot, msg.sender);
        }
        return abi.encodeWithSelector(Equivocation.selector, slot, msg.sender, hash);
    }

    /// @dev Whether two headers say the same of the same slot: they differ in parent and time at most.
    function _haveSameContent(ObservationHeader calldata a, ObservationHeader calldata b) private pure returns (bool) {
        return a.streamHash == b.streamHash && a.epochHash == b.epochHash && a.sequence == b.sequence
            && a.dataRoot == b.dataRoot && a.locatorHash == b.locatorHash;
    }

    /// @dev Whether the candidate's votes from active witnesses reach the quorum.
    function _hasQuorum(Candidate candidate, Voter voter) private pure returns (bool) {
        return voter.quorum() != 0 && (candidate.votes() & voter.active()).count() >= voter.quorum();
    }

    /// @dev Reverts with an encoded error, if there is one.
    function _revertIf(bytes memory refusal) private pure {
        if (refusal.length == 0) return;
        assembly ("memory-safe") {
            revert(add(refusal, 32), mload(refusal))
        }
    }
}
