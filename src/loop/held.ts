/**
 * Held candidates: a version whose gate could not tell waits for what is missing, rows or a person, and is then gated again; so does
 * one whose champion was replaced before it could go live.
 * It waits until a newer version is made, the champion or the definition changes, or 30 days have passed.
 *
 * What it waits for is one setting per model, written when the gate holds; a tick asks for it and for one count of the log.
 */
import type { ModelSpec } from "../config/spec.ts";
import { definitionRevision } from "../config/index.ts";
import {
  DAY_MS,
  type EvaluationReport,
  type GateResult,
  type Instant,
  type Json,
  type NewDecision,
  plural,
  type RunRecord,
  type TriggerCause,
} from "../core/index.ts";
import type { LoopContext } from "./context.ts";

/** Older evidence says little about the world of today, and the next run trains on all of it anyway. */
const HELD_FOR_MS = 30 * DAY_MS;
/** Rows to wait for where no number is expected to settle it: twice the evidence is the least that can change an estimate much. */
const MORE_ROWS_FACTOR = 2;
const RULE =
  "A held version is gated again when the missing rows have arrived, until a newer one is made or 30 days have passed.";

export interface HeldCandidate {
  readonly version: string;
  readonly definitionRevision: string;
  readonly champion: string | null;
  readonly heldSince: Instant;
  /** The run that looked last, and how many held-out rows it saw. */
  readonly lookedBy: string;
  readonly rows: number;
  /** Held-out rows that are expected to settle it. */
  readonly rowsWanted: number;
  /** Labels count from here on. */
  readonly since: Instant;
  /** Rows that were too young at the last look; they count once the label delay has passed. */
  readonly immatureRows: number;
  /** Nothing but people's approval is missing: their word is judged with the evidence there is. */
  readonly waitsForPeople?: boolean;
  /** The newest approval that a run was started for. */
  readonly heardWord?: string;
  /** Why it is to be judged at once: it came from another server. */
  readonly imported?: string;
  /** The same: the champion changed between its gate and its rollout. */
  readonly overtaken?: string;
}

export interface Regate {
  readonly cause: TriggerCause;
  readonly regate: NonNullable<RunRecord["regate"]>;
}

const heldKey = (model: string) => `held:${model}`;

async function readHeld(context: LoopContext, model: string): Promise<HeldCandidate | undefined> {
  const stored = await context.store.settings.get(heldKey(model));
  return stored === undefined || stored === null ? undefined : (stored as unknown as HeldCandidate);
}

/** Called where a run names its version: a held one is remembered, any other ends the waiting of an earlier one. */
export async function rememberHeld(
  context: LoopContext,
  run: RunRecord,
  found: {
    readonly version: string;
    readonly gate: GateResult;
    readonly report: EvaluationReport;
    readonly immatureRows: number;
  },
): Promise<void> {
  const { version, gate, report, immatureRows } = found;
  const key = heldKey(run.model);
  // Forecasts and slates are judged from where the holdout begins, which moves on: their next run makes a newer one.
  if (gate.outcome !== "hold" || report.forecast !== undefined || report.recommend !== undefined) {
    await context.store.settings.set(key, null);
    return;
  }
  const before = await readHeld(context, run.model);
  const open = gate.checks.filter((check) => check.outcome === "cannot-tell");
  const wanted = open.map((check) => check.rowsNeeded ?? check.rows * MORE_ROWS_FACTOR);
  const heard = before?.version === version ? before.heardWord : undefined;
  const held: HeldCandidate = {
    version,
    ...(heard === undefined ? {} : { heardWord: heard }),
    definitionRevision: run.definitionRevision,
    champion: run.champion ?? null,
    heldSince: before?.version === version ? before.heldSince : context.worldClock.now(),
    lookedBy: run.id,
    rows: report.rows,
    rowsWanted: Math.max(report.rows + 1, ...wanted),
    since: run.asOf,
    immatureRows,
    ...(open.every((check) => check.gate.startsWith("approval(")) ? { waitsForPeople: true } : {}),
  };
  await context.store.settings.set(key, held as unknown as Json);
}

/** A version that the champion of now has not judged takes the waiting place, newest wins, and is judged at the next tick with no run under way. */
export async function waitForGate(
  context: LoopContext,
  waits: {
    readonly model: string;
    readonly version: string;
    readonly definitionRevision: string;
    readonly champion: string | null;
    readonly why: "imported" | "overtaken";
    readonly reason: string;
  },
): Promise<void> {
  const { model, version, champion, why, reason } = waits;
  const now = context.worldClock.now();
  const held: HeldCandidate = {
    version,
    definitionRevision: waits.definitionRevision,
    champion,
    heldSince: now,
    lookedBy: "",
    rows: 0,
    rowsWanted: 0,
    since: now,
    immatureRows: 0,
    [why]: reason,
  };
  await context.store.settings.set(heldKey(model), held as unknown as Json);
}

/** What a tick finds: a run to start, or when time alone will change the answer. */
export interface HeldFinding {
  readonly due?: Regate;
  readonly nextDueAt: Instant;
}
const NOTHING: HeldFinding = { nextDueAt: Number.POSITIVE_INFINITY };

