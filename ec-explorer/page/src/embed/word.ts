/** What the embed says of a segment. Pure. */

import type { Place, Segment } from "../api/types.ts";
import { holds, plain, type Proof } from "../verify/proof.ts";

export type Mark = "witnessed" | "soon" | "other" | "unwitnessed" | "unknown" | "broken" | "away";

export interface Word {
    readonly mark: Mark;
    readonly short: string;
    readonly long: string;
}

const WORDS: Record<Mark, readonly [string, string]> = {
    witnessed: ["witnessed", "Independent witnesses recorded the same bytes and agreed on it for good."],
    soon: ["being witnessed", "Witnesses are at work on it; it is not final yet."],
    other: ["not as witnessed", "The witnesses agreed on something else for this time."],
    unwitnessed: ["not witnessed", "It was recorded, but no witness voted on it."],
    unknown: ["unknown", "No archive that is asked here has these bytes."],
    broken: ["proof does not hold", "The proof that came does not fit these bytes."],
    away: ["cannot be asked", "The explorer does not answer now."],
};

export function word(mark: Mark, extra = ""): Word {
    const [short, long] = WORDS[mark];
    return { mark, short, long: `${long}${extra}` };
}

/** The best that is known of a segment. A proof that does not hold is never passed over. */
export function wordOf(blake3: string, segment: Segment, proofs: readonly (Proof | null)[]): Word {
    const isBroken = proofs.some((proof) => proof !== null && (!holds(proof) || plain(proof.blake3) !== blake3));
    if (isBroken) return word("broken");
    const marks = segment.places.map((place, at) => markOf(place, proofs[at] ?? null));
    const best = ORDER.find((mark) => marks.includes(mark));
    if (best === undefined) return word("unknown");
    const place = segment.places[marks.indexOf(best)];
    return word(best, place === undefined ? "" : ` ${describe(place)}`);
}

const ORDER: readonly Mark[] = ["witnessed", "soon", "other", "unwitnessed"];

function markOf(place: Place, proof: Proof | null): Mark {
    switch (place.word) {
        case "final":
            // what cannot be checked is not said
            return proof === null ? "unwitnessed" : "witnessed";
        case "not_final_yet":
        case "open":
            return "soon";
        case "not_in_final":
            return "other";
        case "unvoted":
            return "unwitnessed";
    }
}

function describe({ broadcast, time_ms, slot }: Place): string {
    const when = time_ms === null ? "" : `, ${new Date(time_ms).toISOString().slice(0, 19).replace("T", " ")} UTC`;
    const votes = slot === null ? "" : `; ${slot.votes} of ${slot.witnesses} witnesses`;
    return `${broadcast}${when}${votes}.`;
}
