/** Builds the loop over its ports. START at `tick.ts` and `run.ts`; this file only connects. */
import type {
  Engine,
  Instant,
  JobPool,
  JsonObject,
  Logger,
  ModelHost,
  ObjectStore,
  RunRecord,
  Store,
  SystemClock,
  VirtualWorldClock,
  WorldClock,
} from "../core/index.ts";
import { fail } from "../core/index.ts";
import type { RetrainSpec } from "../config/spec.ts";
import { LiveModels } from "../deploy/live-models.ts";
import { advance } from "./advance.ts";
import { recordApproval } from "./approvals.ts";
import { compareVersions } from "./compare.ts";
import { diagnose } from "./diagnose.ts";
import { createBus, createMutex, type LoopContext, modelSpec, type ProcessRole } from "./context.ts";
import type { IngestRequest, Loop } from "./contract.ts";
import { EntityStates } from "./entity-state.ts";
import { driftSurface } from "./drift-view.ts";
import { readEvaluation } from "./evaluation.ts";
import { raiseEvent } from "./events.ts";
import { createFeedback } from "./feedback/index.ts";
import { versionImportance } from "./importance.ts";
import { ingest } from "./ingest.ts";
import { createLabeling, registerLabeling } from "./labeling/index.ts";
import { performanceSeries } from "./performance.ts";
import { Predictor } from "./predict.ts";
import { makeChampion, previousChampion } from "./promote.ts";
import { planRollback } from "./rollback.ts";
import { replayQuarantine } from "./quarantine.ts";
import { reproduce } from "./reproduce.ts";
import { endWatch } from "./rollouts/begin.ts";
import { rollBackTripped } from "./rollouts/drive.ts";
import { RoutingKeeper } from "./rollouts/keeper.ts";
import { createReviews } from "./reviews/index.ts";
import { createRolloutSurface } from "./rollouts/surface.ts";
import { createRunWorkflow } from "./run.ts";
import { closeRun, RUN_WORKFLOW, startRun } from "./start-run.ts";
import { Schedule } from "./schedule.ts";
import { slicePerformance } from "./slices.ts";
import { SourcePoller } from "./sources.ts";
import { modelSummaries, statusTable } from "./status.ts";
import { advanceFolds, tick } from "./tick.ts";
import { createTickNotes } from "./tick-notes.ts";
import { keepBackbones } from "./backbones.ts";
import { exportOnnxVersion, importOnnxVersion } from "./onnx.ts";
import { exportVersion, importVersion, signingKey } from "./transfer.ts";
import { explainTriggers } from "./triggers.ts";

export interface LoopOptions {
  readonly spec: RetrainSpec;
  readonly store: Store;
  readonly objects: ObjectStore;
  readonly engine: Engine;
  readonly jobs: JobPool;
  readonly worldClock: WorldClock | VirtualWorldClock;
  readonly systemClock: SystemClock;
  readonly logger: Logger;
  readonly directory: string;
  /** Runs models that came as ONNX, each in a process of its own. */
  readonly modelHost?: ModelHost;
  /** Default: a process that does everything, named `main`. */
  readonly role?: ProcessRole;
  readonly instance?: string;
}

