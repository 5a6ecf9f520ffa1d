import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { expect, test } from "vitest";

import { blake3Of, blake3OfStream } from "../../src/verify/blake3.ts";
import { ARCHIVES } from "./vectors.ts";

const objects = join(ARCHIVES, "sample/cas/objects/blake3");
const files = readdirSync(objects, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".bin"));

function inPieces(bytes: Uint8Array, size: number): ReadableStream<Uint8Array> {
    return new ReadableStream({
        start(controller) {
            for (let at = 0; at < bytes.length; at += size) controller.enqueue(bytes.subarray(at, at + size));
            controller.close();
        },
    });
}

test("every object of the sample archive has the fingerprint that it is named by", () => {
    expect(files.length).toBe(2855);
    for (const file of files) {
        const name = `0x${file.replace(/^.*\//, "").replace(".bin", "")}`;
        expect(blake3Of(readFileSync(join(objects, file)))).toBe(name);
    }
});

test("a file that comes in pieces has the same fingerprint", async () => {
    const bytes = Buffer.concat(files.slice(0, 300).map((file) => readFileSync(join(objects, file))));
    const whole = blake3Of(bytes);
    for (const size of [1_000_003, 65_536, 1024, 1023, 64, 7].filter((size) => bytes.length / size < 60_000)) {
        const told: number[] = [];
        const found = await blake3OfStream(inPieces(bytes, size), (done) => told.push(done));
        expect(found).toEqual({ hash: whole, size: BigInt(bytes.length) });
        expect(told.at(-1)).toBe(bytes.length);
    }
});

test("the empty file has BLAKE3's fingerprint of nothing", async () => {
    const found = await blake3OfStream(inPieces(new Uint8Array(), 1));
    expect(found.hash).toBe("0xaf1349b9f5f9a1a6a0404dea36dcc9499bcb25c9adc112b7cc9a93cae41f3262");
});
