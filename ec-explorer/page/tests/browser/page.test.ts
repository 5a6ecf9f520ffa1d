import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import type { Browser, Locator, Page } from "playwright-core";
import { afterAll, beforeAll, describe, expect, test } from "vitest";

import type { About, Segment, Slot, SlotPage, Stream, StreamPage, Witnesses } from "../../src/api/types.ts";
import { proofsOf } from "../../src/verify/segment.ts";
import { writeProof, type Proof } from "../../src/verify/proof.ts";
import { expectAccessible, expectClean, openBrowser, Visitor, type Look } from "./browser.ts";
import {
    Chain,
    endAll,
    endpointBehind,
    Explorer,
    onEnd,
    ROOT,
    SAMPLE,
    serve,
    sleep,
    startRail,
    until,
    type Rail,
} from "./rail.ts";

/** The archives grow so much faster than they were received: ten minutes in twenty seconds. */
const SPEED = 30;

let rail: Rail;
let explorer: Explorer;
let browser: Browser;

beforeAll(async () => {
    rail = await startRail(SPEED);
    explorer = await Explorer.start(rail);
    browser = await openBrowser();
    onEnd(() => browser.close());
});

afterAll(async () => {
    await endAll();
});

const host = (url: string): string => new URL(url).host;

async function streams(): Promise<Stream[]> {
    return (await explorer.get<StreamPage>("/streams")).streams;
}

async function streamOf(id: string): Promise<Stream> {
    const found = (await streams()).find(({ stream_id }) => stream_id === id);
    if (found === undefined) throw new Error(`no stream ${id}`);
    return found;
}

async function slotsOf(id: string, state = "final"): Promise<Slot[]> {
    const { stream } = await streamOf(id);
    return (await explorer.get<SlotPage>(`/streams/${stream}/slots?state=${state}&limit=100`)).slots;
}

/** A segment that is proven and final for good, with its file and its proof. */
async function provenSegment(stream = "la-cbs/track/0.m4s"): Promise<{ blake3: string; file: string; proof: Proof }> {
    const directory = join(SAMPLE, "cas/objects/blake3");
    const [broadcast = "", , track = ""] = stream.split("/");
    const lines = readFileSync(join(SAMPLE, "manifests", broadcast, `${track}.jsonl`), "utf8")
        .trim()
        .split("\n");
    for (const line of lines.slice(12)) {
        const { blake3 } = JSON.parse(line) as { blake3: string };
        const answer = await fetch(`${explorer.url}/api/v1/segments/${blake3}`);
        if (!answer.ok) continue;
        const text = await answer.text();
        const [place] = (JSON.parse(text) as Segment).places;
        const [proof] = proofsOf(text);
        if (place?.word === "final" && proof != null)
            return { blake3, file: join(directory, blake3.slice(0, 2), `${blake3}.bin`), proof };
    }
    throw new Error("no segment is proven");
}

const verdict = (page: Page): Locator => page.locator("[data-verdict]");

async function expectVerdict(page: Page, wanted: string): Promise<void> {
    await page.locator(`[data-verdict="${wanted}"]`).waitFor();
}

async function askChain(page: Page, rpc: string): Promise<void> {
    await page.getByLabel("Address of an endpoint").fill(rpc);
    await page.getByRole("button", { name: "Ask", exact: true }).click();
}

async function stateOfStep(page: Page, name: string): Promise<string | null> {
    return page.locator(`[data-step="${name}"]`).getAttribute("data-state");
}

