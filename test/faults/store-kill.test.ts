import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { countLost, StoreChild } from "./store-child.ts";

const KILLS = 30;
/** Ids of one child never meet those of another. */
const IDS_PER_CHILD = 1_000_000;

async function killRepeatedly(directory: string, kills: number) {
  const ackedFile = `${directory}.txt`;
  let acked = 0;
  for (let round = 0; round < kills; round++) {
    const child = new StoreChild({ directory, ackedFile, firstId: round * IDS_PER_CHILD, mode: "rows" });
    await child.until("writing", ({ lines }) => lines.includes("ready"));
    expect(child.lines).toEqual(["missing 0", "ready"]);
    // Kill after ever more rows, so that the blow falls at many places of a commit.
    await child.until("some rows", (running) => running.acked > 5 * round);
    await systemClock.sleep(round % 7);
    await child.kill();
    acked += child.acked;
  }
  return { acked, outcome: await countLost(directory, ackedFile, kills * IDS_PER_CHILD) };
}

describe("an embedded database whose process is killed", () => {
  let home: string;
  beforeAll(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-kill-"));
  });
  afterAll(() => rmSync(home, { recursive: true, force: true }));

  it(`loses no acknowledged row over ${KILLS} kills, and opens every time`, async () => {
    // Two stores at once, half the kills each: the time goes into starting processes.
    const stores = await Promise.all(["left", "right"].map((name) => killRepeatedly(join(home, name), KILLS / 2)));
    for (const { acked, outcome } of stores) {
      expect(acked).toBeGreaterThan(KILLS * 10);
      expect(outcome).toEqual({ lost: 0, isIndexEqual: true });
    }
  }, 180_000);

  it("opens after a kill at any moment of its first start", async () => {
    const ackedFile = join(home, "first.txt");
    for (let round = 0; round < 8; round++) {
      const place = { directory: join(home, `first-${round}`), ackedFile, firstId: 0, mode: "rows" as const };
      const child = new StoreChild(place);
      const begun = () => existsSync(place.directory);
      await child.until("a data directory", begun);
      // The cluster is unpacked (or made) and opened within about a second from here.
      await systemClock.sleep(120 * round);
      await child.kill();
      rmSync(ackedFile, { force: true });
      expect(await countLost(place.directory, ackedFile, 0)).toEqual({ lost: 0, isIndexEqual: true });
      rmSync(ackedFile, { force: true });
    }
  }, 180_000);

  it("loses nothing when a commit's fsync fails, and answers again by itself before it is killed", async () => {
    const directory = join(home, "eio");
    const ackedFile = join(home, "eio.txt");
    const child = new StoreChild({ directory, ackedFile, firstId: 0, mode: "rows", fault: "fsync-eio:150" });
    await child.until("the failed fsync", (running) => running.saw(/^down/));
    const before = child.acked;
    await child.until("writing again", (running) => running.lines.includes("up") && running.acked > before + 50);
    await child.kill();
    expect(child.lines.filter((line) => line.startsWith("down"))[0]).toBe("down STORE_UNAVAILABLE");
    expect(before).toBeGreaterThan(50);
    expect(await countLost(directory, ackedFile, IDS_PER_CHILD)).toEqual({ lost: 0, isIndexEqual: true });
  });
});
