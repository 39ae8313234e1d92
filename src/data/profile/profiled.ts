/** The frame that is counted: plain columns as they are, and for each wide one the plain columns that stand for it. */
import { type ExampleRow, frameFromFeatures } from "../dataset.ts";
import type { Frame } from "../frame.ts";
import type { FeatureSpec } from "../schema.ts";
import type { WidePart } from "../wide/part.ts";
import { summaryColumns } from "../wide/summary.ts";
import type { FeatureGrid } from "./grid.ts";

/** A frame without wide columns. A plain column keeps its name where a part would have the same. */
export function profiledFrame(frame: Frame): Frame {
  if (frame.wide === undefined || frame.wide.length === 0) return frame;
  const names = new Set(frame.columns.map((column) => column.name));
  const parts = frame.wide.flatMap((column) => summaryColumns(column)).filter((part) => !names.has(part.name));
  return { rows: frame.rows, columns: [...frame.columns, ...parts] };
}

/** Rows as the frame a grid counts. */
export function frameOfGrid(grid: readonly FeatureGrid[], rows: readonly ExampleRow["features"][]): Frame {
  const wide = new Map<string, FeatureSpec>();
  const plain = grid.filter((feature) => {
    if (feature.kind === "boolean" || feature.part === undefined) return true;
    wide.set(feature.part.of, wideSpec(feature.part));
    return false;
  });
  const schema = {
    features: [
      ...plain.map(({ name, kind }) => ({ name, spec: { kind } as FeatureSpec })),
      ...[...wide].map(([name, spec]) => ({ name, spec })),
    ],
  };
  return profiledFrame(frameFromFeatures(schema, rows));
}

/** Stored pixels are read by their number alone. */
function wideSpec({ kind, size }: WidePart): FeatureSpec {
  if (kind === "text") return { kind, buckets: 1, words: 1, characters: 0 };
  return kind === "vector" ? { kind, size } : { kind, width: size, height: 1, channels: 1 };
}
