/** What the artifact of a version says for the monitors, ready to use: its estimator, and its slices. */
import type { CounterValues, Features, LabelValue, VersionRecord } from "../core/index.ts";
import type { LoadedModel } from "../model/index.ts";
import {
  calibratedScores,
  cellOf,
  createLossEstimator,
  type CalibrationUncertainty,
  estimateOf,
  type FeatureNote,
  parseCalibration,
  sliceNotes,
  type VersionCalibration,
} from "../monitor/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";

export interface VersionNotes {
  readonly calibration: VersionCalibration;
  /** What one answer is expected to be worth; undefined where the version cannot estimate. */
  readonly estimate: ((answer: VersionAnswer) => CounterValues) | undefined;
  /** What its held-out rows leave open about its calibrated scores; undefined where it is not known. */
  readonly uncertainty: CalibrationUncertainty | undefined;
  readonly slices: readonly FeatureNote[];
}
export interface VersionAnswer {
  readonly features: Features;
  readonly scores: readonly number[];
  readonly decision: LabelValue;
  readonly classes: readonly LabelValue[];
}

const known = new WeakMap<LoadedModel, VersionNotes | null>();

/** Undefined for a version without notes, or one whose artifact cannot be read (that is reported where it is served). */
export async function versionNotes(context: LoopContext, version: VersionRecord): Promise<VersionNotes | undefined> {
  const live = await context.live.load(version).catch(() => undefined);
  if (live === undefined) return undefined;
  let notes = known.get(live.model);
  if (notes === undefined) {
    notes = readNotes(live.model, modelSpec(context, version.model).slices);
    known.set(live.model, notes);
  }
  return notes ?? undefined;
}

/** By name; undefined where there is no such version. */
export async function namedNotes(context: LoopContext, model: string, name: string): Promise<VersionNotes | undefined> {
  const version = await context.store.registry.get(model, name);
  return version === undefined ? undefined : versionNotes(context, version);
}

function readNotes(model: LoadedModel, named: readonly string[]): VersionNotes | null {
  const calibration = parseCalibration(model.calibration);
  if (calibration === undefined) return null;
  return {
    calibration,
    estimate: estimatorOf(model, calibration),
    uncertainty: calibration.scores?.uncertainty,
    slices: sliceNotes(calibration.features ?? [], named),
  };
}

function estimatorOf(model: LoadedModel, calibration: VersionCalibration): VersionNotes["estimate"] {
  const { task, signature } = model.manifest;
  if (task === "regression") {
    if (calibration.errors === undefined) return undefined;
    const expect = createLossEstimator(
      calibration.errors,
      signature.features.map((feature) => feature.name),
    );
    return ({ features, scores, decision, classes }) =>
      estimateOf({ task, classes, scores, decision, expected: expect(features, scores[0] as number) });
  }
  const { scores: curves } = calibration;
  if (curves === undefined) return undefined;
  return ({ scores, decision, classes }) =>
    estimateOf({ task, classes, scores, decision, expected: calibratedScores(curves, scores) });
}

/** Keys of the counters of one slice: `<feature>␟<cell>␟<counter>`. */
export const SLICE_SEPARATOR = "\u001f";

const HISTOGRAM_KEY = /^[pq]\d+$|^e\d+[npy]$/;

/** Counters of a row under every slice it belongs to. Histograms are left out: a slice is a few cells of many. */
export function slicedCounters(notes: VersionNotes, features: Features, values: CounterValues): CounterValues {
  const kept = Object.keys(values).filter((key) => !HISTOGRAM_KEY.test(key));
  const found: Record<string, bigint> = {};
  for (const note of notes.slices) {
    const slice = `${note.feature}${SLICE_SEPARATOR}${cellOf(note, features[note.feature])}${SLICE_SEPARATOR}`;
    for (const key of kept) found[slice + key] = values[key] as bigint;
  }
  return found;
}
