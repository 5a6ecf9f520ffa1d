/**
 * A chain, witnesses that vote there on growing archives, and the explorer on both: all of it the real programs.
 *
 * Needed are `ec-witness`, `ec-explorer` and `smoke` in `target/debug` (or `EC_PROGRAMS`), Anvil in
 * `contracts/node_modules` and Chromium at `/usr/bin/chromium` (or `EC_CHROMIUM`). The page is the one that `ec-explorer` was
 * built with; with `EC_PAGE=dist` it is the one in that directory, so that a change need not wait for a build of the program.
 */

import { spawn, type ChildProcess } from "node:child_process";
import {
    appendFileSync,
    chmodSync,
    existsSync,
    mkdirSync,
    mkdtempSync,
    readFileSync,
    rmSync,
    symlinkSync,
    writeFileSync,
} from "node:fs";
import {
    createServer,
    request,
    type IncomingHttpHeaders,
    type IncomingMessage,
    type Server,
    type ServerResponse,
} from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { extname, join, resolve } from "node:path";

export const ROOT = join(import.meta.dirname, "../../../..");
export const SAMPLE = join(ROOT, "archives/sample");
const PROGRAMS = process.env.EC_PROGRAMS ?? join(ROOT, "target/debug");
const PAGE = process.env.EC_PAGE;
const ANVIL = join(ROOT, "contracts/node_modules/.bin/anvil");
const WITNESSES = 4;

/** What is to be ended, the last first. */
const endings: (() => Promise<void> | void)[] = [];

export function onEnd(end: () => Promise<void>): void {
    endings.push(end);
}

export async function endAll(): Promise<void> {
    for (const end of endings.splice(0).reverse()) await end();
}

export async function until<T>(
    what: string,
    ask: () => Promise<T | null | undefined | false> | T | null | undefined | false,
    ms = 60_000,
): Promise<T> {
    const end = Date.now() + ms;
    let last: unknown;
    while (Date.now() < end) {
        try {
            const found = await ask();
            if (found !== null && found !== undefined && found !== false) return found;
        } catch (error) {
            last = error;
        }
        await sleep(200);
    }
    throw new Error(`${what}: not within ${ms} ms`, { cause: last });
}

export function sleep(ms: number): Promise<void> {
    return new Promise((resolve) => setTimeout(resolve, ms));
}

/** A program that is ended with the tests; its output is in a file. */
class Running {
    constructor(
        readonly process: ChildProcess,
        readonly log: string,
    ) {}

    static start(program: string, args: readonly string[], log: string, env: Record<string, string> = {}): Running {
        if (!existsSync(program)) throw new Error(`${program} is missing`);
        const child = spawn(program, args, { cwd: ROOT, env: { ...process.env, ...env }, stdio: ["ignore", "pipe", "pipe"] });
        const write = (chunk: Buffer): void => appendFileSync(log, chunk);
        writeFileSync(log, "");
        child.stdout.on("data", write);
        child.stderr.on("data", write);
        const running = new Running(child, log);
        endings.push(() => running.end());
        return running;
    }

    get isOver(): boolean {
        return this.process.exitCode !== null || this.process.signalCode !== null;
    }

    /** What it has said so far. */
    said(): string {
        return readFileSync(this.log, "utf8");
    }

    async end(): Promise<void> {
        if (this.isOver) return;
        const over = new Promise((resolve) => this.process.once("exit", resolve));
        this.process.kill("SIGCONT");
        this.process.kill("SIGTERM");
        const timer = setTimeout(() => this.process.kill("SIGKILL"), 10_000);
        await over;
        clearTimeout(timer);
    }
}

export class Chain {
    private constructor(
        readonly process: Running,
        readonly rpc: string,
        readonly keys: string,
    ) {}

    static async start(work: string, name: string, chainId = 31337): Promise<Chain> {
        const keys = join(work, name);
        mkdirSync(keys);
        const config = join(keys, "anvil.json");
        const args = ["--port", "0", "--chain-id", String(chainId), "--block-time", "1", "--slots-in-an-epoch", "1"];
        const anvil = Running.start(
            ANVIL,
            [...args, "--accounts", String(WITNESSES + 1), "--config-out", config],
            join(work, `${name}.log`),
        );
        const rpc = await until("Anvil", () => /Listening on (\S+)/.exec(anvil.said())?.[1]);
        const accounts = await until(
            "Anvil's accounts",
            () => JSON.parse(readFileSync(config, "utf8")) as { private_keys: string[]; available_accounts: string[] },
        );
        accounts.private_keys.forEach((key, at) => {
            const file = join(keys, `key${at}`);
            writeFileSync(file, `${key}\n`);
            chmodSync(file, 0o600);
        });
        writeFileSync(join(keys, "addresses"), accounts.available_accounts.map((address) => `${address}\n`).join(""));
        return new Chain(anvil, `http://${rpc}`, keys);
    }

