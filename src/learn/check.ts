/** What every trainer refuses before it starts, in one place, so that the messages are the same for all. */
import { fail } from "../core/index.ts";
import type { FitRequest, Matrix, Targets } from "./trainer.ts";

/** Values looked at by one call: a function called often is compiled once for all trainings, a long loop anew in each of them. */
const VALUES_PER_CALL = 8_192;
/** Largest numeric target: sums of the squares of 10^7 of them stay finite, and so do the losses of every trainer. */
const MOST_TARGET = 1e150;

function checkPart(name: string, x: Matrix, y: Targets, allowMissing: boolean): void {
  if (x.values.length !== x.rows * x.columns || y.values.length !== x.rows) {
    throw fail("TRAINER_FAILED", {
      message: `The ${name} part has ${x.rows} rows × ${x.columns} columns, but ${x.values.length} values and ${y.values.length} targets.`,
      remedy: "Pass a row-major matrix of rows × columns and one target per row.",
    });
  }
  if (!allowMissing) checkFinite(name, x);
  for (let from = 0; from < y.values.length; from += VALUES_PER_CALL) {
    checkTargets(name, y, from, Math.min(y.values.length, from + VALUES_PER_CALL));
  }
  if (y.weights !== undefined) checkWeights(name, y.weights, x.rows);
}

/** One weight a row, from 0 up, and not all of them 0: nothing can be learned from rows that do not count. */
function checkWeights(name: string, weights: Float64Array, rows: number): void {
  if (weights.length !== rows) {
    throw fail("TRAINER_FAILED", {
      message: `The ${name} part has ${rows} rows, but ${weights.length} weights.`,
      remedy: "Pass one weight per row, or none.",
    });
  }
  let sum = 0;
  for (let i = 0; i < rows; i++) {
    const weight = weights[i] as number;
    sum += weight;
    if (weight >= 0 && weight < Infinity) continue;
    throw fail("TRAINER_FAILED", {
      message: `The weight of ${name} row ${i} is ${weight}; weights are finite numbers from 0 up.`,
      remedy: "Correct the weight, or remove the row.",
    });
  }
  if (rows === 0 || (sum > 0 && sum < Infinity)) return;
  throw fail("TRAINER_FAILED", {
    message: `The weights of the ${rows} ${name} rows add up to ${sum}; with that no row counts.`,
    remedy: "Scale the weights so that they are 1 on average, or remove them.",
  });
}

function checkTargets(name: string, y: Targets, from: number, end: number): void {
  const { values, classCount } = y;
  for (let i = from; i < end; i++) {
    const value = values[i] as number;
    if (
      classCount === 0
        ? value >= -MOST_TARGET && value <= MOST_TARGET
        : value >= 0 && value < classCount && Math.floor(value) === value
    )
      continue;
    throw fail("TRAINER_FAILED", {
      message: `The target of ${name} row ${i} is ${value}; it must be ${classCount === 0 ? `a number from -${MOST_TARGET} to ${MOST_TARGET}` : `a class index below ${classCount}`}.`,
      remedy: "Remove the row or correct its label.",
    });
  }
}

function checkFinite(name: string, x: Matrix): void {
  const { values } = x;
  for (let from = 0; from < values.length; from += VALUES_PER_CALL) {
    const end = Math.min(values.length, from + VALUES_PER_CALL);
    if (Number.isFinite(sumOf(values, from, end))) continue;
    for (let i = from; i < end; i++) {
      // Subtraction from itself is NaN for NaN and both infinities: one test for the three.
      const value = values[i] as number;
      if (value - value === 0) continue;
      throw fail("TRAINER_FAILED", {
        message: `Row ${Math.floor(i / x.columns)}, column ${i % x.columns} of the ${name} matrix is ${value}; this trainer takes filled, finite numbers.`,
        remedy: "Prepare the data with imputation (input: dense).",
      });
    }
  }
}

/** Sums of 32-bit floats never overflow 64 bits, so a sum is finite when all values are: the slow search then names the first. */
function sumOf(values: Float32Array, from: number, end: number): number {
  let a = 0;
  let b = 0;
  let c = 0;
  let d = 0;
  let i = from;
  for (; i + 3 < end; i += 4) {
    a += values[i] as number;
    b += values[i + 1] as number;
    c += values[i + 2] as number;
    d += values[i + 3] as number;
  }
  for (; i < end; i++) a += values[i] as number;
  return a + b + (c + d);
}

/** @throws TRAINER_FAILED for shapes and values no trainer can use, CLASS_MISSING where training has one class only. */
export function checkFitRequest(request: FitRequest, allowMissing: boolean): void {
  const { train, validation } = request;
  checkPart("training", train.x, train.y, allowMissing);
  checkPart("validation", validation.x, validation.y, allowMissing);
  if (train.x.rows === 0) {
    throw fail("DATASET_EMPTY", { message: "There is no training row.", remedy: "Wait for labelled rows." });
  }
  if (train.x.columns !== validation.x.columns) {
    throw fail("TRAINER_FAILED", {
      message: `Training has ${train.x.columns} columns and validation ${validation.x.columns}.`,
      remedy: "Prepare both with the same preparation.",
    });
  }
}

/** @throws CLASS_MISSING naming the only class. */
export function checkTwoClasses(y: Targets): void {
  if (y.classCount === 0) return;
  const first = y.values[0];
  for (let i = 1; i < y.values.length; i++) if (y.values[i] !== first) return;
  throw fail("CLASS_MISSING", {
    message: `${y.values.length === 1 ? "The only training row carries" : `All ${y.values.length} training rows carry`} class ${first}; a classifier needs at least two classes.`,
    remedy: "Wait for labels of another class, or widen `data.window`.",
  });
}
