// A Python with Triton's HTTP client, for the test that asks our inference routes with a client nobody of us wrote.
// Prints the path of the interpreter, or exits 1 with the reason where Python or the package cannot be had.
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { ROOT } from "./dependencies.mjs";

/** Pinned: the test is about our server, not about next year's client. */
const PACKAGE = "tritonclient[http]==2.73.0";
const folder = join(ROOT, "node_modules", ".cache", "triton-client");
const python = join(folder, process.platform === "win32" ? "Scripts/python.exe" : "bin/python");
const works = () => existsSync(python) && spawnSync(python, ["-c", "import tritonclient.http"]).status === 0;

function run(command, args) {
  const { status, stderr, error } = spawnSync(command, args, { encoding: "utf8", timeout: 240_000 });
  if (status === 0) return;
  const said = (stderr ?? "").trim().split("\n").at(-1);
  process.stderr.write(`${command} ${args[0]}: ${error?.message ?? said ?? `status ${status}`}\n`);
  process.exit(1);
}

if (!works()) {
  run("python3", ["-m", "venv", folder]);
  run(python, ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", PACKAGE]);
}
process.stdout.write(python);
