/** The status table: the latest cycle, one line a step, and how model, data and performance changed over it. */
import {
  type Instant,
  metricWord,
  plural,
  RUN_STEPS,
  type RunRecord,
  type RunStepName,
  type RunStepRecord,
  type VersionRecord,
} from "../core/index.ts";
import type { ModelSpec } from "../config/spec.ts";
import { nextScheduledAt } from "../trigger/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";
import type { ModelSummary, StatusRow, StatusTable } from "./contract.ts";
import { readEvaluation } from "./evaluation.ts";
import { incrementalSummary } from "./incremental/advance.ts";
import { performanceSeries, primaryMetric } from "./performance.ts";

const ACTIONS: Readonly<Record<RunStepName, string>> = {
  snapshot: "freeze the dataset version",
  assess: "judge the new data for this model",
  prepare: "split, fill, scale and encode",
  train: "train the candidate",
  evaluate: "compare on the same held-out rows",
  gate: "judge the candidate",
  register: "register the version",
  rollout: "put it live",
};

export async function statusTable(context: LoopContext, model: string): Promise<StatusTable> {
  const spec = modelSpec(context, model);
  const { store } = context;
  const [run, champion, counts] = await Promise.all([
    store.runs.last(model),
    store.registry.champion(model),
    store.log.counts(model, {}),
  ]);
  const collect: StatusRow = {
    step: "collect",
    state: "done",
    action: "append rows, labels and predictions",
    input: `${plural(counts.events.observation, "observation")}, ${plural(counts.events.label, "label")}, ${plural(counts.events.prediction, "prediction")}`,
    output: `${whole(counts.labelled)} labelled`,
    next: "trigger",
  };
  const trigger = await triggerRow(context, model, run);
  const serve: StatusRow = {
    step: "serve",
    state: champion === undefined ? "waiting" : "done",
    action: "answer predictions",
    input: champion === undefined ? "no live version" : `${champion.name}, ${champion.trainer}`,
    output: champion === undefined ? "" : `live since ${day(champion.promotedAt)}`,
    next: nextText(spec, context.worldClock.now(), run),
  };
  return {
    model,
    sentence: sentenceOf(model, run, champion, await versionOf(context, run)),
    run: run === undefined ? null : { id: run.id, state: run.state, cause: run.cause.reason },
    rows: [collect, trigger, ...(run === undefined ? [] : runRows(run)), serve],
    tracker: [...(run === undefined ? [] : await tracker(context, run)), ...(await learningRows(context, spec))],
  };
}

/** What the newest tick said, rule by rule; the rule that decides first. */
async function triggerRow(context: LoopContext, model: string, run: RunRecord | undefined): Promise<StatusRow> {
  const recent = await context.store.decisions.list({ model, kind: "trigger", limit: 20 });
  const newest = recent.reduce((latest, one) => Math.max(latest, one.lastAt), 0);
  const judged = recent.filter((one) => one.lastAt === newest);
  const rank = { yes: 0, "cannot-tell": 1, no: 2 } as const;
  const ordered = judged.sort((left, right) => rank[left.outcome] - rank[right.outcome]);
  // Without a live version only its own rule decides; the others have nothing to compare with.
  const deciding = ordered.find((one) => one.subject === "first version") ?? ordered[0];
  const values = ordered.map((one) => `${one.subject}: ${one.outcome}`).join(", ");
  const isOpen = run?.state === "queued" || run?.state === "running";
  return {
    step: "trigger",
    state: run === undefined ? "waiting" : "done",
    action: "decide whether to retrain",
    input: values === "" ? "no evaluation yet" : values,
    output: isOpen ? run.cause.reason : (deciding?.reason ?? ""),
    next: isOpen ? "snapshot" : "waits",
  };
}

const whole = (count: number) => count.toLocaleString("en-US");
const day = (at: Instant | undefined) => (at === undefined ? "–" : new Date(at).toISOString().slice(0, 10));

function nextText(spec: ModelSpec, now: Instant, run: RunRecord | undefined): string {
  const next = nextScheduledAt(spec.retrain.when, now, { lastRunAt: run?.queuedAt ?? null });
  return next === undefined ? "the next trigger" : `scheduled for ${new Date(next).toISOString()}`;
}

