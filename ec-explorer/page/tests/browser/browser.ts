/** The browser, and what every page must keep to. */

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { chromium, type Browser, type BrowserContext, type Page } from "playwright-core";
import { expect } from "vitest";

const AXE = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");

export async function openBrowser(): Promise<Browser> {
    return chromium.launch({
        executablePath: process.env.EC_CHROMIUM ?? "/usr/bin/chromium",
        // in a container there may be no user namespaces, and a small /dev/shm
        args: ["--no-sandbox", "--disable-dev-shm-usage", "--autoplay-policy=no-user-gesture-required"],
    });
}

export interface Look {
    readonly width?: number;
    readonly dark?: boolean;
}

/** A page that notes what it must not do: errors, violations of its policy, requests to others. */
export class Visitor {
    readonly wrong: string[] = [];
    readonly asked = new Set<string>();

    private constructor(
        readonly context: BrowserContext,
        readonly page: Page,
    ) {}

    static async come(browser: Browser, { width = 1440, dark = false }: Look = {}): Promise<Visitor> {
        const context = await browser.newContext({
            viewport: { width, height: 900 },
            colorScheme: dark ? "dark" : "light",
            permissions: ["clipboard-read", "clipboard-write"],
        });
        const page = await context.newPage();
        const visitor = new Visitor(context, page);
        page.on("pageerror", (error) => visitor.wrong.push(`error: ${error.message}`));
        page.on("console", (message) => {
            const text = message.text();
            if (message.type() === "error" && /Content.Security.Policy|TrustedScript|Refused/i.test(text))
                visitor.wrong.push(text);
        });
        page.on("request", (request) => {
            const { protocol, host } = new URL(request.url());
            if (protocol.startsWith("http")) visitor.asked.add(host);
        });
        return visitor;
    }

    async leave(): Promise<void> {
        await this.context.close();
    }
}

/** No error, no violation of the policy, and nobody asked but these hosts. */
export function expectClean(visitor: Visitor, ...hosts: string[]): void {
    expect(visitor.wrong).toEqual([]);
    expect([...visitor.asked].filter((host) => !hosts.includes(host))).toEqual([]);
}

/** No violation of any rule of axe, and nothing wider than the window. */
export async function expectAccessible(page: Page): Promise<void> {
    await page.evaluate(AXE);
    const found = await page.evaluate(async () => {
        const { axe } = globalThis as unknown as {
            axe: { run: () => Promise<{ violations: { id: string; nodes: { html: string }[] }[] }> };
        };
        return (await axe.run()).violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`);
    });
    expect(found).toEqual([]);
    const { scrollWidth, clientWidth } = await page.evaluate(() => ({
        scrollWidth: document.documentElement.scrollWidth,
        clientWidth: document.documentElement.clientWidth,
    }));
    expect(scrollWidth).toBeLessThanOrEqual(clientWidth);
}
