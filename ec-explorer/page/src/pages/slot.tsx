/** One slot: what was voted on, by whom, what became of it, and what the archives have. */

import type { JSX } from "preact";
import { useEffect, useState } from "preact/hooks";

import { HEADS_EVERY, useApi, useEvents, useThrottled } from "../api/hooks.ts";
import type {
    About,
    ArchiveEpoch,
    Candidate,
    ComparedRecord,
    L1,
    L1Standing,
    LedgerStatus,
    SlotDetail,
    SlotRecords,
    Standing,
    Vote,
    Witnesses,
} from "../api/types.ts";
import { fromHex } from "../verify/hex.ts";
import { keccak } from "../verify/observation.ts";
import { bytes, dateTime, duration, plural } from "../ui/format.ts";
import { Facts, Frame, Hash, LedgerTrouble, Loading, StateBadge, Table, Time, Title, Trouble } from "../ui/parts.tsx";
import { link, type Route } from "../ui/route.ts";
import { STANDING_WORD, STATE_MEANS } from "../ui/states.ts";

export function SlotPageOf({ route }: { route: Route }): JSX.Element {
    const id = route.parts[1] ?? "";
    const ledger = route.query.get("ledger");
    const about = useApi<About>("");
    const slot = useApi<SlotDetail>(`/slots/${encodeURIComponent(id)}`, { ledger });
    const names = useNames(slot.data?.ledger ?? null);
    const [changes, setChanges] = useState(0);
    const [reorg, setReorg] = useState<number | null>(null);
    const changed = useThrottled(() => {
        slot.reload();
        setChanges((before) => before + 1);
    }, 500);
    const askHeads = useThrottled(about.reload, HEADS_EVERY);
    const isLive = useEvents({ slot: id, ledger }, (name, data) => {
        if (name === "hello" || name === "heads") return askHeads();
        // archives grow all the time, and mostly by other streams
        if (name === "archive" && data.stream !== slot.data?.stream) return undefined;
        if (name === "reorg") setReorg(Number(data.block));
        return changed();
    });
    const { data } = slot;
    const status = about.data?.ledgers.find(({ name }) => name === data?.ledger) ?? null;
    return (
        <Frame place="streams" isLive={isLive}>
            <p class="row">
                <a href={link.streams()}>All streams</a>
                {data === null ? null : (
                    <a href={link.stream(data.stream, { ledger: data.ledger })}>{data.stream_id ?? "its stream"}</a>
                )}
            </p>
            <Title text={data === null ? "Epoch" : `${data.stream_id ?? "Epoch"}, ${dateTime(data.observed_ms)}`} />
            <LedgerTrouble ledgers={about.data?.ledgers ?? []} />
            {reorg === null ? null : (
                <div class="notice notice-warn" role="status">
                    <p>
                        <strong>The chain was reorganised</strong> above block {reorg}, while you looked. What you see was read
                        anew after that.
                    </p>
                </div>
            )}
            <Trouble error={slot.error} at={slot.at} reload={slot.reload} />
            {data === null ? (
                slot.error === null ? (
                    <Loading />
                ) : null
            ) : (
                <Whole slot={data} status={status} names={names} changes={changes} />
            )}
        </Frame>
    );
}

export type Naming = (witness: string) => string | null;

/** What the host calls the witnesses. */
export function useNames(ledger: string | null): Naming {
    const witnesses = useApi<Witnesses>(ledger === null ? null : "/witnesses", { ledger });
    return (address) => {
        const found = witnesses.data?.witnesses.find((witness) => witness.addresses.includes(address));
        return found?.name ?? (found?.index == null ? null : `witness ${found.index}`);
    };
}

export function Witness({ of, names }: { of: string; names: Naming }): JSX.Element {
    const name = names(of);
    return <Hash of={of} href={link.witness(of)} {...(name === null ? {} : { label: name })} />;
}

interface WholeProps {
    slot: SlotDetail;
    status: LedgerStatus | null;
    names: Naming;
    changes: number;
}

