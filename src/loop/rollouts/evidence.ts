/** What a rollout is judged on, from counters alone: the same whoever asks, and the same after every restart. */
import {
  type Comparison,
  type CounterValues,
  type GuardrailFinding,
  HOUR_MS,
  type Instant,
  type Json,
  type PhaseEvidence,
  type RolloutPhase,
  type RolloutRecord,
  type ServingCounts,
  type StageSpec,
} from "../../core/index.ts";
import { type BucketSums, readBuckets } from "../../deploy/bucket-sums.ts";
import {
  type Arms,
  type Estimate,
  estimatePaired,
  estimateUnpaired,
  type ExperimentPlan,
  isArmLarge,
  type Look,
  lookAt,
  mixtureP,
  SHADOW_ALPHA,
  verdictOf,
} from "../../deploy/experiment.ts";
import { type ExactArms, type ExactMethod, exactStart, type ExactState, isExact } from "../../deploy/exact-interval.ts";
import {
  constantGuardrail,
  failureGuardrail,
  latencyGuardrail,
  outcomeGuardrail,
  qualityGuardrail,
  sampleRatio,
  scoreDriftGuardrail,
  withholdUnreadable,
} from "../../deploy/guardrails.ts";
import { LABEL_FOLD, type LoopContext, modelSpec } from "../context.ts";
import { counterName } from "./fold.ts";
import { experimentState } from "./fold-state.ts";

/** Labelled rows before an asymptotic interval may show harm: fewer make the normal approximation a guess. */
const HARM_ROWS = 500;

/** By arm, over all hours. */
async function sumsOf(
  context: LoopContext,
  model: string,
  counter: string,
): Promise<Map<string, Record<string, bigint>>> {
  const { rows } = await context.store.folds.counters({ model, counter });
  const sums = new Map<string, Record<string, bigint>>();
  for (const { version, values } of rows) {
    const sum = sums.get(version) ?? {};
    for (const [key, value] of Object.entries(values)) sum[key] = (sum[key] ?? 0n) + value;
    sums.set(version, sum);
  }
  return sums;
}

export interface EvidenceInput {
  readonly rollout: RolloutRecord;
  readonly phase: number;
  readonly now: Instant;
  /** Counts of all live replicas; empty where nothing is measured. */
  readonly serving: readonly ServingCounts[];
}

/** Cost: five counters, each kept in memory by the store; a millisecond per 1,000 used buckets. */
export async function gatherEvidence(context: LoopContext, input: EvidenceInput): Promise<PhaseEvidence> {
  const { rollout, phase: index } = input;
  const phase = rollout.phases[index] as RolloutPhase;
  const stage = rollout.stages[phase.stage] as StageSpec;
  const { model, id } = rollout;
  const [exposure, assigned, first, now, outcome] = await Promise.all([
    exposureOf(context, model, counterName("exposure", id, index), {
      from: phase.enteredAt,
      to: phase.exitedAt ?? input.now,
    }),
    sumsOf(context, model, counterName("assigned", id, index)),
    sumsOf(context, model, counterName("first", id, index)),
    sumsOf(context, model, counterName("now", id, index)),
    sumsOf(context, model, counterName("outcome", id, index)),
  ]);
  const isPaired = phase.kind === "shadow" || phase.kind === "watch" || phase.replaySince !== undefined;
  const plan = planFor(context, rollout, stage);
  const estimates = { first: estimate(first, plan, isPaired), now: estimate(now, plan, isPaired) };
  const state = experimentState((await context.store.folds.read(model, LABEL_FOLD)).state);
  const comparison = compare(context, { ...input, plan, isPaired, estimates, state, first });
  const isSplit = phase.share > 0 && phase.kind !== "watch";
  const exposures = {
    champion: bucketCounts(assigned.get("champion")),
    challenger: bucketCounts(assigned.get("challenger")),
  };
  const labelled = {
    champion: labelledCounts(first.get("champion")),
    challenger: labelledCounts(first.get("challenger")),
  };
  return withholdUnreadable({
    phase: index,
    exposures: exposure.counts,
    buckets: { champion: exposures.champion.size, challenger: exposures.challenger.size },
    firstExposureAt: exposure.firstAt ?? firstLabelled(phase, estimates.first),
    lastExposureAt: exposure.lastAt,
    sampleRatio: isSplit ? sampleRatio(exposures, phase.share) : null,
    // Of replayed requests both arms have the same rows.
    labelledRatio: isSplit && !isPaired ? sampleRatio(labelled, phase.share) : null,
    comparison,
    guardrails: guardrailsOf({ input, phase, stage, estimate: estimates.first, exposure, assigned, outcome }),
  });
}

/** A watch and a replay see no exposures of their own; their labelled pairs are the sign of life. */
function firstLabelled(phase: RolloutPhase, estimate: Estimate | null): Instant | null {
  return phase.kind === "watch" && estimate !== null ? phase.enteredAt : null;
}

