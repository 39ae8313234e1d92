/** Times that cannot be right: rows from the future, and columns that hold times after the event they describe. */
import { plural } from "../core/index.ts";
import type { Anomaly } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import type { JobInput } from "./input.ts";

/** Clocks differ, and 32-bit floats hold milliseconds of this century to two minutes. */
const TOLERANCE_MS = 300_000;
/** Fewer rows than this share are clock trouble, not a leak. */
const SHARE = 0.01;
const MIN_ROWS = 100;
/** 2000 to 2100: numbers that all lie there are times, in seconds or in milliseconds. */
const FROM_S = 946_684_800;
const TO_S = 4_102_444_800;
const TIME_SHARE = 0.95;

export function futureTimes(dataset: Dataset, input: JobInput): Anomaly[] {
  // Without a time column a row happens when it arrives.
  if (input.spec.schema.time === undefined || dataset.rows < MIN_ROWS) return [];
  return [...futureRows(dataset), ...futureColumns(dataset)];
}

function futureRows(dataset: Dataset): Anomaly[] {
  let count = 0;
  for (let row = 0; row < dataset.rows; row++) {
    if ((dataset.at[row] as number) > (dataset.knownAt[row] as number) + TOLERANCE_MS) count++;
  }
  if (count === 0) return [];
  return [
    {
      code: "TIME_IN_FUTURE",
      message: `${count} of ${plural(dataset.rows, "row")} happened after they were known: their event time is wrong, or in another unit or time zone.`,
      blocking: false,
      details: { rows: count },
    },
  ];
}

/** A time after the event was written down after it: such a column is not known when the prediction is asked for. */
function futureColumns(dataset: Dataset): Anomaly[] {
  return dataset.frame.columns.flatMap((column): Anomaly[] => {
    if (column.kind !== "number") return [];
    for (const unit of [1, 1_000]) {
      let present = 0;
      let times = 0;
      let after = 0;
      for (let row = 0; row < dataset.rows; row++) {
        const value = column.values[row] as number;
        if (value !== value) continue;
        present++;
        if (value < (FROM_S * 1_000) / unit || value > (TO_S * 1_000) / unit) continue;
        times++;
        if (value * unit > (dataset.at[row] as number) + TOLERANCE_MS) after++;
      }
      if (present < MIN_ROWS || times < TIME_SHARE * present || after < SHARE * present) continue;
      return [
        {
          code: "COLUMN_AFTER_EVENT",
          column: column.name,
          message: `"${column.name}" holds times, and in ${after} of ${plural(present, "row")} they lie after the event: it was filled in later than a prediction is asked for.`,
          blocking: false,
          details: { rows: after, present },
        },
      ];
    }
    return [];
  });
}
