/**
 * Building a batch of tasks: the unlabelled examples go into a file, the training process chooses, the choices become tasks, some
 * hundred at a time. A durable workflow: after a crash it goes on, and a task that was stored is not stored twice.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import {
  createRandom,
  DAY_MS,
  fail,
  HOUR_MS,
  type Instant,
  type Json,
  type LabelingBatch,
  type LabelingTask,
  namedUuid,
  plural,
  seedFrom,
  shuffleInPlace,
  uuidV7,
  type VersionRecord,
  type Workflow,
} from "../../core/index.ts";
import { labelingDefaults, type ModelSpec } from "../../config/index.ts";
import { type LabelingSpec, type QueueStrategy, strategiesFor } from "../../feedback/spec.ts";
import { type LoopContext, logSchemaOf, modelSpec } from "../context.ts";
import { requireRowTask } from "../row-tasks.ts";
import { materializeArtifact } from "../steps/job.ts";

export const QUEUE_WORKFLOW = "labeling-queue";
const QUEUE = "labeling";

/** Candidates looked at: scoring and spreading more takes longer than anybody wants to wait for a batch. */
const MOST_CANDIDATES = 200_000;
/** A batch by itself takes at most this share of the pool: with everything chosen, nothing is. */
const AUTOMATIC_SHARE = 0.5;
/** Fewer labels of a class than this, and the model's uncertainty about it means nothing. */
const COLD_BELOW = 10;
/** Members of a committee beside the live version. */
const OLDER_MEMBERS = 3;
/** Ids looked up at once. */
const LOOKUP = 2_000;

export function labelingPolicy(spec: ModelSpec): LabelingSpec {
  return spec.labeling ?? labelingDefaults(spec.schema.task);
}

interface QueueInput {
  readonly id: string;
  readonly model: string;
  readonly asOf: Instant;
  readonly count: number;
  readonly mostShare: number;
  readonly strategy?: QueueStrategy;
}
/** What the training process answers; its own type is `QueueResult` in `job/queue.ts`. */
interface Chosen {
  readonly poolSize: number;
  readonly strategy: string;
  readonly note?: string;
  readonly durationMs: number;
  readonly version?: string;
  readonly picks: readonly {
    readonly exampleId: string;
    readonly predictionId: string | null;
    readonly origin: "strategy" | "random";
    readonly acquisition: number | null;
    readonly probability: number;
  }[];
}

export function createQueueWorkflow(context: LoopContext): Workflow {
  return async (workflow, raw) => {
    const input = raw as unknown as QueueInput;
    const folder = join(context.directory, "jobs", `queue-${input.id}`);
    try {
      const chosen = (await workflow.step("select", async ({ signal }) => {
        return (await choose(context, input, folder, signal)) as unknown as Json;
      })) as unknown as Chosen;
      return await workflow.step("store", async () => (await storeBatch(context, input, chosen)) as unknown as Json);
    } finally {
      await rm(folder, { recursive: true, force: true });
    }
  };
}

/** Builds a batch and waits for it. @throws CONFLICT when nothing is left to ask about */
export async function buildBatch(
  context: LoopContext,
  request: { readonly model: string; readonly count: number; readonly strategy?: QueueStrategy },
): Promise<LabelingBatch> {
  const { model, count, strategy } = request;
  const spec = modelSpec(context, model);
  requireRowTask(spec, "a queue of examples to label");
  if (strategy !== undefined) requireStrategy(spec, strategy);
  const asOf = context.worldClock.now();
  const input: QueueInput = {
    id: uuidV7(asOf),
    model,
    asOf,
    count,
    mostShare: 1,
    ...(strategy === undefined ? {} : { strategy }),
  };
  const batch = await runQueue(context, input);
  if (batch.picked > 0) return batch;
  throw fail("CONFLICT", {
    message: `There is nothing to ask about: of the unlabelled examples of ${model} none is left that was not asked before.`,
    remedy: "Send predictions, or rows without a label, and ask again.",
  });
}

function requireStrategy({ name, schema: { task } }: ModelSpec, strategy: QueueStrategy): void {
  const known = strategiesFor(task);
  if (known.includes(strategy)) return;
  throw fail("BODY_INVALID", {
    message: `The strategy "${strategy}" does not fit the model ${name}, which predicts ${task === "regression" ? "a number" : "classes"}.`,
    remedy: `Give one of ${known.join(", ")}, or none for the configured one.`,
  });
}

