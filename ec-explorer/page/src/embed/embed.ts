/**
 * "Witnessed" beside a player's segment, on any site, by one script tag:
 *
 *     <script src="https://explorer.example/embed.js" data-hls="hls" data-target="#badge" async></script>
 *
 * `data-hls` is the global name of an hls.js player: each segment that it plays is hashed here, as it came, and looked up by
 * that. `data-blake3` is for a single segment. `data-target` is where the badge goes, by default before the tag.
 * Scripts may also call `everyChannelWitnessed.follow(hls)`, and `everyChannelWitnessed.show(bytesOrBlake3)`.
 */

import type { Segment } from "../api/types.ts";
import { blake3Of } from "../verify/blake3.ts";
import { plain } from "../verify/proof.ts";
import { proofsOf } from "../verify/segment.ts";
import { word, wordOf, type Mark, type Word } from "./word.ts";

/** What is used of an hls.js player. */
export interface HlsLike {
    on(
        event: string,
        listener: (event: string, data: { frag: { sn: number | string; url?: string }; payload?: ArrayBuffer }) => void,
    ): void;
}

const script = document.currentScript as HTMLScriptElement | null;
/** The explorer is where this script came from, below whatever path. */
const root = new URL("./", script?.src ?? location.href);

const COLOURS: Record<Mark, [string, string]> = {
    witnessed: ["#14694c", "#6fd3ab"],
    soon: ["#2a5fa5", "#93bbf5"],
    other: ["#a62a26", "#f58f89"],
    broken: ["#a62a26", "#f58f89"],
    unwitnessed: ["#655a7c", "#bdb0d8"],
    unknown: ["#555d65", "#b2b8bd"],
    away: ["#555d65", "#b2b8bd"],
};
const SIGNS: Record<Mark, string> = {
    witnessed: "✓",
    soon: "…",
    other: "✕",
    broken: "✕",
    unwitnessed: "–",
    unknown: "?",
    away: "?",
};

class Badge {
    readonly #link = document.createElement("a");
    readonly #host = document.createElement("span");

    constructor(before: Element | null, target: Element | null) {
        const inside = this.#host.attachShadow({ mode: "open" });
        const style = new CSSStyleSheet();
        style.replaceSync(`
      a { font: 600 14px/1.4 system-ui, sans-serif; display: inline-flex; gap: .45em; align-items: center; padding: .2em .7em;
          border: 1.5px solid; border-radius: 1em; text-decoration: none; background: #fff; color: var(--light); }
      a:focus-visible { outline: 3px solid; outline-offset: 2px; }
      @media (prefers-color-scheme: dark) { a { background: #16191b; color: var(--dark); } }`);
        inside.adoptedStyleSheets = [style];
        this.#link.target = "_blank";
        this.#link.rel = "noopener";
        this.#host.setAttribute("role", "status");
        inside.append(this.#link);
        if (target !== null) target.append(this.#host);
        else before?.before(this.#host);
    }

    show({ mark, short, long }: Word, blake3: string | null): void {
        this.#link.textContent = `${SIGNS[mark]} ${short}`;
        this.#link.title = long;
        this.#link.setAttribute("aria-label", `${short}: ${long}`);
        this.#link.style.setProperty("--light", COLOURS[mark][0]);
        this.#link.style.setProperty("--dark", COLOURS[mark][1]);
        this.#link.href = new URL(blake3 === null ? "check.html" : `check.html#blake3=${blake3}`, root).href;
        this.#host.dataset.mark = mark;
    }
}

const target = script?.dataset.target === undefined ? null : document.querySelector(script.dataset.target);
const badge = new Badge(script, target);
const known = new Map<string, Word>();
let shown: string | null = null;

/** Shows what is known of a segment, by its bytes or by their BLAKE3. */
export async function show(segment: ArrayBuffer | Uint8Array | string): Promise<Word> {
    const blake3 =
        typeof segment === "string"
            ? segment.replace(/^(0x|blake3:)/, "").toLowerCase()
            : plain(blake3Of(new Uint8Array(segment)));
    shown = blake3;
    const found = known.get(blake3) ?? (await lookUp(blake3));
    // only what cannot change any more is kept
    if (found.mark === "witnessed") known.set(blake3, found);
    // a slow answer must not overwrite that of a later segment
    if (shown === blake3) badge.show(found, blake3);
    return found;
}

async function lookUp(blake3: string): Promise<Word> {
    try {
        const response = await fetch(new URL(`api/v1/segments/${blake3}`, root), { credentials: "omit" });
        if (response.status === 404) return word("unknown");
        if (!response.ok) return word("away");
        const text = await response.text();
        return wordOf(blake3, JSON.parse(text) as Segment, proofsOf(text));
    } catch {
        return word("away");
    }
}

/** Shows each segment that an hls.js player plays, by the bytes that it got. */
export function follow(hls: HlsLike): void {
    const hashes = new Map<number | string, string>();
    hls.on("hlsFragLoaded", (_, { frag, payload }) => {
        if (payload !== undefined && typeof frag.sn === "number") hashes.set(frag.sn, plain(blake3Of(new Uint8Array(payload))));
    });
    hls.on("hlsFragChanged", (_, { frag }) => {
        const blake3 = hashes.get(frag.sn);
        if (blake3 !== undefined) void show(blake3);
        else if (frag.url !== undefined) void showAt(frag.url);
    });
}

/** What the player loaded before this came: the browser most likely has it still. */
async function showAt(url: string): Promise<void> {
    const response = await fetch(url).catch(() => null);
    if (response?.ok === true) await show(await response.arrayBuffer());
}

/** Follows the player that has this global name; it may be made after this. */
function followNamed(name: string): void {
    const found = (globalThis as Record<string, unknown>)[name] as HlsLike | undefined;
    if (typeof found?.on === "function") follow(found);
    else setTimeout(() => followNamed(name), 200);
}

const { blake3: single, hls: named } = script?.dataset ?? {};
if (single !== undefined) void show(single);
if (named !== undefined) followNamed(named);
