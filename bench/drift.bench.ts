// Drift of files and from profiles, with Evidently as the peer. `npm run bench -- monitors` takes these figures too.
import type { BenchResult } from "./harness.ts";
import { joined } from "./monitors/joined.ts";
import { driftFiles } from "./monitors/drift-files.ts";
import { profiles } from "./monitors/profiles.ts";

export async function run(): Promise<BenchResult> {
  return joined([await driftFiles(), await profiles()]);
}
