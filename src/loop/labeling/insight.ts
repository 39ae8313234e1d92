/** Looking back: progress, agreement, performance from fair labels, advice to stop; the history of one example; mass relabeling. */
import {
  type Annotation,
  type Instant,
  type Json,
  type LabelEvent,
  type LabelingTask,
  type LoggedEvent,
  metricWord,
} from "../../core/index.ts";
import { effectiveLabel } from "../../data/effective-label.ts";
import { groupedBy } from "../../feedback/grouping.ts";
import { estimateFromTasks } from "../../feedback/labeled-estimate.ts";
import { estimateFromReviews } from "../../feedback/reviewed-estimate.ts";
import { describeAgreement, describeLabelers } from "../../feedback/labeler-report.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { checkLabel } from "./people.ts";
import { labelingPolicy } from "./queue.ts";
import { settleTask } from "../../feedback/consensus.ts";
import { flushEffects } from "./effects.ts";
import type { LabelHistory, LabelingStats, LearningCurve, RelabelRequest } from "./surface.ts";

/** The newest annotations statistics are made of: a team of twenty gives so many in a month. */
const MOST_ANNOTATIONS = 20_000;
const PAGE = 2_000;
const SHOWN_BATCHES = 20;

export const curveKey = (model: string) => `labeling-curve:${model}`;

async function allPages<T extends { readonly id: string }>(
  read: (range: { limit: number; before?: string }) => Promise<readonly T[]>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let before: string | undefined;
  while (all.length < MOST_ANNOTATIONS) {
    const page = await read({ limit: PAGE, ...(before === undefined ? {} : { before }) });
    all.push(...page);
    before = page.at(-1)?.id;
    if (page.length < PAGE) break;
  }
  return all;
}

export async function labelingStats(context: LoopContext, model: string): Promise<LabelingStats> {
  const spec = modelSpec(context, model);
  const { labeling, settings } = context.store;
  const [counts, batches, tasks, annotations, stored] = await Promise.all([
    labeling.counts(model),
    labeling.batches({ model, limit: SHOWN_BATCHES }),
    allPages<LabelingTask>((range) => labeling.tasks({ model, ...range })),
    allPages<Annotation>((range) => labeling.annotations({ model, ...range })),
    settings.get(curveKey(model)),
  ]);
  const standing = annotations.filter((one) => !one.undone);
  const byId = new Map(tasks.map((task) => [task.id, task]));
  const known = await withWhatCounts(
    context,
    model,
    tasks.filter((task) => task.version !== undefined && (task.state === "done" || isCheck(task))),
  );
  const byVersion = (one: { readonly version: string }, other: { readonly version: string }) =>
    Number(other.version.slice(1)) - Number(one.version.slice(1));
  const answered = known.filter((task) => task.state === "done");
  const curve = (stored ?? null) as unknown as LearningCurve | null;
  const agreement = describeAgreement(standing);
  return {
    policy: labelingPolicy(spec),
    states: counts.states,
    origins: counts.origins,
    batches,
    labelers: describeLabelers(byId, standing),
    agreement,
    performance: [...groupedBy(answered, (task) => task.version as string)]
      .map(([version, own]) => ({ version, ...estimateFromTasks(own) }))
      .sort(byVersion),
    reviewed: [...groupedBy(known.filter(isCheck), (task) => task.version as string)]
      .map(([version, own]) => ({ version, ...estimateFromReviews(own) }))
      .sort(byVersion),
    curve,
    advice: adviceOf(curve),
  };
}

/** A check of an answer that was given: what nobody decided counts too, as asked, and with a truth that came from elsewhere. */
const isCheck = ({ origin }: LabelingTask) => origin === "review" || origin === "audit";

/** Examples whose labels are looked up at once. */
const LOOKUP = 2_000;

/** Answered tasks with the label that counts by now: a ground truth that came later overrules what people answered. */
async function withWhatCounts(
  context: LoopContext,
  model: string,
  tasks: readonly LabelingTask[],
): Promise<readonly LabelingTask[]> {
  const said = new Map<string, LoggedEvent<LabelEvent>[]>();
  for (let i = 0; i < tasks.length; i += LOOKUP) {
    const part = tasks.slice(i, i + LOOKUP);
    const exampleOf = new Map(part.flatMap((task) => (task.predictionId ? [[task.predictionId, task.exampleId]] : [])));
    const labels = await context.store.log.findLabels(model, {
      exampleIds: part.map((task) => task.exampleId),
      predictionIds: [...exampleOf.keys()],
    });
    for (const label of labels) {
      const exampleId = label.exampleId ?? exampleOf.get(label.predictionId ?? "") ?? "";
      said.set(exampleId, [...(said.get(exampleId) ?? []), label]);
    }
  }
  return tasks.map((task) => {
    const { answer: _answer, ...rest } = task;
    const label = effectiveLabel(said.get(task.exampleId) ?? []);
    return label === undefined ? rest : { ...rest, answer: label.value };
  });
}

