/** One stream: its timeline from a year to an epoch, its sessions, its epochs, and the media beside it. */

import type { JSX } from "preact";
import { useEffect, useMemo, useRef, useState } from "preact/hooks";

import { HEADS_EVERY, useApi, useEvents, useThrottled } from "../api/hooks.ts";
import type { About, Cell, Session, SessionPage, Slot, SlotPage, Stream, Strip } from "../api/types.ts";
import { count, dateTime, duration, MINUTE, plural, span } from "../ui/format.ts";
import { Facts, Frame, Hash, LedgerTrouble, Legend, Loading, StateBadge, Table, Time, Title, Trouble } from "../ui/parts.tsx";
import { link, replaceQuery, type Route } from "../ui/route.ts";
import { CELL_STATES, countsText, STATE_MEANS, STATE_WORD } from "../ui/states.ts";
import { StripBars, stripText } from "../ui/strip.tsx";
import { cellsOf, clamp, pan, shortest, zoomTo, ZOOMS, type Bounds, type Window } from "../ui/window.ts";
import { Player } from "./player.tsx";

export function StreamPageOf({ route }: { route: Route }): JSX.Element {
    const id = route.parts[1] ?? "";
    const about = useApi<About>("");
    const stream = useApi<Stream>(`/streams/${encodeURIComponent(id)}`, { ledger: route.query.get("ledger") });
    const [changes, setChanges] = useState(0);
    const changed = useThrottled(() => {
        stream.reload();
        setChanges((before) => before + 1);
    }, 1000);
    const askHeads = useThrottled(about.reload, HEADS_EVERY);
    const isLive = useEvents({ stream: id, ledger: route.query.get("ledger") }, (name) =>
        name === "hello" || name === "heads" ? askHeads() : changed(),
    );
    const { data } = stream;
    return (
        <Frame place="streams" isLive={isLive}>
            <p>
                <a href={link.streams()}>All streams</a>
            </p>
            <Title text={data?.stream_id ?? data?.stream ?? "Stream"} />
            <LedgerTrouble ledgers={about.data?.ledgers ?? []} />
            <Trouble error={stream.error} at={stream.at} reload={stream.reload} />
            {data === null ? (
                stream.error === null ? (
                    <Loading />
                ) : null
            ) : (
                <Whole stream={data} route={route} changes={changes} media={about.data?.media === true} />
            )}
        </Frame>
    );
}

interface Shown {
    stream: Stream;
    route: Route;
    changes: number;
    media: boolean;
}

function Whole({ stream, route, changes, media }: Shown): JSX.Element {
    const bounds = boundsOf(stream);
    const window = windowOf(route, bounds);
    const setWindow = ({ from, to }: Window): void => replaceQuery(route, { ledger: route.query.get("ledger"), from, to });
    const isWholeLength = window.to - window.from <= PLAYABLE;
    return (
        <>
            <Extent stream={stream} />
            <section class="card" aria-labelledby="timeline-title">
                <h2 id="timeline-title">Timeline</h2>
                <Timeline stream={stream} bounds={bounds} window={window} setWindow={setWindow} changes={changes} />
            </section>
            {media && stream.archives.length > 0 ? (
                <section class="card" aria-labelledby="player-title">
                    <h2 id="player-title">Watch and listen</h2>
                    {isWholeLength ? (
                        <Player stream={stream} window={window} />
                    ) : (
                        <p class="quiet">Zoom in to six hours or less to play what was recorded.</p>
                    )}
                </section>
            ) : null}
            <section aria-labelledby="epochs-title">
                <h2 id="epochs-title">Epochs in this window</h2>
                <Epochs stream={stream} window={window} changes={changes} />
            </section>
            {stream.numbering === "session" ? (
                <section aria-labelledby="sessions-title">
                    <h2 id="sessions-title">Sessions</h2>
                    <p class="quiet">Each start of the publisher begins a session, in which its numbers count from 0 again.</p>
                    <Sessions stream={stream} setWindow={setWindow} bounds={bounds} changes={changes} />
                </section>
            ) : null}
            <section class="card" aria-labelledby="facts-title">
                <h2 id="facts-title">What it is</h2>
                <Facts
                    of={[
                        ["Broadcast", stream.broadcast ?? "not known here"],
                        ["Tracks", stream.tracks.join(", ") || "not known here"],
                        ["Stream", <Hash of={stream.stream} />],
                        [
                            "Epoch",
                            `${stream.groups_per_epoch === null ? "" : `${plural(stream.groups_per_epoch, "group")}, `}${stream.epoch_ms === null ? "" : `about ${duration(stream.epoch_ms)}`}`,
                        ],
                        ["Archives here", stream.archives.join(", ") || "none"],
                        ["Ledger", stream.ledger],
                    ]}
                />
            </section>
        </>
    );
}

