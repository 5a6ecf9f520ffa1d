/** The API in components: what was read stays shown while it is read anew, and when the server is away. */

import { useCallback, useEffect, useRef, useState } from "preact/hooks";

import { apiUrl, get, type ApiError, type Params } from "./client.ts";
import { readerOf, type Reader } from "./reader.ts";

export interface Read<T> {
    readonly data: T | null;
    readonly error: ApiError | null;
    /** When `data` came. */
    readonly at: number | null;
    readonly reload: () => void;
}

/** Reads a route, again when its parameters change, on `reload`, and after errors in growing steps. `null` asks nothing. */
export function useApi<T>(route: string | null, params: Params = {}): Read<T> {
    const [state, setState] = useState<Omit<Read<T>, "reload"> & { of: string | null }>({
        data: null,
        error: null,
        at: null,
        of: null,
    });
    const key = route === null ? null : apiUrl(route, params);
    const reader = useRef<Reader | null>(null);
    const reload = useCallback(() => reader.current?.ask(), []);

    useEffect(() => {
        if (key === null || route === null) return undefined;
        const asking = readerOf<T>((signal) => get<T>(route, params, signal), {
            data: (data) => setState({ data, error: null, at: Date.now(), of: key }),
            error: (error) => setState((before) => ({ ...before, data: keep(before, key), of: key, error })),
        });
        reader.current = asking;
        asking.ask();
        return () => {
            reader.current = null;
            asking.end();
        };
        // the key holds route and parameters
    }, [key]);

    return { ...(state.of === key || state.of === null ? state : { ...state, data: keep(state, key) }), reload };
}

/** What was read of the same route with other parameters stays until the new is there; of another route, nothing does. */
function keep<T>(state: { data: T | null; of: string | null }, key: string | null): T | null {
    return key !== null && state.of !== null && new URL(key).pathname === new URL(state.of).pathname ? state.data : null;
}

const EVENTS = ["hello", "heads", "candidate", "vote", "final", "finalized", "reorg", "archive", "reset"] as const;
export type EventName = (typeof EVENTS)[number];

/** What the server tells as it happens. Whether it is listening is what this returns. */
export function useEvents(params: Params, heard: (name: EventName, data: Record<string, unknown>) => void): boolean {
    const [isLive, setLive] = useState(false);
    const latest = useRef(heard);
    latest.current = heard;
    const url = apiUrl("/events", params);
    useEffect(() => {
        let source: EventSource | undefined;
        let again: ReturnType<typeof setTimeout> | undefined;
        let wasAway = false;
        const open = (): void => {
            source = new EventSource(url);
            source.onopen = () => {
                setLive(true);
                // what happened meanwhile may be lost
                if (wasAway) latest.current("reset", {});
                wasAway = false;
            };
            source.onerror = () => {
                setLive(false);
                wasAway = true;
                // a browser gives up where the answer was an error
                if (source?.readyState === EventSource.CLOSED) again = setTimeout(open, 3000);
            };
            for (const name of EVENTS) {
                source.addEventListener(name, (event) => {
                    try {
                        latest.current(name, JSON.parse((event as MessageEvent<string>).data) as Record<string, unknown>);
                    } catch {
                        latest.current("reset", {});
                    }
                });
            }
        };
        const close = (): void => {
            source?.close();
            clearTimeout(again);
        };
        // a browser has few connections to a host, over all its tabs: one that nobody looks at must not hold one
        const shownOrHidden = (): void => {
            close();
            if (document.hidden) wasAway = true;
            else open();
        };
        shownOrHidden();
        document.addEventListener("visibilitychange", shownOrHidden);
        return () => {
            document.removeEventListener("visibilitychange", shownOrHidden);
            close();
        };
    }, [url]);
    return isLive;
}

/** A chain has a new head every second or two; how it is with a ledger is read no more often than this, in milliseconds. */
export const HEADS_EVERY = 4000;

/** Calls at most once in `ms`, and once more at the end. */
export function useThrottled(call: () => void, ms: number): () => void {
    const latest = useRef(call);
    latest.current = call;
    const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
    useEffect(() => () => clearTimeout(timer.current), []);
    return useCallback(() => {
        timer.current ??= setTimeout(() => {
            timer.current = undefined;
            latest.current();
        }, ms);
    }, [ms]);
}
