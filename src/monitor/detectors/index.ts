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

const define = (kind: DetectorKind): DetectorKind => kind;

export const DETECTORS = {
  adwin: define({
    description: "Adaptive windowing: hardly any false alarms; the default.",
    input: "numbers",
    create: () => createAdwin(),
    fromState: adwinFromState,
  }),
  "page-hinkley": define({
    description: "Cumulative deviation from the mean; scale its threshold to the values.",
    input: "numbers",
    create: () => createPageHinkley(),
    fromState: pageHinkleyFromState,
  }),
  ddm: define({
    description: "Error rate three deviations above its best; quick, some false alarms.",
    input: "bits",
    create: () => createDdm(),
    fromState: ddmFromState,
  }),
  eddm: define({
    description: "Distance between errors; sees slow drift, many false alarms.",
    input: "bits",
    create: () => createEddm(),
    fromState: eddmFromState,
  }),
  "hddm-a": define({
    description: "Means compared by Hoeffding's bound; blind to small error rates.",
    input: "bits",
    create: () => createHddmA(),
    fromState: hddmAFromState,
  }),
  "hddm-w": define({
    description: "Weighted means compared by McDiarmid's bound; quick on large changes.",
    input: "bits",
    create: () => createHddmW(),
    fromState: hddmWFromState,
  }),
  kswin: define({
    description: "Kolmogorov-Smirnov of new against older values; sees changes of shape.",
    input: "numbers",
    create: () => createKswin(),
    fromState: kswinFromState,
  }),
} as const satisfies Record<string, DetectorKind>;

export type DetectorName = keyof typeof DETECTORS;
