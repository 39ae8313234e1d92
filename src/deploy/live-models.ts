/**
 * The models in memory. A version is loaded, hash-checked and probed before it is offered; swapping is one assignment between
 * two requests, so no request ever sees half a model. The previous champion stays warm for an instant rollback, and pinned
 * versions are kept in a small cache.
 */
import type { Instant, ModelHost, ObjectStore, RoutePlan, VersionRecord } from "../core/index.ts";
import { type LoadedModel, loadArtifact } from "../model/index.ts";
import type { Breaker } from "./breaker.ts";

export interface LiveVersion {
  readonly version: string;
  readonly model: LoadedModel;
  /** What was received up to here may have trained it. */
  readonly trainedThrough: Instant;
}

/** Who else answers for a model: the plan of its rollout, the challenger in memory, and how it has done in this replica. */
export interface LiveRoute {
  /** Of the routing row this replica serves. */
  readonly number: number;
  readonly plan: RoutePlan | null;
  readonly challenger?: { readonly version: string; readonly model: LoadedModel };
  readonly breaker?: Breaker;
  /** After a promotion: the champion before, which answers where the watched one fails. */
  readonly watch?: { readonly fallback: LiveVersion; readonly breaker: Breaker };
}

/** Pinned versions kept beside champion and previous champion: a handful is what comparisons need. */
const PINNED_CACHE = 8;

export class LiveModels {
  readonly #objects: ObjectStore;
  readonly #champions = new Map<string, LiveVersion>();
  readonly #loaded = new Map<string, LiveVersion>();
  readonly #routes = new Map<string, LiveRoute>();
  /** The champion before, kept warm: going back must not wait for a file. */
  readonly #previous = new Map<string, LiveVersion>();

  readonly #host: ModelHost | undefined;

  /** @param host runs models that came as ONNX; without one they answer in place, which only tests and tools want */
  constructor(objects: ObjectStore, host?: ModelHost) {
    this.#objects = objects;
    this.#host = host;
  }

  champion(model: string): LiveVersion | undefined {
    return this.#champions.get(model);
  }

  /**
   * Loads a version, or finds it warm. @throws ARTIFACT_CORRUPT, PROBE_MISMATCH, ARTIFACT_UNSUPPORTED.
   * Cost: one read of the artifact and at most 20 probe predictions.
   */
  async load(record: VersionRecord): Promise<LiveVersion> {
    const key = `${record.model}\u001f${record.name}\u001f${record.artifact}`;
    const warm = this.#loaded.get(key);
    if (warm !== undefined) {
      this.#loaded.delete(key);
      this.#loaded.set(key, warm);
      return warm;
    }
    const model = await loadArtifact(
      (name) => this.#objects.get(`artifacts/${record.artifact}/${name}`),
      record.artifact,
      this.#host,
    );
    const live: LiveVersion = { version: record.name, model, trainedThrough: record.trainedThrough };
    this.#loaded.set(key, live);
    this.#evict();
    return live;
  }

  /** From the next request on, this version answers. */
  swap(model: string, live: LiveVersion): void {
    const before = this.#champions.get(model);
    if (before !== undefined && before.version !== live.version) this.#previous.set(model, before);
    this.#champions.set(model, live);
  }

  route(model: string): LiveRoute | undefined {
    return this.#routes.get(model);
  }

  setRoute(model: string, route: LiveRoute): void {
    this.#routes.set(model, route);
  }

  remove(model: string): void {
    this.#champions.delete(model);
    this.#routes.delete(model);
  }

  #evict(): void {
    const routed = [...this.#routes.values()].map((route) => route.challenger?.model);
    const serving = new Set([...this.#champions.values(), ...this.#previous.values()]);
    for (const live of this.#loaded.values()) if (routed.includes(live.model)) serving.add(live);
    for (const { watch } of this.#routes.values()) if (watch !== undefined) serving.add(watch.fallback);
    for (const [key, live] of this.#loaded) {
      if (this.#loaded.size <= PINNED_CACHE + serving.size) return;
      if (serving.has(live)) continue;
      this.#loaded.delete(key);
      live.model.close?.();
    }
  }
}
