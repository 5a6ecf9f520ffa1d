// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TimelockController} from "@openzeppelin/contracts/governance/TimelockController.sol";

/// @title An owner of registry and rail whose every change is announced before it is made
/// @notice OpenZeppelin's `TimelockController` without an administrator: who may propose, and the delay, change only by
/// operations that have waited themselves. Proposers also cancel; what has waited, anyone may execute.
contract EveryChannelTimelock is TimelockController {
    /// @param minDelay How long an operation waits at least, seconds.
    /// @param proposers Who may schedule and cancel operations.
    constructor(uint256 minDelay, address[] memory proposers)
        TimelockController(minDelay, proposers, new address[](1), address(0))
    {}
}
