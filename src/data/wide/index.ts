export * from "./columns.ts";
export { encodeImage, encodeVector } from "./codec.ts";
