/** `stage`: how a promoted version goes live. Judged by `deploy/advance.ts`. */
import {
  choiceField,
  durationField,
  type DurationText,
  type ExperimentMetric,
  type Field,
  type FieldPlace,
  listField,
  numberField,
  objectField,
  optional,
  type OutcomeGuard,
  refuse,
  type StageSpec,
  type Task,
  textField,
  variantField,
  withDefault,
} from "../core/index.ts";

/** Days and hours in which a rollout may move on. */
export interface MaintenanceConfig {
  readonly days?: readonly Day[];
  readonly from: string;
  readonly to: string;
  readonly timeZone?: string;
}
type Day = "mon" | "tue" | "wed" | "thu" | "fri" | "sat" | "sun";
export interface Shared {
  /** Row metric quality is judged by; default log loss (MAE for regression). */
  readonly metric?: ExperimentMetric;
  /** How much worse the challenger may be, in the metric's unit; default 0.02 (regression: 0.1). */
  readonly margin?: number;
  /** Business measures that must not get worse. */
  readonly guards?: readonly (Omit<OutcomeGuard, "margin"> & Partial<Pick<OutcomeGuard, "margin">>)[];
  /** When the stage may end by moving on. */
  readonly within?: MaintenanceConfig;
}
export interface Shadow extends Shared {
  /** Share of live requests the challenger answers too, invisibly; default 1. */
  readonly share?: number;
  /** Logged requests of so long ago are answered at once; default "0s". */
  readonly replay?: DurationText;
  readonly minSamples?: number;
  readonly max?: DurationText;
  /** How the interval of paired differences is made; "bounded" and "betting" are exact for accuracy and the Brier score. */
  readonly method?: "always-valid" | "bounded" | "betting";
}
export interface Canary extends Shared {
  readonly minSamples?: number;
  readonly max?: DurationText;
}
export interface Ab extends Shared {
  /** Share of units the challenger answers; default 0.5. */
  readonly share?: number;
  /** Promotes no earlier, counted from first exposure + label delay: "7d" sees every day of a week; default "0s". */
  readonly min?: DurationText;
  /** Counted from first exposure + label delay; default "28d". */
  readonly max?: DurationText;
  readonly minSamples?: number;
  /** Promote when better, or when not worse by more than the margin; default superiority. */
  readonly rule?: "superiority" | "non-inferiority";
  readonly method?: "always-valid" | "bounded" | "betting" | "group-sequential";
  readonly spending?: "obrien-fleming" | "pocock";
  readonly looks?: number;
  /** Group-sequential only: rows of both arms at the last planned look. */
  readonly plannedRows?: number;
  readonly alpha?: number;
}
export interface Full extends Shared {
  /** How long it is compared with the previous champion afterwards; default "1d". */
  readonly watch?: DurationText;
}
export type StageConfig =
  | ({ readonly kind: "shadow"; readonly duration: DurationText } & Shadow)
  | ({ readonly kind: "canary"; readonly share: number; readonly duration: DurationText } & Canary)
  | ({ readonly kind: "ramp"; readonly shares: readonly number[]; readonly each?: DurationText } & Shared)
  | ({ readonly kind: "ab" } & Ab)
  | ({ readonly kind: "full" } & Full);

export const stage = {
  /** Answers requests invisibly for so long; judged on paired differences. */
  shadow: (duration: DurationText, options: Shadow = {}): StageConfig => ({ kind: "shadow", duration, ...options }),
  /** A small share of units for so long; errors, latency and harm roll it back by themselves. */
  canary: (share: number, duration: DurationText, options: Canary = {}): StageConfig => ({
    kind: "canary",
    share,
    duration,
    ...options,
  }),
  /** Growing shares, each for a while: `stage.ramp([0.1, 0.25, 0.5, 1], { each: "1d" })`. */
  ramp: (shares: readonly number[], options: Shared & { readonly each?: DurationText } = {}): StageConfig => ({
    kind: "ramp",
    shares,
    ...options,
  }),
  /** A randomized comparison, valid however often it is looked at. */
  ab: (options: Ab = {}): StageConfig => ({ kind: "ab", ...options }),
  /** Takes over in one swap without a dropped request, and is watched afterwards. */
  full: (options: Full = {}): StageConfig => ({ kind: "full", ...options }),
} as const;

const DAYS = ["sun", "mon", "tue", "wed", "thu", "fri", "sat"] as const;