/** From when to when it is known, and how its newest epoch is. How many there are is said of each window. */
function Extent({ stream: { first_ms, last_ms, newest } }: { stream: Stream }): JSX.Element {
    if (first_ms === null || last_ms === null) return <p class="lead">No epoch of it is known yet.</p>;
    return (
        <p class="lead">
            Its first epoch here began <Time ms={first_ms} />, its newest <Time ms={last_ms} />
            {newest === null ? (
                "."
            ) : (
                <>
                    {": "}
                    <a href={link.slot(newest.slot, newest.ledger)}>
                        <StateBadge state={newest.state} />
                    </a>
                </>
            )}
        </p>
    );
}

const PLAYABLE = 6 * 60 * MINUTE;

function boundsOf(stream: Stream): Bounds {
    const last = stream.last_ms ?? Date.now();
    return { first: stream.first_ms ?? last, last, epoch: stream.epoch_ms ?? MINUTE };
}

function windowOf({ query }: Route, bounds: Bounds): Window {
    const [from, to] = [Number(query.get("from")), Number(query.get("to"))];
    const isGiven = Number.isFinite(from) && Number.isFinite(to) && to > from && from > 0;
    const whole = bounds.last + bounds.epoch - bounds.first;
    const length = Math.min(whole, 24 * 60 * MINUTE);
    return clamp(
        isGiven ? { from, to } : { from: bounds.last + bounds.epoch - length, to: bounds.last + bounds.epoch },
        bounds,
    );
}

interface TimelineProps {
    stream: Stream;
    bounds: Bounds;
    window: Window;
    setWindow: (window: Window) => void;
    changes: number;
}

function Timeline({ stream, bounds, window, setWindow, changes }: TimelineProps): JSX.Element {
    const params = { from: window.from, to: window.to, cells: cellsOf(window, bounds), ledger: stream.ledger };
    const strip = useApi<Strip>(`/streams/${stream.stream}/strip`, params);
    const sessions = useApi<SessionPage>(stream.numbering === "session" ? `/streams/${stream.stream}/sessions` : null, {
        limit: 100,
        ledger: stream.ledger,
    });
    const [cursor, setCursor] = useState<number | null>(null);
    const box = useRef<HTMLDivElement>(null);
    useEffect(() => {
        if (changes > 0) strip.reload();
    }, [changes]);

    const length = window.to - window.from;
    const cells = strip.data?.cells ?? [];
    const cellMs = strip.data?.cell_ms ?? length;
    const timeAt = (cell: number): number => (strip.data?.from_ms ?? window.from) + (cell + 0.5) * cellMs;
    const zoom = (factor: number): void =>
        setWindow(zoomTo(window, length * factor, cursor === null ? (window.from + window.to) / 2 : timeAt(cursor), bounds));
    const cellUnder = (event: MouseEvent): number => {
        const { left, width } = box.current?.getBoundingClientRect() ?? { left: 0, width: 1 };
        return Math.min(cells.length - 1, Math.max(0, Math.floor(((event.clientX - left) / width) * cells.length)));
    };
    const key = (event: KeyboardEvent): void => {
        const step = event.shiftKey ? 10 : 1;
        const at = cursor ?? cells.length - 1;
        const move = (to: number): void => {
            if (to < 0 || to >= cells.length) setWindow(pan(window, to < 0 ? -0.25 : 0.25, bounds));
            setCursor(Math.min(cells.length - 1, Math.max(0, to)));
        };
        const actions: Record<string, () => void> = {
            ArrowLeft: () => move(at - step),
            ArrowRight: () => move(at + step),
            Home: () => setCursor(0),
            End: () => setCursor(cells.length - 1),
            PageUp: () => setWindow(pan(window, -0.75, bounds)),
            PageDown: () => setWindow(pan(window, 0.75, bounds)),
            "+": () => zoom(0.5),
            "=": () => zoom(0.5),
            ArrowUp: () => zoom(0.5),
            "-": () => zoom(2),
            ArrowDown: () => zoom(2),
            Enter: () => zoom(0.2),
        };
        const action = event.ctrlKey || event.metaKey || event.altKey ? undefined : actions[event.key];
        if (action === undefined || cells.length === 0) return;
        event.preventDefault();
        action();
    };

    const whole = bounds.last + bounds.epoch - bounds.first;
    return (
        <>
            <div class="row" role="group" aria-label="How much is shown">
                {ZOOMS.filter(([, ms], at) => ms < whole || at === ZOOMS.length - 1 || (ZOOMS[at + 1]?.[1] ?? 0) < whole).map(
                    ([word, ms]) => (
                        <button
                            key={word}
                            type="button"
                            aria-pressed={Math.abs(length - ms) < ms / 20}
                            onClick={() => setWindow(zoomTo(window, ms, (window.from + window.to) / 2, bounds))}
                        >
                            {word}
                        </button>
                    ),
                )}
                <button
                    type="button"
                    onClick={() => setWindow(clamp({ from: bounds.first, to: bounds.last + bounds.epoch }, bounds))}
                >
                    All
                </button>
                <span class="row">
                    <button type="button" aria-label="earlier" onClick={() => setWindow(pan(window, -0.5, bounds))}>
                        ←
                    </button>
                    <button type="button" aria-label="later" onClick={() => setWindow(pan(window, 0.5, bounds))}>
                        →
                    </button>
                    <button type="button" aria-label="closer" disabled={length <= shortest(bounds)} onClick={() => zoom(0.5)}>
                        +
                    </button>
                    <button type="button" aria-label="farther" onClick={() => zoom(2)}>
                        −
                    </button>
                </span>
            </div>
            <Trouble error={strip.error} at={strip.at} reload={strip.reload} />
            <div
                ref={box}
                class="timeline strip-box"
                tabIndex={0}
                role="slider"
                aria-label="Timeline: left and right to move, up and down to zoom"
                aria-valuemin={0}
                aria-valuemax={Math.max(0, cells.length - 1)}
                aria-valuenow={cursor ?? Math.max(0, cells.length - 1)}
                aria-valuetext={
                    cursor === null
                        ? strip.data === null
                            ? "reading"
                            : stripText(strip.data)
                        : cellText(cells[cursor], timeAt(cursor), cellMs)
                }
                onKeyDown={key}
                onPointerMove={(event) => setCursor(cells.length === 0 ? null : cellUnder(event))}
                onPointerLeave={() => setCursor(null)}
                onDblClick={() => zoom(0.25)}
            >
                <StripBars cells={cells} cursor={cursor} />
                <SessionTicks sessions={sessions.data?.sessions ?? []} window={window} />
            </div>
            <div class="ends">
                <span>{dateTime(window.from)}</span>
                <span>{dateTime(window.to)}</span>
            </div>
            <div class="readout">
                {cursor === null ? (
                    <span class="quiet">{strip.data === null ? "" : stripText(strip.data)}</span>
                ) : (
                    <Cursor cell={cells[cursor]} at={timeAt(cursor)} cellMs={cellMs} />
                )}
            </div>
            <Legend states={CELL_STATES} />
        </>
    );
}