export function createLoop(options: LoopOptions): Loop & { readonly predictor: Predictor } {
  const bus = createBus(options.logger, () => options.worldClock.now());
  const context: LoopContext = {
    ...options,
    role: options.role ?? "all",
    instance: options.instance ?? "main",
    live: new LiveModels(options.objects, options.modelHost),
    ticks: createTickNotes(),
    states: new EntityStates(() => context),
    routing: { sync: (model) => keeper.sync(model), fresh: () => keeper.fresh(), counts: () => keeper.counts() },
    emit: (type, model, data) => bus.emit(type, model, data),
  };
  const keeper = new RoutingKeeper(context);
  const { store, engine } = context;
  const exclusive = createMutex();
  const predictor = new Predictor(context, (model, rollout, reason) => {
    void rollBackTripped(context, model, rollout, reason).catch((error: unknown) =>
      context.logger.error({ model, rollout, error: String(error) }, "a tripped rollout was not rolled back"),
    );
  });
  const touch = (model: string) => context.ticks.dirty.add(model);
  const ingestRows = async (request: IngestRequest) => {
    const result = await ingest(context, request);
    touch(request.model);
    return result;
  };
  const tickModel = (model: string, at: Instant) => exclusive(model, () => tick(context, model, at));
  const schedule = new Schedule(context, predictor, tickModel, {
    sources: new SourcePoller(context, ingestRows),
    keeper,
    fold: (model) => exclusive(model, () => advanceFolds(context, model)),
  });
  engine.register(RUN_WORKFLOW, createRunWorkflow(context));
  registerLabeling(engine, context);
  bus.subscribe((event) => {
    if (event.type === "run.updated" && event.model !== null) touch(event.model);
  });

  const rolloutSurface = createRolloutSurface(context);
  return {
    ...rolloutSurface,
    ...driftSurface(context),
    get spec() {
      return context.spec;
    },
    store,
    worldClock: options.worldClock,
    predictor,
    async start() {
      if (context.role !== "api") await keepBackbones(context);
      await schedule.start();
    },
    async stop() {
      await schedule.stop();
      // A start then reads nothing twice; without it, what came since the last tick that kept the states.
      if (context.role !== "api") await context.states.keepAll().catch((error: unknown) => notKept(context, error));
    },
    ready: () => schedule.ready(),
    model: (name) => modelSpec(context, name),
    summaries: () => modelSummaries(context),
    status: (model) => statusTable(context, model),
    diagnose: (model) => diagnose(context, model),
    slices: (query) => slicePerformance(context, query),
    explainTriggers: (model) => explainTriggers(context, model),
    performance: (query) => performanceSeries(context, query),
    ingest: ingestRows,
    labeling: createLabeling(context),
    feedback: createFeedback(context),
    reviews: createReviews(context),
    predict(request) {
      touch(request.model);
      return predictor.predict(request);
    },
    answer(request, give, refuse) {
      touch(request.model);
      predictor.answer(request, give, refuse);
    },
    async replayQuarantine(model, ids) {
      modelSpec(context, model);
      touch(model);
      return replayQuarantine(context, model, ids);
    },
    async requestRun(model, { reason, actor, strategy }) {
      // Elsewhere the leader ticks; two ticks of one model at a time would judge the same evidence twice.
      if (context.role !== "api") await exclusive(model, () => tick(context, model, context.worldClock.now()));
      const started = await startRun(context, {
        model,
        cause: { trigger: "manual", reason, decisionIds: [] },
        ...(strategy === undefined ? {} : { strategy }),
      });
      await audit(context, actor, "run.request", started.run.id, { model, reason });
      return started;
    },
    cancelRun: (id, actor) => cancelRun(context, id, actor),
    evaluation: (runId) => readEvaluation(context, runId),
    async promote(model, version, actor, reason) {
      modelSpec(context, model);
      const active = await endWatch(context, model, `${actor} promotes ${version} by hand`);
      if (active !== undefined) {
        // The version a person names wins: by the rollout itself, or instead of it.
        const isChallenger = active.challenger === version;
        await rolloutSurface.changeRollout(model, isChallenger ? "promote" : "abort", actor, reason);
        if (isChallenger) return store.registry.routing(model);
      }
      const { routing } = await makeChampion(context, { model, version, actor, reason, action: "promotion" });
      touch(model);
      return routing;
    },
    async rollback(model, actor, reason) {
      modelSpec(context, model);
      if ((await store.rollouts.active(model)) !== undefined) {
        await rolloutSurface.changeRollout(model, "rollback", actor, reason);
        return store.registry.routing(model);
      }
      const previous = await previousChampion(context, model);
      const { routing } = await makeChampion(context, {
        model,
        version: previous.name,
        actor,
        reason,
        action: "rollback",
      });
      touch(model);
      return routing;
    },
    rollbackPlan: (model) => planRollback(context, model),
    reproduce: (model, version) => reproduce(context, model, version),
    importance: (model, version) => versionImportance(context, model, version),
    compareVersions: (model, names) => compareVersions(context, model, names),
    async approve(request) {
      const approval = await recordApproval(context, request);
      touch(request.model);
      const { runId } = await tickModel(request.model, context.worldClock.now());
      return { approval, runId: runId ?? null };
    },
    exportVersion: (model, version) => exportVersion(context, model, version),
    exportKey: async () => (await signingKey(options.directory)).publicKey,
    async importVersion(model, archive, actor) {
      const imported = await importVersion(context, model, archive, actor);
      touch(model);
      const { runId } = await tickModel(model, context.worldClock.now());
      return { ...imported, runId: runId ?? null };
    },
    exportOnnx: (model, version, options) => exportOnnxVersion(context, model, version, options),
    async importOnnx(model, onnx, actor) {
      const version = await importOnnxVersion(context, model, onnx, actor);
      touch(model);
      const { runId } = await tickModel(model, context.worldClock.now());
      return { version, runId: runId ?? null };
    },
    async raiseEvent(name, model, details) {
      const models = await raiseEvent(context, name, model, details);
      for (const one of models) touch(one);
      return { models };
    },
    tick: tickModel,
    advance: (to) => exclusive("advance", () => advance(context, to, tickModel)),
    async reconfigure(spec) {
      await schedule.reconfigure(spec);
      if (context.role !== "api") await keepBackbones(context);
    },
    subscribe: (listener) => bus.subscribe(listener),
  };
}

async function audit(
  context: LoopContext,
  actor: string,
  action: string,
  subject: string,
  details: JsonObject,
): Promise<void> {
  await context.store.settings.audit({ at: context.worldClock.now(), actor, action, subject, details });
}

async function cancelRun(context: LoopContext, id: string, actor: string): Promise<RunRecord> {
  const { runs } = context.store;
  const run = await runs.get(id);
  if (run === undefined) {
    throw fail("RUN_UNKNOWN", {
      message: `There is no run ${JSON.stringify(id.slice(0, 60))}.`,
      remedy: "List the runs of the model.",
    });
  }
  if (run.state !== "queued" && run.state !== "running") {
    throw fail("RUN_FINISHED", { message: `Run ${id} has ended (${run.state}).`, remedy: "Start a new run instead." });
  }
  await audit(context, actor, "run.cancel", id, { model: run.model });
  await context.engine.cancel(id);
  await context.engine.wait(id);
  await closeRun(context, id, "canceled");
  return (await runs.get(id)) as RunRecord;
}

export type { LoopContext, ProcessRole } from "./context.ts";
export type * from "./contract.ts";

function notKept({ logger }: LoopContext, error: unknown): void {
  logger.warn(
    { error: String(error) },
    "entity states were not written at the end; the next start reads more of the log",
  );
}
