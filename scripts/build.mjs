// Builds what is older than its sources into dist/: server, kernels, console, and the template of the embedded store.
//
// Freshness is a hash over the sources' paths and bytes, kept in dist/.stamps/. Modification times would miss a deleted
// file and rebuild everything after each clone. Output is made beside its place and moved there at the end, so that a
// build which fails, or is killed, leaves the previous one working.
import { createHash } from "node:crypto";
import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ensureDependencies, ROOT, runNode } from "./dependencies.mjs";

const bin = (...path) => join(ROOT, "node_modules", ...path);

/**
 * @typedef {{ name: string, when: string, sources: string[], output: string, onDemand?: boolean,
 *   make: (to: string) => number }} Target
 */

/** In order: a later target may run what an earlier one made. @type {Target[]} */
const TARGETS = [
  {
    name: "server",
    when: "src",
    sources: ["src", "scripts/bundle.mjs", "tsconfig.base.json", "tsconfig.build.json", "package-lock.json"],
    output: "src",
    // Types are CI's and the editor's business: a start should not wait for them.
    make: (to) =>
      runNode([bin("typescript", "bin", "tsc"), "-p", "tsconfig.build.json", "--noCheck", "--outDir", to]) ||
      runNode(["scripts/bundle.mjs", to]),
  },
  {
    name: "kernels",
    when: "kernels",
    sources: ["kernels", "package-lock.json"],
    output: "kernels",
    make: buildKernels,
  },
  {
    name: "console",
    when: "console",
    sources: ["console", "src/server/contract.ts", "package-lock.json"],
    output: "console",
    make: (to) =>
      runNode([bin("vite", "bin", "vite.js"), "build", "--outDir", join(to, "console"), "--emptyOutDir"], {
        cwd: join(ROOT, "console"),
        // A build started by a test runner would otherwise be one for development, and count as fresh afterwards.
        env: { ...process.env, NODE_ENV: "production" },
      }),
  },
  {
    name: "template of the embedded store",
    when: "scripts/build-template.mjs",
    sources: ["scripts/build-template.mjs", "src/storage/migrations", "src/engine", "package-lock.json"],
    output: "template",
    make: (to) => runNode(["scripts/build-template.mjs", join(to, "template")]),
  },
  {
    name: "benchmarks",
    when: "bench/harness.ts",
    sources: ["bench", "src", "tsconfig.base.json", "tsconfig.build.json", "tsconfig.bench.json", "package-lock.json"],
    output: "bench",
    onDemand: true,
    // Compiles the sources along; only bench/ is kept, so that benchmarks import the server that was built.
    make: (to) => runNode([bin("typescript", "bin", "tsc"), "-p", "tsconfig.bench.json", "--noCheck", "--outDir", to]),
  },
];

/** Kernels that threads share: built a second time, for a memory that is handed to them. */
const SHARED_KERNELS = ["gbdt.ts"];
const SHARED_MEMORY = ["--importMemory", "--sharedMemory", "--enable", "threads", "--maximumMemory", "65536"];

/** Each file directly in kernels/ is one WebAssembly module. */
function buildKernels(to) {
  mkdirSync(join(to, "kernels"), { recursive: true });
  for (const file of readdirSync(join(ROOT, "kernels")).filter((name) => name.endsWith(".ts"))) {
    for (const isShared of SHARED_KERNELS.includes(file) ? [false, true] : [false]) {
      const wasm = join(to, "kernels", file.replace(/\.ts$/, isShared ? "-shared.wasm" : ".wasm"));
      const options = ["-O3", "--runtime", "stub", "--noAssert", "--enable", "simd", "-o", wasm];
      const more = isShared ? SHARED_MEMORY : [];
      const status = runNode([bin("assemblyscript", "bin", "asc.js"), join("kernels", file), ...options, ...more]);
      if (status !== 0) return status;
    }
  }
  return 0;
}

function filesBelow(path) {
  const full = join(ROOT, path);
  if (!existsSync(full)) return [];
  const entries = readdirSync(full, { withFileTypes: true, recursive: true });
  return entries.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath ?? entry.path, entry.name));
}

/** The hash of everything `paths` name, files and folders alike. */
function hashOf(paths) {
  const hash = createHash("sha256");
  for (const path of paths) {
    const full = join(ROOT, path);
    const isFile = existsSync(full) && !readdirOrUndefined(full);
    for (const file of isFile ? [full] : filesBelow(path).sort()) {
      if (file.includes("node_modules")) continue;
      hash
        .update(`${file.slice(ROOT.length)}\n`)
        .update(readFileSync(file))
        .update("\n");
    }
  }
  return hash.digest("hex");
}

function readdirOrUndefined(path) {
  try {
    return readdirSync(path);
  } catch {
    return undefined;
  }
}

/** Puts `fresh` where `output` stands. Two builds may do so at once: whoever comes between makes the other try again. */
function replaceFolder(fresh, output) {
  for (let attempt = 1; ; attempt += 1) {
    const previous = `${fresh}-previous-${attempt}`;
    try {
      if (existsSync(output)) renameSync(output, previous);
      renameSync(fresh, output);
      return;
    } catch (error) {
      if (attempt === 5 || !["ENOENT", "ENOTEMPTY", "EEXIST"].includes(error.code)) throw error;
    }
  }
}

/** @param {Target} target */
function buildOne(target) {
  const dist = join(ROOT, "dist");
  const stamp = join(dist, ".stamps", target.output);
  const output = join(dist, target.output);
  const hash = hashOf(target.sources);
  if (existsSync(output) && existsSync(stamp) && readFileSync(stamp, "utf8") === hash) return false;
  console.error(`Building the ${target.name} ...`);
  const fresh = join(dist, `.next-${target.output}-${process.pid}`);
  rmSync(fresh, { recursive: true, force: true });
  mkdirSync(fresh, { recursive: true });
  mkdirSync(join(dist, ".stamps"), { recursive: true });
  try {
    const status = target.make(fresh);
    if (status !== 0)
      throw new Error(`Building the ${target.name} ended with status ${status}; its lines above say why.`);
    const made = join(fresh, target.output);
    if (!existsSync(made)) throw new Error(`Building the ${target.name} left nothing in ${made}.`);
    replaceFolder(made, output);
    writeFileSync(stamp, hash);
  } finally {
    rmSync(fresh, { recursive: true, force: true });
  }
  return true;
}

/** Builds every target whose sources changed, or those of `names` alone; returns the names of those built. */
export function ensureBuilt(names = TARGETS.filter((target) => !target.onDemand).map((target) => target.name)) {
  return TARGETS.filter((target) => names.includes(target.name) && existsSync(join(ROOT, target.when)))
    .filter((target) => buildOne(target))
    .map((target) => target.name);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  ensureDependencies();
  const built = ensureBuilt();
  console.error(built.length === 0 ? "Everything is fresh." : `Built: ${built.join(", ")}.`);
}
