// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Votes that move: four tellings of one content, of four witnesses three finalize.
contract EveryChannelObservationLedgerMoveTest is Fixture {
    ObservationHeader private first = _header(7, 0);
    ObservationHeader private second = _retold(first, 1);
    ObservationHeader private third = _retold(first, 2);
    ObservationHeader private fourth = _retold(first, 3);
    ObservationHeader private other = _header(7, 1);
    bytes32 private slot = _slot(first);

    // ---- where a vote goes

    function test_move_fromFirstToLater() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _expectMoved(second, 0, first);
        vm.recordLogs();
        _move(0, first, second, 99);
        vm.assertEq(vm.getRecordedLogs().length, 1);
        _assertVotes(first, 0, 0);
        _assertVotes(second, 3, 2);
        vm.assertTrue(ledger.hasVoted(slot, _witness(0)));
        vm.assertEq(ledger.candidateCount(slot), 2);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
    }

    function test_move_fromLaterToFirst() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _expectMoved(first, 1, second);
        _move(1, second, first, 0);
        _assertVotes(first, 3, 2);
        _assertVotes(second, 0, 0);
    }

    function test_move_betweenLaterOnes() public {
        _proposeThree();
        _expectMoved(third, 1, second);
        _move(1, second, third, 0);
        _assertVotes(first, 1, 1);
        _assertVotes(second, 0, 0);
        _assertVotes(third, 6, 2);
        vm.assertTrue(ledger.hasVoted(slot, _witness(1)));
    }

    function test_move_thereAndBack() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        bytes32 before = _digestOf(slot);
        _move(0, first, second, 0);
        _move(0, second, first, 0);
        vm.assertEq(_digestOf(slot), before);
    }

    function test_move_toNew_isACandidate() public {
        _propose(0, first, 0);
        _attest(1, first);
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(slot, _hash(second), second.streamHash, _witness(1), second);
        _expectMoved(second, 1, first);
        vm.recordLogs();
        _move(1, first, second, 1);
        vm.assertEq(vm.getRecordedLogs().length, 2);
        vm.assertEq(ledger.candidateCount(slot), 2);
        vm.assertEq(ledger.candidateAt(slot, 1), _hash(second));
        _assertVotes(first, 1, 1);
        _assertVotes(second, 2, 1);
    }

    /// @notice The parent may differ alone, the time alone, or both.
    function test_move_otherParent() public {
        ObservationHeader memory to = _retold(first, 0);
        to.parentObservationHash = bytes32(0);
        _propose(0, first, 0);
        _move(0, first, to, 1);
        _assertVotes(to, 1, 1);
    }

    function test_move_aloneLeavesNoVotes() public {
        _propose(0, first, 0);
        _move(0, first, second, 1);
        _assertVotes(first, 0, 0);
        vm.assertEq(ledger.candidateAt(slot, 0), _hash(first));
        _attest(1, first);
        _assertVotes(first, 2, 1);
    }

    // ---- finality

    /// @notice The split that used to lose a slot: three tellings, none with a quorum. All go to the leader's.
    function test_move_gathersASplit() public {
        _proposeThree();
        _attest(3, first);
        _move(0, first, second, 0);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        _expectMoved(second, 3, first);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, _hash(second));
        _move(3, first, second, 0);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(second));
        _assertVotes(second, 11, 3);
        _assertVotes(third, 4, 1);
    }

    function test_move_toFirst_finalizes() public {
        _propose(0, first, 0);
        _attest(1, first);
        _propose(2, second, 1);
        _move(2, second, first, 0);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(first));
        vm.assertEq(ledger.candidateCount(slot), 2);
    }

    function test_move_toNew_finalizes() public {
        _propose(0, first, 0);
        _updateSet(_none(), _witnesses(1, 3), 1);
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(slot, _hash(second), second.streamHash, _witness(0), second);
        _expectMoved(second, 0, first);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, _hash(second));
        _move(0, first, second, 1);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(second));
    }

    /// @notice A quorum that nobody took up is no finality: a vote may still leave it.
    function test_move_awayFromUnfinalizedQuorum() public {
        _updateSet(_none(), _none(), 4);
        _propose(0, first, 0);
        _attest(1, first);
        _attest(2, first);
        _updateSet(_none(), _none(), 3);
        _move(2, first, second, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.QuorumNotReached.selector, slot, _hash(first), 2, 3));
        ledger.finalize(slot, _hash(first));
        _move(2, second, first, 0);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(first));
    }

    // ---- the set changes

    function test_move_removedVotersStay() public {
        _proposeThree();
        _attest(3, second);
        _updateSet(_witnesses(4, 1), _witnesses(3, 1), 3);
        _move(0, first, second, 0);
        _assertVotes(second, 11, 2);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        _move(2, third, second, 0);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(second));
        _assertVotes(second, 15, 3);
    }

    function test_move_returned_movesItsVote() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _updateSet(_none(), _witnesses(0, 1), 3);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, _witness(0)));
        _move(0, first, second, 0);
        _updateSet(_witnesses(0, 1), _none(), 3);
        _move(0, first, second, 0);
        _assertVotes(first, 0, 0);
        _assertVotes(second, 3, 2);
    }

    function test_move_rotated_movesTheSeatsVote() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _rotate(0, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, _witness(0)));
        _move(0, first, second, 0);
        _expectEmit(address(ledger));
        emit ILedger.VoteMoved(slot, _hash(second), STRANGER, _hash(first));
        vm.prank(STRANGER);
        ledger.move(first, second, 0);
        _assertVotes(first, 0, 0);
        _assertVotes(second, 3, 2);
    }

    /// @notice Nor does a new address bring another move to a new candidate.
    function test_move_rotated_toAnotherNew_reverts() public {
        _propose(0, first, 0);
        _move(0, first, second, 1);
        _rotate(0, STRANGER);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyProposed.selector, slot, STRANGER));
        vm.prank(STRANGER);
        ledger.move(second, third, 2);
    }

    // ---- one vote

    function test_move_thenVoteAgain_reverts() public {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _move(0, first, second, 0);
        bytes memory equivocation =
            abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), _hash(first));
        vm.expectRevert(equivocation);
        _attest(0, first);
        vm.expectRevert(equivocation);
        _propose(0, first, 2);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(0)));
        _attest(0, second);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), _hash(third)));
        _propose(0, third, 2);
    }

    function test_move_twice_reverts() public {
        _proposeThree();
        _move(0, first, second, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NoSuchVote.selector, slot, _witness(0), _hash(first)));
        _move(0, first, third, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NoSuchVote.selector, slot, _witness(0), _hash(first)));
        _move(0, first, second, 0);
    }

    // ---- refusals, in their order

    function test_move_notWitness_reverts() public {
        _propose(0, first, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.move(first, second, 1);
    }

    function test_move_finalized_reverts() public {
        _propose(0, first, 0);
        _propose(3, second, 1);
        _attest(1, first);
        _attest(2, first);
        bytes memory refusal = abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, _hash(first));
        vm.expectRevert(refusal);
        _move(3, second, first, 0);
        vm.expectRevert(refusal);
        _move(0, first, second, 0);
        vm.expectRevert(refusal);
        _move(0, first, third, 2);
        vm.expectRevert(refusal);
        _move(3, first, other, 2);
    }

    function test_move_laterFinalized_reverts() public {
        _propose(3, first, 0);
        _propose(0, second, 1);
        _attest(1, second);
        _attest(2, second);
        vm.expectRevert(abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, _hash(second)));
        _move(3, first, second, 0);
    }

    function test_move_noSuchVote_reverts() public {
        bytes memory refusal = abi.encodeWithSelector(ILedger.NoSuchVote.selector, slot, _witness(0), _hash(first));
        vm.expectRevert(refusal);
        _move(0, first, second, 0);
        _propose(1, first, 0);
        vm.expectRevert(refusal);
        _move(0, first, second, 1);
        _propose(0, second, 1);
        vm.expectRevert(refusal);
        _move(0, first, other, 2);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NoSuchVote.selector, slot, _witness(0), _hash(third)));
        _move(0, third, first, 2);
    }

    function test_move_otherContent_reverts() public {
        _propose(0, first, 0);
        _propose(1, other, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.OtherContent.selector, slot, _hash(first), _hash(other)));
        _move(0, first, other, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.OtherContent.selector, slot, _hash(other), _hash(first)));
        _move(1, other, first, 0);
        _assertVotes(first, 1, 1);
        _assertVotes(other, 2, 1);
    }

    /// @notice Every field but parent and time is content.
    function testFuzz_move_anyOtherField_reverts(uint256 field, uint256 change) public {
        ObservationHeader memory to = _retold(first, 1);
        field %= 5;
        if (change == 0 || uint64(change) == 0) change = 1;
        if (field == 0) to.streamHash ^= bytes32(change);
        else if (field == 1) to.epochHash ^= bytes32(change);
        else if (field == 2) to.dataRoot ^= bytes32(change);
        else if (field == 3) to.locatorHash ^= bytes32(change);
        else to.sequence ^= uint64(change);
        _propose(0, first, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.OtherContent.selector, slot, _hash(first), _hash(to)));
        _move(0, first, to, 1);
    }

    /// @notice And parent and time are not, whatever they are.
    function testFuzz_move_anyParentAndTime(bytes32 parent, uint64 time) public {
        ObservationHeader memory to = _retold(first, 1);
        (to.parentObservationHash, to.observedUnixMs) = (parent, time);
        vm.assume(_hash(to) != _hash(first));
        _propose(0, first, 0);
        _move(0, first, to, 1);
        _assertVotes(first, 0, 0);
        _assertVotes(to, 1, 1);
    }

    function test_move_toItself_reverts() public {
        _propose(0, first, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(0)));
        _move(0, first, first, 1);
    }

    function test_move_stale_reverts() public {
        _propose(0, first, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 1));
        _move(0, first, second, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 1));
        _move(0, first, second, 2);
        _assertVotes(first, 1, 1);
        vm.assertEq(ledger.candidateCount(slot), 1);
    }

    function test_move_toSecondNew_reverts() public {
        _propose(0, first, 0);
        _move(0, first, second, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 2));
        _move(0, second, third, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyProposed.selector, slot, _witness(0)));
        _move(0, second, third, 2);
        // Another witness still may, and the first one may follow it.
        _attest(1, first);
        _move(1, first, third, 2);
        _move(0, second, third, 0);
        _assertVotes(third, 3, 2);
    }

    // ---- several in one block

    /// @notice Two that make a candidate at the same moment: the second is refused, and joins.
    function test_move_concurrentToNew_leavesOneCandidate() public {
        _propose(0, first, 0);
        _attest(1, first);
        _move(0, first, second, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 2));
        _move(1, first, third, 1);
        _move(1, first, second, 2);
        _assertVotes(second, 3, 2);
        vm.assertEq(ledger.candidateCount(slot), 2);
    }

    /// @notice Two that make the same one: the second joins at once.
    function test_move_concurrentToSameNew_joins() public {
        _propose(0, first, 0);
        _attest(1, first);
        _move(0, first, second, 1);
        _move(1, first, second, 1);
        _assertVotes(second, 3, 2);
        vm.assertEq(ledger.candidateCount(slot), 2);
        // It made none, so it still may.
        _move(1, second, third, 2);
    }

    function test_move_concurrentProposal_isStale() public {
        _propose(0, first, 0);
        _move(0, first, second, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 2));
        _propose(1, third, 1);
    }

    /// @notice Two that go over to each other's candidate have only changed places; the next one to move decides.
    function test_move_concurrentSwap_keepsBothVotes() public {
        _proposeThree();
        _move(0, first, second, 0);
        _move(1, second, first, 0);
        _assertVotes(first, 2, 1);
        _assertVotes(second, 1, 1);
        _move(1, first, second, 0);
        _move(2, third, second, 0);
        vm.assertEq(ledger.finalizedObservation(slot), _hash(second));
    }

    // ---- whatever the input

    /// @notice In whatever order three of four follow the leader, and whatever they voted for, the last of them finalizes.
    function testFuzz_move_anySplitIsGathered(uint256 seed) public {
        ObservationHeader[4] memory tellings = [first, second, third, fourth];
        for (uint256 i = 0; i < 4; ++i) {
            _propose(i, tellings[i], i);
        }
        uint256 leader = seed % 4;
        uint256 start = (seed >> 8) % 4;
        uint256 moved = 0;
        for (uint256 i = start; moved < 2; ++i) {
            uint256 witness = i % 4;
            if (witness == leader) continue;
            vm.assertEq(ledger.finalizedObservation(slot), 0);
            _move(witness, tellings[witness], tellings[leader], 0);
            ++moved;
        }
        vm.assertEq(ledger.finalizedObservation(slot), _hash(tellings[leader]));
    }

    /// @notice All that a full registry can make of a slot: two candidates for each seat. Places and votes still fit.
    function test_move_asManyCandidatesAsThereCanBe() public {
        uint256 capacity = registry.CAPACITY();
        _updateSet(_witnesses(4, capacity - 4), _none(), uint8(capacity));
        for (uint64 i = 0; i < capacity; ++i) {
            _propose(i, _retold(first, i), i);
        }
        for (uint64 i = 0; i < capacity; ++i) {
            _move(i, _retold(first, i), _retold(first, uint64(capacity) + i), capacity + i);
        }
        vm.assertEq(ledger.candidateCount(slot), 2 * capacity);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        for (uint64 i = 0; i < capacity; ++i) {
            vm.assertEq(ledger.candidateAt(slot, capacity + i), _hash(_retold(first, uint64(capacity) + i)));
            _assertVotes(_retold(first, i), 0, 0);
            _assertVotes(_retold(first, uint64(capacity) + i), 1 << i, 1);
        }
        ObservationHeader memory last = _retold(first, uint64(2 * capacity) - 1);
        for (uint64 i = 0; i < capacity - 1; ++i) {
            vm.assertEq(ledger.finalizedObservation(slot), 0);
            _move(i, _retold(first, uint64(capacity) + i), last, 0);
        }
        vm.assertEq(ledger.finalizedObservation(slot), _hash(last));
        _assertVotes(last, (1 << capacity) - 1, capacity);
    }

    // ---- support

    /// @dev Three witnesses, a telling each.
    function _proposeThree() private {
        _propose(0, first, 0);
        _propose(1, second, 1);
        _propose(2, third, 2);
    }

    function _expectMoved(ObservationHeader memory to, uint256 witness, ObservationHeader memory from) private {
        _expectEmit(address(ledger));
        emit ILedger.VoteMoved(_slot(to), _hash(to), _witness(witness), _hash(from));
    }

    function _assertVotes(ObservationHeader memory candidate, uint256 bitmap, uint256 active) private view {
        _assertVotesIn(_slot(candidate), _hash(candidate), bitmap, active);
    }
}
