/** Makes the version: artifact, dataset and evaluation into the object store, then one numbered record. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type EvaluationReport, type GateResult, stopPoint } from "../../core/index.ts";
import { rememberHeld } from "../held.ts";
import { requireVersion } from "../promote.ts";
import { type RunStep, type StepInput, type StepResult, textOf } from "../run-record.ts";
import { usedSpec, usedStrategy } from "./job.ts";

export const register: RunStep = {
  name: "register",
  async run(input) {
    if (input.run.regate !== undefined) return recordSecondLook(input, input.run.regate.version);
    const { context, run, folder, results, attempt } = input;
    const evaluated = results.evaluate ?? {};
    const artifact = textOf(evaluated, "artifactHash");
    const report = evaluated.report as unknown as EvaluationReport;
    const gate = (results.gate ?? {}).gate as unknown as GateResult;
    const datasetHash = textOf(results.snapshot, "hash");
    const dataset = `datasets/${datasetHash}.parquet`;
    const putDataset = async () => {
      if (await context.objects.exists(dataset)) return;
      await context.objects.put(dataset, await readFile(join(folder, "dataset.parquet")));
    };
    // The disk is waited for once, not three times over. All have ended, whichever failed, before the step is tried again.
    const stored = await Promise.allSettled([
      context.objects.putFolder(`artifacts/${artifact}`, join(folder, "artifact")),
      putDataset(),
      context.objects.put(`runs/${run.id}/evaluation.json`, Buffer.from(JSON.stringify(report))),
    ]);
    for (const one of stored) if (one.status === "rejected") throw one.reason;
    stopPoint("register.stored");
    const version = await context.store.registry.register(
      {
        model: run.model,
        runId: run.id,
        createdAt: context.worldClock.now(),
        artifact,
        definitionRevision: run.definitionRevision,
        trainer: usedSpec(input).trainer.name,
        strategy: usedStrategy(input),
        datasetHash,
        datasetRows: Number(results.snapshot?.rows),
        trainedThrough: run.asOf,
        gate,
        metrics: report.candidate,
      },
      attempt,
    );
    stopPoint("register.numbered");
    if (gate.outcome === "reject") await context.store.registry.setState(run.model, version.name, "rejected");
    await context.store.runs.update(run.id, attempt, { version: version.name });
    const immatureRows = Number(results.prepare?.immatureRows ?? 0);
    await rememberHeld(context, run, { version: version.name, gate, report, immatureRows });
    context.emit("version.registered", run.model, { version: version.name, runId: run.id, gate: gate.outcome });
    return {
      input: `artifact ${artifact.slice(0, 12)}`,
      output: version.name,
      data: { version: version.name, artifact },
    };
  },
};

/** A held version keeps its name and artifact; what it is judged by is replaced by the newer judgement. */
async function recordSecondLook(input: StepInput, name: string): Promise<StepResult> {
  const { context, run, results, attempt } = input;
  const report = results.evaluate?.report as unknown as EvaluationReport;
  const gate = results.gate?.gate as unknown as GateResult;
  const { artifact } = await requireVersion(context, run.model, name);
  await context.objects.put(`runs/${run.id}/evaluation.json`, Buffer.from(JSON.stringify(report)));
  await context.store.registry.setGate(run.model, name, gate, { id: run.id, attempt });
  if (gate.outcome === "reject") await context.store.registry.setState(run.model, name, "rejected");
  await context.store.runs.update(run.id, attempt, { version: name });
  const immatureRows = Number(results.evaluate?.immatureRows ?? 0);
  await rememberHeld(context, run, { version: name, gate, report, immatureRows });
  return {
    input: `${name}, held before`,
    output: `${name}: ${gate.outcome}`,
    data: { version: name, artifact },
  };
}