function runRows(run: RunRecord): StatusRow[] {
  const done = new Map(run.steps.map((step) => [step.step, step]));
  return RUN_STEPS.map((name, index) => {
    const step: RunStepRecord | undefined = done.get(name);
    const following = RUN_STEPS[index + 1] ?? "serve";
    const ends = step?.state === "stopped" || step?.state === "failed";
    return {
      step: name,
      state: step?.state ?? "waiting",
      action: ACTIONS[name],
      input: step?.input ?? "",
      output: step?.output ?? "",
      next: ends ? `ends: ${run.state}` : following,
    };
  });
}

const versionOf = async ({ store }: LoopContext, run: RunRecord | undefined): Promise<VersionRecord | undefined> =>
  run?.version === undefined ? undefined : await store.registry.get(run.model, run.version);

/** @param version what the run made */
function sentenceOf(
  model: string,
  run: RunRecord | undefined,
  champion: VersionRecord | undefined,
  version: VersionRecord | undefined,
): string {
  const serving =
    champion === undefined ? "no live version" : `${champion.name} live since ${day(champion.promotedAt)}`;
  if (run === undefined) return `${model}: ${serving}; no run yet.`;
  const ended: Readonly<Record<RunRecord["state"], string>> = {
    queued: "is waiting to start",
    running: "is under way",
    promoted: promotedWords(run.version ?? "its version", champion, version),
    held: "held its candidate",
    rejected: "refused its candidate",
    stopped: "stopped before training",
    failed: "failed",
    canceled: "was canceled",
  };
  return `${model}: ${serving}; the latest run (${run.cause.reason}) ${ended[run.state]}.`;
}

/** Passing the gate is the way in: stages may still be ahead of it, or have sent it back. */
function promotedWords(name: string, champion: VersionRecord | undefined, version: VersionRecord | undefined): string {
  if (champion?.name === name) return `put ${name} live`;
  if (version?.state === "rolled-back") return `passed the gate with ${name}, which was rolled back since`;
  if (version?.state === "retired") return `put ${name} live, which was replaced since`;
  return `sent ${name} into its rollout`;
}

async function tracker(context: LoopContext, run: RunRecord): Promise<StatusTable["tracker"]> {
  const { registry } = context.store;
  const version = await versionOf(context, run);
  const before = run.champion === undefined ? undefined : await registry.get(run.model, run.champion);
  const report = await readEvaluation(context, run.id);
  const rows = (record: VersionRecord | undefined) =>
    record === undefined ? "–" : `${plural(record.datasetRows, "row")}, ${record.datasetHash.slice(0, 8)}`;
  const held = report === undefined ? "" : ` on the same ${plural(report.rows, "held-out row")}`;
  const outcome = run.gate === undefined ? "" : `: ${run.gate.outcome}`;
  const against = report?.champion === undefined ? `the baseline's ` : "";
  return [
    {
      what: "model",
      before: before?.name ?? "none",
      after: version === undefined ? "–" : `${version.name} (${version.state})`,
    },
    { what: "data", before: rows(before), after: rows(version) },
    {
      what: "performance",
      before:
        report === undefined
          ? "–"
          : `${against}${metricsText(context, run.model, report.champion ?? report.baseline.metrics)}${held}`,
      after: report === undefined ? "–" : `${metricsText(context, run.model, report.candidate)}${outcome}`,
    },
  ];
}

/** Learning example by example: how it does on rows it has not seen, beside the champion on the same ones. */
async function learningRows(context: LoopContext, spec: ModelSpec): Promise<StatusTable["tracker"]> {
  const summary = await incrementalSummary(context, spec);
  if (summary === undefined) return [];
  const { basis, learned, waiting, recentRows, loss, championLoss } = summary;
  const metric = spec.schema.task === "regression" ? metricWord("mae") : metricWord("logLoss");
  const text = (value: number | null) => (value === null ? "–" : `${metric} ${value.toPrecision(4)}`);
  const over = recentRows === 0 ? "" : ` over the newest ${plural(recentRows, "row")}`;
  return [
    {
      what: "learning",
      before: `${basis}; champion ${text(championLoss)}${over}`,
      after: `${plural(learned, "example")} learned, ${whole(waiting)} waiting; ${text(loss)} before learning each`,
    },
  ];
}

