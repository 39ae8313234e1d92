/** `retrain init --from FILE.csv --label COLUMN`: from a file to a configuration, with every decision told. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { basename, join, relative, resolve as resolvePath } from "node:path";
import { formatOfPath, readFileRows } from "../../collect/index.ts";
import { fail, plural, type Task } from "../../core/index.ts";
import { CONFIG_NAMES } from "../load.ts";
import { createColumnProfiler } from "./column-profile.ts";
import { configText } from "./config-text.ts";
import { type ColumnDecision, type ColumnUse, decideColumns } from "./decide.ts";
import { LEAK_SAMPLE_ROWS, leakWarning } from "./leaks.ts";

export interface InitOptions {
  readonly label: string;
  /** Texts that mean missing besides blank and NA. */
  readonly missing?: readonly string[];
  /** Default: the stem of the file's name. */
  readonly modelName?: string;
  /** Where the configuration goes; default the current folder. */
  readonly folder?: string;
}

export interface InitPlan {
  readonly modelName: string;
  readonly task: Task;
  readonly rows: number;
  readonly labelledRows: number;
  /** Lines that are no rows, such as ragged ones: they will be in the quarantine. */
  readonly unreadableRows: number;
  readonly decisions: readonly ColumnDecision[];
  /** One line a column, then one for what has no column. */
  readonly lines: readonly string[];
  readonly files: readonly { readonly path: string; readonly content: string }[];
}

const GITIGNORE_LINES = [".retrain/", ".env"];

/**
 * Reads the file once and decides; writes nothing.
 * @throws FILE_INVALID, FORMAT_UNSUPPORTED, HEADER_DUPLICATE, COLUMN_UNKNOWN, COLUMN_TYPE_UNDECIDED
 */
export async function initFromCsv(csvPath: string, options: InitOptions): Promise<InitPlan> {
  const folder = resolvePath(options.folder ?? ".");
  const path = resolvePath(csvPath);
  if (formatOfPath(path) !== "csv") {
    throw fail("FORMAT_UNSUPPORTED", {
      message: `${JSON.stringify(basename(path))} is no CSV file.`,
      remedy: "Name a file that ends in .csv or .tsv.",
    });
  }
  const missing = options.missing ?? [];
  const scan = await scanFile(path, missing);
  const decided = decideColumns(scan.profiles, { label: options.label });
  const decisions = withWarnings(decided, scan.sample, new Set(["", "NA", ...missing]));
  const label = decisions.find((one) => one.use.as === "label") as ColumnDecision;
  const labelProfile = scan.profiles.find((one) => one.name === label.column);
  const labelledRows = scan.rows - (labelProfile?.missing ?? 0);
  const modelName = options.modelName ?? modelNameOf(path);
  if (!decisions.some((one) => ["number", "category", "boolean"].includes(one.use.as))) {
    throw fail("COLUMN_TYPE_UNDECIDED", {
      message: `No column of ${basename(path)} can be a feature: ${
        decisions
          .filter((one) => one !== label)
          .map((one) => `${one.column} (${one.reason})`)
          .join("; ") || "there is none beside the label"
      }.`,
      remedy: decisions.some((one) => one.reason.startsWith("free text"))
        ? "Write a configuration with `f.text()` for the text, or add columns that say something about the label."
        : "Add columns that say something about the label.",
    });
  }
  const config = configText({
    modelName,
    fileName: basename(path),
    sourcePath: relative(folder, path).replaceAll("\\", "/"),
    decisions,
    missing,
    labelledRows,
  });
  return {
    modelName,
    task: (label.use as Extract<ColumnUse, { as: "label" }>).task,
    rows: scan.rows,
    labelledRows,
    unreadableRows: scan.unreadable,
    decisions,
    lines: [...decisionLines(decisions), ...unreadableLines(scan)],
    files: [
      { path: join(folder, CONFIG_NAMES[0]), content: config },
      { path: join(folder, ".gitignore"), content: gitignore(join(folder, ".gitignore")) },
    ],
  };
}

/** @throws FILE_EXISTS naming the file, unless `force`; a .gitignore is only added to. */
export function writeInit(plan: InitPlan, options: { readonly force?: boolean } = {}): void {
  const taken = plan.files.find((file) => !file.path.endsWith(".gitignore") && existsSync(file.path));
  if (taken !== undefined && options.force !== true) {
    throw fail("FILE_EXISTS", {
      message: `${taken.path} exists already; it may hold work of yours.`,
      remedy: "Pass --force to replace it, or run init in another folder.",
      details: { path: taken.path },
    });
  }
  for (const file of plan.files) writeFileSync(file.path, file.content);
}

