// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

import {EveryChannelTimelock} from "../EveryChannelTimelock.sol";
import {EveryChannelWitnessRegistry} from "../EveryChannelWitnessRegistry.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice A registry whose owner announces what it does.
contract EveryChannelTimelockTest is Fixture {
    address private constant PROPOSER = address(0x9609);
    uint256 private constant DELAY = 2 days;

    EveryChannelTimelock private timelock;
    bytes private change;

    function setUp() public override {
        super.setUp();
        address[] memory proposers = new address[](1);
        proposers[0] = PROPOSER;
        timelock = new EveryChannelTimelock(DELAY, proposers);
        registry = new EveryChannelWitnessRegistry(address(timelock), _witnesses(0, 4), QUORUM);
        change = abi.encodeCall(registry.updateSet, (_witnesses(4, 1), _none(), QUORUM));
    }

    function test_constructor_proposersCancelAnyoneExecutesNobodyAdministers() public view {
        vm.assertEq(timelock.getMinDelay(), DELAY);
        vm.assertTrue(timelock.hasRole(timelock.PROPOSER_ROLE(), PROPOSER));
        vm.assertTrue(timelock.hasRole(timelock.CANCELLER_ROLE(), PROPOSER));
        vm.assertTrue(timelock.hasRole(timelock.EXECUTOR_ROLE(), address(0)));
        bytes32 admin = timelock.DEFAULT_ADMIN_ROLE();
        vm.assertTrue(timelock.hasRole(admin, address(timelock)));
        vm.assertFalse(timelock.hasRole(admin, address(this)));
        vm.assertFalse(timelock.hasRole(admin, PROPOSER));
        vm.assertFalse(timelock.hasRole(admin, address(0)));
    }

    function test_schedule_lessThanTheDelay_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockInsufficientDelay.selector, DELAY - 1, DELAY));
        vm.prank(PROPOSER);
        timelock.schedule(address(registry), 0, change, 0, 0, DELAY - 1);
    }

    function test_execute_byAnyoneOnceItWaited() public {
        vm.prank(PROPOSER);
        timelock.schedule(address(registry), 0, change, 0, 0, DELAY);
        vm.warp(block.timestamp + DELAY);
        vm.prank(STRANGER);
        timelock.execute(address(registry), 0, change, 0, 0);
        vm.assertEq(registry.witnessCount(), 5);
    }

    function testFuzz_execute_tooEarly_reverts(uint256 waited) public {
        waited %= DELAY;
        vm.prank(PROPOSER);
        timelock.schedule(address(registry), 0, change, 0, 0, DELAY);
        vm.warp(block.timestamp + waited);
        bytes32 id = timelock.hashOperation(address(registry), 0, change, 0, 0);
        bytes32 ready = bytes32(uint256(1) << uint8(TimelockController.OperationState.Ready));
        vm.expectRevert(abi.encodeWithSelector(TimelockController.TimelockUnexpectedOperationState.selector, id, ready));
        vm.prank(PROPOSER);
        timelock.execute(address(registry), 0, change, 0, 0);
    }
}
