/**
 * A function of the user's over the evidence. Functions are no JSON, so the specification keeps a name and the hash of the source,
 * and the function waits in this process under both. A process that has no such function cannot tell.
 */
import {
  type EvaluationReport,
  type Field,
  type GateCheck,
  type Outcome,
  refuse,
  sha256Hex,
  textField,
} from "../../core/index.ts";
import type { GateSpec } from "../spec.ts";
import { type CustomAnswer, type GateContext, type GateKind, sampleContext } from "./gate.ts";

type Custom = Extract<GateSpec, { kind: "custom" }>;
/** Judges the evidence: what it returns stands in the decision record. It may be async; it has 30 s. */
export type GateFunction = (report: EvaluationReport) => CustomAnswer | Promise<CustomAnswer>;

const functions = new Map<string, GateFunction>();
/** Long enough for a look at another service, short enough that a run does not hang on it. */
export const CUSTOM_TIMEOUT_MS = 30_000;

const checkInfo = { rule: "a function of the evaluation report", description: "It returns { outcome, reason }." };
const checkField: Field<string> = {
  info: checkInfo,
  read(value, place) {
    if (typeof value !== "function") throw refuse(place, value, checkInfo);
    const source = sha256Hex(String(value)).slice(0, 12);
    functions.set(source, value as GateFunction);
    return source;
  },
};
const fields = {
  name: textField("Its name in records.", { pattern: /^[\w .-]{1,60}$/, rule: "a short name" }),
  check: checkField,
};

export const customKey = ({ name, source }: Custom) => `${name}\u001f${source}`;

/** Asks the function; what it throws or takes too long for is `cannot-tell` with the reason. */
export async function askCustom(
  spec: Custom,
  report: EvaluationReport,
  sleep: (ms: number, signal: AbortSignal) => Promise<void>,
): Promise<CustomAnswer> {
  const check = functions.get(spec.source);
  if (check === undefined) {
    return {
      outcome: "cannot-tell",
      reason: `The function "${spec.name}" is not in this process: it is made where the configuration is read.`,
    };
  }
  const answered = new AbortController();
  try {
    const late = sleep(CUSTOM_TIMEOUT_MS, answered.signal).then(
      () => undefined,
      () => undefined,
    );
    const answer: unknown = await Promise.race([Promise.resolve(check(report)), late]);
    if (answer === undefined) throw new Error(`it gave no answer within ${CUSTOM_TIMEOUT_MS / 1000} s`);
    return parseAnswer(answer);
  } catch (error) {
    const reason = `The function "${spec.name}" failed: ${(error as Error)?.message ?? String(error)}.`;
    return { outcome: "cannot-tell", reason };
  } finally {
    answered.abort();
  }
}

const OUTCOMES: readonly unknown[] = ["yes", "no", "cannot-tell"] satisfies Outcome[];
function parseAnswer(answer: unknown): CustomAnswer {
  const { outcome, reason } = (answer ?? {}) as Partial<CustomAnswer>;
  if (OUTCOMES.includes(outcome) && typeof reason === "string" && reason !== "") {
    return { outcome: outcome as Outcome, reason: reason.slice(0, 2_000) };
  }
  throw new Error('it must return { outcome: "yes" | "no" | "cannot-tell", reason: "…" }');
}

function judge(spec: Custom, { report, custom: answers }: GateContext): GateCheck {
  const gate = `custom(${spec.name})`;
  const answer = answers.get(customKey(spec));
  if (answer === undefined) {
    return { gate, outcome: "cannot-tell", rows: report.rows, reason: `The function "${spec.name}" was not asked.` };
  }
  return { gate, rows: report.rows, ...answer };
}

const spec: Custom = { kind: "custom", name: "fair", source: "0123456789ab" };
const answering = (outcome: Outcome) =>
  sampleContext({}, { custom: new Map([[customKey(spec), { outcome, reason: "It was looked at." }]]) });
export const custom: GateKind<Custom, typeof fields> = {
  kind: "custom",
  description: "A function of yours over the evaluation report.",
  fields: () => fields,
  resolve: ({ name, check }) => ({ kind: "custom", name, source: check }),
  subject: ({ name }) => `custom(${name})`,
  rule: ({ name }) => `The function "${name}" says yes.`,
  metrics: () => [],
  judge,
  samples: [{ spec, passes: answering("yes"), refuses: answering("no") }],
};
