/**
 * Train / validation / holdout. The holdout is what candidate and champion are compared on, so no row of it may train either.
 *
 * With event times: only mature rows count (older than the label delay: early labels are a biased part), the newest share is the
 * holdout, and rows whose label could not have been known when the holdout begins are left out (embargo), as they would have
 * been in production. Borders fall between instants, never inside one.
 *
 * Without event times: rows are ranked by the hash of their example id within every delivery and the lowest take the holdout,
 * so each delivery is held out in exactly the same share and new data reach the holdout at once. As data grow a row may leave
 * the holdout for training, never the other way.
 *
 * Rows that were labelled because of a model's score (`selective`) are a biased sample: they train and never judge, so neither
 * holdout nor validation takes one, and shares and sizes are counted on the other rows alone.
 */
import { fail, plural } from "../core/index.ts";
import type { Instant } from "../core/index.ts";

export const SPLIT_UNUSED = 0;
export const SPLIT_TRAIN = 1;
export const SPLIT_VALIDATION = 2;
export const SPLIT_HOLDOUT = 3;

export interface SplitPolicy {
  readonly holdout: { readonly share: number; readonly minRows: number; readonly maxRows: number };
  /** Share of the rows left after the holdout, for early stopping and the threshold. */
  readonly validationShare: number;
  readonly labelDelayMs: number;
  /** Whether the schema names an event time. */
  readonly timeOrdered: boolean;
}

export interface SplitInput {
  readonly rows: number;
  /** Ascending. */
  readonly at: Float64Array;
  readonly knownAt: Float64Array;
  readonly idHash: Uint32Array;
  /** 1 for a row that may only train; absent: none. */
  readonly selective?: Uint8Array;
}

export interface Splits {
  /** One of the SPLIT_ constants per row. */
  readonly assignment: Uint8Array;
  readonly train: Uint32Array;
  readonly validation: Uint32Array;
  readonly holdout: Uint32Array;
  /** Rows left out because their labels are too young, and because of the embargo before the holdout. */
  readonly immatureRows: number;
  readonly embargoedRows: number;
  /** First and last event time of each used part. */
  readonly trainTo: Instant;
  readonly holdoutFrom: Instant;
  readonly holdoutTo: Instant;
}

/**
 * @param now the as-of instant of the dataset
 * @throws SPLIT_EMPTY naming the counts. Cost: O(n log n) without event times, O(n) with.
 */
export function splitRows(input: SplitInput, policy: SplitPolicy, now: Instant): Splits {
  const fair = fairRows(input);
  const assignment = new Uint8Array(input.rows);
  const own = fair === undefined ? assignment : new Uint8Array(fair.rows.length);
  const judged = fair?.input ?? input;
  const counts = policy.timeOrdered ? assignByTime(judged, policy, now, own) : assignByHash(judged, policy, own);
  let { immatureRows } = counts;
  if (fair !== undefined) {
    assignSelective(input, policy, { rows: fair.rows, own }, assignment);
    const isYoung = (at: number) => policy.timeOrdered && at > now - policy.labelDelayMs;
    immatureRows += input.at.filter((at, row) => input.selective?.[row] === 1 && isYoung(at)).length;
  }
  const splits = describeSplits(input, assignment, { ...counts, immatureRows });
  checkNotEmpty(splits, input.rows, policy);
  return splits;
}

/** The rows that may judge, as an input of their own; undefined when all may. */
function fairRows(input: SplitInput): { readonly rows: Uint32Array; readonly input: SplitInput } | undefined {
  const { selective, at, knownAt, idHash } = input;
  if (selective === undefined || !selective.includes(1)) return undefined;
  const rows = Uint32Array.from({ length: input.rows }, (_, row) => row).filter((row) => selective[row] !== 1);
  const pick = (from: Float64Array) => Float64Array.from(rows, (row) => from[row] as number);
  const hashes = new Uint32Array(rows.length * 2);
  rows.forEach((row, i) => hashes.set(idHash.subarray(row * 2, row * 2 + 2), i * 2));
  return { rows, input: { rows: rows.length, at: pick(at), knownAt: pick(knownAt), idHash: hashes } };
}

/** Puts the fair rows' parts in their places and lets the selective ones train, where they are older than the holdout. */
function assignSelective(
  input: SplitInput,
  policy: SplitPolicy,
  fair: { readonly rows: Uint32Array; readonly own: Uint8Array },
  assignment: Uint8Array,
): void {
  let holdoutFrom = Infinity;
  fair.rows.forEach((row, i) => {
    assignment[row] = fair.own[i] as number;
    if (fair.own[i] === SPLIT_HOLDOUT) holdoutFrom = Math.min(holdoutFrom, input.at[row] as number);
  });
  for (let row = 0; row < input.rows; row++) {
    if (input.selective?.[row] !== 1) continue;
    // Across time the same embargo holds as for every training row: its label must have been known when the holdout begins.
    const isKnown = !policy.timeOrdered || (input.at[row] as number) + policy.labelDelayMs <= holdoutFrom;
    if (isKnown) assignment[row] = SPLIT_TRAIN;
  }
}

