/** Every tick's answer over time: which trigger fired, which guard held it back, when a run began. */
import type { DecisionRecord, RunRecord } from "../../../src/server/contract.ts";
import { useApi } from "../api/queries.ts";
import { day, duration, instant } from "../format.ts";
import { Section } from "../parts/layout.tsx";
import { TimeTable } from "../parts/time-table.tsx";
import "../css/strip.css";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const DAY = 24 * HOUR;
/** Widths of a column; the narrowest that fits is taken. */
const STEPS = [
  MINUTE,
  5 * MINUTE,
  15 * MINUTE,
  HOUR,
  3 * HOUR,
  6 * HOUR,
  12 * HOUR,
  DAY,
  2 * DAY,
  7 * DAY,
  28 * DAY,
  91 * DAY,
];
/** As many as stand beside the names without scrolling. */
const COLUMNS = 34;
/** Records of a kind the server gives at once; equal answers in a row are one. */
const RECORDS = 500;
const ROWS = 20;

type Tone = "run" | "fired" | "held" | "unsure" | "quiet" | "none";
const SIGNS: Readonly<Record<Tone, string>> = { run: "▲", fired: "●", held: "■", unsure: "?", quiet: "", none: "" };

interface Cell {
  readonly tone: Tone;
  readonly words: string;
}
interface Strip {
  /** Where each begins. */
  readonly columns: readonly number[];
  readonly step: number;
  readonly rows: readonly { readonly name: string; readonly cells: readonly Cell[] }[];
}

export function TriggerStrip({ model }: { readonly model: string }) {
  const triggers = useApi("GET /decisions", {}, { query: { model, kind: "trigger", limit: RECORDS } });
  const guards = useApi("GET /decisions", {}, { query: { model, kind: "guard", limit: RECORDS } });
  const runs = useApi("GET /models/:model/runs", { model }, { query: { limit: RECORDS } });
  if (triggers.data === undefined || guards.data === undefined || runs.data === undefined) return null;
  const strip = stripOf(triggers.data, guards.data, runs.data.items);
  if (strip === undefined) return null;
  return (
    <Section
      title="Triggers over time"
      lead={`Each column is ${duration(strip.step)}: ▲ a run began, ● the trigger fired, ■ a guard held it back, ? it could not tell, a plain cell: it was judged and did not fire.`}
    >
      <TimeTable
        label="Triggers over time"
        className="strip"
        names="Trigger"
        columns={strip.columns.map((at, i) => ({
          key: at,
          label: i % 6 === 0 ? labelOf(at, strip.step) : null,
          words: instant(at),
        }))}
      >
        {strip.rows.map(({ name, cells }) => (
          <tr key={name}>
            <th scope="row">{name}</th>
            {cells.map(({ tone, words }, i) => (
              <td key={strip.columns[i]} title={words}>
                <span className={`time-table-cell strip-${tone}`} aria-hidden="true">
                  {SIGNS[tone]}
                </span>
                <span className="sr-only">{words}</span>
              </td>
            ))}
          </tr>
        ))}
      </TimeTable>
    </Section>
  );
}

const labelOf = (at: number, step: number) => (step < DAY ? instant(at).slice(5) : day(at));

interface Records {
  readonly items: readonly DecisionRecord[];
  readonly nextCursor: string | null;
}

/** Undefined before the first tick. */
function stripOf(triggers: Records, guards: Records, runs: readonly RunRecord[]): Strip | undefined {
  const records = [...triggers.items, ...guards.items];
  if (records.length === 0) return undefined;
  const to = Math.max(...records.map(({ lastAt }) => lastAt), ...runs.map(({ queuedAt }) => queuedAt));
  // Of a list that was cut off, what is older is not known to the end.
  const known = [triggers, guards].map(({ items, nextCursor }) =>
    nextCursor === null ? Number.NEGATIVE_INFINITY : Math.min(...items.map(({ firstAt }) => firstAt)),
  );
  const first = Math.max(...known, Math.min(...records.map(({ firstAt }) => firstAt)));
  const step = STEPS.find((one) => (COLUMNS - 1) * one >= to - first) ?? (STEPS.at(-1) as number);
  const last = Math.floor(to / step);
  const count = Math.min(COLUMNS, last - Math.floor(first / step) + 1);
  const from = (last - count + 1) * step;
  const columns = Array.from({ length: count }, (_, i) => from + i * step);
  const rowsOf = (all: readonly DecisionRecord[], nameOf: (subject: string) => string) =>
    bySubject(all).map(([subject, own]) => ({
      name: nameOf(subject),
      cells: columns.map((at) => cellOf(own, at, at + step)),
    }));
  const started = { name: "Run began", cells: columns.map((at) => runCell(runs, at, at + step)) };
  const all = [
    started,
    ...rowsOf(triggers.items, (subject) => subject),
    ...rowsOf(guards.items, (subject) => `held back: ${subject}`),
  ];
  return { columns, step, rows: all.filter(({ cells }) => cells.some(({ tone }) => tone !== "none")).slice(0, ROWS) };
}

/** The newest judged first. */
function bySubject(records: readonly DecisionRecord[]): readonly (readonly [string, readonly DecisionRecord[]])[] {
  const groups = new Map<string, DecisionRecord[]>();
  for (const record of records) {
    const group = groups.get(record.subject);
    if (group === undefined) groups.set(record.subject, [record]);
    else group.push(record);
  }
  const newest = (group: readonly DecisionRecord[]) => Math.max(...group.map(({ lastAt }) => lastAt));
  return [...groups].sort(([a, left], [b, right]) => newest(right) - newest(left) || (a < b ? -1 : 1));
}

/** The loudest answer of the column: one tick that fired must not drown among those that did not. */
function cellOf(records: readonly DecisionRecord[], from: number, to: number): Cell {
  const within = records.filter(({ firstAt, lastAt }) => firstAt < to && lastAt >= from);
  const found =
    within.find(({ kind, outcome }) => kind === "guard" || outcome === "yes") ??
    within.find(({ outcome }) => outcome === "cannot-tell") ??
    within[0];
  if (found === undefined) return { tone: "none", words: `${instant(from)}: not judged` };
  const { kind, outcome, reason } = found;
  const tone = kind === "guard" ? "held" : outcome === "yes" ? "fired" : outcome === "no" ? "quiet" : "unsure";
  return { tone, words: `${instant(from)}: ${TONE_WORDS[tone]}. ${reason}` };
}

const TONE_WORDS = { held: "held back", fired: "fired", quiet: "did not fire", unsure: "could not tell" } as const;

function runCell(runs: readonly RunRecord[], from: number, to: number): Cell {
  const own = runs.filter(({ queuedAt }) => queuedAt >= from && queuedAt < to);
  if (own.length === 0) return { tone: "none", words: `${instant(from)}: no run` };
  return {
    tone: "run",
    words: own.map(({ queuedAt, state, cause }) => `${instant(queuedAt)}: ${state}. ${cause.reason}`).join(" "),
  };
}
