/** The end of `evaluate` for tasks whose answers hang on histories: the artifact whole, and what the step returns of it. */
import { join } from "node:path";
import type { EvaluationReport, Json, JsonObject } from "../core/index.ts";
import type { Splits } from "../data/index.ts";
import { type Probe, writeArtifact } from "../model/index.ts";
import { calibrateVersion } from "./calibrate.ts";
import { artifactBytes, type PreparedState, writeFolderWhole } from "./folder.ts";
import { describeArtifact } from "./lineage.ts";

type Held = Omit<Parameters<typeof calibrateVersion>[0], "threshold">;
type FinalModel = Parameters<typeof describeArtifact>[0]["final"];

export interface HistoryVersion {
  /** The held-out rows with what the version answered. */
  readonly held: Held;
  readonly splits: Splits;
  readonly state: PreparedState;
  readonly final: FinalModel;
  readonly trainer: Parameters<typeof describeArtifact>[1];
  readonly probes: readonly Probe[];
  readonly report: EvaluationReport;
}

export async function writeHistoryVersion(version: HistoryVersion, signal: AbortSignal): Promise<JsonObject> {
  const { held, splits, state, final, trainer, probes, report } = version;
  const { input, dataset } = held;
  const calibration = await calibrateVersion({ ...held, threshold: undefined }, report, signal);
  const { manifest, profile } = await describeArtifact(
    { input, dataset, splits, state, final, threshold: undefined },
    trainer,
  );
  const { weights, preparation } = final;
  const folder = join(input.folder, "artifact");
  const written = await writeFolderWhole(folder, (temporary) =>
    writeArtifact(temporary, {
      manifest,
      weights,
      preparation,
      profile,
      probes,
      calibration: calibration as unknown as Json,
    }),
  );
  return {
    report: { ...report, sizeBytes: await artifactBytes(folder) } as unknown as Json,
    threshold: null,
    ...written,
  };
}
