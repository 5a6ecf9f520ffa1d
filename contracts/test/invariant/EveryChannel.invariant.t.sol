// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../../EveryChannelObservationLedger.sol";
import {EveryChannelWitnessRegistry} from "../../EveryChannelWitnessRegistry.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../../interfaces/IEveryChannelWitnessRegistry.sol";
import {vm} from "../Vm.sol";
import {WitnessHandler} from "./WitnessHandler.sol";

/// @notice What holds after any sequence of votes and changes of the set. Each safety property stands beside the proof
/// that votes still get somewhere.
contract EveryChannelInvariantTest {
    WitnessHandler private handler;
    EveryChannelWitnessRegistry private registry;
    EveryChannelObservationLedger private ledger;

    function setUp() public {
        handler = new WitnessHandler();
        registry = handler.registry();
        ledger = handler.ledger();
    }

    function targetContracts() public view returns (address[] memory targets) {
        targets = new address[](1);
        targets[0] = address(handler);
    }

    /// @notice A seat's vote counts for at most one candidate of a slot, whatever it did and became since: the one it was
    /// cast for, or moved to, last.
    function invariant_oneVotePerSeatPerSlot() public view {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            uint256 seen = 0;
            for (uint256 j = 0; j < ledger.candidateCount(slot); ++j) {
                bytes32 hash = ledger.candidateAt(slot, j);
                (uint256 bitmap,) = ledger.votes(slot, hash);
                vm.assertEq(seen & bitmap, 0, "in two candidates");
                seen |= bitmap;
                for (uint256 index = 0; bitmap >> index != 0; ++index) {
                    if (bitmap >> index & 1 == 0) continue;
                    vm.assertEq(handler.voteOf(slot, index), hash, "another vote");
                }
            }
        }
    }

    /// @notice Moves never change content: a seat's vote is for what its first one in the slot was for.
    function invariant_movesKeepContent() public view {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            for (uint256 j = 0; j < ledger.candidateCount(slot); ++j) {
                bytes32 hash = ledger.candidateAt(slot, j);
                bytes32 content = handler.contentOf(handler.headerWith(hash));
                (uint256 bitmap,) = ledger.votes(slot, hash);
                for (uint256 index = 0; bitmap >> index != 0; ++index) {
                    if (bitmap >> index & 1 == 0) continue;
                    vm.assertEq(handler.firstContentOf(slot, index), content, "other content");
                }
            }
        }
    }

    /// @notice A finalized slot never changes, and what is final is one of its candidates.
    function invariant_finalNeverChanges() public view {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            vm.assertEq(ledger.finalizedObservation(slot), handler.finalOf(slot), "final");
        }
    }

    /// @notice At the moment a candidate became final, its votes from the witnesses active then reached the quorum.
    function invariant_finalHadItsQuorum() public view {
        vm.assertEq(handler.finalizedShort(), 0, "finalized short");
    }

    /// @notice Candidates and the votes for them are exactly those accepted: as many votes as distinct voters.
    function invariant_votesAreDistinctVoters() public view {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            bytes32[] memory candidates = handler.candidates(slot);
            vm.assertEq(ledger.candidateCount(slot), candidates.length, "candidates");
            for (uint256 j = 0; j < candidates.length; ++j) {
                vm.assertEq(ledger.candidateAt(slot, j), candidates[j], "place");
                (uint256 bitmap, uint256 active) = ledger.votes(slot, candidates[j]);
                vm.assertEq(_bits(bitmap), handler.voters(slot, candidates[j]), "voters");
                vm.assertEq(active, handler.activeVotes(slot, candidates[j]), "active voters");
            }
            for (uint256 j = 0; j < handler.ADDRESSES(); ++j) {
                address account = handler.addressAt(j);
                vm.assertTrue(ledger.hasVoted(slot, account) == (handler.voteBy(slot, account) != 0), "hasVoted");
            }
        }
    }

    /// @notice The quorum is a strict majority of the active witnesses and no more than all of them, or both are 0; and
    /// the holder of every seat knows the set as it is.
    function invariant_quorumIsStrictMajority() public view {
        uint256 quorum = registry.quorum();
        uint256 count = registry.witnessCount();
        vm.assertTrue(count == 0 ? quorum == 0 : 2 * quorum > count && quorum <= count, "majority");

        (uint256 bitmap,) = registry.activeSet();
        vm.assertEq(_bits(bitmap), count, "bitmap");
        for (uint256 index = 0; index < handler.seatCount(); ++index) {
            vm.assertTrue((bitmap >> index & 1 == 1) == handler.isActive(index), "active");
            (uint120 seat, uint120 seatBitmap, uint8 seatQuorum) = registry.seatOf(handler.holderOf(index));
            vm.assertEq(seat, 1 << index, "seat");
            vm.assertEq(seatBitmap, bitmap, "seat's bitmap");
            vm.assertEq(seatQuorum, quorum, "seat's quorum");
        }
    }

    /// @notice An address belongs to one seat for ever, a seat to one address at a time; one that handed its seat on may not
    /// vote; and rotations use up no index.
    function invariant_addressHasOneSeat() public {
        uint256 seats = handler.seatCount();
        for (uint256 index = 0; index < seats; ++index) {
            vm.assertEq(registry.witnessAt(index), handler.holderOf(index));
            vm.assertEq(registry.pendingWitnessAt(index), handler.offerOf(index));
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownIndex.selector, seats));
        registry.witnessAt(seats);

        for (uint256 i = 0; i < handler.ADDRESSES(); ++i) {
            address account = handler.addressAt(i);
            (uint120 seat, uint120 bitmap, uint8 quorum) = registry.seatOf(account);
            vm.assertTrue((seat & bitmap != 0) == handler.mayVote(account), "may vote");
            vm.assertTrue(registry.isWitness(account) == handler.mayVote(account), "witness");
            uint256 number = handler.numberOf(account);
            if (number == 0) {
                vm.assertEq(seat, 0, "a seat");
                continue;
            }
            vm.assertEq(registry.indexOf(account), number - 1, "index");
            vm.assertEq(seat, 1 << (number - 1), "another seat");
            if (handler.holderOf(number - 1) != account) vm.assertEq(uint256(bitmap) + quorum, 0, "a set");
        }
    }

    /// @notice Liveness: wherever a run has led, an active witness can hand its seat on; then the new address votes, also by
    /// moving what the seat voted for, and the old one does not.
    function invariant_seatsCanBeHandedOn() public {
        uint256 seats = handler.seatCount();
        uint256 index = handler.calls() % seats;
        if (!handler.isActive(index)) return;
        (address from, address to) = (registry.witnessAt(index), address(0x2000));
        vm.prank(from);
        registry.rotate(to);
        vm.prank(to);
        registry.acceptRotation(index);

        ObservationHeader memory header;
        header.streamHash = keccak256("fresh");
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, from));
        vm.prank(from);
        ledger.propose(header, 0);
        vm.prank(to);
        ledger.propose(header, 0);

        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            bytes32 voted = handler.voteOf(slot, index);
            if (handler.finalOf(slot) != 0 || voted == 0) continue;
            vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, to));
            vm.prank(to);
            ledger.attest(slot, voted);
            bytes32 other = _otherOfItsContent(slot, voted);
            if (other == 0) continue;
            _move(to, voted, other);
            (uint256 bitmap,) = ledger.votes(slot, other);
            vm.assertTrue(bitmap >> index & 1 == 1, "not moved");
        }
    }

    /// @notice Liveness: wherever a run has led, a quorum of active witnesses that vote alike finalizes a fresh slot with
    /// the last vote of the quorum and none before, whatever the order they come in.
    function invariant_honestQuorumFinalizes() public {
        uint256 quorum = registry.quorum();
        if (quorum == 0) return;
        ObservationHeader memory header;
        header.streamHash = keccak256("fresh");
        bytes32 slot = handler.slotOf(header);
        bytes32 hash = handler.hashOf(header);
        uint256 order = handler.calls();
        uint256 voted = 0;
        for (uint256 i = 0; voted < quorum; ++i) {
            address account = handler.addressAt(order + (2 * (order / 16) + 1) * i);
            if (!handler.mayVote(account)) continue;
            vm.assertEq(ledger.finalizedObservation(slot), 0, "too early");
            vm.prank(account);
            if (voted++ % 2 == 0) ledger.propose(header, 0);
            else ledger.attest(slot, hash);
        }
        vm.assertEq(ledger.finalizedObservation(slot), hash, "not final");
    }

    /// @notice Liveness: no history blocks a slot that an honest quorum can still decide, however its votes are split. If
    /// those whose votes are for one content and those who have not voted make a quorum, they finalize any candidate of it.
    function invariant_undecidedSlotCanBeDecided() public {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            uint256 candidates = ledger.candidateCount(slot);
            if (handler.finalOf(slot) != 0 || candidates == 0) continue;
            _checkCanBeDecided(slot, ledger.candidateAt(slot, handler.calls() % candidates));
        }
    }

    function _checkCanBeDecided(bytes32 slot, bytes32 hash) private {
        ObservationHeader memory header = handler.headerWith(hash);
        uint256 votes = 0;
        for (uint256 index = 0; index < handler.seatCount(); ++index) {
            if (!handler.isActive(index)) continue;
            bytes32 voted = handler.voteOf(slot, index);
            bool alike = voted != 0 && handler.contentOf(handler.headerWith(voted)) == handler.contentOf(header);
            if (voted != 0 && !alike) continue;
            ++votes;
            if (voted == hash || ledger.finalizedObservation(slot) == hash) continue;
            address witness = handler.holderOf(index);
            if (alike) {
                _move(witness, voted, hash);
            } else {
                vm.prank(witness);
                ledger.attest(slot, hash);
            }
        }
        uint256 quorum = registry.quorum();
        if (quorum == 0 || votes < quorum) return;
        // A change of the set may have made the quorum without a vote.
        if (ledger.finalizedObservation(slot) == 0) ledger.finalize(slot, hash);
        vm.assertEq(ledger.finalizedObservation(slot), hash, "not final");
    }

    /// @notice The handler meets what the properties are about: every refusal, every event, votes that move, final slots.
    function test_handler_meetsEverything() public {
        for (uint256 i = 0; i < 3000; ++i) {
            uint256 a = uint256(keccak256(abi.encode("a", i)));
            uint256 b = uint256(keccak256(abi.encode("b", i)));
            uint256 c = uint256(keccak256(abi.encode("c", i)));
            uint256 d = uint256(keccak256(abi.encode("d", i)));
            if (i % 64 == 63) handler.updateSet(uint16(a), uint16(b), uint8(c), uint8(c >> 8));
            else if (i % 32 == 30) handler.rotate(a, b);
            else if (i % 32 == 31) handler.acceptRotation(a, b);
            else if (i % 5 == 0) handler.propose(a, b, c);
            else if (i % 5 == 1) handler.attest(a, b);
            else if (i % 5 == 2) handler.move(a, b, c, d);
            else if (i % 5 == 3) handler.finalize(a, b);
            else if (i % 3 == 0) handler.proposeBatch(a, [b, c, b >> 64, c >> 64], [a, b, c, a >> 64]);
            else if (i % 3 == 1) handler.attestBatch(a, [b, c, b >> 64, c >> 64]);
            else handler.moveBatch(a, [b, c, d, b >> 64], [a, b, c, a >> 64]);
        }
        bytes4[16] memory refusals = [
            bytes4(0),
            ILedger.NotWitness.selector,
            ILedger.SlotFinalized.selector,
            ILedger.NoSuchVote.selector,
            ILedger.OtherContent.selector,
            ILedger.AlreadyVoted.selector,
            ILedger.Equivocation.selector,
            ILedger.StaleProposal.selector,
            ILedger.AlreadyProposed.selector,
            ILedger.UnknownCandidate.selector,
            ILedger.QuorumNotReached.selector,
            IRegistry.NotWitness.selector,
            IRegistry.AlreadyWitness.selector,
            IRegistry.AddressUsed.selector,
            IRegistry.NotOffered.selector,
            IRegistry.InvalidQuorum.selector
        ];
        for (uint256 i = 0; i < refusals.length; ++i) {
            vm.assertGe(handler.refusals(refusals[i]), 1, "never met");
        }
        vm.assertGe(handler.events(ILedger.VoteMoved.selector), 20, "moves");
        vm.assertGe(handler.events(IRegistry.WitnessRotated.selector), 3, "rotations");
        vm.assertGe(handler.events(ILedger.ObservationFinalized.selector), handler.SLOTS() / 2, "final slots");
    }

    function _move(address witness, bytes32 from, bytes32 to) private {
        (ObservationHeader memory left, ObservationHeader memory header) =
            (handler.headerWith(from), handler.headerWith(to));
        vm.prank(witness);
        ledger.move(left, header, 0);
    }

    /// @dev Another candidate of the same content, 0 if there is none.
    function _otherOfItsContent(bytes32 slot, bytes32 hash) private view returns (bytes32) {
        bytes32 content = handler.contentOf(handler.headerWith(hash));
        for (uint256 i = 0; i < ledger.candidateCount(slot); ++i) {
            bytes32 other = ledger.candidateAt(slot, i);
            if (other != hash && handler.contentOf(handler.headerWith(other)) == content) return other;
        }
        return 0;
    }

    function _bits(uint256 bitmap) private pure returns (uint256 count) {
        for (; bitmap != 0; bitmap &= bitmap - 1) {
            ++count;
        }
    }
}
