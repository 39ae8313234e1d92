/** What a child answers, as the parent may trust it. */
import {
  ERROR_CODES,
  type ErrorCode,
  fail,
  type JobErrorMessage,
  type Json,
  type JsonObject,
  RetrainError,
} from "../../core/index.ts";

/** The result of a job, or the error it is: NaN and the infinities cannot be stored and are never silently changed. */
export function checkedResult(type: string, result: JsonObject): JsonObject | RetrainError {
  const where = nonFinitePath(result);
  if (where === undefined) return result;
  return fail("OUTPUT_INVALID", {
    message: `The job "${type}" returned a number that is NaN or infinite at "${where}".`,
    remedy: "Look for a diverging loss or a column of constants; lower the learning rate, or leave the column out.",
    details: { where },
  });
}

/** The path of the first number that JSON cannot hold. Bytes travel as typed arrays and are not looked into. */
export function nonFinitePath(value: Json, path = ""): string | undefined {
  if (typeof value === "number") return Number.isFinite(value) ? undefined : path;
  if (typeof value !== "object" || value === null || ArrayBuffer.isView(value)) return undefined;
  for (const [key, inner] of Object.entries(value)) {
    const found = nonFinitePath(inner as Json, path === "" ? key : `${path}.${key}`);
    if (found !== undefined) return found;
  }
  return undefined;
}

/** An error that crossed the process boundary, with what the job had printed. */
export function revivedError(error: JobErrorMessage, output: readonly string[]): RetrainError {
  const code = (Object.hasOwn(ERROR_CODES, error.code) ? error.code : "INTERNAL") as ErrorCode;
  const details = output.length === 0 ? error.details : { ...error.details, output };
  return new RetrainError(code, { message: error.message, remedy: error.remedy, details });
}
