/** The words of `retrain tasks`. */
import type { Command } from "commander";
import { parseCount, withExamples, withServer } from "./program-options.ts";

export function addTasks(program: Command): void {
  const tasks = program.command("tasks").description("examples people are asked to label");
  withExamples(
    withServer(tasks.command("list <model>", { isDefault: true }))
      .description("tasks, newest first")
      .option("--state <state>", "only these: open, adjudicate, done or discarded")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain tasks customers",
    "retrain tasks list customers --state adjudicate",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).list(model, options));
  withExamples(
    withServer(tasks.command("build <model>"))
      .description("choose a batch of examples now")
      .option("--count <count>", "how many (default: the model's daily number)", Number)
      .option(
        "--strategy <strategy>",
        "margin, least-confidence, entropy, committee, slices or random; for numbers quantile-width, committee, slices or random",
      ),
    "retrain tasks build customers --count 100",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).build(model, options));
  withExamples(
    withServer(tasks.command("claim <model>"))
      .description("take tasks and show them")
      .option("--count <count>", "how many", parseCount, 1)
      .option("--reviews", "only answers that wait for a decision"),
    "retrain tasks claim customers",
    "retrain tasks claim customers --reviews",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).claim(model, options));
  withExamples(
    withServer(tasks.command("answer <model> <task> [value]"))
      .description("answer a task one holds")
      .option("--skip", "somebody else may know")
      .option("--flag", "an adjudicator decides")
      .option("--comment <text>", "kept with the answer"),
    "retrain tasks answer customers 0198c2f0-… true",
  ).action(async (model, task, value, options) =>
    (await import("./commands/tasks.ts")).answer(model, task, value, options),
  );
  withExamples(
    withServer(tasks.command("undo <model>")).description("take one's last answer back"),
    "retrain tasks undo customers",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).undo(model, options));
  withExamples(
    withServer(tasks.command("release <model>")).description("give back what one holds"),
    "retrain tasks release customers",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).release(model, options));
  addCare(tasks);
  withExamples(
    withServer(tasks.command("stats <model>")).description(
      "progress, agreement, quality, performance from fair labels",
    ),
    "retrain tasks stats customers",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).stats(model, options));
  withExamples(
    withServer(tasks.command("curve <model>")).description("draw the learning curve of the labels"),
    "retrain tasks curve customers",
  ).action(async (model, options) => (await import("./commands/tasks.ts")).curve(model, options));
  withExamples(
    withServer(tasks.command("export <model> <file>"))
      .description("tasks as CSV with a column for answers, or as JSON for Label Studio")
      .option("--format <format>", "csv or label-studio (default: label-studio for a .json file)")
      .option("--state <state>", "open, adjudicate or done (default: open)"),
    "retrain tasks export customers to-label.csv",
    "retrain tasks export customers to-label.json --format label-studio",
  ).action(async (model, file, options) =>
    (await import("./commands/tasks-files.ts")).exportFile(model, file, options),
  );
  withExamples(
    withServer(tasks.command("import <model> <file>"))
      .description("answers from a CSV with the columns task and answer, or from Label Studio's JSON export")
      .option("--format <format>", "csv or label-studio (default: label-studio for a .json file)"),
    "retrain tasks import customers labelled.csv",
    "retrain tasks import customers project-1-at-2026-03-01.json",
  ).action(async (model, file, options) =>
    (await import("./commands/tasks-files.ts")).importFile(model, file, options),
  );
  withExamples(
    withServer(tasks.command("studio-config <model>")).description("a labeling interface for a Label Studio project"),
    "retrain tasks studio-config customers",
  ).action(async (model, options) => (await import("./commands/tasks-files.ts")).studioConfig(model, options));
  withExamples(
    withServer(tasks.command("history <model> <example>"))
      .description("everything stated about an example, and what counts")
      .option("--as-of <time>", "only what was known then"),
    "retrain tasks history customers c-17",
    "retrain tasks history customers c-17 --as-of 2026-03-01",
  ).action(async (model, example, options) => (await import("./commands/tasks.ts")).history(model, example, options));
}

/** What those do who care for the queue. */
function addCare(tasks: Command): void {
  withExamples(
    withServer(tasks.command("adjudicate <model> <task> [value]"))
      .description("decide a task people disagree on")
      .option("--discard", "it has no answer; nobody is asked again")
      .option("--comment <text>", "kept with the decision"),
    "retrain tasks adjudicate customers 0198c2f0-… true",
    "retrain tasks adjudicate customers 0198c2f0-… --discard --comment 'broken picture'",
  ).action(async (model, task, value, options) =>
    (await import("./commands/tasks-care.ts")).adjudicate(model, task, value, options),
  );
  withExamples(
    withServer(tasks.command("gold <model> <example> <value>")).description(
      "ask everybody about an example whose answer is known",
    ),
    "retrain tasks gold customers c-17 true",
  ).action(async (model, example, value, options) =>
    (await import("./commands/tasks-care.ts")).gold(model, example, value, options),
  );
  withExamples(
    withServer(tasks.command("relabel <model> <to>"))
      .description("overrule settled answers that share something; only counts them without --yes")
      .requiredOption("--reason <text>", "why, for the audit")
      .option("--labeler <name>", "answers of this person")
      .option("--batch <id>", "of this batch")
      .option("--value <value>", "that say this")
      .option("--since <time>", "given since then")
      .option("--yes", "do it"),
    "retrain tasks relabel customers false --labeler bob --value true --reason 'misread the guidelines'",
    "retrain tasks relabel customers null --labeler bob --reason 'left the team' --yes",
  ).action(async (model, to, options) => (await import("./commands/tasks-care.ts")).relabel(model, to, options));
}
