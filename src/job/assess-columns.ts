/** Column by column: what is missing, new, constant or an id in disguise. */
import { plural } from "../core/index.ts";
import type { Anomaly } from "../core/index.ts";
import type { Dataset, Frame, FrameColumn, ReferenceProfile } from "../data/index.ts";
import { countMissing, profileFrame } from "../data/index.ts";

/** A column this empty now… */
const MISSING_NOW = 0.5;
/** …that was this full when the champion trained is broken at its source, not different. */
const MISSING_BEFORE = 0.05;
/** Fewer new rows than this can all lack a column by chance. */
const MISSING_MIN_ROWS = 20;
/** Share outside the training range, or of unseen categories, worth a remark. */
const NOVELTY_REMARK = 0.05;
/** A text column with this share of distinct values is an id: it trains one weight per row and knows nothing of the next. */
const ID_SHARE = 0.9;
const ID_MIN_ROWS = 100;

const percent = (share: number) => `${(100 * share).toFixed(1)} %`;

/** One label value for everything: nothing can be learned, and usually the join or the export is broken. */
export function constantLabel(dataset: Dataset, labelColumn: string): Anomaly[] {
  const first = dataset.target[0] as number;
  for (let i = 1; i < dataset.rows; i++) if (dataset.target[i] !== first) return [];
  const value = dataset.classes.length > 0 ? dataset.classes[first] : first;
  return [
    {
      code: "LABEL_CONSTANT",
      column: labelColumn,
      message: `${dataset.rows === 1 ? "The only label is" : `All ${plural(dataset.rows, "label")} are`} ${JSON.stringify(value)}; there is nothing to learn.`,
      blocking: true,
    },
  ];
}

export function missingColumns(frame: Frame, fresh: Uint32Array, profile: ReferenceProfile | undefined): Anomaly[] {
  if (fresh.length < MISSING_MIN_ROWS) return [];
  const anomalies: Anomaly[] = [];
  for (const column of frame.columns) {
    const share = countMissing(column, fresh) / fresh.length;
    if (share <= MISSING_NOW) continue;
    const before = profile?.reference.features.find((feature) => feature.name === column.name);
    const rows = profile?.reference.rows ?? 0;
    const was = before === undefined || rows === 0 ? undefined : before.missing / rows;
    const blocking = was !== undefined && was < MISSING_BEFORE;
    anomalies.push({
      code: blocking ? "COLUMN_LOST" : "COLUMN_MOSTLY_MISSING",
      column: column.name,
      message: `"${column.name}" is missing in ${percent(share)} of ${plural(fresh.length, "new row")}${was === undefined ? "" : `; when the champion trained it was ${percent(was)}`}.`,
      blocking,
      details: { share, ...(was === undefined ? {} : { before: was }) },
    });
  }
  return anomalies;
}

export interface FeatureNovelty {
  readonly feature: string;
  readonly outOfRangeShare: number;
  readonly unseenShare: number;
  readonly missingShare: number;
  readonly anomaly?: Anomaly;
}

/** How much of the new rows lies outside what the champion was trained on. */
export function noveltyOf(profile: ReferenceProfile, frame: Frame, fresh: Uint32Array): FeatureNovelty[] {
  if (fresh.length === 0) return [];
  const known = new Set(frame.columns.map((column) => `${column.kind} ${column.name}`));
  const grid = profile.grid.filter((feature) => known.has(`${feature.kind} ${feature.name}`));
  const now = profileFrame({ ...profile, grid }, frame, fresh);
  return now.features.map((feature) => {
    const outOfRangeShare = (feature.below + feature.above) / now.rows;
    const unseenShare = feature.unseen / now.rows;
    const share = Math.max(outOfRangeShare, unseenShare);
    const what = outOfRangeShare >= unseenShare ? "outside the range" : "in categories unseen";
    return {
      feature: feature.name,
      outOfRangeShare,
      unseenShare,
      missingShare: feature.missing / now.rows,
      ...(share <= NOVELTY_REMARK
        ? {}
        : {
            anomaly: {
              code: outOfRangeShare >= unseenShare ? "OUT_OF_TRAINING_RANGE" : "CATEGORY_UNSEEN",
              column: feature.name,
              message: `${percent(share)} of ${plural(now.rows, "new row")} have "${feature.name}" ${what} when the champion trained.`,
              blocking: false,
              details: { share },
            },
          }),
    };
  });
}

/** A share of rounded whole numbers above this is a remark: rarer ones are outliers. */
const COARSE_SHARE = 0.01;

/** Whole numbers that merge in float32 are ids or absolute times: useless as they are, and different rows look alike. */
export function coarseNumbers(dataset: Dataset): Anomaly[] {
  return Object.entries(dataset.coarse).flatMap(([column, count]): Anomaly[] => {
    const share = count / dataset.rows;
    if (share < COARSE_SHARE) return [];
    return [
      {
        code: "NUMBER_COARSE",
        column,
        message: `${percent(share)} of the values of "${column}" are whole numbers beyond 16,777,216 that 32-bit floats merge with their neighbors. Leave out an id; turn a time into the span since an event.`,
        blocking: false,
        details: { rows: count, share },
      },
    ];
  });
}

/** Numbers that count something lie this close together: so many places between the least and the greatest for each row. */
const COUNTING_PLACES = 4;

/** All different whole numbers, and hardly any left out between them: a serial number. Amounts repeat, or lie far apart. */
function countingColumn({ name, values }: Extract<FrameColumn, { kind: "number" }>): Anomaly[] {
  let present = 0;
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (value !== value) continue;
    if (!Number.isInteger(value)) return [];
    present++;
    min = Math.min(min, value);
    max = Math.max(max, value);
  }
  if (present < ID_MIN_ROWS || max - min >= COUNTING_PLACES * present) return [];
  const seen = new Uint8Array(max - min + 1);
  for (const value of values) {
    if (value !== value) continue;
    if (seen[value - min] === 1) return [];
    seen[value - min] = 1;
  }
  return [
    {
      code: "COLUMN_LIKE_ID",
      column: name,
      message: `"${name}" has ${plural(present, "different whole number")} between ${min} and ${max}, none of them twice: it counts the rows, which no model can use for the next row.`,
      blocking: false,
      details: { distinct: present, rows: present },
    },
  ];
}

export function idLikeColumns(frame: Frame): Anomaly[] {
  if (frame.rows < ID_MIN_ROWS) return [];
  return frame.columns.flatMap((column): Anomaly[] => {
    if (column.kind === "number") return countingColumn(column);
    if (column.kind !== "category") return [];
    const present = frame.rows - countMissing(column);
    if (present < ID_MIN_ROWS || column.dictionary.length < ID_SHARE * present) return [];
    return [
      {
        code: "COLUMN_LIKE_ID",
        column: column.name,
        message: `"${column.name}" has ${plural(column.dictionary.length, "different text")} in ${plural(present, "row")}: it is an id, which no model can use for the next row.`,
        blocking: false,
        details: { distinct: column.dictionary.length, rows: present },
      },
    ];
  });
}
