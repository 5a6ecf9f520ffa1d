/** A test that is skipped says nothing, and looks as if it did: it is a failure. */

import type { Reporter, TestModule } from "vitest/node";

export const noneSkipped: Reporter = {
    onTestRunEnd(modules: readonly TestModule[]) {
        for (const module of modules) {
            for (const test of module.children.allTests("skipped")) {
                console.error(`skipped: ${test.fullName}`);
                process.exitCode = 1;
            }
        }
    },
};