describe("while the broadcasts go on", () => {
    test("pages show by themselves how epochs become final, and one of them how it does", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        // nobody's votes count yet
        const young = await until("an epoch that nobody has voted for", async () => {
            const slots = await slotsOf("la-nbc", "unvoted");
            return slots.length > 2 && slots[0];
        });
        await page.goto(explorer.url);
        await page.getByText("live", { exact: true }).waitFor();
        await page.locator(".lane .strip > rect").first().waitFor();
        const final = async (): Promise<number> =>
            (await page.locator(".lane-end").allTextContents()).reduce(
                (sum, text) => sum + Number(/([\d,]+) final/.exec(text)?.[1]?.replace(",", "") ?? 0),
                0,
            );
        expect(await final()).toBe(0);
        const epoch = await visitor.context.newPage();
        await epoch.goto(`${explorer.url}/#/slots/${young.slot}`);
        await epoch.getByText("live", { exact: true }).waitFor();
        await epoch.getByRole("heading", { name: "Where it stands" }).waitFor();
        expect(await epoch.getByText("✓ Finalized").count()).toBe(0);

        await rail.chain.release();
        await epoch.getByText("✓ Finalized").waitFor({ timeout: 90_000 });
        await epoch.getByRole("heading", { name: "Votes, as they came" }).waitFor();
        expect(await epoch.getByRole("region", { name: "Votes" }).locator("tbody tr").count()).toBeGreaterThanOrEqual(3);
        await until("other final epochs", async () => (await final()) > 3, 90_000);
        await expectAccessible(page);
        expectClean(visitor, host(explorer.url));
        await visitor.leave();
    });

    test("an epoch's page is shown, also where answers are slower than news", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const [slot] = await until("an epoch", async () => {
            const found = await slotsOf("la-nbc");
            return found.length > 0 ? found : null;
        });
        await page.route("**/api/v1/slots/*", async (route) => {
            await sleep(2500);
            // the page may be over
            await route.continue().catch(() => undefined);
        });
        await page.goto(`${explorer.url}/#/slots/${slot?.slot}`);
        await page.getByRole("heading", { name: "Where it stands" }).waitFor({ timeout: 15_000 });
        await visitor.leave();
    });

    test("all becomes final", async () => {
        await until("the end of the smoke", () => rail.smoke.isOver, 300_000);
        expect(rail.smoke.process.exitCode, rail.smoke.said()).toBe(0);
        await until(
            "every epoch below the finalized head",
            async () => (await slotsOf("la-nbc")).filter(({ final }) => final?.standing === "finalized").length >= 10,
        );
    });
});

test("a stream says how many final epochs its strip shows, also one that ended before the others", async () => {
    const visitor = await Visitor.come(browser);
    const { page } = visitor;
    await page.goto(explorer.url);
    const end = page.getByRole("region", { name: "la-nbc" }).locator(".lane-end");
    const { length } = await slotsOf("la-nbc");
    await end.getByText(`${length} final epochs shown`).waitFor();
    await visitor.leave();
});

describe.concurrent.each<[string, Look]>([
    ["at 1440 px", { width: 1440 }],
    ["at 360 px", { width: 360 }],
    ["at 1440 px in the dark", { width: 1440, dark: true }],
    ["at 360 px in the dark", { width: 360, dark: true }],
])("every page %s", (_, look) => {
    test("is accessible, fits, and asks nobody else", async () => {
        const visitor = await Visitor.come(browser, look);
        const { page } = visitor;
        const lane = await streamOf("la-cbs/track/0.m4s");
        const [slot] = await slotsOf("la-cbs/track/0.m4s");
        const { witnesses } = await explorer.get<Witnesses>("/witnesses");
        const { blake3 } = await provenSegment();
        const pages: [string, string][] = [
            ["", ".lane .strip > rect"],
            [`#/streams/${lane.stream}`, "[aria-label=Epochs] tbody tr"],
            [`#/slots/${slot?.slot}`, "[aria-label=Votes] tbody tr"],
            ["#/witnesses", "[aria-label='Active witnesses'] tbody tr"],
            [`#/witnesses/${witnesses[0]?.witness}`, "[aria-label='Newest votes'] tbody tr"],
            ["#/nowhere", "text=There is no such page"],
            [`check.html#blake3=${blake3}`, "[data-verdict=not_asked]"],
            [`check.html`, "text=Choose a file"],
        ];
        for (const [path, shown] of pages) {
            // from one place of a document to another nothing would be loaded
            await page.goto("about:blank");
            await page.goto(`${explorer.url}/${path}`);
            await page.locator(shown).first().waitFor();
            await expectAccessible(page);
        }
        expectClean(visitor, host(explorer.url));
        await visitor.leave();
    });
});

