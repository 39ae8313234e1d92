/** The ways of training that a run with the strategy `best` tried, as a table. */
import { plural } from "../core/index.ts";
import type { CandidateChoice, RunRecord } from "../server/contract.ts";
import { table } from "./output.ts";

export function candidatesText(run: RunRecord): string | undefined {
  const choice = run.steps.find(({ step }) => step === "train")?.details?.["choice"] as unknown as
    | CandidateChoice
    | undefined;
  if (choice === undefined) return undefined;
  const rows = choice.candidates.map((one) => [
    one.name,
    one.state,
    one.value?.toPrecision(4) ?? null,
    one.trainRows ?? null,
    one.epochs ?? null,
    one.durationMs === undefined ? null : Math.round(one.durationMs),
    one.reason ?? "",
  ]);
  const head = `Chosen by ${choice.metric} on ${plural(choice.rows, "validation row")}; the gate judges the chosen one on others.`;
  const lines = [head, table(["candidate", "state", choice.metric, "rows", "epochs", "ms", "why"], rows)];
  return [...lines, ...(choice.note === undefined ? [] : [choice.note])].join("\n");
}
