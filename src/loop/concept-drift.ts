/**
 * Concept drift in the loop: the label fold feeds the detectors of live versions (state in the fold's own transaction), the tick
 * turns what they found into a signal, a decision and an alert, and a promotion closes the alert.
 */
import type { ModelSpec } from "../config/spec.ts";
import {
  type Instant,
  type Json,
  type JsonObject,
  type LogCursor,
  metricWord,
  type NewDecision,
  type Outcome,
  plural,
  type SignalRecord,
  type VersionRecord,
} from "../core/index.ts";
import { type ExampleFacts, type FirstJoin, firstJoins, inReadingOrder, isKnown } from "../feedback/label-join.ts";
import {
  type ArrivedLoss,
  budgetShares,
  DETECTORS,
  type DetectorWatch,
  lastAlarm,
  lossOf,
  parseCalibration,
  watchLosses,
  watchSettings,
} from "../monitor/index.ts";
import { MIN_LOSSES_SEEN } from "../trigger/index.ts";
import { conceptAlertKey, raiseAlert, resolveAlert } from "./alerts.ts";
import { LABEL_FOLD, type LoopContext, modelSpec } from "./context.ts";
import { diagnose } from "./diagnose.ts";
import { type LabelFoldState, readFoldState } from "./fold-state.ts";

interface FoldedFacts {
  readonly before: LabelFoldState;
  /** Everything known of the examples the fold touched, also beyond it. */
  readonly facts: readonly ExampleFacts[];
  readonly from: LogCursor;
  readonly to: LogCursor;
}

/** Feeds the losses whose prediction and label first met inside this fold, in label-arrival order. */
export async function watchConcept(context: LoopContext, model: string, folded: FoldedFacts): Promise<LabelFoldState> {
  const spec = modelSpec(context, model);
  if (spec.monitors.conceptDrift === null) return { concept: {} };
  const joins: (readonly [string, FirstJoin])[] = [];
  for (const facts of folded.facts) {
    for (const join of firstJoins(facts).values()) {
      const { version } = join.prediction;
      if (!isKnown(join.position, folded.from) && isKnown(join.position, folded.to)) joins.push([version, join]);
    }
  }
  const names = new Set([...joins.map(([version]) => version), ...Object.keys(folded.before.concept)]);
  if (names.size === 0) return folded.before;
  joins.sort(([, left], [, right]) => inReadingOrder(left.position, right.position));
  const concept: Record<string, DetectorWatch> = {};
  for (const name of names) {
    const version = await context.store.registry.get(model, name);
    // Labels of a retired version's predictions arrive for weeks; nobody acts on them any more.
    if (version === undefined || version.role === null) continue;
    const losses = joins.filter(([own]) => own === name).map(([, join]) => arrivedLoss(spec, join));
    const watch = watchLosses(
      folded.before.concept[name],
      await settingsOf(context, spec, version),
      version.promotedAt ?? version.createdAt,
      losses,
    );
    if (watch !== undefined) concept[name] = watch;
  }
  return { concept };
}

function arrivedLoss(spec: ModelSpec, { prediction, label, position }: FirstJoin): ArrivedLoss {
  const { task } = spec.schema;
  const classes = task === "binary" ? [false, true] : (prediction.classes ?? []);
  const { scores, decision } = prediction;
  const metric = spec.monitors.conceptDrift?.metric ?? "accuracy";
  return { loss: lossOf(metric, { task, classes, scores, decision, label }), at: position.receivedAt };
}

async function settingsOf(context: LoopContext, spec: ModelSpec, version: VersionRecord) {
  const drift = spec.monitors.conceptDrift;
  if (drift === null) throw new Error("concept drift is off");
  // A damaged artifact is reported where it is served; its detector then runs with the published setting.
  const live = await context.live.load(version).catch(() => undefined);
  const calibration = live === undefined ? undefined : parseCalibration(live.model.calibration);
  return watchSettings(drift, budgetShares(spec.monitors).conceptDrift, calibration);
}

/** The champion's detector as it stands. */
export interface ConceptWatch {
  readonly version: string | null;
  readonly watch: DetectorWatch | undefined;
}

export async function conceptWatchOf(
  context: LoopContext,
  model: string,
  champion: string | undefined,
): Promise<ConceptWatch> {
  if (champion === undefined) return { version: null, watch: undefined };
  const { state } = await context.store.folds.read(model, LABEL_FOLD);
  return { version: champion, watch: readFoldState(state).concept[champion] };
}

