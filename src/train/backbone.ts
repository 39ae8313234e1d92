/** Where the file of a backbone lies in a job folder, the same for the loop and its training process. */
import { basename, dirname, join } from "node:path";

/** The folder of the run: that of a candidate of `best` is `candidates/0` of it. */
export function runFolder(folder: string): string {
  const above = dirname(folder);
  return basename(above) === "candidates" ? dirname(above) : folder;
}

export const backboneFile = (folder: string, sha256: string): string =>
  join(runFolder(folder), `backbone-${sha256}.onnx`);
