/**
 * What must not get worse while a challenger is tried. Each finding is one-sided and valid at every look; harm that is shown
 * rolls back by itself, and "cannot tell" never does.
 */
import {
  ASSIGNMENT_BUCKETS,
  type Comparison,
  type GuardrailFinding,
  type OutcomeGuard,
  type PhaseEvidence,
  plural,
  type SampleRatio,
  type ServingCounts,
} from "../core/index.ts";
import {
  alwaysValidMarginOneSided,
  bernoulliConfidenceSequence,
  chi2Sf,
  logDeterministic,
  psi,
  SAMPLE_RATIO_ALERT,
} from "../stats/index.ts";
import { type ArmMoments, armMoments, type BucketSums } from "./bucket-sums.ts";
import { ARM_PIECES, ARM_ROWS, type Estimate, HARM_ALPHA, harmBound, isArmLarge } from "./experiment.ts";

/** Share of challenger answers that may fail before users should stop seeing its fallback. */
export const FAILURE_LIMIT = 0.02;
/** Share of answers that may be slower than the limit derived from the champion. */
const SLOW_LIMIT = 0.05;
/** Fewer answers than this prove nothing constant. */
const CONSTANT_ROWS = 200;
/**
 * A model of rare events gives nearly everybody a score in one bin, and a good one is not rolled back for that: answers that all
 * fall into one bin are constant when the champion's would by chance in one of a thousand such experiments, however often one looks.
 */
const CONSTANT_ALPHA = 0.001;
/** Score distributions further apart than this are worth a look, not a rollback: a better model scores differently. */
const SCORE_DRIFT_LIMIT = 0.25;
const SCORE_DRIFT_ROWS = 500;
/** Fewest buckets of an arm for the normal approximation of the sample-ratio test. */
const RATIO_BUCKETS = 8;

/** Assigned requests per bucket of the whole rollout. */
export interface ExposureSums {
  readonly champion: ReadonlyMap<number, number>;
  readonly challenger: ReadonlyMap<number, number>;
}

/**
 * Do requests arrive in the planned shares? Requests of one unit come together, so buckets, not requests, are counted as
 * independent: the mean per bucket is compared between the challenger's buckets and the champion's. With one request a unit it
 * equals the chi-square test.
 */
export function sampleRatio(exposures: ExposureSums, share: number): SampleRatio {
  const owned = Math.round(share * ASSIGNMENT_BUCKETS);
  const arms = [moments(exposures.challenger, owned), moments(exposures.champion, ASSIGNMENT_BUCKETS - owned)] as const;
  const [challenger, champion] = arms;
  const result = { champion: champion.total, challenger: challenger.total, expectedShare: share };
  if (owned < RATIO_BUCKETS || ASSIGNMENT_BUCKETS - owned < RATIO_BUCKETS || challenger.total + champion.total < 100)
    return { ...result, p: null, mismatch: false };
  const pooled = (challenger.total + champion.total) / ASSIGNMENT_BUCKETS;
  const gap = challenger.total / owned - champion.total / (ASSIGNMENT_BUCKETS - owned);
  // Poisson is the least a sum of independent requests varies; few requests estimate their own variance badly.
  const variance =
    Math.max(challenger.variance, pooled) / owned + Math.max(champion.variance, pooled) / (ASSIGNMENT_BUCKETS - owned);
  const p = chi2Sf((gap * gap) / variance, 1);
  return { ...result, p, mismatch: p < SAMPLE_RATIO_ALERT };
}

function moments(counts: ReadonlyMap<number, number>, buckets: number): { total: number; variance: number } {
  let total = 0;
  let squares = 0;
  for (const count of counts.values()) {
    total += count;
    squares += count * count;
  }
  const variance = buckets > 1 ? (squares - (total * total) / buckets) / (buckets - 1) : 0;
  return { total, variance };
}

/** The challenger's failures: exceptions, numbers that are none, wrong shapes, time-outs. The champion answered instead. */
export function failureGuardrail(failed: number, answers: number): GuardrailFinding {
  const [low, high] = bernoulliConfidenceSequence({ successes: failed, trials: answers, alpha: 2 * HARM_ALPHA });
  const harm =
    answers === 0 ? "cannot-tell" : low > FAILURE_LIMIT ? "yes" : high <= FAILURE_LIMIT ? "no" : "cannot-tell";
  return {
    guardrail: "failures",
    harm,
    value: answers === 0 ? null : failed / answers,
    limit: FAILURE_LIMIT,
    interval: [low, high],
    reason: `${failed} of ${plural(answers, "answer")} of the challenger failed; more than ${FAILURE_LIMIT * 100} % would be harm.`,
  };
}

