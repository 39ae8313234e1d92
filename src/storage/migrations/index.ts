/** Every migration by name, in order. A new one is one file and one line here; a released one never changes. */
import type { Migration } from "kysely";
import * as log from "./0001-log.ts";
import * as records from "./0002-records.ts";
import * as profiles from "./0003-profiles.ts";
import * as rollouts from "./0005-rollouts.ts";
import * as labeling from "./0006-labeling.ts";
import * as gates from "./0009-gates.ts";
import * as lease from "./0011-lease.ts";
import * as feedback from "./0012-feedback.ts";
import * as reviews from "./0013-reviews.ts";
import * as labelingCounts from "./0014-labeling-counts.ts";
import * as blocks from "./0015-blocks.ts";

export const migrations: Readonly<Record<string, Migration>> = {
  "0001-log": log,
  "0002-records": records,
  "0003-profiles": profiles,
  "0005-rollouts": rollouts,
  "0006-labeling": labeling,
  "0009-gates": gates,
  "0011-lease": lease,
  "0012-feedback": feedback,
  "0013-reviews": reviews,
  "0014-labeling-counts": labelingCounts,
  "0015-blocks": blocks,
};
