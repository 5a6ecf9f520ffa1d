// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {EveryChannelWitnessRegistry} from "../EveryChannelWitnessRegistry.sol";
import {IEveryChannelWitnessRegistry as IRegistry} from "../interfaces/IEveryChannelWitnessRegistry.sol";
import {Bitmap} from "../libraries/Bitmap.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract EveryChannelWitnessRegistryTest is Fixture {
    function _assertSet(uint256 bitmap, uint8 quorum, uint256 count) private view {
        (uint256 activeBitmap, uint8 activeQuorum) = registry.activeSet();
        vm.assertEq(activeBitmap, bitmap);
        vm.assertEq(activeQuorum, quorum);
        vm.assertEq(registry.quorum(), quorum);
        vm.assertEq(registry.witnessCount(), count);
    }

    function test_constructor_givesIndexesInOrder() public view {
        _assertSet(15, 3, 4);
        for (uint256 i = 0; i < 4; ++i) {
            vm.assertEq(registry.witnessAt(i), _witness(i));
            vm.assertEq(registry.indexOf(_witness(i)), i);
            vm.assertTrue(registry.isWitness(_witness(i)));
        }
        vm.assertEq(registry.owner(), OWNER);
    }

    function test_constructor_emitsWhatItWrites() public {
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        _expectEmit(predicted);
        emit IRegistry.WitnessAdded(_witness(0), 0);
        _expectEmit(predicted);
        emit IRegistry.WitnessSetChanged(1, 1);
        new EveryChannelWitnessRegistry(OWNER, _witnesses(0, 1), 1);
    }

    function test_constructor_noOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new EveryChannelWitnessRegistry(address(0), _witnesses(0, 4), 3);
    }

    function test_constructor_noMajority_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 2, 4));
        new EveryChannelWitnessRegistry(OWNER, _witnesses(0, 4), 2);
    }

    function test_constructor_emptySet() public {
        registry = new EveryChannelWitnessRegistry(OWNER, _none(), 0);
        _assertSet(0, 0, 0);
    }

    function test_updateSet_changesAllAtOnce() public {
        address[] memory add = _witnesses(4, 3);
        address[] memory remove = _witnesses(1, 2);
        for (uint256 i = 0; i < remove.length; ++i) {
            _expectEmit(address(registry));
            emit IRegistry.WitnessRemoved(remove[i], 1 + i);
        }
        for (uint256 i = 0; i < add.length; ++i) {
            _expectEmit(address(registry));
            emit IRegistry.WitnessAdded(add[i], 4 + i);
        }
        _expectEmit(address(registry));
        emit IRegistry.WitnessSetChanged(0x79, 4);
        _updateSet(add, remove, 4);
        _assertSet(0x79, 4, 5);
    }

    function test_updateSet_toNothing() public {
        _updateSet(_none(), _witnesses(0, 4), 0);
        _assertSet(0, 0, 0);
    }

    function test_updateSet_inBothLists_stays() public {
        _updateSet(_witnesses(1, 1), _witnesses(1, 1), 3);
        _assertSet(15, 3, 4);
        vm.assertEq(registry.indexOf(_witness(1)), 1);
    }

    function test_updateSet_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.updateSet(_none(), _none(), 4);
    }

    function test_updateSet_twiceInAdd_reverts() public {
        address[] memory add = new address[](2);
        (add[0], add[1]) = (_witness(4), _witness(4));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyWitness.selector, _witness(4)));
        _updateSet(add, _none(), 4);
    }

    function test_updateSet_twiceInRemove_reverts() public {
        address[] memory remove = new address[](2);
        (remove[0], remove[1]) = (_witness(3), _witness(3));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, _witness(3)));
        _updateSet(_none(), remove, 3);
    }

    function test_updateSet_zeroAddress_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidWitness.selector, address(0)));
        _updateSet(new address[](1), _none(), 3);
    }

    function test_addWitness_adds() public {
        _expectEmit(address(registry));
        emit IRegistry.WitnessAdded(_witness(4), 4);
        _expectEmit(address(registry));
        emit IRegistry.WitnessSetChanged(31, 3);
        vm.prank(OWNER);
        registry.addWitness(_witness(4));
        _assertSet(31, 3, 5);
    }

    function test_addWitness_alreadyWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.AlreadyWitness.selector, _witness(2)));
        vm.prank(OWNER);
        registry.addWitness(_witness(2));
    }

    function test_addWitness_noMajorityAnyMore_reverts() public {
        vm.startPrank(OWNER);
        registry.addWitness(_witness(4));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 3, 6));
        registry.addWitness(_witness(5));
    }

    function test_addWitness_toNothing_reverts() public {
        _updateSet(_none(), _witnesses(0, 4), 0);
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 0, 1));
        vm.prank(OWNER);
        registry.addWitness(_witness(0));
    }

    function test_addWitness_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.addWitness(STRANGER);
    }

    function test_addWitness_returning_hasItsIndexBack() public {
        vm.startPrank(OWNER);
        registry.removeWitness(_witness(1));
        vm.assertEq(registry.indexOf(_witness(1)), 1);
        vm.assertFalse(registry.isWitness(_witness(1)));
        registry.addWitness(_witness(4));
        _expectEmit(address(registry));
        emit IRegistry.WitnessAdded(_witness(1), 1);
        registry.addWitness(_witness(1));
        _assertSet(31, 3, 5);
        vm.assertEq(registry.indexOf(_witness(4)), 4);
    }

    function test_addWitness_beyondCapacity_reverts() public {
        uint256 capacity = registry.CAPACITY();
        vm.assertGe(capacity, 100, "room for at least 100 addresses");
        _updateSet(_witnesses(4, capacity - 4), _none(), uint8(capacity));
        _assertSet((1 << capacity) - 1, uint8(capacity), capacity);

        // A removed witness leaves no room for another address, only for itself.
        _updateSet(_none(), _witnesses(7, 1), uint8(capacity - 1));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.RegistryFull.selector, capacity));
        vm.prank(OWNER);
        registry.addWitness(STRANGER);
        vm.prank(OWNER);
        registry.addWitness(_witness(7));
        _assertSet((1 << capacity) - 1, uint8(capacity - 1), capacity);
    }

    function test_removeWitness_removes() public {
        _expectEmit(address(registry));
        emit IRegistry.WitnessRemoved(_witness(0), 0);
        _expectEmit(address(registry));
        emit IRegistry.WitnessSetChanged(14, 3);
        vm.prank(OWNER);
        registry.removeWitness(_witness(0));
        _assertSet(14, 3, 3);
        vm.assertEq(registry.witnessAt(0), _witness(0));
    }

    function test_removeWitness_neverOne_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, STRANGER));
        vm.prank(OWNER);
        registry.removeWitness(STRANGER);
    }

    function test_removeWitness_noLongerOne_reverts() public {
        vm.startPrank(OWNER);
        registry.removeWitness(_witness(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.NotWitness.selector, _witness(0)));
        registry.removeWitness(_witness(0));
    }

    function test_removeWitness_fewerThanQuorum_reverts() public {
        vm.startPrank(OWNER);
        registry.removeWitness(_witness(0));
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 3, 2));
        registry.removeWitness(_witness(1));
    }

    function test_removeWitness_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.removeWitness(_witness(0));
    }

    function test_setQuorum_sets() public {
        _expectEmit(address(registry));
        emit IRegistry.WitnessSetChanged(15, 4);
        vm.prank(OWNER);
        registry.setQuorum(4);
        _assertSet(15, 4, 4);
    }

    function test_setQuorum_half_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 2, 4));
        vm.prank(OWNER);
        registry.setQuorum(2);
    }

    function test_setQuorum_zero_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 0, 4));
        vm.prank(OWNER);
        registry.setQuorum(0);
    }

    function test_setQuorum_aboveWitnesses_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, 5, 4));
        vm.prank(OWNER);
        registry.setQuorum(5);
    }

    function test_setQuorum_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.setQuorum(4);
    }

    function test_indexOf_neverWitness_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownWitness.selector, STRANGER));
        registry.indexOf(STRANGER);
    }

    function test_witnessAt_notGivenAway_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRegistry.UnknownIndex.selector, 4));
        registry.witnessAt(4);
    }

    function test_seatOf_followsTheSet() public {
        vm.prank(OWNER);
        registry.removeWitness(_witness(2));
        for (uint256 i = 0; i < 4; ++i) {
            _assertSeat(_witness(i), 1 << i, 11, 3);
        }
        _assertSeat(STRANGER, 0, 0, 0);
    }

    /// @notice Whatever the owner asks for, the quorum is a strict majority, or there are no witnesses and it is 0.
    function testFuzz_updateSet_ruleOnTheResult(uint256 added, uint256 removed, uint8 quorum) public {
        added %= 21;
        removed %= 5;
        uint256 count = 4 + added - removed;
        bool valid = count == 0 ? quorum == 0 : 2 * uint256(quorum) > count && quorum <= count;
        if (!valid) vm.expectRevert(abi.encodeWithSelector(IRegistry.InvalidQuorum.selector, quorum, count));
        _updateSet(_witnesses(4, added), _witnesses(0, removed), quorum);
        if (valid) {
            uint256 bitmap = ((1 << (4 + added)) - 1) & ~uint256((1 << removed) - 1);
            _assertSet(bitmap, quorum, count);
            for (uint256 i = 0; i < 4 + added; ++i) {
                _assertSeat(_witness(i), 1 << i, bitmap, quorum);
            }
        }
    }

    function testFuzz_count_countsBits(uint120 bitmap) public pure {
        uint256 count = 0;
        for (uint256 rest = bitmap; rest != 0; rest &= rest - 1) {
            ++count;
        }
        vm.assertEq(Bitmap.count(bitmap), count);
    }

    function test_count_allBits() public pure {
        vm.assertEq(Bitmap.count(type(uint120).max), 120);
        vm.assertEq(Bitmap.count(0), 0);
    }

    function _assertSeat(address account, uint256 seat, uint256 bitmap, uint8 quorum) private view {
        (uint120 actualSeat, uint120 actualBitmap, uint8 actualQuorum) = registry.seatOf(account);
        vm.assertEq(actualSeat, seat);
        vm.assertEq(actualBitmap, bitmap);
        vm.assertEq(actualQuorum, quorum);
    }
}
