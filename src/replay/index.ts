/** Drives recorded or generated history through the loop on a virtual clock. */
export { BANK_BEGINS_AT, BANK_LABEL_DELAY_MS, bankHistory, bankModel } from "./bank.ts";
export {
  GENERATED_LABEL_DELAY_MS,
  GENERATED_START,
  generatedModel,
  generateHistory,
  type GeneratorOptions,
} from "./generated.ts";
export {
  dayOf,
  daysOf,
  type HistoryDay,
  type HistoryRow,
  quarterOf,
  type RecordedHistory,
  wholeHistory,
} from "./history.ts";
export { type QuarterLoss, type StoryOptions, type StoryResult, tellStory } from "./story.ts";
export type { ReplayLabel, ReplayRow, ReplayTarget } from "./target.ts";
