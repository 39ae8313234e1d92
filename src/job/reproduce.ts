/** `reproduce`: trains a version again from its manifest and the frozen rows, and compares the model hashes. */
import type { JobHandler } from "../core/job-child.ts";
import { fail } from "../core/index.ts";
import type { JsonObject } from "../core/index.ts";
import { createPredictor, modelHashOf } from "../model/index.ts";
import { loadDataset, readArtifactFolder, readPrepared, readTrained } from "./folder.ts";
import { parseJobInput } from "./input.ts";
import { prepare } from "./prepare.ts";
import { refitOnAll } from "./refit.ts";
import { train } from "./train.ts";

/** Input: folder with dataset.parquet, spec, artifactFolder of the version, baseFolder where it had a base. */
export const reproduce: JobHandler = async (raw, control) => {
  const input = parseJobInput(raw);
  if (input.artifactFolder === undefined) {
    throw fail("INTERNAL", {
      message: "A reproduction came without the artifact it is about.",
      remedy: "Pass `artifactFolder`.",
    });
  }
  const { manifest } = await readArtifactFolder(input.artifactFolder);
  const dataset = await loadDataset(input.folder, input.spec);
  const body: JsonObject = {
    ...raw,
    strategy: manifest.strategy,
    seed: manifest.seed,
    asOf: manifest.dataset.asOf,
  };
  await prepare(body, control);
  const trained = await train(body, control);
  let modelHash = trained["modelHash"] as string;
  if (manifest.refit) {
    const { splits, preparation } = await readPrepared(input.folder, dataset);
    const { weights, state } = await readTrained(input.folder);
    const predictor = createPredictor({ task: manifest.task, classes: dataset.classes, preparation, weights });
    const refitted = await refitOnAll({
      input: parseJobInput(body),
      dataset,
      splits,
      gated: { weights, preparation, predictor },
      threshold: manifest.threshold,
      bestEpoch: state.bestEpoch,
      signal: control.signal,
    });
    modelHash = modelHashOf(refitted.weights, refitted.preparation);
  }
  return {
    equal: modelHash === manifest.modelHash && dataset.hash === manifest.dataset.hash,
    modelHash,
    expectedModelHash: manifest.modelHash,
    datasetHash: dataset.hash,
    expectedDatasetHash: manifest.dataset.hash,
  };
};