function cellText(cell: Cell | undefined, middle: number, cellMs: number): string {
    if (cell === undefined) return "nothing";
    const counts = cell.state === "gap" || cell.state === "none" ? STATE_MEANS[cell.state] : countsText(cell);
    return `${span(middle - cellMs / 2, middle + cellMs / 2)}: ${STATE_WORD[cell.state]}, ${counts}`;
}

function Cursor({ cell, at, cellMs }: { cell: Cell | undefined; at: number; cellMs: number }): JSX.Element | null {
    if (cell === undefined) return null;
    return (
        <>
            <StateBadge state={cell.state} /> <span class="number">{span(at - cellMs / 2, at + cellMs / 2)}</span>
            <div class="quiet">
                {cell.state === "gap" || cell.state === "none" ? STATE_MEANS[cell.state] : countsText(cell)}
            </div>
        </>
    );
}

/** Where sessions began. Too many to read are left out; the table below has all. */
function SessionTicks({ sessions, window }: { sessions: readonly Session[]; window: Window }): JSX.Element | null {
    const inside = sessions.filter(({ opened_ms }) => opened_ms >= window.from && opened_ms < window.to);
    if (inside.length > 12) return null;
    return (
        <>
            {inside.map(({ mark, opened_ms }) => (
                <span
                    key={mark}
                    class="session-tick"
                    style={{ left: `${(100 * (opened_ms - window.from)) / (window.to - window.from)}%` }}
                    aria-hidden="true"
                >
                    start
                </span>
            ))}
        </>
    );
}

const PAGE = 20;

