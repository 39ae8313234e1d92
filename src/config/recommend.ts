/** What a recommender's description may hold beside what every model's does, and what it may not. */
import {
  durationField,
  type Field,
  fail,
  type FieldPlace,
  numberField,
  objectField,
  textField,
  withDefault,
} from "../core/index.ts";
import type { RecommendSchema } from "../data/schema.ts";
import type { FeatureSpec } from "../data/schema.ts";
import { leafSpecs } from "../trigger/index.ts";
import type { ModelSpec } from "./spec.ts";

type Features = readonly { readonly name: string; readonly spec: FeatureSpec }[];

/** A recommender learns from who took what alone. */
export const noFeatures: Field<Features> = {
  info: { rule: "{}: a recommender learns from users and items alone", description: "" },
  read(value, place) {
    return objectField("A recommender has no other features.", {}).read(value, place) && [];
  },
};

export const recommendTable = {
  user: textField("Column of the user."),
  item: textField("Column of the item."),
  k: withDefault(numberField("Items of a slate.", { min: 1, max: 100, integer: true }), 10),
  outcomeWindow: withDefault(
    durationField("How long after a slate an interaction is its outcome.", { min: "1m" }),
    "7d",
    "7d: a week of use",
  ),
};

interface ReadRecommend {
  readonly user?: string | undefined;
  readonly item?: string | undefined;
  readonly k?: number | undefined;
  readonly outcomeWindow?: number | undefined;
}

/** Users and items are its two features, so that they travel with every row, log column and dataset. */
export function recommendFeatures(
  read: ReadRecommend,
): { readonly features: Features; readonly recommend: RecommendSchema } | undefined {
  const { user, item, k, outcomeWindow } = read;
  if (user === undefined || item === undefined || k === undefined || outcomeWindow === undefined) return undefined;
  const category = { kind: "category" } as const;
  return {
    features: [
      { name: user, spec: category },
      { name: item, spec: category },
    ],
    recommend: { user, item, k, outcomeWindowMs: outcomeWindow },
  };
}

function wrong(path: string, message: string, remedy: string) {
  return fail("CONFIG_INVALID", { message: `\`${path}\` ${message}`, remedy, details: { path } });
}

/** @throws CONFIG_INVALID naming what a recommender cannot have and why */
export function checkRecommend(spec: ModelSpec, place: FieldPlace): void {
  const { recommend, time } = spec.schema;
  if (recommend === undefined) return;
  if (time === undefined)
    throw wrong(`${place.path}.time`, "is missing: later interactions judge earlier ones.", 'Write `time: "at"`.');
  if (recommend.user === recommend.item)
    throw wrong(`${place.path}.item`, `is "${recommend.item}", which is the user.`, "Name the column of the item.");
  const gate = spec.gates.findIndex(({ kind }) => ["probes", "calibration", "latency", "slices"].includes(kind));
  if (gate >= 0)
    throw wrong(
      `${place.path}.gates[${gate}]`,
      `is "${spec.gates[gate]?.kind}", which judges rows one by one; a slate is judged by what its user took later.`,
      "Use gates on ndcg, recall, hitRate or hitShare.",
    );
  const staged = spec.rollout.findIndex(({ kind }) => kind !== "full");
  if (staged >= 0)
    throw wrong(
      `${place.path}.rollout[${staged}]`,
      `is "${spec.rollout[staged]?.kind}", which compares answers row by row; slates of two versions cannot both be shown.`,
      "Leave `rollout` out: a recommender goes live with its gates.",
    );
  if (spec.labeling !== undefined)
    throw wrong(`${place.path}.labeling`, "asks people for labels; interactions arrive by themselves.", "Remove it.");
  if (spec.slices.length > 0)
    throw wrong(`${place.path}.slices`, "reports by features of rows; a recommender has none.", "Remove it.");
  if (spec.retrain.best !== undefined)
    throw wrong(
      `${place.path}.retrain.how`,
      'is "best", which compares trainers of rows.',
      'Write "full" or "warm-start"; compare `als` and `bpr` as two models.',
    );
  if (spec.data.refit)
    throw wrong(
      `${place.path}.data.refit`,
      "is true, but a recommender folds newer interactions in as they come.",
      "Remove it.",
    );
  checkWatchers(spec, place);
}

/** Users and items of later rows differ from earlier ones by nature, and metrics per user need a user's whole future. */
function checkWatchers(spec: ModelSpec, place: FieldPlace): void {
  if (spec.monitors.dataDrift !== null)
    throw wrong(
      `${place.path}.monitors.dataDrift`,
      "compares columns; users and items of new rows differ from old ones by nature.",
      "Leave it out; `monitors.conceptDrift` watches the share of interactions that slates foresaw.",
    );
  for (const leaf of leafSpecs(spec.retrain.when)) {
    const path = `${place.path}.retrain.when`;
    if (leaf.kind === "dataDrift" || leaf.kind === "predictionDrift")
      throw wrong(
        path,
        `has ${leaf.kind}, but a recommender has no columns to compare.`,
        "Use performanceDrop or newLabels.",
      );
    if (leaf.kind === "performanceDrop" && leaf.metric !== "hitShare")
      throw wrong(
        path,
        `watches ${leaf.metric}, which is known of held-out users only.`,
        'Watch "hitShare": live slates are judged by it, one interaction at a time.',
      );
    if (leaf.kind === "worthIt")
      throw wrong(path, "has worthIt, which prices losses of single rows.", "Use performanceDrop or newLabels.");
  }
}
