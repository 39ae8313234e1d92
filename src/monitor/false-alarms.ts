/**
 * False alarms as a setting. A published threshold makes as many false alarms as a model's losses happen to make; what a team can
 * state is how many it will put up with. So the threshold is looked for: streams are drawn from the version's own held-out losses
 * in whole blocks of neighbors in time (so that days, weeks and autocorrelation stay in), the detector runs over them, and the
 * most sensitive value whose alarms keep to the budget is taken. An alarm of improvement is none.
 *
 * Assumes that the held-out losses show what "nothing changed" looks like; a holdout that itself drifted gives a duller detector.
 */
import { createRandom } from "../core/index.ts";
import type { DetectorKind } from "./detectors/index.ts";

export interface FalseAlarmOptions {
  readonly kind: DetectorKind;
  /** Scaled losses in time order. */
  readonly history: ArrayLike<number>;
  /** Labels expected in 90 days. */
  readonly rowsPer90Days: number;
  /** False alarms allowed in 90 days. */
  readonly budget: number;
  /** Rows of a block that stay together; default n^(1/3). */
  readonly blockRows?: number;
  readonly seed: number;
  /** A value somebody chose: it is not looked for, only its alarms are counted. */
  readonly chosen?: number;
  /** Rows simulated per value at most. */
  readonly maxRows?: number;
}

export interface FalseAlarmCalibration {
  /** Name of the detector's setting. */
  readonly setting: string;
  readonly value: number;
  readonly budget: number;
  /** Alarms per 90 days seen in the simulation, and their one-sided 90 % Poisson bound. Equal where both are inferred. */
  readonly expected: number;
  readonly upper: number;
  readonly rowsPer90Days: number;
  readonly simulatedRows: number;
  readonly blockRows: number;
  /** The simulation shows that the bound keeps to the budget. False: it was too short and the value is inferred, or no value does. */
  readonly certified: boolean;
}

/** Half a second of ADWIN a value, and as a rule two values take so many: what a budget of 0.5 takes for half a million labels. */
const MAX_ROWS = 4_000_000;
/** Fewer losses tell nothing about rare events. */
export const MIN_HISTORY = 50;

/** One-sided 90 % upper bounds of a Poisson mean after 0, 1, 2, … events (chi-square quantiles halved). */
const POISSON_UPPER_90 = [2.303, 3.89, 5.322, 6.681, 7.994, 9.275, 10.532, 11.771, 12.995, 14.206, 15.407];

export function poissonUpper(count: number): number {
  const exact = POISSON_UPPER_90[count];
  if (exact !== undefined) return exact;
  // Wilson and Hilferty's approximation of the chi-square quantile, within 0.1 % from 10 events on.
  const n = count + 1;
  const root = 1 - 1 / (9 * n) + 1.2816 / (3 * Math.sqrt(n));
  return n * root * root * root;
}

/** @returns null with fewer than 50 losses. Cost O(ladder × maxRows) detector updates, less where alarms are many. */
export function calibrateFalseAlarms(options: FalseAlarmOptions): FalseAlarmCalibration | null {
  const { kind, history, budget, rowsPer90Days } = options;
  if (history.length < MIN_HISTORY) return null;
  const maxRows = options.maxRows ?? kind.simulatedRows ?? MAX_ROWS;
  // Enough rows that no alarm at all would keep the bound below the budget, where that can be afforded.
  const wanted = Math.ceil((poissonUpper(1) * rowsPer90Days) / budget);
  const simulatedRows = Math.max(1_000, Math.min(maxRows, wanted));
  const blockRows = Math.max(1, Math.min(options.blockRows ?? Math.cbrt(history.length), history.length / 10));
  const ladder = options.chosen === undefined ? kind.setting.ladder : [options.chosen];
  const scale = rowsPer90Days / simulatedRows;
  const describe = (value: number, alarms: number): FalseAlarmCalibration => ({
    setting: kind.setting.name,
    value,
    budget,
    expected: alarms * scale,
    upper: poissonUpper(alarms) * scale,
    rowsPer90Days,
    simulatedRows,
    blockRows: Math.ceil(blockRows),
    certified: poissonUpper(alarms) * scale <= budget,
  });
  let last: FalseAlarmCalibration | null = null;
  for (const [step, value] of ladder.entries()) {
    const stop = options.chosen === undefined ? Math.max(1, budget / scale) : Number.POSITIVE_INFINITY;
    const alarms = countAlarms({ ...options, value, simulatedRows, blockRows: Math.ceil(blockRows), stop });
    last = describe(value, alarms);
    if (last.certified) return last;
    if (alarms === 0 && simulatedRows === maxRows) return inferred(last, ladder.slice(step));
  }
  return last;
}

/**
 * Where the longest simulation shows no alarm and is still too short for the budget: so much further down the ladder as the
 * bound needs, if each step halves the alarms. Steps of the ladders do more: a setting halved or worse is a bound halved or worse.
 */
function inferred(quiet: FalseAlarmCalibration, rest: readonly number[]): FalseAlarmCalibration {
  let { upper } = quiet;
  let step = 0;
  for (; upper > quiet.budget && step + 1 < rest.length; step++) upper /= 2;
  return { ...quiet, value: rest[step] as number, expected: upper, upper };
}

interface Simulation extends FalseAlarmOptions {
  readonly value: number;
  readonly simulatedRows: number;
  readonly blockRows: number;
  /** More alarms than this settle the matter. */
  readonly stop: number;
}

function countAlarms(simulation: Simulation): number {
  const { kind, history, value, simulatedRows, blockRows, seed, stop } = simulation;
  const quarter = Math.ceil(simulation.rowsPer90Days);
  const random = createRandom(seed);
  let detector = kind.create(value);
  let alarms = 0;
  let left = 0;
  let position = 0;
  for (let row = 0; row < simulatedRows; row++) {
    if (left === 0) {
      position = Math.floor(random.nextFloat() * history.length);
      left = blockRows;
    }
    // Promotions begin detectors anew, and some alarm most while they are young.
    if (row > 0 && row % quarter === 0) detector = kind.create(value);
    const detection = detector.update(history[position] as number);
    position = position + 1 === history.length ? 0 : position + 1;
    left -= 1;
    if (!detection.driftDetected || detection.direction !== "up") continue;
    alarms += 1;
    if (alarms > stop) return alarms;
  }
  return alarms;
}
