/** `retrain outcome`: a business event that followed a prediction, for the guardrails of a rollout. */
import { fail } from "../../core/index.ts";
import { printData } from "../output.ts";
import { connect, type RemoteOptions } from "../remote.ts";

export interface OutcomeOptions extends RemoteOptions {
  readonly prediction?: boolean;
  readonly at?: string;
}
export interface Outcome {
  readonly id: string;
  readonly name: string;
  readonly value: string;
}

export async function outcome(model: string, { id, name, value }: Outcome, options: OutcomeOptions): Promise<void> {
  const at = options.at === undefined ? undefined : Date.parse(options.at);
  const number = value.trim() === "" ? Number.NaN : Number(value);
  if (!Number.isFinite(number)) {
    throw fail("USAGE", {
      message: `"${value}" is no number.`,
      remedy: "Write 1 for an event that happened, or an amount.",
    });
  }
  if (at !== undefined && !Number.isFinite(at)) {
    throw fail("USAGE", { message: `"${options.at}" is no time.`, remedy: "Write --at 2026-03-01T12:00:00Z." });
  }
  const who = options.prediction === true ? { predictionId: id } : { exampleId: id };
  const answer = await connect(options).outcomes(model, [
    { ...who, name, value: number, ...(at === undefined ? {} : { at }) },
  ]);
  printData(options, answer, () => `${name} ${number} is kept with ${id}; stages with a guard of that name read it.`);
}
