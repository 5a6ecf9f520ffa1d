// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Moves in batches: each item after the ones before it, and none that spoils another.
contract EveryChannelObservationLedgerMoveBatchTest is Fixture {
    ObservationHeader[] private from;
    ObservationHeader[] private to;
    uint256[] private seen;

    function test_moveBatch_skipsEachForItsReason() public {
        ObservationHeader memory done = _header(1, 0);
        _propose(3, _retold(done, 1), 0);
        _propose(0, done, 1);
        _attest(1, done);
        _attest(2, done);
        for (uint64 sequence = 2; sequence < 9; ++sequence) {
            if (sequence != 3) _propose(3, _header(sequence, 0), 0);
        }
        _propose(0, _header(7, 1), 1);
        _propose(0, _retold(_header(8, 0), 1), 1);

        _item(_retold(done, 1), done, 2); // final
        _item(_header(2, 0), _retold(_header(2, 0), 1), 2); // stale
        _item(_header(3, 0), _retold(_header(3, 0), 1), 0); // no vote there
        _item(_header(4, 0), _header(4, 0), 1); // where it is already
        _item(_header(5, 0), _header(6, 0), 1); // of another slot
        _item(_header(7, 0), _header(7, 1), 2); // of other content
        _item(_header(8, 0), _retold(_header(8, 0), 1), 0); // moves
        _item(_header(6, 0), _retold(_header(6, 0), 1), 1); // moves to a new one

        _expectSkipped(0, 3, abi.encodeWithSelector(ILedger.SlotFinalized.selector, _slot(done), _hash(done)));
        _expectSkipped(1, 3, abi.encodeWithSelector(ILedger.StaleProposal.selector, _slot(to[1]), 1));
        _expectSkipped(
            2, 3, abi.encodeWithSelector(ILedger.NoSuchVote.selector, _slot(to[2]), _witness(3), _hash(from[2]))
        );
        _expectSkipped(3, 3, abi.encodeWithSelector(ILedger.AlreadyVoted.selector, _slot(to[3]), _witness(3)));
        _expectSkipped(4, 3, _otherContent(4));
        _expectSkipped(5, 3, _otherContent(5));
        _expectMoved(6, 3);
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(_slot(to[7]), _hash(to[7]), to[7].streamHash, _witness(3), to[7]);
        _expectMoved(7, 3);
        vm.recordLogs();
        _moveBatch(3);
        vm.assertEq(vm.getRecordedLogs().length, 9);
        _assertVotes(to[6], 9, 2);
        _assertVotes(to[7], 8, 1);
        _assertVotes(from[5], 8, 1);
        vm.assertEq(ledger.candidateCount(_slot(to[4])), 2);
    }

    /// @notice Items of one slot follow each other: there, and on, and back, and a move from where the vote no longer is.
    function test_moveBatch_inOrder() public {
        ObservationHeader memory first = _header(1, 0);
        ObservationHeader memory second = _retold(first, 1);
        ObservationHeader memory third = _retold(first, 2);
        _propose(0, first, 0);
        _propose(1, second, 1);
        _item(first, second, 0);
        _item(first, third, 2);
        _item(second, third, 2);
        _item(third, _retold(first, 3), 3);
        _item(third, first, 0);
        _expectMoved(0, 0);
        _expectSkipped(
            1, 0, abi.encodeWithSelector(ILedger.NoSuchVote.selector, _slot(first), _witness(0), _hash(first))
        );
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(_slot(third), _hash(third), third.streamHash, _witness(0), third);
        _expectMoved(2, 0);
        _expectSkipped(3, 0, abi.encodeWithSelector(ILedger.AlreadyProposed.selector, _slot(first), _witness(0)));
        _expectMoved(4, 0);
        _moveBatch(0);
        _assertVotes(first, 1, 1);
        _assertVotes(second, 2, 1);
        _assertVotes(third, 0, 0);
    }

    function test_moveBatch_afterFinality_skips() public {
        ObservationHeader memory first = _header(1, 0);
        ObservationHeader memory second = _retold(first, 1);
        _propose(0, first, 0);
        _propose(1, second, 1);
        _attest(2, second);
        _item(first, second, 0);
        _item(second, first, 0);
        _expectMoved(0, 0);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(_slot(second), _hash(second));
        _expectSkipped(1, 0, abi.encodeWithSelector(ILedger.SlotFinalized.selector, _slot(first), _hash(second)));
        _moveBatch(0);
        vm.assertEq(ledger.finalizedObservation(_slot(first)), _hash(second));
    }

    function test_moveBatch_finalizesEach() public {
        for (uint64 sequence = 0; sequence < 20; ++sequence) {
            ObservationHeader memory header = _header(sequence, 0);
            for (uint64 i = 0; i < 3; ++i) {
                _propose(i, _retold(header, i), i);
            }
            _move(1, _retold(header, 1), _retold(header, 2), 0);
            _item(header, _retold(header, 2), 0);
        }
        _moveBatch(0);
        for (uint256 i = 0; i < to.length; ++i) {
            vm.assertEq(ledger.finalizedObservation(_slot(to[i])), _hash(to[i]));
        }
    }

    function test_moveBatch_empty() public {
        vm.recordLogs();
        _moveBatch(0);
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    function test_moveBatch_notWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.moveBatch(from, new ObservationHeader[](1), seen);
    }

    function test_moveBatch_unequalLengths_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.LengthMismatch.selector, 0, 1));
        vm.prank(_witness(0));
        ledger.moveBatch(from, new ObservationHeader[](1), new uint256[](2));
        vm.expectRevert(abi.encodeWithSelector(ILedger.LengthMismatch.selector, 1, 2));
        vm.prank(_witness(0));
        ledger.moveBatch(new ObservationHeader[](1), new ObservationHeader[](1), new uint256[](2));
    }

    /// @notice A batch of one does what the single call does; where that reverts, it logs the very same bytes.
    function testFuzz_moveBatch_likeMove(uint256 history, uint256 witness, uint256 what, uint256 candidatesSeen)
        public
    {
        witness %= 4;
        _play(history);
        _item(_any(what), _any(what >> 8), candidatesSeen % 4);
        bytes32 slot = _slot(_header(7, 0));

        uint256 before = vm.snapshotState();
        vm.prank(_witness(witness));
        (bool success, bytes memory refusal) =
            address(ledger).call(abi.encodeCall(ILedger.move, (from[0], to[0], seen[0])));
        bytes32 after_ = _digestOf(slot);
        vm.revertToState(before);

        if (!success) _expectSkipped(0, witness, refusal);
        _moveBatch(witness);
        vm.assertEq(_digestOf(slot), after_);
    }

    /// @dev Up to four votes and moves in one slot, whichever the bits of `history` say; those refused don't matter.
    function _play(uint256 history) private {
        for (uint256 i = 0; i < 4; ++i) {
            uint256 bits = history >> (16 * i);
            uint256 count = ledger.candidateCount(_slot(_header(7, 0)));
            bytes memory data = bits & 4 == 0
                ? abi.encodeCall(ILedger.propose, (_any(bits >> 3), count))
                : abi.encodeCall(ILedger.move, (_any(bits >> 3), _any(bits >> 6), count));
            vm.prank(_witness(bits & 3));
            (bool ignored,) = address(ledger).call(data);
            ignored;
        }
    }

    /// @dev One of five headers of a slot: four tellings of one content, and another content.
    function _any(uint256 seed) private pure returns (ObservationHeader memory) {
        seed %= 5;
        return seed == 4 ? _header(7, 1) : _retold(_header(7, 0), uint64(seed));
    }

    function _item(ObservationHeader memory from_, ObservationHeader memory to_, uint256 candidatesSeen) private {
        from.push(from_);
        to.push(to_);
        seen.push(candidatesSeen);
    }

    function _moveBatch(uint256 witness) private {
        vm.prank(_witness(witness));
        ledger.moveBatch(from, to, seen);
    }

    /// @dev The slot is that of the vote, the hash that of the header to have it.
    function _expectSkipped(uint256 item, uint256 witness, bytes memory reason) private {
        _expectEmit(address(ledger));
        emit ILedger.VoteSkipped(_slot(from[item]), _hash(to[item]), _witness(witness), reason);
    }

    function _expectMoved(uint256 item, uint256 witness) private {
        _expectEmit(address(ledger));
        emit ILedger.VoteMoved(_slot(to[item]), _hash(to[item]), _witness(witness), _hash(from[item]));
    }

    function _otherContent(uint256 item) private view returns (bytes memory) {
        return
            abi.encodeWithSelector(ILedger.OtherContent.selector, _slot(from[item]), _hash(from[item]), _hash(to[item]));
    }

    function _assertVotes(ObservationHeader memory candidate, uint256 bitmap, uint256 active) private view {
        _assertVotesIn(_slot(candidate), _hash(candidate), bitmap, active);
    }
}
