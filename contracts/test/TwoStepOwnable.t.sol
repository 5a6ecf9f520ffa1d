// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";
import {Ownable2Step} from "@openzeppelin/contracts/access/Ownable2Step.sol";

import {EveryChannelRail} from "../EveryChannelRail.sol";
import {TwoStepOwnable} from "../access/TwoStepOwnable.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice The owner of the registry and the rail, measured by OpenZeppelin's `Ownable2Step`, whose interface it has.
contract TwoStepOwnableTest is Fixture {
    EveryChannelRail private rail;

    function setUp() public override {
        super.setUp();
        rail = new EveryChannelRail(OWNER, ledger);
    }

    function test_constructor_emits() public {
        address predicted = vm.computeCreateAddress(address(this), vm.getNonce(address(this)));
        _expectEmit(predicted);
        emit Ownable.OwnershipTransferred(address(0), OWNER);
        new EveryChannelRail(OWNER, ledger);
    }

    function test_constructor_noOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new EveryChannelRail(address(0), ledger);
    }

    function test_transferOwnership_takesTwoSteps() public {
        _expectEmit(address(registry));
        emit Ownable2Step.OwnershipTransferStarted(OWNER, STRANGER);
        vm.prank(OWNER);
        registry.transferOwnership(STRANGER);
        vm.assertEq(registry.owner(), OWNER);
        vm.assertEq(registry.pendingOwner(), STRANGER);
        _expectEmit(address(registry));
        emit Ownable.OwnershipTransferred(OWNER, STRANGER);
        vm.prank(STRANGER);
        registry.acceptOwnership();
        vm.assertEq(registry.owner(), STRANGER);
        vm.assertEq(registry.pendingOwner(), address(0));
    }

    function test_transferOwnership_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.transferOwnership(STRANGER);
    }

    function test_transferOwnership_noLongerOwner_reverts() public {
        vm.prank(OWNER);
        registry.transferOwnership(STRANGER);
        vm.prank(STRANGER);
        registry.acceptOwnership();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, OWNER));
        vm.prank(OWNER);
        registry.transferOwnership(OWNER);
    }

    function test_transferOwnership_toNobody_takesBackTheOffer() public {
        vm.startPrank(OWNER);
        registry.transferOwnership(STRANGER);
        registry.transferOwnership(address(0));
        vm.stopPrank();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        registry.acceptOwnership();
        vm.assertEq(registry.owner(), OWNER);
    }

    function test_acceptOwnership_notOffered_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, OWNER));
        vm.prank(OWNER);
        registry.acceptOwnership();
    }

    function test_acceptOwnership_again_reverts() public {
        vm.prank(OWNER);
        registry.transferOwnership(STRANGER);
        vm.startPrank(STRANGER);
        registry.acceptOwnership();
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        registry.acceptOwnership();
    }

    /// @notice `renounceOwnership` is not refused: there is none.
    function test_renounceOwnership_doesNotExist() public {
        bytes memory call = abi.encodeCall(Ownable.renounceOwnership, ());
        vm.startPrank(OWNER);
        (bool success, bytes memory data) = address(registry).call(call);
        vm.assertFalse(success);
        vm.assertEq(data, "");
        (success, data) = address(rail).call(call);
        vm.assertFalse(success);
        vm.assertEq(data, "");
        vm.assertEq(registry.owner(), OWNER);
        vm.assertEq(rail.owner(), OWNER);
    }

    /// @notice Errors are those of `Ownable2Step` too, so that who decodes one decodes the other.
    function test_errors_areOpenZeppelins() public pure {
        vm.assertTrue(TwoStepOwnable.OwnableUnauthorizedAccount.selector == Ownable.OwnableUnauthorizedAccount.selector);
        vm.assertTrue(TwoStepOwnable.OwnableInvalidOwner.selector == Ownable.OwnableInvalidOwner.selector);
    }

    /// @notice Whatever is offered to whom, and whoever accepts, there is an owner.
    function testFuzz_owner_isSomebody(uint256 steps) public {
        for (uint256 i = 0; i < 8; ++i) {
            uint256 bits = steps >> (8 * i);
            vm.prank(bits & 1 == 0 ? registry.owner() : address(uint160(1 + (bits >> 2 & 3))));
            // to one of four, or to the zero address
            bytes memory call = bits & 2 == 0
                ? abi.encodeCall(Ownable2Step.transferOwnership, (address(uint160((bits >> 4) % 5))))
                : abi.encodeCall(Ownable2Step.acceptOwnership, ());
            (bool ignored,) = address(registry).call(call);
            ignored;
            vm.assertTrue(registry.owner() != address(0));
        }
    }
}
