/** The words of `retrain feedback`. */
import type { Command } from "commander";
import { parseCount, withExamples, withServer } from "./program-options.ts";

export function addFeedback(program: Command): void {
  const feedback = program.command("feedback").description("what users say about single answers");
  withExamples(
    withServer(feedback.command("list <model>", { isDefault: true }))
      .description("newest first")
      .option("--thumb <thumb>", "only up or down")
      .option("--has <what>", "only with a corrected value, or a comment")
      .option("--prediction <id>", "only about this answer")
      .option("--of <version>", "only about answers of this version")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain feedback customers --thumb down",
    "retrain feedback list customers --has comment",
  ).action(async (model, options) => (await import("./commands/feedback.ts")).list(model, options));
  withExamples(
    withServer(feedback.command("give <model> <prediction>"))
      .description("say something about one answer")
      .option("--up", "it was right")
      .option("--down", "it was wrong")
      .option("--value <value>", "what would have been right; null takes an earlier value back")
      .option("--comment <text>", "kept with it")
      .option("--user <name>", "who says so"),
    "retrain feedback give customers 0198c2f0-… --down",
    "retrain feedback give customers 0198c2f0-… --value true --comment 'bought by phone'",
  ).action(async (model, prediction, options) =>
    (await import("./commands/feedback.ts")).give(model, prediction, options),
  );
  withExamples(
    withServer(feedback.command("send <model> <file>")).description("many at once, from an NDJSON file"),
    "retrain feedback send customers feedback.ndjson",
  ).action(async (model, file, options) => (await import("./commands/feedback.ts")).send(model, file, options));
  withExamples(
    withServer(feedback.command("summary <model>")).description("thumbs, corrections and comments by version"),
    "retrain feedback summary customers",
  ).action(async (model, options) => (await import("./commands/feedback.ts")).summary(model, options));
}
