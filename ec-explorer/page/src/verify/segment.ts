/** Proofs in an answer of the API, taken from its text: their numbers may be larger than `JSON.parse` keeps. */

import { parseJson, writeJson } from "./json.ts";
import { NotAProof, parseProof, type Proof } from "./proof.ts";

/** The proof of each place in the answer to `segments/{blake3}`; `null` where it has none, or one that is none. */
export function proofsOf(text: string): (Proof | null)[] {
    const answer = parseJson(text);
    const places = answer !== null && typeof answer === "object" && !Array.isArray(answer) ? answer.places : undefined;
    if (!Array.isArray(places)) return [];
    return places.map((place) => {
        if (place === null || typeof place !== "object" || Array.isArray(place) || place.proof == null) return null;
        try {
            return parseProof(writeJson(place.proof));
        } catch (error) {
            if (error instanceof NotAProof) return null;
            throw error;
        }
    });
}