/**
 * Cost: one setting; with a held version one count of the log and the champion.
 * @param options.importedOnly looks at a version from elsewhere alone, which nobody has judged yet
 */
export async function judgeHeld(
  context: LoopContext,
  spec: ModelSpec,
  now: Instant,
  options: { readonly importedOnly?: boolean } = {},
): Promise<HeldFinding> {
  const { settings, registry, runs, decisions, log } = context.store;
  const held = await readHeld(context, spec.name);
  if (held === undefined || (options.importedOnly === true && held.imported === undefined)) return NOTHING;
  const record = (change: Pick<NewDecision, "outcome" | "reason" | "inputs">) =>
    decisions.record({
      model: spec.name,
      kind: "gate",
      subject: `held ${held.version}`,
      rule: RULE,
      version: held.version,
      at: now,
      ...change,
    });
  const champion = (await registry.champion(spec.name))?.name ?? null;
  const ended = whyEnded(held, { now, champion, revision: definitionRevision(spec) });
  if (ended !== undefined) {
    await settings.set(heldKey(spec.name), null);
    await record({ outcome: "no", reason: ended, inputs: { heldSince: held.heldSince, champion } });
    return NOTHING;
  }
  const expiresAt = held.heldSince + HELD_FOR_MS;
  const maturesAt = held.since + spec.labelDelayMs;
  const waiting = { nextDueAt: held.immatureRows > 0 && now < maturesAt ? Math.min(maturesAt, expiresAt) : expiresAt };
  if ((await runs.active(spec.name)) !== undefined) return waiting;
  if (held.waitsForPeople === true) return (await judgeWords(context, spec, held, record)) ?? waiting;
  const { labelled } = await log.counts(spec.name, { since: held.since });
  const arrived = labelled + (now >= maturesAt ? held.immatureRows : 0);
  const missing = held.rowsWanted - held.rows;
  if (arrived < missing) return waiting;
  const reason =
    held.imported ??
    held.overtaken ??
    `${held.version} was held on ${plural(held.rows, "row")} and asked for ${count(held.rowsWanted)}; ${plural(arrived, "label has", "labels have")} arrived since.`;
  const trigger = held.imported === undefined ? "held" : "import";
  const decision = await record({ outcome: "yes", reason, inputs: { arrived, missing, rows: held.rows } });
  // Before the run: one that fails waits for the same number again, instead of failing at every tick.
  const { imported: _imported, overtaken: _overtaken, ...waits } = held;
  const again = { ...waits, rowsWanted: Math.max(held.rowsWanted, held.rows + 1), since: now };
  await settings.set(heldKey(spec.name), again as unknown as Json);
  return {
    due: {
      cause: { trigger, reason, decisionIds: [decision.id] },
      regate: { version: held.version },
    },
    nextDueAt: waiting.nextDueAt,
  };
}

type RecordHeld = (change: Pick<NewDecision, "outcome" | "reason" | "inputs">) => Promise<{ readonly id: string }>;

/** Somebody has spoken since the last look: the same evidence is judged again, with their word. */
async function judgeWords(
  context: LoopContext,
  spec: ModelSpec,
  held: HeldCandidate,
  record: RecordHeld,
): Promise<HeldFinding | undefined> {
  const { gates, settings } = context.store;
  const words = await gates.approvals(spec.name, held.version);
  const newest = words.at(-1);
  if (newest === undefined || newest.id === held.heardWord) return undefined;
  const said = newest.verdict === "approve" ? "approved" : "refused";
  const reason = `${newest.person} (${newest.role}) ${said} ${held.version}: "${newest.reason}"`;
  const decision = await record({ outcome: "yes", reason, inputs: { approval: newest.id, verdict: newest.verdict } });
  await settings.set(heldKey(spec.name), { ...held, heardWord: newest.id } as unknown as Json);
  return {
    due: {
      cause: { trigger: "held", reason, decisionIds: [decision.id] },
      regate: { version: held.version, evidence: held.lookedBy },
    },
    nextDueAt: held.heldSince + HELD_FOR_MS,
  };
}

const count = (value: number) => value.toLocaleString("en-US");

function whyEnded(
  held: HeldCandidate,
  state: { readonly now: Instant; readonly champion: string | null; readonly revision: string },
): string | undefined {
  if (state.champion === held.version) return `${held.version} is live by now.`;
  if (state.champion !== held.champion) {
    return `${held.version} was compared with ${held.champion ?? "no champion"}; ${state.champion ?? "no version"} is the champion by now.`;
  }
  if (state.revision !== held.definitionRevision) return `The definition has changed since ${held.version} was made.`;
  if (state.now >= held.heldSince + HELD_FOR_MS) {
    return `${held.version} has been held since ${new Date(held.heldSince).toISOString()}, for 30 days; the missing rows did not arrive.`;
  }
  return undefined;
}

/** The held rows a run should look at, for its job. */
export async function rowsWanted(context: LoopContext, model: string, version: string): Promise<number | undefined> {
  const held = await readHeld(context, model);
  return held?.version === version ? held.rowsWanted : undefined;
}
