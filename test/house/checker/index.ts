import { checkConstructs } from "./constructs.ts";
import { type Breach, readSources } from "./files.ts";
import { checkCycles, checkDirection, checkOutsiders, checkSurface } from "./imports.ts";
import { checkShape } from "./shape.ts";

/** All breaches of the architecture in the tree at `root`. */
export function checkArchitecture(root: string): Breach[] {
  const files = readSources(root);
  const checks = [checkDirection, checkCycles, checkOutsiders, checkSurface, checkConstructs, checkShape];
  return checks.flatMap((check) => check(files));
}

export function describeBreach({ rule, file, line, message }: Breach): string {
  return `${file}:${line} ${rule}: ${message}`;
}
