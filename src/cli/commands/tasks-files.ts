/** `retrain tasks export` and `import`: spreadsheets and Label Studio. */
import { readFile, writeFile } from "node:fs/promises";
import { readRows } from "../../collect/index.ts";
import { fail, plural } from "../../core/index.ts";
import type { TaskState } from "../../server/contract.ts";
import { isPacked, labelReaderOf } from "../label-text.ts";
import { printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface FileOptions extends RemoteOptions {
  readonly format?: string;
  readonly state?: string;
}

function isStudio(file: string, { format }: FileOptions): boolean {
  if (format !== undefined && format !== "csv" && format !== "label-studio") {
    throw fail("USAGE", { message: `"${format}" is no format of tasks.`, remedy: "Use csv or label-studio." });
  }
  return format === undefined ? file.endsWith(".json") : format === "label-studio";
}

export async function exportFile(model: string, file: string, options: FileOptions): Promise<void> {
  if (!isStudio(file, options)) return exportCsv(model, file, options);
  const tasks = await connect(options).exportToStudio(model, (options.state ?? "open") as TaskState);
  await writeFile(file, `${JSON.stringify(tasks, null, 1)}\n`);
  printData(
    options,
    { file, tasks: tasks.length },
    () =>
      `${plural(tasks.length, "task")} in ${file}; import them into a project made with: retrain tasks studio-config ${model}`,
  );
}

export async function importFile(model: string, file: string, options: FileOptions): Promise<void> {
  if (!isStudio(file, options)) return importCsv(model, file, options);
  const done = await connect(options).importFromStudio(model, readJson(file, (await readBytes(file)).toString("utf8")));
  printData(options, done, () =>
    [
      `${plural(done.labels, "answer")} kept, ${plural(done.skipped, "task")} without an answer.`,
      ...done.refused.map(({ task, message }) => `task ${task}: ${message}`),
    ].join("\n"),
  );
  if (done.refusedCount > 0) {
    throw fail("ROW_INVALID", {
      message: `${done.refusedCount} of ${plural(done.tasks, "task")} ${done.refusedCount === 1 ? "was" : "were"} refused.`,
      remedy: "Correct the tasks named above and import the file again: what was kept stays.",
    });
  }
}

async function readBytes(file: string): Promise<Buffer> {
  return readFile(file).catch((cause: NodeJS.ErrnoException) => {
    throw fail("NOT_FOUND", {
      message: `${file} cannot be read: ${cause.message}.`,
      remedy: "Name a file of answered tasks.",
      cause,
    });
  });
}

function readJson(file: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw fail("BODY_INVALID", {
      message: `${file} is no JSON.`,
      remedy: "Export the project as JSON.",
      cause: cause as Error,
    });
  }
}

export async function studioConfig(model: string, options: RemoteOptions): Promise<void> {
  const found = await connect(options).studioConfig(model);
  printData(options, found, () => found.config);
}

/** Columns of the file that are not features. */
const OWN_COLUMNS: readonly string[] = ["task", "example", "answer"];

/** Open tasks with their features, as CSV with an empty `answer` column for a spreadsheet. */
async function exportCsv(model: string, file: string, options: FileOptions): Promise<void> {
  const client = connect(options);
  const state = (options.state ?? "open") as TaskState;
  const tasks = [];
  let cursor: string | undefined;
  do {
    const page = await client.tasks(model, { state, limit: 500, ...(cursor === undefined ? {} : { cursor }) });
    tasks.push(...page.items.filter((task) => task.origin !== "gold"));
    cursor = page.nextCursor ?? undefined;
  } while (cursor !== undefined);
  // Pictures and vectors are no cells; people see them on the labeling page and in Label Studio.
  const names = [
    ...new Set(
      tasks.flatMap(({ features }) =>
        Object.entries(features).flatMap(([name, value]) => (isPacked(value) ? [] : [name])),
      ),
    ),
  ];
  const lines = [
    ["task", "example", ...names.map((name) => (OWN_COLUMNS.includes(name) ? `${name} (feature)` : name)), "answer"],
    ...tasks.map((task) => [
      task.id,
      task.exampleId,
      ...names.map((name) => task.features[name] ?? ""),
      task.answer ?? "",
    ]),
  ];
  await writeFile(file, `${lines.map((cells) => cells.map(csvCell).join(",")).join("\n")}\n`);
  printData(
    options,
    { file, tasks: tasks.length },
    () => `${plural(tasks.length, "task")} in ${file}; fill in the column "answer".`,
  );
}

/** A spreadsheet takes a text that begins so for a formula; users of the application may have written it. */
const FORMULA = /^[=+\-@\t\r]/;

export function csvCell(value: unknown): string {
  const text = typeof value === "string" && FORMULA.test(value) ? `'${value}` : String(value);
  return /[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}

/** Answers of a CSV with the columns `task` and `answer`; rows without an answer are left open. */
async function importCsv(
  model: string,
  file: string,
  options: RemoteOptions & { readonly as?: string },
): Promise<void> {
  const client = connect(options);
  const content = await readBytes(file);
  const read = await labelReaderOf(client, model);
  let kept = 0;
  let empty = 0;
  const problems: string[] = [];
  for await (const reading of readRows("csv", content)) {
    if ("problem" in reading) {
      problems.push(`row ${reading.rowNumber}: ${reading.problem.message}`);
      continue;
    }
    const { task, answer: text } = reading.row as { task?: string; answer?: string };
    if (task === undefined || text === undefined) throw columnsMissing(file, Object.keys(reading.row));
    if (text.trim() === "") {
      empty++;
      continue;
    }
    try {
      await client.adjudicateTask(model, task, { value: read(text) });
      kept++;
    } catch (error) {
      problems.push(`row ${reading.rowNumber}: ${(error as Error).message}`);
    }
  }
  printData(options, { kept, empty, problems }, () =>
    [`${plural(kept, "answer")} kept, ${plural(empty, "row")} without an answer.`, ...problems.slice(0, 20)].join("\n"),
  );
  if (problems.length > 0) {
    throw fail("ROW_INVALID", {
      message: `${problems.length} of ${plural(kept + empty + problems.length, "row")} ${problems.length === 1 ? "was" : "were"} refused.`,
      remedy: "Correct the rows named above and import the file again: what was kept stays.",
    });
  }
}

function columnsMissing(file: string, columns: readonly string[]) {
  const missing = ["task", "answer"].filter((name) => !columns.includes(name));
  return fail("FILE_INVALID", {
    message: `${file} has no column ${missing.map((name) => `"${name}"`).join(" and no column ")}; it has ${columns.join(", ")}.`,
    remedy: "Fill in the file that `retrain tasks export` writes, and keep its first line.",
  });
}
