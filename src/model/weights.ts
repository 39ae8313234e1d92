/** Trained weights as `model.json` (shapes) and `model.bin` (little-endian arrays, 8-byte aligned), bit for bit. */
import { canonicalJson, fail } from "../core/index.ts";
import type { Json, JsonObject } from "../core/index.ts";
import type { TrainedWeights } from "../learn/index.ts";

const TYPES = { float32: Float32Array, float64: Float64Array, int32: Int32Array, uint8: Uint8Array } as const;
type TypeName = keyof typeof TYPES;
type Weights = TrainedWeights["arrays"][string];

interface ArrayEntry {
  readonly name: string;
  readonly type: TypeName;
  readonly length: number;
  readonly offset: number;
}

function typeName(array: Weights): TypeName {
  if (array instanceof Float32Array) return "float32";
  if (array instanceof Float64Array) return "float64";
  return array instanceof Int32Array ? "int32" : "uint8";
}

/** Arrays start at multiples of 8, so they can be read in place. */
function aligned(bytes: number): number {
  return Math.ceil(bytes / 8) * 8;
}

export function encodeWeights(trained: TrainedWeights): { readonly json: string; readonly binary: Uint8Array } {
  const names = Object.keys(trained.arrays).sort();
  const entries: ArrayEntry[] = [];
  let offset = 0;
  for (const name of names) {
    const array = trained.arrays[name] as Weights;
    entries.push({ name, type: typeName(array), length: array.length, offset });
    offset += aligned(array.byteLength);
  }
  const binary = new Uint8Array(offset);
  for (const entry of entries) {
    const array = trained.arrays[entry.name] as Weights;
    binary.set(new Uint8Array(array.buffer, array.byteOffset, array.byteLength), entry.offset);
  }
  const { trainer, shape, bestEpoch } = trained;
  const json = canonicalJson({ format: 1, trainer, shape, bestEpoch, arrays: entries as unknown as Json });
  return { json, binary };
}

/** @throws ARTIFACT_CORRUPT when the text and the bytes do not fit together. */
export function decodeWeights(json: string, binary: Uint8Array): TrainedWeights {
  const record = JSON.parse(json) as {
    readonly trainer: string;
    readonly shape: JsonObject;
    readonly bestEpoch: number;
    readonly arrays: readonly ArrayEntry[];
  };
  // A copy, because the bytes may lie at an odd offset of a pooled buffer.
  const buffer = binary.buffer.slice(binary.byteOffset, binary.byteOffset + binary.byteLength) as ArrayBuffer;
  const arrays: Record<string, Weights> = {};
  for (const { name, type, length, offset } of record.arrays) {
    const kind = TYPES[type];
    if (kind === undefined || offset % 8 !== 0 || offset + length * kind.BYTES_PER_ELEMENT > buffer.byteLength) {
      throw fail("ARTIFACT_CORRUPT", {
        message: `model.json places the array "${name}" (${length} × ${type}) outside model.bin of ${buffer.byteLength} bytes.`,
        remedy: "Restore the artifact from a backup, or go back to another version.",
      });
    }
    arrays[name] = new kind(buffer, offset, length);
  }
  return { trainer: record.trainer, shape: record.shape, arrays, bestEpoch: record.bestEpoch };
}
