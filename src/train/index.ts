/** Training strategies. */
export * from "./strategies.ts";
export * from "./threshold.ts";
