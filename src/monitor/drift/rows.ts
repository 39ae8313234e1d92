/** Rows as anybody has them, without a schema: what each column is follows from its values. */
import { type Frame, frameFromFeatures, freeTextNames, profileBoth, withTexts } from "../../data/index.ts";
import type { DriftReport } from "../../core/index.ts";
import type { DriftOptions } from "./options.ts";
import { compareProfiles } from "./report.ts";

export type PlainRow = Readonly<Record<string, number | string | boolean | null | undefined>>;

const KINDS = { number: "number", boolean: "boolean", string: "category" } as const;
type Kind = (typeof KINDS)[keyof typeof KINDS];

/** Columns by name in the order of their first appearance; one with values of several kinds is a category of their texts. */
function kindsOf(rows: readonly PlainRow[], into = new Map<string, Kind | undefined>()): Map<string, Kind | undefined> {
  for (const row of rows) {
    for (const [name, value] of Object.entries(row)) {
      const known = into.get(name);
      const type = typeof value;
      const kind = type === "number" || type === "boolean" || type === "string" ? KINDS[type] : undefined;
      if (known === undefined || kind === undefined) into.set(name, known ?? kind);
      else if (known !== kind) into.set(name, "category");
    }
  }
  return into;
}

function frameWith(kinds: ReadonlyMap<string, Kind | undefined>, rows: readonly PlainRow[]): Frame {
  const features = [...kinds].map(([name, kind]) => ({ name, spec: { kind: kind ?? "number" } as const }));
  const texts = new Set([...kinds].flatMap(([name, kind]) => (kind === "category" ? [name] : [])));
  const plain = rows.map((row) => {
    if (texts.size === 0) return row;
    const copy: Record<string, PlainRow[string]> = { ...row };
    for (const name of texts) {
      const value = row[name];
      copy[name] = value === null || value === undefined ? null : String(value);
    }
    return copy;
  });
  return frameFromFeatures({ features }, plain);
}

/**
 * Rows of plain objects as frames with the same columns: numbers, booleans, and texts as categories; null and absent are missing.
 * @param parts rows of one or more windows; n rows × d columns each
 * @returns one frame a window, all with the columns of all. Cost O(n · d).
 */
export function framesOfRows(...parts: readonly (readonly PlainRow[])[]): readonly Frame[] {
  const kinds = new Map<string, Kind | undefined>();
  for (const rows of parts) kindsOf(rows, kinds);
  return parts.map((rows) => frameWith(kinds, rows));
}

/**
 * Compares two windows of rows column by column. Texts of which most occur once are compared by their length and a word of each.
 * @param reference rows of the past
 * @param current rows of now
 * @param given what a column must exceed; see `DriftOptions`
 * @returns verdict, reason and every column with its statistics; `cannot-tell` with fewer than 200 rows of a side unless `minRows` says otherwise
 * @throws CONFIG_INVALID for a value out of its range. Cost O(rows · columns).
 */
export function compareRows(
  reference: readonly PlainRow[],
  current: readonly PlainRow[],
  given: Partial<DriftOptions> = {},
): DriftReport {
  const [before, now] = framesOfRows(reference, current) as readonly [Frame, Frame];
  const free = freeTextNames(before);
  const { reference: profile, current: counts } = profileBoth(withTexts(before, free), withTexts(now, free));
  return compareProfiles(profile, counts, given);
}
