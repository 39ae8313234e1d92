// Makes the Python environment of test:python, once, and runs its tests; arguments are passed on to vitest. Where there is no
// Python or no package index, the tests that need them are skipped and say so. PyTorch is large: it is tested where it is
// installed already (RETRAIN_PYTHON=/path/to/python), or with RETRAIN_PYTHON_TORCH=1.
import { execFileSync, spawnSync } from "node:child_process";
import { existsSync, mkdirSync } from "node:fs";
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT, runNode } from "./dependencies.mjs";

const FOLDER = join(ROOT, ".retrain", "python");
const PACKAGES = ["numpy", "pandas", "pyarrow", "scikit-learn", "scipy", "skl2onnx", "onnx", "onnxmltools"];
/** Without what they pull in: a GPU library ten times their size that nothing here calls. */
const BARE = ["xgboost", "lightgbm"];

/** The interpreter with what could be installed, or undefined with the reason printed. */
export function ensurePython() {
  if (process.env.RETRAIN_PYTHON) return process.env.RETRAIN_PYTHON;
  const python = join(FOLDER, "bin", "python");
  if (existsSync(join(FOLDER, "complete"))) return python;
  try {
    mkdirSync(FOLDER, { recursive: true });
    execFileSync("python3", ["-m", "venv", FOLDER], { stdio: "inherit" });
    const install = (...packages) =>
      execFileSync(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages], {
        stdio: "inherit",
        timeout: 600_000,
      });
    install(...PACKAGES);
    install("--no-deps", ...BARE);
    if (process.env.RETRAIN_PYTHON_TORCH) install("torch");
    execFileSync(python, ["-c", "open(__import__('sys').argv[1], 'w')", join(FOLDER, "complete")]);
    return python;
  } catch (error) {
    console.error(`No Python environment: ${error instanceof Error ? error.message : String(error)}`);
    return existsSync(python) && spawnSync(python, ["-c", "import pyarrow"]).status === 0 ? python : undefined;
  }
}

if (process.argv[1] && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const python = ensurePython();
  if (python !== undefined) process.env.RETRAIN_PYTHON = python;
  const vitest = join(ROOT, "node_modules", "vitest", "vitest.mjs");
  process.exitCode = runNode([vitest, "run", "--config", "vitest.python.config.ts", ...process.argv.slice(2)]);
}
