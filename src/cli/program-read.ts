/** Commands that start or watch runs, and commands that show what the server knows. */
import type { Command } from "commander";
import { parseCount, type Ran, withExamples, withServer } from "./program-options.ts";

export function addReadCommands(program: Command, ran: Ran): void {
  addRuns(program, ran);
  addLists(program);
}

function addRuns(program: Command, ran: Ran): void {
  withExamples(
    withServer(program.command("run <model>"))
      .description("retrain now, and wait for the outcome")
      .option("--strategy <strategy>", "full, warm-start, incremental, transfer or best (default: the model's)")
      .option("--reason <text>", "why; it is kept with the run")
      .option("--no-wait", "return as soon as the run is queued"),
    "retrain run customers",
    "retrain run customers --strategy warm-start",
  ).action(async (model, options) => {
    ran.exitCode = await (await import("./commands/run.ts")).run(model, options);
  });

  const runs = program.command("runs").description("runs of a model, or one of them in full");
  withExamples(
    withServer(runs.command("list [model]", { isDefault: true }))
      .description("runs, newest first")
      .option("--state <states>", "only these, comma-separated: promoted, held, rejected, …")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain runs customers",
    "retrain runs list --state rejected,failed",
  ).action(async (model, options) => (await import("./commands/runs.ts")).list(model, options));
  withExamples(
    withServer(runs.command("show <id>")).description("steps, gate, and the training as a table and a curve"),
    "retrain runs show 01983c5a-…",
  ).action(async (id, options) => (await import("./commands/runs.ts")).show(id, options));
  withExamples(
    withServer(runs.command("cancel <id>")).description("cancel a run"),
    "retrain runs cancel 01983c5a-…",
  ).action(async (id, options) => (await import("./commands/runs.ts")).cancel(id, options));
}

function addLists(program: Command): void {
  withExamples(
    withServer(program.command("status [model]")).description(
      "the latest cycle of a model step by step, or all models",
    ),
    "retrain status",
    "retrain status customers",
  ).action(async (model, options) => (await import("./commands/status.ts")).status(model, options));

  const versions = program.command("versions").description("versions of a model, or one of them in full");
  withExamples(
    withServer(versions.command("list <model>", { isDefault: true })).description("versions, newest first"),
    "retrain versions customers",
  ).action(async (model, options) => (await import("./commands/versions.ts")).list(model, options));
  withExamples(
    withServer(versions.command("show <model> <version>"))
      .description("what it was made from, its metrics and gate, and what it looks at")
      .option("--features <count>", "how many features", parseCount, 20),
    "retrain versions show customers v2",
  ).action(async (model, version, options) => (await import("./commands/versions.ts")).show(model, version, options));

  withExamples(
    withServer(program.command("compare <model> <a> <b>"))
      .description("two versions on the rows neither was trained on, with paired differences")
      .option("--metric <metric>", "what slices are compared by (default: the model's main metric)"),
    "retrain compare customers v2 v3",
    "retrain compare customers v2 v3 --metric accuracy",
  ).action(async (model, a, b, options) => (await import("./commands/compare.ts")).compare(model, a, b, options));

  withExamples(
    withServer(program.command("decisions"))
      .description("what was judged, and why, newest first")
      .option("--model <model>", "of this model")
      .option("--kind <kind>", "trigger, guard, gate, rollout, assessment, monitor or promotion")
      .option("--run <id>", "of this run")
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain decisions --model customers --kind gate",
  ).action(async (options) => (await import("./commands/decisions.ts")).decisions(options));

  withExamples(
    withServer(program.command("audit"))
      .description("who did what, and why, newest first")
      .option("--actor <name>", "of this person or token")
      .option("--action <action>", "such as promotion, or rollout for everything done to rollouts")
      .option("--model <model>", "about this model")
      .option("--since <duration>", 'of so long, such as "7d"')
      .option("--limit <count>", "how many", parseCount, 20),
    "retrain audit --model customers --since 7d",
    "retrain audit --action rollout --actor token:olivia",
  ).action(async (options) => (await import("./commands/audit.ts")).audit(options));

  withExamples(
    withServer(program.command("performance <model>"))
      .description("realised performance with label coverage, and estimated before labels")
      .option("--metric <metric>", "default: the metric the model is judged by")
      .option("--of <version>", "of this version alone")
      .option("--slices", "by slice of the champion, mature examples only")
      .option("--limit <count>", "newest time buckets shown", parseCount, 20),
    "retrain performance customers",
    "retrain performance customers --metric accuracy --slices",
  ).action(async (model, options) => (await import("./commands/performance.ts")).performance(model, options));

  withExamples(
    withServer(program.command("diagnose <model>")).description(
      "what moved, what it costs, which slice lost most, since when",
    ),
    "retrain diagnose customers",
  ).action(async (model, options) => (await import("./commands/diagnose.ts")).diagnose(model, options));

  const triggers = program.command("triggers").description("when a model is retrained");
  withExamples(
    withServer(triggers.command("explain <model>")).description(
      "why did it (not) retrain: every trigger and guard with its values",
    ),
    "retrain triggers explain customers",
  ).action(async (model, options) => (await import("./commands/triggers.ts")).explain(model, options));

  const alerts = program.command("alerts").description("what somebody should know of");
  withExamples(
    withServer(alerts.command("list", { isDefault: true }))
      .description("open alerts, newest first")
      .option("--model <model>", "of this model")
      .option("--all", "resolved ones too"),
    "retrain alerts",
  ).action(async (options) => (await import("./commands/alerts.ts")).list(options));
  withExamples(
    withServer(alerts.command("resolve <id>"))
      .description("mark an alert as dealt with")
      .option("--reason <text>", "what was done"),
    "retrain alerts resolve 01983c5a-…",
  ).action(async (id, options) => (await import("./commands/alerts.ts")).resolve(id, options));
}
