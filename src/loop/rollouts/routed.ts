/**
 * Answers while a rollout is open: who is asked, what happens when the challenger fails, and which requests are mirrored. The
 * user's answer never depends on the challenger's health: every failure ends as the champion's answer, within the deadline.
 */
import { type Features, type PredictionEvent, uuidV7, type Variant } from "../../core/index.ts";
import { askChallenger, type CheckedAnswer } from "../../deploy/answer.ts";
import { bucketOf, isMirrored, variantOf } from "../../deploy/assignment.ts";
import type { LiveRoute, LiveVersion } from "../../deploy/live-models.ts";
import type { Prediction } from "../../model/index.ts";
import type { LoopContext } from "../context.ts";

/** Mirrored requests that wait for a turn; beyond it they are left out and counted: shadow work must not eat the machine. */
const MIRROR_QUEUE = 10_000;
/** A version that was just promoted is nobody's experiment: it may be as slow as it was tested, but not for ever. */
const WATCHED_DEADLINE_MS = 1_000;
/** Mirrored answers a turn of the event loop: about a millisecond of a large forest. */
const MIRROR_TURN = 32;

export interface RoutedAnswer {
  readonly answer: Prediction;
  /** The version that answered. */
  readonly version: string;
  /** What the request counts for; absent for a forced one. */
  readonly variant?: Variant;
}
interface Mirrored {
  readonly model: string;
  readonly route: LiveRoute;
  readonly event: PredictionEvent;
}

export class RoutedAnswers {
  readonly #context: LoopContext;
  readonly #onTrip: (model: string, rollout: string, reason: string) => void;
  readonly #queue: Mirrored[] = [];
  #draining: Promise<void> | undefined;

  constructor(context: LoopContext, onTrip: (model: string, rollout: string, reason: string) => void) {
    this.#context = context;
    this.#onTrip = onTrip;
  }

  /** @param request `forced`: the override of a test; it is answered as asked and takes part in no experiment */
  answer(
    at: { readonly model: string; readonly champion: LiveVersion; readonly route: LiveRoute },
    request: { readonly features: Features; readonly key: string; readonly forced?: Variant },
  ): RoutedAnswer | Promise<RoutedAnswer> {
    const { plan, challenger, watch } = at.route;
    if (watch !== undefined) return this.#watched(at, request.features, watch);
    if (plan === null || challenger === undefined) return this.#byChampion(at, request.features, undefined);
    const variant = request.forced ?? variantOf(bucketOf(plan.salt, request.key), plan.share);
    const counted = request.forced === undefined ? variant : undefined;
    const isTripped = at.route.breaker?.tripped !== undefined;
    if (variant === "champion" || isTripped) return this.#byChampion(at, request.features, counted);
    const { breaker } = at.route;
    const asked = askChallenger(challenger.model, request.features, this.#context.systemClock, breaker?.deadlineMs());
    const settle = (checked: CheckedAnswer) => this.#settle(at, request.features, { checked, counted });
    return asked instanceof Promise ? asked.then(settle) : settle(asked);
  }

  #byChampion(
    at: { readonly champion: LiveVersion; readonly route: LiveRoute },
    features: Features,
    variant: Variant | undefined,
  ): RoutedAnswer | Promise<RoutedAnswer> {
    const { systemClock } = this.#context;
    const startedMs = systemClock.monotonicMs();
    const { model, version } = at.champion;
    const settle = (answer: Prediction): RoutedAnswer => {
      at.route.breaker?.championTook((systemClock.monotonicMs() - startedMs) * 1000);
      return { answer, version, ...(variant === undefined ? {} : { variant }) };
    };
    if (model.remote === undefined) return settle(model.predictRow(features));
    return model.remote.predictRows([features]).then(([answer]) => settle(answer as Prediction));
  }