function adviceOf(curve: LearningCurve | null): LabelingStats["advice"] {
  if (curve?.lastGain == null)
    return {
      stop: false,
      reason: "Whether more labels help is told by the learning curve, which has not been drawn yet.",
    };
  const { mean, low, high } = curve.lastGain;
  const shown = `${mean.toPrecision(2)} (95 % interval ${low.toPrecision(2)} to ${high.toPrecision(2)})`;
  if (low <= 0)
    return {
      stop: true,
      reason: `The last three rounds brought no measurable gain in ${metricWord(curve.metric)}: ${shown} a row. More labels of this kind are unlikely to help.`,
    };
  return {
    stop: false,
    reason: `The last three rounds improved ${metricWord(curve.metric)} by ${shown} a row. Going on is worth it.`,
  };
}

/** @param asOf only what was known at this instant; default: everything */
export async function labelHistory(
  context: LoopContext,
  model: string,
  exampleId: string,
  asOf?: Instant,
): Promise<LabelHistory> {
  modelSpec(context, model);
  const { log, labeling } = context.store;
  const known = asOf === undefined ? {} : { asOf };
  const predictions = await log.findPredictions(model, { exampleIds: [exampleId], ...known });
  const labels = await log.findLabels(model, {
    exampleIds: [exampleId],
    predictionIds: predictions.map((one) => one.predictionId),
    ...known,
  });
  const tasks = await labeling.tasks({ model, exampleId, limit: 50 });
  const annotations =
    tasks.length === 0
      ? []
      : await labeling.annotations({
          model,
          taskIds: tasks.filter((task) => task.origin !== "gold").map(({ id }) => id),
          limit: 200,
        });
  const effective = effectiveLabel(labels);
  return {
    exampleId,
    effective: effective === undefined ? null : { value: effective.value, source: effective.labelSource },
    statements: labels.map((one) => ({
      value: one.value,
      source: one.labelSource,
      at: one.at,
      receivedAt: one.receivedAt,
      comment: one.comment ?? null,
      selective: one.selective === true,
      predictionId: one.predictionId ?? null,
      isEffective: one.seq === effective?.seq,
    })),
    annotations: asOf === undefined ? annotations : annotations.filter((one) => one.at <= asOf),
  };
}

/** Overrules settled answers that share something: a person who misread the guidelines, a class that was renamed. */
export async function relabel(
  context: LoopContext,
  model: string,
  request: RelabelRequest,
): Promise<{ readonly matched: number; readonly changed: number }> {
  const spec = modelSpec(context, model);
  const { labeling, settings } = context.store;
  if (request.to !== null) checkLabel(spec, request.to);
  const annotations = await allPages<Annotation>((range) =>
    labeling.annotations({ model, ...(request.labeler === undefined ? {} : { labeler: request.labeler }), ...range }),
  );
  const ids = new Set(
    annotations
      .filter((one) => !one.undone && one.kind !== "skip" && one.kind !== "flag" && one.origin !== "gold")
      .filter((one) => request.value === undefined || one.value === request.value)
      .filter((one) => request.since === undefined || one.at >= request.since)
      .map((one) => one.taskId),
  );
  const done = await allPages<LabelingTask>((range) => labeling.tasks({ model, state: "done", ...range }));
  const matched = done.filter(
    (task) => ids.has(task.id) && (request.batchId === undefined || task.batchId === request.batchId),
  );
  if (request.dryRun) return { matched: matched.length, changed: 0 };
  let changed = 0;
  const at = context.worldClock.now();
  for (const task of matched) {
    if (task.answer === request.to) continue;
    if (request.to === null) await takeBack(context, task, at);
    else {
      const comment = request.reason;
      const verdict = { taskId: task.id, labeler: request.actor, kind: "adjudication", value: request.to, at } as const;
      await labeling.annotate({ ...verdict, comment }, settleTask);
    }
    changed++;
  }
  await flushEffects(context);
  context.ticks.dirty.add(model);
  const { actor, reason, dryRun: _dryRun, ...rule } = request;
  const details = { ...rule, reason, matched: matched.length, changed } as unknown as Readonly<Record<string, Json>>;
  await settings.audit({ at, actor, action: "labeling.relabel", subject: model, details });
  return { matched: matched.length, changed };
}

/** Every standing answer of the task is undone; it waits for people again. */
async function takeBack(context: LoopContext, task: LabelingTask, at: number): Promise<void> {
  const { labeling } = context.store;
  const { leaseMs } = labelingPolicy(modelSpec(context, task.model));
  const annotations = await labeling.annotations({ model: task.model, taskIds: [task.id], limit: 50 });
  for (const one of annotations.filter((annotation) => !annotation.undone)) {
    const { id, labeler } = one;
    // The lease ends at once: whoever answered then need not be the one who answers now.
    await labeling.undo({ model: task.model, labeler, annotationId: id, now: at - leaseMs, leaseMs, at }, settleTask);
  }
}