describe("check", () => {
    test("a segment from the sample archive: when it was broadcast, and why that can be believed", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { blake3, file, proof } = await provenSegment();
        await page.goto(`${explorer.url}/check.html`);
        await page.setInputFiles("#file", file);
        await expectVerdict(page, "not_asked");
        expect(await page.getByText("la-cbs, 0.m4s").first().isVisible()).toBe(true);
        await askChain(page, rail.chain.rpc);
        await expectVerdict(page, "true");
        expect(await verdict(page).textContent()).toContain("Yes. This file was part of the broadcast.");
        for (const name of [
            "Fingerprint of the file",
            "The proof is about this file",
            "Leaf",
            "Path",
            "Data root",
            "Header",
            "Slot",
            "Name of the broadcast",
            "The chain",
            "Finality",
        ]) {
            expect(await stateOfStep(page, name), name).toBe("yes");
        }
        await expectAccessible(page);

        // the result as a file, with the proof as it is
        const [download] = await Promise.all([
            page.waitForEvent("download"),
            page.getByRole("button", { name: "Download the result" }).click(),
        ]);
        const report = readFileSync(await download.path(), "utf8");
        expect(JSON.parse(report)).toMatchObject({ v: 1, verdict: "true", file: { blake3 } });
        expect(report).toContain(`"proof": ${writeProof(proof)}`);

        // and as a link, which holds the proof and asks nobody
        await page.getByRole("button", { name: "Copy a link" }).click();
        const linked = await page.evaluate(() => navigator.clipboard.readText());
        await page.goto("about:blank");
        await page.goto(linked);
        await expectVerdict(page, "not_asked");
        expect(await page.locator("[data-step]").count()).toBe(7);
        expectClean(visitor, host(explorer.url), host(rail.chain.rpc));
        await visitor.leave();
    });

    test("what the page says of a proof is what ec-witness says of it", async () => {
        const { proof } = await provenSegment();
        const file = join(rail.work, "proof.json");
        writeFileSync(file, writeProof(proof));
        const program = join(process.env.EC_PROGRAMS ?? join(ROOT, "target/debug"), "ec-witness");
        const said = execFileSync(program, ["check-proof", "--config", join(rail.work, "smoke/chain.toml"), "--json", file], {
            encoding: "utf8",
        });
        expect(JSON.parse(said)).toMatchObject({ ok: true, finality: "final" });
    });

    test("a tampered segment is told as such", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { file, proof } = await provenSegment();
        const bytes = readFileSync(file);
        bytes[bytes.length >> 1]! ^= 1;
        const tampered = { name: "tampered.m4s", mimeType: "video/mp4", buffer: bytes };
        // alone it is something that nobody knows
        await page.goto(`${explorer.url}/check.html`);
        await page.setInputFiles("#file", tampered);
        await page.getByText("No archive that this site reads has this fingerprint").waitFor();
        // beside the proof of what it was it is not that
        await page.goto("about:blank");
        await page.goto(`${explorer.url}/check.html`);
        await page.getByLabel("Or paste a fingerprint").fill(writeProof(proof));
        await page.getByRole("button", { name: "Check this" }).click();
        await expectVerdict(page, "not_asked");
        await page.setInputFiles("#file", tampered);
        await expectVerdict(page, "false");
        expect(await stateOfStep(page, "The proof is about this file")).toBe("no");
        await page.setInputFiles("#file", file);
        await expectVerdict(page, "not_asked");
        await visitor.leave();
    });

    test("a tampered proof is false at the step where it was tampered with", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { proof } = await provenSegment();
        const flipped = (hash: `0x${string}`): `0x${string}` => `0x${hash.slice(2, -1)}${hash.endsWith("0") ? "1" : "0"}`;
        const tampered: [Proof, string][] = [
            [{ ...proof, groupSequence: proof.groupSequence + 1n }, "Data root"],
            [{ ...proof, path: proof.path.map(flipped) }, "Data root"],
            [{ ...proof, path: proof.path.slice(1) }, "Path"],
        ];
        for (const [other, step] of tampered) {
            await page.goto(`${explorer.url}/check.html`);
            await page.reload();
            await page.setInputFiles("#file", {
                name: "proof.json",
                mimeType: "application/json",
                buffer: Buffer.from(writeProof(other)),
            });
            await expectVerdict(page, "false");
            expect(await stateOfStep(page, step)).toBe("no");
        }
        // a header that was changed with its root is one that nobody voted for
        const forged = { ...proof, header: { ...proof.header, locatorHash: flipped(proof.header.locatorHash) } };
        await page.goto(`${explorer.url}/check.html`);
        await page.reload();
        await page.setInputFiles("#file", {
            name: "proof.json",
            mimeType: "application/json",
            buffer: Buffer.from(writeProof(forged)),
        });
        await expectVerdict(page, "not_asked");
        await askChain(page, rail.chain.rpc);
        await expectVerdict(page, "false");
        expect(await stateOfStep(page, "Finality")).toBe("no");
        await visitor.leave();
    });

    test("a proof that was made without a ledger is told apart, and made anew with the witnesses' header", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { proof } = await provenSegment("la-nbc/x/video0.m4s");
        const own = { ...proof, header: { ...proof.header, observedUnixMs: proof.header.observedUnixMs + 7n } };
        const unknown = { ...proof, header: { ...proof.header, epochHash: proof.header.streamHash } };
        const paste = async (other: Proof): Promise<void> => {
            await page.goto(`${explorer.url}/check.html`);
            await page.reload();
            await page.getByLabel("Or paste a fingerprint").fill(writeProof(other));
            await page.getByRole("button", { name: "Check this" }).click();
            await expectVerdict(page, "not_asked");
            await askChain(page, rail.chain.rpc);
        };
        await paste(unknown);
        await expectVerdict(page, "without_ledger");
        expect(await page.locator("[data-step=Finality]").textContent()).toContain("No witness ever proposed anything");
        await paste(own);
        await expectVerdict(page, "without_ledger");
        await page.getByRole("button", { name: "Use the witnesses’ header" }).click();
        await expectVerdict(page, "not_asked");
        await askChain(page, rail.chain.rpc);
        await expectVerdict(page, "true");
        await visitor.leave();
    });

    test("not final yet, another chain, no ledger there and no answer are four other answers", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { blake3 } = await provenSegment();
        await page.goto(`${explorer.url}/check.html#blake3=${blake3}`);
        await expectVerdict(page, "not_asked");

        const behind = await endpointBehind(rail.chain, (method, params, result) =>
            method === "eth_getBlockByNumber" && params[0] === "finalized" ? { ...(result as object), number: "0x2" } : result,
        );
        await askChain(page, behind);
        await expectVerdict(page, "not_final_yet");

        const other = await Chain.start(rail.work, "other", 901);
        await askChain(page, other.rpc);
        await expectVerdict(page, "other_chain");
        expect(await page.locator("[data-step='The chain']").textContent()).toContain("chain 901");
        // the same number, and nothing there
        const empty = await Chain.start(rail.work, "empty", 31337);
        await askChain(page, empty.rpc);
        await expectVerdict(page, "other_chain");

        const silent = await serve((_, response) => response.destroy());
        await askChain(page, silent.url);
        await expectVerdict(page, "no_answer");
        const refusing = await endpointBehind(rail.chain, () => {
            throw new Error("too many requests");
        });
        await askChain(page, refusing);
        await until("the refusal", async () =>
            (await page.locator("[data-step='The chain']").textContent())?.includes("too many requests"),
        );

        // one that says something final that its log does not show
        const lying = await endpointBehind(rail.chain, (method, _, result) => (method === "eth_getLogs" ? [] : result));
        await askChain(page, lying);
        await until("the contradiction", async () =>
            (await page.locator("[data-step='The chain']").textContent())?.includes("has no log"),
        );
        await expectVerdict(page, "no_answer");
        await askChain(page, "ftp://x");
        await page.getByText("is no address of an endpoint").waitFor();
        await visitor.leave();
    });

    test("bytes that are no segment, text that is no proof", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        await page.goto(`${explorer.url}/check.html`);
        await page.getByLabel("Or paste a fingerprint").fill("hello");
        await page.getByRole("button", { name: "Check this" }).click();
        await page.getByText("neither a fingerprint").waitFor();
        await page.getByLabel("Or paste a fingerprint").fill('{"v":1}');
        await page.getByRole("button", { name: "Check this" }).click();
        await page.getByText("This is not a proof: the proof lacks the field").waitFor();
        await expectAccessible(page);
        // 40 MB are hashed beside the page
        const large = join(rail.work, "large.bin");
        writeFileSync(large, Buffer.alloc(40_000_000, 7));
        await page.setInputFiles("#file", large);
        await page.getByText("No archive that this site reads has this fingerprint").waitFor({ timeout: 110_000 });
        await visitor.leave();
    });
});

