/** `retrain rollout`: where a rollout stands, and moving it by hand. */
import type { Command } from "commander";
import { parseCount, withExamples, withServer } from "./program-options.ts";

export function addRollout(program: Command): void {
  const rollout = program.command("rollout").description("how a version goes live, in stages");
  withExamples(
    withServer(rollout.command("status <model>", { isDefault: true })).description(
      "where the newest rollout stands, with its evidence",
    ),
    "retrain rollout status customers",
  ).action(async (model, options) => (await import("./commands/rollout.ts")).status(model, options));
  withExamples(
    withServer(rollout.command("list <model>"))
      .description("rollouts of a model with how they ended, newest first")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain rollout list customers",
  ).action(async (model, options) => (await import("./commands/rollout.ts")).list(model, options));
  withExamples(
    withServer(rollout.command("show <id>")).description("one rollout with the evidence of each of its stages"),
    "retrain rollout show 01983c5a-…",
  ).action(async (id, options) => (await import("./commands/rollout.ts")).show(id, options));
  withExamples(
    withServer(rollout.command("plan <model>")).description(
      "what the next rollout would take: its stages, and the rows and days its A/B needs",
    ),
    "retrain rollout plan customers",
  ).action(async (model, options) => (await import("./commands/rollout.ts")).plan(model, options));
  withExamples(
    withServer(rollout.command("start <model> <version>"))
      .description("put a registered version into the stages")
      .option("--replay <duration>", "let the shadow stage answer logged requests of so long ago at once"),
    "retrain rollout start customers v4 --replay 7d",
  ).action(async (model, version, options) => (await import("./commands/rollout.ts")).start(model, version, options));
  byHand(rollout, "pause", "hold the open rollout where it is; harm still rolls back").action(async (model, options) =>
    (await import("./commands/rollout.ts")).change(model, "pause", options),
  );
  byHand(rollout, "resume", "let a paused rollout go on").action(async (model, options) =>
    (await import("./commands/rollout.ts")).change(model, "resume", options),
  );
  byHand(rollout, "abort", "end the rollout; the champion stays").action(async (model, options) =>
    (await import("./commands/rollout.ts")).change(model, "abort", options),
  );
  byHand(rollout, "promote", "make the challenger champion now").action(async (model, options) =>
    (await import("./commands/rollout.ts")).change(model, "promote", options),
  );
  byHand(rollout, "rollback", "go back to the champion at once").action(async (model, options) =>
    (await import("./commands/rollout.ts")).change(model, "rollback", options),
  );
}

function byHand(rollout: Command, action: string, description: string): Command {
  return withExamples(
    withServer(rollout.command(`${action} <model>`))
      .description(description)
      .requiredOption("--reason <text>", "why; it is kept in the audit log"),
    `retrain rollout ${action} customers --reason "a holiday"`,
  );
}
