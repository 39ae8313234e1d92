// An external trainer for tests. What it does is told in job.json's `params`; it looks at its files as a real one would.
import { copyFileSync, existsSync, mkdirSync, readFileSync, writeFileSync, appendFileSync } from "node:fs";
import { join } from "node:path";

const folder = process.argv.at(-1);
const job = JSON.parse(readFileSync(join(folder, "job.json"), "utf8"));
const { how, model } = job.params;
const out = (name) => join(folder, "out", name);
for (const name of Object.values(job.files)) if (!existsSync(join(folder, name))) throw new Error(`no ${name}`);
for (let epoch = 1; epoch <= 3; epoch++) {
  appendFileSync(
    out("trace.ndjson"),
    `${JSON.stringify({ epoch, metrics: { validationLoss: 1 / epoch }, share: epoch / 3 })}\n`,
  );
}
appendFileSync(out("trace.ndjson"), "this line is no trace point\n");
if (how === "fail") {
  console.error("Traceback: the matrix is singular");
  process.exit(3);
}
if (how === "hang") setInterval(() => {}, 1000);
else if (how === "environment") {
  console.error(
    `GRANTED=${process.env.RETRAIN_TEST_GRANTED} SECRET=${process.env.RETRAIN_TEST_SECRET} JOB=${process.env.RETRAIN_JOB === folder}`,
  );
  process.exit(4);
} else if (how === "files") {
  console.error(
    JSON.stringify({ job, train: readFileSync(join(folder, job.files.train), "utf8").split("\n").slice(0, 3) }),
  );
  process.exit(5);
} else if (how === "predictions") {
  // A constant for every row: the share of positives among the labels of the training rows.
  const labels = readFileSync(join(folder, job.files.train), "utf8")
    .trim()
    .split("\n")
    .slice(1)
    .map((line) => Number(line.split(",").at(-1)));
  const share = labels.reduce((sum, one) => sum + one, 0) / labels.length;
  for (const part of ["validation", "holdout"]) {
    writeFileSync(
      out(`${part}-predictions.csv`),
      `p\n${`${share}\n`.repeat(job.rows[part] - (job.params.short ?? 0))}`,
    );
  }
} else if (how === "garbage") writeFileSync(out("model.onnx"), "this is no model");
else if (how === "model") {
  copyFileSync(model, out("model.onnx"));
  mkdirSync(out("state"));
  const before = join(folder, "base", "state", "rounds.txt");
  writeFileSync(
    join(folder, "out", "state", "rounds.txt"),
    String((existsSync(before) ? Number(readFileSync(before, "utf8")) : 0) + 1),
  );
}
