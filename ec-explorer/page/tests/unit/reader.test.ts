import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";

import { ApiError } from "../../src/api/client.ts";
import { readerOf, type Reader } from "../../src/api/reader.ts";

describe("readerOf", () => {
    /** Reads that are under way, to be answered by hand. */
    let reads: { signal: AbortSignal; answer: (data: string) => Promise<void>; fail: (error: Error) => Promise<void> }[];
    let heard: string[];
    let reader: Reader;

    beforeEach(() => {
        vi.useFakeTimers();
        reads = [];
        heard = [];
        const settle = async (): Promise<void> => {
            await vi.advanceTimersByTimeAsync(0);
        };
        reader = readerOf<string>(
            (signal) =>
                new Promise((resolve, reject) => {
                    reads.push({
                        signal,
                        answer: async (data) => {
                            resolve(data);
                            await settle();
                        },
                        fail: async (error) => {
                            reject(error);
                            await settle();
                        },
                    });
                }),
            { data: (data) => heard.push(data), error: (error) => heard.push(`error: ${error.message}`) },
        );
    });

    afterEach(() => {
        vi.useRealTimers();
    });

    test("news during a read do not cut it off, and are read once after it, however many they are", async () => {
        for (let at = 0; at < 5; at++) reader.ask();
        expect(reads).toHaveLength(1);
        expect(reads[0]?.signal.aborted).toBe(false);
        await reads[0]?.answer("first");
        expect(heard).toEqual(["first"]);
        expect(reads).toHaveLength(2);
        await reads[1]?.answer("second");
        expect(heard).toEqual(["first", "second"]);
        expect(reads).toHaveLength(2);
    });

    test("what failed for now is asked again in growing steps, and what is refused is not", async () => {
        reader.ask();
        await reads[0]?.fail(new ApiError("unreachable", "away"));
        await vi.advanceTimersByTimeAsync(2000);
        expect(reads).toHaveLength(2);
        await reads[1]?.fail(new ApiError("unreachable", "away"));
        await vi.advanceTimersByTimeAsync(2000);
        expect(reads).toHaveLength(2);
        await vi.advanceTimersByTimeAsync(2000);
        expect(reads).toHaveLength(3);
        const problem = { type: "", title: "", status: 404, detail: "", parameter: null };
        await reads[2]?.fail(new ApiError("problem", "unknown", problem));
        await vi.advanceTimersByTimeAsync(60_000);
        expect(reads).toHaveLength(3);
        expect(heard).toEqual(["error: away", "error: away", "error: unknown"]);
    });

    test("asked in between, it does not wait for the next try", async () => {
        reader.ask();
        await reads[0]?.fail(new Error("what"));
        reader.ask();
        expect(reads).toHaveLength(2);
        await reads[1]?.answer("there");
        await vi.advanceTimersByTimeAsync(60_000);
        expect(reads).toHaveLength(2);
        expect(heard).toEqual(["error: Error: what", "there"]);
    });

    test("after its end nothing is heard or asked", async () => {
        reader.ask();
        reader.ask();
        reader.end();
        expect(reads[0]?.signal.aborted).toBe(true);
        await reads[0]?.answer("late");
        reader.ask();
        expect(reads).toHaveLength(1);
        expect(heard).toEqual([]);
    });
});