describe("by the keyboard alone", () => {
    test("from the streams to an epoch, and a check to its end", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const press = async (...keys: string[]): Promise<void> => {
            for (const key of keys) await page.keyboard.press(key);
        };
        const tabTo = async (what: RegExp): Promise<void> => {
            for (let at = 0; at < 150; at++) {
                await press("Tab");
                const found = await page.evaluate(() => {
                    const { activeElement: at } = document;
                    return `${at?.tagName ?? ""}|${at?.getAttribute("aria-label") ?? ""}|${at?.id ?? ""}|${at?.textContent ?? ""}`;
                });
                if (what.test(found)) return;
            }
            throw new Error(`Tab does not come to ${String(what)}`);
        };
        await page.goto(explorer.url);
        await page.locator(".lane .strip > rect").first().waitFor();
        await press("Tab", "Enter");
        expect(await page.evaluate(() => document.activeElement?.id)).toBe("main");
        await tabTo(/^A.*\b0\.m4s/);
        await press("Enter");
        await page.getByRole("slider").waitFor();
        await page.locator("[aria-label=Epochs] tbody tr").first().waitFor();
        await tabTo(/Timeline:/);
        const window = (): string => new URL(page.url()).hash;
        const text = async (): Promise<string | null> => page.getByRole("slider").getAttribute("aria-valuetext");
        const whole = await text();
        await press("ArrowLeft", "ArrowLeft");
        await until("the cursor", async () => (await text()) !== whole);
        const before = window();
        await press("ArrowUp");
        await until("a closer window", () => window() !== before);
        await press("ArrowDown", "PageUp", "PageDown", "Home", "End");
        // the list below follows the window; what is in focus must not be taken away by that
        await sleep(2000);
        await tabTo(/^A\|.*UTC/);
        await press("Enter");
        await page.getByRole("heading", { name: "Where it stands" }).waitFor();
        // the heading of a new page has the focus, so that it is read out
        expect(await page.evaluate(() => document.activeElement?.tagName)).toBe("H1");
        await tabTo(/^BUTTON.*Show the records/);
        await press("Enter");
        await page.locator("[aria-label=Records] tbody tr").first().waitFor();

        const { blake3 } = await provenSegment();
        await page.goto(`${explorer.url}/check.html`);
        await tabTo(/\|file\|/);
        await tabTo(/\|text\|/);
        await page.keyboard.insertText(blake3);
        await tabTo(/^BUTTON.*Check this/);
        await press("Enter");
        await expectVerdict(page, "not_asked");
        await tabTo(/\|rpc\|/);
        await page.keyboard.insertText(rail.chain.rpc);
        await press("Enter");
        await expectVerdict(page, "true");
        await tabTo(/^SUMMARY/);
        await press("Enter");
        expect(await page.locator("details[open]").count()).toBe(1);
        await visitor.leave();
    });
});