function planFor(context: LoopContext, rollout: RolloutRecord, stage: StageSpec): ExperimentPlan {
  const { metric, margin } = stage;
  const clustered = modelSpec(context, rollout.model).schema.unit !== undefined;
  const shared = { metric, margin, clustered };
  if (stage.kind === "ab") {
    const { alpha, minSamples, rule, method, spending, looks } = stage;
    return { ...shared, alpha, minSamples, rule, method, spending, looks, plannedRows: stage.plannedRows ?? null };
  }
  return {
    ...shared,
    alpha: SHADOW_ALPHA,
    minSamples: 0,
    rule: "non-inferiority",
    method: (stage.kind === "shadow" ? stage.method : undefined) ?? "always-valid",
    spending: "obrien-fleming",
    looks: 1,
    plannedRows: null,
  };
}

const EMPTY: CounterValues = {};
const armsOf = (sums: Map<string, Record<string, bigint>>): Arms => ({
  champion: readBuckets(sums.get("champion") ?? EMPTY),
  challenger: readBuckets(sums.get("challenger") ?? EMPTY),
});

function estimate(sums: Map<string, Record<string, bigint>>, plan: ExperimentPlan, isPaired: boolean): Estimate | null {
  const arms = armsOf(sums);
  if (!isPaired) return estimateUnpaired(arms, plan.metric, plan.clustered);
  return estimatePaired(readBuckets(sums.get("paired") ?? EMPTY), arms, plan.clustered);
}

interface CompareInput extends EvidenceInput {
  readonly plan: ExperimentPlan;
  readonly isPaired: boolean;
  readonly estimates: { readonly first: Estimate | null; readonly now: Estimate | null };
  readonly state: Json;
  readonly first: Map<string, Record<string, bigint>>;
}

function compare(context: LoopContext, input: CompareInput): Comparison | null {
  const { rollout, phase: index, plan, isPaired, estimates } = input;
  const phase = rollout.phases[index] as RolloutPhase;
  const found = estimates.first;
  if (found === null) return null;
  const { method } = plan;
  const exact = (arm: string) =>
    (input.state as Record<string, ExactState> | null)?.[`${rollout.id}:${index}:${arm}`] ??
    exactStart(method as ExactMethod);
  const isLast = isOverdue(context, input);
  const look = (one: Estimate, states?: ExactArms | ExactState): Look =>
    lookAt({
      plan,
      estimate: one,
      looks: phase.looks ?? [],
      isLast,
      ...(states === undefined ? {} : { exact: states }),
    });
  const states = isPaired ? exact("paired") : { champion: exact("champion"), challenger: exact("challenger") };
  const read = isExact(method) ? look(found, states) : look(found);
  // Exact intervals hold for any number of rows.
  const isEnough = found.rows >= plan.minSamples && (isExact(method) || isArmLarge(found));
  // Exact states cannot take a value back: corrections are read by the asymptotic sequence.
  const corrected = estimates.now === null ? null : look(estimates.now);
  const rows = (arm: string) => Number(readBuckets(input.first.get(arm) ?? EMPTY).totals.n);
  return {
    design: isPaired ? "paired" : "unpaired",
    method: read.method,
    metric: plan.metric,
    championRows: rows("champion"),
    challengerRows: rows("challenger"),
    championMean: found.championMean,
    challengerMean: found.challengerMean,
    difference: found.difference,
    interval: read.interval,
    p: mixtureP(found),
    standardError: found.standardError,
    varianceReduction: isPaired ? null : found.varianceReduction,
    corrected: { difference: estimates.now?.difference ?? null, interval: corrected?.interval ?? null },
    verdict: isEnough && read.readable ? verdictOf(read.interval, plan) : "cannot-tell",
    correctedVerdict: isEnough && read.readable ? verdictOf(corrected?.interval ?? null, plan) : "cannot-tell",
    plannedRows: plan.plannedRows,
    ...(read.fraction === undefined ? {} : { lookFraction: read.fraction }),
  };
}

/** The last planned look is when the maximum of matured exposure is over: labels that were late belong to it too. */
function isOverdue(context: LoopContext, { rollout, phase: index, now }: EvidenceInput): boolean {
  const phase = rollout.phases[index] as RolloutPhase;
  const stage = rollout.stages[phase.stage] as StageSpec;
  if (stage.kind !== "ab" || phase.firstExposureAt === undefined) return false;
  return now - phase.firstExposureAt - modelSpec(context, rollout.model).labelDelayMs >= stage.maxMs;
}

interface Exposure {
  readonly counts: { champion: number; challenger: number; mirrored: number };
  readonly failed: number;
  readonly firstAt: Instant | null;
  readonly lastAt: Instant | null;
}

