/** The states of slots, in words. Each has a shape of its own beside its colour. */

import type { CellState, Counts, PlaceWord, SlotState, Standing } from "../api/types.ts";
import { plural } from "./format.ts";

export const SLOT_STATES: readonly SlotState[] = ["final", "open", "disputed", "mismatched", "unvoted"];
export const CELL_STATES: readonly CellState[] = [...SLOT_STATES, "gap"];

export const STATE_WORD: Record<CellState, string> = {
    final: "final",
    open: "open",
    disputed: "disputed",
    mismatched: "mismatched",
    unvoted: "not voted on",
    gap: "gap",
    none: "nothing",
};

export const STATE_MEANS: Record<CellState, string> = {
    final: "a majority of the witnesses said the same",
    open: "witnesses are still voting",
    disputed: "witnesses do not agree, or it takes too long",
    mismatched: "final, but an archive here has something else",
    unvoted: "recorded here, but no witness voted",
    gap: "nothing was received",
    none: "before the first or after the last",
};

export const STANDING_WORD: Record<Standing, string> = {
    unsafe: "new: a reorganisation of the chain may take it back",
    safe: "safe: its data is on L1",
    finalized: "finalized: it cannot be taken back",
};

export const PLACE_WORD: Record<PlaceWord, string> = {
    final: "the witnesses agreed on it, for good",
    not_final_yet: "the witnesses agreed on it; the chain may still take that back",
    open: "the witnesses are still voting",
    not_in_final: "an archive here has it, but the witnesses agreed on something else",
    unvoted: "an archive here has it, and nobody voted on it",
};

export function sumOf(all: readonly Counts[]): Counts {
    const sum = { final: 0, open: 0, disputed: 0, mismatched: 0, unvoted: 0 };
    for (const counts of all) for (const state of SLOT_STATES) sum[state] += counts[state];
    return sum;
}

export function countsText(counts: Counts): string {
    const parts = SLOT_STATES.filter((state) => counts[state] > 0).map((state) => `${counts[state]} ${STATE_WORD[state]}`);
    const all = SLOT_STATES.reduce((sum, state) => sum + counts[state], 0);
    return all === 0 ? "no epochs" : `${plural(all, "epoch")}: ${parts.join(", ")}`;
}
