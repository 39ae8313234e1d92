// `npm test`: everything a fresh clone needs, then the unit tests. Arguments are passed on to vitest.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { ensureBuilt } from "./build.mjs";
import { ensureDependencies, ROOT } from "./dependencies.mjs";

ensureDependencies();
ensureBuilt();

const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
const child = spawn(process.execPath, [vitest, "run", ...process.argv.slice(2)], { cwd: ROOT, stdio: "inherit" });
child.on("exit", (code, signal) => {
  process.exitCode = signal ? 1 : (code ?? 1);
});
