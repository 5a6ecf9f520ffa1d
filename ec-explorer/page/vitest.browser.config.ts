import { defineConfig } from "vitest/config";

import { noneSkipped } from "./tests/none-skipped.ts";

/** The page in a real browser, on a real chain with real witnesses: `tests/browser/rail.ts` says what must be there. */
export default defineConfig({
    test: {
        include: ["tests/browser/**/*.test.ts"],
        environment: "node",
        // one rail and one browser, and each test goes on where the last one ended
        fileParallelism: false,
        sequence: { concurrent: false },
        testTimeout: 120_000,
        hookTimeout: 600_000,
        reporters: ["default", noneSkipped],
    },
});
