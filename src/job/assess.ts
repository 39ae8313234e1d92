/**
 * `assess`: judges the new rows for this model. Broken data stops the run; data that are merely different do not: different is
 * why one retrains.
 */
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError, LABEL_PRECEDENCE, plural } from "../core/index.ts";
import type { Anomaly, Json, JsonObject } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { loadDataset, readArtifactFolder } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import { coarseNumbers, constantLabel, idLikeColumns, missingColumns, noveltyOf } from "./assess-columns.ts";
import { expectedGain } from "./assess-gain.ts";
import { findTargetCopies } from "./assess-leakage.ts";
import { championLosses, domainAuc } from "./assess-shift.ts";
import { futureTimes } from "./assess-time.ts";
import { countDuplicates } from "./duplicates.ts";

export const assess: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  const { spec } = input;
  const dataset = await loadDataset(input.folder, spec);
  const since = input.lastDatasetMaxReceivedAt;
  const all = Uint32Array.from({ length: dataset.rows }, (_, row) => row);
  const isNew = (row: number) => since === undefined || (dataset.knownAt[row] as number) > since;
  const fresh = all.filter(isNew);
  const old = since === undefined ? new Uint32Array(0) : all.filter((row) => !isNew(row));
  const champion =
    input.championFolder === undefined
      ? undefined
      : await readArtifactFolder(input.championFolder).catch((error: unknown) => asRetrainError(error));
  const reference = champion instanceof Error ? undefined : champion;

  const duplicates = countDuplicates(dataset);
  const novelty = reference === undefined ? [] : noveltyOf(reference.profile, dataset.frame, fresh);
  const leakage = findTargetCopies(dataset, spec.schema.task);
  // Interactions repeat, mostly say 1, and name users and items: what is odd in a table of rows is what they are.
  const anomalies: Anomaly[] =
    spec.schema.recommend !== undefined
      ? [...futureTimes(dataset, input)]
      : [
          ...constantLabel(dataset, spec.schema.labelColumn),
          ...missingColumns(dataset.frame, fresh, reference?.profile),
          ...leakage,
          ...idLikeColumns(dataset.frame),
          ...coarseNumbers(dataset),
          ...futureTimes(dataset, input),
          ...(duplicates > 0
            ? [
                {
                  code: "ROWS_DUPLICATED",
                  message: `${duplicates} of ${plural(dataset.rows, "row")} ${duplicates === 1 ? "repeats" : "repeat"} another row's features and label exactly.`,
                  blocking: false,
                  details: { rows: duplicates },
                },
              ]
            : []),
          ...novelty.flatMap((feature) => feature.anomaly ?? []),
        ];
  // Series, users and items of new rows differ from old ones by nature, and a forecast is judged from its origins, not by rows.
  const isByRow = spec.schema.forecast === undefined && spec.schema.recommend === undefined;
  const losses =
    reference === undefined || !isByRow ? null : championLosses(reference, dataset, spec.schema.task, old, fresh);
  const auc = !isByRow ? null : await domainAuc(dataset, old, fresh, { seed: input.seed, signal: control.signal });
  return {
    anomalies: anomalies as unknown as Json,
    newRows: fresh.length,
    duplicates,
    labels: labelOrigins(dataset),
    novelty: novelty.map(({ anomaly: _, ...feature }) => feature) as unknown as Json,
    championLoss: losses,
    domainAuc: auc,
    // Columns may have changed under the champion: then its losses are null, and there is nothing to compare.
    ...(isByRow ? { expectedGain: expectedGain(losses === null ? undefined : reference, input, dataset, fresh) } : {}),
    ...(champion instanceof Error ? { championSkipped: champion.message } : {}),
  };
};

/** How many of the rows' labels came from whom, and how many were asked for because of a score. */
function labelOrigins({ labelSource, selective, rows }: Dataset): JsonObject {
  const counts = LABEL_PRECEDENCE.map((source, i) => [source, countOf(labelSource, i)] as const);
  const known = labelSource === undefined ? [["system", rows] as const] : counts.filter(([, count]) => count > 0);
  return { ...Object.fromEntries(known), selective: countOf(selective, 1) };
}

function countOf(values: Uint8Array | undefined, wanted: number): number {
  let count = 0;
  for (const value of values ?? []) if (value === wanted) count++;
  return count;
}
