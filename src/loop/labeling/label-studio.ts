/**
 * Answers that were given in Label Studio. A task of ours gets its answer as an adjudication in the annotator's name; any other
 * becomes an expert label of the example it names, with its features where we have never seen them.
 */
import type { ModelSpec } from "../../config/spec.ts";
import {
  canonicalJson,
  fail,
  type LabelEvent,
  type LabelingTask,
  type LabelValue,
  type ObservationEvent,
  sha256Hex,
} from "../../core/index.ts";
import { compileLabelValidator, compileRowValidator } from "../../data/validate.ts";
import { parseInstant } from "../../data/instant.ts";
import {
  annotatorOf,
  exampleOf,
  featuresOf,
  type StudioAnnotation,
  studioConfig,
  type StudioTask,
  studioTask,
  valueOf,
} from "../../feedback/label-studio.ts";
import { settleTask } from "../../feedback/consensus.ts";
import { type LoopContext, modelSpec } from "../context.ts";
import { choicesOf } from "./choices.ts";
import { flushEffects } from "./effects.ts";
import { viewOf } from "./people.ts";
import { labelingPolicy } from "./queue.ts";
import type { StudioImport } from "./surface.ts";

/** Tasks of one export; a larger queue is exported by state. */
const MOST_TASKS = 10_000;
const PAGE = 500;
/** Side by side, so that one commit takes many. */
const APPENDS_AT_ONCE = 200;
const SHOWN_REFUSALS = 20;

export async function exportToStudio(
  context: LoopContext,
  model: string,
  state: LabelingTask["state"],
): Promise<readonly StudioTask[]> {
  const spec = modelSpec(context, model);
  const policy = labelingPolicy(spec);
  const { labeling } = context.store;
  const tasks: LabelingTask[] = [];
  for (;;) {
    const before = tasks.at(-1)?.id;
    const page = await labeling.tasks({ model, state, limit: PAGE, ...(before === undefined ? {} : { before }) });
    tasks.push(...page);
    if (page.length < PAGE || tasks.length >= MOST_TASKS) break;
  }
  const shown = tasks.filter((task) => task.origin !== "gold");
  const annotations = new Map<string, Awaited<ReturnType<typeof labeling.annotations>>>();
  if (state !== "open" && shown.length > 0) {
    for (const { id } of shown) annotations.set(id, await labeling.annotations({ model, taskIds: [id], limit: 100 }));
  }
  return shown.map((task) =>
    studioTask(task, {
      schema: spec.schema,
      annotations: annotations.get(task.id) ?? [],
      isHidden: viewOf(task, policy).suggestion === undefined,
    }),
  );
}

export async function studioConfigOf(context: LoopContext, model: string): Promise<string> {
  const spec = modelSpec(context, model);
  return studioConfig(spec.schema, await choicesOf(context, spec));
}

/** @param project names tasks that carry no example id; theirs are numbered within a project */
export async function importFromStudio(
  context: LoopContext,
  model: string,
  tasks: readonly unknown[],
  project = "",
): Promise<StudioImport> {
  const spec = modelSpec(context, model);
  const sum = {
    tasks: tasks.length,
    labels: 0,
    skipped: 0,
    refusedCount: 0,
    refused: [] as { task: string; message: string }[],
  };
  const stated: Stated[] = [];
  const refuse = (task: string, message: string) => {
    sum.refusedCount++;
    if (sum.refused.length < SHOWN_REFUSALS) sum.refused.push({ task, message });
  };
  for (const [i, raw] of tasks.entries()) {
    if (!isTask(raw)) {
      refuse(`#${i + 1}`, "it is no task: it has no `data`");
      continue;
    }
    const name = String(raw.id ?? `#${i + 1}`);
    const verdict = verdictOf(spec, raw);
    if (verdict === undefined) sum.skipped++;
    else if ("problem" in verdict) refuse(name, verdict.problem);
    else {
      const done = await takeOne(context, spec, { task: raw, verdict, project, stated });
      if (done === undefined) sum.labels++;
      else refuse(name, done);
    }
  }
  await flushEffects(context);
  for (let i = 0; i < stated.length; i += APPENDS_AT_ONCE)
    await Promise.all(stated.slice(i, i + APPENDS_AT_ONCE).map((one) => append(context, model, one)));
  context.ticks.dirty.add(model);
  return sum;
}

function isTask(raw: unknown): raw is StudioTask {
  const data = (raw as { data?: unknown } | null)?.data;
  return typeof data === "object" && data !== null && !Array.isArray(data);
}

/** A label, with its row where the log does not know the example. */
interface Stated {
  readonly label: LabelEvent;
  readonly row?: ObservationEvent;
}

