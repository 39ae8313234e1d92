/** `retrain runs`: listing them, and one in full with its training as a table and a curve. */
import type { RunRecord, TracePoint } from "../../server/contract.ts";
import { candidatesText } from "../candidates.ts";
import { holdoutHalvesText } from "../holdout-halves.ts";
import { colors, curve, formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface ListOptions extends RemoteOptions {
  readonly state?: string;
  readonly limit: number;
}

/** Rows of the epoch table; a longer training shows every n-th epoch, and the last. */
const SHOWN_EPOCHS = 30;

export async function list(model: string | undefined, options: ListOptions): Promise<void> {
  const { state, limit } = options;
  const page = await connect(options).runs(model, { limit, ...(state === undefined ? {} : { state }) });
  printData(options, page, () => {
    if (page.items.length === 0) return "There is no run yet.";
    const rows = page.items.map((run) => [
      run.id,
      run.model,
      formatInstant(run.queuedAt),
      run.state,
      run.version ?? "–",
      run.cause.trigger,
      run.gate?.reason ?? run.error?.message ?? "",
    ]);
    return table(["id", "model", "queued", "state", "version", "trigger", "outcome"], rows);
  });
}

export async function show(id: string, options: RemoteOptions): Promise<void> {
  const client = connect(options);
  const run = await client.run(id);
  const { points } = await client.trace(run.id);
  // The report is kept with the version: it can be read once that is registered.
  const isEvaluated = run.steps.some(({ step, state }) => step === "register" && state === "done");
  const evaluation = isEvaluated ? await client.evaluation(run.id) : null;
  printData(options, { run, trace: points, evaluation }, () => {
    const names = { candidate: run.version ?? "candidate", champion: evaluation?.championVersion };
    const halves = evaluation === null ? undefined : holdoutHalvesText(evaluation, names);
    return [runText(run, points), ...(halves === undefined ? [] : ["", "The held-out rows in time.", halves])].join(
      "\n",
    );
  });
}

export async function cancel(id: string, options: RemoteOptions): Promise<void> {
  const run = await connect(options).cancelRun(id);
  printData(options, run, () => `Run ${run.id} is ${run.state}.`);
}

export function runText(run: RunRecord, points: readonly TracePoint[]): string {
  const steps = run.steps.map((one) => [
    one.step,
    one.state,
    one.durationMs === undefined ? null : Math.round(one.durationMs),
    one.input ?? "",
    one.output ?? "",
  ]);
  const lines = [
    colors.bold(`Run ${run.id} of ${run.model}: ${run.state}${run.version === undefined ? "" : `, ${run.version}`}`),
    `Trigger ${run.cause.trigger}: ${run.cause.reason}`,
    "",
    table(["step", "state", "ms", "input", "output"], steps),
  ];
  const candidates = candidatesText(run);
  if (candidates !== undefined) lines.push("", candidates);
  if (run.gate !== undefined) {
    const checks = run.gate.checks.map(({ gate, outcome, reason }) => [gate, outcome, reason]);
    lines.push("", `Gate: ${run.gate.outcome}. ${run.gate.reason}`, table(["gate", "outcome", "reason"], checks));
  }
  if (run.error !== undefined) lines.push("", `${run.error.code}: ${run.error.message}`, run.error.remedy);
  if (points.length > 0) lines.push("", traceText(points));
  return lines.join("\n");
}

/** The training as a table of epochs and a curve of both losses. */
export function traceText(points: readonly TracePoint[]): string {
  const names = [...new Set(points.flatMap(({ metrics }) => Object.keys(metrics)))];
  const every = Math.max(1, Math.ceil(points.length / SHOWN_EPOCHS));
  const shown = points.filter((_, i) => i % every === 0 || i === points.length - 1);
  const rows = shown.map(({ epoch, metrics, elapsedMs }) => [
    epoch,
    ...names.map((name) => metrics[name]?.toFixed(4) ?? null),
    Math.round(elapsedMs),
  ]);
  const series = [
    { name: "trainLoss", mark: "·" },
    { name: "validationLoss", mark: "●" },
  ].filter(({ name }) => names.includes(name));
  const drawn = series.map(({ name, mark }) => ({
    name,
    mark,
    values: points.map(({ metrics }) => metrics[name] ?? null),
  }));
  return `${table(["epoch", ...names, "ms"], rows)}\n\n${curve(drawn)}`;
}
