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

    /// @notice A witness has at most one vote in a slot, the first one that was accepted, whatever became of it since.
    function invariant_oneVotePerWitnessPerSlot() public view {
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
                    vm.assertEq(handler.voteOf(slot, registry.witnessAt(index)), hash, "another vote");
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
            for (uint256 j = 0; j < handler.PEOPLE(); ++j) {
                address person = handler.person(j);
                vm.assertTrue(ledger.hasVoted(slot, person) == (handler.voteOf(slot, person) != 0), "hasVoted");
            }
        }
    }

    /// @notice The quorum is a strict majority of the active witnesses and no more than all of them, or both are 0; and
    /// every seat knows the set as it is.
    function invariant_quorumIsStrictMajority() public view {
        uint256 quorum = registry.quorum();
        uint256 count = registry.witnessCount();
        vm.assertTrue(count == 0 ? quorum == 0 : 2 * quorum > count && quorum <= count, "majority");

        (uint256 bitmap,) = registry.activeSet();
        vm.assertEq(_bits(bitmap), count, "bitmap");
        for (uint256 i = 0; i < handler.PEOPLE(); ++i) {
            address person = handler.person(i);
            (uint120 seat, uint120 seatBitmap, uint8 seatQuorum) = registry.seatOf(person);
            vm.assertTrue(registry.isWitness(person) == handler.isActive(person), "active");
            vm.assertTrue((seat & bitmap != 0) == handler.isActive(person), "seat");
            if (seat == 0) continue;
            vm.assertEq(seat, 1 << registry.indexOf(person), "index");
            vm.assertEq(seatBitmap, bitmap, "seat's bitmap");
            vm.assertEq(seatQuorum, quorum, "seat's quorum");
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
            address person = handler.person(order + (2 * (order / 8) + 1) * i);
            if (!handler.isActive(person)) continue;
            vm.assertEq(ledger.finalizedObservation(slot), 0, "too early");
            vm.prank(person);
            if (voted++ % 2 == 0) ledger.propose(header, 0);
            else ledger.attest(slot, hash);
        }
        vm.assertEq(ledger.finalizedObservation(slot), hash, "not final");
    }

    /// @notice Liveness: no history blocks a slot that an honest quorum can still decide. If those who voted for its first
    /// candidate and those who have not voted at all make a quorum, their votes finalize it.
    function invariant_undecidedSlotCanBeDecided() public {
        for (uint256 i = 0; i < handler.SLOTS(); ++i) {
            bytes32 slot = handler.slotAt(i);
            if (handler.finalOf(slot) != 0 || ledger.candidateCount(slot) == 0) continue;
            bytes32 hash = ledger.candidateAt(slot, 0);
            uint256 votes = handler.activeVotes(slot, hash);
            for (uint256 j = 0; j < handler.PEOPLE(); ++j) {
                address person = handler.person(j);
                if (!handler.isActive(person) || handler.voteOf(slot, person) != 0) continue;
                if (ledger.finalizedObservation(slot) == hash) break;
                vm.prank(person);
                ledger.attest(slot, hash);
                ++votes;
            }
            uint256 quorum = registry.quorum();
            if (quorum == 0 || votes < quorum) continue;
            // A change of the set may have made the quorum without a vote.
            if (ledger.finalizedObservation(slot) == 0) ledger.finalize(slot, hash);
            vm.assertEq(ledger.finalizedObservation(slot), hash, "not final");
        }
    }

    /// @notice The handler meets what the properties are about: every refusal, votes, and final slots.
    function test_handler_meetsEverything() public {
        for (uint256 i = 0; i < 2000; ++i) {
            uint256 a = uint256(keccak256(abi.encode("a", i)));
            uint256 b = uint256(keccak256(abi.encode("b", i)));
            uint256 c = uint256(keccak256(abi.encode("c", i)));
            if (i % 64 == 63) handler.updateSet(uint8(a), uint8(b), uint8(c), uint8(c >> 8));
            else if (i % 4 == 0) handler.propose(a, b, c);
            else if (i % 4 == 1) handler.attest(a, b);
            else if (i % 4 == 2) handler.finalize(a, b);
            else if (i % 8 == 3) handler.proposeBatch(a, [b, c, b >> 64, c >> 64], [a, b, c, a >> 64]);
            else handler.attestBatch(a, [b, c, b >> 64, c >> 64]);
        }
        bytes4[11] memory met = [
            bytes4(0),
            ILedger.NotWitness.selector,
            ILedger.SlotFinalized.selector,
            ILedger.AlreadyVoted.selector,
            ILedger.Equivocation.selector,
            ILedger.StaleProposal.selector,
            ILedger.UnknownCandidate.selector,
            ILedger.QuorumNotReached.selector,
            IRegistry.NotWitness.selector,
            IRegistry.AlreadyWitness.selector,
            IRegistry.InvalidQuorum.selector
        ];
        for (uint256 i = 0; i < met.length; ++i) {
            vm.assertGe(handler.refusals(met[i]), 1, "never met");
        }
        vm.assertGe(handler.finalized(), handler.SLOTS() / 2, "final slots");
    }

    function _bits(uint256 bitmap) private pure returns (uint256 count) {
        for (; bitmap != 0; bitmap &= bitmap - 1) {
            ++count;
        }
    }
}