describe("the timeline", () => {
    test("is zoomed from all to some epochs, and sessions are shown", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const lane = await streamOf("la-cbs/track/0.m4s");
        await page.goto(`${explorer.url}/#/streams/${lane.stream}`);
        await page.locator("[aria-label='Sessions of this stream'] tbody tr").nth(1).waitFor();
        // what grows begins sessions of its own
        expect(await page.locator(".session-tick").count()).toBeGreaterThanOrEqual(2);
        const length = (): number => {
            const { searchParams } = new URL(page.url().replace("#/", ""));
            return Number(searchParams.get("to")) - Number(searchParams.get("from"));
        };
        const closer = page.getByRole("button", { name: "closer" });
        await closer.click();
        await until("the shortest window", async () => closer.isDisabled());
        const short = length();
        expect(short).toBeGreaterThan(0);
        await page.getByRole("button", { name: "All", exact: true }).click();
        await until("the whole", () => length() > short);
        expect(await closer.isEnabled()).toBe(true);
        await page
            .getByRole("button", { name: /show the session/ })
            .first()
            .click();
        await page.getByRole("slider").hover();
        await page.locator(".readout .badge").waitFor();
        expectClean(visitor, host(explorer.url));
        await visitor.leave();
    });
});

describe("the player", () => {
    test("says of the segment that plays who witnessed it, and of one that was changed that it was", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const lane = await streamOf("la-cbs/track/0.m4s");
        await page.goto(`${explorer.url}/#/streams/${lane.stream}`);
        await page.getByRole("button", { name: "Load the media" }).click();
        await until("a picture", async () => page.evaluate(() => (document.querySelector("video")?.readyState ?? 0) >= 2));
        await page.evaluate(() => document.querySelector("video")?.play());
        await page.getByText(/Witnessed by [34] of 4/).waitFor();
        await page.getByText("The bytes that you see have this fingerprint").waitFor();
        await expectAccessible(page);
        expectClean(visitor, host(explorer.url));

        await page.route("**/media/objects/*", async (route) => {
            const response = await route.fetch();
            const body = await response.body();
            // in the middle, so that the picture still plays
            body[body.length - 2]! ^= 1;
            await route.fulfill({ response, body });
        });
        await page.reload();
        await page.getByRole("button", { name: "Load the media" }).click();
        await page.evaluate(() =>
            document
                .querySelector("video")
                ?.play()
                .catch(() => undefined),
        );
        await page.getByText("they were changed on the way").waitFor();
        await page.unrouteAll({ behavior: "ignoreErrors" });
        await visitor.leave();
    });
});

