/** kill -9 in the middle of a training: the next attempt goes on from the checkpoint and ends in the identical model. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { JsonObject } from "../../src/core/index.ts";
import { prepare } from "../../src/job/prepare.ts";
import { customers, customerSchema, customerSpec, writeDatasetFile } from "../job/support/dataset.ts";
import { programFile } from "./support/programs.ts";

const script = programFile("train-job");
let root: string;
beforeAll(async () => {
  root = await mkdtemp(join(tmpdir(), "retrain-checkpoint-"));
});
afterAll(() => rm(root, { recursive: true, force: true }));

type Body = JsonObject & { readonly folder: string };
interface Trained {
  readonly result: JsonObject;
  readonly epochs: readonly number[];
}

async function runTrain(body: Body, stopAt?: string): Promise<Trained | "killed"> {
  const file = `${body.folder}.json`;
  await writeFile(file, JSON.stringify(body));
  const env = { ...process.env, ...(stopAt === undefined ? {} : { RETRAIN_STOP_AT: stopAt }) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [script, "train", file], { env }, (error, stdout, stderr) => {
      if (error?.signal === "SIGKILL") resolve("killed");
      else if (error) reject(new Error(`${error.message}\n${stderr.slice(-2000)}`));
      else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as Trained);
    });
  });
}

async function preparedFolder(trainer: string): Promise<Body> {
  const folder = await mkdtemp(join(root, `${trainer}-`));
  const schema = customerSchema();
  await writeDatasetFile(folder, schema, customers(600));
  const spec = customerSpec(schema, { trainer: { name: trainer, params: { epochs: 6, patience: 6 } } });
  const body = {
    folder,
    spec: spec as unknown as JsonObject,
    seed: 7,
    strategy: "full",
    asOf: 1e12,
    checkpointEveryMs: 0,
  };
  await prepare(body, { signal: new AbortController().signal, progress: () => {} });
  return body;
}

describe.each(["linear", "mlp", "gbdt"])("a training by %s killed after a checkpoint", (trainer) => {
  it("goes on where it was and gives the identical model and trace", async () => {
    const body = await preparedFolder(trainer);
    const other = `${body.folder}-whole`;
    await cp(body.folder, other, { recursive: true });
    const whole = (await runTrain({ ...body, folder: other })) as Trained;

    expect(await runTrain(body, "train.checkpointed")).toBe("killed");
    const resumed = (await runTrain(body)) as Trained;

    expect(resumed.result).toEqual(whole.result);
    expect(whole.epochs).toEqual([1, 2, 3, 4, 5, 6]);
    expect(resumed.epochs).toEqual([2, 3, 4, 5, 6]);
    for (const name of ["model.json", "model.bin", "trace.ndjson"]) {
      const [left, right] = await Promise.all(
        [other, body.folder].map((folder) => readFile(join(folder, "out", name))),
      );
      expect(left?.equals(right as Buffer)).toBe(true);
    }
    await expect(stat(join(body.folder, "checkpoint"))).rejects.toMatchObject({ code: "ENOENT" });
  });

  it("starts anew when the request has changed since, or the checkpoint is damaged", async () => {
    const body = await preparedFolder(trainer);
    expect(await runTrain(body, "train.checkpointed")).toBe("killed");
    const changed = (await runTrain({ ...body, seed: 8 }, "never")) as Trained;
    expect(changed.epochs[0]).toBe(1);

    const damaged = await preparedFolder(trainer);
    expect(await runTrain(damaged, "train.checkpointed")).toBe("killed");
    await writeFile(join(damaged.folder, "checkpoint", "state.bin"), "not a state");
    expect(((await runTrain(damaged)) as Trained).epochs[0]).toBe(1);
  });
});
