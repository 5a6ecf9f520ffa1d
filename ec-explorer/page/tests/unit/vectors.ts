/** The project's vectors, read as the protocol says, to hold the page's own code against. For tests alone. */

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";

import type { Hash } from "../../src/verify/hex.ts";
import { parseJson, type Json } from "../../src/verify/json.ts";
import type { Header } from "../../src/verify/observation.ts";
import { parseHeader } from "../../src/verify/proof.ts";
import { nodeHash, type Leaf } from "../../src/verify/tree.ts";

export const ARCHIVES = join(import.meta.dirname, "../../../../archives");

type Obj = { [name: string]: Json };

export interface Expected {
    readonly streamId: string;
    readonly epochId: string;
    readonly slot: string;
    readonly leafCount: bigint;
    readonly observation: string;
    readonly header: Header;
    readonly segment: bigint | null;
    readonly index: bigint;
}

export interface Vector {
    readonly name: string;
    readonly expected: readonly Expected[];
    /** The records of each index file, in order; `null` where the vector is about how lines are read. */
    readonly files: ReadonlyMap<string, readonly Leaf[]> | null;
    /** Of lanes: with which records the segments of each file begin. */
    readonly segments: ReadonlyMap<string, readonly number[]>;
    readonly streams: Obj;
    /** The configured tracks, where they are. */
    readonly tracks: readonly string[] | null;
}

let read: Vector[] | undefined;

export function vectors(): Vector[] {
    return (read ??= readAll());
}

function readAll(): Vector[] {
    const directory = join(ARCHIVES, "vectors");
    const names = readdirSync(directory).filter((name) => name.endsWith(".json"));
    return names
        .map((name) => vector(name, parseJson(readFileSync(join(directory, name), "utf8")) as Obj))
        .filter(({ expected }) => expected.length > 0);
}

function vector(name: string, raw: Obj): Vector {
    const lines = (raw.expected ?? []) as Obj[];
    const segments = Object.entries((raw.segments ?? {}) as Obj).map(
        ([file, starts]) => [file, (starts as bigint[]).map(Number)] as const,
    );
    return {
        name,
        expected: lines.filter((line) => line.header != null).map(expected),
        files: filesOf(raw),
        segments: new Map(segments),
        streams: (raw.streams ?? {}) as Obj,
        tracks: (raw.tracks as string[] | undefined) ?? null,
    };
}

function expected(line: Obj): Expected {
    const session = line.session as Obj | null | undefined;
    const epochId = line.epoch_id as string;
    return {
        streamId: line.stream_id as string,
        epochId,
        slot: line.slot as string,
        leafCount: line.leaf_count as bigint,
        observation: line.observation_hash as string,
        header: parseHeader(line.header),
        segment: session == null ? null : (session.segment as bigint),
        index: BigInt(epochId.split("/").at(-1) ?? ""),
    };
}

function filesOf(raw: Obj): Map<string, Leaf[]> | null {
    if (raw.manifests !== undefined) {
        return new Map(
            Object.entries(raw.manifests as Obj).map(([file, records]) => [
                file,
                (records as Obj[]).map((record) => leaf(file, record)),
            ]),
        );
    }
    if (typeof raw.archive !== "string") return null;
    const manifests = join(ARCHIVES, raw.archive, "manifests");
    const files = readdirSync(manifests, { recursive: true, encoding: "utf8" }).filter((file) => file.endsWith(".jsonl"));
    const read = (file: string): Leaf[] =>
        readFileSync(join(manifests, file), "utf8")
            .split("\n")
            .filter((line) => line.trim() !== "")
            .map((line) => leaf(file, parseJson(line) as Obj));
    return new Map(files.map((file) => [file, read(file)]));
}

function leaf(file: string, record: Obj): Leaf {
    return {
        track: trackOf(file),
        groupSequence: BigInt(record.group_sequence as bigint | string),
        blake3: `0x${(record.blake3 as string).replace("blake3:", "").toLowerCase()}`,
        sizeBytes: BigInt(record.size_bytes as bigint | string),
    };
}

export function trackOf(file: string): string {
    return file.replace(/^.*\//, "").replace(/\.jsonl$/, "");
}

export function broadcastOf(file: string): string {
    return file.replace(/\/[^/]*$/, "");
}

/** The leaves of an epoch, in the tree's order: protocol §3.3. `null` where the vector does not say its records. */
export function leavesOf(vector: Vector, epoch: Expected): Leaf[] | null {
    if (vector.files === null) return null;
    const perEpoch = BigInt(/\/g([0-9]+)\//.exec(epoch.epochId)?.[1] ?? "0");
    const found: Leaf[] = [];
    for (const [file, records] of vector.files) {
        const broadcast = broadcastOf(file);
        const mapped = vector.streams[broadcast] as Obj | undefined;
        const id = (mapped?.stream_id as string | undefined) ?? broadcast;
        const isLane = epoch.segment !== null;
        const tracks = (mapped?.tracks as string[] | undefined) ?? vector.tracks;
        if (!isLane && tracks !== null && !tracks.includes(trackOf(file))) continue;
        if (epoch.streamId !== (isLane ? `${id}/track/${trackOf(file)}` : id)) continue;
        const starts = vector.segments.get(file) ?? [0];
        const segment = Number(epoch.segment ?? 0n);
        const inSegment = isLane ? records.slice(starts[segment], starts[segment + 1]) : records;
        found.push(...inSegment.filter(({ groupSequence }) => groupSequence / perEpoch === epoch.index));
    }
    return inOrder(found);
}

/** Distinct records, by the bytes of the track's name and the number. */
function inOrder(leaves: readonly Leaf[]): Leaf[] {
    const distinct = new Map(
        leaves.map((leaf) => [`${leaf.track} ${leaf.groupSequence} ${leaf.blake3} ${leaf.sizeBytes}`, leaf]),
    );
    const compare = (a: Leaf, b: Leaf): number =>
        Buffer.compare(Buffer.from(a.track), Buffer.from(b.track)) || Number(a.groupSequence - b.groupSequence);
    return [...distinct.values()].sort(compare);
}

/** The definition, word for word: split at the largest power of two below the number of leaves. */
export function rootOf(leaves: readonly Hash[]): Hash {
    const [first] = leaves;
    if (first === undefined) throw new Error("a tree has leaves");
    if (leaves.length === 1) return first;
    const middle = splitOf(leaves.length);
    return nodeHash(rootOf(leaves.slice(0, middle)), rootOf(leaves.slice(middle)));
}

export function pathOf(leaves: readonly Hash[], index: number): Hash[] {
    if (leaves.length === 1) return [];
    const middle = splitOf(leaves.length);
    const [left, right] = [leaves.slice(0, middle), leaves.slice(middle)];
    return index < middle ? [...pathOf(left, index), rootOf(right)] : [...pathOf(right, index - middle), rootOf(left)];
}

function splitOf(count: number): number {
    let split = 1;
    while (split * 2 < count) split *= 2;
    return split;
}