function Whole({ slot, status, names, changes }: WholeProps): JSX.Element {
    return (
        <>
            <p class="verdict lead">
                <StateBadge state={slot.state} /> {sentence(slot)}
            </p>
            <p class="row no-print">
                {slot.previous === null ? null : (
                    <a class="button" href={link.slot(slot.previous, slot.ledger)}>
                        ← Epoch before
                    </a>
                )}
                {slot.next === null ? null : (
                    <a class="button" href={link.slot(slot.next, slot.ledger)}>
                        Epoch after →
                    </a>
                )}
            </p>
            <section class="card" aria-labelledby="standing">
                <h2 id="standing">Where it stands</h2>
                <Ladder slot={slot} status={status} />
            </section>
            <section class="card" aria-labelledby="about">
                <h2 id="about">What it is</h2>
                <Facts
                    of={[
                        [
                            "Stream",
                            <a href={link.stream(slot.stream, { ledger: slot.ledger })}>{slot.stream_id ?? slot.stream}</a>,
                        ],
                        ["Epoch", slot.epoch_id ?? "its name is not known here"],
                        ...(slot.session === null
                            ? []
                            : ([["Session", `${slot.session.mark}, epoch ${slot.session.index}`]] as const)),
                        ["Sequence", slot.sequence],
                        ["Slot", <Hash of={slot.slot} />],
                        ["Ledger", slot.ledger],
                    ]}
                />
            </section>
            <section aria-labelledby="candidates">
                <h2 id="candidates">{plural(slot.candidate_list.length, "candidate")}</h2>
                {slot.candidate_list.length === 0 ? <p class="quiet">No witness proposed anything for this epoch.</p> : null}
                <div class="cards">
                    {slot.candidate_list.map((candidate) => (
                        <CandidateCard key={candidate.observation} candidate={candidate} slot={slot} names={names} />
                    ))}
                </div>
            </section>
            <section aria-labelledby="votes">
                <h2 id="votes">Votes, as they came</h2>
                <Votes slot={slot} names={names} />
            </section>
            <section aria-labelledby="archives">
                <h2 id="archives">What the archives here have</h2>
                <Archives slot={slot} changes={changes} />
            </section>
        </>
    );
}

function sentence(slot: SlotDetail): string {
    const votes = `${slot.votes} of ${slot.witnesses} witnesses`;
    switch (slot.state) {
        case "final":
            return `${votes} said the same; ${slot.quorum} were needed.`;
        case "mismatched":
            return `${votes} said the same, but an archive here has something else.`;
        case "open":
            return `${votes} have voted for the same so far; ${slot.quorum} are needed.`;
        case "disputed":
            return `At most ${votes} said the same, and ${slot.quorum} are needed.`;
        case "unvoted":
            return `${STATE_MEANS.unvoted}.`;
    }
}

/** How an epoch's block stands on L1, in words; the rollup's node says it. */
const L1_WORD: Readonly<Record<L1Standing, (l1: L1) => string>> = {
    missing: ({ head }) => `its data is not there yet; L1 is at block ${head}`,
    posted: ({ safe_origin, head }) =>
        `its data is there, derived up to L1 block ${safe_origin} of ${head}, which L1 may still take back`,
    finalized: ({ finalized_origin, head }) =>
        `its data is in finalized blocks, derived up to L1 block ${finalized_origin} of ${head}`,
};

function notOnL1(l1: L1 | null): string {
    return l1 === null ? "not asked here" : `not yet; L1 is at block ${l1.head}`;
}

const ORDER: readonly Standing[] = ["unsafe", "safe", "finalized"];

function Ladder({ slot, status }: { slot: SlotDetail; status: LedgerStatus | null }): JSX.Element {
    const { final } = slot;
    const l1 = status?.l1 ?? null;
    const onL1 = final?.l1 ?? null;
    const reached = final === null ? -1 : ORDER.indexOf(final.standing);
    const heads = status?.heads;
    const of = { unsafe: heads?.latest, safe: heads?.safe, finalized: heads?.finalized };
    const word = { unsafe: "Counted", safe: "Safe", finalized: "Finalized" };
    return (
        <ol class="ladder">
            {ORDER.map((standing, at) => (
                <li key={standing} class={at <= reached ? "reached" : ""}>
                    <b>
                        {at <= reached ? "✓ " : ""}
                        {word[standing]}
                    </b>
                    {final !== null && at === 0 ? (
                        <>
                            in block {final.block}, <Time ms={final.time_ms} />
                        </>
                    ) : at <= reached ? (
                        STANDING_WORD[standing].split(": ")[1]
                    ) : (
                        <span class="quiet">{notYet(standing, of[standing]?.number)}</span>
                    )}
                </li>
            ))}
            <li class={onL1 === "posted" || onL1 === "finalized" ? "reached" : ""}>
                <b>{onL1 === "posted" || onL1 === "finalized" ? "✓ " : ""}On L1</b>
                {l1 === null || onL1 === null ? <span class="quiet">{notOnL1(l1)}</span> : L1_WORD[onL1](l1)}
            </li>
        </ol>
    );
}