async function runQueue(context: LoopContext, input: QueueInput): Promise<LabelingBatch> {
  const { engine } = context;
  await engine.enqueue({
    workflow: QUEUE_WORKFLOW,
    id: input.id,
    queue: QUEUE,
    partition: input.model,
    input: input as unknown as Json,
  });
  const status = await engine.wait(input.id);
  if (status.state === "done") return status.output as unknown as LabelingBatch;
  throw fail("INTERNAL", {
    message: `The batch could not be built: ${status.error ?? status.state}`,
    remedy: "Look into the server's log, and ask again.",
  });
}

/** Called by the tick: what the day's budget leaves, at most once an hour. @returns whether a batch was asked for */
export async function buildWhenDue(context: LoopContext, spec: ModelSpec, at: Instant): Promise<boolean> {
  const { labeling } = spec;
  if (labeling === undefined || labeling.perDay === 0) return false;
  const hour = Math.floor(at / HOUR_MS);
  const id = `queue-${spec.name}-${hour}`;
  if ((await context.store.settings.get(lastBuildKey(spec.name))) === hour) return false;
  const left = labeling.perDay - (await context.store.labeling.createdSince(spec.name, at - DAY_MS));
  if (left <= 0) return false;
  await context.store.settings.set(lastBuildKey(spec.name), hour);
  const input: QueueInput = { id, model: spec.name, asOf: at, count: left, mostShare: AUTOMATIC_SHARE };
  const running = runQueue(context, input);
  // A replay must not depend on how fast the machine is; a live tick must not wait.
  if (context.worldClock.kind === "virtual") await running;
  else {
    running.catch((error: unknown) =>
      context.logger.warn({ model: spec.name, error: String(error) }, "a labeling batch could not be built"),
    );
  }
  return true;
}

const lastBuildKey = (model: string) => `labeling-built:${model}`;

async function choose(context: LoopContext, input: QueueInput, folder: string, signal: AbortSignal): Promise<Chosen> {
  const { store, jobs } = context;
  const spec = modelSpec(context, input.model);
  const own = labelingPolicy(spec);
  const policy = input.strategy === undefined ? own : { ...own, strategy: input.strategy };
  await mkdir(folder, { recursive: true });
  const pool = join(folder, "pool.parquet");
  await store.log.writePool({
    schema: logSchemaOf(spec),
    asOf: input.asOf,
    from: input.asOf - policy.windowMs,
    maxRows: MOST_CANDIDATES,
    path: pool,
  });
  const versions = await committeeVersions(context, input.model);
  const coldStart = await whyCold(context, versions[0]);
  const job = {
    pool,
    spec,
    policy,
    count: input.count,
    mostShare: input.mostShare,
    seed: seedFrom(spec.seed, input.model, "queue", input.asOf),
    asked: await store.labeling.askedExamples(input.model),
    versions: await Promise.all(versions.map((version) => materializeArtifact(context, version.artifact))),
    ...(coldStart === undefined ? {} : { coldStart }),
  };
  const { trainTimeoutMs, trainMemoryBytes } = spec.limits;
  const result = await jobs.run(
    { type: "queue", affinity: `queue-${input.model}`, input: job as never },
    { signal, limits: { timeoutMs: trainTimeoutMs, memoryBytes: trainMemoryBytes } },
  );
  const version = versions[0]?.name;
  return { ...(result as unknown as Chosen), ...(version === undefined ? {} : { version }) };
}

/** The live version first, then the challenger and the versions that were live before. */
async function committeeVersions(context: LoopContext, model: string): Promise<readonly VersionRecord[]> {
  const { registry } = context.store;
  const [champion, routing, all] = await Promise.all([
    registry.champion(model),
    registry.routing(model),
    registry.list(model),
  ]);
  if (champion === undefined) return [];
  const older = all
    .filter((one) => one.name !== champion.name && (one.promotedAt !== undefined || one.name === routing.challenger))
    .sort((left, right) => right.number - left.number);
  return [champion, ...older.slice(0, OLDER_MEMBERS)];
}

