import { mkdirSync, mkdtempSync, rmSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

export interface Bundle {
  /** Absolute path of a JavaScript module that plain Node can run. */
  readonly path: string;
  remove(): void;
}

/** Children and killed servers are plain Node processes, which cannot read our sources: this makes one JavaScript file of them. */
export async function bundle(source: URL): Promise<Bundle> {
  // Inside node_modules, so that packages left outside the bundle are found from it.
  const cache = join(fileURLToPath(new URL("../../../", import.meta.url)), "node_modules", ".cache");
  mkdirSync(cache, { recursive: true });
  const folder = mkdtempSync(join(cache, "bundle-"));
  await build({
    configFile: false,
    logLevel: "silent",
    root: fileURLToPath(new URL("../../../", import.meta.url)),
    build: {
      ssr: fileURLToPath(source),
      outDir: folder,
      emptyOutDir: false,
      minify: false,
      target: "node20",
      rolldownOptions: { output: { entryFileNames: "entry.mjs" } },
    },
  });
  return { path: join(folder, "entry.mjs"), remove: () => rmSync(folder, { recursive: true, force: true }) };
}
