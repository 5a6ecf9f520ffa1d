/** What a chain's ledger says of a slot, asked of an endpoint: protocol §4.2 and §6.4. */

import { fromHex, toHex, ZERO_HASH, type Hash } from "./hex.ts";
import { keccakText, observationHash, slotOf, type Header } from "./observation.ts";
import { quantity, Rpc, RpcFailure, data } from "./rpc.ts";

export type Address = `0x${string}`;

/** Which ledger is meant. Wrong values here would make every answer worthless, so they are shown. */
export interface LedgerPlace {
    readonly chainId: bigint;
    readonly ledger: Address;
    /** No event of the ledger is older than this block. */
    readonly deployBlock: bigint;
}

export interface Block {
    readonly number: bigint;
    readonly hash: Hash;
    readonly timestampS: bigint;
}

export interface Heads {
    readonly latest: Block;
    /** `null` where the endpoint knows none. */
    readonly safe: Block | null;
    readonly finalized: Block | null;
}

/** A witness that voted, by its seat. */
export interface Voter {
    readonly seat: number;
    readonly address: Address;
    readonly isActive: boolean;
}

export interface Votes {
    readonly voters: readonly Voter[];
    readonly activeVotes: number;
    readonly quorum: number;
    readonly witnessCount: number;
}

/** What the ledger says of a header. */
export type Finding =
    /** The endpoint is of another chain, or there is no ledger at the address. */
    | { readonly kind: "other_chain"; readonly expected: bigint; readonly found: bigint }
    | { readonly kind: "no_ledger" }
    /** No witness ever proposed anything in the slot. */
    | { readonly kind: "unknown_slot"; readonly heads: Heads }
    /** Something was proposed in the slot, but not this header, and nothing is final. */
    | { readonly kind: "not_proposed"; readonly heads: Heads; readonly candidates: bigint }
    /** It is a candidate and not final. */
    | { readonly kind: "open"; readonly heads: Heads; readonly votes: Votes }
    /** Another header is final, which says the same of what was broadcast. */
    | {
          readonly kind: "same_content";
          readonly heads: Heads;
          readonly header: Header;
          readonly observation: Hash;
          readonly block: Block;
          readonly isFinal: boolean;
          readonly votes: Votes;
      }
    /** Another header is final, which says something else. */
    | { readonly kind: "other_final"; readonly heads: Heads; readonly observation: Hash; readonly block: Block }
    /** Final, and the block that made it so is above the finalized head. */
    | { readonly kind: "not_final_yet"; readonly heads: Heads; readonly block: Block; readonly votes: Votes }
    | { readonly kind: "final"; readonly heads: Heads; readonly block: Block; readonly votes: Votes };

const selector = (signature: string): string => keccakText(signature).slice(2, 10);

const PROPOSED = keccakText(
    "ObservationProposed(bytes32,bytes32,bytes32,address,(bytes32,bytes32,bytes32,bytes32,bytes32,uint64,uint64))",
);
const FINALIZED = keccakText("ObservationFinalized(bytes32,bytes32)");

interface Log {
    readonly blockNumber: bigint;
    readonly data: string;
    readonly topics: readonly Hash[];
}

/** Asks an endpoint everything about one header. Throws [`RpcFailure`]. */
export async function ask(rpc: Rpc, place: LedgerPlace, header: Header): Promise<Finding> {
    const found = await rpc.quantity("eth_chainId", []);
    if (found !== place.chainId) return { kind: "other_chain", expected: place.chainId, found };
    const latest = await block(rpc, "latest");
    if (latest === null) throw new RpcFailure("nonsense", `${rpc.host} knows no latest block`);
    const heads = { latest, safe: await block(rpc, "safe"), finalized: await block(rpc, "finalized") };
    if ((await rpc.data("eth_getCode", [place.ledger, "latest"])) === "") return { kind: "no_ledger" };

    const at = new View(rpc, place, latest);
    const slot = slotOf(header);
    const own = observationHash(header);
    const final = await at.hash("finalizedObservation(bytes32)", slot);
    if (final === ZERO_HASH) return undecided(at, heads, slot, own);

    const since = await at.finalizedIn(slot, final);
    const isFinal = heads.finalized !== null && since.number <= heads.finalized.number;
    if (final === own) {
        const votes = await at.votes(slot, own);
        return { kind: isFinal ? "final" : "not_final_yet", heads, block: since, votes };
    }
    const theirs = await at.proposed(slot, final);
    if (!sameContent(theirs, header)) return { kind: "other_final", heads, observation: final, block: since };
    const votes = await at.votes(slot, final);
    return { kind: "same_content", heads, header: theirs, observation: final, block: since, isFinal, votes };
}

