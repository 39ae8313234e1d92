// Runs one step of a job folder in this process: train-job.ts STEP BODY.json. Prints its result as JSON.
import { readFileSync } from "node:fs";
import type { Json } from "../../../src/core/index.ts";
import { JOB_HANDLERS } from "../../../src/job/handlers.ts";

const [step, body] = process.argv.slice(2) as [keyof typeof JOB_HANDLERS, string];
const epochs: (Json | undefined)[] = [];
const control = {
  signal: new AbortController().signal,
  progress: (message: Readonly<Record<string, Json>>) => void epochs.push(message["epoch"]),
};
const result = await JOB_HANDLERS[step]?.(JSON.parse(readFileSync(body, "utf8")), control);
console.log(JSON.stringify({ result, epochs }));
process.exit(0);
