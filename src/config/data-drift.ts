/** `monitors.dataDrift`: how inputs, answers and labels are compared with a reference. */
import {
  choiceField,
  type DurationText,
  durationField,
  type Field,
  fail,
  numberField,
  objectField,
  optional,
  refuse,
  withDefault,
} from "../core/index.ts";
import { type DataDriftSpec, DRIFT_REFERENCES, type DriftReference } from "../monitor/index.ts";

export interface DataDriftConfig {
  /** What windows are compared with; default "training": the rows the champion learned from. */
  readonly reference?: DriftReference;
  /** Length of the current window; default "7d". */
  readonly window?: DurationText;
  /** How often it is compared; default "1d". */
  readonly every?: DurationText;
  /** Length of a season, for "same-season"; default "7d". */
  readonly season?: DurationText;
  /** Population stability index a feature must exceed; default 0.1. */
  readonly minimumEffect?: number;
  /** Rows below which nothing is said; default 200. */
  readonly minRows?: number;
  /** Importance-weighted share of features that must move; default 0.1. 0: any feature. */
  readonly share?: number;
}

const object = objectField("How inputs, answers and labels are compared with a reference.", {
  reference: withDefault(choiceField("What windows are compared with.", DRIFT_REFERENCES), "training"),
  window: withDefault(durationField("Length of the current window.", { min: "1h", max: "365d" }), "7d"),
  every: withDefault(durationField("How often it is compared.", { min: "1h", max: "90d" }), "1d"),
  season: withDefault(durationField("Length of a season, for same-season.", { min: "1h", max: "365d" }), "7d"),
  minimumEffect: withDefault(
    numberField("Population stability index a feature must exceed.", { min: 0, max: 100 }),
    0.1,
  ),
  minRows: withDefault(numberField("Rows below which nothing is said.", { min: 20, max: 1e9, integer: true }), 200),
  share: optional(
    numberField(
      "Importance-weighted share of features that must move; absent: 0.1 where importance is known, else any.",
      {
        min: 0,
        max: 1,
      },
    ),
  ),
});
const info = { ...object.info, rule: `false, or ${object.info.rule}` };

export const dataDriftField: Field<DataDriftSpec | null> = {
  info,
  read(value, place) {
    if (value === false) {
      place.record(place.path, place.originOf(place.path));
      return null;
    }
    if (typeof value !== "object" || value === null || Array.isArray(value)) throw refuse(place, value, info);
    const { reference, window, every, season, minimumEffect, minRows, share } = object.read(value, place);
    if (reference === "same-season" && window > season) {
      throw fail("CONFIG_INVALID", {
        message: `\`${place.path}.window\` is longer than the season it is compared with.`,
        remedy: "Shorten `window`, or lengthen `season`.",
        details: { path: `${place.path}.window` },
      });
    }
    return {
      reference,
      windowMs: window,
      everyMs: every,
      seasonMs: season,
      minimumEffect,
      minRows,
      ...(share === undefined ? {} : { share }),
    };
  },
};
