// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {TwoStepOwnable} from "./access/TwoStepOwnable.sol";
import {IEveryChannelObservationLedger, ObservationHeader} from "./interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelRail} from "./interfaces/IEveryChannelRail.sol";

/// @title The compact store of pointers
contract EveryChannelRail is IEveryChannelRail, TwoStepOwnable {
    /// @notice Where the data of a slot is.
    struct Pointer {
        bytes32 manifestHash;
        bytes32 dataRoot;
        bytes32 locatorHash;
        bool settled;
    }

    IEveryChannelObservationLedger private immutable LEDGER;

    /// @inheritdoc IEveryChannelRail
    mapping(address account => bool) public isPublisher;

    /// @inheritdoc IEveryChannelRail
    mapping(bytes32 streamHash => bytes32) public announcementOf;

    /// @inheritdoc IEveryChannelRail
    mapping(bytes32 slot => Pointer) public pointerOf;

    modifier onlyPublisher() {
        if (!isPublisher[msg.sender]) revert NotPublisher(msg.sender);
        _;
    }

    /// @param initialOwner Who names the publishers.
    /// @param ledger_ Whose final observations settle here.
    constructor(address initialOwner, IEveryChannelObservationLedger ledger_) TwoStepOwnable(initialOwner) {
        if (address(ledger_).code.length == 0) revert NoCode(address(ledger_));
        LEDGER = ledger_;
    }

    /// @inheritdoc IEveryChannelRail
    function addPublisher(address publisher) external onlyOwner {
        if (publisher == address(0)) revert InvalidPublisher(publisher);
        if (isPublisher[publisher]) revert AlreadyPublisher(publisher);
        isPublisher[publisher] = true;
        emit PublisherAdded(publisher);
    }

    /// @inheritdoc IEveryChannelRail
    function removePublisher(address publisher) external onlyOwner {
        if (!isPublisher[publisher]) revert NotPublisher(publisher);
        isPublisher[publisher] = false;
        emit PublisherRemoved(publisher);
    }

    /// @inheritdoc IEveryChannelRail
    function publishManifest(
        bytes32 streamHash,
        bytes32 epochHash,
        bytes32 manifestHash,
        bytes32 dataRoot,
        bytes32 locatorHash
    ) external onlyPublisher {
        bytes32 slot = LEDGER.slotOf(streamHash, epochHash);
        if (pointerOf[slot].settled) revert SlotSettled(slot, pointerOf[slot].manifestHash);
        pointerOf[slot] =
            Pointer({manifestHash: manifestHash, dataRoot: dataRoot, locatorHash: locatorHash, settled: false});
        emit ManifestPublished(slot, streamHash, msg.sender, epochHash, manifestHash, dataRoot, locatorHash);
    }

    /// @inheritdoc IEveryChannelRail
    function announce(bytes32 streamHash, bytes32 announcementHash) external onlyPublisher {
        announcementOf[streamHash] = announcementHash;
        emit StreamAnnounced(streamHash, msg.sender, announcementHash);
    }

    /// @inheritdoc IEveryChannelRail
    function settle(ObservationHeader calldata header) external {
        (bytes32 slot, bytes32 hash, bool isFinal) = _look(header);
        if (!isFinal) revert NotFinal(slot, hash);
        if (!pointerOf[slot].settled) _settle(slot, hash, header);
    }

    /// @inheritdoc IEveryChannelRail
    function settleBatch(ObservationHeader[] calldata headers) external {
        for (uint256 i = 0; i < headers.length; ++i) {
            (bytes32 slot, bytes32 hash, bool isFinal) = _look(headers[i]);
            if (!isFinal) {
                emit SettlementSkipped(slot, hash, abi.encodeWithSelector(NotFinal.selector, slot, hash));
            } else if (pointerOf[slot].settled) {
                emit SettlementSkipped(slot, hash, abi.encodeWithSelector(SlotSettled.selector, slot, hash));
            } else {
                _settle(slot, hash, headers[i]);
            }
        }
    }

    /// @inheritdoc IEveryChannelRail
    function ledger() external view returns (IEveryChannelObservationLedger) {
        return LEDGER;
    }

    /// @dev The header's slot and hash, and whether it is what the ledger finalized there. The calls of a batch are to the
    /// one ledger of this rail, and to views of it that cannot fail.
    function _look(ObservationHeader calldata header) private view returns (bytes32 slot, bytes32 hash, bool isFinal) {
        // slither-disable-start calls-loop
        slot = LEDGER.slotOf(header.streamHash, header.epochHash);
        hash = LEDGER.observationHash(header);
        isFinal = LEDGER.finalizedObservation(slot) == hash;
        // slither-disable-end calls-loop
    }

    /// @dev Makes a final header the pointer of its slot. Checks are the caller's.
    function _settle(bytes32 slot, bytes32 hash, ObservationHeader calldata header) private {
        pointerOf[slot] =
            Pointer({manifestHash: hash, dataRoot: header.dataRoot, locatorHash: header.locatorHash, settled: true});
        emit PointerSettled(slot, hash, header.streamHash, header.dataRoot, header.locatorHash);
    }
}
