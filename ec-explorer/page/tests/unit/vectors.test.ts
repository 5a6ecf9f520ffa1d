import { describe, expect, test } from "vitest";

import type { Hash } from "../../src/verify/hex.ts";
import { keccakText, observationHash, slotOf } from "../../src/verify/observation.ts";
import { holds, type Proof } from "../../src/verify/proof.ts";
import { climb, dataRoot, leafHash } from "../../src/verify/tree.ts";
import { leavesOf, pathOf, rootOf, vectors } from "./vectors.ts";

const all = vectors();

test("there are vectors, and most tell their records", () => {
    expect(all.length).toBeGreaterThan(35);
    expect(all.filter(({ files }) => files !== null).length).toBeGreaterThan(20);
});

describe.each(all.map((vector) => [vector.name, vector] as const))("%s", (_, vector) => {
    test("headers have their hashes, slots and names", () => {
        for (const epoch of vector.expected) {
            expect(observationHash(epoch.header)).toBe(epoch.observation);
            expect(slotOf(epoch.header)).toBe(epoch.slot);
            expect(keccakText(epoch.streamId)).toBe(epoch.header.streamHash);
            expect(keccakText(epoch.epochId)).toBe(epoch.header.epochHash);
        }
    });

    test("every record is proven under its header, and under no other place", () => {
        for (const epoch of vector.expected) {
            const leaves = leavesOf(vector, epoch);
            if (leaves === null) return;
            const hashes = leaves.map(leafHash);
            expect(BigInt(leaves.length)).toBe(epoch.leafCount);
            expect(dataRoot(epoch.leafCount, rootOf(hashes))).toBe(epoch.header.dataRoot);
            // of a long epoch some do
            const step = Math.ceil(leaves.length / 6);
            leaves.forEach((leaf, at) => {
                if (at % step !== 0) return;
                const proof: Proof = {
                    v: 1n,
                    header: epoch.header,
                    ...leaf,
                    index: BigInt(at),
                    leafCount: epoch.leafCount,
                    path: pathOf(hashes, at),
                };
                expect(holds(proof)).toBe(true);
                if (leaves.length > 1) expect(holds({ ...proof, index: BigInt((at + 1) % leaves.length) })).toBe(false);
                expect(holds({ ...proof, leafCount: proof.leafCount + 1n })).toBe(false);
                expect(holds({ ...proof, sizeBytes: proof.sizeBytes ^ 1n })).toBe(false);
                expect(holds({ ...proof, groupSequence: proof.groupSequence ^ 1n })).toBe(false);
                expect(holds({ ...proof, track: `${proof.track} ` })).toBe(false);
                expect(holds({ ...proof, path: proof.path.slice(1) })).toBe(proof.path.length === 0);
                expect(holds({ ...proof, path: [...proof.path, epoch.header.dataRoot] })).toBe(false);
            });
        }
    });
});

test("a path leads to the root at its own place alone, in trees of up to 12 leaves", () => {
    for (let count = 1; count <= 12; count++) {
        const leaves = Array.from({ length: count }, (_, at): Hash => keccakText(`leaf ${at}`));
        const expected = dataRoot(BigInt(count), rootOf(leaves));
        leaves.forEach((leaf, at) => {
            const path = pathOf(leaves, at);
            for (let otherCount = 0; otherCount <= count + 2; otherCount++) {
                for (let index = 0; index <= otherCount; index++) {
                    const climbed = climb(leaf, BigInt(index), BigInt(otherCount), path);
                    const found = climbed === null ? null : dataRoot(BigInt(otherCount), climbed.root);
                    expect(found === expected).toBe(index === at && otherCount === count);
                }
            }
        });
    }
});
