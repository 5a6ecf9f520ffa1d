/** How numbers, times and hashes are shown. */

const DATE = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", day: "numeric", month: "short", year: "numeric" });
const CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit", second: "2-digit" });
const SHORT_CLOCK = new Intl.DateTimeFormat("en-GB", { timeZone: "UTC", hour: "2-digit", minute: "2-digit" });
const LOCAL = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });
const NUMBER = new Intl.NumberFormat("en-GB");

export const MINUTE = 60_000;
export const HOUR = 60 * MINUTE;
export const DAY = 24 * HOUR;

export function date(ms: number): string {
    return DATE.format(ms);
}

export function clock(ms: number): string {
    return CLOCK.format(ms);
}

export function shortClock(ms: number): string {
    return SHORT_CLOCK.format(ms);
}

export function dateTime(ms: number): string {
    return `${date(ms)}, ${clock(ms)} UTC`;
}

/** The same in the visitor's own zone and words. */
export function localTime(ms: number): string {
    return LOCAL.format(ms);
}

/** From one time to another, the day said once where it is the same. */
export function span(from: number, to: number): string {
    const seconds = to - from < 10 * MINUTE;
    const time = (ms: number): string => (seconds ? clock(ms) : shortClock(ms));
    if (to - from > 3 * DAY) return `${date(from)} – ${date(to)}`;
    if (date(from) === date(to)) return `${date(from)}, ${time(from)} – ${time(to)} UTC`;
    return `${date(from)}, ${time(from)} – ${date(to)}, ${time(to)} UTC`;
}

export function count(value: number): string {
    return NUMBER.format(value);
}

export function plural(value: number, one: string, many = `${one}s`): string {
    return `${count(value)} ${value === 1 ? one : many}`;
}

/** About how long, in the largest unit that fits. */
export function duration(ms: number): string {
    const units: [number, string][] = [
        [365 * DAY, "y"],
        [DAY, "d"],
        [HOUR, "h"],
        [MINUTE, "min"],
    ];
    for (const [unit, name] of units)
        if (ms >= 2 * unit || (ms >= unit && ms % unit === 0)) return `${count(Math.round(ms / unit))} ${name}`;
    return ms >= 10_000 || ms % 1000 === 0
        ? `${Math.round(ms / 1000)} s`
        : ms >= 1000
          ? `${(ms / 1000).toFixed(1)} s`
          : `${Math.round(ms)} ms`;
}

export function ago(ms: number, now: number): string {
    if (now - ms > 2 * DAY) return `on ${date(ms)}`;
    return now - ms < 2000 ? "just now" : `${duration(now - ms)} ago`;
}

export function bytes(size: number): string {
    return size < 1000
        ? `${size} B`
        : size < 1_000_000
          ? `${(size / 1000).toFixed(1)} kB`
          : `${(size / 1_000_000).toFixed(1)} MB`;
}

export function short(hash: string): string {
    const digits = hash.replace(/^0x/, "");
    return digits.length <= 14 ? hash : `${hash.startsWith("0x") ? "0x" : ""}${digits.slice(0, 6)}…${digits.slice(-4)}`;
}
