/** Every key of the configuration with its rule, default and meaning, for the reference page, the console and `config` help. */
import type { FieldInfo, Json, Task } from "../core/index.ts";
import { GATES } from "../evaluate/index.ts";
import { TRIGGERS } from "../trigger/index.ts";
import { modelTable } from "./model-fields.ts";
import { CONFIG_INFO } from "./resolve.ts";

export interface ReferenceEntry {
  /** `server.port`, `models.<name>.data.holdout.share`, `when.newLabels.count`. */
  readonly path: string;
  /** The constraint: "it must be …". */
  readonly rule: string;
  readonly description: string;
  /** Absent where the key must be given, or may be left out without a value taking its place. */
  readonly default?: Json;
}

/** @param task keys, defaults and allowed metrics of a model depend on it */
export function configReference(task: Task): readonly ReferenceEntry[] {
  const top = Object.entries(CONFIG_INFO.fields ?? {}).flatMap(([key, info]) => entries(key, info));
  const model = Object.entries(modelTable(task)).flatMap(([key, field]) => entries(`models.<name>.${key}`, field.info));
  const triggers = TRIGGERS.flatMap((trigger) =>
    Object.entries(trigger.fields(task)).flatMap(([key, field]) => entries(`when.${trigger.kind}.${key}`, field.info)),
  );
  const gates = GATES.flatMap((gate) =>
    Object.entries(gate.fields(task)).flatMap(([key, field]) => entries(`gate.${gate.kind}.${key}`, field.info)),
  );
  return [...top, ...model, ...triggers, ...gates];
}

function entries(path: string, info: FieldInfo): readonly ReferenceEntry[] {
  const { rule, description, default: fallback, fields } = info;
  if (fields !== undefined) return Object.entries(fields).flatMap(([key, one]) => entries(`${path}.${key}`, one));
  return [{ path, rule, description, ...(fallback === undefined ? {} : { default: fallback }) }];
}
