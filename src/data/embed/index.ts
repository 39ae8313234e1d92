export * from "./embedding.ts";
export * from "./rows.ts";