/** The metric the model is judged by, and accuracy where there is one, because people ask for it. */
function metricsText(context: LoopContext, model: string, metrics: Readonly<Record<string, number | null>>): string {
  const names = new Set([primaryMetric(modelSpec(context, model)), "accuracy"]);
  const texts = [...names].flatMap((name) => {
    const value = metrics[name];
    return typeof value === "number" ? [`${metricWord(name)} ${value.toPrecision(4)}`] : [];
  });
  return texts.join(", ") || "–";
}

export async function modelSummaries(context: LoopContext): Promise<ModelSummary[]> {
  return await Promise.all(context.spec.models.map((spec) => modelSummary(context, spec)));
}

async function modelSummary(context: LoopContext, spec: ModelSpec): Promise<ModelSummary> {
  const { store } = context;
  const { name } = spec;
  const [champion, run, alerts, quarantined, counts, series] = await Promise.all([
    store.registry.champion(name),
    store.runs.last(name),
    store.alerts.list({ model: name, state: "open", limit: 100 }),
    store.quarantine.count(name),
    store.log.counts(name, {}),
    performanceSeries(context, { model: name }),
  ]);
  const mature = series.points.filter((point) => point.mature && point.value !== null);
  const latest = mature.at(-1);
  const state = stateOf({ champion, run, latest: latest?.value ?? null, series });
  return {
    name,
    task: spec.schema.task,
    champion: champion?.name ?? null,
    state,
    sentence: summarySentence(name, state, champion, series.metric, latest?.value ?? null),
    metric: series.metric,
    sparkline: mature.slice(-30).map((point) => point.value),
    lastRun:
      run === undefined ? null : { id: run.id, state: run.state, at: run.endedAt ?? run.startedAt ?? run.queuedAt },
    nextScheduledAt:
      nextScheduledAt(spec.retrain.when, context.worldClock.now(), { lastRunAt: run?.queuedAt ?? null }) ?? null,
    openAlerts: alerts.length,
    quarantined,
    events: {
      observations: counts.events.observation,
      predictions: counts.events.prediction,
      labels: counts.events.label,
    },
  };
}

function stateOf(input: {
  readonly champion: VersionRecord | undefined;
  readonly run: RunRecord | undefined;
  readonly latest: number | null;
  readonly series: {
    readonly reference: { readonly low: number; readonly high: number } | null;
    readonly higherIsBetter: boolean;
  };
}): ModelSummary["state"] {
  const { champion, run, latest, series } = input;
  if (run?.state === "queued" || run?.state === "running") return "retraining";
  if (champion === undefined) return run === undefined ? "waiting-for-data" : "not-ready";
  if (run?.state === "failed" || run?.state === "stopped") return "blocked";
  const { reference } = series;
  if (
    latest !== null &&
    reference !== null &&
    (series.higherIsBetter ? latest < reference.low : latest > reference.high)
  )
    return "worse";
  return "healthy";
}

function summarySentence(
  name: string,
  state: ModelSummary["state"],
  champion: VersionRecord | undefined,
  metric: string,
  latest: number | null,
): string {
  const value = latest === null ? "no mature labels yet" : `${metricWord(metric)} ${latest.toPrecision(3)}`;
  const words: Readonly<Record<ModelSummary["state"], string>> = {
    "waiting-for-data": "is waiting for labelled rows",
    healthy: `is healthy, ${champion?.name ?? ""}, ${value}`,
    retraining: `is being retrained, ${champion?.name ?? "no version"} answers`,
    worse: `is worse than on its holdout, ${champion?.name ?? ""}, ${value}`,
    "not-ready": "has no live version; see its last run",
    blocked: `could not be retrained, ${champion?.name ?? ""} keeps answering`,
  };
  return `${name} ${words[state]}.`;
}
