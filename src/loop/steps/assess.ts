/** Judges the new data for this model: broken data stops the run, merely different data does not. */
import { plural } from "../../core/index.ts";
import type { Anomaly, Instant, Json, JsonObject, NewDecision } from "../../core/index.ts";
import type { LoopContext } from "../context.ts";
import type { RunStep } from "../run-record.ts";
import { assessmentRecords } from "./assessment-records.ts";
import { championFolder, jobInput, jobOptions, runJob } from "./job.ts";

export const assess: RunStep = {
  name: "assess",
  async run(input) {
    const { context, run } = input;
    const champion = await championFolder(input);
    const last = champion === undefined ? undefined : await context.store.registry.get(run.model, champion.version);
    const extra: JsonObject = {
      ...(champion === undefined ? {} : { championFolder: champion.folder }),
      ...(last === undefined ? {} : { lastDatasetMaxReceivedAt: last.trainedThrough }),
    };
    const found = await runJob(input, "assess", jobInput(input, extra), jobOptions(input));
    const own = (found.anomalies ?? []) as unknown as readonly Anomaly[];
    const anomalies = [...own, ...(await newestDelivery(context, run.model, last?.trainedThrough ?? 0))];
    const blocking = anomalies.filter((anomaly) => anomaly.blocking);
    const rows = Number(input.results.snapshot?.rows ?? 0);
    const newRows = Number(found.newRows ?? rows);
    const reason = blocking.map((anomaly) => anomaly.message).join(" ");
    const at = context.worldClock.now();
    const judged: NewDecision = {
      model: run.model,
      kind: "assessment",
      subject: "data",
      outcome: blocking.length > 0 ? "no" : "yes",
      rule: "Broken data stops training; different data does not.",
      inputs: { rows, newRows, labels: found.labels ?? null, anomalies: anomalies as unknown as Json },
      reason:
        blocking.length > 0
          ? reason
          : `${plural(newRows, "new row is", "new rows are")} usable; ${plural(anomalies.length, "remark")}.`,
      runId: run.id,
      at,
    };
    const records = assessmentRecords(
      { anomalies, rows, newRows, data: found },
      { model: run.model, runId: run.id, at },
    );
    await context.store.decisions.recordAll([judged, ...records]);
    const origins = describeOrigins(found.labels as JsonObject | undefined);
    const summary = anomalies.length === 0 ? "no anomaly" : anomalies.map(named).join(", ");
    const pays = records.find((one) => one.subject === "expected gain");
    return {
      input: `${plural(rows, "row")}, ${newRows.toLocaleString("en-US")} new${origins}`,
      output: pays === undefined ? summary : `${summary}; expected to pay: ${pays.outcome}`,
      data: { ...found, anomalies: anomalies as unknown as Json },
      ...(blocking.length > 0
        ? { stop: { state: "stopped" as const, code: "DATA_BROKEN", reason, remedy: BROKEN_REMEDY } }
        : {}),
    };
  },
};

/** `COLUMN_MOSTLY_MISSING (age)`: several columns may share a code. */
const named = ({ code, column }: Anomaly) => (column === undefined ? code : `${code} (${column})`);

const BROKEN_REMEDY = "Correct the source and send the rows again; the run after that looks at them anew.";

/**
 * Blocking anomalies of the newest delivery that no version has seen. Only the newest: once good rows arrive again the run may
 * train, and the broken rows are in the window like any others, where the assessment of the whole judges them.
 */
async function newestDelivery(context: LoopContext, model: string, since: Instant): Promise<readonly Anomaly[]> {
  const newest = (await context.store.quarantine.batches({ model, limit: 1 }))[0];
  if (newest === undefined || newest.receivedAt <= since) return [];
  return newest.anomalies.filter((anomaly) => anomaly.blocking);
}

/** `; labels: 900 system, 100 expert (80 chosen by score)`; nothing where all came from the system. */
function describeOrigins(labels: JsonObject | undefined): string {
  const { selective = 0, ...sources } = labels ?? {};
  const named = Object.entries(sources);
  if (named.every(([source]) => source === "system")) return "";
  const parts = named.map(([source, count]) => `${Number(count).toLocaleString("en-US")} ${source}`);
  const chosen = Number(selective) > 0 ? ` (${Number(selective).toLocaleString("en-US")} chosen by score)` : "";
  return `; labels: ${parts.join(", ")}${chosen}`;
}
