import { defineConfig } from "vite";

/** The embed: one classic script without imports, for other sites' pages. */
export default defineConfig({
    publicDir: false,
    build: {
        target: "es2022",
        emptyOutDir: false,
        lib: { entry: "src/embed/embed.ts", formats: ["iife"], name: "everyChannelWitnessed", fileName: () => "embed.js" },
    },
});