/** Why the live version's uncertainty is not to be trusted yet. */
async function whyCold(context: LoopContext, champion: VersionRecord | undefined): Promise<string | undefined> {
  if (champion === undefined) return "There is no live version yet: examples are spread over the data.";
  const run = await context.store.runs.get(champion.runId);
  const labels = run?.steps.find((step) => step.step === "snapshot")?.details?.["labels"];
  if (typeof labels !== "object" || labels === null || Array.isArray(labels) || "mean" in labels) return undefined;
  const few = Object.entries(labels).find(([, count]) => Number(count) < COLD_BELOW);
  if (few === undefined) return undefined;
  return `The live version has seen ${plural(Number(few[1]), "label")} of ${few[0]}, fewer than ${COLD_BELOW}: examples are spread over the data.`;
}

async function storeBatch(context: LoopContext, input: QueueInput, chosen: Chosen): Promise<LabelingBatch> {
  const { store } = context;
  const spec = modelSpec(context, input.model);
  const tasks = await tasksOf(context, input, chosen, labelingPolicy(spec));
  const batch: LabelingBatch = {
    id: input.id,
    model: input.model,
    createdAt: input.asOf,
    strategy: chosen.strategy,
    ...(chosen.note === undefined ? {} : { note: chosen.note }),
    ...(chosen.version === undefined ? {} : { version: chosen.version }),
    poolSize: chosen.poolSize,
    picked: tasks.length,
    random: tasks.filter((task) => task.origin === "random").length,
    gold: 0,
    durationMs: chosen.durationMs,
  };
  if (tasks.length > 0) await store.labeling.addBatch(batch, tasks);
  context.emit("labeling.batch", input.model, { batchId: batch.id, picked: batch.picked, strategy: batch.strategy });
  return batch;
}

/** Tasks in a shuffled order, so that an unfinished batch is an even part of the whole. */
async function tasksOf(
  context: LoopContext,
  input: QueueInput,
  chosen: Chosen,
  policy: LabelingSpec,
): Promise<readonly LabelingTask[]> {
  const { log } = context.store;
  const random = createRandom(seedFrom(input.id, "order"));
  const predictions = new Map<string, Awaited<ReturnType<typeof log.findPredictions>>[number]>();
  const observations = new Map<string, Awaited<ReturnType<typeof log.findObservations>>[number]>();
  for (let from = 0; from < chosen.picks.length; from += LOOKUP) {
    const part = chosen.picks.slice(from, from + LOOKUP);
    const predictionIds = part.flatMap((pick) => pick.predictionId ?? []);
    for (const one of await log.findPredictions(input.model, { predictionIds })) predictions.set(one.predictionId, one);
    const exampleIds = part.filter((pick) => pick.predictionId === null).map((pick) => pick.exampleId);
    for (const one of await log.findObservations(input.model, { exampleIds })) observations.set(one.exampleId, one);
  }
  const tasks = chosen.picks.flatMap((pick, i): LabelingTask[] => {
    const prediction = pick.predictionId === null ? undefined : predictions.get(pick.predictionId);
    const source = prediction ?? observations.get(pick.exampleId);
    // Deleted by retention between the choice and now.
    if (source === undefined) return [];
    return [
      {
        // The same again when a restart repeats the step: what is stored already is not stored twice.
        id: namedUuid(input.asOf, `${input.id} ${i}`),
        model: input.model,
        exampleId: pick.exampleId,
        at: source.at,
        features: source.features,
        batchId: input.id,
        origin: pick.origin,
        strategy: pick.origin === "random" ? "random" : chosen.strategy,
        acquisition: pick.acquisition,
        pick: i + 1,
        selectionProbability: pick.probability,
        poolSize: chosen.poolSize,
        ...(prediction === undefined
          ? {}
          : {
              predictionId: prediction.predictionId,
              version: prediction.version,
              scores: prediction.scores,
              ...(prediction.classes === undefined ? {} : { classes: prediction.classes }),
              decision: prediction.decision,
            }),
        needed: random.nextFloat() < policy.overlap ? 2 : 1,
        state: "open",
        createdAt: input.asOf,
      },
    ];
  });
  const order = Array.from(tasks, (_, i) => i);
  shuffleInPlace(order, random);
  return order.map((i) => tasks[i] as LabelingTask);
}
