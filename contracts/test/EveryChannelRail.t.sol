// SPDX-License-Identifier: MIT OR Apache-2.0
pragma solidity 0.8.37;

import {Ownable} from "@openzeppelin/contracts/access/Ownable.sol";

import {EveryChannelRail} from "../EveryChannelRail.sol";
import {
    IEveryChannelObservationLedger as ILedger,
    ObservationHeader
} from "../interfaces/IEveryChannelObservationLedger.sol";
import {IEveryChannelRail as IRail} from "../interfaces/IEveryChannelRail.sol";
import {Fixture} from "./Fixture.sol";
import {vm} from "./Vm.sol";

contract EveryChannelRailTest is Fixture {
    address private constant PUBLISHER = address(0x9b);
    bytes32 private constant MANIFEST = keccak256("manifest");
    bytes32 private constant DATA = keccak256("data");
    bytes32 private constant LOCATOR = keccak256("locator");

    EveryChannelRail private rail;
    ObservationHeader private header = _header(7, 0);
    bytes32 private slot = _slot(header);
    bytes32 private hash = _hash(header);

    function setUp() public override {
        super.setUp();
        rail = new EveryChannelRail(OWNER, ledger);
        vm.prank(OWNER);
        rail.addPublisher(PUBLISHER);
    }

    function test_constructor_noContract_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.NoCode.selector, STRANGER));
        new EveryChannelRail(OWNER, ILedger(STRANGER));
    }

    function test_constructor_noOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableInvalidOwner.selector, address(0)));
        new EveryChannelRail(address(0), ledger);
    }

    function test_constructor_keepsLedgerAndOwner() public view {
        vm.assertEq(address(rail.ledger()), address(ledger));
        vm.assertEq(rail.owner(), OWNER);
    }

    function test_addPublisher_adds() public {
        vm.assertFalse(rail.isPublisher(STRANGER));
        _expectEmit(address(rail));
        emit IRail.PublisherAdded(STRANGER);
        vm.prank(OWNER);
        rail.addPublisher(STRANGER);
        vm.assertTrue(rail.isPublisher(STRANGER));
    }

    function test_addPublisher_already_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.AlreadyPublisher.selector, PUBLISHER));
        vm.prank(OWNER);
        rail.addPublisher(PUBLISHER);
    }

    function test_addPublisher_zeroAddress_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.InvalidPublisher.selector, address(0)));
        vm.prank(OWNER);
        rail.addPublisher(address(0));
    }

    function test_addPublisher_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, PUBLISHER));
        vm.prank(PUBLISHER);
        rail.addPublisher(STRANGER);
    }

    function test_removePublisher_removes() public {
        _expectEmit(address(rail));
        emit IRail.PublisherRemoved(PUBLISHER);
        vm.prank(OWNER);
        rail.removePublisher(PUBLISHER);
        vm.assertFalse(rail.isPublisher(PUBLISHER));
        vm.expectRevert(abi.encodeWithSelector(IRail.NotPublisher.selector, PUBLISHER));
        _publish();
    }

    function test_removePublisher_isNone_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.NotPublisher.selector, STRANGER));
        vm.prank(OWNER);
        rail.removePublisher(STRANGER);
    }

    function test_removePublisher_notOwner_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(Ownable.OwnableUnauthorizedAccount.selector, STRANGER));
        vm.prank(STRANGER);
        rail.removePublisher(PUBLISHER);
    }

    function test_transferOwnership_takesTwoSteps() public {
        vm.prank(OWNER);
        rail.transferOwnership(STRANGER);
        vm.assertEq(rail.owner(), OWNER);
        vm.prank(STRANGER);
        rail.acceptOwnership();
        vm.assertEq(rail.owner(), STRANGER);
    }

    function test_publishManifest_writesThePointer() public {
        _assertPointer(0, 0, 0, false);
        _expectEmit(address(rail));
        emit IRail.ManifestPublished(slot, header.streamHash, PUBLISHER, header.epochHash, MANIFEST, DATA, LOCATOR);
        _publish();
        _assertPointer(MANIFEST, DATA, LOCATOR, false);
    }

    function test_publishManifest_again_overwrites() public {
        _publish();
        vm.prank(PUBLISHER);
        rail.publishManifest(header.streamHash, header.epochHash, LOCATOR, MANIFEST, DATA);
        _assertPointer(LOCATOR, MANIFEST, DATA, false);
    }

    function test_publishManifest_notPublisher_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.NotPublisher.selector, STRANGER));
        vm.prank(STRANGER);
        rail.publishManifest(header.streamHash, header.epochHash, MANIFEST, DATA, LOCATOR);
    }

    function test_publishManifest_settled_reverts() public {
        _finalizeHeader();
        rail.settle(header);
        vm.expectRevert(abi.encodeWithSelector(IRail.SlotSettled.selector, slot, hash));
        _publish();
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    /// @notice Final on the ledger alone does not lock the pointer; anyone can settle it at any time.
    function test_publishManifest_finalNotSettled_overwrites() public {
        _finalizeHeader();
        _publish();
        _assertPointer(MANIFEST, DATA, LOCATOR, false);
        rail.settle(header);
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    function test_announce_keepsTheLatest() public {
        vm.startPrank(PUBLISHER);
        rail.announce(header.streamHash, MANIFEST);
        _expectEmit(address(rail));
        emit IRail.StreamAnnounced(header.streamHash, PUBLISHER, DATA);
        rail.announce(header.streamHash, DATA);
        vm.assertEq(rail.announcementOf(header.streamHash), DATA);
        vm.assertEq(rail.announcementOf(LOCATOR), 0);
    }

    function test_announce_notPublisher_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.NotPublisher.selector, STRANGER));
        vm.prank(STRANGER);
        rail.announce(header.streamHash, MANIFEST);
    }

    function test_settle_replacesThePointer() public {
        _publish();
        _finalizeHeader();
        _expectEmit(address(rail));
        emit IRail.PointerSettled(slot, hash, header.streamHash, header.dataRoot, header.locatorHash);
        vm.prank(STRANGER);
        rail.settle(header);
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    function test_settle_again_isANoop() public {
        _finalizeHeader();
        rail.settle(header);
        vm.recordLogs();
        rail.settle(header);
        vm.assertEq(vm.getRecordedLogs().length, 0);
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    function test_settle_notFinal_reverts() public {
        vm.expectRevert(abi.encodeWithSelector(IRail.NotFinal.selector, slot, hash));
        rail.settle(header);
        _propose(0, header, 0);
        _attest(1, header);
        vm.expectRevert(abi.encodeWithSelector(IRail.NotFinal.selector, slot, hash));
        rail.settle(header);
    }

    function test_settle_anotherIsFinal_reverts() public {
        _finalizeHeader();
        rail.settle(header);
        ObservationHeader memory rival = _header(7, 1);
        vm.expectRevert(abi.encodeWithSelector(IRail.NotFinal.selector, slot, _hash(rival)));
        rail.settle(rival);
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    function test_settleBatch_settlesEach() public {
        ObservationHeader[] memory headers = _finalHeaders(3);
        for (uint256 i = 0; i < 3; ++i) {
            _expectEmit(address(rail));
            emit IRail.PointerSettled(
                _slot(headers[i]), _hash(headers[i]), headers[i].streamHash, headers[i].dataRoot, headers[i].locatorHash
            );
        }
        vm.prank(STRANGER);
        rail.settleBatch(headers);
        for (uint256 i = 0; i < 3; ++i) {
            _assertSettledOn(rail, headers[i]);
        }
    }

    function test_settleBatch_skipsNotFinal() public {
        ObservationHeader[] memory headers = _finalHeaders(3);
        headers[0] = _header(7, 0);
        headers[1] = _header(1, 1); // another one is final in its slot
        _expectSkip(headers[0], IRail.NotFinal.selector);
        _expectSkip(headers[1], IRail.NotFinal.selector);
        rail.settleBatch(headers);
        _assertPointer(0, 0, 0, false);
        (,,, bool settled) = rail.pointerOf(_slot(headers[1]));
        vm.assertFalse(settled);
        _assertSettledOn(rail, headers[2]);
    }

    function test_settleBatch_skipsSettled() public {
        ObservationHeader[] memory headers = _finalHeaders(3);
        rail.settle(headers[1]);
        headers[2] = headers[0]; // settled by the one before it
        _expectSkip(headers[1], IRail.SlotSettled.selector);
        _expectSkip(headers[0], IRail.SlotSettled.selector);
        rail.settleBatch(headers);
        _assertSettledOn(rail, headers[0]);
        _assertSettledOn(rail, headers[1]);
    }

    function test_settleBatch_replacesThePointer() public {
        _publish();
        _finalizeHeader();
        ObservationHeader[] memory headers = new ObservationHeader[](1);
        headers[0] = header;
        rail.settleBatch(headers);
        _assertPointer(hash, header.dataRoot, header.locatorHash, true);
    }

    function test_settleBatch_nothing_isANoop() public {
        vm.recordLogs();
        rail.settleBatch(new ObservationHeader[](0));
        vm.assertEq(vm.getRecordedLogs().length, 0);
    }

    /// @notice A batch leaves what settling each of its headers alone leaves, where those that revert are passed over; and
    /// it tells of each header, once.
    function testFuzz_settleBatch_isSettlingEach(uint8[12] calldata kinds) public {
        EveryChannelRail other = new EveryChannelRail(OWNER, ledger);
        ObservationHeader[] memory finals = _finalHeaders(4);
        ObservationHeader[] memory headers = new ObservationHeader[](kinds.length);
        for (uint256 i = 0; i < kinds.length; ++i) {
            uint64 which = kinds[i] % 4;
            if (kinds[i] / 4 % 3 == 0) headers[i] = _header(which, 1); // a rival
            else if (kinds[i] / 4 % 3 == 1) headers[i] = _header(100 + which, 0); // nobody's
            else headers[i] = finals[which];
            try other.settle(headers[i]) {} catch {}
        }
        vm.recordLogs();
        rail.settleBatch(headers);
        vm.assertEq(vm.getRecordedLogs().length, headers.length, "told of each");
        for (uint256 i = 0; i < headers.length; ++i) {
            bytes32 each = _slot(headers[i]);
            vm.assertEq(_digest(rail, each), _digest(other, each), "as settled alone");
        }
    }

    /// @notice A settled pointer is the finalized one for ever, whatever a publisher does and whatever any header says.
    function testFuzz_settle_isForEver(ObservationHeader calldata any, bytes32 manifestHash, bytes32 dataRoot) public {
        vm.prank(_witness(0));
        ledger.propose(any, 0);
        _attest(1, any);
        _attest(2, any);
        rail.settle(any);
        vm.expectRevert(abi.encodeWithSelector(IRail.SlotSettled.selector, _slot(any), _hash(any)));
        vm.prank(PUBLISHER);
        rail.publishManifest(any.streamHash, any.epochHash, manifestHash, dataRoot, 0);
        (bytes32 a, bytes32 b, bytes32 c, bool settled) = rail.pointerOf(_slot(any));
        vm.assertEq(a, _hash(any));
        vm.assertEq(b, any.dataRoot);
        vm.assertEq(c, any.locatorHash);
        vm.assertTrue(settled);
    }

    function _publish() private {
        vm.prank(PUBLISHER);
        rail.publishManifest(header.streamHash, header.epochHash, MANIFEST, DATA, LOCATOR);
    }

    function _finalizeHeader() private {
        _finalize(header);
    }

    function _finalize(ObservationHeader memory voted) private {
        _propose(0, voted, 0);
        _attest(1, voted);
        _attest(2, voted);
    }

    /// @dev Headers of sequence 0, 1, …, final on the ledger.
    function _finalHeaders(uint64 count) private returns (ObservationHeader[] memory headers) {
        headers = new ObservationHeader[](count);
        for (uint64 i = 0; i < count; ++i) {
            headers[i] = _header(i, 0);
            _finalize(headers[i]);
        }
    }

    function _expectSkip(ObservationHeader memory skipped, bytes4 why) private {
        _expectEmit(address(rail));
        emit IRail.SettlementSkipped(
            _slot(skipped), _hash(skipped), abi.encodeWithSelector(why, _slot(skipped), _hash(skipped))
        );
    }

    function _assertSettledOn(EveryChannelRail on, ObservationHeader memory settled) private view {
        bytes32 expected = keccak256(abi.encode(_hash(settled), settled.dataRoot, settled.locatorHash, true));
        vm.assertEq(_digest(on, _slot(settled)), expected);
    }

    /// @dev The pointer of a slot.
    function _digest(EveryChannelRail on, bytes32 which) private view returns (bytes32) {
        (bytes32 a, bytes32 b, bytes32 c, bool settled) = on.pointerOf(which);
        return keccak256(abi.encode(a, b, c, settled));
    }

    function _assertPointer(bytes32 manifestHash, bytes32 dataRoot, bytes32 locatorHash, bool settled) private view {
        (bytes32 a, bytes32 b, bytes32 c, bool d) = rail.pointerOf(slot);
        vm.assertEq(a, manifestHash);
        vm.assertEq(b, dataRoot);
        vm.assertEq(c, locatorHash);
        vm.assertEq(d, settled);
    }
}
