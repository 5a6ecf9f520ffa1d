/** The observation header and its hashes: protocol §3.2. */

import { keccak_256 } from "@noble/hashes/sha3.js";

import { bytesOf, concat, hashOf, word, type Hash } from "./hex.ts";

export interface Header {
    readonly streamHash: Hash;
    readonly epochHash: Hash;
    readonly parentObservationHash: Hash;
    readonly dataRoot: Hash;
    readonly locatorHash: Hash;
    readonly observedUnixMs: bigint;
    readonly sequence: bigint;
}

export function keccak(...parts: Uint8Array[]): Hash {
    return hashOf(keccak_256(concat(...parts)));
}

/** keccak256 of a text's UTF-8 bytes: of a stream's id, an epoch's id, a track's name. */
export function keccakText(text: string): Hash {
    return keccak(new TextEncoder().encode(text));
}

/** keccak256 of the ABI-encoded header, 224 bytes. */
export function observationHash(header: Header): Hash {
    return keccak(
        bytesOf(header.streamHash),
        bytesOf(header.epochHash),
        bytesOf(header.parentObservationHash),
        bytesOf(header.dataRoot),
        bytesOf(header.locatorHash),
        word(header.observedUnixMs),
        word(header.sequence),
    );
}

/** keccak256(abi.encode(streamHash, epochHash)): the place on the ledger. */
export function slotOf(header: Pick<Header, "streamHash" | "epochHash">): Hash {
    return keccak(bytesOf(header.streamHash), bytesOf(header.epochHash));
}
