/**
 * Keeps this replica's models in step with the numbered routing row. A new routing is loaded first and told as loaded; it serves
 * when all live replicas have it or it waited long enough, so that users do not hop between answers. A replica that finds itself
 * behind what serves is not ready until it has caught up.
 */
import { asRetrainError, type Routing, type ServingCounts } from "../../core/index.ts";
import { Breaker } from "../../deploy/breaker.ts";
import type { LiveRoute } from "../../deploy/live-models.ts";
import { raiseAlert } from "../alerts.ts";
import { loadChampion } from "../champions.ts";
import type { LoopContext } from "../context.ts";

/** A look is due each second; a replica that missed two was held up and looks before it answers. */
const FRESH_MS = 2_000;
/** While a routing is in memory here and others may serve it any moment. */
const FRESH_PENDING_MS = 100;
/** Requests wait so long for a look: a database that does not answer must not keep a model from answering. */
const LOOK_WAIT_MS = 500;
/** After a look that failed the next one is waited for only so much later. */
const LOOK_AGAIN_MS = 1_000;

export class RoutingKeeper {
  readonly #context: LoopContext;
  readonly #loaded = new Map<string, number>();
  readonly #behind = new Map<string, string>();
  readonly #pending = new Set<string>();
  readonly #tails = new Map<string, Promise<void>>();

  /** Monotonic ms at which the last look at the routing rows began. */
  #lookedMs = Number.NEGATIVE_INFINITY;
  #looking: Promise<void> | undefined;

  constructor(context: LoopContext) {
    this.#context = context;
  }

  /** Why this replica must not get requests; empty when it may. */
  behind(): readonly string[] {
    const held = this.#isStale(2 * FRESH_MS)
      ? ["This process was held up and has not looked at the routing since."]
      : [];
    return [...held, ...this.#behind.values()];
  }

  /**
   * Undefined while this replica knows the routing; else what to wait for before answering. A process that was paused, or cut off
   * from the database for a while, must not answer by a routing that others have left. A database that does not answer is waited
   * for once in a while and briefly: then the versions in memory answer, as always without it.
   */
  fresh(): Promise<void> | undefined {
    if (!this.#isStale(this.#pending.size > 0 ? FRESH_PENDING_MS : FRESH_MS)) return undefined;
    if (this.#context.store.health().state === "down") return undefined;
    this.#looking ??= this.#lookInTime().finally(() => {
      this.#looking = undefined;
    });
    return this.#looking;
  }

  async #lookInTime(): Promise<void> {
    const { systemClock, logger } = this.#context;
    const stop = new AbortController();
    const late = systemClock
      .sleep(LOOK_WAIT_MS, stop.signal)
      .then(() => Promise.reject(new Error("no answer in time")));
    try {
      await Promise.race([this.look(), late]);
    } catch (error) {
      logger.warn({ error: String(error) }, "the routing could not be looked at; the versions in memory answer");
      this.#lookedMs = systemClock.monotonicMs() - FRESH_MS + LOOK_AGAIN_MS;
    } finally {
      stop.abort();
    }
  }

