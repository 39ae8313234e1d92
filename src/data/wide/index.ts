export * from "./columns.ts";
export * from "./part.ts";
export { shownValue } from "./show.ts";
export * from "./summary.ts";
export { countTerms, TEXT_ROW_LENGTH, type TextShape } from "./text.ts";
export { encodeImage, encodeVector } from "./codec.ts";
