import { firstText, readFields } from "../../../src/model/onnx/proto.ts";

/** What an ONNX file says of itself: `metadata_props`. */
export function notesOf(bytes: Uint8Array): Record<string, string> {
  const notes = readFields(bytes).filter(({ field }) => field === 14);
  return Object.fromEntries(notes.map((note) => [1, 2].map((part) => firstText(readFields(note.bytes), part))));
}
