/**
 * `assess`: judges the new rows for this model. Broken data stops the run; data that are merely different do not: different is
 * why one retrains.
 */
import type { JobHandler } from "../core/job-child.ts";
import { asRetrainError } from "../core/index.ts";
import type { Anomaly, Json } from "../core/index.ts";
import { loadDataset, readArtifactFolder } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import { coarseNumbers, constantLabel, idLikeColumns, missingColumns, noveltyOf } from "./assess-columns.ts";
import { findTargetCopies } from "./assess-leakage.ts";
import { championLosses, domainAuc } from "./assess-shift.ts";
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
  const anomalies: Anomaly[] = [
    ...constantLabel(dataset, spec.schema.labelColumn),
    ...missingColumns(dataset.frame, fresh, reference?.profile),
    ...leakage,
    ...idLikeColumns(dataset.frame),
    ...coarseNumbers(dataset),
    ...(duplicates > 0
      ? [
          {
            code: "ROWS_DUPLICATED",
            message: `${duplicates} of ${dataset.rows} rows repeat another row's features and label exactly.`,
            blocking: false,
            details: { rows: duplicates },
          },
        ]
      : []),
    ...novelty.flatMap((feature) => feature.anomaly ?? []),
  ];
  const losses = reference === undefined ? null : championLosses(reference, dataset, spec.schema.task, old, fresh);
  const auc = await domainAuc(dataset, old, fresh, { seed: input.seed, signal: control.signal });
  return {
    anomalies: anomalies as unknown as Json,
    newRows: fresh.length,
    duplicates,
    novelty: novelty.map(({ anomaly: _, ...feature }) => feature) as unknown as Json,
    championLoss: losses,
    domainAuc: auc,
    ...(champion instanceof Error ? { championSkipped: champion.message } : {}),
  };
};
