/**
 * Label Studio's task format, both ways: tasks with predictions and annotations go out, answers come back. Source: the
 * documentation's pages "Label Studio task format" and "Import pre-annotations", and the tags Choices, Number, Rating, Table, Text
 * and Image. Only answers that are one value are understood: one choice, a number or a rating; regions and spans are not.
 */
import type { Annotation, Features, LabelingTask, LabelValue } from "../core/index.ts";
import { shownValue } from "../data/index.ts";
import type { DataSchema, FeatureSpec } from "../data/schema.ts";

/** The object a row is shown in, where no feature is a picture or a text. */
const ROW = "row";
const LABEL = "label";

export interface StudioResult {
  readonly id?: string;
  readonly from_name: string;
  readonly to_name: string;
  readonly type: string;
  readonly value: Readonly<Record<string, unknown>>;
}
export interface StudioTask {
  readonly id?: number | string;
  readonly data: Readonly<Record<string, unknown>>;
  readonly meta?: Readonly<Record<string, unknown>>;
  readonly annotations?: readonly StudioAnnotation[];
  readonly predictions?: readonly StudioPrediction[];
}
export interface StudioAnnotation {
  readonly id?: number | string;
  readonly result: readonly StudioResult[];
  readonly was_cancelled?: boolean;
  readonly ground_truth?: boolean;
  readonly completed_by?: unknown;
  readonly created_at?: string;
  readonly lead_time?: number | null;
}
export interface StudioPrediction {
  readonly model_version: string;
  readonly score?: number;
  readonly result: readonly StudioResult[];
}

/** Where an answer stands in a project: the names of its tags, and what the choices are called. */
export interface StudioControl {
  readonly fromName: string;
  readonly toName: string;
  readonly type: "choices" | "number" | "rating";
  /** Texts of the choices; an alias, where there is one, is what Label Studio sends. */
  readonly choices: readonly string[];
}

