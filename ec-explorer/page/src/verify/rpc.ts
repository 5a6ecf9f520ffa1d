/** A chain's JSON-RPC endpoint that the visitor chose. What it answers is its word, and is shown as such. */

/** Why an endpoint gave no answer to go by. */
export class RpcFailure extends Error {
    constructor(
        readonly kind: "unreachable" | "refused" | "nonsense",
        message: string,
        options?: ErrorOptions,
    ) {
        super(message, options);
    }
}

const TIMEOUT_MS = 15_000;

export type Fetch = (input: string, init: RequestInit) => Promise<Response>;

/** An address that can be asked: http or https. Throws where it is none, or where the browser would not let it be asked. */
export function endpointUrl(text: string, pageIsSecure: boolean): URL {
    const url = urlOf(text.trim());
    const isHere = ["localhost", "127.0.0.1", "[::1]"].includes(url.hostname);
    if (pageIsSecure && url.protocol === "http:" && !isHere) {
        throw new RpcFailure("refused", `a page that came by https may not ask ${url.origin}: give an address with https://`);
    }
    return url;
}

function urlOf(text: string): URL {
    if (/^https?:\/\//i.test(text) && URL.canParse(text)) return new URL(text);
    throw new RpcFailure(
        "refused",
        `${JSON.stringify(text)} is no address of an endpoint: one begins with https:// or http://`,
    );
}

export class Rpc {
    readonly #url: URL;
    readonly #fetch: Fetch;
    #next = 1;

    constructor(url: URL, fetcher: Fetch = (input, init) => fetch(input, init)) {
        this.#url = url;
        this.#fetch = fetcher;
    }

    /** The part of the address that may be shown: what follows the host may be a password. */
    get host(): string {
        return this.#url.host;
    }

    async ask(method: string, params: readonly unknown[]): Promise<unknown> {
        const id = this.#next++;
        const asked = `${method} at ${this.host}`;
        let response: Response;
        let body: unknown;
        try {
            response = await this.#fetch(this.#url.href, {
                method: "POST",
                headers: { "content-type": "application/json" },
                body: JSON.stringify({ jsonrpc: "2.0", id, method, params }),
                credentials: "omit",
                referrerPolicy: "no-referrer",
                signal: AbortSignal.timeout(TIMEOUT_MS),
            });
        } catch (error) {
            const why = "it is down, the address is wrong, or it does not let web pages ask (CORS)";
            throw new RpcFailure("unreachable", `${asked}: no answer: ${why}`, { cause: error });
        }
        try {
            body = await response.json();
        } catch (error) {
            const kind = response.ok ? "nonsense" : "refused";
            throw new RpcFailure(kind, `${asked}: answered with HTTP status ${response.status} and no JSON`, { cause: error });
        }
        const answer = (typeof body === "object" && body !== null ? body : {}) as {
            result?: unknown;
            error?: { message?: unknown } | null;
        };
        if (answer.error != null) {
            const { message } = answer.error;
            throw new RpcFailure(
                "refused",
                `${asked}: ${typeof message === "string" ? message : "an error without a message"}`,
            );
        }
        if (!("result" in answer)) throw new RpcFailure("nonsense", `${asked}: answered without a result`);
        return answer.result;
    }

    async quantity(method: string, params: readonly unknown[]): Promise<bigint> {
        return quantity(await this.ask(method, params), method);
    }

    /** Bytes as hex digits without the prefix. */
    async data(method: string, params: readonly unknown[]): Promise<string> {
        return data(await this.ask(method, params), method);
    }
}

export function quantity(value: unknown, what: string): bigint {
    if (typeof value === "string" && /^0x[0-9a-fA-F]{1,64}$/.test(value)) return BigInt(value);
    throw new RpcFailure("nonsense", `${what}: ${JSON.stringify(value)} is no number`);
}

export function data(value: unknown, what: string): string {
    if (typeof value === "string" && /^0x([0-9a-fA-F]{2})*$/.test(value)) return value.slice(2).toLowerCase();
    throw new RpcFailure("nonsense", `${what}: ${JSON.stringify(value ?? null).slice(0, 80)} is no data`);
}
