/** How a text, vector or image became columns, in few lines: a line per bucket of a text, one for all numbers of the others. */
import type { FeatureValue } from "../../core/index.ts";
import { termsByBucket } from "./prepare.ts";
import type { WidePreparation } from "./prepare.ts";

interface Line {
  readonly column: string;
  readonly from: string;
  readonly raw: FeatureValue;
  readonly filled: number | string | boolean;
  readonly scaled: number;
  readonly columns?: number;
}

export function explainWide(feature: WidePreparation, raw: FeatureValue, out: Float32Array): Line[] {
  const { name, column, missingColumn } = feature;
  const own = out.subarray(column, column + feature.size);
  const isMissing = typeof raw !== "string";
  const missing: Line[] =
    isMissing && missingColumn !== undefined
      ? [{ column: `${name} is missing`, from: name, raw: null, filled: true, scaled: out[missingColumn] as number }]
      : [];
  if (isMissing) return [{ column: `${name}#0`, from: name, raw: null, filled: "missing", scaled: 0 }, ...missing];
  if (feature.kind === "text") {
    const terms = termsByBucket(raw, feature);
    const used = [...terms.keys()].filter((bucket) => own[bucket] !== 0).sort((left, right) => left - right);
    return used.map((bucket) => ({
      column: `${name}#${bucket}`,
      from: name,
      raw: (terms.get(bucket) as readonly string[]).join(", "),
      filled: (terms.get(bucket) as readonly string[]).join(", "),
      scaled: own[bucket] as number,
    }));
  }
  let squares = 0;
  for (const value of own) squares += value * value;
  const what = feature.kind === "vector" ? `${feature.size} numbers` : `${feature.size} pixel values`;
  return [
    { column: `${name}#0`, from: name, raw: what, filled: what, scaled: Math.sqrt(squares), columns: feature.size },
  ];
}
