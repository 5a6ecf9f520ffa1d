// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {EveryChannelObservationLedger} from "../../EveryChannelObservationLedger.sol";
import {EveryChannelRail} from "../../EveryChannelRail.sol";
import {EveryChannelWitnessRegistry} from "../../EveryChannelWitnessRegistry.sol";
import {ObservationHeader} from "../../interfaces/IEveryChannelObservationLedger.sol";
import {NaiveLedger} from "../baseline/NaiveLedger.sol";
import {vm} from "../Vm.sol";

/// @notice What `scripts/gas` sends to a real node: propose and attest until final, each vote a transaction of its own; and
/// settle what is final.
/// Every scenario is played twice on fresh slots, and the script counts the second time, the steady state.
contract GasScenario {
    string private constant ANVIL_MNEMONIC = "test test test test test test test test test test test junk";
    uint256 private constant ROUNDS = 2;
    uint64 private constant GROUPS_PER_EPOCH = 30;

    /// @notice One slot at a time, `k` of `n` witnesses.
    function single(uint256 n, uint8 k) external {
        EveryChannelObservationLedger ledger = _deploy(n, k);
        for (uint64 round = 0; round < ROUNDS; ++round) {
            ObservationHeader memory header = _header(round);
            bytes32 slot = ledger.slotOf(header.streamHash, header.epochHash);
            bytes32 hash = ledger.observationHash(header);
            for (uint32 i = 0; i < k; ++i) {
                vm.startBroadcast(_key(i));
                if (i == 0) ledger.propose(header, 0);
                else ledger.attest(slot, hash);
                vm.stopBroadcast();
            }
            require(ledger.finalizedObservation(slot) == hash, "not final");
        }
    }

    /// @notice `size` slots in each transaction, `k` of `n` witnesses.
    function batch(uint256 n, uint8 k, uint64 size) external {
        EveryChannelObservationLedger ledger = _deploy(n, k);
        ObservationHeader[] memory headers = new ObservationHeader[](size);
        bytes32[] memory slots = new bytes32[](size);
        bytes32[] memory hashes = new bytes32[](size);
        for (uint64 round = 0; round < ROUNDS; ++round) {
            for (uint64 i = 0; i < size; ++i) {
                headers[i] = _header(round * size + i);
                slots[i] = ledger.slotOf(headers[i].streamHash, headers[i].epochHash);
                hashes[i] = ledger.observationHash(headers[i]);
            }
            for (uint32 i = 0; i < k; ++i) {
                vm.startBroadcast(_key(i));
                if (i == 0) ledger.proposeBatch(headers, new uint256[](size));
                else ledger.attestBatch(slots, hashes);
                vm.stopBroadcast();
            }
            for (uint64 i = 0; i < size; ++i) {
                require(ledger.finalizedObservation(slots[i]) == hashes[i], "not final");
            }
        }
    }

    /// @notice `size` final slots settled on the rail in one transaction; one witness makes them final. The votes are not
    /// counted.
    function settle(uint64 size) external {
        EveryChannelObservationLedger ledger = _deploy(1, 1);
        vm.startBroadcast(_key(0));
        EveryChannelRail rail = new EveryChannelRail(vm.addr(_key(0)), ledger);
        for (uint64 round = 0; round < ROUNDS; ++round) {
            ObservationHeader[] memory headers = new ObservationHeader[](size);
            for (uint64 i = 0; i < size; ++i) {
                headers[i] = _header(round * size + i);
            }
            ledger.proposeBatch(headers, new uint256[](size));
            if (size == 1) rail.settle(headers[0]);
            else rail.settleBatch(headers);
            for (uint64 i = 0; i < size; ++i) {
                (,,, bool settled) = rail.pointerOf(ledger.slotOf(headers[i].streamHash, headers[i].epochHash));
                require(settled, "not settled");
            }
        }
        vm.stopBroadcast();
    }

    /// @notice `single` with the baseline.
    function naive(uint256 n, uint8 k) external {
        vm.startBroadcast(_key(0));
        NaiveLedger ledger = new NaiveLedger(_witnesses(n), k);
        vm.stopBroadcast();
        for (uint64 round = 0; round < ROUNDS; ++round) {
            ObservationHeader memory header = _header(round);
            bytes32 slot = keccak256(abi.encode(header.streamHash, header.epochHash));
            bytes32 hash = keccak256(abi.encode(header));
            for (uint32 i = 0; i < k; ++i) {
                vm.startBroadcast(_key(i));
                if (i == 0) ledger.propose(header, 0);
                else ledger.attest(slot, hash);
                vm.stopBroadcast();
            }
            require(ledger.finalizedObservation(slot) == hash, "not final");
        }
    }

    function _deploy(uint256 n, uint8 k) private returns (EveryChannelObservationLedger ledger) {
        vm.startBroadcast(_key(0));
        ledger = new EveryChannelObservationLedger(new EveryChannelWitnessRegistry(vm.addr(_key(0)), _witnesses(n), k));
        vm.stopBroadcast();
    }

    function _witnesses(uint256 n) private pure returns (address[] memory witnesses) {
        witnesses = new address[](n);
        for (uint32 i = 0; i < n; ++i) {
            witnesses[i] = vm.addr(_key(i));
        }
    }

    function _key(uint32 i) private pure returns (uint256) {
        return vm.deriveKey(ANVIL_MNEMONIC, i);
    }

    /// @dev A header as live work has them: five hashes, a time and a sequence.
    function _header(uint64 i) private pure returns (ObservationHeader memory) {
        uint64 sequence = 29547078 + i;
        return ObservationHeader({
            streamHash: keccak256("la-nbc"),
            epochHash: keccak256(bytes(string.concat("ec/epoch/v1/g30/", vm.toString(sequence)))),
            parentObservationHash: keccak256(abi.encode("parent", sequence)),
            dataRoot: keccak256(abi.encode("data", sequence)),
            locatorHash: keccak256(abi.encode("locator", sequence)),
            observedUnixMs: sequence * GROUPS_PER_EPOCH * 2000,
            sequence: sequence
        });
    }
}
