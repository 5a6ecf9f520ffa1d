// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../EveryChannelObservationLedger.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../interfaces/IEveryChannelWitnessRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract EveryChannelObservationLedgerTest is Fixture {
    ObservationHeader private header = _header(7, 0);
    ObservationHeader private rival = _header(7, 1);
    bytes32 private slot = _slot(header);
    bytes32 private hash = _hash(header);
    bytes32 private rivalHash = _hash(rival);

    // ---- construction and pure views

    function test_constructor_noContract_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.NoCode.selector, STRANGER));
        new EveryChannelObservationLedger(IRegistry(STRANGER));
    }

    function test_registry_isTheOneGiven() public view {
        vm.assertEq(address(ledger.registry()), address(registry));
    }

    function test_observationHash_oddTime_reverts() public {
        bytes memory call = abi.encodeCall(ILedger.observationHash, (header));
        // observedUnixMs is the sixth word; one with a bit above 64 is no header.
        call[4 + 5 * 32 + 23] = 0x01;
        (bool success, bytes memory data) = address(ledger).call(call);
        vm.assertFalse(success);
        vm.assertEq(data, "");
    }

    function testFuzz_observationHash_isOfTheEncodedHeader(ObservationHeader calldata any) public view {
        vm.assertEq(ledger.observationHash(any), keccak256(abi.encode(any)));
        vm.assertEq(abi.encode(any).length, 224);
    }

    function testFuzz_slotOf_isOfStreamAndEpoch(bytes32 streamHash, bytes32 epochHash) public view {
        vm.assertEq(ledger.slotOf(streamHash, epochHash), keccak256(abi.encode(streamHash, epochHash)));
    }

    function test_views_emptySlot() public view {
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        vm.assertEq(ledger.candidateCount(slot), 0);
        vm.assertFalse(ledger.hasVoted(slot, _witness(0)));
        _assertVotes(hash, 0, 0);
        _assertVotes(0, 0, 0);
    }

    function test_candidateAt_noSuchPlace_reverts() public {
        _propose(0, header, 0);
        vm.assertEq(ledger.candidateAt(slot, 0), hash);
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownPlace.selector, slot, 1));
        ledger.candidateAt(slot, 1);
    }

    // ---- propose

    function test_propose_isACandidateAndAVote() public {
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(slot, hash, header.streamHash, _witness(2), header);
        vm.prank(_witness(2));
        vm.assertEq(ledger.propose(header, 0), hash);

        vm.assertEq(ledger.candidateCount(slot), 1);
        vm.assertEq(ledger.candidateAt(slot, 0), hash);
        vm.assertTrue(ledger.hasVoted(slot, _witness(2)));
        vm.assertFalse(ledger.hasVoted(slot, _witness(1)));
        _assertVotes(hash, 4, 1);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
    }

    function test_propose_emitsNothingElse() public {
        vm.recordLogs();
        _propose(0, header, 0);
        vm.assertEq(vm.getRecordedLogs().length, 1);
    }

    function test_propose_secondCandidate() public {
        _propose(0, header, 0);
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(slot, rivalHash, rival.streamHash, _witness(1), rival);
        _propose(1, rival, 1);

        vm.assertEq(ledger.candidateCount(slot), 2);
        vm.assertEq(ledger.candidateAt(slot, 1), rivalHash);
        _assertVotes(hash, 1, 1);
        _assertVotes(rivalHash, 2, 1);
        vm.assertTrue(ledger.hasVoted(slot, _witness(0)));
        vm.assertTrue(ledger.hasVoted(slot, _witness(1)));
    }

    function test_propose_knownCandidate_attests() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(slot, hash, _witness(2));
        _propose(2, header, 99);
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(slot, rivalHash, _witness(3));
        _propose(3, rival, 0);
        vm.assertEq(ledger.candidateCount(slot), 2);
        _assertVotes(hash, 5, 2);
        _assertVotes(rivalHash, 10, 2);
    }

    function test_propose_quorumOfOne_finalizes() public {
        _updateSet(_none(), _witnesses(1, 3), 1);
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(slot, hash, header.streamHash, _witness(0), header);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, hash);
        _propose(0, header, 0);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
    }

    function test_propose_notWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.propose(header, 0);
    }

    function test_propose_finalized_reverts() public {
        _finalizeHeader();
        bytes memory refusal = abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash);
        vm.expectRevert(refusal);
        _propose(3, rival, 0);
        vm.expectRevert(refusal);
        _propose(3, header, 1);
        vm.expectRevert(refusal);
        _propose(0, header, 1);
    }

    function test_propose_again_reverts() public {
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(0)));
        _propose(0, header, 1);
    }

    function test_propose_another_reverts() public {
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), rivalHash));
        _propose(0, rival, 1);
    }

    function test_propose_stale_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 0));
        _propose(0, header, 1);
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 1));
        _propose(1, rival, 0);
        vm.assertFalse(ledger.hasVoted(slot, _witness(1)));
    }

    /// @notice Four witnesses that saw an empty slot propose four headers: one becomes a candidate, none is split off.
    function test_propose_concurrent_leavesOneCandidate() public {
        _propose(0, header, 0);
        for (uint256 i = 1; i < 4; ++i) {
            vm.expectRevert(abi.encodeWithSelector(ILedger.StaleProposal.selector, slot, 1));
            _propose(i, _header(7, i), 0);
        }
        vm.assertEq(ledger.candidateCount(slot), 1);
        _attest(1, header);
        _attest(2, header);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
    }

    /// @notice Witnesses that propose the same header at the same moment join one candidate.
    function test_propose_concurrentSame_joins() public {
        for (uint256 i = 0; i < 3; ++i) {
            _propose(i, header, 0);
        }
        vm.assertEq(ledger.candidateCount(slot), 1);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
    }

    // ---- attest

    function test_attest_votes() public {
        _propose(0, header, 0);
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(slot, hash, _witness(3));
        _attest(3, header);
        _assertVotes(hash, 9, 2);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
    }

    function test_attest_quorum_finalizes() public {
        _propose(0, header, 0);
        _attest(3, header);
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(slot, hash, _witness(1));
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, hash);
        _attest(1, header);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        _assertVotes(hash, 11, 3);
    }

    function test_attest_quorumOfRival_finalizes() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        _attest(2, rival);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, rivalHash);
        _attest(3, rival);
        vm.assertEq(ledger.finalizedObservation(slot), rivalHash);
        _assertVotes(hash, 1, 1);
        _assertVotes(rivalHash, 14, 3);
    }

    function test_attest_notWitness_reverts() public {
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.attest(slot, hash);
    }

    function test_attest_finalized_reverts() public {
        _finalizeHeader();
        bytes memory refusal = abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash);
        vm.expectRevert(refusal);
        _attest(3, header);
        vm.expectRevert(refusal);
        _attest(0, header);
        vm.expectRevert(refusal);
        _attest(3, rival);
    }

    function test_attest_rivalFinalized_reverts() public {
        _propose(0, rival, 0);
        _propose(1, header, 1);
        _attest(2, header);
        _attest(3, header);
        _updateSet(_witnesses(4, 1), _none(), 3);
        bytes memory refusal = abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash);
        vm.expectRevert(refusal);
        _attest(4, rival);
        vm.expectRevert(refusal);
        _attest(4, header);
    }

    function test_attest_again_reverts() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(0)));
        _attest(0, header);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(1)));
        _attest(1, rival);
    }

    function test_attest_another_reverts() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), rivalHash));
        _attest(0, rival);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(1), hash));
        _attest(1, header);
    }

    function test_attest_betweenRivals_reverts() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        ObservationHeader memory third = _header(7, 2);
        _propose(2, third, 2);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(1), _hash(third)));
        _attest(1, third);
    }

    /// @notice A voter's second vote is an equivocation before it is an unknown candidate.
    function test_attest_anotherUnknown_reverts() public {
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), rivalHash));
        _attest(0, rival);
    }

    function test_attest_unknown_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash));
        _attest(0, header);
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, bytes32(0)));
        vm.prank(_witness(0));
        ledger.attest(slot, 0);
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, rivalHash));
        _attest(1, rival);
    }

    function test_attest_candidateOfAnotherSlot_reverts() public {
        _propose(0, header, 0);
        bytes32 other = _slot(_header(8, 0));
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, other, hash));
        vm.prank(_witness(1));
        ledger.attest(other, hash);
    }

    /// @notice Being no witness comes before all else.
    function test_attest_removedVoter_reverts() public {
        _finalizeHeader();
        vm.prank(OWNER);
        registry.removeWitness(_witness(0));
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, _witness(0)));
        _attest(0, header);
    }

    // ---- the set changes while a slot is open

    function test_attest_newWitness_votes() public {
        _propose(0, header, 0);
        _updateSet(_witnesses(4, 1), _none(), 3);
        _attest(4, header);
        _assertVotes(hash, 17, 2);
    }

    function test_votes_removedVoter_staysButDoesNotCount() public {
        _propose(0, header, 0);
        _attest(1, header);
        _updateSet(_witnesses(4, 1), _witnesses(0, 1), 3);
        _assertVotes(hash, 3, 1);
        _attest(2, header);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        _attest(4, header);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        _assertVotes(hash, 23, 3);
    }

    /// @notice Removed and added again, a witness has its index back, and with it its vote.
    function test_attest_returned_reverts() public {
        _propose(0, header, 0);
        _propose(1, rival, 1);
        _updateSet(_none(), _witnesses(0, 1), 3);
        _updateSet(_witnesses(0, 1), _none(), 3);
        _assertVotes(hash, 1, 1);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, _witness(0)));
        _attest(0, header);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), rivalHash));
        _attest(0, rival);
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, _witness(0), _hash(_header(7, 2))));
        _propose(0, _header(7, 2), 2);
    }

    function test_finalize_lowerQuorum_byAnyone() public {
        _updateSet(_none(), _none(), 4);
        _propose(0, header, 0);
        _attest(1, header);
        _attest(2, header);
        _updateSet(_none(), _none(), 3);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, hash);
        vm.prank(STRANGER);
        ledger.finalize(slot, hash);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        _assertVotes(hash, 7, 3);
    }

    function test_finalize_returnedWitness_rival() public {
        _propose(0, rival, 0);
        _propose(1, header, 1);
        _attest(2, header);
        _updateSet(_none(), _witnesses(1, 1), 3);
        _attest(3, header);
        vm.assertEq(ledger.finalizedObservation(slot), 0);
        _updateSet(_witnesses(1, 1), _none(), 3);
        _expectEmit(address(ledger));
        emit ILedger.ObservationFinalized(slot, hash);
        ledger.finalize(slot, hash);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        _assertVotes(hash, 14, 3);
        _assertVotes(rivalHash, 1, 1);
    }

    function test_finalize_short_reverts() public {
        _propose(0, header, 0);
        _attest(1, header);
        _updateSet(_none(), _witnesses(0, 1), 3);
        vm.expectRevert(abi.encodeWithSelector(ILedger.QuorumNotReached.selector, slot, hash, 1, 3));
        ledger.finalize(slot, hash);
    }

    function test_finalize_emptySet_reverts() public {
        _propose(0, header, 0);
        _updateSet(_none(), _witnesses(0, 4), 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.QuorumNotReached.selector, slot, hash, 0, 0));
        ledger.finalize(slot, hash);
    }

    function test_finalize_unknown_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, hash));
        ledger.finalize(slot, hash);
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, bytes32(0)));
        ledger.finalize(slot, 0);
        _propose(0, header, 0);
        vm.expectRevert(abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slot, rivalHash));
        ledger.finalize(slot, rivalHash);
    }

    function test_finalize_finalized_reverts() public {
        _finalizeHeader();
        vm.expectRevert(abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash));
        ledger.finalize(slot, hash);
        vm.expectRevert(abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash));
        ledger.finalize(slot, rivalHash);
    }

    /// @notice Once final, no set that comes later takes it back.
    function test_finalizedObservation_survivesTheSet() public {
        _finalizeHeader();
        _updateSet(_witnesses(4, 3), _witnesses(0, 4), 3);
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        vm.expectRevert(abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash));
        _propose(4, rival, 1);
    }

    // ---- batches

    function test_proposeBatch_skipsEachForItsReason() public {
        _finalizeHeader();
        _propose(0, _header(8, 0), 0);
        _propose(3, _header(9, 0), 0);
        _propose(3, _header(10, 0), 0);

        ObservationHeader[] memory headers = new ObservationHeader[](6);
        uint256[] memory seen = new uint256[](6);
        headers[0] = header; // final
        headers[1] = _header(8, 1); // stale
        headers[2] = _header(9, 0); // voted for
        (headers[3], seen[3]) = (_header(10, 1), 1); // equivocating
        headers[4] = _header(8, 0); // attests
        headers[5] = _header(11, 0); // proposes

        _expectSkip(headers[0], 3, abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash));
        _expectSkip(headers[1], 3, abi.encodeWithSelector(ILedger.StaleProposal.selector, _slot(headers[1]), 1));
        _expectSkip(
            headers[2], 3, abi.encodeWithSelector(ILedger.AlreadyVoted.selector, _slot(headers[2]), _witness(3))
        );
        _expectSkip(
            headers[3],
            3,
            abi.encodeWithSelector(ILedger.Equivocation.selector, _slot(headers[3]), _witness(3), _hash(headers[3]))
        );
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(_slot(headers[4]), _hash(headers[4]), _witness(3));
        _expectEmit(address(ledger));
        emit ILedger.ObservationProposed(
            _slot(headers[5]), _hash(headers[5]), headers[5].streamHash, _witness(3), headers[5]
        );
        vm.recordLogs();
        vm.prank(_witness(3));
        ledger.proposeBatch(headers, seen);
        vm.assertEq(vm.getRecordedLogs().length, 6);

        vm.assertEq(ledger.candidateCount(_slot(headers[1])), 1);
        vm.assertEq(ledger.candidateCount(_slot(headers[3])), 1);
        vm.assertEq(ledger.candidateAt(_slot(headers[5]), 0), _hash(headers[5]));
    }

    function test_attestBatch_skipsEachForItsReason() public {
        _finalizeHeader();
        _propose(0, _header(8, 0), 0);
        _propose(3, _header(9, 0), 0);
        _propose(3, _header(10, 0), 0);
        _propose(0, _header(10, 1), 1);

        ObservationHeader[] memory headers = new ObservationHeader[](6);
        headers[0] = header; // final
        headers[1] = _header(8, 1); // unknown
        headers[2] = _header(9, 0); // voted for
        headers[3] = _header(10, 1); // equivocating
        headers[4] = _header(8, 0); // attests
        headers[5] = _header(8, 0); // attested by the item before
        (bytes32[] memory slots, bytes32[] memory hashes) = _named(headers);

        _expectSkip(headers[0], 3, abi.encodeWithSelector(ILedger.SlotFinalized.selector, slot, hash));
        _expectSkip(headers[1], 3, abi.encodeWithSelector(ILedger.UnknownCandidate.selector, slots[1], hashes[1]));
        _expectSkip(headers[2], 3, abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slots[2], _witness(3)));
        _expectSkip(
            headers[3], 3, abi.encodeWithSelector(ILedger.Equivocation.selector, slots[3], _witness(3), hashes[3])
        );
        _expectEmit(address(ledger));
        emit ILedger.ObservationAttested(slots[4], hashes[4], _witness(3));
        _expectSkip(headers[5], 3, abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slots[5], _witness(3)));
        vm.recordLogs();
        vm.prank(_witness(3));
        ledger.attestBatch(slots, hashes);
        vm.assertEq(vm.getRecordedLogs().length, 6);
        _assertVotesIn(slots[4], hashes[4], 9, 2);
    }

    function test_attestBatch_finalizesEach() public {
        ObservationHeader[] memory headers = new ObservationHeader[](20);
        for (uint64 i = 0; i < headers.length; ++i) {
            headers[i] = _header(i, 0);
        }
        (bytes32[] memory slots, bytes32[] memory hashes) = _named(headers);
        vm.prank(_witness(2));
        ledger.proposeBatch(headers, new uint256[](headers.length));
        for (uint256 witness = 0; witness < 2; ++witness) {
            vm.prank(_witness(witness));
            ledger.attestBatch(slots, hashes);
        }
        for (uint256 i = 0; i < headers.length; ++i) {
            vm.assertEq(ledger.finalizedObservation(slots[i]), hashes[i]);
        }
    }

    function test_proposeBatch_notWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.proposeBatch(new ObservationHeader[](0), new uint256[](1));
    }

    function test_proposeBatch_unequalLengths_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.LengthMismatch.selector, 0, 1));
        vm.prank(_witness(0));
        ledger.proposeBatch(new ObservationHeader[](0), new uint256[](1));
    }

    function test_attestBatch_notWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        ledger.attestBatch(new bytes32[](2), new bytes32[](1));
    }

    function test_attestBatch_unequalLengths_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.LengthMismatch.selector, 2, 1));
        vm.prank(_witness(0));
        ledger.attestBatch(new bytes32[](2), new bytes32[](1));
    }

    // ---- whatever the input

    /// @notice A batch of one does what the single call does; where that reverts, it logs the very same bytes.
    function testFuzz_attestBatch_likeAttest(uint256 history, uint256 witness, uint256 content) public {
        witness %= 4;
        _play(history);
        ObservationHeader memory voted = _header(7, content % 3);
        (bytes32[] memory slots, bytes32[] memory hashes) = (new bytes32[](1), new bytes32[](1));
        (slots[0], hashes[0]) = (slot, _hash(voted));

        uint256 before = vm.snapshotState();
        vm.prank(_witness(witness));
        (bool success, bytes memory refusal) =
            address(ledger).call(abi.encodeCall(ILedger.attest, (slots[0], hashes[0])));
        bytes32 after_ = _digestOf(slot);
        vm.revertToState(before);

        if (!success) _expectSkip(voted, witness, refusal);
        vm.prank(_witness(witness));
        ledger.attestBatch(slots, hashes);
        vm.assertEq(_digestOf(slot), after_);
    }

    /// @notice The same of a proposal.
    function testFuzz_proposeBatch_likePropose(uint256 history, uint256 witness, uint256 content, uint256 seen) public {
        witness %= 4;
        _play(history);
        ObservationHeader[] memory headers = new ObservationHeader[](1);
        uint256[] memory candidatesSeen = new uint256[](1);
        (headers[0], candidatesSeen[0]) = (_header(7, content % 4), seen % 4);

        uint256 before = vm.snapshotState();
        vm.prank(_witness(witness));
        (bool success, bytes memory refusal) =
            address(ledger).call(abi.encodeCall(ILedger.propose, (headers[0], candidatesSeen[0])));
        bytes32 after_ = _digestOf(slot);
        vm.revertToState(before);

        if (!success) _expectSkip(headers[0], witness, refusal);
        vm.prank(_witness(witness));
        ledger.proposeBatch(headers, candidatesSeen);
        vm.assertEq(_digestOf(slot), after_);
    }

    /// @notice Any three of four witnesses finalize, whatever the order, and not before the third.
    function testFuzz_attest_anyQuorumFinalizes(uint256 seed, uint64 sequence, uint256 content) public {
        sequence %= 1 << 40;
        ObservationHeader memory any = _header(sequence, content);
        uint256 first = seed % 4;
        uint256 second = (first + 1 + (seed >> 8) % 3) % 4;
        uint256 third = (seed >> 16) % 4;
        while (third == first || third == second) third = (third + 1) % 4;
        _propose(first, any, 0);
        _attest(second, any);
        vm.assertEq(ledger.finalizedObservation(_slot(any)), 0);
        _attest(third, any);
        vm.assertEq(ledger.finalizedObservation(_slot(any)), _hash(any));
    }

    /// @notice Every witness a full registry holds may be the one that proposes a rival: place and votes still fit.
    function test_propose_asManyCandidatesAsSeats() public {
        uint256 capacity = registry.CAPACITY();
        _updateSet(_witnesses(4, capacity - 4), _none(), uint8(capacity));
        for (uint256 i = 0; i < capacity; ++i) {
            _propose(i, _header(7, i), i);
        }
        vm.assertEq(ledger.candidateCount(slot), capacity);
        for (uint256 i = 0; i < capacity; ++i) {
            vm.assertEq(ledger.candidateAt(slot, i), _hash(_header(7, i)));
            _assertVotes(_hash(_header(7, i)), 1 << i, 1);
        }
        // The last one left wins.
        _updateSet(_none(), _witnesses(0, capacity - 1), 1);
        ledger.finalize(slot, _hash(_header(7, capacity - 1)));
        vm.assertEq(ledger.finalizedObservation(slot), _hash(_header(7, capacity - 1)));
    }

    function test_attest_asManyVotesAsSeats() public {
        uint256 capacity = registry.CAPACITY();
        _updateSet(_witnesses(4, capacity - 4), _none(), uint8(capacity));
        _propose(capacity - 1, header, 0);
        for (uint256 i = 0; i < capacity - 1; ++i) {
            vm.assertEq(ledger.finalizedObservation(slot), 0);
            _attest(i, header);
        }
        vm.assertEq(ledger.finalizedObservation(slot), hash);
        _assertVotes(hash, (1 << capacity) - 1, capacity);
    }

    // ---- support

    /// @dev Finalizes `header` by the votes of witnesses 0, 1 and 2.
    function _finalizeHeader() private {
        _propose(0, header, 0);
        _attest(1, header);
        _attest(2, header);
    }

    /// @dev Up to three votes in the slot, whichever the bits of `history` say; those refused don't matter.
    function _play(uint256 history) private {
        for (uint256 i = 0; i < 3; ++i) {
            uint256 bits = history >> (8 * i);
            vm.prank(_witness(bits & 3));
            (bool ignored,) = address(ledger)
                .call(abi.encodeCall(ILedger.propose, (_header(7, (bits >> 2) % 3), ledger.candidateCount(slot))));
            ignored;
        }
    }

    function _named(ObservationHeader[] memory headers)
        private
        pure
        returns (bytes32[] memory slots, bytes32[] memory hashes)
    {
        slots = new bytes32[](headers.length);
        hashes = new bytes32[](headers.length);
        for (uint256 i = 0; i < headers.length; ++i) {
            (slots[i], hashes[i]) = (_slot(headers[i]), _hash(headers[i]));
        }
    }

    function _assertVotes(bytes32 candidate, uint256 bitmap, uint256 active) private view {
        _assertVotesIn(slot, candidate, bitmap, active);
    }
}