describe("the player of a stream whose tracks share an initialisation segment", () => {
    test.each(["video0.m4s", "audio0.m4s"])("plays %s alone", async (track) => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { stream } = await streamOf("la-nbc");
        await page.goto(`${explorer.url}/#/streams/${stream}`);
        await page.getByLabel("track", { exact: true }).selectOption(track);
        await page.getByRole("button", { name: "Load the media" }).click();
        const played = async (): Promise<number> => page.evaluate(() => document.querySelector("video")?.currentTime ?? 0);
        await page.locator("video").evaluate(async (video: HTMLVideoElement) => video.play());
        await until("more than a moment of it", async () => (await played()) > 0.5);
        await page.getByText(/Witnessed by [34] of 4/).waitFor();
        expectClean(visitor, host(explorer.url));
        await visitor.leave();
    });
});

describe("the embed, on a site of another origin", () => {
    const markOf = (page: Page): Locator => page.locator("span[data-mark]");

    test("says witnessed beside a segment, and beside another that it is unknown", async () => {
        const { blake3 } = await provenSegment();
        const page = (hash: string): string =>
            `<!doctype html><html lang="en"><title>x</title><main><p>A segment <script src="${explorer.url}/embed.js" data-blake3="${hash}" async></script></p></main>`;
        const { url } = await serve((request, response) =>
            response
                .writeHead(200, { "content-type": "text/html" })
                .end(page(request.url === "/other" ? "ab".repeat(32) : blake3)),
        );
        const visitor = await Visitor.come(browser);
        await visitor.page.goto(url);
        await markOf(visitor.page).waitFor();
        expect(await markOf(visitor.page).getAttribute("data-mark")).toBe("witnessed");
        expect(await markOf(visitor.page).locator("a").getAttribute("href")).toBe(
            `${explorer.url}/check.html#blake3=${blake3}`,
        );
        await visitor.page.goto(`${url}/other`);
        await markOf(visitor.page).waitFor();
        expect(await markOf(visitor.page).getAttribute("data-mark")).toBe("unknown");
        expectClean(visitor, host(url), host(explorer.url));
        await visitor.leave();
    });

    test("follows a player there, by the bytes that it got", async () => {
        const lane = await streamOf("la-cbs/track/0.m4s");
        const proven = (await provenSegment("la-cbs/track/0.m4s")).blake3;
        const all = readFileSync(join(SAMPLE, "manifests/la-cbs/0.m4s.jsonl"), "utf8")
            .trim()
            .split("\n")
            .map((line) => JSON.parse(line) as { blake3: string });
        const first = all.findIndex(({ blake3 }) => blake3 === proven);
        const records = all.slice(first, first + 5);
        const object = (blake3: string): Buffer =>
            readFileSync(join(SAMPLE, "cas/objects/blake3", blake3.slice(0, 2), `${blake3}.bin`));
        const init = await fetch(`${explorer.url}/media/streams/${lane.stream}/init.mp4?track=0.m4s`);
        expect(init.status).toBe(200);
        const initBytes = Buffer.from(await init.arrayBuffer());
        const hls = readFileSync(createRequire(import.meta.url).resolve("hls.js/dist/hls.min.js"));
        const playlist = [
            "#EXTM3U",
            "#EXT-X-VERSION:7",
            "#EXT-X-TARGETDURATION:2",
            '#EXT-X-MAP:URI="init"',
            ...records.flatMap((_, at) => ["#EXTINF:2.0,", `segment-${at}`]),
            "#EXT-X-ENDLIST",
        ];
        const site = `<!doctype html><html lang="en"><title>x</title><main><video id="v" muted></video><p id="badge"></p></main><script src="/hls.js"></script>
      <script>window.player = new Hls({enableWorker: false}); player.loadSource("/list.m3u8"); player.attachMedia(v); v.play();</script>
      <script src="${explorer.url}/embed.js" data-hls="player" data-target="#badge"></script>`;
        let isTampered = false;
        const { url } = await serve((request, response) => {
            const path = request.url ?? "";
            const segment = /segment-(\d)/.exec(path)?.[1];
            if (path === "/hls.js") response.writeHead(200, { "content-type": "text/javascript" }).end(hls);
            else if (path === "/list.m3u8")
                response.writeHead(200, { "content-type": "application/vnd.apple.mpegurl" }).end(playlist.join("\n"));
            else if (path === "/init") response.writeHead(200).end(initBytes);
            else if (segment !== undefined) {
                const body = Buffer.from(object(records[Number(segment)]!.blake3));
                if (isTampered) body[body.length - 2]! ^= 1;
                response.writeHead(200).end(body);
            } else response.writeHead(200, { "content-type": "text/html" }).end(site);
        });
        const visitor = await Visitor.come(browser);
        await visitor.page.goto(url);
        await visitor.page.locator("span[data-mark=witnessed]").waitFor();
        isTampered = true;
        await visitor.page.reload();
        await visitor.page.locator("span[data-mark=unknown]").waitFor();
        await visitor.leave();
    });
});

