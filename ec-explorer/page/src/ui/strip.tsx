/** A stretch of time as a strip of cells: each state has a colour and a shape. */

import type { JSX } from "preact";
import { useId } from "preact/hooks";

import type { Cell, CellState, Strip as StripData } from "../api/types.ts";
import { SLOT_STATES, STATE_WORD, sumOf } from "./states.ts";
import { plural, span } from "./format.ts";

/** Neighbours of the same state. */
export interface Run {
    readonly state: CellState;
    readonly first: number;
    readonly cells: number;
}

export function runsOf(cells: readonly Pick<Cell, "state">[]): Run[] {
    const runs: Run[] = [];
    cells.forEach(({ state }, at) => {
        const last = runs.at(-1);
        if (last?.state === state) runs[runs.length - 1] = { ...last, cells: last.cells + 1 };
        else runs.push({ state, first: at, cells: 1 });
    });
    return runs;
}

/** The strip in words. */
export function stripText(strip: StripData): string {
    const sum = sumOf(strip.cells);
    const parts = SLOT_STATES.filter((state) => sum[state] > 0).map((state) => `${sum[state]} ${STATE_WORD[state]}`);
    const gaps = runsOf(strip.cells).filter((run) => run.state === "gap").length;
    if (gaps > 0) parts.push(plural(gaps, "gap"));
    return `${span(strip.from_ms, strip.to_ms)}: ${parts.length === 0 ? "nothing" : parts.join(", ")}`;
}

const HEIGHT = 40;
const SPARSE = 160;

interface Shape {
    readonly top: number;
    readonly height: number;
}

/** Where a state's bar stands: heights differ, so that shapes are told apart without colour. */
const SHAPES: Record<CellState, readonly Shape[]> = {
    final: [{ top: 4, height: 36 }],
    open: [{ top: 22, height: 18 }],
    disputed: [{ top: 4, height: 36 }],
    mismatched: [
        { top: 0, height: 15 },
        { top: 25, height: 15 },
    ],
    unvoted: [{ top: 30, height: 10 }],
    gap: [{ top: 38, height: 2 }],
    none: [],
};

export function StripBars({ cells, cursor }: { cells: readonly Cell[]; cursor?: number | null }): JSX.Element {
    const id = useId();
    // few cells are seen one by one; many are drawn as what they have in common
    const isSparse = cells.length <= SPARSE;
    const runs = isSparse ? cells.map(({ state }, first): Run => ({ state, first, cells: 1 })) : runsOf(cells);
    return (
        <svg
            class="strip"
            viewBox={`0 0 ${cells.length} ${HEIGHT}`}
            preserveAspectRatio="none"
            aria-hidden="true"
            focusable="false"
        >
            <defs>
                <pattern
                    id={`${id}-stripes`}
                    width="6"
                    height="6"
                    patternUnits="userSpaceOnUse"
                    patternTransform={`scale(${cells.length / 600} 1) rotate(45)`}
                >
                    <rect class="fill-disputed" width="6" height="6" opacity="0.35" />
                    <rect class="fill-disputed" width="3" height="6" />
                </pattern>
            </defs>
            {runs.flatMap((run) =>
                SHAPES[run.state].map((shape, at) => (
                    <rect
                        key={`${run.first}-${at}`}
                        class={run.state === "disputed" ? undefined : `fill-${run.state}`}
                        x={run.first}
                        width={isSparse && run.state !== "gap" ? 0.86 : run.cells}
                        y={shape.top}
                        height={shape.height}
                        fill={run.state === "disputed" ? `url(#${id}-stripes)` : undefined}
                    />
                )),
            )}
            {cursor == null ? null : <rect class="cursor" x={cursor} width={1} y={0} height={HEIGHT} />}
        </svg>
    );
}

export function StripPicture({ strip }: { strip: StripData }): JSX.Element {
    return (
        <div class="strip-box" role="img" aria-label={stripText(strip)}>
            <StripBars cells={strip.cells} />
        </div>
    );
}
