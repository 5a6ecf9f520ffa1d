import { describe, expect, test } from "vitest";

import { toHex, word, ZERO_HASH, type Hash } from "../../src/verify/hex.ts";
import { ask, decodeHeader, sameContent, seatsOf, type LedgerPlace } from "../../src/verify/ledger.ts";
import { keccakText, observationHash, slotOf, type Header } from "../../src/verify/observation.ts";
import { endpointUrl, Rpc, RpcFailure } from "../../src/verify/rpc.ts";
import { vectors } from "./vectors.ts";

const headers = vectors().flatMap(({ expected }) => expected.map(({ header }) => header));
const header = headers[0]!;
const place: LedgerPlace = { chainId: 901n, ledger: "0x5fbdb2315678afecb367f032d93f642f64180aa3", deployBlock: 7n };
const REGISTRY = `0x${"00".repeat(12)}${"ab".repeat(20)}`;
const selector = (signature: string): string => keccakText(signature).slice(0, 10);
const hex = (value: bigint): string => `0x${toHex(word(value))}`;

/** A node that answers as told. What it is told is what a chain would say; the browser tests ask a real one. */
interface Told {
    chainId?: bigint;
    code?: string;
    final?: Hash;
    candidates?: bigint;
    votes?: readonly [bigint, bigint];
    logs?: (topics: readonly string[], from: bigint, to: bigint) => unknown;
    latest?: bigint;
    finalized?: bigint | null;
}

function node(told: Told): { rpc: Rpc; asked: string[] } {
    const asked: string[] = [];
    const block = (number: bigint): unknown => ({ number: `0x${number.toString(16)}`, hash: hex(number), timestamp: "0x10" });
    const call = (data: string): string => {
        const answers: Record<string, string> = {
            [selector("finalizedObservation(bytes32)")]: told.final ?? ZERO_HASH,
            [selector("candidateCount(bytes32)")]: hex(told.candidates ?? 0n),
            [selector("registry()")]: REGISTRY,
            [selector("votes(bytes32,bytes32)")]: hex(told.votes?.[0] ?? 0n) + toHex(word(told.votes?.[1] ?? 0n)),
            [selector("activeSet()")]: hex(0b1011n) + toHex(word(2n)),
        };
        const isWitnessAt = data.startsWith(selector("witnessAt(uint256)"));
        return isWitnessAt ? hex(BigInt(`0x${data.slice(10)}`) + 0x1000n) : (answers[data.slice(0, 10)] ?? "0x");
    };
    const answer = (method: string, params: readonly unknown[]): unknown => {
        switch (method) {
            case "eth_chainId":
                return `0x${(told.chainId ?? 901n).toString(16)}`;
            case "eth_getCode":
                return told.code ?? "0x60";
            case "eth_getBlockByNumber": {
                const which: string = params[0] as string;
                if (which === "finalized") return told.finalized === null ? null : block(told.finalized ?? 90n);
                return which === "latest" ? block(told.latest ?? 100n) : which === "safe" ? block(95n) : block(BigInt(which));
            }
            case "eth_call":
                expect(params[1]).toEqual({ blockHash: hex(told.latest ?? 100n) });
                return call((params[0] as { data: string }).data);
            default: {
                const { topics, fromBlock, toBlock } = params[0] as { topics: string[]; fromBlock: string; toBlock: string };
                return told.logs?.(topics, BigInt(fromBlock), BigInt(toBlock)) ?? [];
            }
        }
    };
    const rpc = new Rpc(new URL("https://node.example/secret"), async (_, init) => {
        const { id, method, params } = JSON.parse(init.body as string) as { id: number; method: string; params: unknown[] };
        asked.push(method);
        try {
            return Response.json({ jsonrpc: "2.0", id, result: answer(method, params) });
        } catch (error) {
            if (error instanceof RpcFailure)
                return Response.json({ jsonrpc: "2.0", id, error: { code: -32005, message: error.message } });
            throw error;
        }
    });
    return { rpc, asked };
}

const log = (topics: readonly string[], block: bigint, data = "0x"): unknown => ({
    topics,
    data,
    blockNumber: `0x${block.toString(16)}`,
});
const finalIn = (block: bigint) => (topics: readonly string[], from: bigint, to: bigint) =>
    from <= block && block <= to ? [log(topics, block)] : [];
const own = observationHash(header);

function encoded(of: Header): string {
    const numbers = [of.observedUnixMs, of.sequence].map((value) => toHex(word(value)));
    return [of.streamHash, of.epochHash, of.parentObservationHash, of.dataRoot, of.locatorHash]
        .map((hash) => hash.slice(2))
        .concat(numbers)
        .join("");
}

