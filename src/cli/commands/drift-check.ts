/** `retrain drift check`: any two CSV or Parquet files, without a server; the exit code says what was found. */
import { writeFile } from "node:fs/promises";
import { fail, type MultivariateDrift, nearestWord, plural } from "../../core/index.ts";
import { compareProfiles, type DriftReport, MULTIVARIATE_DEFAULTS, multivariateDrift } from "../../monitor/index.ts";
import type { DuckDBConnection } from "@duckdb/node-api";
import { driftHtml } from "../drift-html.ts";
import { type ColumnKind, describeFile, type FileColumns, withDuckDb } from "../column-file.ts";
import { profileFiles } from "../file-profile.ts";
import { readSample } from "../frame-file.ts";
import { type FileSplit, splitFile, type SplitFile } from "../split-file.ts";
import { VERDICTS } from "../verdicts.ts";
import { multivariateText } from "./multivariate.ts";
import { colors, EXIT, note, type OutputOptions, printData, table } from "../output.ts";

export interface DriftCheckOptions extends OutputOptions {
  readonly columns?: string;
  readonly ignore?: string;
  readonly minimumEffect?: number;
  readonly minRows?: number;
  readonly level?: number;
  readonly share?: number;
  readonly html?: string;
  /** Also compare rows as wholes. */
  readonly multivariate?: boolean;
  /** Where one file is split: an instant, or a share of its rows. */
  readonly splitAt?: string;
  /** The column of times to split by. */
  readonly time?: string;
}

export interface DriftCheck {
  readonly reference: { readonly path: string; readonly rows: number };
  readonly current: { readonly path: string; readonly rows: number };
  /** Columns of the reference that the current file lacks. */
  readonly lost: readonly string[];
  /** Columns the reference does not have. */
  readonly added: readonly string[];
  /** Columns that are neither number, boolean nor text. */
  readonly left: readonly string[];
  readonly report: DriftReport;
  /** Where one file was split. */
  readonly split?: FileSplit;
  /** Where it was asked for. */
  readonly multivariate?: MultivariateDrift;
}

/** @returns 4 when the columns drifted or one is lost, else 0; `cannot-tell` is 0 with a line on stderr. */
export async function driftCheck(
  reference: string,
  current: string | undefined,
  options: DriftCheckOptions,
): Promise<number> {
  const check = await compareFiles(reference, current, options);
  if (options.html !== undefined) {
    const title = current === undefined ? `${reference}, ${pointText(check.split)}` : `${reference} → ${current}`;
    await writeFile(options.html, driftHtml({ ...check, title }));
    note(options, `Report written to ${options.html}.`);
  }
  printData(options, check, () => checkText(check));
  if (check.report.verdict === "cannot-tell") note(options, `Cannot tell: ${check.report.reason}`);
  const { multivariate } = check;
  if (multivariate?.verdict === "cannot-tell") note(options, `Cannot tell of whole rows: ${multivariate.reason}`);
  return check.report.verdict === "drift" || multivariate?.verdict === "drift" || check.lost.length > 0
    ? EXIT.found
    : EXIT.ok;
}

/**
 * @param currentPath undefined: one file, split where the options say
 * @throws FORMAT_UNSUPPORTED, FILE_INVALID, COLUMN_UNKNOWN, COLUMN_MISSING, CONFIG_INVALID, USAGE
 */
export async function compareFiles(
  referencePath: string,
  currentPath: string | undefined,
  options: Omit<DriftCheckOptions, "json"> = {},
): Promise<DriftCheck> {
  return withDuckDb(async (connection, second, third) => {
    const { before, now, split } = await openSides(connection, [referencePath, currentPath], options);
    const wanted = chosenColumns(before, options);
    const columns = wanted.flatMap((column) => {
      const kind = kindIn(before.kinds.get(column), now.kinds.get(column));
      return kind === undefined ? [] : [[column, kind] as const];
    });
    if (columns.length === 0) {
      throw fail("COLUMN_MISSING", {
        message: `${JSON.stringify(before.path)} and ${JSON.stringify(now.path)} have no column in common that could be compared: the first has ${columnList(before)}, the second ${columnList(now)}.`,
        remedy: "Compare two files of the same table, with a header line, and with as many fields in every line.",
      });
    }
    const { reference: profile, current } = await profileFiles(
      { connection, file: before },
      { connection: second, file: now },
      third,
      columns,
    );
    const { minimumEffect, minRows, level, share } = options;
    const report = compareProfiles(profile, current, {
      ...(minimumEffect === undefined ? {} : { minimumEffect }),
      ...(minRows === undefined ? {} : { minRows }),
      ...(level === undefined ? {} : { level }),
      ...(share === undefined ? {} : { share }),
    });
    // Rows are only read again when somebody asks for them: a file is counted without any.
    const multivariate =
      options.multivariate === true
        ? await multivariateDrift(
            await readSample(connection, before, columns, MULTIVARIATE_DEFAULTS.maxRows),
            await readSample(second, now, columns, MULTIVARIATE_DEFAULTS.maxRows),
            level === undefined ? {} : { level },
          )
        : undefined;
    return {
      reference: { path: before.path, rows: before.rows },
      current: { path: now.path, rows: now.rows },
      lost: wanted.filter((column) => !now.kinds.has(column)),
      added: [...now.kinds.keys()].filter((column) => !before.kinds.has(column)),
      left: wanted.filter((column) => now.kinds.has(column) && !columns.some(([own]) => own === column)),
      report,
      ...(split === undefined ? {} : { split }),
      ...(multivariate === undefined ? {} : { multivariate }),
    };
  });
}

