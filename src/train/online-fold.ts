/**
 * Incremental learning as a fold over labelled examples: each is answered first and learned then, in the order in which their
 * labels matured, so its loss says how the learner does on rows it has not seen (A. P. Dawid 1984, "prequential"; J. Gama et al.
 * 2013). The fold starts from a version, its basis, and never changes one: a run freezes a copy of its weights as a candidate.
 */
import type { Features, Instant, LabelValue } from "../core/index.ts";
import { createPreparedWriter, targetOf } from "../data/index.ts";
import { findTrainer, type OnlineLearner, type TrainedWeights } from "../learn/index.ts";
import { type Artifact, decodeWeights, encodeWeights } from "../model/index.ts";
import { binaryLogLossOf, LOG_LOSS_CLIP, logDeterministic } from "../stats/index.ts";

/** A labelled example that waits until its label is mature. */
export interface WaitingExample {
  readonly exampleId: string;
  readonly at: Instant;
  readonly maturesAt: Instant;
  /** Position of its label in the log: the order among those that mature together. */
  readonly seq: string;
}
/** Answered before it was learned. */
export interface JudgedExample {
  readonly exampleId: string;
  readonly at: Instant;
  /** As a prediction's: probability per class, or the value. */
  readonly scores: readonly number[];
  /** Log loss, or the absolute error. */
  readonly loss: number;
  /** The champion's on the same row, where it could be asked. */
  readonly championLoss: number | null;
}
export interface FoldSummary {
  /** Name of the version it began from. */
  readonly basis: string;
  readonly learned: number;
  /** Examples that could not be learned: no features known, or a class the basis does not know. */
  readonly skipped: number;
  readonly waiting: number;
  /** Newest event time learned. */
  readonly through: Instant | null;
  /** Mean losses over the newest examples both have answered. */
  readonly recentRows: number;
  readonly loss: number | null;
  readonly championLoss: number | null;
}
interface StoredFold {
  readonly format: 1;
  readonly basis: string;
  readonly basisArtifact: string;
  readonly learned: number;
  readonly skipped: number;
  readonly through: Instant | null;
  readonly watermark: Instant;
  readonly waiting: readonly WaitingExample[];
  readonly judged: readonly JudgedExample[];
  readonly learner: { readonly json: string; readonly binary: string };
}

/** Examples whose loss the status looks at: ± 0.04 of a mean loss with deviation 0.5. */
const RECENT_ROWS = 500;

export interface FoldBasis {
  readonly version: string;
  /** Hash of its artifact. */
  readonly hash: string;
  readonly artifact: Artifact;
}

export class OnlineFold {
  readonly basis: FoldBasis;
  readonly #keep: number;
  readonly #learner: OnlineLearner;
  readonly #writer: ReturnType<typeof createPreparedWriter>;
  readonly #x: Float32Array;
  readonly #out: Float64Array;
  #waiting: WaitingExample[] = [];
  #judged: JudgedExample[] = [];
  #learned = 0;
  #skipped = 0;
  #through: Instant | null = null;
  /** Latest instant at which anything read so far was received: nothing matures before what the log already says. */
  watermark: Instant = 0;

  /** @param keep judged examples that are remembered: as many as a holdout can have */
  constructor(basis: FoldBasis, keep: number, stored?: Uint8Array) {
    const { manifest, preparation, weights } = basis.artifact;
    const kept = stored === undefined ? undefined : (JSON.parse(Buffer.from(stored).toString("utf8")) as StoredFold);
    const from =
      kept === undefined ? weights : decodeWeights(kept.learner.json, Buffer.from(kept.learner.binary, "base64"));
    const trainer = findTrainer(manifest.trainer);
    this.basis = basis;
    this.#keep = keep;
    this.#learner = trainer.online?.(from, manifest.task, manifest.params) as OnlineLearner;
    this.#writer = createPreparedWriter(preparation);
    this.#x = new Float32Array(this.#writer.width);
    this.#out = new Float64Array(Math.max(1, manifest.task === "regression" ? 1 : manifest.classes.length));
    if (kept === undefined) return;
    this.#waiting = [...kept.waiting];
    this.#judged = [...kept.judged];
    this.#learned = kept.learned;
    this.#skipped = kept.skipped;
    this.#through = kept.through;
    this.watermark = kept.watermark;
  }

