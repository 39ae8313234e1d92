export * from "./bootstrap.ts";
export * from "./delong.ts";
export * from "./diebold-mariano.ts";
export * from "./mcnemar.ts";
export * from "./multiple-testing.ts";
export * from "./non-inferiority.ts";
export * from "./proportion.ts";
export * from "./quantile.ts";
