/** What a rollout would take, before it starts: its stages, and the rows and days its A/B needs by the champion's performance. */
import { plural } from "../../core/index.ts";
import type { Comparison, Instant, RolloutRecord, StageSpec } from "../../core/index.ts";
import { rowsForAb } from "../../deploy/experiment.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { requireRowTask } from "../row-tasks.ts";
import type { PowerEstimate, RolloutPlan } from "./contract.ts";

/** How far back performance is read for the plan. */
const PLAN_MS = 14 * 86_400_000;
const DAY_MS = 86_400_000;

/** Fewer labelled predictions say too little of how far rows lie apart. */
const PLAN_ROWS = 30;

/** @throws MODEL_UNKNOWN, TASK_UNSUPPORTED. Cost: two weeks of hourly counters. */
export async function planRollout(context: LoopContext, model: string): Promise<RolloutPlan> {
  const spec = modelSpec(context, model);
  requireRowTask(spec, "a rollout in stages");
  const champion = (await context.store.registry.champion(model))?.name ?? null;
  const { rollout: stages, labelDelayMs } = spec;
  if (champion === null) {
    return { model, champion, stages, labelDelayMs, power: null, reason: "The first version goes live directly." };
  }
  const until = context.worldClock.now();
  return {
    model,
    champion,
    stages,
    labelDelayMs,
    ...(await estimatePower(context, { model, champion, stages, until })),
  };
}

/** `reason`: why there is no estimate. */
export async function estimatePower(
  context: LoopContext,
  rollout: Pick<RolloutRecord, "model" | "champion" | "stages"> & { readonly until: Instant },
): Promise<{ readonly power: PowerEstimate | null; readonly reason?: string }> {
  const stage = rollout.stages.find((one) => one.kind === "ab") as Extract<StageSpec, { kind: "ab" }> | undefined;
  const spec = context.spec.models.find((one) => one.name === rollout.model);
  if (stage === undefined || spec === undefined) {
    return { power: null, reason: "No stage is an A/B: each lasts as long as it says." };
  }
  if (!(stage.margin > 0)) {
    return {
      power: null,
      reason: "The A/B has a margin of 0: a difference as small as one likes takes rows without end.",
    };
  }
  const { until } = rollout;
  const { rows } = await context.store.folds.counters({
    model: rollout.model,
    counter: "performance",
    version: rollout.champion,
    from: until - PLAN_MS,
    to: until,
  });
  const sum = (key: string) => rows.reduce((total, row) => total + (row.values[key] ?? 0n), 0n);
  const n = Number(sum("n"));
  const rowDeviation = deviationOf(stage.metric, { n, sum });
  if (rowDeviation === null) {
    const reason = `${plural(n, "labelled prediction")} of ${rollout.champion} in the last two weeks ${n === 1 ? "is" : "are"} too few to plan by; ${PLAN_ROWS} are needed.`;
    return { power: null, reason };
  }
  const first = rows.reduce((least, row) => Math.min(least, row.bucket), until);
  const rowsPerDay = (n / Math.max(until - first, DAY_MS)) * DAY_MS;
  const needed = rowsForAb({ rowDeviation, effect: stage.margin, share: stage.share, alpha: stage.alpha });
  const expectedMs = rowsPerDay > 0 ? (needed / rowsPerDay) * DAY_MS + spec.labelDelayMs : null;
  return { power: { effect: stage.margin, rowDeviation, rows: needed, rowsPerDay, expectedMs } };
}

function deviationOf(
  metric: Comparison["metric"],
  counters: { readonly n: number; readonly sum: (key: string) => bigint },
): number | null {
  const { n, sum } = counters;
  if (n < PLAN_ROWS) return null;
  const SCALE = 1_099_511_627_776;
  const mean = (key: string) => Number(sum(key)) / SCALE / n;
  const spread = (second: number, first: number) => Math.sqrt(Math.max(0, second - first * first));
  if (metric === "logLoss") return spread(mean("logLossSquared"), mean("logLoss"));
  if (metric === "mae") return spread(mean("squaredError"), mean("absoluteError"));
  if (metric === "accuracy") {
    const right = Number(sum("tp") + sum("tn") + sum("correct")) / n;
    return Math.sqrt(right * (1 - right));
  }
  // A Brier loss lies in [0, 1]: its deviation is at most √(m(1 − m)).
  const brier = mean("brier");
  return Math.sqrt(brier * Math.max(0, 1 - brier));
}
