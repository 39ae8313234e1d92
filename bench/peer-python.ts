/** The Python of the benchmarks' peers: RETRAIN_BENCH_PYTHON, or what `node bench/peers.mjs` made. */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The package's root, seen from the sources and from the built benchmarks alike. */
export function rootFolder(): string {
  let folder = fileURLToPath(new URL(".", import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = join(folder, "..");
  return folder;
}

export function peerPython(): string | undefined {
  const python = process.env["RETRAIN_BENCH_PYTHON"] ?? join(rootFolder(), ".retrain", "bench-peers", "bin", "python");
  return existsSync(python) ? python : undefined;
}
