import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, statfsSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ackedFileOf, countLost, StoreChild } from "./store-child.ts";

const MEGABYTE = 1024 * 1024;

/** Mounts a small file system of its own, or says why it cannot. */
function mountSmall(folder: string, megabytes: number): string | undefined {
  mkdirSync(folder, { recursive: true });
  const { status, stderr, error } = spawnSync("mount", ["-t", "tmpfs", "-o", `size=${megabytes}m`, "tmpfs", folder]);
  return status === 0 ? undefined : String(error?.message ?? stderr).trim();
}

function unmount(folder: string): void {
  spawnSync("umount", ["-l", folder]);
}

function probeMount(): string | undefined {
  const folder = mkdtempSync(join(tmpdir(), "retrain-mount-"));
  const refusal = mountSmall(folder, 1);
  if (refusal === undefined) unmount(folder);
  rmSync(folder, { recursive: true, force: true });
  return refusal;
}

function freeBytes(folder: string): number {
  const { bavail, bsize } = statfsSync(folder);
  return bavail * bsize;
}

const refusal = probeMount();

describe.skipIf(refusal !== undefined)(
  `an embedded database on a full disk${refusal === undefined ? "" : ` (skipped: mounting a small file system fails: ${refusal})`}`,
  () => {
    let home: string;
    let disk: string;
    let child: StoreChild | undefined;
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), "retrain-full-"));
      disk = join(home, "disk");
      mountSmall(disk, 160);
    });
    afterEach(async () => {
      await child?.kill();
      unmount(disk);
      rmSync(home, { recursive: true, force: true });
    });

    it("refuses writes when its log meets the end of the disk, recovers when space returns, and loses nothing", async () => {
      const ballast = join(disk, "ballast");
      writeFileSync(ballast, Buffer.alloc(60 * MEGABYTE));
      const place = { directory: join(disk, "data"), ackedFile: ackedFileOf(home) };
      child = new StoreChild({ ...place, firstId: 0, mode: "wal" });
      await child.until("the full disk", (running) => running.saw(/^down/));
      const before = child.acked;
      expect(child.lines.filter((line) => line.startsWith("down"))[0]).toBe("down STORE_UNAVAILABLE");
      expect(before).toBeGreaterThan(20);
      rmSync(ballast);
      await child.until("writing again", (running) => running.lines.includes("up") && running.acked > before + 20);
      await child.kill();
      expect(await countLost(place.directory, place.ackedFile, 1_000_000)).toEqual({ lost: 0, isIndexEqual: true });
    });

    it("refuses writes when a table meets the end of the disk, goes on when space returns, and loses nothing", async () => {
      const place = { directory: join(disk, "data"), ackedFile: ackedFileOf(home) };
      child = new StoreChild({ ...place, firstId: 0, mode: "rows" });
      await child.until("the first rows", (running) => running.acked > 20);
      const ballast = join(disk, "ballast");
      writeFileSync(ballast, Buffer.alloc(Math.floor(freeBytes(disk) / MEGABYTE) * MEGABYTE));
      await child.until("the full disk", (running) => running.saw(/^down/));
      const before = child.acked;
      expect(child.lines.filter((line) => line.startsWith("down"))[0]).toMatch(/^down STORE_(FULL|UNAVAILABLE)$/);
      rmSync(ballast);
      await child.until("writing again", (running) => running.lines.includes("up") && running.acked > before + 20);
      await child.kill();
      expect(await countLost(place.directory, place.ackedFile, 1_000_000)).toEqual({ lost: 0, isIndexEqual: true });
    });
  },
);
