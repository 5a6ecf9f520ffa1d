/** Where the visitor is: in the address's fragment, so that any file server can serve the page, below any path. */

import { useEffect, useState } from "preact/hooks";

export interface Route {
    /** The parts of the path, decoded. */
    readonly parts: readonly string[];
    readonly query: URLSearchParams;
}

export function parseRoute(fragment: string): Route {
    const [path = "", query = ""] = fragment.replace(/^#\/?/, "").split("?", 2);
    return {
        parts: path
            .split("/")
            .filter((part) => part !== "")
            .map(decode),
        query: new URLSearchParams(query),
    };
}

function decode(part: string): string {
    try {
        return decodeURIComponent(part);
    } catch {
        return part;
    }
}

export function href(parts: readonly string[], query: Readonly<Record<string, string | number | null>> = {}): string {
    const search = new URLSearchParams();
    for (const [name, value] of Object.entries(query)) if (value !== null) search.set(name, String(value));
    const text = search.toString();
    return `./#/${parts.map(encodeURIComponent).join("/")}${text === "" ? "" : `?${text}`}`;
}

export function useRoute(): Route {
    const [route, setRoute] = useState(() => parseRoute(location.hash));
    useEffect(() => {
        const changed = (): void => setRoute(parseRoute(location.hash));
        addEventListener("hashchange", changed);
        return () => removeEventListener("hashchange", changed);
    }, []);
    return route;
}

/** Other parameters of the same page, without a step back for each. */
export function replaceQuery(route: Route, query: Readonly<Record<string, string | number | null>>): void {
    history.replaceState(null, "", href(route.parts, query));
    dispatchEvent(new HashChangeEvent("hashchange"));
}

export const link = {
    streams: (ledger: string | null = null): string => href([], { ledger }),
    stream: (stream: string, query: Readonly<Record<string, string | number | null>> = {}): string =>
        href(["streams", stream], query),
    slot: (slot: string, ledger: string | null = null): string => href(["slots", slot], { ledger }),
    witnesses: (): string => href(["witnesses"]),
    witness: (witness: string, ledger: string | null = null): string => href(["witnesses", witness], { ledger }),
    check: (of: Readonly<Record<string, string>> = {}): string => {
        const text = new URLSearchParams(of).toString();
        return `./check.html${text === "" ? "" : `#${text}`}`;
    },
};
