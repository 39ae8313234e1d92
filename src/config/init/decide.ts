/**
 * What each column of a CSV file becomes. The rules are few and printed, so that a person sees at a glance what was decided and
 * where to change it. When in doubt a column is left out with the reason: a feature nobody meant does more harm than one missing.
 */
import { fail, nearestWord, plural, type Task } from "../../core/index.ts";
import { type ColumnProfile, looksLikeId, MISSING_WORDS } from "./column-profile.ts";

export type ColumnUse =
  | { readonly as: "id" | "time" | "left-out" }
  | { readonly as: "number"; readonly missing: readonly string[] }
  | { readonly as: "category"; readonly missing: readonly string[] }
  | { readonly as: "boolean"; readonly texts: readonly [string, string]; readonly missing: readonly string[] }
  | { readonly as: "label"; readonly task: Task; readonly texts?: readonly [string, string] };

export interface ColumnDecision {
  readonly column: string;
  readonly use: ColumnUse;
  /** `12 values, 7 rows missing`: the rest of its line. */
  readonly reason: string;
  /** Set where the column could give the answer away. */
  readonly warning?: string;
}

/** A category with fewer rows teaches a trainer its rows by heart. */
const ROWS_PER_CATEGORY = 5;
const FEW_CATEGORIES = 20;
/** The trainers' codes end at 254. */
const MOST_CATEGORIES = 254;
/** Longer texts are sentences. */
const SENTENCE_LENGTH = 40;
/** Whole numbers of at most so many kinds are classes, more are an amount. */
const MOST_NUMERIC_CLASSES = 10;
const MOST_CLASSES = 100;

const PAIRS: readonly (readonly [string, string])[] = [
  ["0", "1"],
  ["no", "yes"],
  ["false", "true"],
  ["n", "y"],
  ["f", "t"],
];

const percent = (share: number) => `${(share * 100).toFixed(share < 0.1 ? 1 : 0)} %`;
const quoted = (text: string) => JSON.stringify(text.length > 30 ? `${text.slice(0, 30)}…` : text);

/** @throws COLUMN_UNKNOWN, COLUMN_TYPE_UNDECIDED for a label nothing can be learned from */
export function decideColumns(
  profiles: readonly ColumnProfile[],
  options: { readonly label: string },
): readonly ColumnDecision[] {
  const names = profiles.map((one) => one.name);
  const label = profiles.find((one) => one.name === options.label);
  if (label === undefined) {
    const near = nearestWord(options.label, names);
    throw fail("COLUMN_UNKNOWN", {
      message: `The file has no column "${options.label}".${near === undefined ? "" : ` Closest: "${near}".`} It has ${names.join(", ")}.`,
      remedy: near === undefined ? "Name one of them with --label." : `Pass --label ${near}.`,
    });
  }
  const rest = profiles.filter((one) => one !== label);
  const id = rest.find((one) => looksLikeId(one.name) && one.unique);
  const time = chooseTime(rest.filter((one) => one !== id));
  return profiles.map((one) => {
    const decided = { column: one.name };
    if (one === label) return { ...decided, ...decideLabel(one) };
    if (one === id) {
      const reason = `${plural(one.rows, "different value")} in as many rows`;
      return { ...decided, use: { as: "id" }, reason };
    }
    if (one === time) return { ...decided, use: { as: "time" }, reason: `from ${one.firstDate} to ${one.lastDate}` };
    return { ...decided, ...decideFeature(one, time !== undefined) };
  });
}

/** The column of dates without a gap; among several the one whose name says so. */
function chooseTime(profiles: readonly ColumnProfile[]): ColumnProfile | undefined {
  const dates = profiles.filter((one) => one.rows > 0 && one.dates === one.rows);
  return dates.find((one) => /date|time|stamp|(^|_)at$/i.test(one.name)) ?? dates[0];
}

type Decided = Pick<ColumnDecision, "use" | "reason">;

