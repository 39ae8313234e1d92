/**
 * Everything that happens by the clock, and the order of starting: champions into memory, then the engine (which resumes
 * interrupted runs), then timers. Timers are on the system clock; ticks fall on aligned world instants.
 */
import { deliverDue } from "../alert/index.ts";
import type { RetrainSpec } from "../config/spec.ts";
import { DAY_MS, type Instant, type VirtualWorldClock } from "../core/index.ts";
import { raiseAlert, resolveAlert } from "./alerts.ts";
import { loadChampions } from "./champions.ts";
import type { LoopContext } from "./context.ts";
import { Leadership, RENEW_EVERY_MS } from "./leadership.ts";
import type { Predictor } from "./predict.ts";
import type { RoutingKeeper } from "./rollouts/keeper.ts";
import { applyRetention } from "./retention.ts";
import type { SourcePoller } from "./sources.ts";
import { resumeQueued } from "./start-run.ts";
import type { TickResult } from "./tick.ts";

/** How long rows may wait in the tail before they are compacted: the tail is the embedded database's share of the data. */
const COMPACT_EVERY_MS = 30_000;
/** Short enough that an unlogged answer is in the log within seconds of the store's return. */
const RETRY_EVERY_MS = 1_000;
/** Alerts go out within seconds; the outbox is one indexed query when it is empty. */
const DELIVER_EVERY_MS = 2_000;
/** How often the tick timer looks at the clock; ticks themselves fall on `tickEvery`. */
const LOOK_EVERY_MS = 1_000;
/** Logged answers that are folded without waiting for the tick: while they are new they are in memory. */
const FOLD_AHEAD_ROWS = 1_000;

/** How long the first tick waits for the first reading of the sources, ms: a large file must not keep other models from theirs. */
const FIRST_READING_MS = 10_000;

/** Other replicas call one without three beats dead. */
const BEAT_EVERY_MS = 1_000;

export type TickModel = (model: string, at: Instant) => Promise<TickResult>;

export interface ScheduleParts {
  readonly sources: SourcePoller;
  readonly keeper: RoutingKeeper;
  readonly fold: (model: string) => Promise<unknown>;
}

export class Schedule {
  readonly #context: LoopContext;
  readonly #predictor: Predictor;
  readonly #tickModel: TickModel;
  readonly #sources: SourcePoller;
  readonly #keeper: RoutingKeeper;
  readonly #fold: ScheduleParts["fold"];
  /** Logged answers by model when they were last folded ahead of a tick. */
  readonly #folded = new Map<string, number>();
  readonly #leadership: Leadership;
  #stopping = new AbortController();
  #loops: Promise<void>[] = [];
  #started = false;
  #unsubscribe: (() => void)[] = [];
  #lastTickAt: Instant = Number.NEGATIVE_INFINITY;
  /** When the first tick need not wait any more for the rows of the sources, by the monotonic clock, ms. */
  #firstTickMs = 0;

  constructor(context: LoopContext, predictor: Predictor, tickModel: TickModel, parts: ScheduleParts) {
    this.#context = context;
    this.#sources = parts.sources;
    this.#keeper = parts.keeper;
    this.#fold = parts.fold;
    this.#predictor = predictor;
    this.#tickModel = tickModel;
    this.#leadership = new Leadership(context.store.settings, context.instance, context.role !== "api");
  }

  async start(): Promise<void> {
    const { engine, store } = this.#context;
    this.#stopping = new AbortController();
    await loadChampions(this.#context);
    this.#unsubscribe = [
      store.registry.onRouting((routing) => {
        void this.#keeper
          .sync(routing.model)
          .catch((error: unknown) =>
            this.#context.logger.error(
              { model: routing.model, error: String(error) },
              "a routed version could not be loaded",
            ),
          );
      }),
      store.onHealth((health) => void this.#reportHealth(health.state, health.reason)),
    ];
    await this.#keeper.syncAll();
    await engine.start();
    await resumeQueued(this.#context);
    await this.#leadership.renew();
    this.#every("leadership", RENEW_EVERY_MS, () => this.#leadership.renew());
    this.#every("routing", BEAT_EVERY_MS, () => this.#keeper.beat());
    this.#whileLeading("tick", LOOK_EVERY_MS, () => this.#tickAll());
    this.#whileLeading("folds", LOOK_EVERY_MS, () => this.#foldAhead());
    this.#whileLeading("compaction", COMPACT_EVERY_MS, async () => void (await store.log.compact()));
    this.#every("retry of unlogged answers", RETRY_EVERY_MS, () => this.#predictor.retryUnlogged());
    const tools = {
      systemClock: this.#context.systemClock,
      logger: this.#context.logger,
      sent: new Map<string, Set<number>>(),
    };
    this.#whileLeading(
      "alerts",
      DELIVER_EVERY_MS,
      async () => void (await deliverDue(store.alerts, this.#context.spec.alerts, tools)),
    );
    this.#firstTickMs = this.#context.systemClock.monotonicMs() + FIRST_READING_MS;
    this.#whileLeading("sources", LOOK_EVERY_MS, async () => {
      await this.#sources.pollDue();
      this.#firstTickMs = 0;
    });
    this.#whileLeading("retention", DAY_MS, () => applyRetention(this.#context));
    this.#started = true;
  }

