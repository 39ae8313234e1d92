// Everything monitors promise about speed: counting, reports, files, ticks, and detectors against River's.
import type { BenchResult } from "./harness.ts";
import { detectors } from "./monitors/detectors.ts";
import { driftFiles } from "./monitors/drift-files.ts";
import { joined } from "./monitors/joined.ts";
import { profiles } from "./monitors/profiles.ts";
import { ticks } from "./monitors/tick.ts";

export async function run(): Promise<BenchResult> {
  // Files first, while the process holds nothing else: what other sections leave behind would be walked by every collection of garbage.
  return joined([await driftFiles(), await profiles(), await detectors(), await ticks()]);
}