function decideLabel(profile: ColumnProfile): Decided {
  const present = profile.rows - profile.missing;
  const kinds = profile.values.size;
  const unlabelled = profile.missing === 0 ? "" : `; ${plural(profile.missing, "row")} without a label`;
  if (kinds < 2 && !profile.many) {
    throw undecided(
      profile,
      `has ${kinds === 0 ? "no value" : `only the value ${quoted([...profile.values.keys()][0] as string)}`}, so there is nothing to learn`,
    );
  }
  if (kinds === 2 && !profile.many) {
    const { texts, why } = orderTexts(profile);
    const share = (profile.values.get(texts[1]) ?? 0) / present;
    const reason = `boolean: ${quoted(texts[0])} is false, ${quoted(texts[1])} is true (${percent(share)} of rows)${why}${unlabelled}`;
    return { use: { as: "label", task: "binary", texts }, reason };
  }
  const numeric = profile.numbers === present;
  const pair = numeric || profile.many ? undefined : casePair(profile);
  if (pair !== undefined)
    throw undecided(
      profile,
      `has ${quoted(pair[0])} and ${quoted(pair[1])}, which differ by case alone and would be two classes`,
      "Write each value in one way.",
    );
  const classes = numeric
    ? profile.integers === present && !profile.many && kinds <= MOST_NUMERIC_CLASSES
    : !profile.many && kinds <= MOST_CLASSES;
  if (classes) {
    const hint = numeric ? '; if it is an amount, write task: "regression" and label: f.number()' : "";
    return {
      use: { as: "label", task: "multiclass" },
      reason: `${plural(kinds, "class", "classes")}: ${sample(profile)}${rareHint(profile)}${hint}${unlabelled}`,
    };
  }
  if (numeric) {
    return {
      use: { as: "label", task: "regression" },
      reason: `number, ${profile.min} to ${profile.max}${unlabelled}`,
    };
  }
  throw undecided(profile, `has ${profile.many ? "more than 1,000" : kinds} different texts, too many for classes`);
}

function undecided(
  profile: ColumnProfile,
  why: string,
  remedy = "Name another column with --label, or clean the column.",
) {
  return fail("COLUMN_TYPE_UNDECIDED", { message: `The label column "${profile.name}" ${why}.`, remedy });
}

/** A class of a few rows is often a slip of the pen. */
function rareHint(profile: ColumnProfile): string {
  const [text, rows] = [...profile.values].sort((a, b) => a[1] - b[1])[0] as [string, number];
  return rows < ROWS_PER_CATEGORY ? `; ${quoted(text)} is in ${plural(rows, "row")} only` : "";
}

/** The values as written that are equal but for their case, as in "Yes" and "yes"; undefined where there are none. */
function casePair(profile: ColumnProfile): readonly [string, string] | undefined {
  const first = new Map<string, string>();
  for (const text of profile.values.keys()) {
    const folded = text.toLowerCase();
    const seen = first.get(folded);
    if (seen !== undefined) return [seen, text];
    first.set(folded, text);
  }
  return undefined;
}

/** [false, true] of two values: by meaning where the pair is known, else the rarer one is what is looked for. */
function orderTexts(profile: ColumnProfile): { texts: readonly [string, string]; why: string } {
  const [one, other] = [...profile.values.keys()] as [string, string];
  // 0.0 and 1.0 are what programs write where the column has gaps; -1 and 1 are signs.
  if (profile.numbers === profile.rows - profile.missing) {
    const [low, high] = Number(one) < Number(other) ? [one, other] : [other, one];
    if (Number(high) === 1 && (Number(low) === 0 || Number(low) === -1)) return { texts: [low, high], why: "" };
  }
  for (const [no, yes] of PAIRS) {
    for (const [a, b] of [
      [one, other],
      [other, one],
    ] as const) {
      if (a.toLowerCase() === no && b.toLowerCase() === yes) return { texts: [a, b], why: "" };
    }
  }
  const rarer = (profile.values.get(one) ?? 0) <= (profile.values.get(other) ?? 0) ? one : other;
  return {
    texts: [rarer === one ? other : one, rarer],
    why: "; true is the rarer one, exchange `texts` if you mean the other",
  };
}

