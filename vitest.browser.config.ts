import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

// Pages in a real Chromium, one browser at a time.
export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    maxWorkers: 1,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["test/browser/**/*.test.ts"],
  },
});
