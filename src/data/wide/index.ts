export * from "./columns.ts";
export * from "./part.ts";
export * from "./summary.ts";
export { encodeImage, encodeVector } from "./codec.ts";
