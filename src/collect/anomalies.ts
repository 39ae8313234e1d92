/**
 * What is odd about a whole batch, by name. Anomalies never drop data; blocking ones stop training on it until somebody looked,
 * because a column that turned empty trains a model that ignores it.
 */
import { plural } from "../core/index.ts";
import type { Anomaly } from "../core/index.ts";
import type { DataSchema } from "../data/index.ts";

export const BATCH_ANOMALIES = {
  VOLUME_ZERO: "The delivery holds no row.",
  ALL_QUARANTINED: "Every row was refused.",
  MISSING_SHARE_JUMP: "A column is missing far more often than before.",
  DUPLICATE_SHARE: "Many rows repeat an example of the same delivery.",
  COLUMN_VANISHED: "A column that used to arrive is in no row.",
  COLUMN_APPEARED: "A column that the schema does not list is in most rows.",
  SOURCE_REWRITTEN: "The part of a file that was already read has changed.",
  QUOTE_UNCLOSED: "A quote of a CSV file is opened and not closed, so its lines from there on are not read.",
} as const;
export type BatchAnomalyCode = keyof typeof BATCH_ANOMALIES;

/** Counts of one batch, or sums over earlier ones. Mergeable: all are sums. */
export interface BatchStatistics {
  readonly rows: number;
  readonly accepted: number;
  readonly duplicates: number;
  /** Rows in which the column is null or absent. */
  readonly missing: Readonly<Record<string, number>>;
  /** Rows that have a column the schema does not list. */
  readonly unknown: Readonly<Record<string, number>>;
}

/** Names of unknown columns kept: a table of 10,000 of them is told by the first. */
const UNKNOWN_LIMIT = 50;
/** Fewer rows say nothing about shares. */
const MIN_ROWS = 50;
/** Jump of a missing share that is named, and the one from which training stops. Below a tenth it is everyday. */
const JUMP_NAMED = 0.1;
const JUMP_BLOCKING = 0.3;
/** Standard errors a jump must exceed: 4 is one false name in 30,000 columns. */
const JUMP_Z = 4;
const DUPLICATE_SHARE = 0.5;

/** Counts rows of a batch as they pass. Cost O(columns) a row. */
export function createBatchProfile(schema: DataSchema) {
  const names = schema.features.map((feature) => feature.name);
  const known = new Set([...names, schema.labelColumn, schema.id, schema.time, schema.unit, ...(schema.ignore ?? [])]);
  const missing = new Map<string, number>(names.map((name) => [name, 0]));
  const unknown = new Map<string, number>();
  let rows = 0;
  let accepted = 0;
  let duplicates = 0;
  return {
    /** @param row the converted row, or undefined where the line was no row */
    add(row: Readonly<Record<string, unknown>> | undefined, outcome: { accepted: boolean; duplicate: boolean }): void {
      rows++;
      if (outcome.accepted) accepted++;
      if (outcome.duplicate) duplicates++;
      if (row === undefined) return;
      for (const name of names) {
        if (row[name] === undefined || row[name] === null) missing.set(name, (missing.get(name) as number) + 1);
      }
      for (const name of Object.keys(row)) {
        if (known.has(name)) continue;
        if (unknown.has(name) || unknown.size < UNKNOWN_LIMIT) unknown.set(name, (unknown.get(name) ?? 0) + 1);
      }
    },
    statistics(): BatchStatistics {
      return {
        rows,
        accepted,
        duplicates,
        missing: Object.fromEntries(missing),
        unknown: Object.fromEntries(unknown),
      };
    },
  };
}

/**
 * @param reference sums over earlier accepted batches; without it only what needs no comparison is judged
 * @returns anomalies in a fixed order, none for an everyday batch
 */
export function batchAnomalies(batch: BatchStatistics, reference?: BatchStatistics): readonly Anomaly[] {
  const found: Anomaly[] = [];
  const add = (code: BatchAnomalyCode, message: string, blocking: boolean, column?: string) =>
    found.push({ code, message, blocking, ...(column === undefined ? {} : { column }) });
  if (batch.rows === 0) {
    add("VOLUME_ZERO", BATCH_ANOMALIES.VOLUME_ZERO, false);
    return found;
  }
  if (batch.accepted === 0)
    add(
      "ALL_QUARANTINED",
      `${batch.rows === 1 ? "The only row was" : `All ${plural(batch.rows, "row")} were`} refused.`,
      false,
    );
  if (batch.rows < MIN_ROWS) return found;
  if (batch.duplicates > batch.rows * DUPLICATE_SHARE)
    add(
      "DUPLICATE_SHARE",
      `${batch.duplicates} of ${plural(batch.rows, "row")} ${batch.duplicates === 1 ? "repeats" : "repeat"} an example of the same delivery.`,
      false,
    );
  for (const [column, count] of Object.entries(batch.unknown)) {
    if (count > batch.rows / 2)
      add(
        "COLUMN_APPEARED",
        `${count} of ${plural(batch.rows, "row")} ${count === 1 ? "has" : "have"} a column "${column}" that the schema does not list.`,
        true,
        column,
      );
  }
  if (reference !== undefined && reference.rows >= MIN_ROWS) {
    for (const anomaly of missingJumps(batch, reference)) found.push(anomaly);
  }
  return found;
}

function missingJumps(batch: BatchStatistics, reference: BatchStatistics): readonly Anomaly[] {
  const found: Anomaly[] = [];
  for (const [column, count] of Object.entries(batch.missing)) {
    const now = count / batch.rows;
    const before = (reference.missing[column] ?? 0) / reference.rows;
    const pooled = (count + (reference.missing[column] ?? 0)) / (batch.rows + reference.rows);
    const error = Math.sqrt(pooled * (1 - pooled) * (1 / batch.rows + 1 / reference.rows));
    const jump = now - before;
    if (jump <= JUMP_NAMED || jump <= JUMP_Z * error) continue;
    const shares = `${(before * 100).toFixed(1)} % to ${(now * 100).toFixed(1)} %`;
    found.push(
      now === 1
        ? {
            code: "COLUMN_VANISHED",
            column,
            message: `"${column}" is in no row of this delivery; before, ${(100 - before * 100).toFixed(1)} % of rows had it.`,
            blocking: true,
          }
        : {
            code: "MISSING_SHARE_JUMP",
            column,
            message: `"${column}" went from ${shares} missing.`,
            blocking: jump >= JUMP_BLOCKING,
            details: { before, now },
          },
    );
  }
  return found;
}

/** Sums two statistics. */
export function mergeStatistics(left: BatchStatistics, right: BatchStatistics): BatchStatistics {
  const sum = (a: Readonly<Record<string, number>>, b: Readonly<Record<string, number>>) => {
    const result = new Map(Object.entries(a));
    for (const [key, count] of Object.entries(b)) result.set(key, (result.get(key) ?? 0) + count);
    return Object.fromEntries(result);
  };
  return {
    rows: left.rows + right.rows,
    accepted: left.accepted + right.accepted,
    duplicates: left.duplicates + right.duplicates,
    missing: sum(left.missing, right.missing),
    unknown: sum(left.unknown, right.unknown),
  };
}
