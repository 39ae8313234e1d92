/**
 * Experiments in the fold of labels: exposures as predictions arrive, and one entry per labelled example, in the same transaction
 * as the cursor. An example enters the sequence once, with the first label that was stated; what it counts for under the
 * effective label, corrections included, goes to separate sums. Which phase a prediction belongs to follows from when it
 * was received, which never changes, so late labels find the same phase after every restart.
 */
import type {
  CounterValues,
  Instant,
  Json,
  LabelEvent,
  LabelValue,
  LoggedEvent,
  OutcomeEvent,
  PredictionEvent,
  RolloutPhase,
  RolloutRecord,
  StageSpec,
  Variant,
} from "../../core/index.ts";
import { bucketOf } from "../../deploy/assignment.ts";
import { SHADOW_ALPHA } from "../../deploy/experiment.ts";
import { bucketCounters } from "../../deploy/bucket-sums.ts";
import { type ExactState, exactStart, isExact, updateExact } from "../../deploy/exact-interval.ts";
import type { LiveVersion } from "../../deploy/live-models.ts";
import { expectedMetric, type RowAnswer, rowMetric, scoreCell } from "../../deploy/row-metrics.ts";
import { effectiveLabel } from "../../data/effective-label.ts";
import type { ExampleFacts } from "../../feedback/label-join.ts";
import { askModel } from "../../model/index.ts";
import { toFixedPoint } from "../../stats/index.ts";
import { type LoopContext, modelSpec } from "../context.ts";

/** Rollouts whose late labels still count: the open one and the last few. */
const RECENT_ROLLOUTS = 5;

/** A request mirrored as it came is answered within seconds; hardly any label is faster. */
const FRESH_REQUEST_MS = 60_000;

export const counterName = (
  kind: "exposure" | "assigned" | "first" | "now" | "outcome",
  rollout: string,
  phase: number,
) => `rollout-${kind}:${rollout}:${phase}`;

export interface Sums {
  add(counter: string, version: string, at: Instant, values: CounterValues, sign: 1n | -1n): void;
}
type Logged<E extends PredictionEvent | LabelEvent | OutcomeEvent> = LoggedEvent<E>;
type ExactStates = Record<string, ExactState>;

interface Phase {
  readonly rollout: RolloutRecord;
  readonly index: number;
  readonly phase: RolloutPhase;
  readonly stage: StageSpec;
}
interface Entry {
  readonly arms: readonly { readonly arm: string; readonly y: number; readonly x: number }[];
  readonly bucket: number;
}

export class ExperimentFold {
  readonly #context: LoopContext;
  readonly #model: string;
  readonly #phases: readonly Phase[];
  readonly #versions = new Map<string, LiveVersion>();
  /** An example is judged four times: before and after, as first stated and as it stands. */
  readonly #answers = new Map<string, RowAnswer>();
  #exact: ExactStates;

  constructor(context: LoopContext, model: string, phases: readonly Phase[], state: Json) {
    this.#context = context;
    this.#model = model;
    this.#phases = phases;
    this.#exact = (typeof state === "object" && state !== null ? { ...(state as object) } : {}) as ExactStates;
  }

  /** @param state what the fold kept for experiments at its last commit */
  static async open(context: LoopContext, model: string, state: Json): Promise<ExperimentFold> {
    const rollouts = await context.store.rollouts.list({ model, limit: RECENT_ROLLOUTS });
    const phases = rollouts.flatMap((rollout) =>
      rollout.phases.map((phase, index) => ({
        rollout,
        index,
        phase,
        stage: rollout.stages[phase.stage] as StageSpec,
      })),
    );
    const fold = new ExperimentFold(context, model, phases, state);
    for (const { rollout } of phases) await fold.#load([rollout.champion, rollout.challenger]);
    return fold;
  }

  /** To be kept with the fold's commit. */
  state(): Json {
    return this.#exact as unknown as Json;
  }

