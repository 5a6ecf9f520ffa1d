/**
 * JSON as a proof needs it read: whole numbers keep all their digits, and a name that stands twice is an error.
 * `JSON.parse` rounds above 2^53 and takes the last of two equal names, so a page and a program could read two things.
 */

export type Json = null | boolean | bigint | number | string | Json[] | { [name: string]: Json };

const MAX_DEPTH = 64;

const WHITE = /[ \t\n\r]*/y;
const NUMBER = /-?(?:0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?/y;
// what JSON allows in a string: no control characters, known escapes only
// eslint-disable-next-line no-control-regex
const STRING = /"(?:[^"\\\u0000-\u001f]|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*"/y;

/** Throws a `SyntaxError` that says where. */
export function parseJson(text: string): Json {
    let at = 0;

    const fail = (what: string): never => {
        throw new SyntaxError(`${what} at character ${at + 1}`);
    };
    const take = (pattern: RegExp): RegExpExecArray | null => {
        pattern.lastIndex = at;
        const found = pattern.exec(text);
        if (found !== null) at = pattern.lastIndex;
        return found;
    };
    const takeText = (wanted: string): boolean => {
        const is = text.startsWith(wanted, at);
        if (is) at += wanted.length;
        return is;
    };
    const string = (): string => {
        const found = take(STRING) ?? fail("a string is expected");
        return JSON.parse(found[0]) as string;
    };

    function value(depth: number): Json {
        if (depth > MAX_DEPTH) fail(`nested deeper than ${MAX_DEPTH}`);
        take(WHITE);
        if (takeText("{")) return object(depth);
        if (takeText("[")) return list(depth);
        if (text[at] === '"') return string();
        if (takeText("null")) return null;
        if (takeText("true")) return true;
        if (takeText("false")) return false;
        const found = take(NUMBER) ?? fail("a value is expected");
        const isWhole = found[1] === undefined && found[2] === undefined;
        return isWhole ? BigInt(found[0]) : Number(found[0]);
    }

    function object(depth: number): Json {
        const found = new Map<string, Json>();
        take(WHITE);
        if (takeText("}")) return {};
        do {
            take(WHITE);
            const name = string();
            if (found.has(name)) fail(`${JSON.stringify(name)} stands twice`);
            take(WHITE);
            if (!takeText(":")) fail("a colon is expected");
            found.set(name, value(depth + 1));
            take(WHITE);
        } while (takeText(","));
        if (!takeText("}")) fail("a comma or } is expected");
        return Object.fromEntries(found);
    }

    function list(depth: number): Json {
        const found: Json[] = [];
        take(WHITE);
        if (takeText("]")) return found;
        do {
            found.push(value(depth + 1));
            take(WHITE);
        } while (takeText(","));
        if (!takeText("]")) fail("a comma or ] is expected");
        return found;
    }

    const whole = value(1);
    take(WHITE);
    if (at < text.length) fail("something follows the value");
    return whole;
}

/** The text of a value, whole numbers with all their digits. */
export function writeJson(value: Json): string {
    if (typeof value === "bigint") return value.toString();
    if (Array.isArray(value)) return `[${value.map(writeJson).join(",")}]`;
    if (value !== null && typeof value === "object") {
        return `{${Object.entries(value)
            .map(([name, inner]) => `${JSON.stringify(name)}:${writeJson(inner)}`)
            .join(",")}}`;
    }
    return JSON.stringify(value);
}
