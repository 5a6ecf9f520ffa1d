// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {AccessControl} from "@openzeppelin/contracts/access/AccessControl.sol";

import {ObservationHeader} from "../../interfaces/IEveryChannelObservationLedger.sol";

/// @title What one would write first: roles, a stored struct, nested mappings
/// @notice The yardstick of `scripts/gas`. It offers the same votes as the ledger, and is deployed nowhere.
contract NaiveLedger is AccessControl {
    struct Candidate {
        ObservationHeader header;
        address proposer;
        uint256 votes;
    }

    event ObservationProposed(
        bytes32 indexed slot,
        bytes32 indexed observationHash,
        bytes32 indexed streamHash,
        address proposer,
        ObservationHeader header
    );
    event ObservationAttested(bytes32 indexed slot, bytes32 indexed observationHash, address indexed witness);
    event ObservationFinalized(bytes32 indexed slot, bytes32 indexed observationHash);

    error AlreadyVoted(bytes32 slot, address witness);
    error AlreadyCandidate(bytes32 slot, bytes32 observationHash);
    error UnknownCandidate(bytes32 slot, bytes32 observationHash);
    error SlotFinalized(bytes32 slot, bytes32 finalHash);

    bytes32 public constant WITNESS_ROLE = keccak256("WITNESS_ROLE");

    uint256 public quorum;
    mapping(bytes32 slot => mapping(bytes32 observationHash => Candidate)) public candidates;
    mapping(bytes32 slot => bytes32[]) public candidateHashes;
    mapping(bytes32 slot => mapping(address witness => bool)) public hasVoted;
    mapping(bytes32 slot => bytes32) public finalizedObservation;

    constructor(address[] memory witnesses, uint256 quorum_) {
        quorum = quorum_;
        for (uint256 i = 0; i < witnesses.length; i++) {
            _grantRole(WITNESS_ROLE, witnesses[i]);
        }
    }

    function propose(ObservationHeader memory header, uint256) external onlyRole(WITNESS_ROLE) {
        bytes32 slot = keccak256(abi.encode(header.streamHash, header.epochHash));
        bytes32 hash = keccak256(abi.encode(header));
        if (candidates[slot][hash].proposer != address(0)) revert AlreadyCandidate(slot, hash);
        candidates[slot][hash] = Candidate({header: header, proposer: msg.sender, votes: 0});
        candidateHashes[slot].push(hash);
        emit ObservationProposed(slot, hash, header.streamHash, msg.sender, header);
        _vote(slot, hash);
    }

    function attest(bytes32 slot, bytes32 hash) external onlyRole(WITNESS_ROLE) {
        if (candidates[slot][hash].proposer == address(0)) revert UnknownCandidate(slot, hash);
        emit ObservationAttested(slot, hash, msg.sender);
        _vote(slot, hash);
    }

    function _vote(bytes32 slot, bytes32 hash) private {
        if (finalizedObservation[slot] != 0) revert SlotFinalized(slot, finalizedObservation[slot]);
        if (hasVoted[slot][msg.sender]) revert AlreadyVoted(slot, msg.sender);
        hasVoted[slot][msg.sender] = true;
        candidates[slot][hash].votes++;
        if (candidates[slot][hash].votes >= quorum) {
            finalizedObservation[slot] = hash;
            emit ObservationFinalized(slot, hash);
        }
    }
}
