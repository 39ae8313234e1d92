/** The stored evaluation of a run: candidate, champion and baseline on the same held-out rows. */
import type { EvaluationReport } from "../core/index.ts";
import type { LoopContext } from "./context.ts";

/** @returns undefined for a run that ended before it evaluated */
export async function readEvaluation(context: LoopContext, runId: string): Promise<EvaluationReport | undefined> {
  const key = `runs/${runId}/evaluation.json`;
  if (!(await context.objects.exists(key))) return undefined;
  return JSON.parse(Buffer.from(await context.objects.get(key)).toString("utf8")) as EvaluationReport;
}
