// Brings node_modules up to the lockfile, with nothing but Node's own modules.
//
// npm skips `pre` and `post` scripts under `ignore-scripts=true`, so `npm start` and `npm test` do this themselves.
import { spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readFileSync, realpathSync, writeFileSync } from "node:fs";
import { basename, delimiter, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

export const ROOT = fileURLToPath(new URL("..", import.meta.url));

/** Runs Node on a script; the child's stdout goes to stderr, so that a caller's stdout carries the caller's data only. */
export function runNode(args, { cwd = ROOT, env = process.env } = {}) {
  const child = spawnSync(process.execPath, args, { cwd, env, stdio: ["ignore", 2, 2] });
  if (child.error) throw child.error;
  return child.status ?? 1;
}

/** What an install depends on: the lockfile, and the ABI that prebuilt binaries are chosen by. */
function installHash(root) {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .update(`\nabi ${process.versions.modules} ${process.platform} ${process.arch}`)
    .digest("hex");
}

/**
 * npm sets `npm_execpath` for its scripts; a bare `node scripts/test.mjs` looks beside Node and along PATH.
 *
 * @param {Record<string, string | undefined>} [env]
 */
export function findNpm(env = process.env) {
  const besideNode = dirname(process.execPath);
  const onPath = (env.PATH ?? "").split(delimiter).flatMap((folder) => (folder ? [join(folder, "npm")] : []));
  const candidates = [
    env.npm_execpath,
    join(besideNode, "..", "lib", "node_modules", "npm", "bin", "npm-cli.js"),
    join(besideNode, "node_modules", "npm", "bin", "npm-cli.js"),
    ...onPath,
  ];
  for (const candidate of candidates) {
    if (!candidate || !existsSync(candidate)) continue;
    const path = realpathSync(candidate);
    // `npm_execpath` may name another package manager, and PATH a shell wrapper: Node can run neither as npm.
    if (/^npm(-cli)?\.[cm]?js$/.test(basename(path))) return path;
  }
  throw new Error(
    "npm was not found beside Node, on PATH or in npm_execpath. The dependencies in package-lock.json need it. " +
      "Install npm, or run `npm ci --include=dev` by its full path in this folder.",
  );
}

/** Runs `npm ci` when node_modules does not hold what the lockfile says; returns whether it did. */
export function ensureDependencies(root = ROOT) {
  const stamp = join(root, "node_modules", ".retrain-stamp");
  const hash = installHash(root);
  if (existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return false;
  console.error("Installing dependencies (npm ci) ...");
  const status = runNode([findNpm(), "ci", "--include=dev", "--no-audit", "--no-fund"], { cwd: root });
  if (status !== 0) {
    throw new Error(`npm ci ended with status ${status}; its lines above say why. Nothing was started.`);
  }
  writeFileSync(stamp, hash);
  return true;
}
