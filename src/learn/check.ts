/** What every trainer refuses before it starts, in one place, so that the messages are the same for all. */
import { fail } from "../core/index.ts";
import type { FitRequest, Matrix, Targets } from "./trainer.ts";

function checkPart(name: string, x: Matrix, y: Targets, allowMissing: boolean): void {
  if (x.values.length !== x.rows * x.columns || y.values.length !== x.rows) {
    throw fail("TRAINER_FAILED", {
      message: `The ${name} part has ${x.rows} rows × ${x.columns} columns, but ${x.values.length} values and ${y.values.length} targets.`,
      remedy: "Pass a row-major matrix of rows × columns and one target per row.",
    });
  }
  if (!allowMissing) checkFinite(name, x);
  for (let i = 0; i < y.values.length; i++) {
    const value = y.values[i] as number;
    if (
      Number.isFinite(value) &&
      (y.classCount === 0 || (Number.isInteger(value) && value >= 0 && value < y.classCount))
    )
      continue;
    throw fail("TRAINER_FAILED", {
      message: `The target of ${name} row ${i} is ${value}; it must be ${y.classCount === 0 ? "a finite number" : `a class index below ${y.classCount}`}.`,
      remedy: "Remove the row or correct its label.",
    });
  }
}

function checkFinite(name: string, x: Matrix): void {
  const { values } = x;
  // Sums of 32-bit floats never overflow 64 bits, so a sum is finite when all values are: the slow search then names the first.
  let even = 0;
  let odd = 0;
  for (let i = 0; i + 1 < values.length; i += 2) {
    even += values[i] as number;
    odd += values[i + 1] as number;
  }
  if (Number.isFinite(even + odd + (values[values.length - 1] ?? 0))) return;
  for (let i = 0; i < values.length; i++) {
    // Subtraction from itself is NaN for NaN and both infinities: one test for the three.
    const value = values[i] as number;
    if (value - value === 0) continue;
    throw fail("TRAINER_FAILED", {
      message: `Row ${Math.floor(i / x.columns)}, column ${i % x.columns} of the ${name} matrix is ${value}; this trainer takes filled, finite numbers.`,
      remedy: "Prepare the data with imputation (input: dense).",
    });
  }
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
    message: `All ${y.values.length} training rows carry class ${first}; a classifier needs at least two classes.`,
    remedy: "Wait for labels of another class, or widen `data.window`.",
  });
}
