/** A server that is about to be killed: prints the ids of its children, one busy, one idle. */
import process from "node:process";
import { silentLogger, systemClock } from "../../../src/core/index.ts";
import { createJobPool } from "../../../src/engine/index.ts";

const pool = createJobPool({ entry: process.argv[2] as string, size: 2, systemClock, logger: silentLogger });
await pool.warm();
void pool.run(
  { type: "grandchild", affinity: "busy", input: {} },
  { onProgress: ({ pid, grandchild }) => console.log(JSON.stringify([pid, grandchild])) },
);
const { pid } = await pool.run({ type: "echo", affinity: "idle", input: {} });
console.log(JSON.stringify([pid]));
