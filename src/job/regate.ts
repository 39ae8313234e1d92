/**
 * `regate`: a held version and the champion answer every held-out row that neither trained on, the rows of the first look and
 * those that have arrived since. Nothing is trained.
 */
import type { JobHandler } from "../core/job-child.ts";
import { fail, plural } from "../core/index.ts";
import type { Json } from "../core/index.ts";
import type { Dataset } from "../data/index.ts";
import { SPLIT_HOLDOUT, splitRows } from "../data/index.ts";
import { predictorOf } from "../model/index.ts";
import type { Artifact } from "../model/index.ts";
import { IMPORTED, trainedBy } from "./checks.ts";
import { compare, readChampion, unseenByChampion } from "./compare.ts";
import { artifactBytes, loadDataset, readArtifactFolder } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import type { JobInput } from "./input.ts";

/** Input: folder with dataset.parquet, spec, candidateFolder of the held version, rowsWanted, championFolder where there is one. */
export const regate: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  if (input.candidateFolder === undefined) {
    throw fail("INTERNAL", {
      message: "A held version was to be gated again, but no artifact came with the job.",
      remedy: "Pass `candidateFolder`.",
    });
  }
  const dataset = await loadDataset(input.folder, input.spec);
  const artifact = await readArtifactFolder(input.candidateFolder);
  const champion = await readChampion(input, dataset);
  const { rows, immatureRows } = unseenByCandidate(dataset, artifact, champion?.artifact, input);
  const unseen = unseenByChampion(rows, champion?.artifact, dataset, input);
  // The newest, and no more than it takes: a bootstrap of a million rows settles nothing that a few thousand do not.
  const most = Math.max(input.spec.data.holdout.maxRows, input.rowsWanted ?? 0);
  const holdout = unseen.subarray(Math.max(0, unseen.length - most));
  if (holdout.length === 0) {
    throw fail("DATASET_TOO_SMALL", {
      message: `No row of the window is unknown to the held version: ${plural(dataset.rows, "row")}, ${immatureRows} of them too young.`,
      remedy: "Widen `data.window`, or train a new version.",
    });
  }
  const { manifest } = artifact;
  const report = await compare({
    input,
    dataset,
    ...baselineRows(dataset, rows),
    holdout,
    candidate: predictorOf(artifact),
    champion,
    threshold: manifest.threshold,
    source: manifest.trainer === "command" && manifest.dataset.rows === 0 ? IMPORTED : trainedBy(manifest.trainer),
    signal: control.signal,
  });
  const sizeBytes = await artifactBytes(input.candidateFolder);
  const trainTo = champion?.artifact?.manifest.dataset.trainTo ?? null;
  const knownToChampion = trainTo === null ? 0 : holdout.filter((row) => (dataset.at[row] as number) <= trainTo).length;
  return {
    championThreshold: champion?.artifact?.manifest.threshold ?? null,
    knownToChampion,
    ...(champion?.skipped === undefined ? {} : { championSkipped: champion.skipped }),
    report: { ...report, sizeBytes } as unknown as Json,
    holdoutRows: holdout.length,
    immatureRows,
  };
};

/**
 * Mature rows the version did not train on. With event times all after its training rows, less the embargo; without, the rows the
 * hash holds out (a row never moves from training into the holdout) and every delivery since
 * both were made.
 */
function unseenByCandidate(
  dataset: Dataset,
  { manifest }: Artifact,
  champion: Artifact | undefined,
  input: JobInput,
): { readonly rows: Uint32Array; readonly immatureRows: number } {
  const { labelDelayMs, schema, data } = input.spec;
  const { trainTo, asOf } = manifest.dataset;
  const found: number[] = [];
  let immatureRows = 0;
  if (schema.time !== undefined && trainTo !== null) {
    for (let row = 0; row < dataset.rows; row++) {
      const at = dataset.at[row] as number;
      if (at <= trainTo || at < trainTo + labelDelayMs) continue;
      if (at > input.asOf - labelDelayMs) immatureRows++;
      else found.push(row);
    }
    return { rows: Uint32Array.from(found), immatureRows };
  }
  const policy = {
    holdout: data.holdout,
    validationShare: data.validationShare,
    labelDelayMs,
    timeOrdered: false,
  };
  const { assignment } = splitRows(dataset, policy, input.asOf);
  // The other may be the younger one (an import, a comparison): what arrived between the two may have trained it.
  const knownToBoth = Math.max(asOf, champion?.manifest.dataset.asOf ?? asOf);
  for (let row = 0; row < dataset.rows; row++) {
    const isHeldOut = assignment[row] === SPLIT_HOLDOUT && !manifest.refit;
    if (isHeldOut || (dataset.knownAt[row] as number) > knownToBoth) found.push(row);
  }
  return { rows: Uint32Array.from(found), immatureRows };
}

/** The baseline learns from the other rows; where the window holds none, from the compared ones, which favors it. */
function baselineRows(dataset: Dataset, unseen: Uint32Array): { train: Uint32Array; validation: Uint32Array } {
  const isUnseen = new Uint8Array(dataset.rows);
  for (const row of unseen) isUnseen[row] = 1;
  const others = Uint32Array.from({ length: dataset.rows }, (_, row) => row).filter((row) => isUnseen[row] === 0);
  const train = others.length > 0 ? others : unseen;
  return { train, validation: train };
}
