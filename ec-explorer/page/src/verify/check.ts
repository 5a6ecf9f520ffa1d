/**
 * A check from a file to finality, step by step. Pure: what was computed and asked goes in, what it comes to comes out, in the
 * words that are shown, printed and written into the report.
 */

import type { Hash } from "./hex.ts";
import type { Block, Finding, LedgerPlace, Votes } from "./ledger.ts";
import { keccakText } from "./observation.ts";
import { compute, plain, type Proof } from "./proof.ts";

export type StepState = "yes" | "no" | "waiting" | "open";

export interface Step {
    readonly name: string;
    readonly state: StepState;
    /** What was found, for a person who knows none of the words. */
    readonly says: string;
    /** The numbers behind it. */
    readonly values: readonly (readonly [string, string])[];
}

export type Verdict =
    /** Everything holds, and it is final. */
    | "true"
    /** It does not hold, or the ledger says otherwise. */
    | "false"
    /** It holds, and finality is near but not there. */
    | "not_final_yet"
    /** It holds in itself, but no ledger ever had this header. */
    | "without_ledger"
    /** The endpoint is of another chain, or has no ledger there. */
    | "other_chain"
    /** It holds in itself; nobody was asked whether it is final. */
    | "not_asked"
    /** It holds in itself; the endpoint gave no answer. */
    | "no_answer";

export interface FileFacts {
    readonly name: string;
    readonly size: bigint;
    readonly blake3: Hash;
}

/** Names that somebody gave: they count only if they have the header's hashes. */
export interface Names {
    readonly streamId: string | null;
    readonly epochId: string | null;
}

/** What the endpoint said. */
export type Asked =
    | { readonly kind: "not_asked" }
    | { readonly kind: "no_answer"; readonly host: string; readonly why: string }
    | { readonly kind: "answered"; readonly host: string; readonly place: LedgerPlace; readonly finding: Finding };

export interface Checked {
    readonly verdict: Verdict;
    readonly headline: string;
    readonly because: string;
    readonly steps: readonly Step[];
    /** What had to be believed for this, and of whom. */
    readonly trusted: readonly string[];
    /** What did not. */
    readonly notTrusted: readonly string[];
}

export function check(proof: Proof, file: FileFacts | null, names: Names, asked: Asked): Checked {
    const inProof = [
        ...(file === null ? [] : [fingerprint(file), sameFile(proof, file)]),
        ...proofSteps(proof),
        namesStep(proof, names),
    ];
    const ledger = ledgerSteps(asked);
    const isBroken = inProof.some((step) => step.state === "no");
    const verdict = isBroken ? "false" : ledgerVerdict(asked);
    const subject = file === null ? "the segment that this proof names" : "this file";
    return {
        verdict,
        ...words(verdict, subject, isBroken ? inProof : ledger, asked),
        steps: [...inProof, ...ledger],
        trusted: trusted(asked, names, verdict),
        notTrusted: notTrusted(file !== null),
    };
}

function fingerprint(file: FileFacts): Step {
    return {
        name: "Fingerprint of the file",
        state: "yes",
        says: "Computed from all its bytes here, in your browser. The file was not sent anywhere.",
        values: [
            ["file", file.name],
            ["bytes", file.size.toString()],
            ["BLAKE3", plain(file.blake3)],
        ],
    };
}

function sameFile(proof: Proof, file: FileFacts): Step {
    const isSame = proof.blake3 === file.blake3 && proof.sizeBytes === file.size;
    return {
        name: "The proof is about this file",
        state: isSame ? "yes" : "no",
        says: isSame
            ? "The proof names the same fingerprint and the same size."
            : "The proof is about other bytes: the file was changed, or it is another segment's proof.",
        values: [
            ["the proof names", `${plain(proof.blake3)}, ${proof.sizeBytes} bytes`],
            ["the file has", `${plain(file.blake3)}, ${file.size} bytes`],
        ],
    };
}