function CandidateCard({ candidate, slot, names }: { candidate: Candidate; slot: SlotDetail; names: Naming }): JSX.Element {
    const { header } = candidate;
    const isItself = keccakOf(candidate.encoded) === candidate.observation;
    return (
        <article class="card">
            <h3 class="row row-apart">
                <Hash of={candidate.observation} />
                {candidate.is_final ? (
                    <StateBadge state="final" />
                ) : (
                    <span class="quiet">{plural(candidate.active_votes, "vote")}</span>
                )}
            </h3>
            <Facts
                of={[
                    ["Proposed by", <Witness of={candidate.proposer} names={names} />],
                    ["In block", `${candidate.block}, ${dateTime(candidate.time_ms)}`],
                    ["Its epoch began", <Time ms={header.observedUnixMs} />],
                    ["Data root", <Hash of={header.dataRoot} />],
                    ["Locator", <Hash of={header.locatorHash} />],
                    [
                        "Follows",
                        /^0x0+$/.test(header.parentObservationHash) ? (
                            "nothing: it is the first"
                        ) : (
                            <Hash
                                of={header.parentObservationHash}
                                {...(candidate.parent_slot === null ? {} : { href: link.slot(candidate.parent_slot) })}
                            />
                        ),
                    ],
                ]}
            />
            <p style={{ marginTop: "0.75rem" }}>
                <span class="quiet">Voted for by </span>
                {candidate.voters.length === 0
                    ? "nobody any more"
                    : candidate.voters.map((voter) => <Witness key={voter} of={voter} names={names} />)}
            </p>
            {isItself ? (
                <p class="quiet">The header’s fields, hashed here, give its name.</p>
            ) : (
                <p class="notice notice-bad">
                    The header’s fields, hashed here, do not give its name: what this site says of it is wrong.
                </p>
            )}
            {slot.candidate_list.length > 1 ? <p class="quiet">{difference(candidate, slot)}</p> : null}
        </article>
    );
}

function keccakOf(encoded: string): string | null {
    try {
        return keccak(fromHex(encoded.replace(/^0x/, "")));
    } catch {
        return null;
    }
}

function notYet(standing: Standing, head: number | undefined): string {
    if (head === undefined) return "not yet";
    return standing === "unsafe" ? "not yet" : `not yet: block ${head} is the newest that is`;
}

/** How a candidate differs from the final one, or from the first. */
function difference(candidate: Candidate, slot: SlotDetail): string {
    const other = slot.candidate_list.find((of) => of.is_final) ?? slot.candidate_list[0];
    if (other === undefined || other === candidate) return "The others are compared with this one.";
    const than = other.is_final ? "the final one" : "the first one";
    const content = (["dataRoot", "locatorHash", "epochHash", "streamHash"] as const).some(
        (field) => other.header[field] !== candidate.header[field],
    );
    return content
        ? `It says something else of what was broadcast than ${than}.`
        : `It says the same of what was broadcast as ${than}: only its time or what it follows differ.`;
}

const VOTE_WORD: Record<Vote["kind"], string> = { propose: "proposed", attest: "joined", move: "moved to" };

function Votes({ slot, names }: { slot: SlotDetail; names: Naming }): JSX.Element {
    return (
        <>
            {slot.vote_list.length === 0 ? (
                <p class="quiet">None yet.</p>
            ) : (
                <Table label="Votes" head={["After", "Witness", "Vote", "Block", "Stands"]}>
                    {slot.vote_list.map((vote) => (
                        <tr key={`${vote.block}-${vote.log_index}-${vote.kind}`}>
                            <td title={dateTime(vote.time_ms)}>
                                {vote.lag_ms === 0 ? dateTime(vote.time_ms) : `+${duration(vote.lag_ms)}`}
                            </td>
                            <th scope="row">
                                <Witness of={vote.witness} names={names} />
                            </th>
                            <td>
                                {VOTE_WORD[vote.kind]} <Hash of={vote.observation} />
                                {vote.from === null ? null : (
                                    <>
                                        {" "}
                                        from <Hash of={vote.from} />
                                    </>
                                )}
                            </td>
                            <td>{vote.block}</td>
                            <td title={STANDING_WORD[vote.standing]}>{STANDING_WORD[vote.standing].split(":")[0]}</td>
                        </tr>
                    ))}
                </Table>
            )}
            <p style={{ marginTop: "0.75rem" }}>
                {slot.not_voted.length === 0 ? (
                    <span class="quiet">Every active witness has voted.</span>
                ) : (
                    <>
                        <span class="quiet">No vote of </span>
                        {slot.not_voted.map((witness) => (
                            <Witness key={witness} of={witness} names={names} />
                        ))}
                        {slot.final === null ? null : <span class="quiet"> A slot that is final takes no more votes.</span>}
                    </>
                )}
            </p>
        </>
    );
}

