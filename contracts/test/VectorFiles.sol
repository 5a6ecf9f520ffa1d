// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

/// @notice The files of the shared vectors, and the records of the index files that they hold or name.
abstract contract VectorFiles is Fixture {
    struct Record {
        uint64 sequence;
        bytes32 blake3Hash;
        uint64 sizeBytes;
    }

    struct Vector {
        string json;
        string[] files; // paths below manifests/
        Record[][] records; // of each file
    }

    function _load(string memory json) internal view returns (Vector memory vector) {
        vector.json = json;
        bool isApart = vm.keyExistsJson(json, ".archive");
        vector.files = vm.parseJsonKeys(json, isApart ? ".segments" : ".manifests");
        vector.records = new Record[][](vector.files.length);
        for (uint256 i = 0; i < vector.files.length; ++i) {
            vector.records[i] = isApart
                ? _recordsOfFile(string.concat(vm.parseJsonString(json, ".archive"), "/manifests/", vector.files[i]))
                : _recordsOfArray(json, string.concat(".manifests['", vector.files[i], "']"));
        }
    }

    function _recordsOfArray(string memory json, string memory list) internal view returns (Record[] memory records) {
        uint256 count = 0;
        while (vm.keyExistsJson(json, _item(list, count))) ++count;
        records = new Record[](count);
        for (uint256 i = 0; i < count; ++i) {
            records[i] = _record(json, _item(list, i));
        }
    }

    /// @dev The records of an index file; its last line is ended like all others.
    function _recordsOfFile(string memory path) internal view returns (Record[] memory records) {
        string[] memory lines = vm.split(vm.readFile(string.concat(_archives(), path)), "\n");
        records = new Record[](lines.length - 1);
        for (uint256 i = 0; i < records.length; ++i) {
            records[i] = _record(lines[i], "");
        }
    }

    function _record(string memory json, string memory path) internal pure returns (Record memory) {
        return Record({
            sequence: uint64(vm.parseJsonUint(json, string.concat(path, ".group_sequence"))),
            blake3Hash: vm.parseJsonBytes32(json, string.concat(path, ".blake3")),
            sizeBytes: uint64(vm.parseJsonUint(json, string.concat(path, ".size_bytes")))
        });
    }

    function _archives() internal view returns (string memory) {
        return string.concat(vm.projectRoot(), "/../archives/");
    }

    function _item(string memory list, uint256 i) internal pure returns (string memory) {
        return string.concat(list, "[", vm.toString(i), "]");
    }

    /// @dev By the bytes of the names, shorter first where one begins the other.
    function _sorted(string[] memory names) internal pure returns (string[] memory) {
        for (uint256 i = 1; i < names.length; ++i) {
            for (uint256 j = i; j > 0 && _less(bytes(names[j]), bytes(names[j - 1])); --j) {
                (names[j], names[j - 1]) = (names[j - 1], names[j]);
            }
        }
        return names;
    }

    function _less(bytes memory left, bytes memory right) internal pure returns (bool) {
        for (uint256 i = 0; i < left.length && i < right.length; ++i) {
            if (left[i] != right[i]) return left[i] < right[i];
        }
        return left.length < right.length;
    }

    function _equal(string memory left, string memory right) internal pure returns (bool) {
        return keccak256(bytes(left)) == keccak256(bytes(right));
    }

    /// @dev The broadcast and the track of an index file: what stands before and after its last slash, without the ending.
    function _parts(string memory file) internal pure returns (string memory broadcast, string memory track) {
        string[] memory names = vm.split(file, "/");
        broadcast = names[0];
        for (uint256 i = 1; i + 1 < names.length; ++i) {
            broadcast = string.concat(broadcast, "/", names[i]);
        }
        track = vm.replace(names[names.length - 1], ".jsonl", "");
    }

    function _endsWith(string memory text, string memory end) internal pure returns (bool) {
        (bytes memory whole, bytes memory part) = (bytes(text), bytes(end));
        if (whole.length < part.length) return false;
        for (uint256 i = 0; i < part.length; ++i) {
            if (whole[whole.length - part.length + i] != part[i]) return false;
        }
        return true;
    }
}
