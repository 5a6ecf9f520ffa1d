import { defineConfig } from "vitest/config";

import { noneSkipped } from "./tests/none-skipped.ts";

export default defineConfig({
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    test: {
        include: ["tests/unit/**/*.test.ts"],
        environment: "node",
        testTimeout: 60_000,
        reporters: ["default", noneSkipped],
    },
});