/** The splits a stored assignment stands for. */
export function describeSplits(
  input: Pick<SplitInput, "at">,
  assignment: Uint8Array,
  counts: { readonly immatureRows: number; readonly embargoedRows: number },
): Splits {
  const train = rowsOf(assignment, SPLIT_TRAIN);
  const validation = rowsOf(assignment, SPLIT_VALIDATION);
  const holdout = rowsOf(assignment, SPLIT_HOLDOUT);
  let trainTo = -Infinity;
  for (const row of train) trainTo = Math.max(trainTo, input.at[row] as number);
  for (const row of validation) trainTo = Math.max(trainTo, input.at[row] as number);
  let holdoutFrom = Infinity;
  let holdoutTo = -Infinity;
  for (const row of holdout) {
    holdoutFrom = Math.min(holdoutFrom, input.at[row] as number);
    holdoutTo = Math.max(holdoutTo, input.at[row] as number);
  }
  return { assignment, train, validation, holdout, ...counts, trainTo, holdoutFrom, holdoutTo };
}

function rowsOf(assignment: Uint8Array, part: number): Uint32Array {
  let count = 0;
  for (let i = 0; i < assignment.length; i++) if (assignment[i] === part) count++;
  const rows = new Uint32Array(count);
  let at = 0;
  for (let i = 0; i < assignment.length; i++) if (assignment[i] === part) rows[at++] = i;
  return rows;
}

function checkNotEmpty(splits: Splits, rows: number, policy: SplitPolicy): void {
  const parts = [
    ["training", splits.train],
    ["validation", splits.validation],
    ["holdout", splits.holdout],
  ] as const;
  const empty = parts.filter(([, part]) => part.length === 0).map(([name]) => name);
  if (empty.length === 0) return;
  const days = Math.round(policy.labelDelayMs / 864_000) / 100;
  const young = days === 0 ? "with a time in the future" : `too young for the label delay of ${plural(days, "day")}`;
  const names =
    empty.length === 1 ? `${empty[0]} split` : `${empty.slice(0, -1).join(", ")} and ${empty.at(-1)} splits`;
  throw fail("SPLIT_EMPTY", {
    message: `Of ${plural(rows, "labelled row")} the ${names} got none: training ${splits.train.length}, validation ${splits.validation.length}, holdout ${splits.holdout.length}, ${young} ${splits.immatureRows}, embargoed before the holdout ${splits.embargoedRows}.`,
    remedy:
      days === 0 && splits.immatureRows > 0
        ? "Correct the times of the rows, or wait until they have come."
        : "Wait for more labelled rows, or lower `labelDelay`, `data.holdout.minRows` or `data.holdout.share`.",
    details: { rows, train: splits.train.length, validation: splits.validation.length, holdout: splits.holdout.length },
  });
}

/** Holdout rows of n: the share, at least minRows but never more than half, at most maxRows. */
function holdoutSize(n: number, policy: SplitPolicy): number {
  const { share, minRows, maxRows } = policy.holdout;
  return Math.min(Math.max(Math.round(share * n), minRows), maxRows, Math.floor(n / 2));
}

/**
 * The border nearest at or before `position` that does not cut an instant in two; the border after it where that would leave
 * nothing in front, and −1 where all rows carry one instant.
 */
function borderBetweenInstants(at: Float64Array, position: number, end: number): number {
  let border = position;
  while (border > 0 && at[border - 1] === at[position]) border--;
  if (border > 0) return border;
  border = position;
  while (border < end && at[border] === at[position]) border++;
  return border < end ? border : -1;
}