function Archives({ slot, changes }: { slot: SlotDetail; changes: number }): JSX.Element {
    const [isOpen, setOpen] = useState(false);
    if (slot.archive_list.length === 0) return <p class="quiet">No archive here has anything of it.</p>;
    return (
        <>
            <Table label="Archives" head={["Archive", "Epoch", "Records", "Data root", "Is like"]}>
                {slot.archive_list.map((epoch) => (
                    <tr key={`${epoch.archive}-${epoch.segment}-${epoch.index}`} class={differs(epoch, slot) ? "differs" : ""}>
                        <th scope="row">{epoch.archive}</th>
                        <td>
                            {{ complete: "whole", incomplete: "not whole", conflicting: "contradicts itself" }[epoch.state]}
                        </td>
                        <td>
                            {epoch.leaf_count} of {epoch.expected}
                        </td>
                        <td>{epoch.data_root === null ? "–" : <Hash of={epoch.data_root} />}</td>
                        <td>{likeWhat(epoch, slot)}</td>
                    </tr>
                ))}
            </Table>
            <p style={{ marginTop: "0.75rem" }} class="no-print">
                <button type="button" aria-expanded={isOpen} onClick={() => setOpen(!isOpen)}>
                    {isOpen ? "Hide the records" : "Show the records"}
                </button>
            </p>
            {isOpen ? <Records slot={slot} changes={changes} /> : null}
        </>
    );
}

function differs(epoch: ArchiveEpoch, slot: SlotDetail): boolean {
    return (
        epoch.state === "complete" &&
        slot.final !== null &&
        !epoch.equals.includes(slot.final.observation) &&
        epoch.equals.length === 0
    );
}

function likeWhat(epoch: ArchiveEpoch, slot: SlotDetail): string {
    if (epoch.equals.length > 0)
        return slot.final !== null && epoch.equals.includes(slot.final.observation) ? "the final candidate" : "a candidate";
    return epoch.state === "complete" ? "no candidate" : "–";
}

function Records({ slot, changes }: { slot: SlotDetail; changes: number }): JSX.Element {
    const records = useApi<SlotRecords>(`/slots/${slot.slot}/records`, { ledger: slot.ledger });
    const [onlyDiffering, setOnlyDiffering] = useState(false);
    useEffect(() => {
        if (changes > 0) records.reload();
    }, [changes]);
    const { data } = records;
    if (data === null) return records.error === null ? <Loading /> : <Trouble error={records.error} reload={records.reload} />;
    const isOdd = (record: ComparedRecord): boolean => record.objects.length > 1 || record.missing_in.length > 0;
    const shown = data.records.filter((record) => !onlyDiffering || isOdd(record));
    return (
        <>
            <p>
                {data.differing === 0
                    ? "All archives here have the same."
                    : `${plural(data.differing, "record")} ${data.differing === 1 ? "differs" : "differ"} between archives, or ${data.differing === 1 ? "is" : "are"} missing in one.`}
                {data.truncated ? " There are more than are shown." : ""}
            </p>
            {data.differing === 0 ? null : (
                <p>
                    <button type="button" aria-pressed={onlyDiffering} onClick={() => setOnlyDiffering(!onlyDiffering)}>
                        Only those that differ
                    </button>
                </p>
            )}
            <Table label="Records" head={["Track", "Number", "Segment", "Size", "Has it"]}>
                {shown.flatMap((record) =>
                    record.objects.map((object, at) => (
                        <tr
                            key={`${record.track}-${record.group_sequence}-${object.blake3}`}
                            class={isOdd(record) ? "differs" : ""}
                        >
                            <th scope="row">{at === 0 ? record.track : ""}</th>
                            <td>{at === 0 ? record.group_sequence : ""}</td>
                            <td>
                                <Hash of={object.blake3} href={link.check({ blake3: object.blake3 })} />
                            </td>
                            <td>{bytes(object.size_bytes)}</td>
                            <td>
                                {object.archives.join(", ")}
                                {record.missing_in.length === 0 ? "" : `; missing in ${record.missing_in.join(", ")}`}
                            </td>
                        </tr>
                    )),
                )}
            </Table>
        </>
    );
}
