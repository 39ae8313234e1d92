import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { systemClock } from "../../src/core/index.ts";
import { lockDirectory } from "../../src/storage/directory-lock.ts";
import { openDatabase } from "../../src/storage/pool.ts";

const here = (name: string) => fileURLToPath(new URL(name, import.meta.url));

async function startHolder(directory: string): Promise<ChildProcess> {
  const child = spawn(process.execPath, [here("./run-typescript.mjs"), here("./lock-holder.ts"), directory], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout as NodeJS.ReadableStream, "data");
  return child;
}

describe("the lock of a data directory", () => {
  let home: string;
  let directory: string;
  let holder: ChildProcess | undefined;
  beforeEach(() => {
    home = mkdtempSync(join(tmpdir(), "retrain-lock-"));
    directory = join(home, "data");
  });
  afterEach(() => {
    holder?.kill("SIGKILL");
    holder = undefined;
    rmSync(home, { recursive: true, force: true });
  });

  it("refuses a second process and names the first one's pid", async () => {
    holder = await startHolder(directory);
    const second = openDatabase({ directory, systemClock });
    await expect(second).rejects.toMatchObject({ code: "DIRECTORY_LOCKED", details: { pid: holder.pid } });
    await expect(second).rejects.toThrow(`is used by the process ${holder.pid}`);
  });

  it("is given back by a process that was killed", async () => {
    holder = await startHolder(directory);
    const exited = once(holder, "exit");
    holder.kill("SIGKILL");
    await exited;
    const lock = await lockDirectory(directory);
    lock.release();
  });

  it("refuses the same process a second time, by whatever path, until it is released", async () => {
    const lock = await lockDirectory(directory);
    const alias = join(home, "alias");
    symlinkSync(directory, alias);
    await expect(lockDirectory(alias)).rejects.toMatchObject({ code: "DIRECTORY_LOCKED" });
    await expect(lockDirectory(alias)).rejects.toThrow(String(process.pid));
    lock.release();
    lock.release();
    (await lockDirectory(alias)).release();
  });

  it("refuses a second of two takers in the same instant", async () => {
    const outcomes = await Promise.allSettled([lockDirectory(directory), lockDirectory(directory)]);
    expect(outcomes.map(({ status }) => status).sort()).toEqual(["fulfilled", "rejected"]);
    for (const outcome of outcomes) if (outcome.status === "fulfilled") outcome.value.release();
  });
});