  wait(example: WaitingExample): void {
    this.#waiting.push(example);
  }

  /** Takes out what is mature at the instant, in the order it is to be learned. */
  takeMature(until: Instant): WaitingExample[] {
    const mature = this.#waiting.filter(({ maturesAt }) => maturesAt <= until);
    if (mature.length > 0) this.#waiting = this.#waiting.filter(({ maturesAt }) => maturesAt > until);
    return mature.sort(
      (left, right) => left.maturesAt - right.maturesAt || (BigInt(left.seq) < BigInt(right.seq) ? -1 : 1),
    );
  }

  get nextMatureAt(): Instant {
    return this.#waiting.reduce((soonest, { maturesAt }) => Math.min(soonest, maturesAt), Number.POSITIVE_INFINITY);
  }

  get learned(): number {
    return this.#learned;
  }

  skip(): void {
    this.#skipped++;
  }

  /** Answers, then learns. Cost: one prediction and one step of the trainer. */
  learn(example: {
    readonly exampleId: string;
    readonly at: Instant;
    readonly features: Features;
    readonly label: LabelValue;
    /** What the champion says of the row. */
    readonly championScores?: readonly number[];
  }): void {
    const { exampleId, at, features, label, championScores } = example;
    const { task, classes } = this.basis.artifact.manifest;
    if (task === "multiclass" && !classes.includes(label)) {
      this.#skipped++;
      return;
    }
    const target = targetOf(task, classes, label);
    this.#writer.write(features, this.#x, 0);
    this.#learner.score(this.#x, 0, this.#out);
    const scores = [...this.#out];
    const championLoss = championScores === undefined ? null : lossOf(task, championScores, target);
    this.#judged.push({ exampleId, at, scores, loss: lossOf(task, scores, target), championLoss });
    if (this.#judged.length > this.#keep * 2) this.#judged = this.#judged.slice(-this.#keep);
    this.#learner.partialFit(this.#x, 0, target);
    this.#learned++;
    this.#through = Math.max(this.#through ?? at, at);
  }

  summary(): FoldSummary {
    const recent = this.#judged.slice(-RECENT_ROWS).filter(({ championLoss }) => championLoss !== null);
    const mean = (pick: (one: JudgedExample) => number) =>
      recent.length === 0 ? null : recent.reduce((sum, one) => sum + pick(one), 0) / recent.length;
    return {
      basis: this.basis.version,
      learned: this.#learned,
      skipped: this.#skipped,
      waiting: this.#waiting.length,
      through: this.#through,
      recentRows: recent.length,
      loss: mean(({ loss }) => loss),
      championLoss: mean(({ championLoss }) => championLoss as number),
    };
  }

  get judged(): readonly JudgedExample[] {
    return this.#judged.slice(-this.#keep);
  }

  /** The weights as a version can have them. */
  freeze() {
    return this.#learner.freeze();
  }

  store(): Uint8Array {
    const { json, binary } = encodeWeights(this.#learner.state());
    const stored: StoredFold = {
      format: 1,
      basis: this.basis.version,
      basisArtifact: this.basis.hash,
      learned: this.#learned,
      skipped: this.#skipped,
      through: this.#through,
      watermark: this.watermark,
      waiting: this.#waiting,
      judged: this.judged,
      learner: { json, binary: Buffer.from(binary).toString("base64") },
    };
    return Buffer.from(JSON.stringify(stored));
  }
}

/** A stored fold without opening it. */
export function parseFold(stored: Uint8Array): {
  readonly basis: string;
  readonly basisArtifact: string;
  readonly learned: number;
  readonly through: Instant | null;
  readonly judged: readonly JudgedExample[];
  /** What its learner knows, to go on from. */
  readonly learner: TrainedWeights;
} {
  const { learner, ...rest } = JSON.parse(Buffer.from(stored).toString("utf8")) as StoredFold;
  return { ...rest, learner: decodeWeights(learner.json, Buffer.from(learner.binary, "base64")) };
}

function lossOf(task: string, scores: readonly number[], target: number): number {
  if (task === "regression") return Math.abs((scores[0] as number) - target);
  if (task === "binary") return binaryLogLossOf(target, scores[1] as number);
  return -logDeterministic(Math.max(LOG_LOSS_CLIP, scores[target] as number));
}
