/** Where profiles are kept: counts of inputs and scores by hour of event time, as sums of deltas that folds write. */
import type { Instant, Json } from "./records.ts";

/** The counts one fold adds to one hour. */
export interface ProfileDelta {
  /** `observation` and `prediction` for inputs as they came, `score:v3` for the answers of a version. */
  readonly scope: string;
  /** Start of the UTC hour of the event time. */
  readonly bucket: Instant;
  /** Sparse counts over the grid, as `data/profile` encodes them. */
  readonly counts: string;
}
export interface ProfileRow extends ProfileDelta {
  /** One hour, or one day where hours were summed. */
  readonly widthMs: number;
  /** First and last fold in it. */
  readonly fromSeq: number;
  readonly foldSeq: number;
}
export interface ProfileFoldState {
  /** Place in the log, as `LogCursor`. */
  readonly cursor: { readonly transactionId: bigint; readonly seq: bigint };
  readonly foldSeq: number;
}

export interface ProfileStore {
  saveGrid(model: string, grid: string, body: Json): Promise<void>;
  grid(model: string, grid: string): Promise<Json | undefined>;
  read(model: string, grid: string): Promise<ProfileFoldState>;
  /** One transaction: compare-and-set on foldSeq, cursor, deltas. False when another folder was first. */
  commit(
    model: string,
    grid: string,
    change: {
      readonly expectedFoldSeq: number;
      readonly cursor: ProfileFoldState["cursor"];
      readonly deltas: readonly ProfileDelta[];
    },
  ): Promise<boolean>;
  /** What folds after `afterSeq` wrote, in fold order. A row whose `fromSeq` is not after it holds more than what is new. */
  rows(model: string, grid: string, afterSeq: number): Promise<readonly ProfileRow[]>;
  /** Sums the deltas of each hour before `hoursBefore`, and the hours of each day before `daysBefore` (event time). */
  collapse(model: string, grid: string, before: { hoursBefore: Instant; daysBefore: Instant }): Promise<void>;
  /** Forgets what lies wholly before the instant. */
  deleteBefore(model: string, before: Instant): Promise<void>;
  /** Forgets every grid of the model but these. */
  keepGrids(model: string, grids: readonly string[]): Promise<void>;
}