function clockField(description: string): Field<number> {
  const info = { rule: 'a time of day such as "09:00" (to "24:00")', description };
  return {
    info,
    read(value, place) {
      const match = typeof value === "string" ? /^([01]\d|2[0-4]):([0-5]\d)$/.exec(value) : null;
      const minute = match === null ? Number.NaN : Number(match[1]) * 60 + Number(match[2]);
      if (!(minute <= 1440)) throw refuse(place, value, info);
      return minute;
    },
  };
}

const timeZoneField: Field<string> = {
  info: { rule: 'a time zone such as "Europe/Berlin"', description: "Time zone of the hours." },
  read(value, place) {
    try {
      if (typeof value !== "string") throw new RangeError("no text");
      return new Intl.DateTimeFormat("en", { timeZone: value }).resolvedOptions().timeZone;
    } catch {
      throw refuse(place, value, timeZoneField.info);
    }
  },
};

const withinTable = objectField("Days and hours in which the stage may end by moving on; rolling back never waits.", {
  days: withDefault(listField("Days of the week.", choiceField("A day.", DAYS), { min: 1 }), [...DAYS]),
  from: clockField("From this time of day."),
  to: clockField("Up to this time of day."),
  timeZone: withDefault(timeZoneField, "UTC"),
});
const within: Field<StageSpec["within"]> = {
  info: withinTable.info,
  read(value, place) {
    if (value === undefined) return undefined;
    const { days, from, to, timeZone } = withinTable.read(value, place);
    if (from >= to) throw refuse(place, value, { rule: "hours with `from` before `to`", description: "" });
    return { days: days.map((day) => DAYS.indexOf(day)), fromMinute: from, toMinute: to, timeZone };
  },
};
const duration = (text: string) => durationField(text);
const count = (text: string) => numberField(text, { min: 1, max: 1e9, integer: true });
const share = (text: string, max: number) => numberField(text, { min: 0.0001, max });

const sharesField: Field<readonly number[]> = {
  info: { rule: "a list of growing shares in (0, 1]", description: "Shares of units, one after the other." },
  read(value, place) {
    const shares = listField("Shares.", share("A share.", 1), { min: 1 }).read(value, place);
    if (shares.some((one, i) => i > 0 && one <= (shares[i - 1] as number)))
      throw refuse(place, value, sharesField.info);
    return shares;
  },
};

/** Reads a stage for a model of the task. */
export function stageField(task: Task): Field<StageSpec> {
  const metrics = task === "regression" ? (["mae"] as const) : (["logLoss", "brier", "accuracy"] as const);
  const shared = {
    metric: withDefault(
      choiceField("Row metric quality is judged by: its mean over rows is the metric.", metrics),
      metrics[0],
    ),
    // Two points of log loss or accuracy are what a team notices; a regression's unit is its own, so it should be stated.
    margin: withDefault(
      numberField("How much worse the challenger may be, in the metric's unit.", { min: 0 }),
      task === "regression" ? 0.1 : 0.02,
    ),
    guards: withDefault(
      listField(
        "Business measures, sent as outcome events, that must not get worse.",
        objectField("A business measure per request.", {
          outcome: textField("Name of the outcome event."),
          worseWhen: choiceField("Which direction is harm.", ["higher", "lower"]),
          margin: withDefault(numberField("How much worse per request it may be.", { min: 0 }), 0),
        }),
      ),
      [],
    ),
    within: optional(within),
  };
  const field = variantField("How a version goes live.", "kind", {
    shadow: {
      ...shared,
      duration: duration("How long, counted from first exposure + label delay."),
      share: withDefault(share("Share of live requests mirrored.", 1), 1),
      replay: withDefault(duration("Logged requests of so long ago are answered at once."), "0s"),
      minSamples: withDefault(count("Labelled pairs wanted before it ends."), 200),
      max: optional(duration("Ends at the latest after this; default three times the duration.")),
      method: withDefault(
        choiceField("How the interval of paired differences is made.", ["always-valid", "bounded", "betting"]),
        "always-valid",
      ),
    },
    canary: {
      ...shared,
      share: share("Share of units the challenger answers.", 0.5),
      duration: duration("How long, counted from first exposure + label delay."),
      minSamples: withDefault(count("Challenger answers wanted before it ends."), 200),
      max: optional(duration("Ends at the latest after this; default three times the duration.")),
    },
    ramp: {
      ...shared,
      shares: withDefault(sharesField, [0.1, 0.25, 0.5, 1]),
      each: withDefault(duration("How long each share lasts."), "1d"),
    },
    ab: {
      ...shared,
      share: withDefault(share("Share of units the challenger answers.", 0.95), 0.5),
      min: optional(duration("It promotes no earlier, from first exposure + label delay; a week sees all its days.")),
      max: withDefault(duration("Longest comparison, from first exposure + label delay."), "28d"),
      minSamples: withDefault(count("Labelled rows of both arms before a verdict."), 1000),
      rule: withDefault(choiceField("When it promotes.", ["superiority", "non-inferiority"]), "superiority"),
      method: withDefault(
        choiceField("How the interval is made.", ["always-valid", "bounded", "betting", "group-sequential"]),
        "always-valid",
      ),
      spending: withDefault(
        choiceField("Error spending of planned looks.", ["obrien-fleming", "pocock"]),
        "obrien-fleming",
      ),
      looks: withDefault(
        numberField("Planned looks of a group-sequential test.", { min: 2, max: 20, integer: true }),
        5,
      ),
      plannedRows: optional(count("Rows of both arms at the last planned look of a group-sequential test.")),
      alpha: withDefault(numberField("Error rate of the comparison.", { min: 0.001, max: 0.2 }), 0.05),
    },
    full: {
      ...shared,
      watch: withDefault(duration("How long it is compared with the previous champion afterwards."), "1d"),
    },
  });
  return {
    info: field.info,
    read: (value, place) => toStage(field.read(value, place) as ReadStage, { value, place, task }),
  };
}

