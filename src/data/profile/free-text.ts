/**
 * Columns of texts that nobody has declared: names of countries, or letters of customers? Where most texts of the reference occur
 * once, a new one says nothing, and neither do the counts of the old ones. Such a column is compared as declared texts are, by
 * their length and one word of each.
 */
import type { CategoryColumn, Frame } from "../frame.ts";
import { CATEGORY_MISSING } from "../frame.ts";
import { buildReferenceProfile, type Profile, profileFrame, type ReferenceProfile } from "./profile.ts";
import { profiledFrame } from "./profiled.ts";

/** Share of the rows whose text occurs once from which it is free text: names and cities lie far below, letters near 1. */
const FREE_TEXT_SHARE = 0.5;

/** @param once rows whose text occurs once in the reference, of `present` rows with a text */
export function isFreeText(once: number, present: number): boolean {
  return present > 0 && once / present >= FREE_TEXT_SHARE;
}

/** The categories of a frame that are free text. */
export function freeTextNames(reference: Frame): readonly string[] {
  return reference.columns.flatMap((column) => (column.kind === "category" && isFree(column) ? [column.name] : []));
}

function isFree({ codes, dictionary }: CategoryColumn): boolean {
  const counts = new Float64Array(dictionary.length);
  let present = 0;
  for (const code of codes) {
    if (code === CATEGORY_MISSING) continue;
    counts[code] = (counts[code] as number) + 1;
    present += 1;
  }
  return isFreeText(
    counts.reduce((once, count) => once + Number(count === 1), 0),
    present,
  );
}

/** The frame with these categories as texts. */
export function withTexts(frame: Frame, names: readonly string[]): Frame {
  if (names.length === 0) return frame;
  const free = new Set(names);
  const wide = frame.columns.flatMap((column) => {
    if (column.kind !== "category" || !free.has(column.name)) return [];
    const values = Array.from(column.codes, (code) => column.dictionary[code] ?? null);
    return [{ kind: "text" as const, name: column.name, values }];
  });
  const columns = frame.columns.filter((column) => !free.has(column.name));
  return { ...frame, columns, wide: [...(frame.wide ?? []), ...wide] };
}

/** Both sides over the grid of the first; cost O(rows × columns). */
export function profileBoth(
  before: Frame,
  now: Frame,
): { readonly reference: ReferenceProfile; readonly current: Profile } {
  const every = ({ rows }: Frame) => Uint32Array.from({ length: rows }, (_, i) => i);
  const reference = buildReferenceProfile(before, every(before));
  return { reference, current: profileFrame(reference, profiledFrame(now), every(now)) };
}