    async ask<T>(method: string, params: readonly unknown[] = []): Promise<T> {
        return ask<T>(this.rpc, method, params);
    }

    /** Makes no block, so that no vote counts, until it is to go on. */
    async hold(): Promise<void> {
        await this.ask("evm_setIntervalMining", [0]);
    }

    async release(): Promise<void> {
        await this.ask("evm_setIntervalMining", [1]);
    }

    async height(): Promise<number> {
        return Number(await this.ask<string>("eth_blockNumber"));
    }

    /** Stops answering, as a host does that is overloaded or cut off. */
    pause(): void {
        this.process.process.kill("SIGSTOP");
    }

    goOn(): void {
        this.process.process.kill("SIGCONT");
    }
}

async function ask<T>(rpc: string, method: string, params: readonly unknown[]): Promise<T> {
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method, params });
    const response = await fetch(rpc, { method: "POST", headers: { "content-type": "application/json" }, body });
    const answer = (await response.json()) as { result: T; error?: { message: string } };
    if (answer.error !== undefined) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
}

export interface Rail {
    readonly work: string;
    readonly chain: Chain;
    /** Four witnesses on archives that grow, until all is final. */
    readonly smoke: Running;
    readonly ledger: string;
}

/**
 * Deploys the contracts, and lets the witnesses' archives grow `speed` times as fast as they were received. The chain is held
 * then: whatever the witnesses see meanwhile, they vote when it is released.
 */
export async function startRail(speed: number): Promise<Rail> {
    const work = mkdtempSync(join(tmpdir(), "explorer-page-"));
    endings.push(() => {
        if (process.env.EC_KEEP === undefined) rmSync(work, { recursive: true, force: true });
    });
    const chain = await Chain.start(work, "chain");
    const smokeWork = join(work, "smoke");
    const args = ["--rpc", chain.rpc, "--keys", chain.keys, "--work", smokeWork, "--live", String(speed), "--votes-only"];
    const smoke = Running.start(join(PROGRAMS, "smoke"), args, join(work, "smoke.log"), {
        EC_WITNESS_CONFIG: join(ROOT, "archives/sample.toml"),
    });
    const deployed = await until(
        "the contracts",
        () => JSON.parse(readFileSync(join(smokeWork, "deploy.json"), "utf8")) as { ledger: string },
    );
    await until(
        "the witnesses' archives",
        () => existsSync(join(smokeWork, "archive4/manifests")) && existsSync(join(smokeWork, "source4")),
    );
    await chain.hold();
    return { work, chain, smoke, ledger: deployed.ledger };
}

export class Explorer {
    #process: Running;
    #starts = 0;

    private constructor(
        /** Where it is asked. */
        readonly url: string,
        /** Where it listens itself. */
        private readonly own: string,
        process: Running,
        private readonly start: (listen: string, log: string) => Running,
    ) {
        this.#process = process;
    }

    /** The explorer on two of the witnesses' archives, as they grow. */
    static async start(rail: Rail): Promise<Explorer> {
        const config = join(rail.work, "explorer.toml");
        writeFileSync(config, configOf(rail));
        const directory = join(rail.work, "explorer");
        const start = (listen: string, log: string): Running =>
            Running.start(
                join(PROGRAMS, "ec-explorer"),
                ["serve", "--config", config, "--dir", directory, "--listen", listen, "--serve-media", "--json"],
                join(rail.work, log),
            );
        const first = start("127.0.0.1:0", "explorer.log");
        const url = await until("the explorer", () => {
            if (first.isOver) throw new Error(first.said());
            return /"listening":\s*"([^"]+)"/.exec(first.said())?.[1];
        });
        return new Explorer(PAGE === undefined ? url : await withPage(url, resolve(PAGE)), url, first, start);
    }

    async get<T>(route: string): Promise<T> {
        const response = await fetch(`${this.url}/api/v1${route}`);
        if (!response.ok) throw new Error(`${route}: ${response.status} ${await response.text()}`);
        return (await response.json()) as T;
    }

    async stop(): Promise<void> {
        await this.#process.end();
    }

    /** At the same address as before. */
    async goOn(): Promise<void> {
        this.#starts += 1;
        this.#process = this.start(new URL(this.own).host, `explorer-${this.#starts}.log`);
        await until("the explorer", async () => (await fetch(`${this.url}/api/v1`)).ok);
    }
}

