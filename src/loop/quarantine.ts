/** Replaying quarantined rows after a fix: rows that now fit are ingested and marked, the others keep waiting with new reasons. */
import { fail, type QuarantinedRow } from "../core/index.ts";
import type { LoopContext } from "./context.ts";
import type { RowReading } from "./contract.ts";
import { ingest } from "./ingest.ts";

const PAGE = 1_000;

/** @throws NOT_FOUND for the first id that is of none of the rows */
export function requireWaiting(
  model: string,
  ids: readonly string[] | undefined,
  found: readonly { readonly id: string }[],
): void {
  const waiting = new Set(found.map(({ id }) => id));
  const missing = ids?.find((id) => !waiting.has(id));
  if (missing === undefined) return;
  throw fail("NOT_FOUND", {
    message: `No row ${JSON.stringify(missing)} waits in the quarantine of model ${model}; nothing was done.`,
    remedy: `"retrain quarantine list ${model}" lists the rows that wait, with their ids.`,
  });
}

/** @throws NOT_FOUND for an id of no waiting row; then nothing is tried */
export async function replayQuarantine(
  context: LoopContext,
  model: string,
  ids?: readonly string[],
): Promise<{ readonly replayed: number; readonly stillWaiting: number }> {
  const wanted = ids === undefined ? undefined : new Set(ids);
  const waiting = await allWaiting(context, model);
  const chosen = waiting.filter((row) => wanted === undefined || wanted.has(row.id));
  requireWaiting(model, ids, chosen);
  let replayed = 0;
  for (const row of chosen) {
    if (row.form === "prediction-request") continue;
    const reading = readingOf(row);
    if (reading === undefined) continue;
    // The id of the quarantined row is the idempotency key: a crash between ingest and mark replays it once, not twice.
    const result = await ingest(context, {
      model,
      rows: [reading],
      form: row.form,
      origin: "quarantine",
      ...(row.csv === undefined ? {} : { missing: row.csv.missing }),
      idempotencyKey: `quarantine:${row.id}:${row.rowNumber}`,
      payloadHash: row.id,
    });
    if (result.accepted === 1) {
      await context.store.quarantine.mark([row.id], "replayed");
      replayed++;
    } else {
      // The refused copy has taken its place, with today's reasons.
      await context.store.quarantine.mark([row.id], "dropped");
    }
  }
  return { replayed, stillWaiting: await context.store.quarantine.count(model) };
}

async function allWaiting(context: LoopContext, model: string): Promise<readonly QuarantinedRow[]> {
  const rows: QuarantinedRow[] = [];
  for (;;) {
    const last = rows.at(-1);
    const page = await context.store.quarantine.list({
      model,
      state: "waiting",
      limit: PAGE,
      ...(last === undefined ? {} : { before: last.id }),
    });
    rows.push(...page);
    if (page.length < PAGE) return rows;
  }
}

function readingOf(row: QuarantinedRow): RowReading | undefined {
  try {
    const parsed: unknown = JSON.parse(row.raw);
    if (typeof parsed !== "object" || parsed === null || Array.isArray(parsed)) return undefined;
    const values = parsed as Record<string, unknown>;
    // Only the texts of a CSV file are converted; a JSON row of texts stays one.
    return row.csv === undefined
      ? { rowNumber: row.rowNumber, row: values, raw: row.raw }
      : { rowNumber: row.rowNumber, row: values, text: true };
  } catch {
    return undefined;
  }
}
