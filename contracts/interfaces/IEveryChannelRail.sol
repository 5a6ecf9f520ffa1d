// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {IEveryChannelObservationLedger, ObservationHeader} from "./IEveryChannelObservationLedger.sol";

/// @title The compact store of pointers
/// @notice For each slot, where its data is. Publishers, whom the owner names, write pointers at once; what a quorum of
/// witnesses finalized on the ledger replaces them and can never be overwritten.
interface IEveryChannelRail {
    /// @notice An address may publish from now on.
    event PublisherAdded(address indexed publisher);

    /// @notice An address may no longer publish.
    event PublisherRemoved(address indexed publisher);

    /// @notice A publisher wrote the pointer of a slot.
    /// @param slot The slot.
    /// @param streamHash keccak256 of the stream's id.
    /// @param publisher The publisher.
    /// @param epochHash keccak256 of the epoch's id.
    /// @param manifestHash Hash of the manifest.
    /// @param dataRoot Commitment to the epoch's records.
    /// @param locatorHash keccak256 of the canonical description of where they are.
    event ManifestPublished(
        bytes32 indexed slot,
        bytes32 indexed streamHash,
        address indexed publisher,
        bytes32 epochHash,
        bytes32 manifestHash,
        bytes32 dataRoot,
        bytes32 locatorHash
    );

    /// @notice A publisher announced something about a stream.
    /// @param streamHash keccak256 of the stream's id.
    /// @param publisher The publisher.
    /// @param announcementHash Hash of the announcement.
    event StreamAnnounced(bytes32 indexed streamHash, address indexed publisher, bytes32 announcementHash);

    /// @notice The pointer of a slot became the finalized one.
    /// @param slot The slot.
    /// @param observationHash The final observation, which is the pointer's `manifestHash` now.
    /// @param streamHash keccak256 of the stream's id.
    /// @param dataRoot The header's.
    /// @param locatorHash The header's.
    event PointerSettled(
        bytes32 indexed slot,
        bytes32 indexed observationHash,
        bytes32 indexed streamHash,
        bytes32 dataRoot,
        bytes32 locatorHash
    );

    /// @notice A header of a batch was passed over.
    /// @param slot The slot.
    /// @param observationHash The header's.
    /// @param reason The ABI-encoded error: `NotFinal`, or `SlotSettled` where this very header was settled before.
    event SettlementSkipped(bytes32 indexed slot, bytes32 indexed observationHash, bytes reason);

    /// @notice Thrown when the zero address is to become a publisher.
    error InvalidPublisher(address publisher);

    /// @notice Thrown when an address is to be added that is a publisher.
    error AlreadyPublisher(address publisher);

    /// @notice Thrown when the caller, or the address to be removed, is no publisher.
    error NotPublisher(address account);

    /// @notice Thrown when a publisher writes to a slot that is settled; in a batch, told of a header that is settled.
    error SlotSettled(bytes32 slot, bytes32 observationHash);

    /// @notice Thrown when a header is to be settled that is not final on the ledger.
    error NotFinal(bytes32 slot, bytes32 observationHash);

    /// @notice Thrown when the ledger given at deployment is no contract.
    error NoCode(address account);

    /// @notice Lets an address publish. Owner only.
    function addPublisher(address publisher) external;

    /// @notice Takes that right away. Owner only.
    function removePublisher(address publisher) external;

    /// @notice Writes the pointer of a slot, over the one before unless that is settled. Publishers only.
    function publishManifest(
        bytes32 streamHash,
        bytes32 epochHash,
        bytes32 manifestHash,
        bytes32 dataRoot,
        bytes32 locatorHash
    ) external;

    /// @notice Announces something about a stream; the latest announcement is kept. Publishers only.
    function announce(bytes32 streamHash, bytes32 announcementHash) external;

    /// @notice Makes the finalized observation the pointer of its slot, for ever. Anyone may call; again is a no-op.
    function settle(ObservationHeader calldata header) external;

    /// @notice `settle` for each header, each after the ones before it. One that is not final, or that is settled already, is
    /// skipped with `SettlementSkipped`; nothing reverts. Anyone may call.
    function settleBatch(ObservationHeader[] calldata headers) external;

    /// @notice The ledger whose final observations settle here.
    function ledger() external view returns (IEveryChannelObservationLedger);

    /// @notice Whether the address may publish.
    function isPublisher(address account) external view returns (bool);

    /// @notice The latest announcement of a stream, 0 if none.
    function announcementOf(bytes32 streamHash) external view returns (bytes32);

    /// @notice The pointer of a slot, all 0 if none.
    /// @return manifestHash Hash of the manifest; of a settled pointer, the observation's.
    /// @return dataRoot Commitment to the epoch's records.
    /// @return locatorHash keccak256 of the canonical description of where they are.
    /// @return settled Whether a quorum of witnesses stands behind it.
    function pointerOf(bytes32 slot)
        external
        view
        returns (bytes32 manifestHash, bytes32 dataRoot, bytes32 locatorHash, bool settled);
}