function assignByTime(input: SplitInput, policy: SplitPolicy, now: Instant, assignment: Uint8Array) {
  const { at, rows } = input;
  let mature = rows;
  while (mature > 0 && (at[mature - 1] as number) > now - policy.labelDelayMs) mature--;
  const wanted = holdoutSize(mature, policy);
  const border = wanted === 0 ? mature : borderBetweenInstants(at, mature - wanted, mature);
  // One instant for everything: the time column says nothing, so the rows are split as if there were none.
  if (border === -1) return assignByHash(input, policy, assignment);
  assignment.fill(SPLIT_HOLDOUT, border, mature);
  const begin = at[border] as number;
  let kept = border;
  while (kept > 0 && (at[kept - 1] as number) + policy.labelDelayMs > begin) kept--;
  const validationRows = Math.max(1, Math.round(policy.validationShare * kept));
  if (kept > 1) {
    const start = borderBetweenInstants(at, kept - validationRows, kept);
    if (start === -1) {
      // All training rows carry one instant: the validation rows are then any of them, evenly spaced.
      const step = Math.max(2, Math.floor(kept / validationRows));
      for (let i = 0; i < kept; i++) assignment[i] = i % step === step - 1 ? SPLIT_VALIDATION : SPLIT_TRAIN;
    } else {
      assignment.fill(SPLIT_TRAIN, 0, start);
      assignment.fill(SPLIT_VALIDATION, start, kept);
    }
  }
  return { immatureRows: rows - mature, embargoedRows: border - kept };
}

/** A delivery below this many rows cannot be held out in a share; its rows are then drawn one by one. */
const SMALL_DELIVERY = 20;

function assignByHash(input: SplitInput, policy: SplitPolicy, assignment: Uint8Array) {
  const { rows, idHash, knownAt } = input;
  if (rows === 0) return { immatureRows: 0, embargoedRows: 0 };
  const order = Uint32Array.from({ length: rows }, (_, i) => i);
  order.sort(
    (left, right) =>
      (knownAt[left] as number) - (knownAt[right] as number) ||
      (idHash[left * 2] as number) - (idHash[right * 2] as number) ||
      (idHash[left * 2 + 1] as number) - (idHash[right * 2 + 1] as number),
  );
  // Falls as rows grow (never below the share), so rows only ever leave the holdout.
  const share = Math.max(policy.holdout.share, Math.min(0.5, policy.holdout.minRows / rows));
  assignment.fill(SPLIT_TRAIN);
  const held: number[] = [];
  for (let start = 0; start < rows; ) {
    let end = start + 1;
    while (end < rows && knownAt[order[end] as number] === knownAt[order[start] as number]) end++;
    assignDelivery(order.subarray(start, end), share, policy.validationShare, idHash, assignment, held);
    start = end;
  }
  // Over the cap the oldest deliveries give their rows back to training.
  const surplus = Math.max(0, held.length - policy.holdout.maxRows);
  for (let i = 0; i < surplus; i++) assignment[held[i] as number] = SPLIT_TRAIN;
  return { immatureRows: 0, embargoedRows: 0 };
}

function assignDelivery(
  delivery: Uint32Array,
  share: number,
  validationShare: number,
  idHash: Uint32Array,
  assignment: Uint8Array,
  held: number[],
): void {
  const size = delivery.length;
  const holdoutRows = Math.round(share * size);
  const validationRows = Math.round(validationShare * (size - holdoutRows));
  const validationTo = share + validationShare * (1 - share);
  for (let i = 0; i < size; i++) {
    const row = delivery[i] as number;
    const place = (idHash[row * 2] as number) / 4_294_967_296;
    const inHoldout = size < SMALL_DELIVERY ? place < share : i < holdoutRows;
    const inValidation = size < SMALL_DELIVERY ? place < validationTo : i < holdoutRows + validationRows;
    if (inHoldout) {
      assignment[row] = SPLIT_HOLDOUT;
      held.push(row);
    } else if (inValidation) assignment[row] = SPLIT_VALIDATION;
  }
}

/**
 * Refuses splits that lack a class. Training must hold every class; the holdout of a binary model must hold both, since no
 * ranking metric exists otherwise.
 * @throws CLASS_MISSING naming split, class and counts.
 */
export function checkClasses(
  target: Float64Array,
  classes: readonly (string | number | boolean)[],
  splits: Pick<Splits, "train" | "holdout">,
): void {
  if (classes.length === 0) return;
  const parts = [
    ["training", splits.train] as const,
    ...(classes.length === 2 ? [["holdout", splits.holdout] as const] : []),
  ];
  for (const [name, rows] of parts) {
    const counts = new Uint32Array(classes.length);
    for (const row of rows) counts[target[row] as number] = (counts[target[row] as number] as number) + 1;
    const missing = classes.filter((_, i) => counts[i] === 0);
    if (missing.length === 0) continue;
    throw fail("CLASS_MISSING", {
      message: `The ${name} split of ${plural(rows.length, "row")} holds no example of ${missing.map((value) => JSON.stringify(value)).join(", ")}; it has ${classes.map((value, i) => `${JSON.stringify(value)} ${counts[i]}`).join(", ")}.`,
      remedy: "Wait for labels of the missing class, or widen `data.window`.",
      details: { split: name, rows: rows.length, missing: missing.map(String) },
    });
  }
}
