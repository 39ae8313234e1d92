/** How category codes are read. */
export const MISSING_BIN = 255;
/** Bins of a category column: codes 1..255. */
export const CATEGORY_BINS = 255;

/** A category code as its bin: whole codes 1..254 as they are, anything else is "other". NaN is missing. */
export function categoryBin(code: number): number {
  if (code !== code) return MISSING_BIN;
  return code >= 1 && code <= CATEGORY_BINS && Number.isInteger(code) ? code - 1 : CATEGORY_BINS - 1;
}
