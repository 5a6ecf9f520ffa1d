/** Hashes a file beside the page, so that the page stays usable meanwhile. */

import { blake3OfStream } from "../verify/blake3.ts";

export type Told =
    { kind: "progress"; done: number } | { kind: "done"; hash: `0x${string}`; size: bigint } | { kind: "failed"; why: string };

const tell = (told: Told): void => self.postMessage(told);

self.onmessage = ({ data }: MessageEvent<File>): void => {
    let last = 0;
    const progress = (done: number): void => {
        if (done - last < 4_000_000) return;
        last = done;
        tell({ kind: "progress", done });
    };
    blake3OfStream(data.stream(), progress).then(
        ({ hash, size }) => tell({ kind: "done", hash, size }),
        (error: unknown) => tell({ kind: "failed", why: (error as Error).message }),
    );
};
