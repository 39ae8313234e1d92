/**
 * The contract of a source. It is polled on the system clock, says what is new after a position, and knows nothing of the log:
 * the loop appends each batch and its position in one transaction, so a crash between the two cannot lose or repeat a batch.
 */
import type { Anomaly, JsonObject } from "../../core/index.ts";
import type { RowReading } from "../row-reading.ts";

/** Fewer than ingest writes in one commit (2,000), because the position must be in the commit of its rows. */
export const BATCH_ROWS = 1_000;

export interface SourceBatch {
  readonly rows: readonly RowReading[];
  /** Where to go on after these rows; stored with them. */
  readonly position: JsonObject;
  /** About the source itself, such as SOURCE_REWRITTEN. */
  readonly anomalies: readonly Anomaly[];
  /** `file:customers.csv`: the origin of the batch. */
  readonly origin: string;
  /** The file of a source that has several: names rows that have no id, together with their place. */
  readonly part?: string;
  /** The rows may have been taken before: those that the log holds as they are count once. */
  readonly mayBeKnown?: boolean;
}

export interface Source {
  readonly name: string;
  readonly model: string;
  readonly pollMs: number;
  /** Texts that mean missing in CSV rows, besides blank and NA. */
  readonly missing: readonly string[];
  /**
   * What is new after the position, batch by batch; nothing when there is nothing new. Stopping early is fine: the next poll
   * goes on after the last stored position.
   * @param position of the last stored batch; undefined before the first
   * @throws FILE_INVALID, HEADER_DUPLICATE, FORMAT_UNSUPPORTED; a file that is not there yet is nothing new
   */
  poll(position: JsonObject | undefined): AsyncIterable<SourceBatch>;
  /** What has to be there before anything can be read, as the last poll found it; undefined where nothing is missing. */
  waitsFor?(): string | undefined;
}

/** Gathers readings into batches; `position` is asked for after the last row of each. */
export async function* inBatches(
  readings: Iterable<RowReading> | AsyncIterable<RowReading>,
  batch: (rows: readonly RowReading[], last: boolean) => SourceBatch,
): AsyncGenerator<SourceBatch> {
  let rows: RowReading[] = [];
  for await (const reading of readings) {
    rows.push(reading);
    if (rows.length < BATCH_ROWS) continue;
    yield batch(rows, false);
    rows = [];
  }
  yield batch(rows, true);
}