  #isStale(afterMs: number): boolean {
    const { store, systemClock } = this.#context;
    return store.rollouts.isShared && systemClock.monotonicMs() - this.#lookedMs > afterMs;
  }

  /** Follows every model whose serving routing is newer than what is served here. */
  async look(): Promise<void> {
    const { store, spec, live, systemClock, logger } = this.#context;
    const startedMs = systemClock.monotonicMs();
    const numbers = await store.rollouts.servingNumbers();
    for (const { name } of spec.models) {
      if ((numbers.get(name) ?? 0) <= (live.route(name)?.number ?? 0)) continue;
      // One model that cannot be loaded must not hold up the others; it makes this replica unready.
      await this.sync(name).catch((error: unknown) =>
        logger.error({ model: name, error: String(error) }, "a routed version could not be loaded"),
      );
    }
    this.#lookedMs = Math.max(this.#lookedMs, startedMs);
  }

  counts(): Readonly<Record<string, ServingCounts>> {
    const counts: Record<string, ServingCounts> = {};
    for (const { name } of this.#context.spec.models) {
      const route = this.#context.live.route(name);
      const breaker = route?.breaker ?? route?.watch?.breaker;
      if (breaker !== undefined) counts[name] = breaker.counts();
    }
    return counts;
  }

  /** Reads the routing of a model and follows it; calls for one model run one after the other. */
  sync(model: string): Promise<void> {
    const before = this.#tails.get(model) ?? Promise.resolve();
    const mine = before.then(() => this.#follow(model));
    this.#tails.set(
      model,
      mine.catch(() => {}),
    );
    return mine;
  }

  async syncAll(): Promise<void> {
    const startedMs = this.#context.systemClock.monotonicMs();
    for (const { name } of this.#context.spec.models) await this.sync(name);
    this.#lookedMs = startedMs;
  }

  /** Called each second: looks at what serves, tells others what is loaded, and follows where a routing waits for somebody. */
  async beat(): Promise<void> {
    if (this.#context.store.rollouts.isShared) await this.look();
    await this.#tell();
    for (const model of Array.from(this.#pending)) await this.sync(model);
  }

  async leave(): Promise<void> {
    if (this.#context.store.rollouts.isShared) await this.#context.store.rollouts.leave();
  }

  async #tell(): Promise<void> {
    const { role, store } = this.#context;
    // A worker answers nobody: waiting for it would only delay the others.
    if (role === "worker" || !store.rollouts.isShared) return;
    await store.rollouts.heartbeat({ loaded: Object.fromEntries(this.#loaded), serving: this.counts() });
  }

  async #follow(model: string): Promise<void> {
    const { registry, rollouts } = this.#context.store;
    const serving = await rollouts.serving(model);
    if (serving !== undefined && serving.number > 0) await this.#serve(serving);
    const latest = await registry.routing(model);
    if (latest.active || latest.number === 0) {
      this.#pending.delete(model);
      return;
    }
    this.#pending.add(model);
    if ((this.#loaded.get(model) ?? 0) < latest.number) {
      await this.#load(latest);
      await this.#tell();
    }
    const active = await rollouts.activate(model);
    if (active === undefined) return;
    this.#pending.delete(model);
    await this.#serve(active);
  }

  /** Into memory, without serving it. */
  async #load(routing: Routing): Promise<void> {
    const { live, store } = this.#context;
    for (const name of [routing.champion, routing.challenger]) {
      if (name === null) continue;
      const record = await store.registry.get(routing.model, name);
      if (record !== undefined) await live.load(record);
    }
    this.#loaded.set(routing.model, routing.number);
  }

  async #serve(routing: Routing): Promise<void> {
    const { live } = this.#context;
    const { model, number } = routing;
    const current = live.route(model);
    if (current !== undefined && current.number >= number) return;
    this.#behind.set(model, `Routing ${number} of ${model} serves and is not loaded here yet.`);
    if (routing.champion !== null && live.champion(model)?.version !== routing.champion) {
      await loadChampion(this.#context, model, routing.champion);
    }
    const challenger = await this.#challenger(routing);
    const { plan } = routing;
    const route = {
      number,
      plan: challenger === undefined ? null : plan,
      ...(challenger === undefined ? {} : { challenger }),
      ...(plan === null || challenger === undefined ? {} : { breaker: new Breaker(plan.rollout, plan.phase) }),
    };
    live.setRoute(model, route);
    this.#loaded.set(model, Math.max(number, this.#loaded.get(model) ?? 0));
    this.#behind.delete(model);
    // Afterwards: a way back is not held up by the question whether there is another one.
    const watch = plan === null ? await this.#watch(routing) : undefined;
    if (watch !== undefined && live.route(model) === route) live.setRoute(model, { ...route, watch });
  }

  /** The champion before a promotion that is watched; one that cannot be loaded any more is no way back. */
  async #watch({ model, champion }: Routing): Promise<LiveRoute["watch"]> {
    const { live, store, logger } = this.#context;
    const watched = await store.rollouts.active(model);
    if (watched?.state !== "watching" || watched.challenger !== champion) return undefined;
    try {
      const record = await store.registry.get(model, watched.champion);
      if (record === undefined) return undefined;
      return { fallback: await live.load(record), breaker: new Breaker(watched.id, watched.phases.length - 1) };
    } catch (error) {
      const { code, message } = asRetrainError(error);
      logger.warn({ model, version: watched.champion, code }, message);
      return undefined;
    }
  }

  /** A challenger that cannot be loaded answers nothing; the champion answers for it, and its rollout sees no exposure. */
  async #challenger(routing: Routing) {
    const { live, store, logger } = this.#context;
    if (routing.challenger === null || routing.plan === null) return undefined;
    try {
      const record = await store.registry.get(routing.model, routing.challenger);
      return record === undefined ? undefined : await live.load(record);
    } catch (error) {
      const failure = asRetrainError(error);
      logger.error({ model: routing.model, version: routing.challenger, code: failure.code }, failure.message);
      await raiseAlert(this.#context, {
        model: routing.model,
        key: `challenger.unusable:${routing.model}`,
        type: "challenger.unusable",
        severity: "warning",
        title: `Challenger ${routing.challenger} of ${routing.model} cannot be loaded`,
        message: `${failure.message} The champion answers its share.`,
        evidence: { challenger: routing.challenger, rollout: routing.plan.rollout },
      });
      return undefined;
    }
  }
}