/** One judgement in words, for the record, the signal and the alert. */
function judgeWatch(watch: DetectorWatch, version: string) {
  const { settings, seen } = watch;
  const alarm = lastAlarm(watch);
  const setting = DETECTORS[settings.detector].setting.name;
  const rule = `${settings.detector} on ${metricWord(settings.metric)} of ${version}, ${setting} ${settings.threshold} (${settings.origin}; at most ${plural(settings.budget, "false alarm")} in 90 days, its part of the model's budget).`;
  const inputs: JsonObject = {
    version,
    seen,
    meanNow: watch.newest,
    meanSince: watch.current.mean,
    rowsSince: watch.current.n,
    holdout: settings.reference,
    falseAlarmsPer90Days: settings.falseAlarms,
    detections: watch.detections as unknown as Json,
  };
  let outcome: Outcome = "no";
  let reason = `No concept drift P(y|x) is seen in the losses of ${version}.`;
  if (alarm !== undefined) {
    outcome = "yes";
    reason = `Concept drift P(y|x): the loss (${metricWord(settings.metric)}) of ${version} rose to ${alarm.meanNow.toPrecision(3)} (mean ${alarm.meanBefore.toPrecision(3)} over ${plural(alarm.rowsSinceReset, "label")} before), found at label ${alarm.seen.toLocaleString("en-US")}, ${new Date(alarm.at).toISOString()}.`;
  } else if (seen < MIN_LOSSES_SEEN) {
    outcome = "cannot-tell";
    reason = `Fewer than ${MIN_LOSSES_SEEN} labels of ${version} have arrived.`;
  } else if (watch.detections.length > 0) {
    const isOver = watch.detections.some((one) => one.direction === "up");
    reason = isOver
      ? `The losses of ${version} rose and fell again.`
      : `The losses of ${version} fell: an improvement, not an alarm.`;
  }
  return { outcome, rule, reason, inputs, threshold: settings.threshold, alarm };
}

const reportedKey = (model: string) => `concept-drift:${model}`;

/** What the champion's detector says, to be written with the other decisions of the tick. */
export interface ConceptReport {
  readonly decisions: readonly NewDecision[];
  /** Signal, alert and a mark that they went out, after the decision is written: until then the detector counts as not heard. */
  announce(): Promise<void>;
  /** The mark where there is nothing to announce, to be written with the decision. */
  readonly marks: Readonly<Record<string, Json>>;
}
const NOTHING_NEW: ConceptReport = { decisions: [], announce: async () => {}, marks: {} };

/** What the champion's detector says, when it has seen something new since the last time. */
export async function reportConceptDrift(
  context: LoopContext,
  spec: ModelSpec,
  evidence: ConceptWatch,
  at: Instant,
): Promise<ConceptReport> {
  const { version, watch } = evidence;
  if (version === null || watch === undefined) return NOTHING_NEW;
  const { store } = context;
  const model = spec.name;
  const mark = { version, seen: watch.seen, promotedAt: watch.promotedAt };
  const before = (await store.settings.get(reportedKey(model))) as (typeof mark & { outcome?: string }) | undefined;
  if (before?.version === version && before.seen === watch.seen && before.promotedAt === mark.promotedAt)
    return NOTHING_NEW;
  const { alarm, ...judged } = judgeWatch(watch, version);
  const subject = `conceptDrift(${watch.settings.metric})`;
  const isNewAlarm = alarm !== undefined && (before?.version !== version || alarm.seen > before.seen);
  const isNews = isNewAlarm || before?.outcome !== judged.outcome || before.version !== version;
  const marks = { [reportedKey(model)]: { ...mark, outcome: judged.outcome } };
  return {
    decisions: [{ model, kind: "monitor", subject, version, at, ...judged }],
    async announce() {
      if (!isNews && !isNewAlarm) return;
      if (isNews) await store.settings.saveSignals([signalOf(model, watch, judged, at)]);
      if (isNewAlarm) await raiseConceptAlert(context, model, judged);
      else if (judged.outcome === "no") await resolveAlert(context, conceptAlertKey(model), judged.reason);
      await store.settings.setAll(marks);
    },
    marks: isNews || isNewAlarm ? {} : marks,
  };
}

type Judged = Omit<ReturnType<typeof judgeWatch>, "alarm">;

function signalOf(model: string, watch: DetectorWatch, judged: Judged, at: Instant): SignalRecord {
  return {
    model,
    monitor: "concept-drift",
    subject: watch.settings.metric,
    at,
    verdict: judged.outcome,
    value: watch.newest,
    threshold: judged.threshold,
    details: judged.inputs,
  };
}

async function raiseConceptAlert(context: LoopContext, model: string, judged: Judged): Promise<void> {
  const { sentences } = await diagnose(context, model);
  await raiseAlert(context, {
    model,
    key: conceptAlertKey(model),
    type: "monitor.concept-drift",
    severity: "warning",
    title: `Concept drift in ${model}`,
    message: judged.reason,
    evidence: { diagnosis: sentences, rule: judged.rule, ...judged.inputs },
  });
}
