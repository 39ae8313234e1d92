/** Concept-drift detectors by name. A new one is one file and one line here; the contract suite finds it by itself. */
import { adwinFromState, createAdwin } from "./adwin.ts";
import { createDdm, ddmFromState } from "./ddm.ts";
import type { DetectorKind } from "./detector.ts";
import { createEddm, eddmFromState } from "./eddm.ts";
import { createHddmA, hddmAFromState } from "./hddm-a.ts";
import { createHddmW, hddmWFromState } from "./hddm-w.ts";
import { createKswin, kswinFromState } from "./kswin.ts";
import { createPageHinkley, pageHinkleyFromState } from "./page-hinkley.ts";

export * from "./adwin.ts";
export * from "./ddm.ts";
export type { Detection, DetectorKind, DriftDetector, DriftDirection } from "./detector.ts";
export * from "./eddm.ts";
export * from "./hddm-a.ts";
export * from "./hddm-w.ts";
export * from "./kswin.ts";
export * from "./page-hinkley.ts";

const ADWIN_LADDER = [0.1, 0.05, 0.02, 0.01, 0.005, 0.002, 0.001, 1e-4, 1e-5, 1e-6, 1e-8, 1e-10, 1e-14, 1e-20];
const PAGE_HINKLEY_LADDER = [2, 5, 10, 15, 20, 30, 50, 75, 100, 150, 200, 300, 500, 1000];
/** Confidences and p-values. */
const CONFIDENCE_LADDER = [0.01, 0.005, 0.001, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8, 1e-10, 1e-12];

const define = (kind: DetectorKind): DetectorKind => kind;

export const DETECTORS = {
  adwin: define({
    description: "Adaptive windowing: hardly any false alarms; the default.",
    input: "numbers",
    setting: { name: "delta", default: 0.002, min: 1e-30, max: 0.5, ladder: ADWIN_LADDER },
    create: (delta = 0.002) => createAdwin({ delta }),
    fromState: adwinFromState,
  }),
  "page-hinkley": define({
    description: "Cumulative deviation from the mean; scale its threshold to the values.",
    input: "numbers",
    setting: { name: "threshold", default: 50, min: 0.1, max: 1e9, ladder: PAGE_HINKLEY_LADDER },
    create: (threshold = 50) => createPageHinkley({ threshold }),
    fromState: pageHinkleyFromState,
  }),
  ddm: define({
    description: "Error rate three deviations above its best; quick, some false alarms.",
    input: "bits",
    setting: { name: "driftThreshold", default: 3, min: 2, max: 100, ladder: [2.5, 3, 3.5, 4, 4.5, 5, 6, 8, 10] },
    create: (driftThreshold = 3) => createDdm({ driftThreshold }),
    fromState: ddmFromState,
  }),
  eddm: define({
    description: "Distance between errors; sees slow drift, many false alarms.",
    input: "bits",
    setting: {
      name: "driftRatio",
      default: 0.9,
      min: 0.01,
      max: 0.94,
      ladder: [0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2],
    },
    create: (driftRatio = 0.9) => createEddm({ driftRatio }),
    fromState: eddmFromState,
  }),
  "hddm-a": define({
    description: "Means compared by Hoeffding's bound; blind to small error rates.",
    input: "bits",
    setting: { name: "driftConfidence", default: 0.001, min: 1e-30, max: 0.1, ladder: CONFIDENCE_LADDER },
    create: (driftConfidence = 0.001) =>
      createHddmA({ driftConfidence, warningConfidence: Math.max(0.005, driftConfidence) }),
    fromState: hddmAFromState,
  }),
  "hddm-w": define({
    description: "Weighted means compared by McDiarmid's bound; quick on large changes.",
    input: "bits",
    setting: { name: "driftConfidence", default: 0.001, min: 1e-30, max: 0.1, ladder: CONFIDENCE_LADDER },
    create: (driftConfidence = 0.001) =>
      createHddmW({ driftConfidence, warningConfidence: Math.max(0.005, driftConfidence) }),
    fromState: hddmWFromState,
  }),
  kswin: define({
    description: "Kolmogorov-Smirnov of new against older values; sees changes of shape.",
    input: "numbers",
    setting: { name: "alpha", default: 0.005, min: 1e-30, max: 0.1, ladder: CONFIDENCE_LADDER },
    // Two seconds.
    simulatedRows: 60_000,
    create: (alpha = 0.005) => createKswin({ alpha }),
    fromState: kswinFromState,
  }),
} as const satisfies Record<string, DetectorKind>;

export type DetectorName = keyof typeof DETECTORS;
export const DETECTOR_NAMES = Object.keys(DETECTORS) as readonly DetectorName[];
