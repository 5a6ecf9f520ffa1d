/** Every stream with its last day. */

import type { JSX } from "preact";
import { useMemo, useState } from "preact/hooks";

import { HEADS_EVERY, useApi, useEvents, useThrottled } from "../api/hooks.ts";
import type { About, Stream, StreamPage } from "../api/types.ts";
import { ago, dateTime, plural, span } from "../ui/format.ts";
import { Frame, LedgerTrouble, Legend, Loading, StateBadge, Title, Trouble, useNow } from "../ui/parts.tsx";
import { link, replaceQuery, type Route } from "../ui/route.ts";
import { CELL_STATES, countsText, sumOf } from "../ui/states.ts";
import { StripPicture } from "../ui/strip.tsx";

/** Streams that are shown, and cells of the last day of each: all come in one answer. */
const SHOWN = 200;
const CELLS = 144;
/** How often that may be asked for while votes come in, milliseconds: many streams are much to answer. */
const againAfter = (streams: number): number => Math.max(1000, 50 * streams);

export function StreamsPage({ route }: { route: Route }): JSX.Element {
    const ledger = route.query.get("ledger");
    const [sought, setSought] = useState("");
    const about = useApi<About>("");
    const asked = { ledger, limit: SHOWN, strip: CELLS, q: sought === "" ? null : sought };
    const streams = useApi<StreamPage>("/streams", asked);
    const readAgain = useThrottled(streams.reload, againAfter(streams.data?.streams.length ?? 0));
    const askHeads = useThrottled(about.reload, HEADS_EVERY);
    const isLive = useEvents({ ledger }, (name) => (name === "heads" || name === "hello" ? askHeads() : readAgain()));

    const broadcasts = useMemo(() => byBroadcast(streams.data?.streams ?? []), [streams.data]);
    return (
        <Frame place="streams" isLive={isLive}>
            <div class="row row-apart">
                <Title text="What was broadcast" />
                <div class="row">
                    <Ledgers
                        names={(about.data?.ledgers ?? []).map(({ name }) => name)}
                        value={ledger}
                        choose={(name) => replaceQuery(route, { ledger: name })}
                    />
                    <Search value={sought} onChange={setSought} />
                </div>
            </div>
            <p class="lead">
                Each strip is a stream’s last day. A full bar: a majority of independent witnesses recorded the same.
            </p>
            <LedgerTrouble ledgers={about.data?.ledgers ?? []} />
            <Trouble error={streams.error} at={streams.at} reload={streams.reload} />
            <Legend states={CELL_STATES} />
            {streams.data === null ? streams.error === null ? <Loading /> : null : null}
            {streams.data !== null && broadcasts.length === 0 ? (
                <p class="loading">{sought === "" ? "No stream is here yet." : `No stream’s name has “${sought}” in it.`}</p>
            ) : null}
            {broadcasts.map(([name, lanes]) => (
                <section key={name} class="card broadcast" aria-label={name}>
                    <h2>{name}</h2>
                    {lanes.map((stream) => (
                        <Lane key={stream.stream} stream={stream} />
                    ))}
                </section>
            ))}
            {streams.data?.next == null ? null : (
                <p class="quiet">The first {SHOWN} are shown. Search by a part of the name for others.</p>
            )}
        </Frame>
    );
}

/** Where several ledgers are followed, of which the streams are shown. */
function Ledgers({
    names,
    value,
    choose,
}: {
    names: readonly string[];
    value: string | null;
    choose: (name: string) => void;
}): JSX.Element | null {
    if (names.length < 2) return null;
    return (
        <select
            aria-label="Ledger"
            style={{ width: "auto" }}
            value={value ?? names[0]}
            onChange={(event) => choose(event.currentTarget.value)}
        >
            {names.map((name) => (
                <option key={name}>{name}</option>
            ))}
        </select>
    );
}

function Search({ value, onChange }: { value: string; onChange: (text: string) => void }): JSX.Element {
    return (
        <div class="search">
            <label class="visually-hidden" for="search">
                Find a stream by its name
            </label>
            <input
                id="search"
                type="search"
                placeholder="Find a stream"
                value={value}
                onInput={(event) => onChange(event.currentTarget.value.trim())}
            />
        </div>
    );
}

function byBroadcast(streams: readonly Stream[]): [string, Stream[]][] {
    const found = new Map<string, Stream[]>();
    for (const stream of streams) {
        const name = stream.broadcast ?? stream.stream_id ?? "known to the ledger alone";
        found.set(name, [...(found.get(name) ?? []), stream]);
    }
    return [...found];
}

function Lane({ stream }: { stream: Stream }): JSX.Element {
    const { strip } = stream;
    return (
        <div class="lane">
            <a class="lane-name" href={link.stream(stream.stream, { ledger: stream.ledger })}>
                {laneName(stream)}
            </a>
            <div class="lane-strip">
                {strip === null ? <div class="strip-box strip" /> : <StripPicture strip={strip} />}
                <div class="ends">
                    <span>{strip === null ? "" : span(strip.from_ms, strip.to_ms)}</span>
                </div>
            </div>
            <div class="lane-end">
                <Newest stream={stream} />
            </div>
        </div>
    );
}

/** What tells a stream of a broadcast from the others. */
export function laneName(stream: Stream): string {
    return stream.tracks.length > 0 ? stream.tracks.join(" and ") : (stream.stream_id ?? stream.stream);
}

/** The newest epoch, and how many the strip beside it shows. */
function Newest({ stream }: { stream: Stream }): JSX.Element {
    const now = useNow();
    const { newest, strip } = stream;
    if (newest === null) return <span class="quiet">no epoch yet</span>;
    const shown = strip === null ? null : sumOf(strip.cells);
    return (
        <>
            <a href={link.slot(newest.slot, newest.ledger)} title={`newest epoch, of ${dateTime(newest.observed_ms)}`}>
                <StateBadge state={newest.state} />
            </a>
            <div class="quiet" title={shown === null ? undefined : `in the strip: ${countsText(shown)}`}>
                {shown === null ? "" : `${plural(shown.final, "final epoch")} shown, `}newest {ago(newest.observed_ms, now)}
            </div>
        </>
    );
}