async function exposureOf(
  context: LoopContext,
  model: string,
  counter: string,
  phase: { readonly from: Instant; readonly to: Instant },
): Promise<Exposure> {
  const { rows } = await context.store.folds.counters({ model, counter });
  const counts = { champion: 0, challenger: 0, mirrored: 0 };
  let failed = 0;
  let firstAt: Instant | null = null;
  let lastAt: Instant | null = null;
  for (const { version, bucket, values } of rows) {
    const n = Number(values.n ?? 0n);
    if (n === 0) continue;
    if (version === "replayed") {
      counts.mirrored += n;
      continue;
    }
    counts[version as keyof typeof counts] += n;
    failed += Number(values.failed ?? 0n);
    // Hours are precise enough for stages of days; the first hour begins with the phase, and the last ends with it or now.
    firstAt = Math.min(firstAt ?? Number.POSITIVE_INFINITY, Math.max(bucket, phase.from));
    lastAt = Math.max(lastAt ?? 0, Math.min(bucket + HOUR_MS - 1, phase.to), firstAt);
  }
  return { counts, failed, firstAt, lastAt };
}

function guardrailsOf(found: {
  readonly input: EvidenceInput;
  readonly phase: RolloutPhase;
  readonly stage: StageSpec;
  readonly estimate: Estimate | null;
  readonly exposure: Exposure;
  readonly assigned: Map<string, Record<string, bigint>>;
  readonly outcome: Map<string, Record<string, bigint>>;
}): readonly GuardrailFinding[] {
  const { input, phase, stage, exposure, assigned, outcome } = found;
  const quality = qualityGuardrail(found.estimate, stage.metric, stage.margin, HARM_ROWS);
  const { serving } = input;
  const measured = serving.filter((one) => one.rollout === input.rollout.id && one.phase === input.phase);
  const sum = (pick: (one: ServingCounts) => number) => measured.reduce((total, one) => total + pick(one), 0);
  const isUnlogged = phase.kind === "shadow" || phase.kind === "watch";
  // A failed mirrored answer leaves no event behind, only a count of its replica; a failed live one leaves both.
  const failed = isUnlogged ? sum((one) => one.errors + one.invalid + one.timeouts) : exposure.failed;
  const answers = isUnlogged ? sum((one) => one.answers) : exposure.counts.challenger;
  if (phase.kind === "watch") return [...(answers === 0 ? [] : [failureGuardrail(failed, answers)]), quality];
  const latency = latencyGuardrail(measured);
  const scores = scoreCounts(assigned, phase.kind === "shadow" ? "mirrored" : "challenger");
  const drift = scoreDriftGuardrail(scores);
  const requests = (arm: string) => outcomeBuckets(assigned.get(arm), outcome.get(arm));
  return [
    failureGuardrail(failed, answers),
    ...(latency === null ? [] : [latency]),
    constantGuardrail(scores),
    ...(drift === null ? [] : [drift]),
    ...stage.guards.map((guard) =>
      outcomeGuardrail(guard, {
        champion: requests("champion")(guard.outcome),
        challenger: requests("challenger")(guard.outcome),
      }),
    ),
    quality,
  ];
}

function bucketCounts(values: Readonly<Record<string, bigint>> | undefined): Map<number, number> {
  const counts = new Map<number, number>();
  for (const [key, value] of Object.entries(values ?? {})) {
    if (key.startsWith("b")) counts.set(Number(key.slice(1)), Number(value));
  }
  return counts;
}

function labelledCounts(values: Readonly<Record<string, bigint>> | undefined): Map<number, number> {
  const { bucket, n } = readBuckets(values ?? EMPTY);
  return new Map(Array.from(bucket, (one, i) => [one, n[i] as number]));
}

function scoreCounts(sums: Map<string, Record<string, bigint>>, challenger: string) {
  const cells = new Set<string>();
  for (const arm of ["champion", challenger]) {
    for (const key of Object.keys(sums.get(arm) ?? {})) if (key.startsWith("s")) cells.add(key);
  }
  const order = [...cells].sort((left, right) => Number(left.slice(1)) - Number(right.slice(1)));
  const counts = (arm: string) => order.map((cell) => Number(sums.get(arm)?.[cell] ?? 0n));
  return { champion: counts("champion"), challenger: counts(challenger) };
}

/** Requests per bucket as n, outcome values as y. */
function outcomeBuckets(
  requests: Readonly<Record<string, bigint>> | undefined,
  outcomes: Readonly<Record<string, bigint>> | undefined,
): (name: string) => BucketSums {
  return (name) => {
    const values: Record<string, bigint> = {};
    for (const [bucket, count] of bucketCounts(requests)) {
      values[`${bucket}n`] = BigInt(count);
      values[`${bucket}y`] = outcomes?.[`${name}\u001f${bucket}`] ?? 0n;
    }
    return readBuckets(values);
  };
}
