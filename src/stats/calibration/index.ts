export * from "./expected-performance.ts";
export * from "./isotonic.ts";
export * from "./platt.ts";
