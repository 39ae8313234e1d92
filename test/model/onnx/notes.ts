import { firstText, readFields } from "../../../src/model/onnx/proto.ts";

/** What an ONNX file says of itself: `metadata_props`. */
export function notesOf(bytes: Uint8Array): Record<string, string> {
  const notes = readFields(bytes).filter(({ field }) => field === 14);
  const text = (bytes: Uint8Array, part: number) => String(firstText(readFields(bytes), part));
  return Object.fromEntries(notes.map((note) => [text(note.bytes, 1), text(note.bytes, 2)] as const));
}
