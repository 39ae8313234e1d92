/** Commands that send something to the server. */
import type { Command } from "commander";
import { addRollout } from "./program-rollout.ts";
import { type Ran, withExamples, withServer } from "./program-options.ts";
import { addFeedback } from "./program-feedback.ts";
import { addReviews } from "./program-reviews.ts";
import { addTasks } from "./program-tasks.ts";

export function addWriteCommands(program: Command, ran: Ran): void {
  addDataCommands(program);
  addQuarantine(program);
  addTasks(program);
  addFeedback(program);
  addReviews(program);
  addVersionActions(program);
  addRollout(program);
  addApproval(program, ran);
  addTransfer(program, ran);
  addTokens(program);
}

function addDataCommands(program: Command): void {
  withExamples(
    withServer(program.command("predict <model> <row>"))
      .description("ask the live version about one row, given as JSON, or about many in a JSON list")
      .option("--trace", "show how the answer came about")
      .option("--model-version <version>", "ask this version instead of the live one")
      .option("--no-log", "do not record the prediction"),
    `retrain predict customers '{"age":41,"job":"services"}'`,
    `retrain predict customers '{"age":41,"job":"services"}' --trace`,
  ).action(async (model, row, options) => (await import("./commands/predict.ts")).predict(model, row, options));

  withExamples(
    withServer(program.command("ingest <model> <file>"))
      .description("send a file of rows: CSV, NDJSON, JSON or Parquet; - reads NDJSON from stdin")
      .option("--labels", "the rows are labels by id")
      .option("--known-at <column>", "when each row was known: a column, or at+labelDelay; for history")
      .option("--missing <texts>", "texts that mean missing in CSV, comma-separated"),
    "retrain ingest customers new-customers.csv",
    "retrain ingest customers history.csv --known-at at+labelDelay",
  ).action(async (model, file, options) => (await import("./commands/ingest.ts")).ingest(model, file, options));

  withExamples(
    withServer(program.command("label <model> <id> <value>"))
      .description("say what was true of an example")
      .option("--prediction", "the id is a prediction's, not an example's")
      .option("--at <time>", "when it became true (default: now)")
      .option("--source <source>", "system, expert, user or rule (default: system)"),
    "retrain label customers C27734 true",
  ).action(async (model, id, value, options) => (await import("./commands/label.ts")).label(model, id, value, options));

  withExamples(
    withServer(program.command("outcome <model> <id> <name> <value>"))
      .description("say what followed a prediction: a business measure that guards of a rollout read")
      .option("--prediction", "the id is a prediction's, not an example's")
      .option("--at <time>", "when it happened (default: now)"),
    "retrain outcome customers C27734 complaint 1",
  ).action(async (model, id, name, value, options) =>
    (await import("./commands/outcome.ts")).outcome(model, { id, name, value }, options),
  );

  withExamples(
    withServer(program.command("event <name>"))
      .description("raise a named event that triggers wait for")
      .option("--model <model>", "for this model alone")
      .option("--details <json>", "facts to keep with it, as a JSON object"),
    "retrain event catalog-changed",
  ).action(async (name, options) => (await import("./commands/event.ts")).raiseEvent(name, options));
}

function addQuarantine(program: Command): void {
  const quarantine = program.command("quarantine").description("rows that broke the schema");
  withExamples(
    withServer(quarantine.command("list <model>", { isDefault: true })).description("refused rows with their reasons"),
    "retrain quarantine list customers",
  ).action(async (model, options) => (await import("./commands/quarantine.ts")).list(model, options));
  withExamples(
    withServer(quarantine.command("replay <model> [ids...]")).description("try them again after a fix"),
    "retrain quarantine replay customers",
  ).action(async (model, ids, options) => (await import("./commands/quarantine.ts")).replay(model, ids, options));
  withExamples(
    withServer(quarantine.command("drop <model> [ids...]")).description("give them up"),
    "retrain quarantine drop customers",
  ).action(async (model, ids, options) => (await import("./commands/quarantine.ts")).drop(model, ids, options));
}

