/** What a CSV column holds, counted in one pass. Memory is bounded by the number of different values kept. */
import { parseInstant } from "../../data/index.ts";

/** More different values than this are "many", whatever their number. */
export const DISTINCT_LIMIT = 1_000;
const NUMBER = /^[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d+)?$/;
/** Dates of forms that are read differently in different countries, so we do not read them at all. */
const LOCAL_DATE = /^\d{1,2}[./-]\d{1,2}[./-]\d{2,4}(\s|$)/;
/** Year first, so that everybody reads them alike, but not the form event times have. */
const SLASH_DATE = /^\d{4}[./]\d{1,2}[./]\d{1,2}(\s|$)/;
/** Numbers as people write them: with a decimal comma, marks between thousands, a currency or a percent sign. */
const LOCAL_NUMBER = /^[+-]?\p{Sc}?\s?(?:\d+,\d+|\d{1,3}(?:[.,'\s]\d{3})+(?:[.,]\d+)?|\d+(?:\.\d+)?)\s?[%\p{Sc}]?$/u;

export interface ColumnProfile {
  readonly name: string;
  readonly rows: number;
  readonly missing: number;
  readonly numbers: number;
  readonly integers: number;
  readonly dates: number;
  readonly localDates: number;
  readonly slashDates: number;
  /** Texts such as `12,50`, `$1,200.00` and `7 %`. */
  readonly localNumbers: number;
  /** Earliest and latest of the dates, as written. */
  readonly firstDate: string;
  readonly lastDate: string;
  /** Which of the stated texts for missing occur. */
  readonly missingTexts: readonly string[];
  readonly min: number;
  readonly max: number;
  /** Different values with their counts; complete unless `many`. */
  readonly values: ReadonlyMap<string, number>;
  readonly many: boolean;
  /** Every value occurred once. Only counted for columns that could be an id. */
  readonly unique: boolean;
  /** Whole numbers that go up by one from row to row. */
  readonly counting: boolean;
  readonly meanLength: number;
  /** Texts that are no numbers, in a column that has numbers. */
  readonly nonNumbers: ReadonlyMap<string, number>;
}

/** Words that mean "missing" to people who write files. */
export const MISSING_WORDS = new Set([
  "?",
  "-",
  "--",
  "null",
  "none",
  "nan",
  "n/a",
  "#n/a",
  "unknown",
  "missing",
  "nil",
]);
export const ALWAYS_MISSING = new Set(["", "NA"]);

export function looksLikeId(name: string): boolean {
  return /^id$/i.test(name) || /[_\-. ]id$/i.test(name) || /[a-z]I[Dd]$/.test(name);
}

/** @param missing texts that mean missing besides blank and NA */
export function createColumnProfiler(name: string, missing: ReadonlySet<string>) {
  const values = new Map<string, number>();
  const nonNumbers = new Map<string, number>();
  const ids = looksLikeId(name) ? new Set<string>() : undefined;
  let rows = 0;
  let missed = 0;
  let numbers = 0;
  let integers = 0;
  let dates = 0;
  let localDates = 0;
  let slashDates = 0;
  let localNumbers = 0;
  let firstDate = { at: Infinity, text: "" };
  let lastDate = { at: -Infinity, text: "" };
  const missingTexts = new Set<string>();
  let min = Infinity;
  let max = -Infinity;
  let many = false;
  let length = 0;
  let counting = true;
  let last: number | undefined;

  const count = (map: Map<string, number>, text: string) => {
    const seen = map.get(text);
    if (seen !== undefined) map.set(text, seen + 1);
    else if (map.size < DISTINCT_LIMIT) map.set(text, 1);
    else return false;
    return true;
  };
  const addNumber = (value: number) => {
    numbers++;
    if (Number.isInteger(value)) integers++;
    if (value < min) min = value;
    if (value > max) max = value;
    counting &&= last === undefined || value === last + 1;
    last = value;
  };
  return {
    add(raw: string): void {
      rows++;
      const text = raw.trim();
      if (ALWAYS_MISSING.has(text) || missing.has(text)) {
        missed++;
        if (missing.has(text)) missingTexts.add(text);
        return;
      }
      length += text.length;
      ids?.add(text);
      if (!count(values, text)) many = true;
      if (NUMBER.test(text)) {
        addNumber(Number(text));
        return;
      }
      count(nonNumbers, text);
      const at = parseInstant(text);
      if (at === undefined) {
        if (LOCAL_DATE.test(text)) localDates++;
        else if (SLASH_DATE.test(text)) slashDates++;
        else if (LOCAL_NUMBER.test(text)) localNumbers++;
        return;
      }
      dates++;
      if (at < firstDate.at) firstDate = { at, text };
      if (at > lastDate.at) lastDate = { at, text };
    },
    profile(): ColumnProfile {
      const present = rows - missed;
      return {
        name,
        rows,
        missing: missed,
        numbers,
        integers,
        dates,
        localDates,
        slashDates,
        localNumbers,
        firstDate: firstDate.text,
        lastDate: lastDate.text,
        missingTexts: [...missingTexts],
        min,
        max,
        values,
        many,
        unique: ids !== undefined && ids.size === rows && rows > 0,
        counting: counting && numbers === rows && integers === rows && rows > 1,
        meanLength: present === 0 ? 0 : length / present,
        nonNumbers,
      };
    },
  };
}
