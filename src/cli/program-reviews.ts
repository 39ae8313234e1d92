/** The words of `retrain reviews`. */
import type { Command } from "commander";
import { parseCount, withExamples, withServer } from "./program-options.ts";

export function addReviews(program: Command): void {
  const reviews = program.command("reviews").description("uncertain answers a person decides");
  withExamples(
    withServer(reviews.command("list <model>", { isDefault: true }))
      .description("newest first")
      .option("--state <state>", "only these: open, adjudicate, done or discarded")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain reviews customers --state open",
  ).action(async (model, options) => (await import("./commands/reviews.ts")).list(model, options));
  withExamples(
    withServer(reviews.command("show <model> <prediction>"))
      .description("where one stands")
      .option("--wait <seconds>", "until it is decided, 25 seconds at most", parseCount),
    "retrain reviews show customers 0198c2f0-… --wait 20",
  ).action(async (model, prediction, options) =>
    (await import("./commands/reviews.ts")).show(model, prediction, options),
  );
  withExamples(
    withServer(reviews.command("decide <model> <prediction>"))
      .description("decide one")
      .option("--approve", "the model is right")
      .option("--value <value>", "what is right instead")
      .option("--withhold", "there is no answer")
      .option("--comment <text>", "kept with the decision"),
    "retrain reviews decide customers 0198c2f0-… --approve",
    "retrain reviews decide customers 0198c2f0-… --value false --comment 'known customer'",
  ).action(async (model, prediction, options) =>
    (await import("./commands/reviews.ts")).decide(model, prediction, options),
  );
}
