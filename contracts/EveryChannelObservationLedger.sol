// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEveryChannelObservationLedger, ObservationHeader} from "./interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry} from "./interfaces/IEveryChannelWitnessRegistry.sol";
import {Bitmap} from "./libraries/Bitmap.sol";

/// @title Where witnesses vote on what was broadcast
/// @dev Storage follows the common case, a slot with one candidate: its hash is one word, and all the rest is the word
/// found under (slot, hash), so that a vote for it touches that one word only. Later candidates of a slot pay more.
contract EveryChannelObservationLedger is IEveryChannelObservationLedger {
    using Bitmap for uint120;

    /// @notice What is known of a slot, kept under its first candidate. One storage word.
    struct Lead {
        uint120 votes; // for the first candidate
        uint120 rivalVotes; // for any later one
        uint8 candidates; // how many
        uint8 finalNumber; // the place of the final one + 1, or 0
    }

    /// @notice What is known of a later candidate. One storage word.
    struct Rival {
        uint120 votes;
        uint8 place;
    }

    /// @notice The caller and the set, as the registry has them now.
    struct Voter {
        address account;
        uint120 seat;
        uint120 active;
        uint8 quorum;
    }

    /// @notice A slot and one hash in it, candidate or not, as storage has them.
    struct Ballot {
        bytes32 slot;
        bytes32 observationHash;
        bytes32 leadHash;
        Lead lead;
        Rival rival;
    }

    IEveryChannelWitnessRegistry private immutable REGISTRY;

    mapping(bytes32 slot => mapping(uint256 place => bytes32 observationHash)) private _candidates;
    mapping(bytes32 slot => mapping(bytes32 observationHash => Lead)) private _leads;
    mapping(bytes32 slot => mapping(bytes32 observationHash => Rival)) private _rivals;

    /// @param registry_ Whose witnesses vote here.
    constructor(IEveryChannelWitnessRegistry registry_) {
        if (address(registry_).code.length == 0) revert NoCode(address(registry_));
        REGISTRY = registry_;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function propose(ObservationHeader calldata header, uint256 candidatesSeen) external returns (bytes32 hash) {
        Voter memory voter = _voter();
        bytes memory refusal;
        (, hash, refusal) = _propose(voter, header, candidatesSeen);
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
        Ballot memory ballot = _ballot(slot, hash);
        if (ballot.lead.finalNumber != 0) revert SlotFinalized(slot, _finalHash(ballot));
        uint120 cast = _votesFor(ballot);
        if (cast == 0) revert UnknownCandidate(slot, hash);
        Voter memory nobody = _nobody();
        if (!_hasQuorum(cast, nobody)) {
            revert QuorumNotReached(slot, hash, (cast & nobody.active).count(), nobody.quorum);
        }
        _store(ballot, nobody);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function registry() external view returns (IEveryChannelWitnessRegistry) {
        return REGISTRY;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function finalizedObservation(bytes32 slot) external view returns (bytes32) {
        Ballot memory ballot = _ballot(slot, _candidates[slot][0]);
        return ballot.lead.finalNumber == 0 ? bytes32(0) : _finalHash(ballot);
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function candidateCount(bytes32 slot) external view returns (uint256) {
        return _leads[slot][_candidates[slot][0]].candidates;
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function candidateAt(bytes32 slot, uint256 place) external view returns (bytes32 hash) {
        if (place >= _leads[slot][_candidates[slot][0]].candidates) revert UnknownPlace(slot, place);
        return _candidates[slot][place];
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function votes(bytes32 slot, bytes32 hash) external view returns (uint256 bitmap, uint256 activeCount) {
        uint120 cast = _votesFor(_ballot(slot, hash));
        return (cast, (cast & _nobody().active).count());
    }

    /// @inheritdoc IEveryChannelObservationLedger
    function hasVoted(bytes32 slot, address witness) external view returns (bool) {
        Lead memory lead = _leads[slot][_candidates[slot][0]];
        (uint120 seat,,) = REGISTRY.seatOf(witness);
        return (lead.votes | lead.rivalVotes) & seat != 0;
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
        Ballot memory ballot = _ballot(slot, hash);
        refusal = _refusal(ballot, voter);
        if (refusal.length != 0) return (slot, hash, refusal);

        if (_votesFor(ballot) != 0) {
            emit ObservationAttested(slot, hash, voter.account);
        } else {
            uint8 candidates = ballot.lead.candidates;
            if (candidates != candidatesSeen) {
                return (slot, hash, abi.encodeWithSelector(StaleProposal.selector, slot, candidates));
            }
            _candidates[slot][candidates] = hash;
            ballot.lead.candidates = candidates + 1;
            if (candidates == 0) ballot.leadHash = hash;
            else ballot.rival.place = candidates;
            emit ObservationProposed(slot, hash, header.streamHash, voter.account, header);
        }
        _store(ballot, voter);
    }

    /// @dev Votes for a candidate. Returns the error that forbids it, if any does.
    function _attest(Voter memory voter, bytes32 slot, bytes32 hash) private returns (bytes memory refusal) {
        Ballot memory ballot = _ballot(slot, hash);
        refusal = _refusal(ballot, voter);
        if (refusal.length != 0) return refusal;
        if (_votesFor(ballot) == 0) return abi.encodeWithSelector(UnknownCandidate.selector, slot, hash);

        emit ObservationAttested(slot, hash, voter.account);
        _store(ballot, voter);
    }

    /// @dev Adds the voter's seat, if any, to the ballot's candidate, finalizes it when that makes a quorum, and writes
    /// the ballot. Checks are the caller's.
    function _store(Ballot memory ballot, Voter memory voter) private {
        bytes32 slot = ballot.slot;
        Lead memory lead = ballot.lead;
        uint120 cast = _votesFor(ballot) | voter.seat;
        bool isFinal = _hasQuorum(cast, voter);
        if (ballot.leadHash == ballot.observationHash) {
            lead.votes = cast;
            if (isFinal) lead.finalNumber = 1;
        } else {
            lead.rivalVotes |= voter.seat;
            if (isFinal) lead.finalNumber = ballot.rival.place + 1;
            _rivals[slot][ballot.observationHash] = Rival({votes: cast, place: ballot.rival.place});
        }
        _leads[slot][ballot.leadHash] = lead;
        if (isFinal) emit ObservationFinalized(slot, ballot.observationHash);
    }

    /// @dev The caller and the set. Reverts unless the caller is an active witness.
    function _voter() private view returns (Voter memory voter) {
        voter.account = msg.sender;
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

    /// @dev Reads a slot for one hash. Only a hash that is not the first candidate costs more than one word.
    function _ballot(bytes32 slot, bytes32 hash) private view returns (Ballot memory ballot) {
        ballot.slot = slot;
        ballot.observationHash = hash;
        ballot.lead = _leads[slot][hash];
        if (ballot.lead.candidates != 0) {
            ballot.leadHash = hash;
        } else {
            ballot.leadHash = _candidates[slot][0];
            if (ballot.leadHash != 0) {
                ballot.lead = _leads[slot][ballot.leadHash];
                ballot.rival = _rivals[slot][hash];
            }
        }
    }

    /// @dev The error that forbids the voter any vote for the ballot's hash, candidate or not; empty if none does.
    function _refusal(Ballot memory ballot, Voter memory voter) private view returns (bytes memory) {
        Lead memory lead = ballot.lead;
        if (lead.finalNumber != 0) {
            return abi.encodeWithSelector(SlotFinalized.selector, ballot.slot, _finalHash(ballot));
        }
        if (_votesFor(ballot) & voter.seat != 0) {
            return abi.encodeWithSelector(AlreadyVoted.selector, ballot.slot, voter.account);
        }
        if ((lead.votes | lead.rivalVotes) & voter.seat != 0) {
            return abi.encodeWithSelector(Equivocation.selector, ballot.slot, voter.account, ballot.observationHash);
        }
        return "";
    }

    /// @dev The final candidate of a slot that has one.
    function _finalHash(Ballot memory ballot) private view returns (bytes32) {
        return _candidates[ballot.slot][ballot.lead.finalNumber - 1];
    }

    /// @dev Every vote for the ballot's hash; 0 exactly if it is no candidate, since a candidate has its proposer's.
    function _votesFor(Ballot memory ballot) private pure returns (uint120) {
        return ballot.leadHash == ballot.observationHash ? ballot.lead.votes : ballot.rival.votes;
    }

    /// @dev Whether the votes of active witnesses among these reach the quorum.
    function _hasQuorum(uint120 cast, Voter memory voter) private pure returns (bool) {
        return voter.quorum != 0 && (cast & voter.active).count() >= voter.quorum;
    }

    /// @dev Reverts with an encoded error, if there is one.
    function _revertIf(bytes memory refusal) private pure {
        if (refusal.length == 0) return;
        assembly ("memory-safe") {
            revert(add(refusal, 32), mload(refusal))
        }
    }
}
