/** Who the witnesses are, and how they do. */

import type { JSX } from "preact";

import { HEADS_EVERY, useApi, useEvents, useThrottled } from "../api/hooks.ts";
import type { About, Witness, WitnessDetail, WitnessRecord, Witnesses } from "../api/types.ts";
import { ago, count, dateTime, duration, plural, span } from "../ui/format.ts";
import { Facts, Frame, Hash, LedgerTrouble, Loading, Table, Time, Title, Trouble, useNow } from "../ui/parts.tsx";
import { link, type Route } from "../ui/route.ts";
import { SlotTable } from "./stream.tsx";

export function WitnessesPage({ route }: { route: Route }): JSX.Element {
    const about = useApi<About>("");
    const ledger = route.query.get("ledger");
    const witnesses = useApi<Witnesses>("/witnesses", { ledger });
    const again = useThrottled(witnesses.reload, 2000);
    const askHeads = useThrottled(about.reload, HEADS_EVERY);
    const isLive = useEvents({ ledger }, (name) => (name === "hello" || name === "heads" ? askHeads() : again()));
    const { data } = witnesses;
    return (
        <Frame place="witnesses" isLive={isLive}>
            <Title text="Witnesses" />
            <p class="lead">Each records for itself and votes for what it has. None can make anything final alone.</p>
            <LedgerTrouble ledgers={about.data?.ledgers ?? []} />
            <Trouble error={witnesses.error} at={witnesses.at} reload={witnesses.reload} />
            {data === null ? witnesses.error === null ? <Loading /> : null : <All data={data} />}
        </Frame>
    );
}

function All({ data }: { data: Witnesses }): JSX.Element {
    const active = data.witnesses.filter((witness) => witness.active);
    const former = data.witnesses.filter((witness) => !witness.active);
    return (
        <>
            <section class="card" aria-label="Quorum">
                <Facts
                    of={[
                        ["Active witnesses", count(active.length)],
                        [
                            "Needed to agree",
                            data.quorum === 0 ? "nothing can become final" : `${data.quorum}, which is more than half`,
                        ],
                        ["Final epochs counted here", count(data.final_slots)],
                        ["Of the time", span(data.from_ms, data.to_ms)],
                    ]}
                />
            </section>
            <section aria-labelledby="active">
                <h2 id="active">Active</h2>
                <WitnessTable witnesses={active} label="Active witnesses" />
                <p class="quiet" style={{ marginTop: "0.75rem" }}>
                    An epoch takes no more votes once it is final. So a witness that is merely slower than the others misses
                    some, and that is no fault. One that disagrees has recorded something else.
                </p>
            </section>
            {former.length === 0 ? null : (
                <section aria-labelledby="former">
                    <h2 id="former">No longer active</h2>
                    <WitnessTable witnesses={former} label="Witnesses that are no longer active" />
                </section>
            )}
        </>
    );
}

function WitnessTable({ witnesses, label }: { witnesses: readonly Witness[]; label: string }): JSX.Element {
    const now = useNow();
    return (
        <Table
            label={label}
            head={["Witness", "Agreed", "Votes", "Missed", "Disagreed", "Comes after the first vote", "Last seen"]}
        >
            {witnesses.map((witness) => (
                <tr key={witness.witness}>
                    <th scope="row">
                        <a href={link.witness(witness.witness)}>{nameOf(witness)}</a> <Hash of={witness.address} />
                    </th>
                    <td>
                        <Effectiveness record={witness.record} />
                    </td>
                    <td>{count(witness.record.voted)}</td>
                    <td>{count(witness.record.missed)}</td>
                    <td>
                        {witness.record.disagreed > 0 ? (
                            <strong class="badge badge-mismatched">✕ {count(witness.record.disagreed)}</strong>
                        ) : (
                            "0"
                        )}
                    </td>
                    <td>{lagText(witness.record)}</td>
                    <td>
                        {witness.last_seen_ms === null ? (
                            <span class="quiet">never</span>
                        ) : (
                            <span title={dateTime(witness.last_seen_ms)}>{ago(witness.last_seen_ms, now)}</span>
                        )}
                    </td>
                </tr>
            ))}
        </Table>
    );
}

export function nameOf({ name, index }: Witness): string {
    return name ?? (index === null ? "former witness" : `witness ${index}`);
}

function lagText({ lag_median_ms, lag_p90_ms }: WitnessRecord): string {
    if (lag_median_ms === null) return "–";
    return `${duration(lag_median_ms)}${lag_p90_ms === null ? "" : `, nine in ten within ${duration(lag_p90_ms)}`}`;
}