describe("ask", () => {
    test("final, with who voted by their seats, and who of them is active", async () => {
        const { rpc } = node({ final: own, votes: [0b111n, 2n], logs: finalIn(80n) });
        const found = await ask(rpc, place, header);
        expect(found).toMatchObject({
            kind: "final",
            block: { number: 80n },
            votes: { activeVotes: 2, quorum: 2, witnessCount: 3 },
        });
        expect(found.kind === "final" && found.votes.voters.map(({ seat, isActive }) => [seat, isActive])).toEqual([
            [0, true],
            [1, true],
            [2, false],
        ]);
    });

    test("final above the finalized head, or where there is none, is not final yet", async () => {
        expect((await ask(node({ final: own, logs: finalIn(91n) }).rpc, place, header)).kind).toBe("not_final_yet");
        expect((await ask(node({ final: own, logs: finalIn(90n) }).rpc, place, header)).kind).toBe("final");
        expect((await ask(node({ final: own, logs: finalIn(80n), finalized: null }).rpc, place, header)).kind).toBe(
            "not_final_yet",
        );
    });

    test("another chain, and nothing more is asked", async () => {
        const { rpc, asked } = node({ chainId: 1n });
        expect(await ask(rpc, place, header)).toEqual({ kind: "other_chain", expected: 901n, found: 1n });
        expect(asked).toEqual(["eth_chainId"]);
    });

    test("no contract there", async () => {
        expect((await ask(node({ code: "0x" }).rpc, place, header)).kind).toBe("no_ledger");
    });

    test("a slot that no witness knows, one with other candidates, and one that is open", async () => {
        expect((await ask(node({}).rpc, place, header)).kind).toBe("unknown_slot");
        expect((await ask(node({ candidates: 2n }).rpc, place, header)).kind).toBe("not_proposed");
        expect((await ask(node({ candidates: 2n, votes: [1n, 1n] }).rpc, place, header)).kind).toBe("open");
    });

    test("another header with the same content, and one with other content", async () => {
        const answer = async (theirs: Header) => {
            const final = observationHash(theirs);
            const logs = (topics: readonly string[]): unknown => [log(topics, 80n, `0x${toHex(word(1n))}${encoded(theirs)}`)];
            return ask(node({ final, votes: [1n, 1n], logs }).rpc, place, header);
        };
        const later = { ...header, observedUnixMs: header.observedUnixMs + 5n, parentObservationHash: own };
        expect(await answer(later)).toMatchObject({ kind: "same_content", header: later, isFinal: true });
        const other = { ...header, dataRoot: ZERO_HASH };
        expect(await answer(other)).toMatchObject({ kind: "other_final", observation: observationHash(other) });
    });

    test("a header that has not the hash it is given for is not believed", async () => {
        const logs = (topics: readonly string[]): unknown => [log(topics, 80n, `0x${toHex(word(1n))}${encoded(header)}`)];
        await expect(ask(node({ final: keccakText("x"), logs }).rpc, place, header)).rejects.toThrow("has another hash");
    });

    test("an endpoint without the log of what its state shows is not believed", async () => {
        await expect(ask(node({ final: own }).rpc, place, header)).rejects.toThrow("has no log from block 7 to 100");
        const others = (): unknown => [log([ZERO_HASH], 80n)];
        await expect(ask(node({ final: own, logs: others }).rpc, place, header)).rejects.toThrow("has no log");
    });

    test("an endpoint that refuses wide ranges is asked for narrow ones", async () => {
        const narrow = (topics: readonly string[], from: bigint, to: bigint): unknown => {
            if (to - from > 1000n) throw new RpcFailure("refused", "range too wide");
            return finalIn(1_234_000n)(topics, from, to);
        };
        const { rpc, asked } = node({ final: own, logs: narrow, latest: 2_000_000n });
        expect((await ask(rpc, place, header)).kind).toBe("not_final_yet");
        expect(asked.filter((method) => method === "eth_getLogs").length).toBeGreaterThan(10);
    });

    test.each([
        ["a status without JSON", async () => new Response("no", { status: 502 }), "refused", "HTTP status 502"],
        ["no result", async () => Response.json({}), "nonsense", "without a result"],
        ["no number", async () => Response.json({ result: "many" }), "nonsense", "is no number"],
        ["nothing", async () => Promise.reject(new TypeError("failed")), "unreachable", "no answer"],
    ] as const)("%s", async (_, fetcher, kind, why) => {
        const rpc = new Rpc(new URL("https://node.example/secret"), fetcher);
        const failure = await ask(rpc, place, header).catch((error: unknown) => error);
        expect(failure).toMatchObject({ kind });
        expect((failure as Error).message).toContain(why);
        // what follows the host may be a password
        expect((failure as Error).message).not.toContain("secret");
    });
});

test("headers are read from the log as they are written", () => {
    for (const of of headers.slice(0, 50)) expect(decodeHeader(toHex(word(1n)) + encoded(of))).toEqual(of);
    expect(() => decodeHeader("00")).toThrow("another length");
});

test("content is all but parent and time", () => {
    expect(sameContent(header, { ...header, observedUnixMs: 1n, parentObservationHash: own })).toBe(true);
    for (const field of ["streamHash", "epochHash", "dataRoot", "locatorHash"] as const)
        expect(sameContent(header, { ...header, [field]: own })).toBe(false);
    expect(sameContent(header, { ...header, sequence: header.sequence + 1n })).toBe(false);
});

test("the slot that is asked for is the header's", () => {
    expect(slotOf(header)).toBe(vectors()[0]?.expected[0]?.slot);
});

test("seats are the bits that are set", () => {
    expect(seatsOf(0n)).toEqual([]);
    expect(seatsOf(0b1011n)).toEqual([0, 1, 3]);
    expect(seatsOf(1n << 119n)).toEqual([119]);
});

describe("endpointUrl", () => {
    test("takes http and https, and from a page of https only what a browser lets it ask", () => {
        expect(endpointUrl(" https://node.example/key ", true).href).toBe("https://node.example/key");
        expect(endpointUrl("http://127.0.0.1:8545", true).host).toBe("127.0.0.1:8545");
        expect(endpointUrl("http://node.example", false).host).toBe("node.example");
        expect(() => endpointUrl("http://node.example", true)).toThrow("https://");
    });
    test.each(["", "node.example", "ftp://node.example", "javascript:alert(1)", "https://"])("refuses %j", (text) => {
        expect(() => endpointUrl(text, false)).toThrow("is no address of an endpoint");
    });
});
