/** Small parts that all pages are made of. */

import type { ComponentChildren, JSX } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";

import type { ApiError } from "../api/client.ts";
import type { CellState, LedgerStatus } from "../api/types.ts";
import { ago, dateTime, localTime, short } from "./format.ts";
import { link } from "./route.ts";
import { STATE_MEANS, STATE_WORD } from "./states.ts";

/** A hash in short, with all of it for those who point at it, copy it or cannot see it. */
export function Hash({ of, href, label }: { of: string; href?: string; label?: string }): JSX.Element {
    const shown = label ?? <code>{short(of)}</code>;
    return (
        <span class="hash">
            {href === undefined ? (
                <span title={of}>{shown}</span>
            ) : (
                <a href={href} title={of}>
                    {shown}
                </a>
            )}
            <Copy text={of} what={label ?? short(of)} />
        </span>
    );
}

/** Browsers have a clipboard for pages that came by https, and from this machine. Elsewhere a prompt holds the text. */
export async function copyText(text: string): Promise<void> {
    const clipboard = navigator.clipboard as Clipboard | undefined;
    if (clipboard === undefined) prompt("Copy this:", text);
    else await clipboard.writeText(text);
}

export function Copy({ text, what }: { text: string; what: string }): JSX.Element {
    const [isDone, setDone] = useState(false);
    const copy = (): void => {
        void copyText(text).then(() => {
            setDone(true);
            setTimeout(() => setDone(false), 1500);
        });
    };
    return (
        <button
            type="button"
            class="copy"
            onClick={copy}
            aria-label={isDone ? "copied" : `copy ${what}`}
            title={isDone ? "copied" : "copy"}
        >
            <svg viewBox="0 0 16 16" width="14" height="14" aria-hidden="true">
                {isDone ? <path d="M3 8.5l3.2 3.2L13 4.8" /> : <path d="M5.5 5.5h7v8h-7zM3.5 10.5v-8h7" />}
            </svg>
        </button>
    );
}

export function Time({ ms }: { ms: number }): JSX.Element {
    return (
        <time dateTime={new Date(ms).toISOString()} title={localTime(ms)}>
            {dateTime(ms)}
        </time>
    );
}

/** The present, told anew every second. */
export function useNow(everyMs = 1000): number {
    const [now, setNow] = useState(() => Date.now());
    useEffect(() => {
        const timer = setInterval(() => setNow(Date.now()), everyMs);
        return () => clearInterval(timer);
    }, [everyMs]);
    return now;
}

/** The shape of a state: never colour alone. */
export function StateMark({ state }: { state: CellState }): JSX.Element {
    return <span class={`mark mark-${state}`} aria-hidden="true" />;
}

export function StateBadge({ state }: { state: CellState }): JSX.Element {
    return (
        <span class={`badge badge-${state}`} title={STATE_MEANS[state]}>
            <StateMark state={state} />
            {STATE_WORD[state]}
        </span>
    );
}

export function Legend({ states }: { states: readonly CellState[] }): JSX.Element {
    return (
        <ul class="legend" aria-label="What the shapes mean">
            {states.map((state) => (
                <li key={state}>
                    <StateMark state={state} />
                    <span>
                        <b>{STATE_WORD[state]}</b> <span class="quiet">{STATE_MEANS[state]}</span>
                    </span>
                </li>
            ))}
        </ul>
    );
}

/** What went wrong with reading, and what still stands here of before. */
export function Trouble({
    error,
    at,
    reload,
}: {
    error: ApiError | null;
    at?: number | null;
    reload?: () => void;
}): JSX.Element | null {
    const now = useNow();
    if (error === null) return null;
    const isProblem = error.kind === "problem";
    return (
        <div class="notice notice-bad" role="alert">
            <p>
                <strong>{isProblem ? (error.problem?.title ?? "The server refused this.") : error.message}</strong>{" "}
                {isProblem
                    ? error.message
                    : at != null
                      ? `What you see was read ${ago(at, now)}; it is asked again by itself.`
                      : "It is asked again by itself."}
            </p>
            {reload === undefined ? null : (
                <button type="button" onClick={reload}>
                    Ask now
                </button>
            )}
        </div>
    );
}

