// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEveryChannelObservationLedger, ObservationHeader} from "./interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry} from "./interfaces/IEveryChannelWitnessRegistry.sol";
import {Bitmap} from "./libraries/Bitmap.sol";
import {Candidate, CandidateLib, Lead} from "./libraries/Tally.sol";

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
    }

    /// @notice The set, as the registry has it now, and the caller's seat in it.
    struct Voter {
        uint120 seat;
        uint120 active;
        uint8 quorum;
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
    function proposeBatch(ObservationHeader[] calldata headers, uint256[] calldata candidatesSeen) external {
        Voter memory voter = _voter();
        if (headers.length != candidatesSeen.length) revert LengthMismatch(headers.length, candidatesSeen.length);
        for (uint256 i = 0; i < headers.length; ++i) {
            (bytes32 slot, bytes32 hash, bytes memory refusal) = _propose(voter, headers[i], candidatesSeen[i]);
            if (refusal.length != 0) emit VoteSkipped(slot, hash, msg.sender, refusal);
        }
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function attestBatch(bytes32[] calldata slots, bytes32[] calldata observationHashes) external {
        Voter memory voter = _voter();
        if (slots.length != observationHashes.length) revert LengthMismatch(slots.length, observationHashes.length);
        for (uint256 i = 0; i < slots.length; ++i) {
            bytes memory refusal = _attest(voter, slots[i], observationHashes[i]);
            if (refusal.length != 0) emit VoteSkipped(slots[i], observationHashes[i], msg.sender, refusal);
        }
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function finalize(bytes32 slot, bytes32 hash) external {
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        if (lead.finalOrdinal() != 0) revert SlotFinalized(slot, _finalHash(state, lead));
        if (!candidate.exists()) revert UnknownCandidate(slot, hash);
        Voter memory nobody = _nobody();
        if (!_hasQuorum(candidate, nobody)) {
            revert QuorumNotReached(slot, hash, (candidate.votes() & nobody.active).count(), nobody.quorum);
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
        Lead lead = _leadOf(state);
        return lead.finalOrdinal() == 0 ? bytes32(0) : _finalHash(state, lead);
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
        return (candidate.votes(), (candidate.votes() & _nobody().active).count());
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
        return keccak256(abi.encode(streamHash, epochHash));
    }

    /// @dev Votes for the header, as a new candidate if it is none yet. Returns the error that forbids it, if any does.
    function _propose(Voter memory voter, ObservationHeader calldata header, uint256 candidatesSeen)
        private
        returns (bytes32 slot, bytes32 hash, bytes memory refusal)
    {
        slot = slotOf(header.streamHash, header.epochHash);
        hash = observationHash(header);
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        refusal = _refusal(voter, slot, hash, state, lead, candidate);
        if (refusal.length != 0) return (slot, hash, refusal);

        if (candidate.exists()) {
            emit ObservationAttested(slot, hash, msg.sender);
        } else {
            uint8 place = lead.count();
            if (place != candidatesSeen) {
                return (slot, hash, abi.encodeWithSelector(StaleProposal.selector, slot, place));
            }
            if (place == 0) leadHash = hash;
            lead = lead.addCandidate();
            candidate = CandidateLib.create(lead.count());
            state.hashes[place] = hash;
            emit ObservationProposed(slot, hash, header.streamHash, msg.sender, header);
        }
        _store(voter, slot, hash, state, leadHash, lead, candidate);
    }

    /// @dev Votes for a candidate. Returns the error that forbids it, if any does.
    function _attest(Voter memory voter, bytes32 slot, bytes32 hash) private returns (bytes memory refusal) {
        Slot storage state = _slots[slot];
        (bytes32 leadHash, Lead lead, Candidate candidate) = _read(state, hash);
        refusal = _refusal(voter, slot, hash, state, lead, candidate);
        if (refusal.length != 0) return refusal;
        if (!candidate.exists()) return abi.encodeWithSelector(UnknownCandidate.selector, slot, hash);

        emit ObservationAttested(slot, hash, msg.sender);
        _store(voter, slot, hash, state, leadHash, lead, candidate);
    }

    /// @dev Adds the voter's seat, if any, to the candidate, makes it final when that makes a quorum, and writes both it
    /// and its slot. Checks are the caller's.
    function _store(
        Voter memory voter,
        bytes32 slot,
        bytes32 hash,
        Slot storage state,
        bytes32 leadHash,
        Lead lead,
        Candidate candidate
    ) private {
        candidate = candidate.addVote(voter.seat);
        if (hash == leadHash) {
            lead = lead.addVote(voter.seat);
        } else {
            lead = lead.addRivalVote(voter.seat);
            state.rivals[hash] = candidate;
        }
        if (_hasQuorum(candidate, voter)) {
            lead = lead.finalize(candidate.ordinal());
            emit ObservationFinalized(slot, hash);
        }
        state.leads[leadHash] = lead;
    }

    /// @dev The caller's seat and the set. Reverts unless the caller is an active witness.
    function _voter() private view returns (Voter memory voter) {
        (voter.seat, voter.active, voter.quorum) = REGISTRY.seatOf(msg.sender);
        if (voter.seat & voter.active == 0) revert NotWitness(msg.sender);
    }

    /// @dev The set alone, with no seat to vote from.
    function _nobody() private view returns (Voter memory voter) {
        (uint256 active, uint8 quorum) = REGISTRY.activeSet();
        // forge-lint: disable-next-line(unsafe-typecast) no index is beyond the registry's capacity of 120
        voter.active = uint120(active);
        voter.quorum = quorum;
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

    /// @dev The final candidate of a slot that has one.
    function _finalHash(Slot storage state, Lead lead) private view returns (bytes32) {
        return state.hashes[lead.finalOrdinal() - 1];
    }

    /// @dev The error that forbids the voter any vote for this hash, candidate or not; empty if none does.
    function _refusal(
        Voter memory voter,
        bytes32 slot,
        bytes32 hash,
        Slot storage state,
        Lead lead,
        Candidate candidate
    ) private view returns (bytes memory refusal) {
        if (lead.finalOrdinal() != 0) {
            return abi.encodeWithSelector(SlotFinalized.selector, slot, _finalHash(state, lead));
        }
        if (lead.voters() & voter.seat == 0) return refusal;
        if (candidate.votes() & voter.seat != 0) {
            return abi.encodeWithSelector(AlreadyVoted.selector, slot, msg.sender);
        }
        return abi.encodeWithSelector(Equivocation.selector, slot, msg.sender, hash);
    }

    /// @dev Whether the candidate's votes from active witnesses reach the quorum.
    function _hasQuorum(Candidate candidate, Voter memory voter) private pure returns (bool) {
        return voter.quorum != 0 && (candidate.votes() & voter.active).count() >= voter.quorum;
    }

    /// @dev Reverts with an encoded error, if there is one.
    function _revertIf(bytes memory refusal) private pure {
        if (refusal.length == 0) return;
        assembly ("memory-safe") {
            revert(add(refusal, 32), mload(refusal))
        }
    }
}