const escape = (text: string) =>
  text.replaceAll("&", "&amp;").replaceAll('"', "&quot;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
const unescape = (text: string) =>
  text.replaceAll("&quot;", '"').replaceAll("&lt;", "<").replaceAll("&gt;", ">").replaceAll("&amp;", "&");

const isPicture = (spec: FeatureSpec) => spec.kind === "image";
const isText = (spec: FeatureSpec) => spec.kind === "text";

/** The labeling interface for the model's rows: pictures and texts as such, the rest as a table, one control for the answer. */
export function studioConfig(schema: DataSchema, choices: readonly LabelValue[] | null): string {
  const shown = schema.features.flatMap(({ name, spec }) => {
    const value = escape(`$${name}`);
    if (isPicture(spec)) return [`  <Image name="${escape(name)}" value="${value}"/>`];
    if (isText(spec)) return [`  <Text name="${escape(name)}" value="${value}"/>`];
    return [];
  });
  const hasRow = schema.features.some(({ spec }) => !isPicture(spec) && !isText(spec));
  const table = hasRow ? [`  <Table name="${ROW}" value="$${ROW}"/>`] : [];
  const to = escape(objectName(schema));
  const control =
    choices === null
      ? [`  <Number name="${LABEL}" toName="${to}"/>`]
      : [
          `  <Choices name="${LABEL}" toName="${to}" choice="single">`,
          ...choices.map((value) => `    <Choice value="${escape(String(value))}"/>`),
          "  </Choices>",
        ];
  return ["<View>", ...shown, ...table, ...control, "</View>"].join("\n");
}

function objectName(schema: DataSchema): string {
  return schema.features.find(({ spec }) => isPicture(spec) || isText(spec))?.name ?? ROW;
}

/** The control of a model's own interface, as `studioConfig` writes it. */
export function ownControl(schema: DataSchema): StudioControl {
  const type = schema.task === "regression" ? "number" : "choices";
  return { fromName: LABEL, toName: objectName(schema), type, choices: [] };
}

/**
 * The control of a project's labeling interface: the first Choices, Number or Rating in it.
 * @returns undefined where there is none
 */
export function findControl(config: string): StudioControl | undefined {
  const tag = /<(Choices|Number|Rating)\b([^>]*)>/.exec(config.replaceAll(/<!--[\s\S]*?-->/g, ""));
  if (tag === null) return undefined;
  const fromName = attribute(tag[2] ?? "", "name");
  const toName = attribute(tag[2] ?? "", "toName");
  if (fromName === undefined || toName === undefined) return undefined;
  const inner = config.slice(config.indexOf(tag[0]) + tag[0].length).split("</Choices>", 1)[0] ?? "";
  const choices = [...inner.matchAll(/<Choice\b([^>]*)>/g)].flatMap(
    ([, text = ""]) => attribute(text, "alias") ?? attribute(text, "value") ?? [],
  );
  const type = (tag[1] as string).toLowerCase() as StudioControl["type"];
  return { fromName, toName, type, choices: type === "choices" ? choices : [] };
}

function attribute(text: string, name: string): string | undefined {
  const found = new RegExp(`\\b${name}\\s*=\\s*(?:"([^"]*)"|'([^']*)')`).exec(text);
  const value = found?.[1] ?? found?.[2];
  return value === undefined ? undefined : unescape(value);
}

/** What projects call the two answers of a binary model, besides true and false. */
const SAYS_TRUE = new Set(["true", "yes", "1", "positive"]);
const SAYS_FALSE = new Set(["false", "no", "0", "negative"]);

/** The choice that stands for a value; undefined where the project offers none. */
function choiceOf(value: LabelValue, choices: readonly string[]): string | undefined {
  if (choices.length === 0) return String(value);
  const exact = choices.find((one) => one.toLowerCase() === String(value).toLowerCase());
  if (exact !== undefined || typeof value !== "boolean") return exact;
  const words = value ? SAYS_TRUE : SAYS_FALSE;
  return choices.find((one) => words.has(one.trim().toLowerCase()));
}

/** A value as Label Studio's result; undefined where the project has no choice for it. */
export function resultOf(value: LabelValue, control: StudioControl): StudioResult | undefined {
  const { fromName, toName, type, choices } = control;
  const base = { from_name: fromName, to_name: toName, type };
  if (type !== "choices") return typeof value === "number" ? { ...base, value: { [type]: value } } : undefined;
  const choice = choiceOf(value, choices);
  return choice === undefined ? undefined : { ...base, value: { choices: [choice] } };
}

/** The value an annotation states, or why it states none. */
export function valueOf(
  annotation: Pick<StudioAnnotation, "result">,
  task: DataSchema["task"],
): { readonly value: LabelValue } | { readonly problem: string } {
  const own = annotation.result.filter(({ type }) => type === "choices" || type === "number" || type === "rating");
  const named = own.filter((one) => one.from_name === LABEL);
  const [result, more] = named.length > 0 ? named : own;
  if (result === undefined) return { problem: "it holds no choice, number or rating" };
  if (more !== undefined) return { problem: `it holds several answers; name the one that is the label "${LABEL}"` };
  if (result.type !== "choices") {
    const value = result.value[result.type];
    return typeof value === "number" ? { value } : { problem: `its ${result.type} is no number` };
  }
  const choices = result.value["choices"];
  if (!Array.isArray(choices) || choices.length !== 1 || typeof choices[0] !== "string")
    return { problem: "it holds several choices; the label is one value" };
  const text = choices[0].trim();
  if (task === "regression") {
    const value = Number(text);
    return text !== "" && Number.isFinite(value) ? { value } : { problem: `"${text.slice(0, 60)}" is no number` };
  }
  if (task !== "binary") return { value: text };
  if (SAYS_TRUE.has(text.toLowerCase())) return { value: true };
  if (SAYS_FALSE.has(text.toLowerCase())) return { value: false };
  return { problem: `"${text.slice(0, 60)}" is neither true nor false` };
}

/** Who answered, as far as the export says. */
export function annotatorOf({ completed_by: by }: StudioAnnotation): string {
  if (typeof by === "object" && by !== null) {
    const { email, id } = by as { readonly email?: unknown; readonly id?: unknown };
    return annotatorOf({ result: [], completed_by: email ?? id });
  }
  if (typeof by === "string" && /^[\p{L}\p{N}][\p{L}\p{N} ._:@+-]{0,79}$/u.test(by)) return by;
  return typeof by === "number" ? `label-studio:${by}` : "label-studio";
}

/** A task as Label Studio imports it. `isHidden`: the model's answer would be a hint where people are measured. */
export function studioTask(
  task: LabelingTask,
  options: {
    readonly schema: DataSchema;
    readonly annotations: readonly Annotation[];
    readonly isHidden: boolean;
  },
): StudioTask {
  const { schema, annotations, isHidden } = options;
  const control = ownControl(schema);
  const predicted = task.decision === undefined || isHidden ? undefined : resultOf(task.decision, control);
  const score = task.scores !== undefined && task.scores.length > 1 ? Math.max(...task.scores) : undefined;
  return {
    data: { ...dataOf(schema, task.features), retrain_task: task.id, retrain_example: task.exampleId },
    meta: { origin: "retrain", model: task.model },
    predictions:
      predicted === undefined
        ? []
        : [{ model_version: task.version ?? "", ...(score === undefined ? {} : { score }), result: [predicted] }],
    annotations: annotations.flatMap((one): StudioAnnotation[] => {
      if (one.undone || one.kind === "flag") return [];
      const result = one.value === undefined ? undefined : resultOf(one.value, control);
      return [
        {
          id: one.id,
          result: result === undefined ? [] : [result],
          was_cancelled: one.kind === "skip",
          ground_truth: one.kind === "adjudication",
          completed_by: { email: one.labeler },
          created_at: new Date(one.at).toISOString(),
          ...(one.durationMs === undefined ? {} : { lead_time: one.durationMs / 1000 }),
        },
      ];
    }),
  };
}

/** Pictures and texts stand by themselves, where their tags look for them; the rest is one table. */
function dataOf(schema: DataSchema, features: Features): Record<string, unknown> {
  const data: Record<string, unknown> = {};
  const row: Record<string, unknown> = {};
  for (const { name, spec } of schema.features) {
    const given = features[name] ?? null;
    const value = spec.kind === "image" || spec.kind === "vector" ? shownValue(spec, given) : given;
    if (isPicture(spec) || isText(spec))
      data[name] = typeof value === "string" && isPicture(spec) ? asUrl(value) : value;
    else row[name] = value;
  }
  return Object.keys(row).length === 0 ? data : { ...data, [ROW]: row };
}

const PICTURE_URL = /^data:image\/(?:png|jpeg);base64,/;
const asUrl = (base64: string) =>
  PICTURE_URL.test(base64) ? base64 : `data:image/${base64.startsWith("/9j/") ? "jpeg" : "png"};base64,${base64}`;

/** The features a task carries, in its table or beside it; undefined when it carries none. */
export function featuresOf(
  schema: DataSchema,
  { data }: Pick<StudioTask, "data">,
): Record<string, unknown> | undefined {
  const table = data[ROW];
  const inner = typeof table === "object" && table !== null ? (table as Record<string, unknown>) : {};
  const found = schema.features.flatMap(({ name, spec }): [string, unknown][] => {
    const value = Object.hasOwn(inner, name) ? inner[name] : data[name];
    if (value === undefined) return [];
    return [[name, isPicture(spec) && typeof value === "string" ? value.replace(PICTURE_URL, "") : value]];
  });
  return found.length === 0 ? undefined : Object.fromEntries(found);
}

/** The example a task is about: ours, or the id column of its data. */
export function exampleOf(schema: DataSchema, { data }: Pick<StudioTask, "data">): string | undefined {
  const named = data["retrain_example"] ?? (schema.id === undefined ? undefined : data[schema.id]);
  if (typeof named === "string" && named !== "") return named;
  return typeof named === "number" ? String(named) : undefined;
}
