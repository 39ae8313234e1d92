/** Commands about data drift. */
import { type Command, InvalidArgumentError } from "commander";
import { type Ran, withExamples, withOutput, withServer } from "./program-options.ts";

function parseNumber(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !Number.isFinite(value)) throw new InvalidArgumentError("It must be a number.");
  return value;
}

export function addDriftCommands(program: Command, ran: Ran): void {
  const drift = program.command("drift").description("what moved in the data: of a model, or between two files");
  withExamples(
    withServer(drift.command("show <model>", { isDefault: true }))
      .description("inputs, answers and labels of a model against its reference; exit code 4 when the inputs drifted")
      .option("--reference <reference>", "training, trailing or same-season (default: the model's)")
      .option("--multivariate", "also compare rows as wholes, with the rows the champion learned from")
      .option("--html <path>", "also write a report as one HTML file"),
    "retrain drift customers",
    "retrain drift customers --reference trailing --json | jq .data.data.verdict",
  ).action(async (model, options) => {
    ran.exitCode = await (await import("./commands/drift.ts")).drift(model, options);
  });
  withExamples(
    withOutput(drift.command("check <reference> [current]"))
      .description(
        "compare two CSV or Parquet files, or one before and after a point, without a server; exit code 4 when they drifted",
      )
      .option("--split-at <point>", "one file: where it is split, an instant (2026-03-01) or a share of its rows (0.5)")
      .option(
        "--time <column>",
        "column of times to split by (default: the only one; for a share, the order of the rows)",
      )
      .option("--columns <names>", "only these, comma-separated")
      .option("--ignore <names>", "not these, comma-separated")
      .option("--minimum-effect <psi>", "population stability index a column must exceed (default: 0.1)", parseNumber)
      .option("--min-rows <count>", "rows below which nothing is said (default: 200)", parseNumber)
      .option("--level <probability>", "probability of a false alarm over all columns (default: 0.05)", parseNumber)
      .option("--share <share>", "share of columns that must drift (default: any column)", parseNumber)
      .option("--multivariate", "also compare rows as wholes: what no column alone can show")
      .option("--html <path>", "also write a report as one HTML file"),
    "retrain drift check last-month.parquet this-month.parquet",
    "retrain drift check events.parquet --split-at 2026-03-01 --time created_at",
    "retrain drift check train.csv today.csv --ignore id,time --html drift.html",
  ).action(async (reference, current, options) => {
    ran.exitCode = await (await import("./commands/drift-check.ts")).driftCheck(reference, current, options);
  });
}