function configOf({ work, chain, ledger }: Rail): string {
    const smoke = join(work, "smoke");
    const written = readFileSync(join(smoke, "chain.toml"), "utf8");
    const deployBlock = /deploy_block = (\d+)/.exec(written)?.[1] ?? "0";
    const names = readFileSync(join(chain.keys, "addresses"), "utf8").trim().split("\n").slice(1);
    const called = ["Boyle Heights", "Pasadena", "Venice"];
    const archive = (name: string, witness: number): string => {
        const directory = join(work, `seen-${name}`);
        mkdirSync(directory);
        symlinkSync(join(smoke, `archive${witness}`, "manifests"), join(directory, "manifests"));
        symlinkSync(join(SAMPLE, "cas"), join(directory, "cas"));
        return `[[archive]]\nname = "${name}"\ndir = "${directory}"\ngroups_per_epoch = 10\ngrace_ms = 500\n`;
    };
    const rules = readFileSync(join(ROOT, "archives/sample.toml"), "utf8").replace(/\[archive\]\n.*\n/, "");
    return [
        `[chain]\nrpc = "${chain.rpc}"\nchain_id = 31337\nledger = "${ledger}"\ndeploy_block = ${deployBlock}\nrpc_timeout_ms = 2000\n`,
        archive("boyle-heights", 1),
        archive("venice", 3),
        rules,
        ...called.map((name, at) => `[[witness]]\naddress = "${names[at]}"\nname = "${name}"\n`),
    ].join("\n");
}

const DOCUMENTS: Readonly<Record<string, string>> = { "/": "index.html", "/check": "check.html" };
const KINDS: Readonly<Record<string, string>> = { ".js": "text/javascript", ".css": "text/css" };

/** The same server with another page: each answer is its own, but for the files that the directory has. */
async function withPage(explorer: string, directory: string): Promise<string> {
    const { url } = await serve((asked, response) => {
        const { pathname } = new URL(asked.url ?? "/", explorer);
        const name = DOCUMENTS[pathname] ?? pathname.slice(1);
        const file = join(directory, name);
        const body = file.startsWith(directory) && existsSync(file) ? readFileSync(file) : null;
        const forwarded = request(new URL(asked.url ?? "/", explorer), { headers: asked.headers }, (answer) => {
            if (body === null) {
                response.writeHead(answer.statusCode ?? 500, answer.headers);
                // an event stream's head comes long before its first event
                response.flushHeaders();
                answer.pipe(response);
                answer.on("error", () => response.destroy());
                return;
            }
            answer.resume();
            // the policies are the server's own; a file that it lacks has none
            const headers: IncomingHttpHeaders =
                answer.statusCode === 404 ? { "content-type": KINDS[extname(file)] } : { ...answer.headers };
            delete headers.etag;
            delete headers["cache-control"];
            delete headers["content-length"];
            response.writeHead(200, headers).end(body);
        });
        forwarded.on("error", () => response.destroy());
        response.on("close", () => forwarded.destroy());
        forwarded.end();
    });
    return url;
}

/** A server of another origin, for what stands on other sites. */
export async function serve(
    answer: (request: IncomingMessage, response: ServerResponse) => void,
): Promise<{ url: string; server: Server }> {
    const server = createServer(answer);
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    endings.push(() => {
        server.closeAllConnections();
        return new Promise<void>((resolve) => server.close(() => resolve()));
    });
    return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, server };
}

/** An endpoint of the same chain whose finalized head lags, or of which an answer is changed. */
export async function endpointBehind(
    chain: Chain,
    change: (method: string, params: readonly unknown[], result: unknown) => unknown,
): Promise<string> {
    const headers = {
        "access-control-allow-origin": "*",
        "access-control-allow-headers": "content-type",
        "content-type": "application/json",
    };
    const answer = async (request: IncomingMessage): Promise<string> => {
        let body = "";
        for await (const chunk of request) body += String(chunk);
        const { id, method, params } = JSON.parse(body) as { id: number; method: string; params: unknown[] };
        try {
            return JSON.stringify({ jsonrpc: "2.0", id, result: change(method, params, await chain.ask(method, params)) });
        } catch (error) {
            return JSON.stringify({ jsonrpc: "2.0", id, error: { code: -32000, message: (error as Error).message } });
        }
    };
    const { url } = await serve((request, response) => {
        if (request.method === "OPTIONS") response.writeHead(204, headers).end();
        else void answer(request).then((text) => response.writeHead(200, headers).end(text));
    });
    return url;
}
