/** Stored vectors and images as tools from outside take them: a list of numbers, a PNG file as a data URL. */
import type { FeatureValue } from "../../core/index.ts";
import { decodeImage, decodeVector } from "./codec.ts";
import { type WideSpec, wideSize } from "./columns.ts";
import { writePng } from "./image.ts";

/** The value itself where it is not in the stored form of its kind. Cost of an image: its deflation, some ms at 224 × 224. */
export function shownValue(spec: WideSpec, value: FeatureValue): FeatureValue | readonly number[] {
  if (typeof value !== "string") return value;
  if (spec.kind === "vector") {
    const numbers = decodeVector(value, spec.size);
    return numbers === undefined ? value : [...numbers];
  }
  if (spec.kind !== "image") return value;
  const pixels = decodeImage(value, wideSize(spec));
  if (pixels === undefined) return value;
  return `data:image/png;base64,${Buffer.from(writePng(pixels, spec)).toString("base64")}`;
}