function Effectiveness({ record }: { record: WitnessRecord }): JSX.Element {
    const { effectiveness_permille: permille } = record;
    if (permille === null) return <span class="quiet">–</span>;
    return (
        <>
            {(permille / 10).toFixed(1)} %
            <svg class="bar-of" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true">
                <rect width={permille} height="10" />
            </svg>
        </>
    );
}

export function WitnessPageOf({ route }: { route: Route }): JSX.Element {
    const id = route.parts[1] ?? "";
    const ledger = route.query.get("ledger");
    const about = useApi<About>("");
    const detail = useApi<WitnessDetail>(`/witnesses/${encodeURIComponent(id)}`, { ledger });
    const again = useThrottled(detail.reload, 2000);
    const askHeads = useThrottled(about.reload, HEADS_EVERY);
    const isLive = useEvents({ ledger }, (name) => (name === "hello" || name === "heads" ? askHeads() : again()));
    const { data } = detail;
    return (
        <Frame place="witnesses" isLive={isLive}>
            <p>
                <a href={link.witnesses()}>All witnesses</a>
            </p>
            <Title text={data === null ? "Witness" : nameOf(data.witness)} />
            <LedgerTrouble ledgers={about.data?.ledgers ?? []} />
            <Trouble error={detail.error} at={detail.at} reload={detail.reload} />
            {data === null ? detail.error === null ? <Loading /> : null : <One data={data} />}
        </Frame>
    );
}

function One({ data }: { data: WitnessDetail }): JSX.Element {
    const { witness } = data;
    const { record } = witness;
    return (
        <>
            <p class="lead">
                {witness.active ? "Active." : "No longer active."}{" "}
                {record.disagreed > 0
                    ? `It disagreed with what became final ${plural(record.disagreed, "time")}.`
                    : "It never disagreed with what became final."}
            </p>
            <section class="card" aria-label="Record">
                <Facts
                    of={[
                        ["Votes with", <Hash of={witness.address} />],
                        ["Agreed", <Effectiveness record={record} />],
                        [
                            "Votes",
                            `${count(record.voted)}, of these ${plural(record.proposed, "proposal")} and ${count(record.moved)} moved`,
                        ],
                        ["Missed", count(record.missed)],
                        ["After the first vote", lagText(record)],
                        ["First seen", witness.first_seen_ms === null ? "never" : <Time ms={witness.first_seen_ms} />],
                        ["Last seen", witness.last_seen_ms === null ? "never" : <Time ms={witness.last_seen_ms} />],
                        ...(witness.addresses.length < 2
                            ? []
                            : ([
                                  [
                                      "All its addresses",
                                      witness.addresses.map((address) => <Hash key={address} of={address} />),
                                  ],
                              ] as const)),
                        ["Counted", span(data.from_ms, data.to_ms)],
                    ]}
                />
            </section>
            {data.disagreed.length === 0 ? null : (
                <section aria-labelledby="disagreed">
                    <h2 id="disagreed">Where it disagreed</h2>
                    <SlotTable slots={data.disagreed} label="Epochs where it disagreed" />
                </section>
            )}
            {data.missed.length === 0 ? null : (
                <section aria-labelledby="missed">
                    <h2 id="missed">Final without its vote</h2>
                    <SlotTable slots={data.missed} label="Epochs that became final without its vote" />
                </section>
            )}
            <section aria-labelledby="newest">
                <h2 id="newest">Its newest votes</h2>
                {data.votes.length === 0 ? (
                    <p class="quiet">None yet.</p>
                ) : (
                    <Table label="Newest votes" head={["Voted", "Stream", "Epoch began", "How", "After the first"]}>
                        {data.votes.map((vote) => (
                            <tr key={`${vote.slot}-${vote.block}-${vote.log_index}`}>
                                <th scope="row">
                                    <a href={link.slot(vote.slot)}>
                                        <Time ms={vote.time_ms} />
                                    </a>
                                </th>
                                <td>{vote.stream_id ?? <Hash of={vote.stream} />}</td>
                                <td>
                                    <Time ms={vote.observed_ms} />
                                </td>
                                <td>{{ propose: "proposed", attest: "joined", move: "moved" }[vote.kind]}</td>
                                <td>{vote.lag_ms === 0 ? "first" : `+${duration(vote.lag_ms)}`}</td>
                            </tr>
                        ))}
                    </Table>
                )}
            </section>
        </>
    );
}