/** Latency as the share of answers beyond the limit each replica derives from its champion. Null where nothing was measured. */
export function latencyGuardrail(replicas: readonly ServingCounts[]): GuardrailFinding | null {
  const sum = (pick: (counts: ServingCounts) => number) => replicas.reduce((total, one) => total + pick(one), 0);
  const answers = sum((one) => one.answers);
  if (answers === 0) return null;
  const slow = sum((one) => one.slow + one.timeouts);
  const [low, high] = bernoulliConfidenceSequence({ successes: slow, trials: answers, alpha: 2 * HARM_ALPHA });
  const worst = replicas.reduce((most, one) => Math.max(most, one.p99Micros ?? 0), 0);
  return {
    guardrail: "latency",
    harm: low > SLOW_LIMIT ? "yes" : high <= SLOW_LIMIT ? "no" : "cannot-tell",
    value: slow / answers,
    limit: SLOW_LIMIT,
    interval: [low, high],
    reason: `${slow} of ${plural(answers, "answer")} of the challenger took longer than five times the champion's 99 % quantile; its own is ${(worst / 1000).toFixed(2)} ms.`,
  };
}

export interface ScoreCounts {
  readonly champion: ArrayLike<number>;
  readonly challenger: ArrayLike<number>;
}

/** A challenger that says the same to everybody, while the champion does not, is broken. */
export function constantGuardrail(scores: ScoreCounts): GuardrailFinding {
  const used = (counts: ArrayLike<number>) => Array.from(counts).filter((count) => count > 0).length;
  const total = (counts: ArrayLike<number>) => Array.from(counts).reduce((sum, count) => sum + count, 0);
  const rows = total(scores.challenger);
  const enough = rows >= CONSTANT_ROWS;
  const isOneBin = used(scores.challenger) <= 1 && used(scores.champion) > 1;
  const isConstant =
    enough && isOneBin && rows * logDeterministic(modeShare(scores)) < logDeterministic(CONSTANT_ALPHA);
  return {
    guardrail: "constant output",
    harm: !enough || (isOneBin && !isConstant) ? "cannot-tell" : isConstant ? "yes" : "no",
    value: used(scores.challenger),
    limit: 1,
    reason: enough
      ? `${plural(rows, "score")} of the challenger fall into ${used(scores.challenger)} of ${scores.challenger.length} bins, the champion's into ${used(scores.champion)}.`
      : `${plural(rows, "score")} of the challenger ${rows === 1 ? "is" : "are"} too few to call it constant; ${CONSTANT_ROWS} are needed.`,
  };
}

/** The most the champion's share of scores may be, at this confidence, in the bin that holds all of the challenger's. */
function modeShare({ champion, challenger }: ScoreCounts): number {
  const bin = Array.from(challenger).findIndex((count) => count > 0);
  const trials = Array.from(champion).reduce((sum, count) => sum + count, 0);
  return bernoulliConfidenceSequence({ successes: champion[bin] ?? 0, trials, alpha: 2 * HARM_ALPHA })[1];
}

/** Score drift is shown; it never decides. */
export function scoreDriftGuardrail(scores: ScoreCounts): GuardrailFinding | null {
  const total = (counts: ArrayLike<number>) => Array.from(counts).reduce((sum, count) => sum + count, 0);
  const rows = Math.min(total(scores.champion), total(scores.challenger));
  if (rows < SCORE_DRIFT_ROWS) return null;
  const share = (counts: ArrayLike<number>) => {
    const sum = total(counts);
    return Array.from(counts, (count) => count / sum);
  };
  const value = psi(share(scores.champion), share(scores.challenger));
  return {
    guardrail: "score drift",
    harm: value > SCORE_DRIFT_LIMIT ? "cannot-tell" : "no",
    value,
    limit: SCORE_DRIFT_LIMIT,
    reason: `The population stability index between the scores of both versions is ${value.toFixed(3)}${value > SCORE_DRIFT_LIMIT ? ": they score differently, which quality has to judge" : ""}.`,
  };
}

