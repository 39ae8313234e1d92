/**
 * Which prediction a label judges. Facts about an example (predictions of several versions, labels of several sources) arrive
 * in any order; the join is a pure function of the facts known up to a position in the log, so a fold can count a correction as
 * "join before" taken away and "join after" added.
 *
 * Rule: per (example, version) the last prediction received no later than the first label counts. A label that came before every
 * prediction waited for a partner; then the earliest prediction of each version counts. Predictions made after an answer was
 * known, where an earlier one exists, say nothing about quality and are left out. So are examples that were labelled because of
 * their score: they are the hard ones, and would make every version look worse than it is.
 */
import type { LabelEvent, LabelValue, LogCursor, LogPosition, LoggedEvent, PredictionEvent } from "../core/index.ts";
import { effectiveLabel } from "../data/effective-label.ts";

export interface ExampleFacts {
  readonly predictions: readonly LoggedEvent<PredictionEvent>[];
  readonly labels: readonly LoggedEvent<LabelEvent>[];
}
export interface JoinedPrediction {
  readonly prediction: LoggedEvent<PredictionEvent>;
  readonly label: LabelValue;
}

/** True when the fact stands at or before the cursor in the order folds read. */
export function isKnown(position: LogPosition, cursor: LogCursor): boolean {
  return (
    position.transactionId < cursor.transactionId ||
    (position.transactionId === cursor.transactionId && position.seq <= cursor.seq)
  );
}

/** What counts once: a version's answer about an example, or a forecast's answer from one origin. */
function judgedAs(prediction: PredictionEvent): string {
  return prediction.originAt === undefined ? prediction.version : `${prediction.version}@${prediction.originAt}`;
}

/**
 * @returns the predictions that count with their effective label, by version, and forecasts by version and origin: one label
 *   judges what each origin said of it. Empty while either is missing.
 */
export function joinExample(facts: ExampleFacts): ReadonlyMap<string, JoinedPrediction> {
  const joined = new Map<string, JoinedPrediction>();
  const label = effectiveLabel(facts.labels);
  if (label === undefined || label.selective === true) return joined;
  const judged = facts.predictions.filter((prediction) => prediction.origin !== "shadow");
  const firstLabelAt = Math.min(...facts.labels.map((one) => one.receivedAt));
  const before = judged.filter((prediction) => prediction.receivedAt <= firstLabelAt);
  const inTime = before.length > 0;
  for (const prediction of inTime ? before : judged) {
    const key = judgedAs(prediction);
    const kept = joined.get(key);
    if (kept === undefined || isLater(prediction, kept.prediction) === inTime) {
      joined.set(key, { prediction, label: label.value });
    }
  }
  return joined;
}

function isLater(one: LogPosition, other: LogPosition): boolean {
  if (one.receivedAt !== other.receivedAt) return one.receivedAt > other.receivedAt;
  if (one.transactionId !== other.transactionId) return one.transactionId > other.transactionId;
  return one.seq > other.seq;
}

/** The first time a version's prediction and a label stood together. */
export interface FirstJoin extends JoinedPrediction {
  /** Position of the fact that completed the pair. */
  readonly position: LogPosition;
}

/**
 * Per version the first join there ever was: the prediction and the label as they were effective then, whatever came later.
 * It depends on the facts alone, not on how folds cut the log, so each example is counted once, at one place in the order.
 */
export function firstJoins(facts: ExampleFacts): ReadonlyMap<string, FirstJoin> {
  const first = new Map<string, FirstJoin>();
  if (facts.labels.length === 0) return first;
  const positions = [...facts.predictions, ...facts.labels].sort(inReadingOrder);
  for (const position of positions) {
    const known = joinExample({
      predictions: facts.predictions.filter((one) => isKnown(one, position)),
      labels: facts.labels.filter((one) => isKnown(one, position)),
    });
    for (const [version, joined] of known) if (!first.has(version)) first.set(version, { ...joined, position });
  }
  return first;
}

/** The order in which folds read. */
export function inReadingOrder(left: LogPosition, right: LogPosition): number {
  if (left.transactionId !== right.transactionId) return left.transactionId < right.transactionId ? -1 : 1;
  return left.seq < right.seq ? -1 : left.seq > right.seq ? 1 : 0;
}
