/** `retrain reviews`: uncertain answers a person decides. */
import { fail } from "../../core/index.ts";
import type { ReviewDecisionBody, ReviewRecord, TaskState } from "../../server/contract.ts";
import { labelReaderOf, type ReadLabel } from "../label-text.ts";
import { formatInstant, printData, table } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

/** Below the client's patience with one request. */
const LONGEST_WAIT_S = 25;

export async function list(
  model: string,
  options: RemoteOptions & { readonly state?: string; readonly limit?: number },
): Promise<void> {
  const { state, limit = 20 } = options;
  const found = await connect(options).reviews(model, {
    limit,
    ...(state === undefined ? {} : { state: state as TaskState }),
  });
  printData(options, found, () => {
    if (found.items.length === 0) return "No answer waits for anybody.";
    return table(
      ["prediction", "example", "mode", "state", "decision", "due", "decided by"],
      found.items.map((one) => [
        one.predictionId,
        one.exampleId,
        one.mode,
        one.state,
        one.decision === null ? null : String(one.decision),
        formatInstant(one.dueAt),
        one.decidedBy,
      ]),
    );
  });
}

export async function show(
  model: string,
  predictionId: string,
  options: RemoteOptions & { readonly wait?: number },
): Promise<void> {
  const wait = options.wait === undefined ? {} : { wait: Math.min(options.wait, LONGEST_WAIT_S) };
  const review = await connect(options).review(model, predictionId, wait);
  printData(options, review, () => sentenceOf(review));
}

export async function decide(
  model: string,
  predictionId: string,
  options: RemoteOptions & {
    readonly approve?: boolean;
    readonly value?: string;
    readonly withhold?: boolean;
    readonly comment?: string;
  },
): Promise<void> {
  const client = connect(options);
  const read = options.value === undefined ? String : await labelReaderOf(client, model);
  const review = await client.decideReview(model, predictionId, bodyOf(options, read));
  printData(options, review, () => sentenceOf(review));
}

function bodyOf(options: Parameters<typeof decide>[2], read: ReadLabel): ReviewDecisionBody {
  const { approve, value, withhold, comment } = options;
  const said = comment === undefined ? {} : { comment };
  const chosen = [approve === true, value !== undefined, withhold === true].filter(Boolean).length;
  if (chosen !== 1) {
    throw fail("USAGE", {
      message: `A decision is one of --approve, --value and --withhold; ${chosen} were given.`,
      remedy: "Give exactly one of them.",
    });
  }
  if (approve === true) return { action: "approve", ...said };
  if (withhold === true) return { action: "withhold", ...said };
  if (value === "null") throw fail("USAGE", { message: "null is no answer.", remedy: "Use --withhold to give none." });
  return { action: "correct", value: read(value as string), ...said };
}

function sentenceOf(review: ReviewRecord): string {
  const { state, decision, decidedBy, dueAt, comment } = review;
  const by = decidedBy === null ? "" : ` by ${decidedBy}`;
  const note = comment === null ? "" : ` (${comment})`;
  if (state === "pending") return `pending: a person has until ${formatInstant(dueAt)}`;
  return `${state}${by}: ${decision === null ? "no answer" : String(decision)}${note}`;
}
