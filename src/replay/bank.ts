/**
 * The Bank Marketing data of the UCI repository (Moro, Cortez, Rita, 2014; CC BY 4.0): 45,211 phone contacts of a Portuguese bank,
 * May 2008 to November 2010, in date order. The file gives day and month only; the year is restored from month roll-overs.
 * `duration` is left out: it is known only after the call, and leaks the label. So are `day` and `month`: within one window they
 * name the campaign rather than the customer.
 */
import { type RowReading, readRows } from "../collect/index.ts";
import { defineModel, f, gate, type Model, stage, linear, when } from "../config/index.ts";
import { DAY_MS, fail, type FeatureValue, type Instant } from "../core/index.ts";
import type { HistoryRow, RecordedHistory } from "./history.ts";

const MONTHS = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"];
const FIRST_YEAR = 2008;
/** Contacts happen in office hours; a row's place in its day gives it a second of its own. */
const OPENS_AT_MS = 9 * 3_600_000;
const NUMBERS = ["age", "balance", "campaign", "pdays", "previous"] as const;
const CATEGORIES = ["job", "marital", "education", "contact", "poutcome"] as const;
const BOOLEANS = ["default", "housing", "loan"] as const;

/**
 * A part a month, read when the replay gets there: the first months are all that a start has to wait for.
 * @param text the whole file `bank-full.csv`: semicolons, quoted texts, a header
 * @throws FILE_INVALID when a month is read that has a broken line
 */
export function bankHistory(text: string): RecordedHistory {
  return { rows: countLines(text) - 1, parts: { [Symbol.iterator]: () => readMonths(text) } };
}

function* readMonths(text: string): Generator<readonly HistoryRow[], undefined> {
  let rows: HistoryRow[] = [];
  let index = 0;
  let year = FIRST_YEAR;
  let lastMonth = -1;
  let lastDay = 0;
  let ofDay = 0;
  for (const reading of readRows("csv", new TextEncoder().encode(text)) as Iterable<RowReading>) {
    if ("problem" in reading) throw unreadable(reading.rowNumber + 1, `problem ${reading.problem.message}`);
    const record = reading.row as Readonly<Record<string, string>>;
    const month = MONTHS.indexOf(record["month"] ?? "");
    if (month < 0) throw unreadable(index + 2, `month "${record["month"] ?? ""}"`);
    if (month < lastMonth) year++;
    if (month !== lastMonth && rows.length > 0) {
      yield inOrder(rows);
      rows = [];
    }
    lastMonth = month;
    const day = Date.UTC(year, month, Number(record["day"]));
    ofDay = day === lastDay ? ofDay + 1 : 0;
    lastDay = day;
    rows.push(readRow(record, index, day + OPENS_AT_MS + ofDay * 1000));
    index += 1;
  }
  yield inOrder(rows);
}

/** Days within a month are in order but for a few; the order of time is what a replay needs. */
const inOrder = (rows: HistoryRow[]) => rows.sort((a, b) => a.at - b.at);

function countLines(text: string): number {
  let count = 0;
  for (let end = text.indexOf("\n"); end !== -1; end = text.indexOf("\n", end + 1)) count += 1;
  return text.endsWith("\n") ? count : count + 1;
}

function readRow(record: Readonly<Record<string, string>>, index: number, at: Instant): HistoryRow {
  const features: Record<string, FeatureValue> = {};
  for (const name of NUMBERS) {
    const value = Number(record[name]);
    if (!Number.isFinite(value)) throw unreadable(index + 2, `${name} "${record[name] ?? ""}"`);
    features[name] = value;
  }
  // -1 stands for "never contacted before", which is not a number of days.
  if (features["pdays"] === -1) features["pdays"] = null;
  for (const name of CATEGORIES) features[name] = record[name] === "unknown" ? null : (record[name] ?? null);
  for (const name of BOOLEANS) features[name] = record[name] === "yes";
  return { id: `c${String(index + 1).padStart(6, "0")}`, at, features, label: record["y"] === "yes" };
}

function unreadable(line: number, what: string) {
  return fail("FILE_INVALID", {
    message: `Line ${line} of the bank data has the ${what}.`,
    remedy: "Use bank-full.csv of the UCI Bank Marketing data.",
  });
}

/** How the bank's model is kept fresh in the story. */
export function bankModel(): Model {
  return defineModel({
    name: "deposits",
    task: "binary",
    id: "customer",
    time: "contactedAt",
    features: {
      age: f.number({ min: 0, max: 120 }),
      job: f.category(),
      marital: f.category(),
      education: f.category(),
      default: f.boolean(),
      balance: f.number(),
      housing: f.boolean(),
      loan: f.boolean(),
      contact: f.category(),
      campaign: f.number({ min: 0 }),
      pdays: f.number({ min: 0 }),
      previous: f.number({ min: 0 }),
      poutcome: f.category(),
    },
    label: f.boolean(),
    labelColumn: "purchased",
    labelDelay: "14d",
    trainer: linear(),
    // The market turns within months: older rows teach what is no longer true. Half a year still holds enough rows in a quiet one.
    data: { window: "180d", minRows: 400, holdout: { share: 0.25, minRows: 150, maxRows: 1000 } },
    retrain: {
      when: when.any(
        when.performanceDrop("logLoss", { relative: 0.15, window: "30d", minRows: 150 }),
        when.schedule("0 3 1 * *", { timeZone: "Europe/Lisbon" }),
      ),
      how: "full",
      cooldown: "7d",
      maxPerDay: 1,
      stopAfterRejections: 5,
    },
    // A window a week, compared once a week: two and a half years pass in a minute here.
    monitors: { dataDrift: { window: "7d", every: "7d" } },
    // No gate on ranking: with one "yes" in twenty, a holdout of the first months is too small to prove any.
    gates: [gate.noWorseThanChampion("logLoss", { margin: 0.02 })],
    rollout: [stage.full()],
  });
}

/** Eight weeks of history, then the first version; the rest is answered live. */
export const BANK_BEGINS_AT: Instant = Date.UTC(2008, 6, 1);
/** Labels arrive this long after the contact. */
export const BANK_LABEL_DELAY_MS = 14 * DAY_MS;
