/**
 * Keeps this replica's models in step with the numbered routing row. A new routing is loaded first and told as loaded; it serves
 * when all live replicas have it or it waited long enough, so that users do not hop between answers. A replica that finds itself
 * behind what serves is not ready until it has caught up.
 */
import { asRetrainError, type Routing, type ServingCounts } from "../../core/index.ts";
import { Breaker } from "../../deploy/breaker.ts";
import { raiseAlert } from "../alerts.ts";
import { loadChampion } from "../champions.ts";
import type { LoopContext } from "../context.ts";

export class RoutingKeeper {
  readonly #context: LoopContext;
  readonly #loaded = new Map<string, number>();
  readonly #behind = new Map<string, string>();
  readonly #pending = new Set<string>();
  readonly #tails = new Map<string, Promise<void>>();

  constructor(context: LoopContext) {
    this.#context = context;
  }

  /** Why this replica must not get requests; empty when it may. */
  behind(): readonly string[] {
    return [...this.#behind.values()];
  }

  counts(): Readonly<Record<string, ServingCounts>> {
    const counts: Record<string, ServingCounts> = {};
    for (const { name } of this.#context.spec.models) {
      const breaker = this.#context.live.route(name)?.breaker;
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
    for (const { name } of this.#context.spec.models) await this.sync(name);
  }

  /** Called each second: tells others what is loaded, and looks again where a routing waits for somebody. */
  async beat(): Promise<void> {
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
    live.setRoute(model, {
      number,
      plan: challenger === undefined ? null : plan,
      ...(challenger === undefined ? {} : { challenger }),
      ...(plan === null || challenger === undefined ? {} : { breaker: new Breaker(plan.rollout, plan.phase) }),
    });
    this.#loaded.set(model, Math.max(number, this.#loaded.get(model) ?? 0));
    this.#behind.delete(model);
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
