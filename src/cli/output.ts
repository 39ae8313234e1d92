/**
 * What commands print: data on stdout, everything else on stderr. With `--json` stdout is one line,
 * `{"ok":true,"data":…}` or `{"ok":false,"error":{code,message,hint,docs}}`; the exit code says the rest.
 */
import { createColors } from "picocolors";
import { ERROR_CODES, type ErrorCode } from "../core/index.ts";

export interface OutputOptions {
  readonly json: boolean;
  readonly quiet?: boolean;
}

const isColorWanted = () => {
  const { NO_COLOR, FORCE_COLOR, TERM } = process.env;
  if (NO_COLOR !== undefined && NO_COLOR !== "") return false;
  if (FORCE_COLOR !== undefined && FORCE_COLOR !== "" && FORCE_COLOR !== "0") return true;
  return process.stdout.isTTY === true && TERM !== "dumb";
};
export const colors = createColors(isColorWanted());

/** Exit codes beside those of errors. */
export const EXIT = { ok: 0, failure: 1, usage: 2, rejected: 3, found: 4, interrupted: 130 } as const;

/** Prints the answer of a command: its data as JSON, or a text made of it. */
export function printData(options: OutputOptions, data: unknown, asText: () => string): void {
  const text = options.json ? JSON.stringify({ ok: true, data }) : asText();
  process.stdout.write(text === "" || text.endsWith("\n") ? text : `${text}\n`);
}

/** A line on stderr, unless the caller wants none. */
export function note(options: OutputOptions, text: string): void {
  if (options.quiet !== true) process.stderr.write(`${text}\n`);
}

interface ShownError {
  readonly code: string;
  readonly message: string;
  readonly hint: string;
}

/** Any thrown thing as code, message and hint; the client's and our own errors carry them. */
export function describeError(error: unknown): ShownError {
  const known = error as { code?: unknown; message?: unknown; hint?: unknown; remedy?: unknown };
  const hint = known?.hint ?? known?.remedy;
  if (typeof known?.code === "string" && typeof hint === "string") {
    return { code: known.code, message: String(known.message), hint };
  }
  const message = error instanceof Error ? error.message : String(error);
  return {
    code: "INTERNAL",
    message,
    hint: "Run the command again with LOG_LEVEL=debug, and report it if it repeats.",
  };
}

export function exitCodeOf(code: string): number {
  return Object.hasOwn(ERROR_CODES, code) ? ERROR_CODES[code as ErrorCode].exit : EXIT.failure;
}

/** Prints an error where the caller looks for it, and returns the exit code. */
export function printError(options: OutputOptions, error: unknown): number {
  const shown = describeError(error);
  const { code, message, hint } = shown;
  if (options.json) {
    const docs = Object.hasOwn(ERROR_CODES, code) ? `docs/errors.md#${code.toLowerCase()}` : null;
    process.stdout.write(`${JSON.stringify({ ok: false, error: { ...shown, docs } })}\n`);
  } else {
    process.stderr.write(`${colors.red("error")} ${code}: ${message}\n`);
    if (hint !== "") process.stderr.write(`${colors.bold("fix")}   ${hint}\n`);
  }
  if (code === "INTERNAL" && process.env["LOG_LEVEL"] === "debug" && error instanceof Error) {
    process.stderr.write(`${error.stack ?? ""}\n`);
  }
  return exitCodeOf(code);
}

// -- tables and curves ---------------------------------------------------------------------------------------------------------

/** A plain table: columns as wide as their widest cell, numbers to the right. */
export function table(header: readonly string[], rows: readonly (readonly (string | number | null)[])[]): string {
  // A cell is one line: the last lines of a program would tear the table.
  const oneLine = (text: string) => text.trimEnd().replace(/\s*\n\s*/g, " | ");
  const cells = rows.map((row) => row.map((cell) => (cell === null ? "–" : oneLine(String(cell)))));
  const widths = header.map((name, i) => Math.max(name.length, ...cells.map((row) => (row[i] ?? "").length)));
  const isNumber = header.map(
    (_, i) => rows.length > 0 && rows.every((row) => typeof row[i] === "number" || row[i] === null),
  );
  const line = (row: readonly string[]) =>
    row
      .map((cell, i) => (isNumber[i] === true ? cell.padStart(widths[i] ?? 0) : cell.padEnd(widths[i] ?? 0)))
      .join("  ")
      .trimEnd();
  return [colors.bold(line(header)), ...cells.map(line)].join("\n");
}

const LEVELS = "▁▂▃▄▅▆▇█";

/** One line of blocks, low to high. */
export function sparkline(values: readonly (number | null)[]): string {
  const known = values.filter((value) => value !== null);
  const low = Math.min(...known);
  const span = Math.max(...known) - low;
  return values
    .map((value) => {
      if (value === null) return " ";
      return LEVELS[span === 0 ? 3 : Math.round(((value - low) / span) * (LEVELS.length - 1))] ?? "";
    })
    .join("");
}

/** Columns between the points of a short curve. */
const SPREAD_COLUMNS = 6;

/** A small curve: `height` lines of at most `width` columns, one mark per series, the axis at the left. */
export function curve(
  series: readonly { readonly name: string; readonly mark: string; readonly values: readonly (number | null)[] }[],
  { width = 60, height = 10 } = {},
): string {
  const all = series.flatMap(({ values }) => values).filter((value) => value !== null);
  if (all.length === 0) return "";
  const low = Math.min(...all);
  const high = Math.max(...all);
  const span = high - low || 1;
  const length = Math.max(...series.map(({ values }) => values.length));
  // A few epochs are spread, so that a line is seen rather than a stack of points.
  const columns = Math.min(width, Math.max(length, 2) * SPREAD_COLUMNS);
  const grid = Array.from({ length: height }, () => Array.from({ length: columns }, () => " "));
  for (const { mark, values } of series) {
    values.forEach((value, i) => {
      if (value === null) return;
      const x = length === 1 ? 0 : Math.round((i / (length - 1)) * (columns - 1));
      const y = Math.round(((high - value) / span) * (height - 1));
      (grid[y] as string[])[x] = mark;
    });
  }
  const label = (y: number) => (y === 0 ? high : y === height - 1 ? low : undefined)?.toPrecision(4) ?? "";
  const lines = grid.map((row, y) => `${label(y).padStart(9)} │${row.join("").trimEnd()}`);
  const legend = series.map(({ name, mark }) => `${mark} ${name}`).join("   ");
  return [...lines, `${" ".repeat(10)}└${"─".repeat(columns)}`, `${" ".repeat(11)}${legend}`].join("\n");
}

export function formatNumber(value: number | null | undefined, digits = 4): string {
  if (value === null || value === undefined) return "–";
  return Number.isInteger(value) ? String(value) : value.toFixed(digits);
}

export function formatInstant(at: number | null | undefined): string {
  return at === null || at === undefined ? "–" : new Date(at).toISOString().replace("T", " ").slice(0, 16);
}