function addVersionActions(program: Command): void {
  withExamples(
    withServer(program.command("promote <model> <version>"))
      .description("make a version live by hand")
      .requiredOption("--reason <text>", "why; it is kept in the audit log"),
    'retrain promote customers v3 --reason "checked by the risk team"',
  ).action(async (model, version, options) =>
    (await import("./commands/versions.ts")).promote(model, version, options),
  );
  withExamples(
    withServer(program.command("rollback <model>"))
      .description("go back to the version that was live before")
      .requiredOption("--reason <text>", "why; it is kept in the audit log"),
    'retrain rollback customers --reason "complaints about v4"',
  ).action(async (model, options) => (await import("./commands/versions.ts")).rollback(model, options));
  withExamples(
    withServer(program.command("reproduce <model> <version>")).description(
      "retrain a version from its manifest and compare the hashes",
    ),
    "retrain reproduce customers v3",
  ).action(async (model, version, options) =>
    (await import("./commands/versions.ts")).reproduce(model, version, options),
  );
}

function addApproval(program: Command, ran: Ran): void {
  withExamples(
    withServer(program.command("approve <model> <version>"))
      .description("approve a version that an approval gate holds, or refuse it")
      .requiredOption("--reason <text>", "why; it is kept with the approval")
      .option("--refuse", "say no instead")
      .option("--no-wait", "return before its gate is judged again"),
    'retrain approve customers v3 --reason "the risk team looked at it"',
  ).action(async (model, version, options) => {
    ran.exitCode = await (await import("./commands/approve.ts")).approve(model, version, options);
  });
}

function addTransfer(program: Command, ran: Ran): void {
  withExamples(
    withServer(program.command("export <model> <version>"))
      .description("write a version with its evidence to one signed file")
      .option(
        "--format <format>",
        "retrain: for `retrain import` at another server; onnx: the model alone; onnx-counts: the same, texts as counted terms",
        "retrain",
      )
      .option("-o, --out <file>", "where to (default: MODEL-VERSION.FORMAT here)"),
    "retrain export customers v3",
    "retrain export customers v3 --format onnx",
  ).action(async (model, version, options) =>
    (await import("./commands/transfer.ts")).exportVersion(model, version, options),
  );
  withExamples(
    withServer(program.command("import <model> <file>"))
      .description("register an exported version, or an ONNX model, and judge it by the gates of this server")
      .option("--no-wait", "return as soon as it is registered"),
    "retrain import customers customers-v3.retrain",
    "retrain import customers first-model.onnx",
  ).action(async (model, file, options) => {
    ran.exitCode = await (await import("./commands/transfer.ts")).importVersion(model, file, options);
  });
  withExamples(
    withServer(program.command("export-key")).description(
      "the public key this server signs with, for `imports.trust` of others",
    ),
    "retrain export-key",
  ).action(async (options) => (await import("./commands/transfer.ts")).exportKey(options));
}

function addTokens(program: Command): void {
  const tokens = program.command("tokens").description("tokens of the server");
  withExamples(
    withServer(tokens.command("list", { isDefault: true })).description("all tokens, without their secrets"),
    "retrain tokens list",
  ).action(async (options) => (await import("./commands/tokens.ts")).list(options));
  withExamples(
    withServer(tokens.command("create <name>"))
      .description("make a token; its secret is shown once")
      .requiredOption("--role <role>", "viewer, labeler, operator or admin")
      .option("--scope <scopes...>", "narrow it to predict, ingest or label")
      .option("--days <days>", "days until it ends", Number),
    "retrain tokens create shop --role labeler --scope predict",
  ).action(async (name, options) => (await import("./commands/tokens.ts")).create(name, options));
  withExamples(
    withServer(tokens.command("revoke <id>")).description("end a token now"),
    "retrain tokens revoke 0198c2f0-…",
  ).action(async (id, options) => (await import("./commands/tokens.ts")).revoke(id, options));
}
