// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ObservationHeader} from "../interfaces/IEveryChannelObservationLedger.sol";
import {Fixture} from "./Fixture.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Recomputes every hash of the shared vectors from their records, with Solidity's own abi.encode and keccak256,
/// so that this language and every other that reads those files hash alike. The rules are those of docs/protocol.md.
/// @dev Vectors with a `raw` key are about reading lines, which is not this test's; expected lines without a header have
/// nothing to hash.
contract VectorsTest is Fixture {
    struct Record {
        uint64 sequence;
        bytes32 blake3Hash;
        uint64 sizeBytes;
    }

    struct Vector {
        string json;
        uint256 groupsPerEpoch;
        string[] tracks; // sorted by their bytes
        string[] files;
    }

    function test_vectors_hashAlike() public view {
        Vm.DirEntry[] memory entries = vm.readDir(string.concat(vm.projectRoot(), "/../archives/vectors"));
        uint256 lines = 0;
        for (uint256 i = 0; i < entries.length; ++i) {
            if (!_endsWith(entries[i].path, ".json")) continue;
            string memory json = vm.readFile(entries[i].path);
            if (vm.keyExistsJson(json, ".raw")) continue;
            lines += _checkVector(json);
        }
        vm.assertGe(lines, 2, "lines compared");
    }

    function _checkVector(string memory json) private view returns (uint256 lines) {
        Vector memory vector = Vector({
            json: json,
            groupsPerEpoch: vm.parseJsonUint(json, ".groups_per_epoch"),
            tracks: _sorted(vm.parseJsonStringArray(json, ".tracks")),
            files: vm.parseJsonKeys(json, ".manifests")
        });
        for (uint256 i = 0; vm.keyExistsJson(json, _expected(i)); ++i) {
            if (!vm.keyExistsJson(json, string.concat(_expected(i), ".header.streamHash"))) continue;
            _checkLine(vector, _expected(i));
            ++lines;
        }
    }

    function _checkLine(Vector memory vector, string memory line) private view {
        string memory json = vector.json;
        string memory streamId = vm.parseJsonString(json, string.concat(line, ".stream_id"));
        string memory epochId = vm.parseJsonString(json, string.concat(line, ".epoch_id"));
        ObservationHeader memory header = _parseHeader(json, string.concat(line, ".header"));

        vm.assertEq(header.streamHash, keccak256(bytes(streamId)), "streamHash");
        vm.assertEq(header.epochHash, keccak256(bytes(epochId)), "epochHash");
        vm.assertEq(
            keccak256(bytes(epochId)), keccak256(bytes(_epochId(vector.groupsPerEpoch, header.sequence))), "epoch_id"
        );
        vm.assertEq(header.locatorHash, _locatorHash(vector.tracks, streamId, epochId), "locatorHash");

        bytes32[] memory leaves = _leaves(vector, streamId, header.sequence);
        vm.assertEq(leaves.length, vm.parseJsonUint(json, string.concat(line, ".leaf_count")), "leaf_count");
        vm.assertEq(header.dataRoot, keccak256(abi.encode(leaves.length, _root(leaves, 0, leaves.length))), "dataRoot");

        bytes32 slot = vm.parseJsonBytes32(json, string.concat(line, ".slot"));
        vm.assertEq(ledger.slotOf(header.streamHash, header.epochHash), slot, "slot");
        bytes32 hash = vm.parseJsonBytes32(json, string.concat(line, ".observation_hash"));
        vm.assertEq(ledger.observationHash(header), hash, "observation_hash");
    }

    function _parseHeader(string memory json, string memory path) private pure returns (ObservationHeader memory) {
        return ObservationHeader({
            streamHash: vm.parseJsonBytes32(json, string.concat(path, ".streamHash")),
            epochHash: vm.parseJsonBytes32(json, string.concat(path, ".epochHash")),
            parentObservationHash: vm.parseJsonBytes32(json, string.concat(path, ".parentObservationHash")),
            dataRoot: vm.parseJsonBytes32(json, string.concat(path, ".dataRoot")),
            locatorHash: vm.parseJsonBytes32(json, string.concat(path, ".locatorHash")),
            observedUnixMs: uint64(vm.parseJsonUint(json, string.concat(path, ".observedUnixMs"))),
            sequence: uint64(vm.parseJsonUint(json, string.concat(path, ".sequence")))
        });
    }

    /// @dev The leaves of an epoch: by track, then by sequence, identical duplicates once.
    function _leaves(Vector memory vector, string memory broadcast, uint64 epoch)
        private
        view
        returns (bytes32[] memory leaves)
    {
        leaves = new bytes32[](vector.tracks.length * vector.groupsPerEpoch);
        uint256 count = 0;
        for (uint256 i = 0; i < vector.tracks.length; ++i) {
            string memory file = string.concat(broadcast, "/", vector.tracks[i], ".jsonl");
            if (!_contains(vector.files, file)) continue;
            Record[] memory records = _records(vector, file, epoch);
            for (uint256 j = 0; j < records.length; ++j) {
                if (records[j].blake3Hash == 0) continue;
                leaves[count++] = keccak256(
                    abi.encode(
                        keccak256(bytes(vector.tracks[i])),
                        records[j].sequence,
                        records[j].blake3Hash,
                        records[j].sizeBytes
                    )
                );
            }
        }
        // Shorten the list to what was found.
        assembly ("memory-safe") {
            mstore(leaves, count)
        }
    }

    /// @dev The records of one file that belong to the epoch, each at its place in the epoch.
    function _records(Vector memory vector, string memory file, uint64 epoch)
        private
        view
        returns (Record[] memory records)
    {
        records = new Record[](vector.groupsPerEpoch);
        string memory list = string.concat(".manifests['", file, "']");
        for (uint256 i = 0;; ++i) {
            string memory path = string.concat(list, "[", vm.toString(i), "]");
            if (!vm.keyExistsJson(vector.json, path)) return records;
            uint256 sequence = vm.parseJsonUint(vector.json, string.concat(path, ".group_sequence"));
            if (sequence / vector.groupsPerEpoch != epoch) continue;
            records[sequence % vector.groupsPerEpoch] = Record({
                sequence: uint64(sequence),
                blake3Hash: vm.parseJsonBytes32(vector.json, string.concat(path, ".blake3")),
                sizeBytes: uint64(vm.parseJsonUint(vector.json, string.concat(path, ".size_bytes")))
            });
        }
    }

    /// @dev The tree of RFC 6962, 2.1, over leaves[from, from + count): split at the largest power of two below count.
    function _root(bytes32[] memory leaves, uint256 from, uint256 count) private pure returns (bytes32) {
        if (count == 1) return leaves[from];
        uint256 split = 1;
        while (split * 2 < count) split *= 2;
        return keccak256(abi.encode(_root(leaves, from, split), _root(leaves, from + split, count - split)));
    }

    /// @dev keccak256 of the canonical JSON; the names in the vectors need no escapes.
    function _locatorHash(string[] memory tracks, string memory broadcast, string memory epochId)
        private
        pure
        returns (bytes32)
    {
        string memory list = "";
        for (uint256 i = 0; i < tracks.length; ++i) {
            list = string.concat(list, i == 0 ? "" : ",", '"', tracks[i], '"');
        }
        return keccak256(
            bytes(
                string.concat(
                    '{"broadcast":"',
                    broadcast,
                    '","epoch_id":"',
                    epochId,
                    '","objects":"blake3","stream_id":"',
                    broadcast,
                    '","tracks":[',
                    list,
                    '],"v":1}'
                )
            )
        );
    }

    function _epochId(uint256 groupsPerEpoch, uint256 sequence) private pure returns (string memory) {
        return string.concat("ec/epoch/v1/g", vm.toString(groupsPerEpoch), "/", vm.toString(sequence));
    }

    function _expected(uint256 i) private pure returns (string memory) {
        return string.concat(".expected[", vm.toString(i), "]");
    }

    /// @dev By the bytes of the names, shorter first where one begins the other.
    function _sorted(string[] memory names) private pure returns (string[] memory) {
        for (uint256 i = 1; i < names.length; ++i) {
            for (uint256 j = i; j > 0 && _less(bytes(names[j]), bytes(names[j - 1])); --j) {
                (names[j], names[j - 1]) = (names[j - 1], names[j]);
            }
        }
        return names;
    }

    function _less(bytes memory left, bytes memory right) private pure returns (bool) {
        for (uint256 i = 0; i < left.length && i < right.length; ++i) {
            if (left[i] != right[i]) return left[i] < right[i];
        }
        return left.length < right.length;
    }

    function _contains(string[] memory names, string memory name) private pure returns (bool) {
        for (uint256 i = 0; i < names.length; ++i) {
            if (keccak256(bytes(names[i])) == keccak256(bytes(name))) return true;
        }
        return false;
    }

    function _endsWith(string memory text, string memory end) private pure returns (bool) {
        (bytes memory whole, bytes memory part) = (bytes(text), bytes(end));
        if (whole.length < part.length) return false;
        for (uint256 i = 0; i < part.length; ++i) {
            if (whole[whole.length - part.length + i] != part[i]) return false;
        }
        return true;
    }
}