/** `EC_SCREENSHOTS=DIR` writes the documents' pictures there. */
const pictures = (): void => {
    const picture = async (page: Page, name: string, height?: number): Promise<void> => {
        const path = join(process.env.EC_SCREENSHOTS ?? "", `${name}.png`);
        const width = page.viewportSize()?.width ?? 0;
        await page.mouse.move(0, 0);
        await page.screenshot({
            path,
            fullPage: true,
            ...(height === undefined ? {} : { clip: { x: 0, y: 0, width, height } }),
        });
    };

    test("of each page", async () => {
        const visitor = await Visitor.come(browser, { width: 1120 });
        const { page } = visitor;
        const { file } = await provenSegment();
        const lane = await streamOf("la-cbs/track/0.m4s");
        const [slot] = await slotsOf("la-cbs/track/0.m4s");
        await page.goto(explorer.url);
        await until("all strips", async () => (await page.locator(".lane .strip > rect").count()) > 20);
        await picture(page, "streams");
        await page.goto(`${explorer.url}/#/streams/${lane.stream}`);
        await page.locator("[aria-label=Epochs] tbody tr").first().waitFor();
        await page.getByRole("button", { name: "Load the media" }).click();
        await page.evaluate(() => document.querySelector("video")?.play());
        await page.getByText(/Witnessed by [34] of 4/).waitFor();
        await picture(page, "stream", 1150);
        await page.goto(`${explorer.url}/#/slots/${slot?.slot}`);
        await page.locator("[aria-label=Votes] tbody tr").first().waitFor();
        await picture(page, "slot", 1150);
        await page.goto(`${explorer.url}/#/witnesses`);
        await page.locator("[aria-label='Active witnesses'] tbody tr").first().waitFor();
        await picture(page, "witnesses");
        await page.goto(`${explorer.url}/check.html`);
        await page.setInputFiles("#file", file);
        await expectVerdict(page, "not_asked");
        await askChain(page, rail.chain.rpc);
        await expectVerdict(page, "true");
        await picture(page, "check");
        await visitor.leave();
        const phone = await Visitor.come(browser, { width: 360, dark: true });
        await phone.page.goto(explorer.url);
        await until("a strip", async () => (await phone.page.locator(".lane .strip > rect").count()) > 3);
        await picture(phone.page, "phone", 780);
        await phone.leave();
    });
};
// without it there is no test, rather than one that is skipped
if (process.env.EC_SCREENSHOTS !== undefined) describe("pictures", pictures);