function Epochs({ stream, window, changes }: { stream: Stream; window: Window; changes: number }): JSX.Element {
    const [cursors, setCursors] = useState<readonly string[]>([]);
    const [state, setState] = useState("");
    useEffect(() => setCursors([]), [window.from, window.to, state]);
    const params = {
        from: window.from,
        to: window.to,
        order: "newest",
        limit: PAGE,
        ledger: stream.ledger,
        state: state === "" ? null : state,
        cursor: cursors.at(-1) ?? null,
    };
    const slots = useApi<SlotPage>(`/streams/${stream.stream}/slots`, params);
    useEffect(() => {
        if (changes > 0) slots.reload();
    }, [changes]);
    const { data } = slots;
    return (
        <>
            <div class="row" style={{ marginBottom: "0.75rem" }}>
                <label for="state" style={{ margin: 0 }}>
                    Show
                </label>
                <select
                    id="state"
                    style={{ width: "auto" }}
                    value={state}
                    onChange={(event) => setState(event.currentTarget.value)}
                >
                    <option value="">all</option>
                    {(["final", "open", "disputed", "mismatched", "unvoted"] as const).map((of) => (
                        <option key={of} value={of}>
                            {STATE_WORD[of]}
                        </option>
                    ))}
                </select>
            </div>
            <Trouble error={slots.error} at={slots.at} reload={slots.reload} />
            {data === null ? (
                slots.error === null ? (
                    <Loading />
                ) : null
            ) : data.slots.length === 0 ? (
                <p class="quiet">No such epoch in this window.</p>
            ) : (
                <SlotTable slots={data.slots} label="Epochs" />
            )}
            {data === null || (data.next === null && cursors.length === 0) ? null : (
                <p class="row" style={{ marginTop: "0.75rem" }}>
                    <button type="button" disabled={cursors.length === 0} onClick={() => setCursors(cursors.slice(0, -1))}>
                        Newer
                    </button>
                    <button
                        type="button"
                        disabled={data.next === null}
                        onClick={() => setCursors([...cursors, data.next ?? ""])}
                    >
                        Older
                    </button>
                </p>
            )}
        </>
    );
}

export function SlotTable({ slots, label }: { slots: readonly Slot[]; label: string }): JSX.Element {
    return (
        <Table label={label} head={["Began", "State", "Votes", "Final since", "Archives here", "Slot"]}>
            {slots.map((slot) => (
                <tr key={slot.slot}>
                    <th scope="row">
                        <a href={link.slot(slot.slot, slot.ledger)}>
                            <Time ms={slot.observed_ms} />
                        </a>
                    </th>
                    <td>
                        <StateBadge state={slot.state} />
                    </td>
                    <td>
                        {slot.votes} of {slot.witnesses}
                        <span class="quiet">, {slot.quorum} needed</span>
                    </td>
                    <td>{slot.final === null ? <span class="quiet">–</span> : <Time ms={slot.final.time_ms} />}</td>
                    <td>{archivesText(slot)}</td>
                    <td>
                        <Hash of={slot.slot} />
                    </td>
                </tr>
            ))}
        </Table>
    );
}

export function archivesText({ archives }: Slot): string {
    const parts = [
        archives.equal > 0 ? `${archives.equal} the same` : "",
        archives.differing > 0 ? `${archives.differing} other` : "",
        archives.incomplete > 0 ? `${archives.incomplete} not whole` : "",
    ].filter((part) => part !== "");
    return parts.length === 0 ? "–" : parts.join(", ");
}

function Sessions({
    stream,
    setWindow,
    bounds,
    changes,
}: {
    stream: Stream;
    setWindow: (window: Window) => void;
    bounds: Bounds;
    changes: number;
}): JSX.Element {
    const sessions = useApi<SessionPage>(`/streams/${stream.stream}/sessions`, { limit: 100, ledger: stream.ledger });
    useEffect(() => {
        if (changes > 0) sessions.reload();
    }, [changes]);
    const rows = useMemo(() => sessions.data?.sessions ?? [], [sessions.data]);
    const show = ({ first_ms, last_ms }: Session): void => {
        setWindow(clamp({ from: first_ms - bounds.epoch, to: last_ms + 2 * bounds.epoch }, bounds));
        document.getElementById("timeline-title")?.scrollIntoView({ block: "start" });
    };
    return (
        <>
            <Trouble error={sessions.error} at={sessions.at} reload={sessions.reload} />
            {rows.length === 0 ? (
                <p class="quiet">No session is known yet.</p>
            ) : (
                <Table label="Sessions of this stream" head={["Began", "Lasted", "Epochs", "Final", "In the timeline"]}>
                    {rows.map((session) => (
                        <tr key={session.mark}>
                            <th scope="row">
                                <Time ms={session.opened_ms} />
                            </th>
                            <td>{duration(session.last_ms + bounds.epoch - session.first_ms)}</td>
                            <td>
                                {session.first_index} – {session.last_index}
                            </td>
                            <td>{count(session.slots.final)}</td>
                            <td>
                                <button
                                    type="button"
                                    onClick={() => show(session)}
                                    aria-label={`show the session of ${dateTime(session.opened_ms)} in the timeline`}
                                >
                                    Show
                                </button>
                            </td>
                        </tr>
                    ))}
                </Table>
            )}
        </>
    );
}
