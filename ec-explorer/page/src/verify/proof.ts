/** A proof as `ec-witness prove` prints it: protocol §6.4. */

import type { Hash } from "./hex.ts";
import { parseJson, writeJson, type Json } from "./json.ts";
import { observationHash, slotOf, type Header } from "./observation.ts";
import { climb, dataRoot, leafHash, type PathStep } from "./tree.ts";

export interface Proof {
    readonly v: bigint;
    readonly header: Header;
    readonly track: string;
    readonly groupSequence: bigint;
    readonly blake3: Hash;
    readonly sizeBytes: bigint;
    readonly index: bigint;
    readonly leafCount: bigint;
    readonly path: readonly Hash[];
}

const VERSION = 1n;
const U64_LIMIT = 1n << 64n;

/** What is wrong with a text that should be a proof; names the field. */
export class NotAProof extends Error {}

function fields(value: Json | undefined, what: string, names: readonly string[]): { [name: string]: Json } {
    if (value === null || typeof value !== "object" || Array.isArray(value)) throw new NotAProof(`${what} is not an object`);
    const unknown = Object.keys(value).find((name) => !names.includes(name));
    if (unknown !== undefined) throw new NotAProof(`${what} has a field ${JSON.stringify(unknown)} that no proof has`);
    const missing = names.find((name) => !Object.hasOwn(value, name));
    if (missing !== undefined) throw new NotAProof(`${what} lacks the field ${JSON.stringify(missing)}`);
    return value;
}

function number(value: Json | undefined, name: string): bigint {
    if (typeof value === "bigint" && value >= 0n && value < U64_LIMIT) return value;
    throw new NotAProof(`${name} is not a whole number from 0 to 2^64-1`);
}

function hash(value: Json | undefined, name: string, prefix: "0x" | "" = "0x"): Hash {
    const pattern = prefix === "" ? /^[0-9a-fA-F]{64}$/ : /^0x[0-9a-fA-F]{64}$/;
    if (typeof value !== "string" || !pattern.test(value)) throw new NotAProof(`${name} is not ${prefix}64 hex digits`);
    return `0x${value.slice(prefix.length).toLowerCase()}`;
}

function text(value: Json | undefined, name: string): string {
    if (typeof value === "string") return value;
    throw new NotAProof(`${name} is not a string`);
}

const HEADER_FIELDS = [
    "streamHash",
    "epochHash",
    "parentObservationHash",
    "dataRoot",
    "locatorHash",
    "observedUnixMs",
    "sequence",
];
const PROOF_FIELDS = ["v", "header", "track", "group_sequence", "blake3", "size_bytes", "index", "leaf_count", "path"];

export function parseHeader(value: Json | undefined): Header {
    const header = fields(value, "header", HEADER_FIELDS);
    return {
        streamHash: hash(header.streamHash, "header.streamHash"),
        epochHash: hash(header.epochHash, "header.epochHash"),
        parentObservationHash: hash(header.parentObservationHash, "header.parentObservationHash"),
        dataRoot: hash(header.dataRoot, "header.dataRoot"),
        locatorHash: hash(header.locatorHash, "header.locatorHash"),
        observedUnixMs: number(header.observedUnixMs, "header.observedUnixMs"),
        sequence: number(header.sequence, "header.sequence"),
    };
}

/** Throws [`NotAProof`] that names the field. */
export function parseProof(source: string): Proof {
    let value: Json;
    try {
        value = parseJson(source);
    } catch (error) {
        throw new NotAProof(`this is not JSON: ${(error as Error).message}`, { cause: error });
    }
    const proof = fields(value, "the proof", PROOF_FIELDS);
    const v = number(proof.v, "v");
    if (v !== VERSION) throw new NotAProof(`v is ${v}, this page knows ${VERSION}`);
    if (!Array.isArray(proof.path)) throw new NotAProof("path is not a list");
    return {
        v,
        header: parseHeader(proof.header),
        track: text(proof.track, "track"),
        groupSequence: number(proof.group_sequence, "group_sequence"),
        blake3: hash(proof.blake3, "blake3", ""),
        sizeBytes: number(proof.size_bytes, "size_bytes"),
        index: number(proof.index, "index"),
        leafCount: number(proof.leaf_count, "leaf_count"),
        path: proof.path.map((sibling, at) => hash(sibling, `path[${at}]`)),
    };
}

/** The proof as `check-proof` takes it. */
export function writeProof(proof: Proof): string {
    return writeJson({
        v: proof.v,
        header: { ...proof.header },
        track: proof.track,
        group_sequence: proof.groupSequence,
        blake3: proof.blake3.slice(2),
        size_bytes: proof.sizeBytes,
        index: proof.index,
        leaf_count: proof.leafCount,
        path: [...proof.path],
    });
}

/** What the numbers of a proof come to. Nothing here is believed: all of it was computed. */
export interface Computed {
    readonly leaf: Hash;
    /** `null` where the path does not fit the position. */
    readonly climbed: { readonly root: Hash; readonly steps: readonly PathStep[] } | null;
    readonly dataRoot: Hash | null;
    readonly observation: Hash;
    readonly slot: Hash;
}

export function compute(proof: Proof): Computed {
    const leaf = leafHash(proof);
    const climbed = climb(leaf, proof.index, proof.leafCount, proof.path);
    return {
        leaf,
        climbed,
        dataRoot: climbed === null ? null : dataRoot(proof.leafCount, climbed.root),
        observation: observationHash(proof.header),
        slot: slotOf(proof.header),
    };
}

/** Whether the record is the leaf at its place under the header's data root. */
export function holds(proof: Proof): boolean {
    return compute(proof).dataRoot === proof.header.dataRoot;
}

/** The hash without `0x`, as archives and file names write BLAKE3. */
export function plain(blake3: Hash): string {
    return blake3.slice(2);
}
