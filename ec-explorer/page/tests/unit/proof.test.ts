import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { compute, holds, NotAProof, parseProof, writeProof, type Proof } from "../../src/verify/proof.ts";
import { proofsOf } from "../../src/verify/segment.ts";
import { vectors, type Expected } from "./vectors.ts";

/** What `ec-witness prove` printed: see the README beside them. */
const DIRECTORY = join(import.meta.dirname, "../fixtures/proofs");
const texts = readdirSync(DIRECTORY)
    .filter((name) => name.endsWith(".json"))
    .map((name) => [name, readFileSync(join(DIRECTORY, name), "utf8")] as const);
const [, text] = texts[0] ?? ["", ""];

describe.each(texts)("%s of ec-witness prove", (_, source) => {
    const proof = parseProof(source);

    test("holds, and its header is the vectors'", () => {
        expect(holds(proof)).toBe(true);
        const { observation, slot } = compute(proof);
        const known = vectors().flatMap(({ expected }): readonly Expected[] => expected);
        expect(known.some((epoch) => epoch.observation === observation && epoch.slot === slot)).toBe(true);
    });

    test("is written as it was read", () => {
        expect(writeProof(proof)).toBe(source.trim());
    });

    test("does not hold with any bit changed", () => {
        const flip = (hash: `0x${string}`): `0x${string}` =>
            `${hash.slice(0, -1) as `0x${string}`}${hash.endsWith("0") ? "1" : "0"}`;
        const changed: Proof[] = [
            { ...proof, blake3: flip(proof.blake3) },
            { ...proof, sizeBytes: proof.sizeBytes + 1n },
            { ...proof, groupSequence: proof.groupSequence + 1n },
            { ...proof, track: `${proof.track}x` },
            { ...proof, leafCount: proof.leafCount + 1n },
            { ...proof, header: { ...proof.header, dataRoot: flip(proof.header.dataRoot) } },
            ...proof.path.map((_, at) => ({
                ...proof,
                path: proof.path.map((hash, place) => (place === at ? flip(hash) : hash)),
            })),
        ];
        for (const other of changed) expect(holds(other)).toBe(false);
        // what the header says beside its root changes what was voted for
        for (const field of ["streamHash", "epochHash", "parentObservationHash", "locatorHash"] as const) {
            const other = { ...proof, header: { ...proof.header, [field]: flip(proof.header[field]) } };
            expect(compute(other).observation).not.toBe(compute(proof).observation);
        }
    });
});

describe("parseProof", () => {
    const change = (from: string | RegExp, to: string): string => {
        const changed = text.replace(from, to);
        expect(changed).not.toBe(text);
        return changed;
    };
    test.each<[string, () => string, string]>([
        ["no JSON", () => "x", "this is not JSON"],
        ["a list", () => "[]", "the proof is not an object"],
        ["another version", () => change('"v":1', '"v":2'), "v is 2, this page knows 1"],
        ["an unknown field", () => change('"v":1', '"v":1,"w":1'), 'a field "w"'],
        ["an unknown field of the header", () => change('"header":{', '"header":{"x":1,'), 'header has a field "x"'],
        ["a field twice", () => change('"v":1', '"v":1,"v":1'), '"v" stands twice'],
        ["no path", () => change(/,"path":\[.*\]/, ""), 'lacks the field "path"'],
        ["a path that is no list", () => change(/"path":\[.*\]/, '"path":{}'), "path is not a list"],
        ["a short sibling", () => change(/"path":\["0x../, '"path":["0x'), "path[0] is not 0x64 hex digits"],
        ["a fingerprint with a prefix", () => change('"blake3":"', '"blake3":"0x'), "blake3 is not 64 hex digits"],
        ["a fraction", () => change(/"index":([0-9]+)/, '"index":$1.0'), "index is not a whole number"],
        ["a number as text", () => change(/"index":([0-9]+)/, '"index":"$1"'), "index is not a whole number"],
        [
            "a number above 64 bit",
            () => change(/"size_bytes":[0-9]+/, '"size_bytes":18446744073709551616'),
            "size_bytes is not a whole number",
        ],
        ["a negative number", () => change(/"leaf_count":/, '"leaf_count":-'), "leaf_count is not a whole number"],
    ])("refuses %s", (_, make, why) => {
        expect(() => parseProof(make())).toThrow(NotAProof);
        expect(() => parseProof(make())).toThrow(why);
    });

    test("keeps numbers of 64 bit", () => {
        const found = parseProof(text.replace(/"group_sequence":[0-9]+/, '"group_sequence":18446744073709551615'));
        expect(found.groupSequence).toBe(18446744073709551615n);
    });
});

test("proofs in an answer of the API keep their digits, and a damaged one is none", () => {
    const large = text.trim().replace(/"group_sequence":[0-9]+/, '"group_sequence":18446744073709551615');
    const answer = `{"blake3":"x","places":[{"proof":${large}},{"proof":null},{"proof":{"v":1}},{}]}`;
    const found = proofsOf(answer);
    expect(found.map((proof) => proof?.groupSequence ?? null)).toEqual([18446744073709551615n, null, null, null]);
});