const LISTED_COLUMNS = 8;

function columnList({ kinds }: FileColumns): string {
  const names = [...kinds.keys()];
  if (names.length === 0) return "none";
  return names.length > LISTED_COLUMNS ? `${names.slice(0, LISTED_COLUMNS).join(", ")}, …` : names.join(", ");
}

async function openSides(
  connection: DuckDBConnection,
  [reference, current]: readonly [string, string | undefined],
  { splitAt, time }: Pick<DriftCheckOptions, "splitAt" | "time">,
): Promise<Omit<SplitFile, "split"> & Partial<Pick<SplitFile, "split">>> {
  if ((current === undefined) === (splitAt === undefined) || (time !== undefined && splitAt === undefined)) {
    throw fail("USAGE", {
      message:
        current === undefined
          ? "One file is compared with itself before and after a point, which is missing."
          : "Two files are compared as they are; a point to split at belongs to one file.",
      remedy: "Name two files, or one and --split-at with an instant (2026-03-01) or a share of its rows (0.5).",
    });
  }
  const before = await describeFile(connection, reference);
  if (current !== undefined) return { before, now: await describeFile(connection, current) };
  return splitFile(connection, before, { at: splitAt as string, ...(time === undefined ? {} : { time }) });
}

/** Where one file was split, in words. */
function pointText(split: FileSplit | undefined): string {
  return split?.by === null || split === undefined ? "in the order of its rows" : `${split.by} at ${split.instant}`;
}

/** Where the two files disagree, a column that is text in one of them is compared as text. */
function kindIn(before: ColumnKind | null | undefined, now: ColumnKind | null | undefined): ColumnKind | undefined {
  if (before === undefined || before === null || now === undefined || now === null) return undefined;
  return before === now ? before : "category";
}

const listOf = (text: string | undefined) =>
  text === undefined ? undefined : text.split(",").map((one) => one.trim());

function chosenColumns(file: FileColumns, options: Pick<DriftCheckOptions, "columns" | "ignore">): string[] {
  const names = [...file.kinds.keys()];
  const known = (list: readonly string[] | undefined) => {
    for (const one of list ?? []) {
      if (file.kinds.has(one)) continue;
      const near = nearestWord(one, names);
      throw fail("COLUMN_UNKNOWN", {
        message: `${JSON.stringify(file.path)} has no column ${JSON.stringify(one)}.${near === undefined ? "" : ` Closest: ${JSON.stringify(near)}.`}`,
        remedy: `Name some of: ${names.slice(0, 20).join(", ")}${names.length > 20 ? ", …" : ""}.`,
      });
    }
    return list;
  };
  const wanted = known(listOf(options.columns)) ?? names;
  const ignored = new Set(known(listOf(options.ignore)) ?? []);
  return wanted.filter((one) => !ignored.has(one));
}

export function reportTable(report: DriftReport): string {
  const digits = (value: number | null) => (value === null ? "–" : value.toFixed(3));
  const rows = report.features.map((one) => [
    one.feature,
    VERDICTS[one.verdict],
    one.statistic,
    digits(one.value),
    digits(one.threshold),
    digits(one.distances.jsDistance),
    digits(one.distances.wasserstein),
    `${(100 * one.missing.current).toFixed(1)} %`,
    one.verdict === "no-drift" ? "" : one.reason,
  ]);
  const header = ["column", "verdict", "statistic", "value", "threshold", "JS", "W1/sd", "missing", "in words"];
  return table(header, rows);
}

/** Numbers whose windows do not even overlap: serial numbers and times drift by their nature. */
function counters({ features }: DriftReport): string[] {
  return features.filter((one) => one.kind === "number" && one.outOfRange === 1).map((one) => one.feature);
}

function checkText(check: DriftCheck): string {
  const { report, reference, current } = check;
  const before = plural(reference.rows, "row");
  const now = current.rows.toLocaleString("en-US");
  const sizes =
    check.split === undefined
      ? `${before} of ${reference.path} against ${now} of ${current.path}`
      : `The first ${before} of ${reference.path} against the last ${now}, ${pointText(check.split)}`;
  const timeless = check.split?.timeless ?? 0;
  return [
    `${VERDICTS[report.verdict]}: ${report.reason}`,
    sizes,
    ...(timeless === 0 ? [] : [`On neither side, for want of a time: ${plural(timeless, "row")}.`]),
    ...(check.lost.length === 0 ? [] : [colors.red(`Lost: ${check.lost.join(", ")}.`)]),
    ...(check.added.length === 0 ? [] : [`New: ${check.added.join(", ")}.`]),
    ...(check.left.length === 0 ? [] : [`Not compared (no number, boolean or text): ${check.left.join(", ")}.`]),
    ...(counters(report).length === 0
      ? []
      : [
          `Every value of ${counters(report).join(", ")} lies beyond the reference: a number or time that only grows is left out by --ignore.`,
        ]),
    "",
    reportTable(report),
    ...(check.multivariate === undefined ? [] : ["", multivariateText(check.multivariate)]),
  ].join("\n");
}
