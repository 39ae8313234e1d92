// Completes package-lock.json with the optional platform packages npm left out.
//
// npm writes a lockfile entry only for platform packages that the registry at hand serves, yet `npm ci` on another
// machine demands all that a parent lists under `optionalDependencies`, and then refuses npm's own file. Everything an
// entry needs is known without a registry: the version stands in the parent, the platform in the package's name. An
// entry written here carries no integrity hash, because none can be known; npm records one where it can fetch it.
//
// Run after every change of dependencies: `npm run fill-lock`.
import { readFileSync, writeFileSync } from "node:fs";
import { fileURLToPath, pathToFileURL } from "node:url";

const OPERATING_SYSTEMS = new Set([
  "aix",
  "android",
  "darwin",
  "freebsd",
  "linux",
  "netbsd",
  "openbsd",
  "openharmony",
  "sunos",
  "win32",
]);

/** How package names spell a processor, and how npm's `cpu` field does. */
const PROCESSORS = new Map([
  ["arm", "arm"],
  ["armv7", "arm"],
  ["arm64", "arm64"],
  ["ia32", "ia32"],
  ["loong64", "loong64"],
  ["mips64el", "mips64el"],
  ["ppc64", "ppc64"],
  ["ppc64le", "ppc64"],
  ["riscv64", "riscv64"],
  ["s390x", "s390x"],
  ["wasm32", "wasm32"],
  ["x64", "x64"],
]);

/** Platform packages whose name does not say so. */
const NAMED_OTHERWISE = new Map([["fsevents", { os: ["darwin"] }]]);

/**
 * The `os`, `cpu` and `libc` fields a platform package's name stands for; undefined for any other package.
 *
 * @param {string} name
 * @param {ReadonlySet<string>} siblings names of all packages the parent offers; a plain `linux-x64` beside a
 *   `linux-x64-musl` means glibc
 * @returns {{ os?: string[], cpu?: string[], libc?: string[] } | undefined}
 */
export function platformOf(name, siblings = new Set()) {
  const known = NAMED_OTHERWISE.get(name);
  if (known) return known;
  const words = name.split(/[/@_-]/);
  const os = words.find((word) => OPERATING_SYSTEMS.has(word));
  const processor = words.find((word) => PROCESSORS.has(word));
  if (processor === undefined) return undefined;
  const cpu = [PROCESSORS.get(processor) ?? processor];
  if (os === undefined) return processor === "wasm32" ? { cpu } : undefined;
  if (os !== "linux") return { os: [os], cpu };
  const last = words.at(-1) ?? "";
  if (last.startsWith("musl")) return { os: [os], cpu, libc: ["musl"] };
  const isGlibc = last === "gnu" || siblings.has(`${name}-musl`);
  return isGlibc ? { os: [os], cpu, libc: ["glibc"] } : { os: [os], cpu };
}

/** Where Node would find `name` when `from` imports it, as a key of the lockfile; undefined when nothing is recorded. */
function resolve(packages, from, name) {
  for (let folder = from; ; ) {
    const key = `${folder === "" ? "" : `${folder}/`}node_modules/${name}`;
    if (packages[key]) return key;
    if (folder === "") return undefined;
    const cut = folder.lastIndexOf("node_modules/");
    folder = folder.slice(0, Math.max(0, cut - 1));
  }
}

/**
 * Entries that parents ask for and the lockfile lacks.
 *
 * @param {{ packages: Record<string, any> }} lock
 * @returns {{ key: string, parent: string, entry: Record<string, unknown> }[]}
 */
export function missingEntries(lock) {
  const missing = [];
  for (const [parent, record] of Object.entries(lock.packages)) {
    const offered = record.optionalDependencies ?? {};
    const siblings = new Set(Object.keys(offered));
    for (const [name, version] of Object.entries(offered)) {
      const platform = platformOf(name, siblings);
      if (!platform || resolve(lock.packages, parent, name)) continue;
      if (!/^\d/.test(version)) {
        throw new Error(
          `${parent} asks for "${name}" as "${version}". A range does not say which version to record. ` +
            "Install on a machine whose registry serves the package, and commit its lockfile entry.",
        );
      }
      const scope = { ...(record.dev ? { dev: true } : {}), ...(record.devOptional ? { devOptional: true } : {}) };
      const { os, cpu, libc } = platform;
      const entry = {
        version,
        ...(cpu ? { cpu } : {}),
        ...scope,
        ...(libc ? { libc } : {}),
        optional: true,
        ...(os ? { os } : {}),
      };
      missing.push({ key: `node_modules/${name}`, parent, entry });
    }
  }
  return missing;
}

/**
 * The lockfile with every missing platform entry added, in npm's order of keys.
 *
 * @param {{ packages: Record<string, any> }} lock
 */
export function fillLock(lock) {
  const added = missingEntries(lock);
  const packages = { ...lock.packages, ...Object.fromEntries(added.map(({ key, entry }) => [key, entry])) };
  const sorted = Object.fromEntries(Object.entries(packages).sort(([a], [b]) => a.localeCompare(b, "en")));
  return { lock: { ...lock, packages: sorted }, added };
}

function main() {
  const path = fileURLToPath(new URL("../package-lock.json", import.meta.url));
  const { lock, added } = fillLock(JSON.parse(readFileSync(path, "utf8")));
  if (added.length > 0) writeFileSync(path, `${JSON.stringify(lock, null, 2)}\n`);
  console.log(`package-lock.json: ${added.length} platform entries added`);
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) main();
