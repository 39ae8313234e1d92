import { defineConfig } from "vitest/config";
import { alias, shared } from "./vitest.config.ts";

// The templates of external trainers in a Python environment: `npm run test:python` makes one.
export default defineConfig({
  resolve: { alias },
  test: { ...shared, maxWorkers: 1, testTimeout: 300_000, include: ["test/python/**/*.test.ts"] },
});
