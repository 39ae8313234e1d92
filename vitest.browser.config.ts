import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

// Pages in a real Chromium, one browser at a time.
export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    maxWorkers: 1,
    // All files in one process, with one Chromium and one copy of every module.
    isolate: false,
    // That process lives for minutes, in which WebAssembly that is compiled well pays for itself.
    execArgv: [],
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["test/browser/**/*.test.ts"],
  },
});
