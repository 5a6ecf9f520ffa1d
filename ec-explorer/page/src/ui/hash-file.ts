/** The fingerprint of a file, by a worker. */

import workerUrl from "../worker/blake3.ts?worker&url";
import type { Told } from "../worker/blake3.ts";
import type { FileFacts } from "../verify/check.ts";

/** The part of Trusted Types that is used; TypeScript knows none of it yet. */
interface TrustedTypes {
    createPolicy(name: string, rules: { createScriptURL: (url: string) => string }): { createScriptURL: (url: string) => URL };
}

/** The page's policy lets no text become a script's address, but this one, which the build made. */
function trusted(url: string): string | URL {
    const { trustedTypes } = globalThis as { trustedTypes?: TrustedTypes };
    const own = (text: string): string => {
        if (new URL(text).origin !== location.origin) throw new Error(`${text} is not this site's`);
        return text;
    };
    return trustedTypes?.createPolicy("worker", { createScriptURL: own }).createScriptURL(url) ?? url;
}

let address: string | URL | undefined;

export function hashFile(file: File, progress: (done: number) => void, signal: AbortSignal): Promise<FileFacts> {
    return new Promise((resolve, reject) => {
        address ??= trusted(new URL(workerUrl, import.meta.url).href);
        const worker = new Worker(address, { type: "module" });
        const end = (): void => worker.terminate();
        signal.addEventListener("abort", () => {
            end();
            reject(new Error("stopped"));
        });
        worker.onerror = (event) => {
            end();
            reject(new Error(event.message || "the file could not be hashed"));
        };
        worker.onmessage = ({ data }: MessageEvent<Told>) => {
            if (data.kind === "progress") {
                progress(data.done);
                return;
            }
            end();
            if (data.kind === "done") resolve({ name: file.name, size: data.size, blake3: data.hash });
            else reject(new Error(`the file could not be read: ${data.why}`));
        };
        worker.postMessage(file);
    });
}
