/** The text of `retrain.config.ts` that `init` writes: what was decided, one line a column, with what it was decided on. */
import { plural } from "../../core/index.ts";
import type { Task } from "../../core/index.ts";
import { primaryMetricOf } from "../model-fields.ts";
import type { ColumnDecision, ColumnUse } from "./decide.ts";

export interface ConfigTextInput {
  readonly modelName: string;
  /** File name for the head comment, and its path relative to the configuration. */
  readonly fileName: string;
  readonly sourcePath: string;
  readonly decisions: readonly ColumnDecision[];
  readonly missing: readonly string[];
  readonly labelledRows: number;
}

/** New labelled rows after which it retrains. */
const NEW_LABELS = 200;
/** Below the defaults' 200 + 100 rows a smaller holdout is written out. */
const SMALL_FILE_ROWS = 300;

const text = (value: string) => JSON.stringify(value);
const key = (name: string) => (/^[A-Za-z_$][\w$]*$/.test(name) ? name : text(name));
/** File content must not end the comment it is put in. */
const comment = (value: string) => value.replace(/[\p{Cc}\p{Zl}\p{Zp}]+/gu, " ").trim();

export function configText(input: ConfigTextInput): string {
  const label = input.decisions.find((one) => one.use.as === "label") as ColumnDecision;
  const { task } = label.use as Extract<ColumnUse, { as: "label" }>;
  const find = (as: ColumnUse["as"]) => input.decisions.find((one) => one.use.as === as)?.column;
  const id = find("id");
  const time = find("time");
  const ignored = input.decisions.filter((one) => one.use.as === "left-out").map((one) => one.column);
  const variable = variableName(input.modelName);
  const sourceLines = [
    `      model: ${text(input.modelName)},`,
    ...(input.missing.length === 0 ? [] : [`      missing: ${list(input.missing)}, // besides blank and NA`]),
  ];
  return [
    `// Made by \`retrain init\` from ${comment(input.fileName)}. A running server takes a valid change over by itself.`,
    'import { defineConfig, defineModel, f, source, when } from "retrain";',
    "",
    `export const ${variable} = defineModel({`,
    `  name: ${text(input.modelName)},`,
    `  task: ${text(task)},`,
    ...(id === undefined ? [] : [`  id: ${text(id)},`]),
    ...(time === undefined
      ? ["  // No time column: rows count in the order of the file."]
      : [`  time: ${text(time)},`]),
    "  features: {",
    ...input.decisions.flatMap(featureLines),
    "  },",
    `  label: ${labelText(label.use)}, // ${comment(label.reason)}`,
    `  labelColumn: ${text(label.column)},`,
    ...(ignored.length === 0 ? [] : [`  ignore: ${list(ignored)}, // rows may carry them; nobody reads them`]),
    ...smallFile(input.labelledRows),
    "  retrain: {",
    `    when: when.any(when.newLabels(${NEW_LABELS}), when.performanceDrop(${text(primaryMetricOf(task))})),`,
    '    how: "full", // or "warm-start": fine-tune the live version',
    '    cooldown: "1m",',
    "    maxPerDay: 24,",
    "  },",
    "});",
    "",
    "export default defineConfig({",
    `  models: [${variable}],`,
    "  sources: [",
    `    source.file(${text(input.sourcePath)}, {`,
    ...sourceLines,
    "    }),",
    "  ],",
    "});",
    "",
  ].join("\n");
}

function featureLines(decision: ColumnDecision): readonly string[] {
  const { use } = decision;
  const name = key(decision.column);
  const note = comment(decision.reason);
  const warning =
    decision.warning === undefined ? [] : [`    // Look: ${comment(decision.column)} ${comment(decision.warning)}`];
  switch (use.as) {
    case "number":
      return [...warning, `    ${name}: f.number(${options({ missing: use.missing })}), // ${note}`];
    case "category":
      return [...warning, `    ${name}: f.category(${options({ missing: use.missing })}), // ${note}`];
    case "boolean":
      return [...warning, `    ${name}: f.boolean(${options({ texts: use.texts, missing: use.missing })}), // ${note}`];
    case "left-out":
      return [`    // ${comment(decision.column)}: left out, ${note}`];
    default:
      return [];
  }
}

function labelText(use: ColumnUse): string {
  const { task, texts } = use as { task: Task; texts?: readonly string[] };
  if (task === "binary") return `f.boolean(${options({ texts: texts ?? [] })})`;
  return task === "multiclass" ? "f.category()" : "f.number()";
}

function options(values: Readonly<Record<string, readonly string[]>>): string {
  const parts = Object.entries(values).flatMap(([name, one]) => (one.length === 0 ? [] : [`${name}: ${list(one)}`]));
  return parts.length === 0 ? "" : `{ ${parts.join(", ")} }`;
}

const list = (values: readonly string[]) => `[${values.map(text).join(", ")}]`;

function smallFile(labelledRows: number): readonly string[] {
  if (labelledRows >= SMALL_FILE_ROWS) return [];
  const holdout = Math.max(10, Math.floor(labelledRows / 4));
  const minRows = Math.max(holdout + 10, Math.floor(labelledRows * 0.9));
  return [
    `  // Only ${plural(labelledRows, "labelled row")}: the gate will rarely be sure. Remove this line when there are more.`,
    `  data: { minRows: ${minRows}, holdout: { minRows: ${holdout} } },`,
  ];
}

/** A valid identifier near the name. */
export function variableName(modelName: string): string {
  const camel = modelName.replace(/[^a-z0-9]+([a-z0-9]?)/g, (_, next: string) => next.toUpperCase());
  return /^[a-z]/.test(camel) && !RESERVED.has(camel)
    ? camel
    : `model${camel.charAt(0).toUpperCase()}${camel.slice(1)}`;
}
const RESERVED = new Set(
  "break case catch class const continue debugger default delete do else enum export extends false finally for function if import in instanceof new null return super switch this throw true try typeof var void while with yield let static await async f when source defineConfig defineModel".split(
    " ",
  ),
);
