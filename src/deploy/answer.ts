/**
 * One answer of a challenger, made harmless: an exception, a wrong shape, a number that is none, or an answer that does not come
 * in time is reported instead of thrown, and the champion answers. In-process models answer at once; one that runs elsewhere
 * answers later and is not waited for beyond the deadline.
 */
import type { Features, SystemClock } from "../core/index.ts";
import type { LoadedModel, Prediction } from "../model/index.ts";
import { type BadAnswer, CHALLENGER_DEADLINE_MS } from "./breaker.ts";

/** What routing needs of a model. */
export type Scorer = Pick<LoadedModel, "task" | "classes" | "predictRow" | "remote">;
export type CheckedAnswer =
  | { readonly row: Prediction; readonly bad?: undefined; readonly micros: number }
  | { readonly row?: undefined; readonly bad: BadAnswer; readonly micros: number };

/** Probabilities sum to 1 within rounding of float32 sums. */
const SUM_TOLERANCE = 1e-3;

export function isUsable(scorer: Scorer, row: Prediction): boolean {
  const expected = scorer.task === "regression" ? 1 : scorer.classes.length;
  const { scores } = row;
  if (!Array.isArray(scores) || scores.length !== expected || row.decision === undefined) return false;
  let sum = 0;
  for (const score of scores as readonly number[]) {
    if (!Number.isFinite(score)) return false;
    if (scorer.task !== "regression" && (score < -SUM_TOLERANCE || score > 1 + SUM_TOLERANCE)) return false;
    sum += score;
  }
  return scorer.task === "regression" || Math.abs(sum - 1) <= SUM_TOLERANCE;
}

/** Never rejects. Synchronous for models that answer at once, so that the ordinary path costs no promise. */
export function askChallenger(
  scorer: Scorer,
  features: Features,
  clock: SystemClock,
  deadlineMs = CHALLENGER_DEADLINE_MS,
): CheckedAnswer | Promise<CheckedAnswer> {
  const startedMs = clock.monotonicMs();
  const micros = () => (clock.monotonicMs() - startedMs) * 1000;
  try {
    if (scorer.remote === undefined) {
      const row = scorer.predictRow(features);
      const took = micros();
      if (!isUsable(scorer, row)) return { bad: "invalid", micros: took };
      return took > deadlineMs * 1000 ? { bad: "timeout", micros: took } : { row, micros: took };
    }
    return askRemote(scorer, features, clock, deadlineMs);
  } catch {
    return { bad: "error", micros: micros() };
  }
}

/**
 * One that answers from elsewhere. Its time is what passed while this process had nothing else to do: in a burst of requests an
 * answer lies there before anybody looks, and a healthy challenger must not be rolled back for that.
 */
async function askRemote(
  scorer: Scorer,
  features: Features,
  clock: SystemClock,
  deadlineMs: number,
): Promise<CheckedAnswer> {
  const startedMs = clock.monotonicMs();
  const busyMs = clock.busyMs?.() ?? 0;
  const micros = () => Math.max(0, clock.monotonicMs() - startedMs - ((clock.busyMs?.() ?? 0) - busyMs)) * 1000;
  const remote = scorer.remote as NonNullable<Scorer["remote"]>;
  const answer = remote.predictRows([features]).then(
    ([row]): CheckedAnswer => {
      const took = micros();
      return row === undefined || !isUsable(scorer, row) ? { bad: "invalid", micros: took } : { row, micros: took };
    },
    (): CheckedAnswer => ({ bad: "error", micros: micros() }),
  );
  const stop = new AbortController();
  const late = clock.sleep(deadlineMs, stop.signal).then(
    async (): Promise<CheckedAnswer> => {
      // Timers come before what arrived: two turns let in an answer that is there already.
      for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setImmediate(resolve));
      return { bad: "timeout", micros: deadlineMs * 1000 };
    },
    (): CheckedAnswer => ({ bad: "error", micros: micros() }),
  );
  return Promise.race([answer, late]).finally(() => stop.abort());
}
