/** Slices: the held-out rows by the values of a feature, so that a model that got worse for somebody shows it. */
import type { Frame, FrameColumn } from "../data/index.ts";
import { BOOLEAN_MISSING, CATEGORY_MISSING } from "../data/index.ts";

/** Most frequent categories shown; the rest would be a table nobody reads. */
const MAX_SLICES = 10;

export interface Slice {
  readonly name: string;
  /** Positions within `rows`, not dataset rows. */
  readonly rows: Uint32Array;
}

/** Unknown names are ignored: the definition is validated where it is read. */
export function sliceRows(frame: Frame, rows: Uint32Array, names: readonly string[]): Slice[] {
  return names.flatMap((name) => {
    const column = frame.columns.find((candidate) => candidate.name === name);
    return column === undefined ? [] : sliceColumn(column, rows);
  });
}

function sliceColumn(column: FrameColumn, rows: Uint32Array): Slice[] {
  const labelOf = column.kind === "number" ? quartileLabels(column.name, column.values, rows) : valueLabels(column);
  const groups = new Map<string, number[]>();
  rows.forEach((row, position) => {
    const label = labelOf(row);
    const group = groups.get(label);
    if (group === undefined) groups.set(label, [position]);
    else group.push(position);
  });
  return [...groups]
    .sort(([left, one], [right, other]) => other.length - one.length || (left < right ? -1 : 1))
    .slice(0, MAX_SLICES)
    .map(([name, positions]) => ({ name, rows: Uint32Array.from(positions) }));
}

function valueLabels(column: Exclude<FrameColumn, { kind: "number" }>): (row: number) => string {
  if (column.kind === "boolean") {
    return (row) => {
      const value = column.values[row] as number;
      return value === BOOLEAN_MISSING ? `${column.name} is missing` : `${column.name}=${value === 1}`;
    };
  }
  return (row) => {
    const code = column.codes[row] as number;
    return code === CATEGORY_MISSING ? `${column.name} is missing` : `${column.name}=${column.dictionary[code]}`;
  };
}

function quartileLabels(name: string, values: Float32Array, rows: Uint32Array): (row: number) => string {
  const present = Float32Array.from(rows, (row) => values[row] as number)
    .filter((value) => value === value)
    .sort();
  const cut = (share: number) => present[Math.floor(share * (present.length - 1))] as number;
  const cuts = present.length === 0 ? [] : [...new Set([cut(0.25), cut(0.5), cut(0.75)])];
  const short = (value: number) => Number(value.toPrecision(4)).toString();
  return (row) => {
    const value = values[row] as number;
    if (value !== value) return `${name} is missing`;
    const above = cuts.findIndex((edge) => value <= edge);
    if (above === 0) return `${name} ≤ ${short(cuts[0] as number)}`;
    if (above === -1) return cuts.length === 0 ? name : `${name} > ${short(cuts[cuts.length - 1] as number)}`;
    return `${short(cuts[above - 1] as number)} < ${name} ≤ ${short(cuts[above] as number)}`;
  };
}