  async #load(names: readonly string[]): Promise<void> {
    for (const name of names) {
      if (this.#versions.has(name)) continue;
      const record = await this.#context.store.registry.get(this.#model, name);
      if (record === undefined) continue;
      // A version that cannot be loaded cannot be compared; its rollout ends by the guardrails that need no model.
      await this.#context.live.load(record).then(
        (live) => this.#versions.set(name, live),
        (error: unknown) =>
          this.#context.logger.warn({ model: this.#model, version: name, error: String(error) }, "not comparable"),
      );
    }
  }

  #phaseAt(at: Instant, fits: (one: Phase) => boolean): Phase | undefined {
    return this.#phases.find(
      (one) => one.phase.enteredAt <= at && at < (one.phase.exitedAt ?? Number.POSITIVE_INFINITY) && fits(one),
    );
  }

  /** A mirrored answer to a request of some time ago, whose label may be known already; looking all of them up would cost too much. */
  isReplayed({ origin, at, receivedAt }: Logged<PredictionEvent>): boolean {
    if (origin !== "shadow" || receivedAt - at <= FRESH_REQUEST_MS) return false;
    return this.#phaseAt(receivedAt, ({ phase }) => phase.replaySince !== undefined) !== undefined;
  }

  exposures(predictions: readonly Logged<PredictionEvent>[], sums: Sums): void {
    if (this.#phases.length === 0) return;
    const { task } = modelSpec(this.#context, this.#model).schema;
    for (const prediction of predictions) {
      if (prediction.variant === undefined) continue;
      const found = this.#phaseAt(prediction.receivedAt, ({ phase }) => phase.kind !== "watch");
      if (found === undefined) continue;
      const { rollout, index, phase } = found;
      const mirrored = prediction.origin === "shadow";
      const failed = !mirrored && prediction.variant === "challenger" && prediction.version !== rollout.challenger;
      const arm = mirrored ? "mirrored" : prediction.variant;
      sums.add(
        counterName("exposure", rollout.id, index),
        mirrored && isOfReplay(phase, prediction.receivedAt) ? "replayed" : arm,
        prediction.receivedAt,
        failed ? { n: 1n, failed: 1n } : { n: 1n },
        1n,
      );
      const cell = scoreCell({ task, scores: prediction.scores });
      const values: Record<string, bigint> = failed ? {} : { [`s${cell}`]: 1n };
      if (!mirrored) values[`b${this.#bucket(rollout, prediction)}`] = 1n;
      sums.add(counterName("assigned", rollout.id, index), arm, 0, values, 1n);
    }
  }

  #bucket(rollout: RolloutRecord, prediction: PredictionEvent): number {
    return bucketOf(rollout.salt, prediction.unit ?? prediction.predictionId);
  }

  /** One example under what was known before this fold and after it. */
  async example(known: { readonly before: ExampleFacts; readonly after: ExampleFacts }, sums: Sums): Promise<void> {
    if (this.#phases.length === 0 || known.after.labels.length === 0) return;
    for (const one of this.#phases) {
      const { rollout, index } = one;
      const first = await this.#entry(one, known.after, "first");
      const entered = (await this.#entry(one, known.before, "first")) !== undefined;
      if (first !== undefined && !entered) {
        this.#add(counterName("first", rollout.id, index), first, sums, 1n);
        this.#follow(one, first);
      }
      const old = await this.#entry(one, known.before, "effective");
      const now = await this.#entry(one, known.after, "effective");
      if (old !== undefined && now !== undefined && JSON.stringify(old) === JSON.stringify(now)) continue;
      if (old !== undefined) this.#add(counterName("now", rollout.id, index), old, sums, -1n);
      if (now !== undefined) this.#add(counterName("now", rollout.id, index), now, sums, 1n);
    }
  }

  #add(counter: string, entry: Entry, sums: Sums, sign: 1n | -1n): void {
    for (const { arm, y, x } of entry.arms) sums.add(counter, arm, 0, bucketCounters(entry.bucket, y, x), sign);
  }

  #follow({ rollout, index, stage }: Phase, { arms }: Entry): void {
    const method = stage.kind === "ab" || stage.kind === "shadow" ? stage.method : undefined;
    if (!isExact(method)) return;
    const alpha = stage.kind === "ab" ? stage.alpha : SHADOW_ALPHA;
    for (const { arm, y } of arms) {
      const key = `${rollout.id}:${index}:${arm}`;
      const isPair = arm === "paired";
      const state = this.#exact[key] ?? exactStart(method);
      const next = updateExact(state, isPair ? (y + 1) / 2 : y, isPair ? alpha : alpha / 2);
      this.#exact = { ...this.#exact, [key]: next };
    }
  }

  async #entry(one: Phase, facts: ExampleFacts, which: "first" | "effective"): Promise<Entry | undefined> {
    const stated = statedLabel(facts.labels, which);
    if (stated === undefined) return undefined;
    const firstLabelAt = facts.labels.reduce(
      (least, label) => Math.min(least, label.receivedAt),
      Number.POSITIVE_INFINITY,
    );
    const { phase } = one;
    if (phase.kind === "shadow" || phase.replaySince !== undefined) {
      const pair = await this.#shadowPair(one, facts, stated, firstLabelAt);
      if (pair !== undefined || phase.kind === "shadow") return pair;
    }
    const live = facts.predictions.filter(
      (prediction) =>
        prediction.origin === "live" &&
        prediction.receivedAt >= phase.enteredAt &&
        prediction.receivedAt < (phase.exitedAt ?? Number.POSITIVE_INFINITY),
    );
    return phase.kind === "watch"
      ? this.#watchPair(one, live, stated, firstLabelAt)
      : this.#single(one, live, stated, firstLabelAt);
  }

  async #single(
    one: Phase,
    live: readonly Logged<PredictionEvent>[],
    label: LabelValue,
    firstLabelAt: Instant,
  ): Promise<Entry | undefined> {
    const { rollout, stage } = one;
    const prediction = judged(
      live.filter((each) => each.variant !== undefined),
      firstLabelAt,
    );
    if (prediction === undefined) return undefined;
    const y = rowMetric(stage.metric, this.#logged(prediction), label);
    const champion = await this.#answer(rollout.champion, prediction);
    const x = champion === undefined ? 0 : expectedMetric(stage.metric, champion);
    return { arms: [{ arm: prediction.variant as Variant, y, x }], bucket: this.#bucket(rollout, prediction) };
  }

  /** A mirrored or replayed answer of the challenger beside the champion's. */
  async #shadowPair(
    one: Phase,
    facts: ExampleFacts,
    label: LabelValue,
    firstLabelAt: Instant,
  ): Promise<Entry | undefined> {
    const { rollout, phase } = one;
    const trained = this.#versions.get(rollout.challenger)?.trainedThrough ?? 0;
    // A label that may have trained the challenger would flatter it.
    if (firstLabelAt <= trained) return undefined;
    const shadow = facts.predictions
      .filter(
        (each) =>
          each.origin === "shadow" &&
          each.version === rollout.challenger &&
          each.receivedAt >= phase.enteredAt &&
          each.receivedAt < (phase.exitedAt ?? Number.POSITIVE_INFINITY),
      )
      .at(-1);
    if (shadow === undefined) return undefined;
    const champion = await this.#answer(rollout.champion, shadow);
    return champion && this.#pair(one, shadow, { champion, challenger: this.#logged(shadow), label });
  }

  /** After the promotion: what the previous champion would have said, from the logged features. */
  async #watchPair(
    one: Phase,
    live: readonly Logged<PredictionEvent>[],
    label: LabelValue,
    firstLabelAt: Instant,
  ): Promise<Entry | undefined> {
    const { rollout } = one;
    const prediction = judged(
      live.filter((each) => each.version === rollout.challenger),
      firstLabelAt,
    );
    const champion = prediction && (await this.#answer(rollout.champion, prediction));
    if (prediction === undefined || champion === undefined) return undefined;
    return this.#pair(one, prediction, { champion, challenger: this.#logged(prediction), label });
  }

  #pair(
    { rollout, stage }: Phase,
    prediction: PredictionEvent,
    pair: { readonly champion: RowAnswer; readonly challenger: RowAnswer; readonly label: LabelValue },
  ): Entry {
    const champion = rowMetric(stage.metric, pair.champion, pair.label);
    const challenger = rowMetric(stage.metric, pair.challenger, pair.label);
    const better = stage.metric === "accuracy" ? challenger - champion : champion - challenger;
    return {
      arms: [
        { arm: "paired", y: better, x: 0 },
        { arm: "champion", y: champion, x: 0 },
        { arm: "challenger", y: challenger, x: 0 },
      ],
      bucket: this.#bucket(rollout, prediction),
    };
  }

  #logged(prediction: PredictionEvent): RowAnswer {
    const { task } = modelSpec(this.#context, this.#model).schema;
    const classes =
      task === "binary"
        ? [false, true]
        : (prediction.classes ?? this.#versions.get(prediction.version)?.model.classes ?? []);
    return { task, classes, scores: prediction.scores, decision: prediction.decision };
  }

  async #answer(version: string, prediction: PredictionEvent): Promise<RowAnswer | undefined> {
    if (prediction.version === version) return this.#logged(prediction);
    const live = this.#versions.get(version);
    if (live === undefined) return undefined;
    const key = `${version} ${prediction.predictionId}`;
    const known = this.#answers.get(key);
    if (known !== undefined) return known;
    const [row] = await askModel(live.model, [prediction.features]);
    if (row === undefined) return undefined;
    const { scores, decision } = row;
    const answer = { task: live.model.task, classes: live.model.classes, scores, decision };
    this.#answers.set(key, answer);
    return answer;
  }

  /** Business outcomes by the prediction they followed. */
  async outcomes(events: readonly Logged<OutcomeEvent>[], sums: Sums): Promise<void> {
    const wanted = new Set(this.#phases.flatMap(({ stage }) => stage.guards.map((guard) => guard.outcome)));
    const counted = events.filter((event) => wanted.has(event.name));
    if (counted.length === 0) return;
    const predictions = await this.#context.store.log.findPredictions(this.#model, {
      predictionIds: counted.flatMap((event) => event.predictionId ?? []),
      exampleIds: counted.flatMap((event) => event.exampleId ?? []),
    });
    for (const event of counted) {
      const prediction = predictions
        .filter(
          (one) =>
            one.origin === "live" &&
            one.receivedAt <= event.receivedAt &&
            (one.predictionId === event.predictionId || one.exampleId === event.exampleId),
        )
        .at(-1);
      if (prediction?.variant === undefined) continue;
      const found = this.#phaseAt(prediction.receivedAt, ({ phase }) => phase.kind !== "watch");
      if (found === undefined) continue;
      const values = { [`${event.name}\u001f${this.#bucket(found.rollout, prediction)}`]: toFixedPoint(event.value) };
      sums.add(counterName("outcome", found.rollout.id, found.index), prediction.variant, 0, values, 1n);
    }
  }
}

