// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {ObservationHeader} from "../interfaces/IEveryChannelObservationLedger.sol";
import {VectorFiles} from "./VectorFiles.sol";
import {Vm, vm} from "./Vm.sol";

/// @notice Recomputes every hash of the shared vectors from their records, with Solidity's own abi.encode and keccak256,
/// so that this language and every other that reads those files hash alike. The rules are those of docs/protocol.md.
/// @dev Vectors with a `raw` key are about reading lines, which is not this test's; expected lines without a header have
/// nothing to hash. Nor are lanes cut here: at which records a segment begins is taken from the vector's `segments`, and
/// what is checked is all that follows from that.
contract VectorsTest is VectorFiles {
    /// @dev One expected line, and what its hashes are made of.
    struct Epoch {
        string streamId;
        string epochId;
        string broadcast;
        string[] tracks; // sorted by their bytes
        uint256 groupsPerEpoch;
        uint256 index;
        uint256 segment;
        bool isOfLane;
    }

    function test_vectors_hashAlike() public view {
        Vm.DirEntry[] memory entries = vm.readDir(string.concat(_archives(), "vectors"));
        uint256 lines = 0;
        uint256 lanes = 0;
        for (uint256 i = 0; i < entries.length; ++i) {
            if (!_endsWith(entries[i].path, ".json")) continue;
            string memory json = vm.readFile(entries[i].path);
            if (vm.keyExistsJson(json, ".raw") || vm.keyExistsJson(json, ".error")) continue;
            bool isOfLanes = _equal(vm.parseJsonString(json, ".numbering"), "session");
            uint256 checked = this.checkVector(json);
            if (isOfLanes) lanes += checked;
            else lines += checked;
        }
        vm.assertGe(lines, 40, "lines compared");
        vm.assertGe(lanes, 100, "lines of lanes compared");
    }

    /// @dev Of a candidate that is of no session only the header's own hashes are known.
    function test_sessionVectors_hashAlike() public view {
        Vm.DirEntry[] memory entries = vm.readDir(string.concat(_archives(), "vectors/sessions"));
        uint256 decoded = 0;
        for (uint256 i = 0; i < entries.length; ++i) {
            string memory json = vm.readFile(entries[i].path);
            uint256 candidate = 0;
            for (uint256 j = 0; vm.keyExistsJson(json, _item(".log", j)); ++j) {
                string memory proposed = string.concat(_item(".log", j), ".proposed");
                if (!vm.keyExistsJson(json, proposed)) continue;
                if (_checkCandidate(json, proposed, _item(".expected.candidates", candidate))) ++decoded;
                ++candidate;
            }
        }
        vm.assertGe(decoded, 40, "candidates decoded");
    }

    function _checkCandidate(string memory json, string memory proposed, string memory expected)
        private
        view
        returns (bool isOfSession)
    {
        ObservationHeader memory header = _parseHeader(json, string.concat(proposed, ".header"));
        bytes32 slot = vm.parseJsonBytes32(json, string.concat(proposed, ".slot"));
        vm.assertEq(ledger.slotOf(header.streamHash, header.epochHash), slot, "slot");
        bytes32 hash = vm.parseJsonBytes32(json, string.concat(proposed, ".observation_hash"));
        vm.assertEq(ledger.observationHash(header), hash, "observation_hash");

        isOfSession = vm.keyExistsJson(json, string.concat(expected, ".mark"));
        if (!isOfSession) return false;
        Epoch memory epoch;
        epoch.streamId = vm.parseJsonString(json, ".lane.stream_id");
        epoch.broadcast = vm.parseJsonString(json, ".lane.locator_broadcast");
        epoch.tracks = new string[](1);
        epoch.tracks[0] = vm.parseJsonString(json, ".lane.track");
        uint256 mark = vm.parseJsonUint(json, string.concat(expected, ".mark"));
        uint256 index = vm.parseJsonUint(json, string.concat(expected, ".index"));
        epoch.epochId = _laneEpochId(vm.parseJsonUint(json, ".lane.groups_per_epoch"), mark, index);
        vm.assertEq(header.streamHash, keccak256(bytes(epoch.streamId)), "streamHash");
        vm.assertEq(header.epochHash, keccak256(bytes(epoch.epochId)), "epochHash");
        vm.assertEq(header.locatorHash, _locatorHash(epoch), "locatorHash");
        vm.assertEq(header.sequence, mark + index, "sequence");
    }

    /// @notice Checks one vector, and says how many lines it has. A call of its own, whose memory ends with it.
    function checkVector(string calldata text) external view returns (uint256 lines) {
        Vector memory vector = _load(text);
        for (uint256 i = 0; vm.keyExistsJson(vector.json, _item(".expected", i)); ++i) {
            if (!vm.keyExistsJson(vector.json, string.concat(_item(".expected", i), ".header.streamHash"))) continue;
            if (_isBesideLanes(vector.json, _item(".expected", i))) continue;
            _checkLine(vector, _item(".expected", i));
            ++lines;
        }
    }

    /// @dev Of an archive that is not in the vector itself only the files of lanes are known.
    function _isBesideLanes(string memory json, string memory line) private view returns (bool) {
        return vm.keyExistsJson(json, ".archive") && !vm.keyExistsJson(json, string.concat(line, ".session"));
    }

    function _checkLine(Vector memory vector, string memory line) private view {
        string memory json = vector.json;
        ObservationHeader memory header = _parseHeader(json, string.concat(line, ".header"));
        Epoch memory epoch = _epoch(vector, line, header.sequence);

        vm.assertEq(header.streamHash, keccak256(bytes(epoch.streamId)), "streamHash");
        vm.assertEq(header.epochHash, keccak256(bytes(epoch.epochId)), "epochHash");
        string memory epochId = vm.parseJsonString(json, string.concat(line, ".epoch_id"));
        vm.assertEq(keccak256(bytes(epochId)), keccak256(bytes(epoch.epochId)), "epoch_id");
        vm.assertEq(header.locatorHash, _locatorHash(epoch), "locatorHash");

        bytes32[] memory leaves = _leaves(vector, epoch);
        vm.assertEq(leaves.length, vm.parseJsonUint(json, string.concat(line, ".leaf_count")), "leaf_count");
        vm.assertEq(header.dataRoot, keccak256(abi.encode(leaves.length, _root(leaves, 0, leaves.length))), "dataRoot");
        bool isWhole = leaves.length == epoch.tracks.length * epoch.groupsPerEpoch;
        vm.assertEq(vm.parseJsonBool(json, string.concat(line, ".complete")), isWhole);

        bytes32 slot = vm.parseJsonBytes32(json, string.concat(line, ".slot"));
        vm.assertEq(ledger.slotOf(header.streamHash, header.epochHash), slot, "slot");
        bytes32 hash = vm.parseJsonBytes32(json, string.concat(line, ".observation_hash"));
        vm.assertEq(ledger.observationHash(header), hash, "observation_hash");
    }

    function _epoch(Vector memory vector, string memory line, uint256 sequence)
        private
        view
        returns (Epoch memory epoch)
    {
        string memory json = vector.json;
        epoch.streamId = vm.parseJsonString(json, string.concat(line, ".stream_id"));
        epoch.groupsPerEpoch = vm.parseJsonUint(json, ".groups_per_epoch");
        epoch.isOfLane = vm.keyExistsJson(json, string.concat(line, ".session"));
        if (!epoch.isOfLane) {
            epoch.broadcast = epoch.streamId;
            epoch.tracks = _sorted(vm.parseJsonStringArray(json, ".tracks"));
            epoch.index = sequence;
            epoch.epochId =
                string.concat("ec/epoch/v1/g", vm.toString(epoch.groupsPerEpoch), "/", vm.toString(sequence));
            return epoch;
        }
        (string memory broadcast, string memory track) = _lane(vector.files, epoch.streamId);
        string memory rule = string.concat(".streams['", broadcast, "'].groups_per_epoch_of['", track, "']");
        if (vm.keyExistsJson(json, rule)) epoch.groupsPerEpoch = vm.parseJsonUint(json, rule);
        epoch.broadcast = broadcast;
        epoch.tracks = new string[](1);
        epoch.tracks[0] = track;
        uint256 mark = vm.parseJsonUint(json, string.concat(line, ".session.mark"));
        epoch.index = vm.parseJsonUint(json, string.concat(line, ".session.index"));
        epoch.segment = vm.parseJsonUint(json, string.concat(line, ".session.segment"));
        vm.assertEq(sequence, mark + epoch.index, "sequence");
        epoch.epochId = _laneEpochId(epoch.groupsPerEpoch, mark, epoch.index);
    }

    /// @dev The broadcast and track whose lane has this stream id: those of the file that it is made from.
    function _lane(string[] memory files, string memory streamId)
        private
        pure
        returns (string memory broadcast, string memory track)
    {
        for (uint256 i = 0; i < files.length; ++i) {
            (broadcast, track) = _parts(files[i]);
            if (_equal(string.concat(broadcast, "/track/", track), streamId)) return (broadcast, track);
        }
        revert(string.concat("no file of ", streamId));
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
    function _leaves(Vector memory vector, Epoch memory epoch) private pure returns (bytes32[] memory leaves) {
        leaves = new bytes32[](epoch.tracks.length * epoch.groupsPerEpoch);
        uint256 count = 0;
        for (uint256 i = 0; i < epoch.tracks.length; ++i) {
            string memory file = string.concat(epoch.broadcast, "/", epoch.tracks[i], ".jsonl");
            Record[] memory records = _records(vector, epoch, file);
            for (uint256 j = 0; j < records.length; ++j) {
                if (records[j].blake3Hash == 0) continue;
                leaves[count++] = keccak256(
                    abi.encode(
                        keccak256(bytes(epoch.tracks[i])),
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

    /// @dev The records of one file that belong to the epoch, each at its place in the epoch; of a lane, those of its segment.
    function _records(Vector memory vector, Epoch memory epoch, string memory file)
        private
        pure
        returns (Record[] memory records)
    {
        records = new Record[](epoch.groupsPerEpoch);
        for (uint256 i = 0; i < vector.files.length; ++i) {
            if (!_equal(vector.files[i], file)) continue;
            Record[] memory all = vector.records[i];
            (uint256 from, uint256 to) = (0, all.length);
            if (epoch.isOfLane) (from, to) = _segment(vector.json, file, epoch.segment, all.length);
            for (uint256 j = from; j < to; ++j) {
                if (all[j].sequence / epoch.groupsPerEpoch != epoch.index) continue;
                records[all[j].sequence % epoch.groupsPerEpoch] = all[j];
            }
        }
    }

    /// @dev Where a segment begins and ends among the records of its file, as the vector says.
    function _segment(string memory json, string memory file, uint256 segment, uint256 count)
        private
        pure
        returns (uint256 from, uint256 to)
    {
        uint256[] memory begins = vm.parseJsonUintArray(json, string.concat(".segments['", file, "']"));
        return (begins[segment], segment + 1 < begins.length ? begins[segment + 1] : count);
    }

    /// @dev The tree of RFC 6962, 2.1, over leaves[from, from + count): split at the largest power of two below count.
    function _root(bytes32[] memory leaves, uint256 from, uint256 count) private pure returns (bytes32) {
        if (count == 1) return leaves[from];
        uint256 split = 1;
        while (split * 2 < count) split *= 2;
        return keccak256(abi.encode(_root(leaves, from, split), _root(leaves, from + split, count - split)));
    }

    /// @dev keccak256 of the canonical JSON; the names in the vectors need no escapes.
    function _locatorHash(Epoch memory epoch) private pure returns (bytes32) {
        string memory list = "";
        for (uint256 i = 0; i < epoch.tracks.length; ++i) {
            list = string.concat(list, i == 0 ? "" : ",", '"', epoch.tracks[i], '"');
        }
        return keccak256(
            bytes(
                string.concat(
                    '{"broadcast":"',
                    epoch.broadcast,
                    '","epoch_id":"',
                    epoch.epochId,
                    '","objects":"blake3","stream_id":"',
                    epoch.streamId,
                    '","tracks":[',
                    list,
                    '],"v":1}'
                )
            )
        );
    }

    function _laneEpochId(uint256 groupsPerEpoch, uint256 mark, uint256 index) private pure returns (string memory) {
        return
            string.concat("ec/epoch/v2/g", vm.toString(groupsPerEpoch), "/", vm.toString(mark), "/", vm.toString(index));
    }
}
