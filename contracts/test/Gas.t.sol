// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelRail} from "../EveryChannelRail.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice One operation each, for `forge snapshot`: figures to notice a change by. What a vote costs as a transaction of
/// its own is measured by scripts/gas.
contract GasTest is Fixture {
    EveryChannelRail private rail;
    ObservationHeader private open; // has one candidate with one vote
    ObservationHeader private almost; // has one candidate that lacks one vote
    ObservationHeader private done; // is final
    ObservationHeader private fresh; // has no candidate
    ObservationHeader private wide; // has two of one content, with two votes and one
    ObservationHeader private stray; // is the second one

    function setUp() public override {
        super.setUp();
        rail = new EveryChannelRail(OWNER, ledger);
        (open, almost, done, fresh) = (_header(1, 0), _header(2, 0), _header(3, 0), _header(4, 0));
        _propose(0, open, 0);
        _propose(0, almost, 0);
        _attest(1, almost);
        _propose(0, done, 0);
        _attest(1, done);
        _attest(2, done);
        wide = _header(5, 0);
        stray = _retold(wide, 1);
        _propose(0, wide, 0);
        _attest(1, wide);
        _propose(2, stray, 1);
        vm.prank(_witness(2));
        registry.rotate(STRANGER);
    }

    function test_gas_propose() public {
        _propose(0, fresh, 0);
    }

    function test_gas_propose_rival() public {
        _propose(1, _header(1, 1), 1);
    }

    function test_gas_attest() public {
        _attest(1, open);
    }

    function test_gas_attest_finalizes() public {
        _attest(2, almost);
    }

    function test_gas_attest_late() public {
        vm.expectRevert(abi.encodeWithSelector(ILedger.SlotFinalized.selector, _slot(done), _hash(done)));
        _attest(3, done);
    }

    function test_gas_move_finalizes() public {
        _move(2, stray, wide, 0);
    }

    function test_gas_move_new() public {
        _move(0, open, _retold(open, 1), 1);
    }

    function test_gas_settle() public {
        rail.settle(done);
    }

    function test_gas_settleBatch_ofOne() public {
        ObservationHeader[] memory headers = new ObservationHeader[](1);
        headers[0] = done;
        rail.settleBatch(headers);
    }

    function test_gas_addWitness() public {
        vm.prank(OWNER);
        registry.addWitness(_witness(4));
    }

    function test_gas_removeWitness() public {
        vm.prank(OWNER);
        registry.removeWitness(_witness(3));
    }

    function test_gas_rotate() public {
        vm.prank(_witness(3));
        registry.rotate(STRANGER);
    }

    function test_gas_acceptRotation() public {
        vm.prank(STRANGER);
        registry.acceptRotation(2);
    }

    function test_gas_setQuorum() public {
        vm.prank(OWNER);
        registry.setQuorum(4);
    }
}
