/**
 * Concept drift: detectors over the losses of labelled predictions, in the order the labels arrived, each example once at its
 * first effective label. One detector per (version, metric), begun anew when the version is promoted. The state is plain JSON
 * and is kept with the cursor of the fold that feeds it, so a restart goes on exactly where it stopped.
 *
 * A detector also fires when losses fall. That is written down as an improvement and is no alarm.
 */
import type { Instant, JsonObject } from "../core/index.ts";
import type { VersionCalibration } from "./calibration.ts";
import { DETECTORS, type DriftDirection } from "./detectors/index.ts";
import { scaledLoss } from "./losses.ts";
import type { ConceptDriftSpec } from "./spec.ts";

/** One loss, in label-arrival order. */
export interface ArrivedLoss {
  /** Unscaled. */
  readonly loss: number;
  /** When the label and its prediction were both known. */
  readonly at: Instant;
}

export interface ConceptDetection {
  readonly at: Instant;
  /** Losses seen since the promotion when it fired. */
  readonly seen: number;
  /** `up`: losses grew, an alarm. `down`: an improvement. */
  readonly direction: DriftDirection;
  /** Mean loss since the detector last started over, and over the newest losses (weights falling by 1/50 a row), unscaled. */
  readonly meanBefore: number;
  readonly meanNow: number;
  /** Losses since the detector last started over. */
  readonly rowsSinceReset: number;
}

export interface DetectorWatch {
  /** Detector, metric, setting and scale: another configuration is another detector. */
  readonly key: string;
  /** Promotion of the version this watch belongs to. */
  readonly promotedAt: Instant;
  readonly detector: JsonObject;
  readonly settings: WatchSettings;
  readonly seen: number;
  readonly firstAt: Instant;
  readonly lastAt: Instant;
  /** Since the detector last started over. */
  readonly current: { readonly n: number; readonly mean: number };
  readonly newest: number;
  /** The last few, oldest first. */
  readonly detections: readonly ConceptDetection[];
}
/** By version name. */
export type ConceptState = Readonly<Record<string, DetectorWatch>>;

export interface WatchSettings {
  readonly detector: ConceptDriftSpec["detector"];
  readonly metric: ConceptDriftSpec["metric"];
  /** Value of the detector's setting. */
  readonly threshold: number;
  /** Where it comes from. */
  readonly origin: "calibrated" | "configured" | "published default";
  readonly scale: number;
  /** False alarms per 90 days at this setting, on the version's own held-out losses; null where nobody measured. */
  readonly falseAlarms: number | null;
  readonly budget: number;
  /** Mean loss on the holdout. */
  readonly reference: number | null;
}

/** Detections kept per watch: enough for a page, and the alarm a trigger waits for is the newest. */
const KEPT_DETECTIONS = 10;
/** Weight of one loss in the mean of the newest ones: about the last 50 rows. */
const NEWEST_WEIGHT = 0.02;

/** What a version's detector runs with: the configured value, or the calibrated one, or else the published default. */
export function watchSettings(
  spec: ConceptDriftSpec,
  budget: number,
  calibration: VersionCalibration | undefined,
): WatchSettings {
  const own = calibration?.losses;
  const fits = own !== undefined && own.metric === spec.metric;
  const tuned = fits && own.detector === spec.detector ? own.falseAlarms : null;
  const published = DETECTORS[spec.detector].setting.default;
  const threshold = spec.threshold ?? tuned?.value ?? published;
  return {
    detector: spec.detector,
    metric: spec.metric,
    threshold,
    origin: spec.threshold !== undefined ? "configured" : tuned === null ? "published default" : "calibrated",
    scale: fits ? own.scale : 1,
    falseAlarms: tuned !== null && tuned.value === threshold ? tuned.expected : null,
    // A version keeps to what it was calibrated to, until the next one.
    budget: tuned !== null && tuned.value === threshold ? tuned.budget : budget,
    reference: fits ? own.mean : null,
  };
}

const keyOf = (one: WatchSettings) => `${one.detector}/${one.metric}/${one.threshold}/${one.scale}`;

/**
 * Feeds a version's losses, oldest first. A watch of another promotion or other settings starts over.
 * @returns the new watch; the old one is not touched. Cost O(losses).
 */
export function watchLosses(
  before: DetectorWatch | undefined,
  settings: WatchSettings,
  promotedAt: Instant,
  losses: readonly ArrivedLoss[],
): DetectorWatch | undefined {
  const key = keyOf(settings);
  const isSame = before !== undefined && before.key === key && before.promotedAt === promotedAt;
  const first = losses[0];
  if (first === undefined) return isSame ? before : undefined;
  const kind = DETECTORS[settings.detector];
  const detector = isSame ? kind.fromState(before.detector) : kind.create(settings.threshold);
  let seen = isSame ? before.seen : 0;
  let { n, mean } = isSame ? before.current : { n: 0, mean: 0 };
  let newest = isSame ? before.newest : first.loss;
  const detections = isSame ? [...before.detections] : [];
  for (const { loss, at } of losses) {
    seen += 1;
    n += 1;
    mean += (loss - mean) / n;
    newest += NEWEST_WEIGHT * (loss - newest);
    const { direction } = detector.update(scaledLoss(loss, settings.scale));
    if (direction === null) continue;
    detections.push({ at, seen, direction, meanBefore: mean, meanNow: newest, rowsSinceReset: n });
    n = 0;
    mean = 0;
  }
  return {
    key,
    promotedAt,
    detector: detector.toState(),
    settings,
    seen,
    firstAt: isSame ? before.firstAt : first.at,
    lastAt: (losses[losses.length - 1] as ArrivedLoss).at,
    current: { n, mean },
    newest,
    detections: detections.slice(-KEPT_DETECTIONS),
  };
}

/** Losses since the detector started over that tell where they are now; the mean of the newest at a detection still holds older ones. */
const SETTLED_ROWS = 50;

/** The newest alarm (losses grew), unless the detector has seen them fall again since, more than half of the way. */
export function lastAlarm(watch: DetectorWatch): ConceptDetection | undefined {
  const { detections, current } = watch;
  const at = detections.findLastIndex((one) => one.direction === "up");
  const alarm = detections[at];
  const fall = detections.findLast((one, i) => i > at && one.direction === "down");
  if (alarm === undefined || fall === undefined) return alarm;
  const now = current.n >= SETTLED_ROWS ? current.mean : fall.meanNow;
  return now < (alarm.meanBefore + alarm.meanNow) / 2 ? undefined : alarm;
}