function decideFeature(profile: ColumnProfile, hasTime: boolean): Decided {
  const missing = profile.missingTexts;
  const present = profile.rows - profile.missing;
  const kinds = profile.values.size;
  const leftOut = (reason: string): Decided => ({ use: { as: "left-out" }, reason });
  if (present === 0) return leftOut("always missing");
  if (kinds === 1 && !profile.many) return leftOut(`always ${quoted([...profile.values.keys()][0] as string)}`);
  if (profile.counting) return leftOut("counts the rows");
  if (profile.dates === present)
    return leftOut(
      hasTime ? "a date beside the event time" : `a date${missingText(profile)}; an event time has no gaps`,
    );
  if (profile.localDates === present)
    return leftOut("a date of a form that means different days in different countries; write 2026-03-01");
  if (profile.slashDates === present) return leftOut("a date of another form; write 2026-03-01");
  const marks = [...profile.nonNumbers.keys()].filter((text) => MISSING_WORDS.has(text.toLowerCase()));
  const numeric = profile.numbers > 0 && marks.length === profile.nonNumbers.size;
  if (looksLikeId(profile.name) && (profile.many || kinds > MOST_CATEGORIES))
    return leftOut("named like an id, with too many values to be a category, and not unique");
  if (numeric && !looksLikeId(profile.name)) {
    const marked = marks.length === 0 ? "" : `; ${marks.map(quoted).join(", ")} taken for missing`;
    const reason = `${profile.min} to ${profile.max}${missingText(profile)}${marked}`;
    return { use: { as: "number", missing: [...missing, ...marks] }, reason };
  }
  const truth = kinds === 2 ? PAIRS[2] : undefined;
  const texts = [...profile.values.keys()].sort() as [string, string];
  if (truth !== undefined && !profile.many && texts.map((text) => text.toLowerCase()).join() === truth.join())
    return {
      use: { as: "boolean", texts, missing },
      reason: `${texts.map(quoted).join(" or ")}${missingText(profile)}`,
    };
  if (profile.localNumbers > 0 && profile.localNumbers + profile.numbers === present && kinds > FEW_CATEGORIES)
    return leftOut(
      `numbers with signs of their own, such as ${quoted([...profile.nonNumbers.keys()][0] as string)}; write 1234.5`,
    );
  if (profile.meanLength > SENTENCE_LENGTH)
    return leftOut(
      `free text, ${plural(Math.round(profile.meanLength), "character")} on average; f.text() makes it a feature`,
    );
  const few = kinds <= FEW_CATEGORIES && kinds < present;
  if (!profile.many && (few || (kinds <= MOST_CATEGORIES && present / kinds >= ROWS_PER_CATEGORY))) {
    return {
      use: { as: "category", missing },
      reason: `${plural(kinds, "value")}: ${sample(profile)}${missingText(profile)}${missingHint(profile)}`,
    };
  }
  return leftOut(
    `${profile.many ? "more than 1,000 different texts" : plural(kinds, "different text")} in ${plural(present, "row")}`,
  );
}

/** Marks that nobody would choose as the name of a category. */
function missingHint(profile: ColumnProfile): string {
  const mark = [...profile.values.keys()].find((text) => /^(\?|-+|#?n\/a|null|nan)$/i.test(text));
  return mark === undefined ? "" : `; if ${quoted(mark)} means missing, pass --missing ${quoted(mark)}`;
}

function missingText(profile: ColumnProfile): string {
  return profile.missing === 0 ? "" : `, ${plural(profile.missing, "row")} missing`;
}

/** The commonest values. */
function sample(profile: ColumnProfile): string {
  const sorted = [...profile.values].sort((a, b) => b[1] - a[1]).map(([text]) => text);
  const shown = sorted.slice(0, 4).map((text) => (text.length > 24 ? `${text.slice(0, 24)}…` : text));
  return `${shown.join(", ")}${sorted.length > 4 ? ", …" : ""}`;
}
