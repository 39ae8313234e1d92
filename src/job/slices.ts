/** Slices: the held-out rows by the values of a feature, so that a model that got worse for somebody shows it. */
import type { Frame, FrameColumn } from "../data/index.ts";
import type { GateSpec, SliceRequest } from "../evaluate/index.ts";
import type { MetricName } from "../stats/index.ts";
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

/** More tests than this would each have to be so surprising that none is ever refused. */
const MAX_JUDGED_SLICES = 60;
/** Common slices that are crossed with each other: 8 give at most 28 pairs. */
const CROSSED_SLICES = 8;

/** The slices each `slices` gate judges: those of its features, or the largest of all features and of their pairs. */
export function slicesToJudge(gates: readonly GateSpec[], frame: Frame, rows: Uint32Array): SliceRequest[] {
  return gates.flatMap((gate) => {
    if (gate.kind !== "slices") return [];
    const { metric, margin, minRows } = gate;
    const slices =
      gate.features === undefined ? automaticSlices(frame, rows, minRows) : sliceRows(frame, rows, gate.features);
    return [{ metric: metric as MetricName, margin, minRows, slices }];
  });
}

/** One and two attributes, largest first. A slice that is nearly everything says what the whole says and is left out. */
function automaticSlices(frame: Frame, rows: Uint32Array, minRows: number): Slice[] {
  const isPart = (slice: Slice) => slice.rows.length <= 0.9 * rows.length;
  const single = frame.columns.map((column) => sliceColumn(column, rows).filter(isPart));
  const bySize = (a: Slice, b: Slice) => b.rows.length - a.rows.length || (a.name < b.name ? -1 : 1);
  const common = single
    .flatMap((slices, column) => slices.map((slice) => ({ slice, column })))
    .sort((a, b) => bySize(a.slice, b.slice))
    .slice(0, CROSSED_SLICES);
  const pairs: Slice[] = [];
  common.forEach((one, i) => {
    const own = new Set(one.slice.rows);
    for (const other of common.slice(i + 1)) {
      if (other.column === one.column) continue;
      const both = other.slice.rows.filter((row) => own.has(row));
      if (both.length >= minRows) pairs.push({ name: `${one.slice.name}, ${other.slice.name}`, rows: both });
    }
  });
  return [...single.flat(), ...pairs].sort(bySize).slice(0, MAX_JUDGED_SLICES);
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
