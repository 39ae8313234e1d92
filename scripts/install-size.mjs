// Installs what a user gets, without dev dependencies, into a scratch folder, and holds it against the limits.
import { cpSync, lstatSync, mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { findNpm, ROOT, runNode } from "./dependencies.mjs";

/** A tool that starts by one command must not take longer to arrive than to try. */
const LIMIT_MEGABYTES = 180;
const LIMIT_PACKAGES = 150;

/** Bytes on disk below `folder`, in blocks, so that the figures equal those of `du -sm`. */
function diskBytes(folder) {
  return readdirSync(folder, { withFileTypes: true, recursive: true }).reduce((sum, entry) => {
    return sum + lstatSync(join(entry.parentPath ?? entry.path, entry.name)).blocks * 512;
  }, 0);
}

function countPackages(folder) {
  const names = readdirSync(folder, { withFileTypes: true }).filter((entry) => !entry.name.startsWith("."));
  return names.reduce((sum, { name }) => {
    if (name.startsWith("@")) return sum + countPackages(join(folder, name));
    const nested = join(folder, name, "node_modules");
    const inside = readdirSync(join(folder, name)).includes("node_modules") ? countPackages(nested) : 0;
    return sum + 1 + inside;
  }, 0);
}

const scratch = mkdtempSync(join(tmpdir(), "retrain-install-"));
try {
  for (const file of ["package.json", "package-lock.json", ".npmrc"]) cpSync(join(ROOT, file), join(scratch, file));
  const status = runNode([findNpm(), "ci", "--omit=dev", "--no-audit", "--no-fund", "--loglevel=error"], {
    cwd: scratch,
  });
  if (status !== 0) throw new Error(`npm ci --omit=dev ended with status ${status}`);
  const modules = join(scratch, "node_modules");
  const own = readdirSync(ROOT).includes("dist") ? diskBytes(join(ROOT, "dist")) : 0;
  const megabytes = Math.round((diskBytes(modules) + own) / 2 ** 20);
  const packages = countPackages(modules);
  console.log(
    `Installed without dev dependencies: ${megabytes} MB (${Math.round(own / 2 ** 20)} of them our own), ${packages} packages.`,
  );
  console.log(`Limits: ${LIMIT_MEGABYTES} MB, ${LIMIT_PACKAGES} packages.`);
  if (megabytes > LIMIT_MEGABYTES || packages > LIMIT_PACKAGES) process.exitCode = 1;
} finally {
  rmSync(scratch, { recursive: true, force: true });
}
