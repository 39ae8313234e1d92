// Makes the Python environment of the benchmarks' peers: `node bench/peers.mjs`. Needs python3 with venv and a package
// index; nothing but benchmarks uses it.
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const folder = fileURLToPath(new URL("../.retrain/bench-peers", import.meta.url));
execFileSync("python3", ["-m", "venv", folder], { stdio: "inherit" });
const peers = [
  "xgboost==3.2.0",
  "lightgbm==4.7.0",
  "scikit-learn==1.9.1",
  "river==0.26.1",
  "implicit==0.7.3",
  "evidently==0.7.23",
  "pandas==2.2.3",
  "pyarrow==26.0.1",
];
execFileSync(join(folder, "bin", "pip"), ["install", ...peers], { stdio: "inherit" });
console.log(`The peers are in ${folder}.`);
