import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";

import type { Cell, Place, Segment } from "../../src/api/types.ts";
import { wordOf } from "../../src/embed/word.ts";
import { hashOfFragment } from "../../src/pages/player.tsx";
import { ago, bytes, DAY, duration, HOUR, plural, short, span } from "../../src/ui/format.ts";
import { href, parseRoute } from "../../src/ui/route.ts";
import { countsText } from "../../src/ui/states.ts";
import { runsOf, stripText } from "../../src/ui/strip.tsx";
import { cellsOf, clamp, LONGEST, pan, shortest, zoomTo, type Bounds, type Window } from "../../src/ui/window.ts";
import { parseProof } from "../../src/verify/proof.ts";

const NOTHING = { final: 0, open: 0, disputed: 0, mismatched: 0, unvoted: 0 };

describe("window", () => {
    const bounds: Bounds = { first: 1_000_000_000, last: 1_000_000_000 + 400 * DAY, epoch: 20_000 };
    const end = bounds.last + bounds.epoch;
    const length = (window: Window): number => window.to - window.from;

    test("never leaves the stream, is never shorter than some epochs nor longer than a year", () => {
        for (const [from, to] of [
            [0, 1],
            [0, 1e15],
            [end, end + DAY],
            [bounds.first - DAY, bounds.first],
            [5, 4],
        ] as const) {
            const window = clamp({ from, to }, bounds);
            expect(window.from).toBeGreaterThanOrEqual(bounds.first);
            expect(window.to).toBeLessThanOrEqual(end);
            expect(length(window)).toBeGreaterThanOrEqual(shortest(bounds));
            expect(length(window)).toBeLessThanOrEqual(LONGEST);
        }
    });

    test("zooms about a moment, from a year to some epochs and back", () => {
        const about = bounds.first + 200 * DAY;
        let window = clamp({ from: bounds.first, to: bounds.first + LONGEST }, bounds);
        for (let at = 0; at < 40; at++) {
            window = zoomTo(window, length(window) / 2, about, bounds);
            expect(window.from <= about && about <= window.to).toBe(true);
        }
        expect(length(window)).toBe(shortest(bounds));
        expect(cellsOf(window, bounds)).toBe(4);
        for (let at = 0; at < 40; at++) window = zoomTo(window, length(window) * 2, about, bounds);
        expect(length(window)).toBe(LONGEST);
        expect(cellsOf(window, bounds)).toBe(240);
    });

    test("moves by a part of itself and stops at the ends", () => {
        const window = clamp({ from: end - HOUR, to: end }, bounds);
        expect(pan(window, 0.5, bounds)).toEqual(window);
        expect(pan(window, -1, bounds)).toEqual({ from: end - 2 * HOUR, to: end - HOUR });
    });

    test("a stream of one epoch has a window too", () => {
        const one = { first: 1_000_000_000, last: 1_000_000_000, epoch: 20_000 };
        const window = clamp({ from: one.first, to: one.first + one.epoch }, one);
        expect(window.to).toBe(one.last + one.epoch);
        expect(length(window)).toBe(shortest(one));
    });
});

describe("strip", () => {
    const cell = (state: Cell["state"], counts: Partial<Cell> = {}): Cell => ({ state, ...NOTHING, ...counts });
    test("joins neighbours of one state", () => {
        expect(runsOf([cell("final"), cell("final"), cell("gap"), cell("final")])).toEqual([
            { state: "final", first: 0, cells: 2 },
            { state: "gap", first: 2, cells: 1 },
            { state: "final", first: 3, cells: 1 },
        ]);
    });
    test("is told in words, for who cannot see it", () => {
        const cells = [cell("final", { final: 3 }), cell("gap"), cell("disputed", { final: 1, disputed: 2 })];
        expect(stripText({ from_ms: 0, to_ms: HOUR, cell_ms: 1, cells })).toBe(
            "1 Jan 1970, 00:00 – 01:00 UTC: 4 final, 2 disputed, 1 gap",
        );
        expect(countsText({ ...NOTHING, final: 1 })).toBe("1 epoch: 1 final");
    });
});

test("routes are read as they are written", () => {
    const made = href(["streams", "la/track 0?#é"], { from: 5, ledger: null });
    expect(parseRoute(made.slice(2))).toMatchObject({ parts: ["streams", "la/track 0?#é"] });
    expect(parseRoute(made.slice(2)).query.get("from")).toBe("5");
    expect(parseRoute("").parts).toEqual([]);
    expect(parseRoute("#/%E0%A4%A").parts).toEqual(["%E0%A4%A"]);
});

test("numbers and times in words", () => {
    expect([0, 999, 1500, 12_345, 60_000, 90_000, 2 * HOUR, 3 * DAY].map(duration)).toEqual([
        "0 s",
        "999 ms",
        "1.5 s",
        "12 s",
        "1 min",
        "90 s",
        "2 h",
        "3 d",
    ]);
    expect(ago(0, 1000)).toBe("just now");
    expect(ago(0, 9 * DAY)).toBe("on 1 Jan 1970");
    expect([999, 1234, 12_345_678].map(bytes)).toEqual(["999 B", "1.2 kB", "12.3 MB"]);
    expect(plural(1, "vote") + plural(1234, "vote")).toBe("1 vote1,234 votes");
    expect(short(`0x${"ab".repeat(32)}`)).toBe("0xababab…abab");
    expect(span(0, 5 * DAY)).toBe("1 Jan 1970 – 6 Jan 1970");
});

test("a segment's fingerprint is the last part of its address", () => {
    const hash = "ab".repeat(32);
    expect(hashOfFragment({ url: `https://x/media/objects/${hash}` })).toBe(hash);
    expect(hashOfFragment({ url: `https://x/media/objects/${hash}.m4s?at=1` })).toBe(hash);
    expect(hashOfFragment({ url: "https://x/media/init.mp4" })).toBe("");
});

describe("the embed", () => {
    const proof = parseProof(readFileSync(join(import.meta.dirname, "../fixtures/proofs/la-nbc.json"), "utf8"));
    const blake3 = proof.blake3.slice(2);
    const segment = (...words: Place["word"][]): Segment =>
        ({ places: words.map((word) => ({ word, broadcast: "la-nbc", time_ms: 0, slot: null })) }) as unknown as Segment;

    test("says the best that is known", () => {
        expect(wordOf(blake3, segment("unvoted", "final"), [null, proof]).mark).toBe("witnessed");
        expect(wordOf(blake3, segment("unvoted", "open"), [null, null]).mark).toBe("soon");
        expect(wordOf(blake3, segment("not_in_final"), [null]).mark).toBe("other");
        expect(wordOf(blake3, segment(), []).mark).toBe("unknown");
    });
    test("does not say witnessed without a proof that holds for these bytes", () => {
        expect(wordOf(blake3, segment("final"), [null]).mark).toBe("unwitnessed");
        expect(wordOf(blake3, segment("final"), [{ ...proof, sizeBytes: 1n }]).mark).toBe("broken");
        expect(wordOf("ab".repeat(32), segment("final"), [proof]).mark).toBe("broken");
    });
});
