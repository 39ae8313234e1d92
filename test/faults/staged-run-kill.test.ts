/** Runs that are killed while their version enters its first stage, or the queue behind an open rollout. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFile } from "./support/programs.ts";

const child = programFile("run-child");

interface Report {
  readonly runs: readonly { readonly state: string; readonly version: string | null }[];
  readonly versions: readonly { readonly name: string; readonly role: string | null }[];
  /** State, challenger, and who waits; newest first. */
  readonly rollouts: readonly string[];
  readonly serving: string;
}

function runChild(directory: string, mode: string, stopAt?: string): Promise<Report | "killed"> {
  const env = { ...process.env, ...(stopAt === undefined ? {} : { RETRAIN_STOP_AT: stopAt }) };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [child, directory, mode, "staged"],
      { env, timeout: 120_000 },
      (error, stdout, stderr) => {
        if (error !== null && error.signal === "SIGKILL" && stderr.includes(`stop point ${stopAt}`)) resolve("killed");
        else if (error !== null)
          reject(new Error(`${mode} at ${stopAt ?? "no stop"}: ${error.message}\n${stderr.slice(-2_000)}`));
        else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as Report);
      },
    );
  });
}

describe("kill -9 while a run hands its version to a rollout", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-staged-kill-"));
    expect(await runChild(join(home, "before"), "seed")).toMatchObject({ serving: "v1", rollouts: [] });
    await cp(join(home, "before"), join(home, "committed"), { recursive: true });
  });
  afterAll(async () => rm(home, { recursive: true, force: true }));

  const killAndFinish = async (point: string) => {
    const directory = join(home, point.split(".").at(-1) as string);
    expect(await runChild(directory, "run", point)).toBe("killed");
    const report = (await runChild(directory, "finish")) as Report;
    expect(new Set(report.runs.map(({ state }) => state))).toEqual(new Set(["promoted"]));
    expect(report.versions.filter(({ role }) => role === "champion").map(({ name }) => name)).toEqual(["v1"]);
    expect(report.versions.filter(({ role }) => role === "challenger").map(({ name }) => name)).toEqual(["v2"]);
    return report.rollouts;
  };

  it.each(["rollout.start.before", "rollout.start.committed"])(
    "begins one rollout after a kill at %s",
    async (point) => {
      expect(await killAndFinish(point)).toEqual(["open v2 nobody"]);
    },
  );

  it.each(["rollout.wait.before", "rollout.wait.committed"])(
    "lets the next one wait after a kill at %s",
    async (point) => {
      expect(await killAndFinish(point)).toEqual(["open v2 v3"]);
    },
  );
});
