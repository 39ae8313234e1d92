export * from "./beta.ts";
export * from "./binomial.ts";
export * from "./distributions.ts";
export * from "./gamma.ts";
export * from "./kolmogorov.ts";
export * from "./normal.ts";
export * from "./roots.ts";