async function scanFile(path: string, missing: readonly string[]) {
  const words = new Set(missing);
  let profilers: (readonly [string, ReturnType<typeof createColumnProfiler>])[] | undefined;
  const sample: Readonly<Record<string, string>>[] = [];
  let rows = 0;
  let unreadable = 0;
  let firstProblem: string | undefined;
  for await (const reading of readFileRows(path, "csv")) {
    if ("problem" in reading) {
      unreadable++;
      firstProblem ??= reading.problem.message;
      continue;
    }
    const row = reading.row as Readonly<Record<string, string>>;
    profilers ??= Object.keys(row).map((name) => [name, createColumnProfiler(name, words)] as const);
    for (const [name, profiler] of profilers) profiler.add(row[name] as string);
    if (rows++ < LEAK_SAMPLE_ROWS) sample.push(row);
  }
  if (profilers === undefined) {
    throw fail("FILE_INVALID", {
      message: `${basename(path)} holds no row${unreadable === 0 ? "" : ` that can be read (${plural(unreadable, "line")}: ${firstProblem})`}.`,
      remedy: "Give a file with a header line and at least one row.",
    });
  }
  return { profiles: profilers.map(([, profiler]) => profiler.profile()), sample, rows, unreadable, firstProblem };
}

function unreadableLines({ unreadable, firstProblem }: { unreadable: number; firstProblem: string | undefined }) {
  if (unreadable === 0) return [];
  return [`${plural(unreadable, "row")} cannot be read and will be in the quarantine. The first: ${firstProblem}`];
}

function withWarnings(
  decisions: readonly ColumnDecision[],
  sample: readonly Readonly<Record<string, string>>[],
  missing: ReadonlySet<string>,
): readonly ColumnDecision[] {
  const label = decisions.find((one) => one.use.as === "label") as ColumnDecision;
  const { task, texts } = label.use as Extract<ColumnUse, { as: "label" }>;
  if (task === "regression") return decisions;
  const textsOf = (column: string, marks: readonly string[]) =>
    sample.map((row) => {
      const value = (row[column] as string).trim();
      return missing.has(value) || marks.includes(value) ? "" : value;
    });
  const labels = textsOf(label.column, []);
  return decisions.map((decision) => {
    const { use } = decision;
    if (use.as !== "number" && use.as !== "category" && use.as !== "boolean") return decision;
    const kind = use.as === "number" ? "number" : "category";
    const column = { column: decision.column, kind, texts: textsOf(decision.column, use.missing) } as const;
    const warning = leakWarning(column, labels, texts?.[1]);
    return warning === undefined ? decision : { ...decision, warning };
  });
}

const WORDS: Readonly<Record<ColumnUse["as"], string>> = {
  id: "example id",
  time: "event time",
  number: "number",
  category: "category",
  boolean: "boolean",
  label: "label",
  "left-out": "left out",
};

function decisionLines(decisions: readonly ColumnDecision[]): readonly string[] {
  const width = Math.min(32, Math.max(...decisions.map((one) => one.column.length)));
  const line = (name: string, word: string, reason: string) =>
    `${name.padEnd(width)}  ${word.padEnd(10)}  ${reason}`.replace(/[\p{Cc}\p{Zl}\p{Zp}]/gu, " ");
  const lines = decisions.map((one) => {
    const warning = one.warning === undefined ? "" : `; look: it ${one.warning}`;
    return line(one.column, WORDS[one.use.as], `${one.reason}${warning}`);
  });
  const has = (as: ColumnUse["as"]) => decisions.some((one) => one.use.as === as);
  if (!has("id"))
    lines.push(line("(no id)", "example id", "no unique column named id or *_id: every row of the file is an example"));
  if (!has("time")) lines.push(line("(no time)", "event time", "no date column: rows count in the order of the file"));
  return lines;
}

/** The stem of the file's name as a valid model name. */
export function modelNameOf(path: string): string {
  const stem = basename(path).replace(/\.(csv|tsv)(\.gz)?$/i, "");
  const name = stem
    .toLowerCase()
    .replaceAll("ß", "ss")
    .normalize("NFKD")
    .replace(/\p{M}/gu, "")
    .replace(/[^a-z0-9._-]+/g, "-")
    .replace(/\.{2,}/g, ".")
    .replace(/^[^a-z0-9]+|[^a-z0-9]+$/g, "")
    .slice(0, 64);
  return name === "" ? "model" : name;
}

function gitignore(path: string): string {
  const before = existsSync(path) ? readFileSync(path, "utf8") : "";
  const lines = new Set(before.split(/\r?\n/).map((line) => line.trim()));
  const added = GITIGNORE_LINES.filter((line) => !lines.has(line));
  if (added.length === 0) return before;
  return `${before === "" || before.endsWith("\n") ? before : `${before}\n`}${added.join("\n")}\n`;
}
