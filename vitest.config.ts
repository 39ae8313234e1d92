import { fileURLToPath } from "node:url";
import { defineConfig } from "vitest/config";

const root = fileURLToPath(new URL(".", import.meta.url));

/** A test file's store lives for seconds: to compile it into optimized code takes longer than that saves. */
const SHORT_LIVED = ["--liftoff-only"];

/**
 * Settings every suite shares. Two forks at most: each may hold an embedded store, which is hundreds of megabytes. CI tries a failed
 * test once more, because its machines are shared and stall for seconds; the report marks such a test with "retry x1".
 */
export const shared = {
  pool: "forks",
  maxWorkers: 2,
  execArgv: SHORT_LIVED,
  // Far above what any test takes: shared machines stall for many seconds, and a limit is there for what hangs.
  testTimeout: 120_000,
  hookTimeout: 120_000,
  teardownTimeout: 10_000,
  passWithNoTests: false,
  retry: process.env.CI === "true" ? 1 : 0,
} as const;

/** Tests and examples import the package by its published name; here that name means the sources. */
export const alias = [
  { find: /^retrain$/, replacement: `${root}src/index.ts` },
  { find: /^retrain\/([a-z]+)$/, replacement: `${root}src/$1/index.ts` },
];

export default defineConfig({
  resolve: { alias },
  test: {
    ...shared,
    // Every module is loaded once a worker, not once a file: files keep no state in modules that another one would meet.
    isolate: false,
    include: ["test/**/*.test.ts"],
    exclude: ["test/faults/**", "test/browser/**", "test/services/**", "test/python/**", "**/node_modules/**"],
  },
});
