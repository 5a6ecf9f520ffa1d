/** Asks this site's API. */

import type { Problem } from "./types.ts";

/** The API answered with a problem, or not at all. */
export class ApiError extends Error {
    constructor(
        readonly kind: "problem" | "unreachable" | "nonsense",
        message: string,
        readonly problem: Problem | null = null,
        options?: ErrorOptions,
    ) {
        super(message, options);
    }

    /** Whether the API knows nothing of what was asked for. */
    get isUnknown(): boolean {
        return this.problem?.status === 404;
    }
}

export type Params = Readonly<Record<string, string | number | null | undefined>>;

/** The address of a route, relative to the page, so that the explorer may stand below a path. */
export function apiUrl(route: string, params: Params = {}): string {
    return urlAt(new URL(`api/v1${route}`, pageRoot()), params);
}

export function mediaUrl(route: string, params: Params = {}): string {
    return urlAt(new URL(`media${route}`, pageRoot()), params);
}

function pageRoot(): URL {
    return new URL("./", location.href);
}

function urlAt(url: URL, params: Params): string {
    for (const [name, value] of Object.entries(params)) {
        if (value !== null && value !== undefined) url.searchParams.set(name, String(value));
    }
    return url.href;
}

const TIMEOUT_MS = 20_000;

export async function getText(url: string, signal?: AbortSignal): Promise<string> {
    const timeout = AbortSignal.timeout(TIMEOUT_MS);
    let response: Response;
    let text: string;
    try {
        response = await fetch(url, { signal: signal === undefined ? timeout : anyOf(signal, timeout), credentials: "omit" });
        text = await response.text();
    } catch (error) {
        if (signal?.aborted === true) throw error;
        throw new ApiError("unreachable", "This site's server does not answer.", null, { cause: error });
    }
    if (response.ok) return text;
    const problem = problemOf(text);
    throw new ApiError("problem", problem?.detail ?? `The server answered with status ${response.status}.`, problem);
}

export async function get<T>(route: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
    const text = await getText(apiUrl(route, params), signal);
    try {
        return JSON.parse(text) as T;
    } catch (error) {
        throw new ApiError("nonsense", "The server answered with something else than JSON.", null, { cause: error });
    }
}

function problemOf(text: string): Problem | null {
    try {
        const value = JSON.parse(text) as Partial<Problem> | null;
        return typeof value?.detail === "string" ? (value as Problem) : null;
    } catch {
        return null;
    }
}

function anyOf(one: AbortSignal, other: AbortSignal): AbortSignal {
    const both = new AbortController();
    for (const signal of [one, other]) {
        if (signal.aborted) both.abort(signal.reason);
        signal.addEventListener("abort", () => both.abort(signal.reason), { once: true });
    }
    return both.signal;
}
