/** Reads one thing over and over, one read at a time. */

import { ApiError } from "./client.ts";

export interface Reader {
    readonly ask: () => void;
    readonly end: () => void;
}

export interface Heard<T> {
    readonly data: (data: T) => void;
    readonly error: (error: ApiError) => void;
}

/**
 * What is asked for during a read is read once more after it: were the read cut off instead, none would ever end where news
 * come faster than answers. What failed for now is asked again by itself, in growing steps.
 */
export function readerOf<T>(read: (signal: AbortSignal) => Promise<T>, heard: Heard<T>): Reader {
    const ended = new AbortController();
    let isReading = false;
    let isAskedAgain = false;
    let failures = 0;
    let again: ReturnType<typeof setTimeout> | undefined;

    const over = (): void => {
        isReading = false;
        if (!isAskedAgain) return;
        isAskedAgain = false;
        ask();
    };
    const ask = (): void => {
        if (ended.signal.aborted) return;
        if (isReading) {
            isAskedAgain = true;
            return;
        }
        clearTimeout(again);
        isReading = true;
        read(ended.signal).then(
            (data) => {
                if (ended.signal.aborted) return;
                failures = 0;
                heard.data(data);
                over();
            },
            (thrown: unknown) => {
                if (ended.signal.aborted) return;
                const error = thrown instanceof ApiError ? thrown : new ApiError("nonsense", String(thrown));
                heard.error(error);
                if (isPassing(error)) {
                    failures += 1;
                    again = setTimeout(ask, Math.min(30_000, 1000 * 2 ** failures));
                }
                over();
            },
        );
    };
    return {
        ask,
        end: () => {
            ended.abort();
            clearTimeout(again);
        },
    };
}

/** Whether another try may have another end. */
function isPassing({ kind, problem }: ApiError): boolean {
    return kind !== "problem" || (problem?.status ?? 500) >= 500;
}