describe("when something is away", () => {
    test("the chain: what was read stays, and it is told", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        await page.goto(explorer.url);
        await page.locator(".lane .strip > rect").first().waitFor();
        rail.chain.pause();
        await page.getByText("does not answer now.").waitFor({ timeout: 60_000 });
        expect(await page.locator(".lane").count()).toBeGreaterThan(3);
        await expectAccessible(page);
        rail.chain.goOn();
        await until("the end of the notice", async () => (await page.getByText("does not answer now.").count()) === 0);
        await visitor.leave();
    });

    test("a reorganisation while one looks", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const [slot] = await slotsOf("la-nbc");
        await page.goto(`${explorer.url}/#/slots/${slot?.slot}`);
        await page.getByText("✓ Finalized").waitFor();
        await page.getByText("live", { exact: true }).waitFor();
        // only a block that was read can be seen to be taken back
        await rail.chain.hold();
        const height = await rail.chain.height();
        await until("the newest block", async () => {
            const { ledgers } = await explorer.get<About>("");
            return ledgers[0]?.read_to === height;
        });
        await rail.chain.ask("anvil_reorg", [1, []]);
        await rail.chain.release();
        await page.getByText("The chain was reorganised").waitFor({ timeout: 30_000 });
        // what is finalized stays
        expect(await page.getByText("✓ Finalized").count()).toBe(1);
        await expectAccessible(page);
        await visitor.leave();
    });

    test("the explorer itself: what was read stays, a proof can still be checked, and it comes back by itself", async () => {
        const visitor = await Visitor.come(browser);
        const { page } = visitor;
        const { proof, blake3 } = await provenSegment();
        await page.goto(explorer.url);
        await page.locator(".lane .strip > rect").first().waitFor();
        const checking = await visitor.context.newPage();
        await checking.goto(`${explorer.url}/check.html`);
        await checking.getByText("Choose a file").waitFor();
        await sleep(500);
        await explorer.stop();
        await page.getByText("not live").waitFor();
        await page.getByLabel("Find a stream by its name").fill("la");
        await page.getByText("This site's server does not answer.").waitFor();
        await expectAccessible(page);

        await checking.getByLabel("Or paste a fingerprint").fill(blake3);
        await checking.getByRole("button", { name: "Check this" }).click();
        await checking.getByText("A proof can be checked without it").waitFor();
        await checking.getByLabel("Or paste a fingerprint").fill(writeProof(proof));
        await checking.getByRole("button", { name: "Check this" }).click();
        await expectVerdict(checking, "not_asked");
        await askChain(checking, rail.chain.rpc);
        await expectVerdict(checking, "true");
        expect(await stateOfStep(checking, "Finality")).toBe("yes");

        await explorer.goOn();
        await page.getByText("live", { exact: true }).waitFor({ timeout: 60_000 });
        await until("the streams", async () => (await page.locator(".lane").count()) > 3);
        await visitor.leave();
    });
});