/** Quality itself: harm is shown when even the upper bound of the difference is below −margin. */
export function qualityGuardrail(
  estimate: Estimate | null,
  metric: string,
  margin: number,
  minRows: number,
): GuardrailFinding {
  if (estimate === null || estimate.rows < minRows || !isArmLarge(estimate)) {
    const isFew = estimate === null || estimate.rows < minRows;
    return {
      guardrail: `quality (${metric})`,
      harm: "cannot-tell",
      value: estimate?.difference ?? null,
      limit: -margin,
      reason: isFew
        ? `${plural(estimate?.rows ?? 0, "labelled row is", "labelled rows are")} too few; ${minRows} are needed.`
        : `The smaller arm has ${plural(estimate.smallestArm.rows, "labelled row")} in ${plural(estimate.smallestArm.pieces, "independent piece")}; ${ARM_ROWS} in ${ARM_PIECES} are needed.`,
    };
  }
  const bound = harmBound(estimate);
  return {
    guardrail: `quality (${metric})`,
    harm: bound < -margin ? "yes" : "no",
    value: estimate.difference,
    limit: -margin,
    interval: [2 * estimate.difference - bound, bound],
    reason:
      bound < -margin
        ? `The challenger is worse by more than ${margin}: with 99 % confidence by at least ${(-bound).toPrecision(3)}.`
        : `No harm beyond ${margin} is shown: the difference is ${estimate.difference.toPrecision(3)}, at most ${bound.toPrecision(3)}.`,
  };
}

/**
 * Variance of an arm's mean, at least what the other arm's requests would give it: a few requests without a single outcome have no
 * variance of their own, and would prove any difference.
 */
const cautiousVariance = (arm: ArmMoments, other: ArmMoments) => Math.max(arm.varY, (other.varY * other.n) / arm.n);

/** A business measure per request, as ratio of outcome sums and requests over buckets. */
export function outcomeGuardrail(
  guard: OutcomeGuard,
  arms: { readonly champion: BucketSums; readonly challenger: BucketSums },
): GuardrailFinding {
  const name = `outcome ${guard.outcome}`;
  const champion = armMoments(arms.champion, true);
  const challenger = armMoments(arms.challenger, true);
  const smaller = Math.min(champion?.n ?? 0, challenger?.n ?? 0);
  if (champion === null || challenger === null || champion.n + challenger.n < 1000 || smaller < ARM_ROWS) {
    return {
      guardrail: name,
      harm: "cannot-tell",
      value: null,
      limit: guard.margin,
      reason: `Fewer than 1,000 requests, or fewer than ${ARM_ROWS} of one version.`,
    };
  }
  const sign = guard.worseWhen === "higher" ? 1 : -1;
  const worse = sign * (challenger.meanY - champion.meanY);
  const standardError = Math.sqrt(cautiousVariance(champion, challenger) + cautiousVariance(challenger, champion));
  const rows = champion.n + challenger.n;
  const margin = alwaysValidMarginOneSided({ standardError, rows, alpha: HARM_ALPHA });
  const harm = standardError > 0 && worse - margin > guard.margin;
  return {
    guardrail: name,
    harm: harm ? "yes" : "no",
    value: worse,
    limit: guard.margin,
    interval: [worse - margin, worse + margin],
    reason: `Per request it is ${worse >= 0 ? "worse" : "better"} by ${Math.abs(worse).toPrecision(3)}${harm ? `, with 99 % confidence by at least ${(worse - margin).toPrecision(3)}` : ", which shows no harm"}.`,
  };
}

/** Why no comparison of the arms can be read; undefined where requests and labels arrive in the planned shares. */
export function brokenSplit({
  sampleRatio: requests,
  labelledRatio: labels,
}: Pick<PhaseEvidence, "sampleRatio" | "labelledRatio">): string | undefined {
  if (requests?.mismatch === true)
    return "The split of requests is broken (sample-ratio mismatch): no comparison can be read.";
  if (labels?.mismatch === true)
    return "The split of labels is broken (sample-ratio mismatch): no comparison can be read.";
  return undefined;
}

/**
 * The evidence without what a broken split makes unreadable: whoever looks, in whatever surface, is shown no difference that
 * may come from the split itself. Counts stay, and so do failures, latency and constant output, which compare no arms.
 */
export function withholdUnreadable(evidence: PhaseEvidence): PhaseEvidence {
  const why = brokenSplit(evidence);
  if (why === undefined) return evidence;
  const { comparison, guardrails } = evidence;
  return {
    ...evidence,
    comparison: comparison === null ? null : withoutNumbers(comparison),
    guardrails: guardrails.map((one) =>
      comparesArms(one.guardrail)
        ? { guardrail: one.guardrail, harm: "cannot-tell", value: null, limit: one.limit, reason: why }
        : one,
    ),
  };
}

const comparesArms = (guardrail: string) => guardrail.startsWith("quality") || guardrail.startsWith("outcome");

function withoutNumbers(comparison: Comparison): Comparison {
  // A planned look that cannot be read is not spent either.
  const { lookFraction: _, ...rest } = comparison;
  return {
    ...rest,
    championMean: null,
    challengerMean: null,
    difference: null,
    interval: null,
    p: null,
    standardError: null,
    varianceReduction: null,
    corrected: { difference: null, interval: null },
    verdict: "cannot-tell",
    correctedVerdict: "cannot-tell",
  };
}
