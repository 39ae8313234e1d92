import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createRandom, systemClock } from "../../src/core/index.ts";
import { StoreChild } from "./store-child.ts";

const KILLS = 100;
const STORES = 2;
/** Ids of one child never meet those of another. */
const IDS_PER_CHILD = 1_000_000;

interface Check {
  readonly events: number;
  readonly lost: number;
  readonly doubled: number;
  readonly torn: number;
  readonly miscounted: number;
  readonly misfound: number;
}

async function startChild(
  directory: string,
  ackedFile: string,
  round: number,
): Promise<{ child: StoreChild; check: Check }> {
  const child = new StoreChild({
    directory,
    ackedFile,
    firstId: round * IDS_PER_CHILD,
    mode: "rows",
    program: "log-writer",
  });
  await child.until("the check of the log", ({ lines }) => lines.includes("ready"));
  const line = child.lines.find((text) => text.startsWith("check ")) as string;
  return { child, check: JSON.parse(line.slice("check ".length)) as Check };
}

const SOUND = { lost: 0, doubled: 0, torn: 0, miscounted: 0, misfound: 0 };

async function killRepeatedly(directory: string, seed: number) {
  const ackedFile = `${directory}.txt`;
  const random = createRandom(seed);
  let acked = 0;
  let compacted = 0;
  for (let round = 0; round < KILLS / STORES; round++) {
    const { child, check } = await startChild(directory, ackedFile, round);
    expect(check).toMatchObject(SOUND);
    // Every other blow falls into a later compaction: after the first one, at a random time of the next.
    await child.until("some work", (running) => running.acked > 3 && (round % 2 === 0 || running.saw(/^compacted/)));
    await systemClock.sleep(random.nextInt(120));
    await child.kill();
    acked += child.acked;
    compacted += child.lines.filter((line) => line === "compacted").length;
  }
  const { child, check } = await startChild(directory, ackedFile, KILLS);
  await child.kill();
  return { acked, compacted, check };
}

describe("a log whose process is killed while it takes events and compacts", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-log-kill-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it(`loses and doubles no acknowledged event over ${KILLS} kills, and opens every time`, async () => {
    const stores = await Promise.all(
      Array.from({ length: STORES }, (_, i) => killRepeatedly(join(home, `store-${i}`), i + 1)),
    );
    for (const { acked, compacted, check } of stores) {
      expect(check).toMatchObject(SOUND);
      expect(check.events).toBeGreaterThanOrEqual(3 * acked);
      expect(acked).toBeGreaterThan(10 * KILLS);
      expect(compacted).toBeGreaterThanOrEqual(Math.floor(KILLS / STORES / 2));
    }
  }, 600_000);
});
