// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

// How the votes of a slot lie in storage.

/// @notice What is known of a slot, kept under its first candidate. From the lowest bit: 120 bits of votes for the first
/// candidate, 120 bits of votes for all later ones, 8 bits for the number of candidates, 8 bits for which one is final.
type Lead is uint256;

/// @notice What is known of one candidate. From the lowest bit: 120 bits of votes, then its ordinal, 1 for the first
/// candidate of a slot. 0 exactly if there is no such candidate, since one has its ordinal.
type Candidate is uint256;

/// @notice The set of witnesses as the registry has it now, and the seat of who calls. From the lowest bit: 120 bits of
/// active witnesses, 120 bits with the seat's, if any, 8 bits of quorum.
type Voter is uint256;

using LeadLib for Lead global;
using CandidateLib for Candidate global;
using VoterLib for Voter global;

// forge-lint: disable-next-item(unsafe-typecast) a cast cuts the lowest field out of a word
library LeadLib {
    /// @notice The first candidate, as a word of its own.
    function first(Lead lead) internal pure returns (Candidate) {
        return CandidateLib.create(1).addVote(uint120(Lead.unwrap(lead)));
    }

    /// @notice Everyone who voted in the slot.
    function voters(Lead lead) internal pure returns (uint120) {
        return uint120(Lead.unwrap(lead) | Lead.unwrap(lead) >> 120);
    }

    /// @notice Whether a seat may vote: the slot is not final, and the seat has not voted in it.
    function admits(Lead lead, uint120 seat) internal pure returns (bool) {
        return lead.finalOrdinal() == 0 && lead.voters() & seat == 0;
    }

    /// @notice The number of candidates.
    function count(Lead lead) internal pure returns (uint8) {
        return uint8(Lead.unwrap(lead) >> 240);
    }

    /// @notice The ordinal of the final candidate, 0 if none is.
    function finalOrdinal(Lead lead) internal pure returns (uint8) {
        return uint8(Lead.unwrap(lead) >> 248);
    }

    /// @notice With a vote for the first candidate.
    function addVote(Lead lead, uint120 seat) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) | seat);
    }

    /// @notice With a vote for a later candidate.
    function addRivalVote(Lead lead, uint120 seat) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) | uint256(seat) << 120);
    }

    /// @notice Without a vote for the first candidate.
    function removeVote(Lead lead, uint120 seat) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) & ~uint256(seat));
    }

    /// @notice Without a vote for a later candidate.
    function removeRivalVote(Lead lead, uint120 seat) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) & ~(uint256(seat) << 120));
    }

    /// @notice With one candidate more. A seat makes at most one by its first vote and one by moving it, so there are never
    /// more than 240.
    function addCandidate(Lead lead) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) + (1 << 240));
    }

    /// @notice With a candidate made final, where none is yet.
    function finalize(Lead lead, uint8 ordinal) internal pure returns (Lead) {
        return Lead.wrap(Lead.unwrap(lead) | uint256(ordinal) << 248);
    }
}

// forge-lint: disable-next-item(unsafe-typecast) a cast cuts the lowest field out of a word
library CandidateLib {
    /// @notice A candidate without a vote yet.
    function create(uint8 ordinal_) internal pure returns (Candidate) {
        return Candidate.wrap(uint256(ordinal_) << 120);
    }

    /// @notice Whether there is such a candidate.
    function exists(Candidate candidate) internal pure returns (bool) {
        return Candidate.unwrap(candidate) != 0;
    }

    /// @notice Every vote for the candidate.
    function votes(Candidate candidate) internal pure returns (uint120) {
        return uint120(Candidate.unwrap(candidate));
    }

    /// @notice The place of the candidate among those of its slot, from 1.
    function ordinal(Candidate candidate) internal pure returns (uint8) {
        return uint8(Candidate.unwrap(candidate) >> 120);
    }

    /// @notice With a vote for the candidate.
    function addVote(Candidate candidate, uint120 seat) internal pure returns (Candidate) {
        return Candidate.wrap(Candidate.unwrap(candidate) | seat);
    }

    /// @notice Without a vote for the candidate.
    function removeVote(Candidate candidate, uint120 seat) internal pure returns (Candidate) {
        return Candidate.wrap(Candidate.unwrap(candidate) & ~uint256(seat));
    }
}

// forge-lint: disable-next-item(unsafe-typecast) a cast cuts the lowest field out of a word
library VoterLib {
    /// @notice A seat, 0 for none, in a set.
    function create(uint120 seat_, uint120 active_, uint8 quorum_) internal pure returns (Voter) {
        return Voter.wrap(uint256(quorum_) << 240 | uint256(seat_) << 120 | active_);
    }

    /// @notice The bit of the caller's seat, 0 if it has none.
    function seat(Voter voter) internal pure returns (uint120) {
        return uint120(Voter.unwrap(voter) >> 120);
    }

    /// @notice The active witnesses.
    function active(Voter voter) internal pure returns (uint120) {
        return uint120(Voter.unwrap(voter));
    }

    /// @notice The votes of active witnesses that finalize; 0: nothing finalizes.
    function quorum(Voter voter) internal pure returns (uint8) {
        return uint8(Voter.unwrap(voter) >> 240);
    }
}