async function undecided(at: View, heads: Heads, slot: Hash, own: Hash): Promise<Finding> {
    const candidates = quantity(await at.hash("candidateCount(bytes32)", slot), "candidateCount");
    if (candidates === 0n) return { kind: "unknown_slot", heads };
    const votes = await at.votes(slot, own);
    return votes.voters.length === 0 ? { kind: "not_proposed", heads, candidates } : { kind: "open", heads, votes };
}

/** Whether two headers differ in parent and time at most: protocol §3.2. */
export function sameContent(left: Header, right: Header): boolean {
    return (
        left.streamHash === right.streamHash &&
        left.epochHash === right.epochHash &&
        left.dataRoot === right.dataRoot &&
        left.locatorHash === right.locatorHash &&
        left.sequence === right.sequence
    );
}

async function block(rpc: Rpc, which: string): Promise<Block | null> {
    let answer: unknown;
    try {
        answer = await rpc.ask("eth_getBlockByNumber", [which, false]);
    } catch (error) {
        // some nodes answer a head they do not know yet with an error
        if (which !== "latest" && error instanceof RpcFailure && error.kind === "refused") return null;
        throw error;
    }
    if (answer === null) return null;
    const { number, hash, timestamp } = answer as { number?: unknown; hash?: unknown; timestamp?: unknown };
    const digits = data(hash, `the hash of block ${which}`);
    return {
        number: quantity(number, `the number of block ${which}`),
        hash: `0x${digits}`,
        timestampS: quantity(timestamp, `the time of block ${which}`),
    };
}

/** The contracts as they are at one block, so that all answers are of one moment. */
class View {
    readonly #rpc: Rpc;
    readonly #place: LedgerPlace;
    readonly #block: Block;

    constructor(rpc: Rpc, place: LedgerPlace, block: Block) {
        this.#rpc = rpc;
        this.#place = place;
        this.#block = block;
    }

