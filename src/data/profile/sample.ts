/**
 * A few rows of a reference, kept with its profile: counts by column cannot say what columns do together. Columns are stored as their
 * bytes in base64, so that two thousand rows of twenty columns are a fifth of a megabyte and read at once.
 */
import type { Frame, FrameColumn } from "../frame.ts";

export interface RowSample {
  readonly rows: number;
  readonly columns: readonly {
    readonly kind: FrameColumn["kind"];
    readonly name: string;
    /** float32, little-endian; codes as int16 (−1: missing); booleans as bytes. */
    readonly bytes: string;
    readonly dictionary?: readonly string[];
  }[];
}

/** Rows kept at most: the AUC of a classifier over them is known within ±0.02. */
const MAX_ROWS = 2_000;
/** Rows kept in any case: fewer say nothing. */
const MIN_ROWS = 200;
/** Cells kept: half a megabyte. A model of a thousand features keeps fewer rows. */
const MAX_CELLS = 100_000;

const base64 = (values: Float32Array | Int16Array | Uint8Array) =>
  Buffer.from(values.buffer, values.byteOffset, values.byteLength).toString("base64");

/** Evenly spaced rows among `rows` of a frame without wide columns. */
export function sampleFrame(frame: Frame, rows: Uint32Array): RowSample {
  const most = Math.max(MIN_ROWS, Math.min(MAX_ROWS, Math.floor(MAX_CELLS / Math.max(1, frame.columns.length))));
  const count = Math.min(rows.length, most);
  const chosen = Uint32Array.from({ length: count }, (_, i) => rows[Math.floor((i * rows.length) / count)] as number);
  const columns = frame.columns.map((column) => {
    const { kind, name } = column;
    if (kind === "number") {
      return { kind, name, bytes: base64(Float32Array.from(chosen, (row) => column.values[row] as number)) };
    }
    if (kind === "boolean") {
      return { kind, name, bytes: base64(Uint8Array.from(chosen, (row) => column.values[row] as number)) };
    }
    const codeOf = new Map<number, number>([[-1, -1]]);
    const dictionary: string[] = [];
    const codes = Int16Array.from(chosen, (row) => {
      const code = column.codes[row] as number;
      const known = codeOf.get(code);
      if (known !== undefined) return known;
      codeOf.set(code, dictionary.length);
      return dictionary.push(column.dictionary[code] as string) - 1;
    });
    return { kind, name, bytes: base64(codes), dictionary };
  });
  return { rows: count, columns };
}

export function frameOfSample(sample: RowSample): Frame {
  const columns = sample.columns.map(({ kind, name, bytes, dictionary }): FrameColumn => {
    const data = new Uint8Array(Buffer.from(bytes, "base64"));
    if (kind === "boolean") return { kind, name, values: data };
    if (kind === "number") return { kind, name, values: new Float32Array(data.buffer, 0, sample.rows) };
    const codes = Int32Array.from(new Int16Array(data.buffer, 0, sample.rows));
    return { kind, name, codes, dictionary: dictionary ?? [] };
  });
  return { rows: sample.rows, columns };
}
