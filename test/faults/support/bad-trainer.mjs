// A training process whose `train` (or the output of `evaluate`) misbehaves in the way RETRAIN_TEST_MISBEHAVIOR names; every
// other step is the product's own. The file named there is read at each job, so one process can behave again.
import { readFileSync } from "node:fs";

const from = (path) => import(new URL(`../../../dist/src/${path}`, import.meta.url).href);
const { fail } = await from("core/index.js");
const { serveJobs } = await from("core/job-child.js");
const { JOB_HANDLERS } = await from("job/handlers.js");

const misbehaviors = {
  crash() {
    process.stderr.write("Segmentation fault in the imagined kernel\n");
    process.kill(process.pid, "SIGSEGV");
  },
  exit() {
    process.stderr.write("giving up: no license\n");
    process.exit(3);
  },
  hang() {
    for (;;);
  },
  async memory() {
    const kept = [];
    for (;;) {
      kept.push(new Float64Array(4_000_000).fill(kept.length));
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  },
  garbage() {
    process.stdout.write(`${"\u0000\u0007{not json]".repeat(1_000)}\n`);
    process.stderr.write("\u001b[2J garbage \ud800\n");
    throw new Error("garbage was printed");
  },
  async nan(input, control) {
    await JOB_HANDLERS.train(input, control);
    throw fail("TRAINER_DIVERGED", { message: "The loss became NaN at epoch 3.", remedy: "Lower the learning rate." });
  },
};

serveJobs({
  ...JOB_HANDLERS,
  train(input, control) {
    const misbehavior = misbehaviors[readFileSync(process.env.RETRAIN_TEST_MISBEHAVIOR, "utf8").trim()];
    return misbehavior === undefined
      ? JOB_HANDLERS.train(input, control)
      : Promise.resolve(misbehavior(input, control));
  },
});
