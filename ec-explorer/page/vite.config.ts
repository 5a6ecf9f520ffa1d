import { defineConfig } from "vite";

/** The page: two documents, since only the one that checks may speak to an endpoint elsewhere, which its visitor chooses. */
export default defineConfig({
    base: "./",
    oxc: { jsx: { runtime: "automatic", importSource: "preact" } },
    // the player needs neither subtitles nor protected media: a third of the size
    resolve: { alias: [{ find: /^hls\.js$/, replacement: "hls.js/light" }] },
    build: {
        target: "es2022",
        assetsInlineLimit: 0,
        modulePreload: { polyfill: false },
        rolldownOptions: { input: ["index.html", "check.html"] },
    },
    worker: { format: "es" },
});
