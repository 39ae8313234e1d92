/** Where this package lies and which version it is. No imports of ours: `--version` must answer at once. */
import { existsSync, readFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

let root: string | undefined;

/** The folder of our package.json: two or three levels up, in the repository and installed alike. */
export function packageRoot(): string {
  if (root !== undefined) return root;
  let folder = dirname(fileURLToPath(import.meta.url));
  while (!existsSync(join(folder, "package.json"))) folder = dirname(folder);
  root = folder;
  return folder;
}

export function packageVersion(): string {
  const read = JSON.parse(readFileSync(join(packageRoot(), "package.json"), "utf8")) as { version: string };
  return read.version;
}