    async #call(to: Address, signature: string, args: readonly string[], words: number): Promise<Hash[]> {
        const input = `0x${selector(signature)}${args.map((arg) => arg.replace(/^0x/, "").padStart(64, "0")).join("")}`;
        const found = await this.#rpc.data("eth_call", [{ to, data: input }, { blockHash: this.#block.hash }]);
        if (found.length < words * 64)
            throw new RpcFailure("nonsense", `${signature} of ${to}: ${found.length / 2} bytes came back`);
        return Array.from({ length: words }, (_, at): Hash => `0x${found.slice(at * 64, at * 64 + 64)}`);
    }

    async hash(signature: string, ...args: string[]): Promise<Hash> {
        const [word] = await this.#call(this.#place.ledger, signature, args, 1);
        return word ?? ZERO_HASH;
    }

    async votes(slot: Hash, observation: Hash): Promise<Votes> {
        const registry = addressOf(await this.hash("registry()"));
        const [bitmap, active] = await this.#call(this.#place.ledger, "votes(bytes32,bytes32)", [slot, observation], 2);
        const [set, quorum] = await this.#call(registry, "activeSet()", [], 2);
        const activeSeats = seatsOf(BigInt(set ?? 0));
        const voters = seatsOf(BigInt(bitmap ?? 0)).map(async (seat) => ({
            seat,
            address: addressOf((await this.#call(registry, "witnessAt(uint256)", [seat.toString(16)], 1))[0]),
            isActive: activeSeats.includes(seat),
        }));
        return {
            voters: await Promise.all(voters),
            activeVotes: Number(BigInt(active ?? 0)),
            quorum: Number(BigInt(quorum ?? 0)),
            witnessCount: activeSeats.length,
        };
    }

    /** The block in which an observation became final, by the log. */
    async finalizedIn(slot: Hash, observation: Hash): Promise<Block> {
        const log = await this.#log([FINALIZED, slot, observation]);
        const since = await block(this.#rpc, `0x${log.blockNumber.toString(16)}`);
        if (since === null)
            throw new RpcFailure("nonsense", `${this.#rpc.host} has a log of block ${log.blockNumber} and not the block`);
        return since;
    }

    /** A candidate's header, by the log; it must have the candidate's hash. */
    async proposed(slot: Hash, observation: Hash): Promise<Header> {
        const header = decodeHeader((await this.#log([PROPOSED, slot, observation])).data);
        if (observationHash(header) === observation) return header;
        throw new RpcFailure("nonsense", `${this.#rpc.host} gives a header for ${observation} that has another hash`);
    }

    async #log(topics: readonly Hash[]): Promise<Log> {
        const found = await this.#logs(topics, this.#place.deployBlock, this.#block.number);
        if (found !== null) return found;
        const where = `from block ${this.#place.deployBlock} to ${this.#block.number}`;
        const why = "the ledger's first block is set too high, or the endpoint lacks logs";
        throw new RpcFailure("nonsense", `${this.#rpc.host} has no log ${where} of what the ledger's state shows: ${why}`);
    }

    /** The first such log. Asks for less at once where the endpoint refuses a wide range. */
    async #logs(topics: readonly Hash[], from: bigint, to: bigint): Promise<Log | null> {
        if (from > to) return null;
        const hex = (value: bigint): string => `0x${value.toString(16)}`;
        let answer: unknown;
        try {
            const filter = { address: this.#place.ledger, topics, fromBlock: hex(from), toBlock: hex(to) };
            answer = await this.#rpc.ask("eth_getLogs", [filter]);
        } catch (error) {
            const mayBeTooWide = error instanceof RpcFailure && error.kind === "refused" && to - from > NARROWEST;
            if (!mayBeTooWide) throw error;
            const middle = from + (to - from) / 2n;
            return (await this.#logs(topics, from, middle)) ?? (await this.#logs(topics, middle + 1n, to));
        }
        if (!Array.isArray(answer)) throw new RpcFailure("nonsense", "eth_getLogs: no list came back");
        const logs = answer.map(decodeLog);
        // an endpoint that gives other logs than were asked for is not to be believed
        return logs.find((log) => topics.every((topic, at) => log.topics[at] === topic)) ?? null;
    }
}

/** Ranges of fewer blocks are not halved any more: then the refusal is not about the range. */
const NARROWEST = 500n;

function decodeLog(log: unknown): Log {
    const { blockNumber, data: bytes, topics } = log as { blockNumber?: unknown; data?: unknown; topics?: unknown };
    if (!Array.isArray(topics)) throw new RpcFailure("nonsense", "eth_getLogs: a log without topics");
    return {
        blockNumber: quantity(blockNumber, "a log's block"),
        data: data(bytes, "a log's data"),
        topics: topics.map((topic): Hash => `0x${data(topic, "a log's topic")}`),
    };
}

/** The header in the data of an `ObservationProposed`: the proposer's word, then the header's seven. */
export function decodeHeader(digits: string): Header {
    if (digits.length !== 8 * 64) throw new RpcFailure("nonsense", "an ObservationProposed of another length");
    const words = Array.from({ length: 8 }, (_, at): Hash => `0x${toHex(fromHex(digits.slice(at * 64, at * 64 + 64)))}`);
    const [, streamHash, epochHash, parentObservationHash, root, locatorHash, time, sequence] = words as [
        Hash,
        Hash,
        Hash,
        Hash,
        Hash,
        Hash,
        Hash,
        Hash,
    ];
    return {
        streamHash,
        epochHash,
        parentObservationHash,
        dataRoot: root,
        locatorHash,
        observedUnixMs: BigInt(time),
        sequence: BigInt(sequence),
    };
}

function addressOf(word: Hash | undefined): Address {
    return `0x${(word ?? ZERO_HASH).slice(26)}`;
}

/** The places of the bits that are set. */
export function seatsOf(bitmap: bigint): number[] {
    const seats: number[] = [];
    for (let seat = 0; bitmap >> BigInt(seat) > 0n; seat++) {
        if ((bitmap >> BigInt(seat)) % 2n === 1n) seats.push(seat);
    }
    return seats;
}