  /** The watched champion, and the one before it where it fails. */
  #watched(
    at: { readonly model: string; readonly champion: LiveVersion },
    features: Features,
    { fallback, breaker }: NonNullable<LiveRoute["watch"]>,
  ): RoutedAnswer | Promise<RoutedAnswer> {
    const { model, version } = at.champion;
    const settle = (checked: CheckedAnswer): RoutedAnswer | Promise<RoutedAnswer> => {
      if (breaker.record(checked.bad, checked.micros))
        this.#onTrip(at.model, breaker.rollout, breaker.tripped as string);
      if (checked.row !== undefined) return { answer: checked.row, version };
      const { remote } = fallback.model;
      if (remote === undefined) return { answer: fallback.model.predictRow(features), version: fallback.version };
      return remote
        .predictRows([features])
        .then(([answer]) => ({ answer: answer as Prediction, version: fallback.version }));
    };
    const { systemClock, worldClock } = this.#context;
    // A replay must not depend on how busy the machine is.
    const isReplayed = worldClock.kind === "virtual" && model.remote === undefined;
    const deadlineMs = isReplayed ? Number.POSITIVE_INFINITY : WATCHED_DEADLINE_MS;
    const asked = askChallenger(model, features, systemClock, deadlineMs);
    return asked instanceof Promise ? asked.then(settle) : settle(asked);
  }

  #settle(
    at: { readonly model: string; readonly champion: LiveVersion; readonly route: LiveRoute },
    features: Features,
    { checked, counted }: { readonly checked: CheckedAnswer; readonly counted: Variant | undefined },
  ): RoutedAnswer | Promise<RoutedAnswer> {
    this.#count(at.model, at.route, checked);
    if (checked.row === undefined) return this.#byChampion(at, features, counted);
    const version = (at.route.challenger as { version: string }).version;
    return { answer: checked.row, version, ...(counted === undefined ? {} : { variant: counted }) };
  }

  #count(model: string, route: LiveRoute, checked: CheckedAnswer): void {
    const { breaker, challenger } = route;
    if (breaker === undefined) return;
    const limit = breaker.slowLimit(challenger?.model.remote !== undefined);
    const isSlow = checked.bad === undefined && checked.micros > limit;
    if (breaker.record(checked.bad ?? (isSlow ? "slow" : undefined), checked.micros)) {
      this.#onTrip(model, breaker.rollout, breaker.tripped as string);
    }
  }

  /** Off the request path: the challenger answers too, and nobody sees it but the statistics. */
  mirror(model: string, route: LiveRoute, events: readonly PredictionEvent[]): void {
    const { plan, breaker } = route;
    if (plan === null || plan.mirror <= 0 || breaker?.tripped !== undefined) return;
    for (const event of events) {
      if (!isMirrored(plan, event.predictionId)) continue;
      if (this.#queue.length >= MIRROR_QUEUE) {
        if (breaker !== undefined) breaker.mirrorDropped += 1;
      } else this.#queue.push({ model, route, event });
    }
    if (this.#queue.length > 0) this.#draining ??= this.#drain();
  }

  /** Resolves when nothing mirrored is waiting. On a virtual clock answers wait for it, so that a replay is the same every time. */
  settled(): Promise<void> {
    return this.#draining ?? Promise.resolve();
  }

  async #drain(): Promise<void> {
    try {
      while (this.#queue.length > 0) {
        await new Promise((resolve) => setImmediate(resolve));
        const turn = this.#queue.splice(0, MIRROR_TURN);
        const byModel = new Map<string, PredictionEvent[]>();
        for (const one of turn) {
          const event = await this.#shadow(one);
          if (event === undefined) continue;
          const events = byModel.get(one.model) ?? [];
          events.push(event);
          byModel.set(one.model, events);
        }
        for (const [model, events] of byModel) await this.#context.store.log.append({ model, events });
      }
    } catch (error) {
      this.#context.logger.warn({ error: String(error) }, "mirrored answers were not logged");
    } finally {
      this.#draining = undefined;
    }
  }

  async #shadow({ model, route, event }: Mirrored): Promise<PredictionEvent | undefined> {
    const { challenger, breaker } = route;
    if (challenger === undefined || breaker?.tripped !== undefined) return undefined;
    const { systemClock } = this.#context;
    const checked = await askChallenger(challenger.model, event.features, systemClock, breaker?.deadlineMs());
    this.#count(model, route, checked);
    if (checked.row === undefined) return undefined;
    return shadowEvent(event, {
      version: challenger.version,
      row: checked.row,
      classes: challenger.model.classes,
      predictionId: uuidV7(this.#context.worldClock.now()),
    });
  }
}

/** The invisible answer to a logged request. */
export function shadowEvent(
  request: PredictionEvent,
  shadow: {
    readonly version: string;
    readonly row: Prediction;
    readonly classes: PredictionEvent["classes"];
    readonly predictionId: string;
  },
): PredictionEvent {
  const { exampleId, at, unit, features } = request;
  const { version, row, classes, predictionId } = shadow;
  return {
    kind: "prediction",
    predictionId,
    exampleId,
    at,
    ...(unit === undefined ? {} : { unit }),
    version,
    features,
    scores: row.scores,
    ...(classes !== undefined && classes.length > 2 ? { classes } : {}),
    decision: row.decision,
    origin: "shadow",
    variant: "challenger",
  };
}
