/**
 * What a version remembers of each feature: how much its answers rest on it, and how large its held-out losses were in a few
 * cells of the feature. Slices of realised performance are these cells, and a diagnosis multiplies how much of the traffic moved
 * between cells by how much worse the version was there.
 */
import type { FeatureValue } from "../core/index.ts";

export interface FeatureNote {
  readonly feature: string;
  readonly kind: "number" | "category" | "boolean";
  /** Number: ascending upper edges of all cells but the last. */
  readonly cuts?: readonly number[];
  /** Category: the listed ones, the rest is one cell. */
  readonly categories?: readonly string[];
  /** Share of the held-out loss that rests on the feature: how much larger it gets when its values are shuffled, in [0, 1]. */
  readonly importance: number;
  /** Per cell: share of the held-out rows, and their mean loss (null without rows). The last cell is "missing". */
  readonly cells: readonly { readonly share: number; readonly meanLoss: number | null; readonly rows: number }[];
}

/** Cells of a note, "missing" included. */
export function cellCount(note: Pick<FeatureNote, "kind" | "cuts" | "categories">): number {
  if (note.kind === "boolean") return 3;
  return note.kind === "number" ? (note.cuts ?? []).length + 2 : (note.categories ?? []).length + 2;
}

/** Which cell a value falls into; the last one is "missing". */
export function cellOf(
  note: Pick<FeatureNote, "kind" | "cuts" | "categories">,
  value: FeatureValue | undefined,
): number {
  const missing = cellCount(note) - 1;
  if (value === null || value === undefined) return missing;
  if (note.kind === "boolean") return value === true ? 1 : 0;
  if (note.kind === "category") {
    const found = (note.categories ?? []).indexOf(String(value));
    return found === -1 ? missing - 1 : found;
  }
  const cuts = note.cuts ?? [];
  const number = Number(value);
  let cell = 0;
  while (cell < cuts.length && number > (cuts[cell] as number)) cell++;
  return cell;
}

export function cellName(note: Pick<FeatureNote, "feature" | "kind" | "cuts" | "categories">, cell: number): string {
  const { feature } = note;
  const missing = cellCount(note) - 1;
  if (cell === missing) return `${feature} is missing`;
  if (note.kind === "boolean") return `${feature}=${cell === 1}`;
  if (note.kind === "category") {
    const name = note.categories?.[cell];
    return name === undefined ? `${feature}=other` : `${feature}=${name}`;
  }
  const cuts = note.cuts ?? [];
  const short = (value: number) => Number(value.toPrecision(4)).toString();
  if (cuts.length === 0) return `any ${feature}`;
  if (cell === 0) return `${feature} ≤ ${short(cuts[0] as number)}`;
  if (cell === cuts.length) return `${feature} > ${short(cuts[cell - 1] as number)}`;
  return `${short(cuts[cell - 1] as number)} < ${feature} ≤ ${short(cuts[cell] as number)}`;
}

/** Features whose cells are slices: those the model's description names, else the three that matter most. */
export function sliceNotes(notes: readonly FeatureNote[], named: readonly string[]): readonly FeatureNote[] {
  if (named.length > 0) return notes.filter((note) => named.includes(note.feature));
  return [...notes]
    .sort((left, right) => right.importance - left.importance || (left.feature < right.feature ? -1 : 1))
    .slice(0, 3)
    .filter((note) => note.importance > 0);
}
