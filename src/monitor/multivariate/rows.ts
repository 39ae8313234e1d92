/** Rows of two windows as one frame: what both sides have, the reference first. */
import { fail } from "../../core/index.ts";
import { type Frame, type FrameColumn, profiledFrame } from "../../data/index.ts";

export interface JoinedRows {
  readonly frame: Frame;
  /** The first so many rows are the reference's. */
  readonly reference: number;
  readonly current: number;
}

/** Evenly spaced rows of both sides, at most `most` of each; wide features as the columns that stand for them. @throws COLUMN_MISSING */
export function joinRows(reference: Frame, current: Frame, most: number): JoinedRows {
  const before = spaced(profiledFrame(reference), most);
  const now = spaced(profiledFrame(current), most);
  const columns = before.columns.map((column): FrameColumn => {
    const other = now.columns.find((one) => one.name === column.name);
    if (other === undefined || other.kind !== column.kind) {
      throw fail("COLUMN_MISSING", {
        message: `The current rows have no ${column.kind} column "${column.name}", which the reference has.`,
        remedy: "Compare rows of the same columns.",
      });
    }
    return joined(column, other);
  });
  return { frame: { rows: before.rows + now.rows, columns }, reference: before.rows, current: now.rows };
}

function spaced(frame: Frame, most: number): Frame {
  if (frame.rows <= most) return frame;
  const rows = Uint32Array.from({ length: most }, (_, i) => Math.floor((i * frame.rows) / most));
  const columns = frame.columns.map((column): FrameColumn => {
    if (column.kind === "number")
      return { ...column, values: Float32Array.from(rows, (row) => column.values[row] as number) };
    if (column.kind === "boolean")
      return { ...column, values: Uint8Array.from(rows, (row) => column.values[row] as number) };
    return { ...column, codes: Int32Array.from(rows, (row) => column.codes[row] as number) };
  });
  return { rows: most, columns };
}

function joined(left: FrameColumn, right: FrameColumn): FrameColumn {
  if (left.kind === "number" && right.kind === "number") {
    const values = new Float32Array(left.values.length + right.values.length);
    values.set(left.values);
    values.set(right.values, left.values.length);
    return { kind: "number", name: left.name, values };
  }
  if (left.kind === "boolean" && right.kind === "boolean") {
    const values = new Uint8Array(left.values.length + right.values.length);
    values.set(left.values);
    values.set(right.values, left.values.length);
    return { kind: "boolean", name: left.name, values };
  }
  if (left.kind !== "category" || right.kind !== "category") return left;
  const dictionary = [...left.dictionary];
  const codeOf = new Map(dictionary.map((text, code) => [text, code]));
  const codes = new Int32Array(left.codes.length + right.codes.length);
  codes.set(left.codes);
  const moved = right.dictionary.map((text) => {
    const known = codeOf.get(text);
    if (known !== undefined) return known;
    codeOf.set(text, dictionary.length);
    return dictionary.push(text) - 1;
  });
  right.codes.forEach((code, i) => {
    codes[left.codes.length + i] = code < 0 ? code : (moved[code] as number);
  });
  return { kind: "category", name: left.name, codes, dictionary };
}
