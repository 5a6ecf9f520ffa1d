/** The page that believes nobody: a file or a proof, checked in the browser step by step. */

import { render, type JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { apiUrl, ApiError, get, getText } from "../api/client.ts";
import { useApi } from "../api/hooks.ts";
import type { About, LedgerStatus, Place, Segment, SlotDetail } from "../api/types.ts";
import {
    check,
    type Asked,
    type Checked,
    type FileFacts,
    type Names,
    type Step,
    type StepState,
    type Verdict,
} from "../verify/check.ts";
import type { Hash as HashText } from "../verify/hex.ts";
import { ask, type Address, type LedgerPlace } from "../verify/ledger.ts";
import { slotOf } from "../verify/observation.ts";
import { NotAProof, parseProof, plain, writeProof, type Proof } from "../verify/proof.ts";
import { endpointUrl, Rpc, RpcFailure } from "../verify/rpc.ts";
import { proofsOf } from "../verify/segment.ts";
import { bytes, dateTime } from "../ui/format.ts";
import { hashFile } from "../ui/hash-file.ts";
import { copyText, Frame, Hash, StateBadge, Title } from "../ui/parts.tsx";
import { link } from "../ui/route.ts";
import { PLACE_WORD } from "../ui/states.ts";
import "../ui/page.css";

/** Where a fingerprint was broadcast, by this site's word, with the proofs to check it. */
interface Found {
    readonly blake3: HashText;
    readonly places: readonly Place[];
    readonly proofs: readonly (Proof | null)[];
    readonly isTruncated: boolean;
}

const NO_NAMES: Names = { streamId: null, epochId: null };
/** A file that may be a proof is read as text up to this size. */
const LARGEST_PROOF = 1_000_000;

export function CheckPage(): JSX.Element {
    const about = useApi<About>("");
    const [file, setFile] = useState<FileFacts | null>(null);
    const [hashing, setHashing] = useState<{ name: string; size: number; done: number } | null>(null);
    const [found, setFound] = useState<Found | null>(null);
    const [chosen, setChosen] = useState(0);
    const [proof, setProof] = useState<Proof | null>(null);
    const [names, setNames] = useState<Names>(NO_NAMES);
    const [asked, setAsked] = useState<Asked>({ kind: "not_asked" });
    const [trouble, setTrouble] = useState<string | null>(null);
    const stop = useRef<AbortController | null>(null);
    const answer = useRef<HTMLDivElement>(null);

    const takeProof = (next: Proof, of: Names): void => {
        setProof(next);
        setNames(of);
        setAsked({ kind: "not_asked" });
    };
    const clear = (): void => {
        stop.current?.abort();
        setFile(null);
        setHashing(null);
        setFound(null);
        setProof(null);
        setNames(NO_NAMES);
        setAsked({ kind: "not_asked" });
        setTrouble(null);
        history.replaceState(null, "", "#");
    };

    /** Asks this site where a fingerprint was broadcast. */
    const lookUp = async (blake3: HashText, ledger: string | null): Promise<void> => {
        const text = await getText(apiUrl(`/segments/${plain(blake3)}`, { ledger }));
        const { places, truncated } = JSON.parse(text) as Segment;
        const proofs = proofsOf(text);
        setFound({ blake3, places, proofs, isTruncated: truncated });
        choose(bestOf(places, proofs), places, proofs);
    };
    const choose = (at: number, places: readonly Place[], proofs: readonly (Proof | null)[]): void => {
        setChosen(at);
        const [place, one] = [places[at], proofs[at]];
        if (place === undefined || one == null) return setProof(null);
        takeProof(one, { streamId: place.stream_id, epochId: place.slot?.epoch_id ?? null });
    };

    const guarded = (work: () => Promise<void>): void => {
        setTrouble(null);
        work().then(
            () => answer.current?.focus(),
            (error: unknown) => setTrouble(troubleText(error)),
        );
    };
    const checkHash = (blake3: HashText, ledger: string | null = null): void =>
        guarded(async () => {
            setFile(null);
            setProof(null);
            setFound(null);
            history.replaceState(null, "", `#blake3=${plain(blake3)}`);
            await lookUp(blake3, ledger);
        });
    const checkProof = (text: string): void =>
        guarded(async () => {
            const next = parseProof(text);
            setFound(null);
            if (file !== null && file.blake3 !== next.blake3 && found !== null) setFile(null);
            takeProof(next, NO_NAMES);
            // only to have its name; without it the check goes on
            const slot = await get<SlotDetail>(`/slots/${slotOf(next.header)}`).catch(() => null);
            if (slot !== null) setNames({ streamId: slot.stream_id, epochId: slot.epoch_id });
        });
    const checkFile = (given: File): void =>
        guarded(async () => {
            const text = given.size <= LARGEST_PROOF ? await given.text() : "";
            if (looksLikeProof(text)) {
                checkProof(text);
                return;
            }
            stop.current?.abort();
            stop.current = new AbortController();
            setHashing({ name: given.name, size: given.size, done: 0 });
            try {
                const facts = await hashFile(
                    given,
                    (done) => setHashing({ name: given.name, size: given.size, done }),
                    stop.current.signal,
                );
                setFile(facts);
                // with a proof that was given by hand, the file is checked against that
                if (proof !== null && found === null) return;
                setProof(null);
                setFound(null);
                history.replaceState(null, "", `#blake3=${plain(facts.blake3)}`);
                await lookUp(facts.blake3, null);
            } finally {
                setHashing(null);
            }
        });

    useEffect(() => {
        const read = (): void => {
            const linked = new URLSearchParams(location.hash.slice(1));
            const [blake3, text] = [hashFrom(linked.get("blake3") ?? ""), linked.get("proof")];
            if (text !== null) checkProof(text);
            else if (blake3 !== null) checkHash(blake3, linked.get("ledger"));
        };
        read();
        addEventListener("hashchange", read);
        return () => removeEventListener("hashchange", read);
    }, []);

    const checked = useMemo(() => (proof === null ? null : check(proof, file, names, asked)), [proof, file, names, asked]);
    const place = found?.places[chosen] ?? null;
    return (
        <Frame place="check">
            <Title text="Check it yourself" />
            <p class="lead">
                Was this broadcast, when, and who says so? Everything is computed here, in your browser. No file leaves it.
            </p>
            <Inputs
                checkFile={checkFile}
                checkHash={checkHash}
                checkProof={checkProof}
                withProof={proof !== null && found === null}
                isSmall={proof !== null || found !== null}
            />
            {hashing === null ? null : (
                <div class="notice" role="status">
                    <p>
                        Reading {hashing.name}, {bytes(hashing.size)}…
                    </p>
                    <progress max={hashing.size} value={hashing.done} aria-label="read so far" />
                </div>
            )}
            {trouble === null ? null : (
                <div class="notice notice-bad" role="alert">
                    <p>{trouble}</p>
                    {file === null ? null : (
                        <p>
                            The fingerprint of {file.name} is <Hash of={plain(file.blake3)} />
                        </p>
                    )}
                </div>
            )}
            <div ref={answer} tabIndex={-1} style={{ outline: "none" }}>
                {found === null ? null : (
                    <Places found={found} chosen={chosen} choose={(at) => choose(at, found.places, found.proofs)} file={file} />
                )}
                {checked === null || proof === null ? null : (
                    <>
                        <Answer checked={checked} proof={proof} file={file} place={place} asked={asked} clear={clear} />
                        <Endpoint
                            about={about.data}
                            ledger={place?.ledger ?? null}
                            header={proof.header}
                            setAsked={setAsked}
                            isBroken={checked.verdict === "false" && asked.kind !== "answered"}
                        />
                        <SameContent proof={proof} asked={asked} take={(next) => takeProof(next, names)} />
                        <Steps checked={checked} />
                        <Trust checked={checked} />
                    </>
                )}
            </div>
        </Frame>
    );
}

function troubleText(error: unknown): string {
    if (error instanceof NotAProof) return `This is not a proof: ${error.message}.`;
    if (error instanceof ApiError) {
        if (error.isUnknown) {
            return "No archive that this site reads has this fingerprint. That does not say that it was never broadcast: another site may know it, and one changed bit makes another fingerprint.";
        }
        if (error.kind === "unreachable")
            return "This site’s server does not answer, so it cannot say where this was broadcast. A proof can be checked without it.";
        return error.message;
    }
    return (error as Error).message;
}

function looksLikeProof(text: string): boolean {
    return text.trimStart().startsWith("{") && text.includes('"leaf_count"');
}

export function hashFrom(text: string): HashText | null {
    const digits = text
        .trim()
        .replace(/^blake3:/, "")
        .replace(/^0x/, "")
        .toLowerCase();
    return /^[0-9a-f]{64}$/.test(digits) ? `0x${digits}` : null;
}

/** The place that says most: final ones first, of these the oldest; without a proof nothing can be checked. */
function bestOf(places: readonly Place[], proofs: readonly (Proof | null)[]): number {
    const rank = (place: Place, at: number): number =>
        proofs[at] == null ? 9 : ["final", "not_final_yet", "open", "not_in_final", "unvoted"].indexOf(place.word);
    let best = 0;
    places.forEach((place, at) => {
        const before = places[best];
        if (before !== undefined && rank(place, at) < rank(before, best)) best = at;
    });
    return best;
}

interface InputsProps {
    checkFile: (file: File) => void;
    checkHash: (blake3: HashText) => void;
    checkProof: (text: string) => void;
    withProof: boolean;
    isSmall: boolean;
}

function Inputs({ checkFile, checkHash, checkProof, withProof, isSmall }: InputsProps): JSX.Element {
    const [isOver, setOver] = useState(false);
    const [text, setText] = useState("");
    const [wrong, setWrong] = useState<string | null>(null);
    const take = (files: FileList | null | undefined): void => {
        const list = [...(files ?? [])];
        const first = list[0];
        if (first !== undefined) checkFile(first);
    };
    const submit = (event: Event): void => {
        event.preventDefault();
        const blake3 = hashFrom(text);
        setWrong(null);
        if (blake3 !== null) checkHash(blake3);
        else if (text.trimStart().startsWith("{")) checkProof(text);
        else setWrong("This is neither a fingerprint, which is 64 hex digits, nor a proof, which begins with {.");
    };
    return (
        <div class="no-print">
            <div
                class={`drop${isOver ? " drop-over" : ""}${isSmall ? " drop-small" : ""}`}
                onDragOver={(event) => {
                    event.preventDefault();
                    setOver(true);
                }}
                onDragLeave={() => setOver(false)}
                onDrop={(event) => {
                    event.preventDefault();
                    setOver(false);
                    take(event.dataTransfer?.files);
                }}
            >
                <p>
                    <strong>{withProof ? "Drop the segment that this proof is about" : "Drop a segment, or a proof"}</strong>
                </p>
                <input
                    id="file"
                    type="file"
                    onChange={(event) => {
                        take(event.currentTarget.files);
                        event.currentTarget.value = "";
                    }}
                />
                <label for="file" class="button primary">
                    Choose a file
                </label>
                <p class="quiet" style={{ marginTop: "0.75rem" }}>
                    It is read here and sent nowhere.
                </p>
            </div>
            <form onSubmit={submit} style={{ marginTop: "1rem" }}>
                <label for="text">Or paste a fingerprint (BLAKE3) or a proof</label>
                <textarea
                    id="text"
                    rows={2}
                    spellcheck={false}
                    autocapitalize="off"
                    value={text}
                    aria-describedby={wrong === null ? undefined : "wrong"}
                    aria-invalid={wrong !== null}
                    onInput={(event) => setText(event.currentTarget.value)}
                />
                {wrong === null ? null : (
                    <p id="wrong" role="alert" class="badge-mismatched">
                        {wrong}
                    </p>
                )}
                <p class="row" style={{ marginTop: "0.6rem" }}>
                    <button type="submit" disabled={text.trim() === ""}>
                        Check this
                    </button>
                </p>
            </form>
        </div>
    );
}

function Places({
    found,
    chosen,
    choose,
    file,
}: {
    found: Found;
    chosen: number;
    choose: (at: number) => void;
    file: FileFacts | null;
}): JSX.Element {
    const isOne = found.places.length === 1;
    return (
        <section class="card" aria-labelledby="places">
            <h2 id="places">
                {isOne
                    ? "Where it was broadcast"
                    : `It was broadcast ${found.places.length}${found.isTruncated ? " or more" : ""} times`}
            </h2>
            <p class="quiet">
                {file === null ? "This fingerprint" : file.name}: <Hash of={plain(found.blake3)} /> This is what this site says.
                Below it is checked.
            </p>
            <ul class="places">
                {found.places.map((place, at) => (
                    <li key={at}>
                        {isOne ? (
                            <PlaceText place={place} />
                        ) : (
                            <label
                                style={{
                                    fontWeight: 400,
                                    display: "grid",
                                    gridTemplateColumns: "auto 1fr",
                                    gap: "0.75rem",
                                    margin: 0,
                                }}
                            >
                                <input
                                    type="radio"
                                    name="place"
                                    style={{ width: "1.2rem", minHeight: "1.5rem" }}
                                    checked={at === chosen}
                                    onChange={() => choose(at)}
                                />
                                <PlaceText place={place} />
                            </label>
                        )}
                        {found.proofs[at] == null ? (
                            <p class="quiet">There is nothing to check it with: {PLACE_WORD[place.word]}.</p>
                        ) : null}
                    </li>
                ))}
            </ul>
        </section>
    );
}

function PlaceText({ place }: { place: Place }): JSX.Element {
    const states = {
        final: "final",
        not_final_yet: "open",
        open: "open",
        not_in_final: "mismatched",
        unvoted: "unvoted",
    } as const;
    return (
        <div>
            <strong>
                {place.broadcast}, {place.track}
            </strong>
            {place.time_ms === null ? "" : `, ${dateTime(place.time_ms)}`} <StateBadge state={states[place.word]} />
            <div class="quiet">
                Group {place.group_sequence}; {PLACE_WORD[place.word]}.{" "}
                {place.slot === null ? null : <a href={link.slot(place.slot.slot, place.ledger)}>Its epoch</a>}
            </div>
        </div>
    );
}

const SIGN_OF: Record<Verdict, StepState | "warn"> = {
    true: "yes",
    false: "no",
    not_final_yet: "waiting",
    without_ledger: "warn",
    other_chain: "warn",
    not_asked: "open",
    no_answer: "warn",
};

function Sign({ of }: { of: StepState | "warn" }): JSX.Element {
    const paths = {
        yes: "M4.5 10.5l3.5 3.5 7-8",
        no: "M5.5 5.5l9 9M14.5 5.5l-9 9",
        waiting: "M10 5v5.5l3.5 2",
        open: "M6 10h8",
        warn: "M10 5v6M10 14.4v.2",
    };
    const words = { yes: "yes", no: "no", waiting: "not yet", open: "open", warn: "take care" };
    return (
        <span class={`sign sign-${of}`} role="img" aria-label={words[of]}>
            <svg viewBox="0 0 20 20" width="20" height="20" aria-hidden="true">
                <path d={paths[of]} />
            </svg>
        </span>
    );
}

interface AnswerProps {
    checked: Checked;
    proof: Proof;
    file: FileFacts | null;
    place: Place | null;
    asked: Asked;
    clear: () => void;
}

function Answer({ checked, proof, file, place, asked, clear }: AnswerProps): JSX.Element {
    const [isCopied, setCopied] = useState(false);
    const copyLink = (): void => {
        void copyText(linkTo(proof)).then(() => {
            setCopied(true);
            setTimeout(() => setCopied(false), 2000);
        });
    };
    return (
        <section class={`card answer answer-${checked.verdict}`} aria-labelledby="answer" aria-live="polite">
            <h2 id="answer" data-verdict={checked.verdict}>
                <Sign of={SIGN_OF[checked.verdict]} />
                {checked.headline}
            </h2>
            <p>{checked.because}</p>
            {checked.verdict === "true" ? (
                <p>
                    {place === null ? "" : `${place.broadcast}, ${place.track}. `}The epoch that it is part of began on{" "}
                    {dateTime(Number(proof.header.observedUnixMs))}, by the header that the witnesses voted for.
                </p>
            ) : null}
            <p class="row no-print">
                <button type="button" onClick={() => download("check.json", reportText(checked, proof, file, asked))}>
                    Download the result
                </button>
                <button type="button" onClick={() => download("proof.json", `${writeProof(proof)}\n`)}>
                    Download the proof
                </button>
                <button type="button" onClick={() => print()}>
                    Print
                </button>
                <button type="button" onClick={copyLink}>
                    {isCopied ? "Copied" : "Copy a link"}
                </button>
                <button type="button" onClick={clear}>
                    Check another
                </button>
            </p>
        </section>
    );
}

/** A link that holds the proof itself, so that whoever follows it checks the same and asks whom they choose. */
function linkTo(proof: Proof): string {
    return new URL(`#${new URLSearchParams({ proof: writeProof(proof) })}`, location.href).href;
}

function reportText(checked: Checked, proof: Proof, file: FileFacts | null, asked: Asked): string {
    const report = {
        v: 1,
        made_unix_ms: Date.now(),
        made_by: "every.channel check page",
        verdict: checked.verdict,
        says: `${checked.headline} ${checked.because}`,
        file: file === null ? null : { name: file.name, size_bytes: file.size.toString(), blake3: plain(file.blake3) },
        asked: asked.kind === "not_asked" ? null : asked.host,
        steps: checked.steps,
        trusted: checked.trusted,
        not_trusted: checked.notTrusted,
    };
    // the proof goes in as it is: its numbers have more digits than JavaScript's
    return `${JSON.stringify(report, null, 1).replace(/\n\}$/, "")},\n "proof": ${writeProof(proof)}\n}\n`;
}

function download(name: string, text: string): void {
    const url = URL.createObjectURL(new Blob([text], { type: "application/json" }));
    const anchor = document.createElement("a");
    anchor.href = url;
    anchor.download = name;
    anchor.click();
    setTimeout(() => URL.revokeObjectURL(url), 1000);
}

interface EndpointProps {
    about: About | null;
    ledger: string | null;
    header: Proof["header"];
    setAsked: (asked: Asked) => void;
    isBroken: boolean;
}

/** Whom to ask whether it is final: the visitor's choice, never the page's. */
function Endpoint({ about, ledger, header, setAsked, isBroken }: EndpointProps): JSX.Element {
    const known = about?.ledgers.find(({ name }) => name === ledger) ?? about?.ledgers[0] ?? null;
    const suggested = about?.public_rpcs.find((rpc) => rpc.ledger === known?.name)?.url ?? "";
    const [url, setUrl] = useState("");
    const [form, setForm] = useState<{ chainId: string; ledger: string; deployBlock: string } | null>(null);
    const [isAsking, setAsking] = useState(false);
    const [wrong, setWrong] = useState<string | null>(null);
    const values = form ?? formOf(known);
    const set = (name: keyof typeof values) => (event: Event) =>
        setForm({ ...values, [name]: (event.currentTarget as HTMLInputElement).value });

    const submit = (event: Event): void => {
        event.preventDefault();
        setWrong(null);
        let endpoint: Rpc;
        let place: LedgerPlace;
        try {
            endpoint = new Rpc(endpointUrl(url === "" ? suggested : url, location.protocol === "https:"));
            place = placeOf(values);
        } catch (error) {
            return setWrong((error as Error).message);
        }
        setAsking(true);
        ask(endpoint, place, header)
            .then(
                (finding) => setAsked({ kind: "answered", host: endpoint.host, place, finding }),
                (error: unknown) => {
                    if (!(error instanceof RpcFailure)) throw error;
                    setAsked({ kind: "no_answer", host: endpoint.host, why: `${error.message}.` });
                },
            )
            .finally(() => setAsking(false));
    };
    return (
        <section class="card no-print" aria-labelledby="endpoint">
            <h2 id="endpoint">Ask a chain whether it is final</h2>
            {isBroken ? <p class="quiet">The proof is broken, whatever a chain says.</p> : null}
            <p class="quiet">
                You choose whom to ask: your own node, or anyone’s. Chain, ledger and first block are what this site says;
                compare them with what the witnesses publish.
            </p>
            <form onSubmit={submit}>
                <div class="fields">
                    <div class="whole">
                        <label for="rpc">Address of an endpoint (JSON-RPC)</label>
                        <input
                            id="rpc"
                            class="code"
                            inputMode="url"
                            autocomplete="off"
                            spellcheck={false}
                            placeholder="https://"
                            value={url === "" ? suggested : url}
                            onInput={(event) => setUrl(event.currentTarget.value)}
                        />
                    </div>
                    <div>
                        <label for="chain">Chain</label>
                        <input id="chain" class="code" inputMode="numeric" value={values.chainId} onInput={set("chainId")} />
                    </div>
                    <div class="long">
                        <label for="ledger">Ledger</label>
                        <input id="ledger" class="code" spellcheck={false} value={values.ledger} onInput={set("ledger")} />
                    </div>
                    <div>
                        <label for="block">Its first block</label>
                        <input
                            id="block"
                            class="code"
                            inputMode="numeric"
                            value={values.deployBlock}
                            onInput={set("deployBlock")}
                        />
                    </div>
                </div>
                {wrong === null ? null : (
                    <p role="alert" class="badge-mismatched" style={{ marginTop: "0.75rem" }}>
                        {wrong}
                    </p>
                )}
                <p class="row" style={{ marginTop: "1rem" }}>
                    <button type="submit" class="primary" disabled={isAsking}>
                        {isAsking ? "Asking…" : "Ask"}
                    </button>
                </p>
            </form>
        </section>
    );
}

function formOf(known: LedgerStatus | null): { chainId: string; ledger: string; deployBlock: string } {
    if (known === null) return { chainId: "", ledger: "", deployBlock: "0" };
    return { chainId: String(known.chain_id), ledger: known.ledger, deployBlock: String(known.deploy_block) };
}

/** Throws what is wrong, by the field's name. */
export function placeOf({
    chainId,
    ledger,
    deployBlock,
}: {
    chainId: string;
    ledger: string;
    deployBlock: string;
}): LedgerPlace {
    if (!/^[0-9]{1,18}$/.test(chainId.trim())) throw new Error(`Chain: ${JSON.stringify(chainId)} is no chain’s number.`);
    if (!/^0x[0-9a-fA-F]{40}$/.test(ledger.trim()))
        throw new Error(`Ledger: ${JSON.stringify(ledger)} is no address, 0x and 40 hex digits.`);
    if (!/^[0-9]{1,18}$/.test(deployBlock.trim()))
        throw new Error(`Its first block: ${JSON.stringify(deployBlock)} is no number.`);
    return {
        chainId: BigInt(chainId.trim()),
        ledger: ledger.trim().toLowerCase() as Address,
        deployBlock: BigInt(deployBlock.trim()),
    };
}

/** Where the ledger has the same content under another header, the proof can be made anew with that one. */
function SameContent({ proof, asked, take }: { proof: Proof; asked: Asked; take: (proof: Proof) => void }): JSX.Element | null {
    if (asked.kind !== "answered" || asked.finding.kind !== "same_content") return null;
    const { header } = asked.finding;
    return (
        <section class="card no-print" aria-labelledby="anew">
            <h2 id="anew">Make the proof anew</h2>
            <p>The witnesses’ header says the same of what was broadcast, so the same path leads to it.</p>
            <button type="button" class="primary" onClick={() => take({ ...proof, header })}>
                Use the witnesses’ header
            </button>
        </section>
    );
}

function Steps({ checked }: { checked: Checked }): JSX.Element {
    useEffect(() => {
        // on paper nothing can be opened
        const open = (): void => document.querySelectorAll("details").forEach((details) => (details.open = true));
        addEventListener("beforeprint", open);
        return () => removeEventListener("beforeprint", open);
    }, []);
    return (
        <section class="card" aria-labelledby="steps">
            <h2 id="steps">Step by step</h2>
            <ol class="steps">
                {checked.steps.map((step) => (
                    <StepItem key={step.name} step={step} />
                ))}
            </ol>
        </section>
    );
}

function StepItem({ step }: { step: Step }): JSX.Element {
    return (
        <li data-step={step.name} data-state={step.state}>
            <Sign of={step.state} />
            <div>
                <h3>{step.name}</h3>
                <p>{step.says}</p>
                {step.values.length === 0 ? null : (
                    <details>
                        <summary>
                            The numbers<span class="visually-hidden"> of {step.name}</span>
                        </summary>
                        <dl class="values">
                            {step.values.map(([name, value], at) => (
                                <div key={at}>
                                    <dt>{name}</dt>
                                    <dd>{value}</dd>
                                </div>
                            ))}
                        </dl>
                    </details>
                )}
            </div>
        </li>
    );
}

function Trust({ checked }: { checked: Checked }): JSX.Element {
    return (
        <div class="cards" style={{ marginTop: "1rem" }}>
            <section class="card" style={{ margin: 0 }} aria-labelledby="trusted">
                <h2 id="trusted">What you have to believe</h2>
                <ul>
                    {checked.trusted.map((line) => (
                        <li key={line}>{line}</li>
                    ))}
                </ul>
            </section>
            <section class="card" style={{ margin: 0 }} aria-labelledby="not-trusted">
                <h2 id="not-trusted">What you need not believe</h2>
                <ul>
                    {checked.notTrusted.map((line) => (
                        <li key={line}>{line}</li>
                    ))}
                </ul>
            </section>
        </div>
    );
}

const root = document.getElementById("app");
if (root !== null) render(<CheckPage />, root);
