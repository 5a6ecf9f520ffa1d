// Whether `dist/`, which the explorer's binary is built with, is what the sources give. Says which file is not.

import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

const page = join(import.meta.dirname, "..");
const committed = join(page, "dist");
const made = mkdtempSync(join(tmpdir(), "page-dist-"));

const build = (config) =>
    execFileSync(join(page, "node_modules/.bin/vite"), ["build", "--config", config, "--outDir", made, "--logLevel", "error"], {
        cwd: page,
        stdio: ["ignore", "inherit", "inherit"],
    });

const filesOf = (directory) => {
    const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
    const files = entries.filter((entry) => entry.isFile());
    return files.map((entry) => join(entry.parentPath, entry.name).slice(directory.length + 1)).sort();
};

const isSame = (file, inCommitted) =>
    inCommitted.includes(file) && readFileSync(join(committed, file)).equals(readFileSync(join(made, file)));

try {
    build("vite.config.ts");
    build("vite.embed.config.ts");
    const [wanted, found] = [filesOf(made), filesOf(committed)];
    const other = wanted.filter((file) => !isSame(file, found));
    const left = found.filter((file) => !wanted.includes(file));
    for (const file of other) console.error(`dist/${file} is not what the sources give`);
    for (const file of left) console.error(`dist/${file} is made by no source`);
    if (other.length + left.length > 0) {
        console.error("npm run build writes dist/ anew");
        process.exitCode = 1;
    } else {
        console.log(`dist/ is what the sources give: ${wanted.length} files`);
    }
} finally {
    rmSync(made, { recursive: true });
}
