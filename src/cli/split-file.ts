/** One file as two: its rows before a point, and those from it on. The point is an instant, or a share of the rows. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { fail, nearestWord, plural } from "../core/index.ts";
import { columnName, type FileColumns, reading } from "./column-file.ts";

export interface SplitPoint {
  /** As asked for: an instant, or a share such as 0.5 or 50%. */
  readonly at: string;
  /** A column of times; without it the only one of the file, for a share the order of its rows. */
  readonly time?: string;
}

/** Where a file was split. */
export interface FileSplit {
  /** Of the time column, in UTC; null where the rows' order decided. */
  readonly instant: string | null;
  /** Column of times, or null. */
  readonly by: string | null;
  /** Rows without a time, on neither side. */
  readonly timeless: number;
}

export interface SplitFile {
  readonly before: FileColumns;
  readonly now: FileColumns;
  readonly split: FileSplit;
}

/** @throws USAGE, COLUMN_UNKNOWN, FILE_INVALID */
export async function splitFile(
  connection: DuckDBConnection,
  file: FileColumns,
  point: SplitPoint,
): Promise<SplitFile> {
  const share = shareOf(point.at);
  const asked = share === undefined ? instantOf(point.at) : undefined;
  if (share !== undefined && point.time === undefined) return byOrder(file, share);
  const column = timeColumn(file, point.time);
  const key = `epoch_ms(${columnName(column)})`;
  const atMs = asked ?? (await quantile(connection, file, { key, share: share as number }));
  const [early, late] = [`${key} < ${atMs}`, `${key} >= ${atMs}`];
  const counted = await reading(file.path, () =>
    connection.runAndReadAll(
      `SELECT (count(*) FILTER (${early}))::DOUBLE, (count(*) FILTER (${late}))::DOUBLE FROM ${file.source}`,
    ),
  );
  const [before, now] = (counted.getRows()[0] ?? []).map(Number) as [number, number];
  return {
    before: partOf(file, { rows: before, source: `(SELECT * FROM ${file.source} WHERE ${early})` }),
    now: partOf(file, { rows: now, source: `(SELECT * FROM ${file.source} WHERE ${late})` }),
    split: { instant: new Date(atMs).toISOString(), by: column, timeless: file.rows - before - now },
  };
}

function byOrder(file: FileColumns, share: number): SplitFile {
  const rows = Math.floor(file.rows * share);
  const part = (from: number, to: number) =>
    partOf(file, {
      rows: to - from,
      source: `(SELECT * FROM ${file.source} ${rowsOf(file, from, to)})`,
      range: { from, to },
    });
  return { before: part(0, rows), now: part(rows, file.rows), split: { instant: null, by: null, timeless: 0 } };
}

/** By DuckDB's own numbers of a Parquet file's rows where it has them: skipping the rows before, it would decode them one after the other. */
function rowsOf({ path, types }: FileColumns, from: number, to: number): string {
  const isHidden = [...types.keys()].some((name) => name.toLowerCase() === "file_row_number");
  // Over several files the numbers begin anew in each.
  if (!path.endsWith(".parquet") || isHidden || /[*?[]/.test(path)) return `LIMIT ${to - from} OFFSET ${from}`;
  return `WHERE file_row_number >= ${from} AND file_row_number < ${to}`;
}

function partOf({ path, kinds, types }: FileColumns, own: Pick<FileColumns, "rows" | "source" | "range">): FileColumns {
  return { path, kinds, types, ...own };
}

/** Undefined for what is no share. */
function shareOf(text: string): number | undefined {
  const found = /^(\d*\.?\d+)(%?)$/.exec(text.trim());
  if (found === null) return undefined;
  const share = Number(found[1]) / (found[2] === "%" ? 100 : 1);
  if (share > 0 && share < 1) return share;
  throw fail("USAGE", {
    message: `${text} is no share of the rows between 0 and 1.`,
    remedy: "Write --split-at 0.5, --split-at 50%, or an instant such as --split-at 2026-03-01.",
  });
}

/** Without a zone it is UTC, as everywhere. */
function instantOf(text: string): number {
  const found = /^(\d{4}-\d{2}-\d{2})(?:[T ](\d{2}:\d{2}(?::\d{2}(?:\.\d+)?)?)(Z|[+-]\d{2}:\d{2})?)?$/i.exec(
    text.trim(),
  );
  const [, day, time = "00:00", zone = "Z"] = found ?? [];
  const atMs = day === undefined ? Number.NaN : Date.parse(`${day}T${time}${zone}`);
  if (Number.isFinite(atMs)) return atMs;
  throw fail("USAGE", {
    message: `${JSON.stringify(text)} is neither an instant nor a share of the rows.`,
    remedy: "Write --split-at 2026-03-01, --split-at 2026-03-01T12:00:00Z, --split-at 0.5 or --split-at 50%.",
  });
}

const TIME_TYPE = /^(DATE$|TIMESTAMP)/;

function timeColumn({ path, types }: FileColumns, asked: string | undefined): string {
  const times = [...types].filter(([, type]) => TIME_TYPE.test(type)).map(([name]) => name);
  const listed = times.length === 0 ? "It has no column of times." : `Columns of times: ${times.join(", ")}.`;
  if (asked !== undefined && !types.has(asked)) {
    const near = nearestWord(asked, [...types.keys()]);
    throw fail("COLUMN_UNKNOWN", {
      message: `${JSON.stringify(path)} has no column ${JSON.stringify(asked)}.${near === undefined ? "" : ` Closest: ${JSON.stringify(near)}.`}`,
      remedy: listed,
    });
  }
  const [only, ...more] = asked === undefined ? times : times.filter((one) => one === asked);
  if (only !== undefined && more.length === 0) return only;
  throw fail("USAGE", {
    message:
      asked === undefined
        ? `${JSON.stringify(path)} has ${plural(times.length, "column")} of times: which one the split means is not clear.`
        : `The column ${JSON.stringify(asked)} of ${JSON.stringify(path)} holds no times: its type is ${types.get(asked)}.`,
    remedy:
      times.length === 0
        ? `${listed} Split by a share of the rows: --split-at 0.5.`
        : `${listed} Name one: --time ${times[0]}.`,
  });
}

/** The instant before which that share of the rows lies. */
async function quantile(
  connection: DuckDBConnection,
  file: FileColumns,
  { key, share }: { readonly key: string; readonly share: number },
): Promise<number> {
  const found = await reading(file.path, () =>
    connection.runAndReadAll(`SELECT (quantile_disc(${key}, ${share}))::DOUBLE FROM ${file.source}`),
  );
  const value = found.getRows()[0]?.[0];
  if (typeof value === "number") return value;
  throw fail("USAGE", {
    message: `${JSON.stringify(file.path)} has no row with a time.`,
    remedy: "Split by the order of the rows: --split-at 0.5 without --time.",
  });
}
