/**
 * Runs once before the suite: makes one JavaScript file of each program that its tests start and kill. Translating and opening a
 * few hundred modules would be half of what such a process does in its short life.
 */
import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { build, type Plugin } from "vite";
import type { TestProject } from "vitest/node";
import { ensureBuilt } from "../../../scripts/build.mjs";

const ROOT = fileURLToPath(new URL("../../../", import.meta.url));
const FAULTS = join(ROOT, "test", "faults");

const PROGRAMS = {
  "engine-server": join(FAULTS, "engine-server.ts"),
  "labeling-child": join(FAULTS, "labeling-child.ts"),
  "log-writer": join(FAULTS, "log-writer.ts"),
  "rollout-child": join(FAULTS, "support", "rollout-child.ts"),
  "run-child": join(FAULTS, "support", "run-child.ts"),
  "store-writer": join(FAULTS, "store-writer.ts"),
  "train-job": join(FAULTS, "support", "train-job.ts"),
};
export type ProgramName = keyof typeof PROGRAMS;

/** What these processes open at their start, and would otherwise open file by file; Node reads a CommonJS package twice besides. */
const INLINED = ["@duckdb/node-api", "kysely", "pg", "pg-pool", "pg-protocol", "pg-types", "superjson", "yaml"];

/** The product's modules find their threads, kernels and templates where the build put them. */
const builtPlaces: Plugin = {
  name: "built-places",
  enforce: "pre",
  transform(code, id) {
    if (!id.startsWith(join(ROOT, "src")) || !code.includes("import.meta.url")) return null;
    const built = join(ROOT, "dist", relative(ROOT, id)).replace(/\.ts$/, ".js");
    return { code: code.replaceAll("import.meta.url", JSON.stringify(pathToFileURL(built).href)), map: null };
  },
};

export default async function bundlePrograms(project: TestProject): Promise<() => void> {
  ensureBuilt(["server", "kernels", "template of the embedded store"]);
  // Inside node_modules, so that packages left outside the bundle are found from it.
  const cache = join(ROOT, "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "faults-"));
  const remove = () => rmSync(folder, { recursive: true, force: true });
  try {
    await build({
      configFile: false,
      root: ROOT,
      logLevel: "error",
      envDir: false,
      publicDir: false,
      plugins: [builtPlaces],
      ssr: { noExternal: INLINED, target: "node" },
      build: {
        ssr: true,
        target: "node20",
        minify: false,
        outDir: folder,
        emptyOutDir: false,
        rolldownOptions: {
          input: PROGRAMS,
          output: { entryFileNames: "[name].mjs", chunkFileNames: "[name]-[hash].mjs" },
        },
      },
    });
  } catch (error) {
    remove();
    throw error;
  }
  project.provide("programs", folder);
  return remove;
}

declare module "vitest" {
  export interface ProvidedContext {
    /** The folder of the programs' files. */
    programs: string;
  }
}
