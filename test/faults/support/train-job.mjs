// Runs one step of a job folder in this process: train-job.mjs STEP BODY.json. Prints its result as JSON.
import { readFileSync } from "node:fs";

const [step, body] = process.argv.slice(2);
const { JOB_HANDLERS } = await import(new URL("../../../dist/src/job/handlers.js", import.meta.url).href);
const epochs = [];
const control = { signal: new AbortController().signal, progress: (message) => epochs.push(message.epoch) };
const result = await JOB_HANDLERS[step](JSON.parse(readFileSync(body, "utf8")), control);
console.log(JSON.stringify({ result, epochs }));
process.exit(0);
