/** Where the programs lie that this suite starts and kills. */
import { join } from "node:path";
import { inject } from "vitest";
import type { ProgramName } from "./bundle-programs.ts";

/** The JavaScript file of a program, for plain Node. */
export function programFile(name: ProgramName): string {
  return join(inject("programs"), `${name}.mjs`);
}