/** A replayed request is no sign that anybody asks in this stage. */
function isOfReplay({ replaySince, replayed, replayedAt }: RolloutPhase, receivedAt: Instant): boolean {
  if (replaySince === undefined) return false;
  return replayedAt === undefined ? replayed === undefined : receivedAt <= replayedAt;
}

/** The first value anybody stated, or the one that counts now. */
function statedLabel(labels: readonly Logged<LabelEvent>[], which: "first" | "effective"): LabelValue | undefined {
  if (which === "effective") return effectiveLabel(labels)?.value;
  let first: Logged<LabelEvent> | undefined;
  for (const label of labels) {
    if (label.value !== null && (first === undefined || isEarlier(label, first))) first = label;
  }
  return first?.value ?? undefined;
}

const isEarlier = (one: Logged<LabelEvent>, other: Logged<LabelEvent>) =>
  one.transactionId !== other.transactionId ? one.transactionId < other.transactionId : one.seq < other.seq;

/** The last prediction before the first label; where the label came first, the earliest. */
function judged(
  predictions: readonly Logged<PredictionEvent>[],
  firstLabelAt: Instant,
): Logged<PredictionEvent> | undefined {
  const before = predictions.filter((one) => one.receivedAt <= firstLabelAt);
  const later = (left: Logged<PredictionEvent>, right: Logged<PredictionEvent>) =>
    left.receivedAt - right.receivedAt ||
    Number(left.transactionId - right.transactionId) ||
    Number(left.seq - right.seq);
  return before.length > 0 ? before.toSorted(later).at(-1) : predictions.toSorted(later)[0];
}
