// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../interfaces/IEveryChannelWitnessRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice Seats that pass from one address to another.
contract EveryChannelWitnessRegistryRotateTest is Fixture {
    address private constant NEW = address(0x2000);
    address private constant NEXT = address(0x2001);

    // ---- the offer

    function test_rotate_offers() public {
        _expectEmit(address(registry));
        emit IRegistry.RotationStarted(1, _witness(1), NEW);
        vm.recordLogs();
        _offer(1, NEW);
        vm.assertEq(vm.getRecordedLogs().length, 1);
        vm.assertEq(registry.pendingWitnessAt(1), NEW);
        vm.assertEq(registry.pendingWitnessAt(0), address(0));
        vm.assertEq(registry.witnessAt(1), _witness(1));
        _assertSeat(_witness(1), 2, 15, 3);
        _assertSeat(NEW, 0, 0, 0);
    }

    function test_rotate_again_replacesTheOffer() public {
        _offer(1, NEW);
        _offer(1, NEXT);
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
        _accept(1, NEXT);
        vm.assertEq(registry.witnessAt(1), NEXT);
    }

    function test_rotate_toNobody_takesBackTheOffer() public {
        _offer(1, NEW);
        _expectEmit(address(registry));
        emit IRegistry.RotationStarted(1, _witness(1), address(0));
        _offer(1, address(0));
        vm.assertEq(registry.pendingWitnessAt(1), address(0));
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
    }

    function test_rotate_notWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, STRANGER));
        vm.prank(STRANGER);
        registry.rotate(NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, OWNER));
        vm.prank(OWNER);
        registry.rotate(NEW);
    }

    function test_rotate_removed_reverts() public {
        _updateSet(_none(), _witnesses(1, 1), 3);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, _witness(1)));
        _offer(1, NEW);
    }

    function test_rotate_handedOn_reverts() public {
        _rotate(1, NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, _witness(1)));
        _offer(1, NEXT);
    }

    function test_rotate_toAnotherSeat_reverts() public {
        _updateSet(_witnesses(4, 1), _none(), 3);
        _updateSet(_none(), _witnesses(4, 1), 3);
        for (uint256 i = 0; i < 5; ++i) {
            vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, _witness(i)));
            _offer(1, _witness(i));
        }
    }

    function test_rotate_back_reverts() public {
        _rotate(1, NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, _witness(1)));
        vm.prank(NEW);
        registry.rotate(_witness(1));
    }

    // ---- its acceptance

    function test_acceptRotation_passesTheSeatOn() public {
        _offer(1, NEW);
        _expectEmit(address(registry));
        emit IRegistry.WitnessRotated(1, _witness(1), NEW);
        vm.recordLogs();
        _accept(1, NEW);
        vm.assertEq(vm.getRecordedLogs().length, 1);

        vm.assertEq(registry.witnessAt(1), NEW);
        vm.assertEq(registry.pendingWitnessAt(1), address(0));
        vm.assertEq(registry.indexOf(NEW), 1);
        vm.assertEq(registry.indexOf(_witness(1)), 1);
        vm.assertTrue(registry.isWitness(NEW));
        vm.assertFalse(registry.isWitness(_witness(1)));
        _assertSeat(NEW, 2, 15, 3);
        _assertSeat(_witness(1), 2, 0, 0);
        vm.assertEq(registry.witnessCount(), 4);
        (uint256 bitmap, uint8 quorum) = registry.activeSet();
        vm.assertEq(bitmap, 15);
        vm.assertEq(quorum, 3);
    }

    function test_acceptRotation_thenOn() public {
        _rotate(1, NEW);
        vm.prank(NEW);
        registry.rotate(NEXT);
        _accept(1, NEXT);
        vm.assertEq(registry.witnessAt(1), NEXT);
        _assertSeat(_witness(1), 2, 0, 0);
        _assertSeat(NEW, 2, 0, 0);
        _assertSeat(NEXT, 2, 15, 3);
    }

    function test_acceptRotation_notOffered_reverts() public {
        _expectNotOffered(0, NEW);
        _accept(0, NEW);
        _offer(1, NEW);
        _expectNotOffered(0, NEW);
        _accept(0, NEW);
        _expectNotOffered(120, NEW);
        _accept(120, NEW);
        _expectNotOffered(1, _witness(1));
        _accept(1, _witness(1));
        _expectNotOffered(1, STRANGER);
        _accept(1, STRANGER);
    }

    function test_acceptRotation_again_reverts() public {
        _rotate(1, NEW);
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
    }

    /// @notice An address that got a seat of its own meanwhile does not get another.
    function test_acceptRotation_addedMeanwhile_reverts() public {
        _offer(1, _witness(4));
        _updateSet(_witnesses(4, 1), _none(), 3);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, _witness(4)));
        _accept(1, _witness(4));
        vm.assertEq(registry.witnessAt(1), _witness(1));
    }

    function test_acceptRotation_ofTwoSeats_reverts() public {
        _offer(0, NEW);
        _offer(1, NEW);
        _accept(0, NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, NEW));
        _accept(1, NEW);
        vm.assertEq(registry.indexOf(NEW), 0);
    }

    function test_acceptRotation_removedMeanwhile_reverts() public {
        _offer(1, NEW);
        _updateSet(_none(), _witnesses(1, 1), 3);
        vm.assertEq(registry.pendingWitnessAt(1), address(0));
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
        // Nor does the offer come back with the witness.
        _updateSet(_witnesses(1, 1), _none(), 3);
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
    }

    /// @notice A change that happens between the two steps is what the new address finds.
    function test_acceptRotation_setChangedMeanwhile() public {
        _offer(1, NEW);
        _updateSet(_witnesses(4, 1), _witnesses(0, 1), 4);
        _accept(1, NEW);
        _assertSeat(NEW, 2, 30, 4);
        _assertSeat(_witness(1), 2, 0, 0);
    }

    // ---- the owner's changes afterwards

    function test_updateSet_afterRotation_reachesTheNewAddressOnly() public {
        _rotate(1, NEW);
        _updateSet(_witnesses(4, 1), _none(), 4);
        _assertSeat(NEW, 2, 31, 4);
        _assertSeat(_witness(1), 2, 0, 0);
    }

    /// @notice A removal that named the old address, as one that waits in a timelock, removes the seat.
    function test_removeWitness_byItsOldAddress() public {
        _rotate(1, NEW);
        _expectEmit(address(registry));
        emit IRegistry.WitnessRemoved(NEW, 1);
        vm.prank(OWNER);
        registry.removeWitness(_witness(1));
        vm.assertFalse(registry.isWitness(NEW));
        vm.assertEq(registry.witnessCount(), 3);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, NEW));
        vm.prank(OWNER);
        registry.removeWitness(NEW);
    }

    function test_updateSet_removesOldAndNew_reverts() public {
        _rotate(1, NEW);
        address[] memory remove = new address[](2);
        (remove[0], remove[1]) = (_witness(1), NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, NEW));
        _updateSet(_none(), remove, 3);
    }

    function test_addWitness_handedOn_reverts() public {
        _rotate(1, NEW);
        vm.startPrank(OWNER);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, _witness(1)));
        registry.addWitness(_witness(1));
        registry.removeWitness(NEW);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AddressUsed.selector, _witness(1)));
        registry.addWitness(_witness(1));
    }

    function test_addWitness_rotated_hasItsSeatBack() public {
        _rotate(1, NEW);
        vm.startPrank(OWNER);
        registry.removeWitness(NEW);
        _expectEmit(address(registry));
        emit IRegistry.WitnessAdded(NEW, 1);
        registry.addWitness(NEW);
        _assertSeat(NEW, 2, 15, 3);
        _assertSeat(_witness(1), 2, 0, 0);
    }

    function test_updateSet_inBothLists_voidsTheOffer() public {
        _offer(1, NEW);
        _updateSet(_witnesses(1, 1), _witnesses(1, 1), 3);
        _expectNotOffered(1, NEW);
        _accept(1, NEW);
    }

    // ---- capacity

    function test_rotate_usesUpNoIndex() public {
        uint256 capacity = registry.CAPACITY();
        address holder = _witness(0);
        for (uint160 i = 0; i < 200; ++i) {
            address next = address(0x3000 + i);
            vm.prank(holder);
            registry.rotate(next);
            _accept(0, next);
            holder = next;
        }
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownIndex.selector, 4));
        registry.witnessAt(4);
        _updateSet(_witnesses(4, capacity - 4), _none(), uint8(capacity));
        vm.assertEq(registry.witnessCount(), capacity);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryFull.selector, capacity));
        vm.prank(OWNER);
        registry.addWitness(NEW);
        // In a full registry, too, a seat can be handed on.
        _rotate(capacity - 1, NEW);
        vm.assertEq(registry.indexOf(NEW), capacity - 1);
    }

    function test_pendingWitnessAt_notGivenAway_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownIndex.selector, 4));
        registry.pendingWitnessAt(4);
    }

    // ---- votes

    function test_rotated_votesCountForTheSeat() public {
        ObservationHeader memory header = _header(7, 0);
        _propose(1, header, 0);
        _attest(2, header);
        _rotate(1, NEW);
        _assertVotesIn(_slot(header), _hash(header), 6, 2);
        vm.assertTrue(ledger.hasVoted(_slot(header), NEW));
        vm.assertTrue(ledger.hasVoted(_slot(header), _witness(1)));
        _attest(3, header);
        vm.assertEq(ledger.finalizedObservation(_slot(header)), _hash(header));
    }

    /// @notice One seat, one vote: neither address has another one, whatever of.
    function test_rotated_votesOnce() public {
        ObservationHeader memory header = _header(7, 0);
        ObservationHeader memory rival = _header(7, 1);
        bytes32 slot = _slot(header);
        _propose(1, header, 0);
        _propose(2, rival, 1);
        _rotate(1, NEW);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, _witness(1)));
        _attest(1, rival);
        vm.startPrank(NEW);
        vm.expectRevert(abi.encodeWithSelector(ILedger.AlreadyVoted.selector, slot, NEW));
        ledger.attest(slot, _hash(header));
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, NEW, _hash(rival)));
        ledger.attest(slot, _hash(rival));
        vm.expectRevert(abi.encodeWithSelector(ILedger.Equivocation.selector, slot, NEW, _hash(_header(7, 2))));
        ledger.propose(_header(7, 2), 2);
    }

    function test_rotated_votesInOtherSlots() public {
        ObservationHeader memory header = _header(7, 0);
        _rotate(1, NEW);
        vm.expectRevert(abi.encodeWithSelector(ILedger.NotWitness.selector, _witness(1)));
        _propose(1, header, 0);
        vm.prank(NEW);
        ledger.propose(header, 0);
        _assertVotesIn(_slot(header), _hash(header), 2, 1);
        _attest(0, header);
        _attest(2, header);
        vm.assertEq(ledger.finalizedObservation(_slot(header)), _hash(header));
    }

    // ---- support

    function _offer(uint256 witness, address to) private {
        vm.prank(_witness(witness));
        registry.rotate(to);
    }

    function _accept(uint256 index, address account) private {
        vm.prank(account);
        registry.acceptRotation(index);
    }

    function _expectNotOffered(uint256 index, address account) private {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotOffered.selector, index, account));
    }

    function _assertSeat(address account, uint256 seat, uint256 bitmap, uint8 quorum) private view {
        (uint120 actualSeat, uint120 actualBitmap, uint8 actualQuorum) = registry.seatOf(account);
        vm.assertEq(actualSeat, seat);
        vm.assertEq(actualBitmap, bitmap);
        vm.assertEq(actualQuorum, quorum);
    }
}
