import { spawnSync } from "node:child_process";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { StoreChild } from "./store-child.ts";

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
const refusal = probeMount();

describe.skipIf(refusal !== undefined)(
  `the log on a full disk${refusal === undefined ? "" : ` (skipped: mounting a small file system fails: ${refusal})`}`,
  () => {
    let home: string;
    let disk: string;
    let child: StoreChild | undefined;
    beforeEach(() => {
      home = mkdtempSync(join(tmpdir(), "retrain-log-full-"));
      disk = join(home, "disk");
      mountSmall(disk, 200);
    });
    afterEach(async () => {
      await child?.kill();
      unmount(disk);
      rmSync(home, { recursive: true, force: true });
    });

    it("refuses events as STORE_FULL, says so, takes them again by itself when space returns, and loses nothing", async () => {
      const start = (firstId: number, fillerBytes: number) =>
        new StoreChild({
          directory: join(disk, "data"),
          ackedFile: join(home, "acked.txt"),
          firstId,
          mode: "rows",
          program: "log-writer",
          env: { RETRAIN_TEST_FILLER: String(fillerBytes) },
        });
      const ballast = join(disk, "ballast");
      writeFileSync(ballast, Buffer.alloc(50 * MEGABYTE));
      child = start(0, 60_000);
      await child.until(
        "the full disk",
        (running) => running.saw(/^health full/) && running.saw(/^refused STORE_FULL/),
      );
      const before = child.acked;
      expect(before).toBeGreaterThan(10);
      rmSync(ballast);
      await child.until("taking events again", (running) => running.saw(/^health up/) && running.acked > before + 5);
      await child.kill();
      child = start(1_000_000, 0);
      await child.until("the check of the log", ({ lines }) => lines.includes("ready"));
      const check = JSON.parse((child.lines.find((line) => line.startsWith("check ")) as string).slice(6));
      expect(check).toMatchObject({ lost: 0, doubled: 0, torn: 0, miscounted: 0, misfound: 0 });
    }, 120_000);
  },
);
