/**
 * Another model's graph inside ours: its nodes and constants under names of their own, its inputs replaced by values we have. The
 * whole then has one version of each set of operators, that of the other model; our own nodes mean the same in all from 13 on.
 */
import { fail } from "../../core/index.ts";
import type { GraphBuilder } from "./graph.ts";
import { firstText, readFields, textOf, writeFields } from "./proto.ts";
import type { ProtoField } from "./proto.ts";

/** Softmax, squeezes and reductions meant something else before. */
const LEAST_OPSET = 13;
const LEAST_ML_OPSET = 2;
const ML_DOMAIN = "ai.onnx.ml";

const part = (fields: readonly ProtoField[], number: number) => fields.filter(({ field }) => field === number);
const intOf = (fields: readonly ProtoField[], number: number) => part(fields, number)[0]?.int ?? 0;

/**
 * @param feeds the value in our graph for each input of the other
 * @returns the value in our graph of its output
 * @throws EXPORT_UNSUPPORTED for a model of operators too old to stand beside ours
 */
export function spliceModel(
  graph: GraphBuilder,
  bytes: Uint8Array,
  feeds: ReadonlyMap<string, string>,
  output: string,
): string {
  const model = readFields(bytes);
  const opsets = new Map(
    part(model, 8).map(({ bytes: one }) => [firstText(readFields(one), 1), intOf(readFields(one), 2)] as const),
  );
  checkOpsets(opsets);
  const inner = readFields(part(model, 7)[0]?.bytes ?? new Uint8Array(0));
  // An optional input that is left out has the empty name.
  const rename = (name: string) => (name === "" ? "" : (feeds.get(name) ?? `backbone/${name}`));
  const renamed = renameGraph(inner, rename);
  graph.adopt({
    parts: renamed
      .filter(({ field }) => field === 1 || field === 5 || field === 15)
      .map((field) => writeFields([field])),
    functions: part(model, 25).map((field) => writeFields([field])),
    opsets,
    irVersion: intOf(model, 1),
  });
  return rename(output);
}

function checkOpsets(opsets: ReadonlyMap<string, number>): void {
  const own = opsets.get("") ?? opsets.get("ai.onnx") ?? 1;
  const ml = opsets.get(ML_DOMAIN) ?? LEAST_ML_OPSET;
  if (own >= LEAST_OPSET && ml >= LEAST_ML_OPSET) return;
  const [domain, found, least] = own < LEAST_OPSET ? ["opset", own, LEAST_OPSET] : [ML_DOMAIN, ml, LEAST_ML_OPSET];
  throw fail("EXPORT_UNSUPPORTED", {
    message: `The backbone is written for ${domain} ${found}; one graph with the head needs ${least} or newer.`,
    remedy:
      "Convert the file (`onnx.version_converter.convert_version(model, 17)`) and train with the new one, or export the version as an archive.",
  });
}

type Rename = (name: string) => string;
const text = (field: ProtoField, rename: Rename): ProtoField => ({
  ...field,
  bytes: new TextEncoder().encode(rename(textOf(field.bytes))),
});
/** The message's first text of that number renamed. */
const named = (field: ProtoField, number: number, rename: Rename): ProtoField => ({
  ...field,
  bytes: writeFields(readFields(field.bytes).map((one) => (one.field === number ? text(one, rename) : one))),
});

/** Nodes, constants, and inside subgraphs their own inputs and outputs; shapes that were inferred go. */
function renameGraph(graph: readonly ProtoField[], rename: Rename): ProtoField[] {
  return graph.flatMap((field) => {
    if (field.field === 1) return [{ ...field, bytes: renameNode(field.bytes, rename) }];
    if (field.field === 5) return [named(field, 8, rename)];
    // A sparse constant is named by its values.
    if (field.field === 15) {
      const fields = readFields(field.bytes).map((one) => (one.field === 1 ? named(one, 8, rename) : one));
      return [{ ...field, bytes: writeFields(fields) }];
    }
    if (field.field === 11 || field.field === 12) return [named(field, 1, rename)];
    return field.field === 13 || field.field === 14 ? [] : [field];
  });
}

function renameNode(node: Uint8Array, rename: Rename): Uint8Array {
  return writeFields(
    readFields(node).map((field) => {
      if (field.field <= 3) return text(field, rename);
      if (field.field !== 5) return field;
      const attribute = readFields(field.bytes).map((one) =>
        one.field === 6 || one.field === 11
          ? { ...one, bytes: writeFields(renameGraph(readFields(one.bytes), rename)) }
          : one,
      );
      return { ...field, bytes: writeFields(attribute) };
    }),
  );
}
