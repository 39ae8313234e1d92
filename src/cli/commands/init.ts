/** `retrain init`: a configuration from a CSV file, with every decision printed, one line a column. */
import { relative } from "node:path";
import { initFromCsv, writeInit } from "../../config/index.ts";
import { checkName, plural } from "../../core/index.ts";
import { note, type OutputOptions, printData } from "../output.ts";

export interface InitCommandOptions extends OutputOptions {
  readonly from: string;
  readonly label: string;
  readonly missing?: string;
  readonly name?: string;
  /** Nothing is asked anyway; the flag is for scripts that say so. */
  readonly yes?: boolean;
  readonly force?: boolean;
}

export async function init(options: InitCommandOptions): Promise<void> {
  const missing = (options.missing ?? "").split(",").filter((word) => word !== "");
  const plan = await initFromCsv(options.from, {
    label: options.label,
    missing,
    ...(options.name === undefined ? {} : { modelName: checkName("Model", options.name) }),
  });
  for (const line of plan.lines) note(options, line);
  writeInit(plan, { force: options.force ?? false });
  const files = plan.files.map(({ path }) => relative(process.cwd(), path));
  const { modelName, task, rows, labelledRows, unreadableRows, decisions } = plan;
  printData(options, { model: modelName, task, rows, labelledRows, unreadableRows, decisions, files }, () =>
    [
      `Wrote ${files.join(" and ")}: model ${modelName} (${task}) from ${plural(rows, "row")}, ${labelledRows.toLocaleString("en-US")} with a label.`,
      "Next:",
      "  retrain start",
      `  retrain status ${modelName}`,
    ].join("\n"),
  );
}
