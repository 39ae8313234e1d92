// The trainers against native libraries, section by section (bench/trainers/): same data and parameters, one thread.
import { epochTrainers } from "./trainers/epochs.ts";
import { openData, openPeer } from "./trainers/section.ts";
import type { BenchResult, Figure } from "./harness.ts";

const SECTIONS = [epochTrainers];
const ROWS = 100_000;

export async function run(): Promise<BenchResult> {
  const data = openData(ROWS);
  const peer = await openPeer();
  const figures: Figure[] = [];
  const notes = [
    `${ROWS.toLocaleString("en-US")} rows × ${data.train.x.columns} columns, one thread, processor seconds.`,
  ];
  if (peer !== undefined) notes.push(`scikit-learn ${peer.version}.`);
  try {
    for (const section of SECTIONS) {
      const result = await section.run(data, peer);
      figures.push(...result.figures);
      notes.push(...result.notes);
    }
  } finally {
    peer?.close();
    data.close();
  }
  return { figures, notes };
}
