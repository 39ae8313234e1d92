/** The labeling queue as the loop offers it, and what the tick does for it. */
import type { Engine, Instant } from "../../core/index.ts";
import type { ModelSpec } from "../../config/spec.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { drawCurve } from "./curve.ts";
import { closeAnsweredElsewhere, flushEffects } from "./effects.ts";
import { labelHistory, labelingStats, relabel } from "./insight.ts";
import { exportToStudio, importFromStudio, studioConfigOf } from "./label-studio.ts";
import { addGold, peopleMethods, requireTask } from "./people.ts";
import { applyDeadlines } from "../reviews/deadlines.ts";
import { buildBatch, buildWhenDue, createQueueWorkflow, labelingPolicy, QUEUE_WORKFLOW } from "./queue.ts";
import type { LabelingSurface } from "./surface.ts";

/** Before the engine starts. */
export function registerLabeling(engine: Engine, context: LoopContext): void {
  engine.register(QUEUE_WORKFLOW, createQueueWorkflow(context));
}

/** Tasks a batch has where nothing is said: an hour's work of one person. */
const DEFAULT_BATCH = 200;

export function createLabeling(context: LoopContext): LabelingSurface {
  const { labeling, settings } = context.store;
  const audit = (actor: string, action: string, subject: string, details: Readonly<Record<string, number | string>>) =>
    settings.audit({ at: context.worldClock.now(), actor, action, subject, details });
  return {
    policy: (model) => labelingPolicy(modelSpec(context, model)),
    async build(model, { count, strategy, actor }) {
      const policy = labelingPolicy(modelSpec(context, model));
      const wanted = count ?? (policy.perDay > 0 ? policy.perDay : DEFAULT_BATCH);
      const batch = await buildBatch(context, {
        model,
        count: wanted,
        ...(strategy === undefined ? {} : { strategy }),
      });
      await audit(actor, "labeling.build", batch.id, { model, picked: batch.picked, strategy: batch.strategy });
      return batch;
    },
    ...peopleMethods(context),
    tasks: (model, filter) => labeling.tasks({ model: modelSpec(context, model).name, ...filter }),
    async task(model, id) {
      const task = await requireTask(context, model, id);
      const annotations = await labeling.annotations({ model, taskIds: [id], limit: 200 });
      return { task, annotations };
    },
    async addGold(model, items, actor) {
      const added = await addGold(context, model, items);
      await audit(actor, "labeling.gold", model, { asked: items.length, added: added.added });
      return added;
    },
    exportToStudio: (model, state) => exportToStudio(context, model, state),
    studioConfig: (model) => studioConfigOf(context, model),
    async importFromStudio(model, tasks, project) {
      const done = await importFromStudio(context, model, tasks, project);
      context.emit("labeling.answer", model, { imported: done.labels });
      return done;
    },
    drawCurve: (model) => drawCurve(context, model),
    stats: (model) => labelingStats(context, model),
    history: (model, exampleId, asOf) => labelHistory(context, model, exampleId, asOf),
    relabel: (model, request) => relabel(context, model, request),
  };
}

/** Part of a tick: reviews nobody decided in time, labels that wait for the log, tasks whose truth arrived, the day's batch. @returns when the next deadline is */
export async function tickLabeling(context: LoopContext, spec: ModelSpec, at: Instant): Promise<Instant> {
  await applyDeadlines(context, spec.name, at);
  await flushEffects(context);
  await closeAnsweredElsewhere(context, spec.name);
  await buildWhenDue(context, spec, at);
  return (await context.store.labeling.nextDueAt(spec.name)) ?? Number.POSITIVE_INFINITY;
}

export type * from "./surface.ts";
