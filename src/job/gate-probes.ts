/** Tries the behavior that `probes` gates ask for: golden rows as written, the rest on held-out rows with one feature exchanged. */
import type { Features, FeatureValue, ProbeFinding } from "../core/index.ts";
import type { Frame } from "../data/index.ts";
import { rowFeatures } from "../data/index.ts";
import type { GateSpec } from "../evaluate/index.ts";
import type { Predictor } from "../model/index.ts";

type Probes = Extract<GateSpec, { kind: "probes" }>;

/** Rows each invariance and direction is tried on, evenly over the holdout: a behavior that fails on 1 % of rows shows. */
const TRIED_ROWS = 200;
/** Sums of thousands of floats may differ in the last digits however the feature moves. */
const ROUNDING = 1e-9;

export function tryProbes(
  gates: readonly GateSpec[],
  predictor: Predictor,
  frame: Frame,
  holdout: Uint32Array,
): ProbeFinding[] {
  const asked = gates.filter((gate): gate is Probes => gate.kind === "probes");
  if (asked.length === 0) return [];
  const step = Math.max(1, Math.floor(holdout.length / TRIED_ROWS));
  const rows = Array.from(holdout.filter((_, i) => i % step === 0).subarray(0, TRIED_ROWS), (row) =>
    rowFeatures(frame, row),
  );
  return asked.flatMap((gate) => [
    ...gate.golden.map((probe, i) => golden(probe, i, predictor)),
    ...gate.invariances.map((probe) => invariance(probe, predictor, rows)),
    ...gate.directions.map((probe) => direction(probe, predictor, rows)),
  ]);
}

/** The probability of true, the value, or the probability of each class. */
const scoresOf = (predictor: Predictor, row: Features): readonly number[] => {
  const { scores } = predictor.predictRow(row);
  return predictor.task === "binary" ? [scores[1] as number] : scores;
};

function golden(probe: Probes["golden"][number], index: number, predictor: Predictor): ProbeFinding {
  const answer = predictor.predictRow(probe.row as Features);
  const score = answer.scores[answer.scores.length - 1] as number;
  const isRight =
    (probe.decision === undefined || answer.decision === probe.decision) &&
    (probe.min === undefined || score >= probe.min) &&
    (probe.max === undefined || score <= probe.max);
  const said = `it answers ${String(answer.decision)} with score ${score.toPrecision(4)}`;
  return {
    kind: "golden",
    probe: `golden row ${index + 1}`,
    tried: 1,
    passed: isRight ? 1 : 0,
    required: 1,
    ...(isRight ? {} : { worst: said }),
  };
}

/** Counts tries, remembering the one that fails by most. */
class Tally {
  tried = 0;
  passed = 0;
  #worst = -Infinity;
  #words = "";

  /** @param excess by how much it fails; at or below 0 it passes */
  count(excess: number, words: () => string): void {
    this.tried++;
    if (excess <= 0) this.passed++;
    else if (excess > this.#worst) {
      this.#worst = excess;
      this.#words = words();
    }
  }

  finding(kind: ProbeFinding["kind"], probe: string, required: number): ProbeFinding {
    const { tried, passed } = this;
    return { kind, probe, tried, passed, required, ...(this.#words === "" ? {} : { worst: this.#words }) };
  }
}

function invariance(
  probe: Probes["invariances"][number],
  predictor: Predictor,
  rows: readonly Features[],
): ProbeFinding {
  const tally = new Tally();
  for (const row of rows) {
    const before = scoresOf(predictor, row);
    for (const value of probe.values) {
      const after = scoresOf(predictor, { ...row, [probe.feature]: value as FeatureValue });
      const change = after.reduce((most, score, i) => Math.max(most, Math.abs(score - (before[i] as number))), 0);
      tally.count(
        change - probe.maxChange - ROUNDING,
        () => `${String(row[probe.feature])} to ${String(value)} moves the score by ${change.toPrecision(3)}`,
      );
    }
  }
  const words = `${probe.feature} by any of ${probe.values.join(", ")}: at most ${probe.maxChange}`;
  return tally.finding("invariance", words, probe.share);
}

function direction(probe: Probes["directions"][number], predictor: Predictor, rows: readonly Features[]): ProbeFinding {
  const tally = new Tally();
  const sign = probe.expect === "up" ? 1 : -1;
  for (const row of rows) {
    const value = row[probe.feature];
    if (typeof value !== "number") continue;
    const [before] = scoresOf(predictor, row);
    const [after] = scoresOf(predictor, { ...row, [probe.feature]: value + probe.add });
    const change = (after as number) - (before as number);
    tally.count(-sign * change - ROUNDING, () => `from ${value} the score moves by ${change.toPrecision(3)}`);
  }
  return tally.finding(
    "direction",
    `${probe.feature} + ${probe.add}: not ${probe.expect === "up" ? "down" : "up"}`,
    probe.share,
  );
}
