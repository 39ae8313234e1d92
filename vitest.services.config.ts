import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

// Suites against servers outside this process: PostgreSQL by RETRAIN_TEST_DATABASE_URL.
export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    maxWorkers: 1,
    // Every module is loaded once for all files.
    isolate: false,
    testTimeout: 120_000,
    hookTimeout: 120_000,
    include: ["test/services/**/*.test.ts"],
  },
});
