/** Schema, frames, validation, splits, preparation, profiles: everything between raw rows and a trainer's matrix. */
export * from "./aggregates.ts";
export * from "./calendar.ts";
export * from "./instant.ts";
export * from "./convert-text.ts";
export * from "./dataset.ts";
export * from "./effective-label.ts";
export * from "./embed/index.ts";
export * from "./frame.ts";
export * from "./instant.ts";
export * from "./prepare/index.ts";
export * from "./profile/index.ts";
export * from "./schema.ts";
export * from "./row-weights.ts";
export * from "./split.ts";
export * from "./validate.ts";
export * from "./wide/index.ts";
