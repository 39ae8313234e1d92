/** What the artifact of a version says for the monitors, ready to use: its estimator, and its slices. */
import type { CounterValues, Features, LabelValue, VersionRecord } from "../core/index.ts";
import type { LoadedModel } from "../model/index.ts";
import type { FixedTotals } from "../stats/index.ts";
import {
  addEstimate,
  calibratedScores,
  cellOf,
  createLossEstimator,
  type CalibrationUncertainty,
  type FeatureNote,
  parseCalibration,
  sliceNotes,
  type VersionCalibration,
} from "../monitor/index.ts";
import { type LoopContext, modelSpec } from "./context.ts";

export interface VersionNotes {
  readonly calibration: VersionCalibration;
  /** Adds what one answer is expected to be worth; undefined where the version cannot estimate. */
  readonly addEstimate: ((totals: FixedTotals, answer: VersionAnswer) => void) | undefined;
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
    addEstimate: estimatorOf(model, calibration),
    uncertainty: calibration.scores?.uncertainty,
    slices: sliceNotes(calibration.features ?? [], named),
  };
}

function estimatorOf(model: LoadedModel, calibration: VersionCalibration): VersionNotes["addEstimate"] {
  const { task, signature } = model.manifest;
  if (task === "regression") {
    if (calibration.errors === undefined) return undefined;
    const expect = createLossEstimator(
      calibration.errors,
      signature.features.map((feature) => feature.name),
    );
    return (totals, { features, scores, decision, classes }) =>
      addEstimate(totals, { task, classes, scores, decision, expected: expect(features, scores[0] as number) });
  }
  const { scores: curves } = calibration;
  if (curves === undefined) return undefined;
  return (totals, { scores, decision, classes }) =>
    addEstimate(totals, { task, classes, scores, decision, expected: calibratedScores(curves, scores) });
}

/** Keys of the counters of one slice: `<feature>␟<cell>␟<counter>`. */
export const SLICE_SEPARATOR = "\u001f";

const HISTOGRAM = /^[pq]\d+$|^e\d+[npy]$/;

/** Sums of counters under every slice their rows belong to: by note and cell, so that a row makes no names. */
export class SliceSums {
  readonly #cells = new Map<FeatureNote, Map<string, bigint>[]>();

  /** Histograms are left out: a slice is a few cells of many. */
  add(notes: VersionNotes, features: Features, { values, sign }: { values: CounterValues; sign: 1n | -1n }): void {
    const kept = Object.keys(values).filter((key) => !HISTOGRAM.test(key));
    for (const note of notes.slices) {
      let cells = this.#cells.get(note);
      if (cells === undefined) this.#cells.set(note, (cells = []));
      const sum = (cells[cellOf(note, features[note.feature])] ??= new Map<string, bigint>());
      for (const key of kept) sum.set(key, (sum.get(key) ?? 0n) + sign * (values[key] as bigint));
    }
  }

  /** By name; without zeros. */
  counters(): CounterValues {
    const found: Record<string, bigint> = {};
    for (const [note, cells] of this.#cells) {
      cells.forEach((sum, cell) => {
        const prefix = `${note.feature}${SLICE_SEPARATOR}${cell}${SLICE_SEPARATOR}`;
        for (const [key, value] of sum) if (value !== 0n) found[`${prefix}${key}`] = value;
      });
    }
    return found;
  }
}