function proofSteps(proof: Proof): Step[] {
    const { leaf, climbed, dataRoot, observation, slot } = compute(proof);
    const pathFits = climbed !== null;
    const isUnder = dataRoot === proof.header.dataRoot;
    return [
        {
            name: "Leaf",
            state: "yes",
            says: "Track, number, fingerprint and size of the segment, hashed together: its place in the epoch's list.",
            values: [
                ["track", proof.track],
                ["number", proof.groupSequence.toString()],
                ["leaf", leaf],
            ],
        },
        {
            name: "Path",
            state: pathFits ? "yes" : "no",
            says: pathFits
                ? `Joined with ${proof.path.length} neighbouring hashes, one after the other, up to the root of the tree.`
                : `The path has ${proof.path.length} hashes, which is not what place ${proof.index} of ${proof.leafCount} demands.`,
            values: [
                ["place", `${proof.index} of ${proof.leafCount}`],
                ...(climbed?.steps ?? []).map((step, at): [string, string] => [`join ${at + 1}, ${step.siblingIs}`, step.node]),
            ],
        },
        {
            name: "Data root",
            state: isUnder ? "yes" : "no",
            says: isUnder
                ? "The path leads to the very root that the header states. Not one bit of the segment can be other."
                : "The path leads elsewhere than to the root that the header states. Something in the proof was changed.",
            values: [
                ["the path leads to", dataRoot ?? "nowhere"],
                ["the header states", proof.header.dataRoot],
            ],
        },
        {
            name: "Header",
            state: "yes",
            says: "The header's seven fields, hashed: this is what witnesses vote for.",
            values: [
                ["observation", observation],
                ["began", time(proof.header.observedUnixMs)],
                ["sequence", proof.header.sequence.toString()],
                ["before it", proof.header.parentObservationHash],
            ],
        },
        {
            name: "Slot",
            state: "yes",
            says: "Stream and epoch, hashed: the one place on the ledger where votes about them are counted.",
            values: [["slot", slot]],
        },
    ];
}

function namesStep(proof: Proof, { streamId, epochId }: Names): Step {
    const name = "Name of the broadcast";
    const { streamHash, epochHash } = proof.header;
    if (streamId === null) {
        const says = "The header holds only the hash of the stream's name. Nobody gave the name itself to compare.";
        return { name, state: "open", says, values: [["stream hash", streamHash]] };
    }
    const isStream = keccakText(streamId) === streamHash;
    const isEpoch = epochId === null || keccakText(epochId) === epochHash;
    return {
        name,
        state: isStream && isEpoch ? "yes" : "no",
        says:
            isStream && isEpoch
                ? "Hashed here, the name of the stream gives what the header holds."
                : `The header is of another ${isStream ? "epoch" : "stream"} than this name says.`,
        values: [["stream", streamId], ...(epochId === null ? [] : [["epoch", epochId] as const]), ["stream hash", streamHash]],
    };
}

function ledgerSteps(asked: Asked): Step[] {
    const chain = "The chain";
    const finality = "Finality";
    switch (asked.kind) {
        case "not_asked":
            return [{ name: finality, state: "open", says: "Nobody was asked yet.", values: [] }];
        case "no_answer":
            return [{ name: chain, state: "open", says: asked.why, values: [["asked", asked.host]] }];
        case "answered": {
            const { finding, host, place } = asked;
            const values: [string, string][] = [
                ["asked", host],
                ["chain", place.chainId.toString()],
                ["ledger", place.ledger],
            ];
            if (finding.kind === "other_chain") {
                const says = `The endpoint is of chain ${finding.found}. The ledger is on chain ${finding.expected}.`;
                return [{ name: chain, state: "open", says, values }];
            }
            if (finding.kind === "no_ledger") {
                const says = "It is the right chain, but there is no ledger at this address.";
                return [{ name: chain, state: "open", says, values }];
            }
            const { latest, finalized } = finding.heads;
            values.push(["newest block", shown(latest)], ["finalized block", finalized === null ? "none" : shown(finalized)]);
            const says = "The endpoint is of the expected chain, and the ledger is there.";
            return [
                { name: chain, state: "yes", says, values },
                { name: finality, ...finalityStep(finding) },
            ];
        }
    }
}

function finalityStep(finding: Exclude<Finding, { kind: "other_chain" | "no_ledger" }>): Omit<Step, "name"> {
    switch (finding.kind) {
        case "final":
            return {
                state: "yes",
                says: `${quorum(finding.votes)} voted for this header, and the block that counted the last needed vote is finalized.`,
                values: [["final since", shown(finding.block)], ...votes(finding.votes)],
            };
        case "not_final_yet":
            return {
                state: "waiting",
                says: `${quorum(finding.votes)} voted for this header, but the chain may still take back the block that counted it.`,
                values: [["counted in", shown(finding.block)], ...votes(finding.votes)],
            };
        case "open":
            return {
                state: "waiting",
                says: `${quorum(finding.votes)} voted for this header so far. That is not enough.`,
                values: votes(finding.votes),
            };
        case "same_content":
            return {
                state: "open",
                says: "The ledger has another header in this slot, with the same record of what was broadcast, made by another clock or after another header.",
                values: [
                    ["the ledger's header", finding.observation],
                    ["counted in", shown(finding.block)],
                    ...votes(finding.votes),
                ],
            };
        case "not_proposed":
            return {
                state: "open",
                says: "Witnesses proposed other headers in this slot, never this one, and none is final.",
                values: [["candidates", finding.candidates.toString()]],
            };
        case "unknown_slot":
            return { state: "open", says: "No witness ever proposed anything in this slot.", values: [] };
        case "other_final":
            return {
                state: "no",
                says: "The witnesses agreed on something else for this epoch.",
                values: [
                    ["final instead", finding.observation],
                    ["since", shown(finding.block)],
                ],
            };
    }
}