  async stop(): Promise<void> {
    this.#started = false;
    this.#stopping.abort();
    for (const unsubscribe of this.#unsubscribe) unsubscribe();
    await Promise.all(this.#loops);
    this.#loops = [];
    await this.#keeper.leave().catch(() => {});
    await this.#leadership.leave();
    await this.#context.engine.stop();
  }

  ready(): { readonly ready: boolean; readonly reasons: readonly string[] } {
    const reasons: string[] = [];
    if (!this.#started) reasons.push("The loop has not started.");
    const health = this.#context.store.health();
    if (health.state !== "up") reasons.push(`The store is ${health.state}: ${health.reason ?? "no reason given"}.`);
    reasons.push(...this.#keeper.behind());
    return { ready: reasons.length === 0, reasons };
  }

  async reconfigure(spec: RetrainSpec): Promise<void> {
    const before = this.#context.spec;
    this.#context.spec = spec;
    try {
      await loadChampions(this.#context);
      await this.#keeper.syncAll();
    } catch (error) {
      this.#context.spec = before;
      throw error;
    }
    for (const model of spec.models) this.#context.ticks.dirty.add(model.name);
    await this.#context.store.settings.audit({
      at: this.#context.worldClock.now(),
      actor: "configuration",
      action: "config.change",
      subject: "configuration",
      details: { changed: changedModels(before, spec) },
    });
    this.#context.emit("config.changed", null, { models: spec.models.map((model) => model.name) });
  }

  /** Runs a function again and again until stop; a failure is logged and the next turn tries again. */
  #every(what: string, periodMs: number, run: () => Promise<void>): void {
    const { systemClock, logger } = this.#context;
    const { signal } = this.#stopping;
    const loop = async () => {
      while (!signal.aborted) {
        await systemClock.sleep(periodMs, signal).catch(() => {});
        if (signal.aborted) return;
        await run().catch((error: unknown) =>
          logger.warn({ timer: what, error: String(error) }, "a timer failed; it tries again"),
        );
      }
    };
    this.#loops.push(loop());
  }

  #whileLeading(what: string, periodMs: number, run: () => Promise<void>): void {
    this.#every(what, periodMs, async () => {
      if (this.#leadership.leads) await run();
    });
  }

  async #tickAll(): Promise<void> {
    const { worldClock, spec } = this.#context;
    // During a replay the driver ticks; a timer beside it would make the decisions depend on the machine.
    if (worldClock.kind === "virtual" && (worldClock as VirtualWorldClock).speed() === 0) return;
    // A tick before the file of a new project is read would find no row, and its first version would be a tick later.
    if (spec.sources.length > 0 && this.#context.systemClock.monotonicMs() < this.#firstTickMs) return;
    const every = spec.server.tickEveryMs;
    const at = Math.floor(worldClock.now() / every) * every;
    if (at <= this.#lastTickAt) return;
    this.#lastTickAt = at;
    for (const model of spec.models) {
      if (this.#stopping.signal.aborted) return;
      await this.#tickModel(model.name, at).catch((error: unknown) =>
        this.#context.logger.error(
          { model: model.name, error: String(error) },
          "a tick failed; the next one tries again",
        ),
      );
    }
    this.#context.emit("tick", null, { now: at });
  }

  /** Many answers between two ticks would be a backlog for the tick, read back from the store; so they are counted as they come. */
  async #foldAhead(): Promise<void> {
    if (this.#context.worldClock.kind === "virtual") return;
    for (const { name } of this.#context.spec.models) {
      const logged = this.#predictor.logged.get(name) ?? 0;
      if (logged - (this.#folded.get(name) ?? 0) < FOLD_AHEAD_ROWS) continue;
      this.#folded.set(name, logged);
      await this.#fold(name);
    }
  }

  async #reportHealth(state: "up" | "down" | "full", reason: string | undefined): Promise<void> {
    const key = "store.unwell";
    const done = () => {};
    this.#context.emit("store.health", null, { state, reason: reason ?? null });
    if (state === "up") {
      await resolveAlert(this.#context, key, "The store takes writes again.").catch(done);
      return;
    }
    const title = state === "full" ? "The disk is full" : "The store is down";
    const message = `${title}: ${reason ?? "no reason given"}. Writes are refused; predictions go on unlogged.`;
    this.#context.logger.error({ state, reason: reason ?? null }, message);
    // The store that should keep the alert may be the one that is unwell; the log line and the event are out already.
    await raiseAlert(this.#context, {
      model: null,
      key,
      type: "store.unwell",
      severity: "critical",
      title,
      message,
      evidence: { state },
    }).catch(done);
  }
}

/** Names of models that were added, taken away, or described otherwise. */
function changedModels(before: RetrainSpec, after: RetrainSpec): string[] {
  const described = (spec: RetrainSpec) => new Map(spec.models.map((model) => [model.name, JSON.stringify(model)]));
  const [old, next] = [described(before), described(after)];
  return [...new Set([...old.keys(), ...next.keys()])].filter((name) => old.get(name) !== next.get(name)).sort();
}