/** The same export twice is the same labels once. */
async function append(context: LoopContext, model: string, { label, row }: Stated): Promise<void> {
  const hash = sha256Hex(canonicalJson(label));
  const idempotency = { key: `label-studio:${model}:${hash}`, hash, response: null };
  await context.store.log.append({ model, events: row === undefined ? [label] : [row, label], idempotency });
}

interface Verdict {
  readonly value: LabelValue;
  readonly by: StudioAnnotation;
}

/** What the annotations of a task say together; undefined when nobody answered. */
function verdictOf(spec: ModelSpec, task: StudioTask): Verdict | { readonly problem: string } | undefined {
  const given = (task.annotations ?? []).filter((one) => one.was_cancelled !== true && Array.isArray(one.result));
  const truths = given.filter((one) => one.ground_truth === true);
  const counted = truths.length > 0 ? truths : given;
  const check = compileLabelValidator(spec.schema);
  let verdict: Verdict | undefined;
  for (const annotation of counted) {
    const found = valueOf(annotation, spec.schema.task);
    if ("problem" in found) return { problem: `annotation ${String(annotation.id ?? "?")}: ${found.problem}` };
    const problem = check(found.value);
    if (problem !== undefined) return { problem: problem.message };
    if (verdict !== undefined && verdict.value !== found.value)
      return {
        problem: `its annotators disagree (${String(verdict.value)}, ${String(found.value)}); mark one as ground truth`,
      };
    verdict = { value: found.value, by: annotation };
  }
  return verdict;
}

/** @returns why it could not be taken */
async function takeOne(
  context: LoopContext,
  spec: ModelSpec,
  one: {
    readonly task: StudioTask;
    readonly verdict: Verdict;
    readonly project: string;
    readonly stated: Stated[];
  },
): Promise<string | undefined> {
  const { task, verdict, project, stated } = one;
  const { store, worldClock } = context;
  const now = worldClock.now();
  const said = parseInstant(verdict.by.created_at);
  // Their clock may run ahead of ours.
  const at = said === undefined || said > now ? now : said;
  const labeler = annotatorOf(verdict.by);
  const id = task.data["retrain_task"];
  const own = typeof id === "string" ? await store.labeling.task(id) : undefined;
  if (own !== undefined && own.model === spec.name) {
    if (own.state === "discarded")
      return "its task is discarded: the truth arrived from elsewhere, or its deadline passed";
    const lead = verdict.by.lead_time;
    await store.labeling.annotate(
      {
        taskId: own.id,
        labeler,
        kind: "adjudication",
        value: verdict.value,
        at: now,
        ...(typeof lead === "number" && lead >= 0 ? { durationMs: Math.round(lead * 1000) } : {}),
      },
      settleTask,
    );
    return undefined;
  }
  const named = exampleOf(spec.schema, task);
  const features = featuresOf(spec.schema, task);
  if (named === undefined && (features === undefined || task.id === undefined))
    return `it names no example: put its id into data.${spec.schema.id ?? "retrain_example"}`;
  const exampleId = named ?? `label-studio:${project}:${String(task.id)}`;
  const comment = `label studio, ${labeler}`;
  const label: LabelEvent = { kind: "label", exampleId, at, value: verdict.value, labelSource: "expert", comment };
  if (features === undefined || (await isKnown(context, spec.name, exampleId))) {
    stated.push({ label });
    return undefined;
  }
  // Their tasks seldom carry the event time; where they do it counts.
  const checked = compileRowValidator(spec.schema)(features, { forPrediction: true });
  if (!checked.ok) return checked.reasons.map(({ message }) => message).join(" ");
  const eventTime = spec.schema.time === undefined ? undefined : parseInstant(task.data[spec.schema.time]);
  stated.push({ label, row: { kind: "observation", exampleId, at: eventTime ?? at, features: checked.features } });
  return undefined;
}

async function isKnown({ store }: LoopContext, model: string, exampleId: string): Promise<boolean> {
  const keys = { exampleIds: [exampleId] };
  if ((await store.log.findObservations(model, keys)).length > 0) return true;
  return (await store.log.findPredictions(model, keys)).length > 0;
}

/** @throws BODY_INVALID */
export function requireTasks(body: unknown): readonly unknown[] {
  const list = Array.isArray(body) ? body : (body as { annotations?: unknown } | null)?.annotations;
  if (Array.isArray(list)) return list;
  throw fail("BODY_INVALID", {
    message: "The body is no list of Label Studio tasks.",
    remedy: "Send what Label Studio exports as JSON: [{ data, annotations }].",
  });
}
