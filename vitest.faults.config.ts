import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

const preload = fileURLToPath(new URL("test/faults/support/compiler-tiers.cjs", import.meta.url));

// Kills and full disks: one file at a time, because each keeps a core busy with the processes it starts. Their folders, file systems,
// ports and databases are their own: on two free cores `--maxWorkers=2` runs two files at once.
export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    globalSetup: "test/faults/support/bundle-programs.ts",
    maxWorkers: 1,
    // Where a file says that its tests may run side by side: each is two processes that mostly wait for one another.
    maxConcurrency: 2,
    execArgv: ["--require", preload],
    env: { NODE_OPTIONS: `--require ${JSON.stringify(preload)}` },
    testTimeout: 300_000,
    hookTimeout: 120_000,
    include: ["test/faults/**/*.test.ts"],
  },
});