/** How it is with the chains that are followed, where it is not as it should be. */
export function LedgerTrouble({ ledgers }: { ledgers: readonly LedgerStatus[] }): JSX.Element | null {
    const now = useNow();
    const bad = ledgers.filter((ledger) => ledger.state !== "following" || ledger.finality_stalled_ms !== null);
    if (bad.length === 0) return null;
    return (
        <div class="notice notice-warn" role="status">
            {bad.map((ledger) => (
                <p key={ledger.name}>
                    <strong>{ledgerSentence(ledger)}</strong>{" "}
                    {ledger.state === "down" && ledger.read_ms !== null
                        ? `What you see was read ${ago(ledger.read_ms, now)}, and may be out of date.`
                        : ""}
                </p>
            ))}
        </div>
    );
}

function ledgerSentence({ name, state }: LedgerStatus): string {
    switch (state) {
        case "catching_up":
            return `The log of ${name} is being read for the first time: some of it is not here yet.`;
        case "down":
            return `The chain of ${name} does not answer now.`;
        case "contradicted":
            return `The chain of ${name} no longer holds what it called final. Its word is not to be relied on.`;
        case "following":
            return `The chain of ${name} goes on, but nothing new becomes finalized.`;
    }
}

export function Loading(): JSX.Element {
    return (
        <p class="loading" role="status">
            Reading…
        </p>
    );
}

export type Place = "streams" | "witnesses" | "check" | null;

const PLACES: [Exclude<Place, null>, string, () => string][] = [
    ["streams", "Streams", link.streams],
    ["witnesses", "Witnesses", link.witnesses],
    ["check", "Check", () => link.check()],
];

export function Frame({
    place,
    isLive,
    children,
}: {
    place: Place;
    isLive?: boolean;
    children: ComponentChildren;
}): JSX.Element {
    return (
        <>
            <a class="skip" href="#main" onClick={skip}>
                Skip to the content
            </a>
            <header class="top">
                <div class="bar">
                    <a class="brand" href={link.streams()}>
                        <Logo />
                        <span>
                            every.channel <span class="quiet">witnessed</span>
                        </span>
                    </a>
                    <nav aria-label="Pages">
                        {PLACES.map(([name, word, to]) => (
                            <a key={name} href={to()} aria-current={place === name ? "page" : undefined}>
                                {word}
                            </a>
                        ))}
                    </nav>
                    {isLive === undefined ? null : (
                        <span class={isLive ? "live live-on" : "live"} role="status">
                            <span class="dot" aria-hidden="true" />
                            {isLive ? "live" : "not live"}
                        </span>
                    )}
                </div>
            </header>
            <main id="main" tabIndex={-1}>
                {children}
            </main>
            <footer class="bottom">
                <p>
                    Witnesses record what was broadcast, each by itself, and vote for what they have. What a majority of them
                    has alike is kept on a chain. <a href={link.check()}>Check it yourself</a>: nobody here has to be believed.
                </p>
            </footer>
        </>
    );
}

function skip(event: Event): void {
    event.preventDefault();
    document.getElementById("main")?.focus();
}

function Logo(): JSX.Element {
    return (
        <svg class="logo" viewBox="0 0 24 24" width="26" height="26" aria-hidden="true">
            <path d="M3 7.5v9M7.5 4.5v15M12 9v6M16.5 4.5v15M21 7.5v9" />
        </svg>
    );
}

/** A page's heading, which has the focus after a change of page, so that it is read out. */
export function Title({ text, children }: { text: string; children?: ComponentChildren }): JSX.Element {
    const heading = useRef<HTMLHeadingElement>(null);
    useEffect(() => {
        document.title = `${text} · every.channel witnessed`;
    }, [text]);
    useEffect(() => {
        // not at the first page, where the visitor has not moved
        if (hasMoved) heading.current?.focus({ preventScroll: true });
        hasMoved = true;
    }, []);
    return (
        <h1 ref={heading} tabIndex={-1}>
            {children ?? text}
        </h1>
    );
}

let hasMoved = false;

export function Facts({ of }: { of: readonly (readonly [string, ComponentChildren])[] }): JSX.Element {
    return (
        <dl class="facts">
            {of.map(([name, value]) => (
                <div key={name}>
                    <dt>{name}</dt>
                    <dd>{value}</dd>
                </div>
            ))}
        </dl>
    );
}

/** A wide table scrolls by itself, also by the keyboard. */
export function Table({
    label,
    head,
    children,
}: {
    label: string;
    head: readonly ComponentChildren[];
    children: ComponentChildren;
}): JSX.Element {
    return (
        <div class="scroll" tabIndex={0} role="region" aria-label={label}>
            <table>
                <thead>
                    <tr>
                        {head.map((name, at) => (
                            <th key={at} scope="col">
                                {name}
                            </th>
                        ))}
                    </tr>
                </thead>
                <tbody>{children}</tbody>
            </table>
        </div>
    );
}
