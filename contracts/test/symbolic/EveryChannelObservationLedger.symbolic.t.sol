// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../../EveryChannelObservationLedger.sol";
import {EveryChannelWitnessRegistry} from "../../EveryChannelWitnessRegistry.sol";
import {ObservationHeader} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {vm} from "../Vm.sol";

/// @notice Proofs by symbolic execution (halmos): every argument of a `check_` function is any value at all.
/// @dev Three witnesses, a quorum of two, one slot; callers, headers and hashes are symbolic, so that the calls below
/// stand for every order of proposals, votes, refusals and finality that so many calls can make.
contract EveryChannelObservationLedgerSymbolicTest {
    address private constant A = address(0x1000);
    address private constant B = address(0x1001);
    address private constant C = address(0x1002);
    bytes32 private constant STREAM = keccak256("la-nbc");
    bytes32 private constant EPOCH = keccak256("epoch");

    EveryChannelWitnessRegistry private registry;
    EveryChannelObservationLedger private ledger;
    bytes32 private slot;

    /// @notice A call to the ledger of any kind by anyone.
    struct Call {
        uint8 who; // A, B, C or …
        address stranger; // … this one
        uint8 kind; // propose, attest, finalize or move
        bytes32 content; // the candidate is the header of this content …
        bytes32 hash; // … or this hash
        uint256 candidatesSeen;
        uint64 time; // a move is to the header of the same content and this time
    }

    function setUp() public {
        address[] memory witnesses = new address[](3);
        (witnesses[0], witnesses[1], witnesses[2]) = (A, B, C);
        registry = new EveryChannelWitnessRegistry(address(this), witnesses, 2);
        ledger = new EveryChannelObservationLedger(registry);
        slot = ledger.slotOf(STREAM, EPOCH);
    }

    /// @notice Nobody but a witness changes anything in an empty slot, and a witness only by a proposal that saw it empty.
    /// So every history of a slot begins with such a proposal, as the histories below do.
    function check_emptySlot_onlyProposalFills(Call calldata any) external {
        _try(any);
        bool proposal = any.kind == 0 && any.candidatesSeen == 0 && any.who < 3;
        assert(proposal || ledger.candidateCount(slot) == 0);
    }

    /// @notice A stranger's call changes no vote and no candidate, whatever happened before.
    function check_stranger_changesNoVote(uint8 proposer, bytes32 content, Call calldata any, bytes32 hash) external {
        vm.assume(any.who == 3);
        _begin(proposer, content);
        (uint256 before,) = ledger.votes(slot, hash);
        uint256 candidates = ledger.candidateCount(slot);
        _try(any);
        (uint256 afterwards,) = ledger.votes(slot, hash);
        assert(afterwards == before && ledger.candidateCount(slot) == candidates);
    }

    /// @notice After a proposal by any witness, a call changes a candidate's votes only by adding its caller's, who had none
    /// in the slot, or by moving it.
    function check_oneVotePerWitnessPerSlot(uint8 proposer, bytes32 content, Call calldata any, bytes32 hash) external {
        _begin(proposer, content);
        _tryAndCheckVotes(any, hash, any.who == proposer);
    }

    /// @notice The same between two candidates: one by A, one by B. So nobody gets votes for both.
    function check_oneVotePerWitnessPerSlot_rivals(bytes32 content, bytes32 rival, Call calldata any, bytes32 hash)
        external
    {
        vm.assume(content != rival);
        _begin(0, content);
        vm.prank(B);
        ledger.propose(_header(rival), 1);
        _tryAndCheckVotes(any, hash, any.who < 2);
    }

    /// @notice A slot finalized by a proposal and a vote keeps its hash through any other call.
    function check_finalNeverChanges(uint8 proposer, bytes32 content, Call calldata second, Call calldata third)
        external
    {
        vm.assume(second.kind < 2 && second.who < 3);
        _begin(proposer, content);
        _try(second);
        bytes32 before = ledger.finalizedObservation(slot);
        vm.assume(before != 0);
        _try(third);
        assert(ledger.finalizedObservation(slot) == before);
    }

    /// @notice So does a slot in which a later candidate won.
    function check_finalNeverChanges_rivals(bytes32 content, bytes32 rival, Call calldata any) external {
        vm.assume(content != rival);
        _begin(0, content);
        vm.prank(B);
        bytes32 hash = ledger.propose(_header(rival), 1);
        vm.prank(C);
        ledger.attest(slot, hash);
        assert(ledger.finalizedObservation(slot) == hash);
        _try(any);
        assert(ledger.finalizedObservation(slot) == hash);
    }

    /// @dev Asserts that the call leaves the votes for `hash` as they are, or adds the caller's, who has not `voted`, or, as
    /// a move, adds it or takes it away where he has.
    function _tryAndCheckVotes(Call calldata any, bytes32 hash, bool voted) private {
        (uint256 before,) = ledger.votes(slot, hash);
        assert(ledger.hasVoted(slot, _caller(any)) == voted);
        (uint120 seat,,) = registry.seatOf(_caller(any));
        _try(any);
        (uint256 afterwards,) = ledger.votes(slot, hash);
        bool cast = !voted && afterwards == before | seat;
        bool moved = voted && any.kind == 3 && afterwards == before ^ seat;
        assert(afterwards == before || cast || moved);
    }

    /// @dev The first thing that can happen in a slot.
    function _begin(uint8 proposer, bytes32 content) private {
        vm.assume(proposer < 3);
        vm.prank(_witness(proposer));
        ledger.propose(_header(content), 0);
    }

    function _try(Call calldata any) private {
        vm.assume(any.kind < 4);
        vm.prank(_caller(any));
        if (any.kind == 0) {
            try ledger.propose(_header(any.content), any.candidatesSeen) {} catch {}
        } else if (any.kind == 1) {
            try ledger.attest(slot, any.hash) {} catch {}
        } else if (any.kind == 2) {
            try ledger.finalize(slot, any.hash) {} catch {}
        } else {
            ObservationHeader memory to = _header(any.content);
            to.observedUnixMs = any.time;
            try ledger.move(_header(any.content), to, any.candidatesSeen) {} catch {}
        }
    }

    function _header(bytes32 content) private pure returns (ObservationHeader memory header) {
        (header.streamHash, header.epochHash, header.dataRoot) = (STREAM, EPOCH, content);
    }

    /// @dev One path for each witness, so that the seats in it are numbers, and one for everybody else.
    function _caller(Call calldata any) private pure returns (address) {
        vm.assume(any.who < 4);
        if (any.who < 3) return _witness(any.who);
        vm.assume(any.stranger != A && any.stranger != B && any.stranger != C);
        return any.stranger;
    }

    function _witness(uint8 who) private pure returns (address) {
        return who == 0 ? A : who == 1 ? B : C;
    }
}
