import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import { check, type Asked, type FileFacts, type Names } from "../../src/verify/check.ts";
import { ZERO_HASH } from "../../src/verify/hex.ts";
import type { Finding, Heads, LedgerPlace, Votes } from "../../src/verify/ledger.ts";
import { parseProof } from "../../src/verify/proof.ts";

const proof = parseProof(readFileSync(join(import.meta.dirname, "../fixtures/proofs/la-nbc.json"), "utf8"));
const names: Names = { streamId: "la-nbc", epochId: "ec/epoch/v1/g30/29547078" };
const file: FileFacts = { name: "segment.bin", size: proof.sizeBytes, blake3: proof.blake3 };
const place: LedgerPlace = { chainId: 901n, ledger: "0x5fbdb2315678afecb367f032d93f642f64180aa3", deployBlock: 0n };
const block = { number: 9n, hash: ZERO_HASH, timestampS: 1_772_824_700n };
const heads: Heads = { latest: block, safe: null, finalized: block };
const votes: Votes = {
    voters: [0, 1, 2].map((seat) => ({ seat, address: `0x${String(seat).repeat(40)}`, isActive: seat !== 2 })),
    activeVotes: 2,
    quorum: 2,
    witnessCount: 3,
};
const answered = (finding: Finding): Asked => ({ kind: "answered", host: "node.example", place, finding });
const NOT_ASKED: Asked = { kind: "not_asked" };

describe("verdicts", () => {
    test.each<[string, Asked, string]>([
        ["final", answered({ kind: "final", heads, block, votes }), "true"],
        ["another content final", answered({ kind: "other_final", heads, observation: ZERO_HASH, block }), "false"],
        ["above the finalized head", answered({ kind: "not_final_yet", heads, block, votes }), "not_final_yet"],
        ["without a quorum", answered({ kind: "open", heads, votes }), "not_final_yet"],
        ["an unknown slot", answered({ kind: "unknown_slot", heads }), "without_ledger"],
        ["never proposed", answered({ kind: "not_proposed", heads, candidates: 2n }), "without_ledger"],
        [
            "the same content under another header",
            answered({
                kind: "same_content",
                heads,
                header: proof.header,
                observation: ZERO_HASH,
                block,
                isFinal: true,
                votes,
            }),
            "without_ledger",
        ],
        ["another chain", answered({ kind: "other_chain", expected: 901n, found: 1n }), "other_chain"],
        ["no ledger there", answered({ kind: "no_ledger" }), "other_chain"],
        ["nobody asked", NOT_ASKED, "not_asked"],
        ["no answer", { kind: "no_answer", host: "node.example", why: "down" }, "no_answer"],
    ])("%s", (_, asked, verdict) => {
        expect(check(proof, file, names, asked).verdict).toBe(verdict);
        // a broken proof is false, whatever a chain says of its header
        const broken = { ...proof, groupSequence: proof.groupSequence + 1n };
        expect(check(broken, file, names, asked).verdict).toBe("false");
    });
});

describe("what is wrong is told by its step", () => {
    const wrongStep = (checked: ReturnType<typeof check>): string[] =>
        checked.steps.filter(({ state }) => state === "no").map(({ name }) => name);
    const final = answered({ kind: "final", heads, block, votes });

    test("nothing", () => {
        const checked = check(proof, file, names, final);
        expect(wrongStep(checked)).toEqual([]);
        expect(checked.steps.map(({ name }) => name)).toEqual([
            "Fingerprint of the file",
            "The proof is about this file",
            "Leaf",
            "Path",
            "Data root",
            "Header",
            "Slot",
            "Name of the broadcast",
            "The chain",
            "Finality",
        ]);
        expect(checked.steps.every(({ state }) => state === "yes")).toBe(true);
    });

    test("another file, by its bytes or its size", () => {
        expect(wrongStep(check(proof, { ...file, blake3: ZERO_HASH }, names, final))).toEqual(["The proof is about this file"]);
        expect(wrongStep(check(proof, { ...file, size: file.size + 1n }, names, final))).toEqual([
            "The proof is about this file",
        ]);
    });

    test("another path, and one of another length", () => {
        expect(wrongStep(check({ ...proof, path: [ZERO_HASH, ...proof.path.slice(1)] }, null, names, final))).toEqual([
            "Data root",
        ]);
        expect(wrongStep(check({ ...proof, path: proof.path.slice(1) }, null, names, final))).toEqual(["Path", "Data root"]);
    });

    test("another name", () => {
        expect(wrongStep(check(proof, null, { ...names, streamId: "la-cbs" }, final))).toEqual(["Name of the broadcast"]);
        expect(wrongStep(check(proof, null, { ...names, epochId: "ec/epoch/v1/g30/1" }, final))).toEqual([
            "Name of the broadcast",
        ]);
    });

    test("without a name nothing is said of it", () => {
        const checked = check(proof, null, { streamId: null, epochId: null }, final);
        expect(checked.verdict).toBe("true");
        expect(checked.steps.find(({ name }) => name === "Name of the broadcast")?.state).toBe("open");
    });
});

test("the endpoint and the ledger's address are told as what has to be believed, once they were asked", () => {
    const asked = check(proof, file, names, answered({ kind: "final", heads, block, votes }));
    expect(asked.trusted.join()).toContain("node.example");
    expect(asked.trusted.join()).toContain(place.ledger);
    expect(check(proof, file, names, NOT_ASKED).trusted.join()).not.toContain("node.example");
});

test("a former witness's vote is told apart", () => {
    const says = check(proof, null, names, answered({ kind: "final", heads, block, votes })).steps.at(-1)?.says;
    expect(says).toContain("2 of 3 witnesses (and 1 who is none any more), where 2 are needed");
});
