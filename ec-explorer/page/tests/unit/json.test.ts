import { describe, expect, test } from "vitest";

import { parseJson, writeJson } from "../../src/verify/json.ts";

describe("parseJson", () => {
    test("keeps all digits of whole numbers", () => {
        expect(parseJson('{"a":[18446744073709551615,-0,9007199254740993]}')).toEqual({
            a: [18446744073709551615n, 0n, 9007199254740993n],
        });
        expect(parseJson("1.5e3")).toBe(1500);
    });

    test("reads what JSON.parse reads", () => {
        for (const text of [
            '""',
            '"\\u00e9\\n\\\\\\/"',
            " [ ] ",
            "{}",
            '{ "a" : { "" : null } }',
            "true",
            "false",
            "null",
            '[[],[{}],"x"]',
        ]) {
            expect(parseJson(text)).toEqual(JSON.parse(text));
        }
    });

    test.each([
        ["", "a value is expected at character 1"],
        ["{", "a string is expected"],
        ['{"a":1,"a":1}', '"a" stands twice'],
        ['{"a" 1}', "a colon is expected"],
        ["[1,]", "a value is expected"],
        ["[1 2]", "a comma or ]"],
        ['{"a":1,}', "a string is expected"],
        ["01", "something follows"],
        ["NaN", "a value is expected"],
        ["+1", "a value is expected"],
        ['"a\nb"', "a string is expected"],
        ['"\\x"', "a string is expected"],
        ["1 2", "something follows"],
        ["[".repeat(65) + "]".repeat(65), "nested deeper than 64"],
    ])("refuses %j", (text, why) => {
        expect(() => parseJson(text)).toThrow(why);
    });

    test("has no trap in the name __proto__", () => {
        const found = parseJson('{"__proto__":{"a":1}}') as Record<string, unknown>;
        expect(Object.keys(found)).toEqual(["__proto__"]);
        expect(({} as Record<string, unknown>).a).toBeUndefined();
    });

    test("writes what it read", () => {
        const text = '{"a":[18446744073709551615,"é\\n",null,true,{"b":-7}]}';
        expect(writeJson(parseJson(text))).toBe(text);
    });
});