type ReadStage = { readonly kind: StageSpec["kind"] } & Readonly<Record<string, unknown>>;
const RENAMED: Readonly<Record<string, string>> = {
  duration: "durationMs",
  replay: "replayMs",
  min: "minMs",
  max: "maxMs",
  each: "eachMs",
  watch: "watchMs",
};

function toStage(
  read: ReadStage,
  { value, place, task }: { readonly value: unknown; readonly place: FieldPlace; readonly task: Task },
): StageSpec {
  const entries = Object.entries(read).filter(([, one]) => one !== undefined);
  const spec = Object.fromEntries(entries.map(([key, one]) => [RENAMED[key] ?? key, one])) as Record<string, unknown>;
  if (read["duration"] !== undefined && read["max"] === undefined) spec["maxMs"] = 3 * (read["duration"] as number);
  if (
    spec["maxMs"] !== undefined &&
    spec["durationMs"] !== undefined &&
    (spec["maxMs"] as number) < (spec["durationMs"] as number)
  ) {
    throw refuse(place, value, { rule: "a stage whose `max` is no shorter than its `duration`", description: "" });
  }
  if (spec["minMs"] !== undefined && (spec["minMs"] as number) > (spec["maxMs"] as number)) {
    throw refuse(place, value, { rule: "a stage whose `max` is no shorter than its `min`", description: "" });
  }
  if (spec["minMs"] !== undefined && spec["method"] === "group-sequential") {
    throw refuse(place, value, {
      rule: 'an "ab" stage without `min` where its `method` "group-sequential" is read at planned looks only',
      description: "",
    });
  }
  const { method, metric } = spec;
  // Of several classes a Brier score reaches 2.
  const unitMetrics = task === "multiclass" ? ["accuracy"] : ["brier", "accuracy"];
  if ((method === "bounded" || method === "betting") && !unitMetrics.includes(metric as string)) {
    throw refuse(place, value, {
      rule: `a stage whose \`method\` "${method}" goes with a metric in [0, 1]: ${unitMetrics.map((one) => `"${one}"`).join(" or ")}`,
      description: "",
    });
  }
  if (spec["method"] === "group-sequential" && spec["plannedRows"] === undefined) {
    throw refuse(place, value, {
      rule: 'an "ab" stage whose `method` "group-sequential" says how many rows its last look has: `plannedRows`',
      description: "",
    });
  }
  return spec as unknown as StageSpec;
}

/** The stages of a model in order; what ends without `full` goes live by the default one. */
export function rolloutField(task: Task): Field<readonly StageSpec[]> {
  const one = stageField(task);
  const list = listField("Stages in which a version goes live.", one, { min: 1 });
  return {
    info: list.info,
    read(value, place) {
      const stages = list.read(value, place);
      const full = stages.findIndex(({ kind }) => kind === "full");
      if (full >= 0 && full < stages.length - 1) {
        throw refuse(place, value, { rule: "a list whose last stage is the only full one", description: "" });
      }
      return full >= 0 ? stages : [...stages, one.read({ kind: "full" }, { ...place, record: () => {} })];
    },
  };
}
