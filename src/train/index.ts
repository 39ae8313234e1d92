/** Training strategies. */
export * from "./run-command.ts";
export * from "./strategies.ts";
export * from "./threshold.ts";
