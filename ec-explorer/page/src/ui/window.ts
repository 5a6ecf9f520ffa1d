/** The window of a timeline: from when to when, and how it is moved and zoomed. Pure. */

import { DAY, HOUR, MINUTE } from "./format.ts";

export interface Window {
    readonly from: number;
    readonly to: number;
}

/** What a stream has: a window never leaves it by more than its own length. */
export interface Bounds {
    readonly first: number;
    readonly last: number;
    readonly epoch: number;
}

export const LONGEST = 366 * DAY;

export const ZOOMS: readonly (readonly [string, number])[] = [
    ["Year", 365 * DAY],
    ["Month", 30 * DAY],
    ["Week", 7 * DAY],
    ["Day", DAY],
    ["Hour", HOUR],
    ["10 minutes", 10 * MINUTE],
];

/** The shortest window: some epochs, so that one of them can be picked. */
export function shortest({ epoch }: Bounds): number {
    return 4 * epoch;
}

export function clamp(window: Window, bounds: Bounds): Window {
    const length = Math.min(LONGEST, Math.max(shortest(bounds), window.to - window.from));
    const latest = bounds.last + bounds.epoch;
    // a stream that is shorter than the window stands at its end
    const lowest = Math.min(bounds.first, latest - length);
    const from = Math.min(Math.max(window.from, lowest), Math.max(latest - length, lowest));
    return { from: Math.round(from), to: Math.round(from + length) };
}

/** As long as asked, about the same moment. */
export function zoomTo(window: Window, length: number, about: number, bounds: Bounds): Window {
    const share = Math.min(1, Math.max(0, (about - window.from) / (window.to - window.from)));
    const from = about - share * length;
    return clamp({ from, to: from + length }, bounds);
}

/** Moved by a part of its length. */
export function pan(window: Window, part: number, bounds: Bounds): Window {
    const by = part * (window.to - window.from);
    return clamp({ from: window.from + by, to: window.to + by }, bounds);
}

/** How many cells a window is asked for: never finer than its epochs. */
export function cellsOf(window: Window, bounds: Bounds, most = 240): number {
    return Math.max(1, Math.min(most, Math.ceil((window.to - window.from) / bounds.epoch)));
}