function ledgerVerdict(asked: Asked): Verdict {
    if (asked.kind !== "answered") return asked.kind;
    switch (asked.finding.kind) {
        case "final":
            return "true";
        case "other_final":
            return "false";
        case "not_final_yet":
        case "open":
            return "not_final_yet";
        case "same_content":
        case "not_proposed":
        case "unknown_slot":
            return "without_ledger";
        case "other_chain":
        case "no_ledger":
            return "other_chain";
    }
}

function words(verdict: Verdict, subject: string, steps: readonly Step[], asked: Asked): { headline: string; because: string } {
    const bad = steps.find((step) => step.state === "no");
    const capital = subject.charAt(0).toUpperCase() + subject.slice(1);
    switch (verdict) {
        case "true":
            return {
                headline: `Yes. ${capital} was part of the broadcast.`,
                because: "Each step from its bytes to the ledger holds, and the chain will not take it back.",
            };
        case "false":
            return { headline: "No. This does not hold.", because: bad === undefined ? "" : `${bad.name}: ${bad.says}` };
        case "not_final_yet":
            return {
                headline: "Not final yet.",
                because: `The proof holds in itself, and the witnesses are at work on it. Ask again in a while. ${steps.at(-1)?.says ?? ""}`,
            };
        case "without_ledger": {
            const isSame = asked.kind === "answered" && asked.finding.kind === "same_content";
            const because = isSame
                ? "It was made from an archive alone, so its header is not the one that the witnesses voted for. Theirs says the same of what was broadcast: make the proof anew with theirs, below."
                : `It was made from an archive alone. It holds in itself, but the witnesses never voted for it. ${steps.at(-1)?.says ?? ""}`;
            return { headline: "This proof was made without a ledger.", because };
        }
        case "other_chain":
            return { headline: "Another chain was asked.", because: steps.at(-1)?.says ?? "" };
        case "not_asked":
            return {
                headline: "The proof holds in itself.",
                because: "Whether the witnesses agreed on it is not asked yet. Choose whom to ask, below.",
            };
        case "no_answer":
            return {
                headline: "The proof holds in itself; the chain did not answer.",
                because: `${steps.at(-1)?.says ?? ""} Ask again, or ask another.`,
            };
    }
}

function trusted(asked: Asked, names: Names, verdict: Verdict): string[] {
    const list: string[] = [];
    if (asked.kind === "answered") {
        list.push(
            `${asked.host}, which you chose, to tell the truth about chain ${asked.place.chainId}. Ask a second one, or your own node, to need it less.`,
            `That ${asked.place.ledger} is the ledger of every.channel. Compare it with what its witnesses publish.`,
        );
        if (verdict === "true") list.push("That a majority of the witnesses does not lie together.");
    }
    if (names.streamId !== null)
        list.push("That the stream of this name is the station you think of. Names are given by the witnesses.");
    list.push("Your browser, and the program of this page, which anyone can read and build.");
    return list;
}

function notTrusted(hasFile: boolean): string[] {
    return [
        ...(hasFile ? ["Where you have the file from: its bytes were hashed here."] : []),
        "This site's database and archives: whatever they say, the hashes were computed anew.",
        "Whoever made the proof: a proof with one wrong bit does not pass.",
        "Any single witness, or the host that recorded the broadcast.",
    ];
}

function quorum({ voters, activeVotes, quorum: needed, witnessCount }: Votes): string {
    const retired = voters.length - activeVotes;
    const also = retired > 0 ? ` (and ${retired} who ${retired === 1 ? "is" : "are"} none any more)` : "";
    return `${activeVotes} of ${witnessCount} witnesses${also}, where ${needed} are needed,`;
}

function votes({ voters }: Votes): [string, string][] {
    return voters.map(({ seat, address, isActive }) => [
        `witness ${seat}`,
        isActive ? address : `${address} (no longer active)`,
    ]);
}

function shown(block: Block): string {
    return `${block.number}, of ${time(block.timestampS * 1000n)}`;
}

/** A time in UTC, as everybody everywhere reads it alike. */
export function time(unixMs: bigint): string {
    const date = new Date(Number(unixMs));
    return Number.isNaN(date.getTime())
        ? `${unixMs} ms since 1970`
        : `${date
              .toISOString()
              .replace("T", " ")
              .replace(/\.000Z$|Z$/, "")} UTC`;
}
