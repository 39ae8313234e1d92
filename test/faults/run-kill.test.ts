import { execFile } from "node:child_process";
import { cp, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { RUN_STEPS } from "../../src/core/index.ts";
import { programFile } from "./support/programs.ts";

const child = programFile("run-child");

interface Report {
  readonly runs: readonly {
    id: string;
    state: string;
    version: string | null;
    steps: readonly string[];
    candidates: readonly string[];
  }[];
  readonly engineSteps: readonly number[];
  readonly versions: readonly { name: string; runId: string; role: string | null; whole: boolean }[];
  readonly serving: string;
  readonly routing: number;
  readonly promotions: number;
  readonly alerts: readonly string[];
  readonly jobFolders: number;
  readonly learned: { readonly rows: number; readonly weights: string; readonly losses: readonly string[] } | null;
}

/** Runs the child to its end. @returns its report, or the signal that ended it */
function runChild(directory: string, mode: string, stopAt?: string, how?: string): Promise<Report | "killed"> {
  const env = { ...process.env, ...(stopAt === undefined ? {} : { RETRAIN_STOP_AT: stopAt }) };
  return new Promise((resolve, reject) => {
    execFile(
      process.execPath,
      [child, directory, mode, ...(how === undefined ? [] : [how])],
      { env, timeout: 90_000 },
      (error, stdout, stderr) => {
        if (error !== null && error.signal === "SIGKILL" && stderr.includes(`stop point ${stopAt}`)) resolve("killed");
        else if (error !== null)
          reject(new Error(`${mode} at ${stopAt ?? "no stop"} ended badly: ${error.message}\n${stderr.slice(-2_000)}`));
        else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as Report);
      },
    );
  });
}

const points = [
  ...RUN_STEPS.flatMap((step) => [`${step}.begun`, `${step}.done`, `${step}.recorded`]),
  "register.stored",
  "register.numbered",
  "rollout.loaded",
  "rollout.promote.before",
  "rollout.promote.committed",
  "finish.updated",
  "finish.reported",
];

describe("kill -9 at every named stop point of a run", () => {
  let home: string;
  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-run-kill-"));
    const seeded = (await runChild(join(home, "seed"), "seed")) as Report;
    expect(seeded).toMatchObject({ serving: "v1", routing: 1 });
  });
  afterAll(async () => rm(home, { recursive: true, force: true }));

  it.concurrent.each(points)("resumes to the records of an undisturbed run after a kill at %s", async (point) => {
    const directory = join(home, point);
    await cp(join(home, "seed"), directory, { recursive: true });
    expect(await runChild(directory, "run", point)).toBe("killed");
    const report = (await runChild(directory, "finish")) as Report;

    expect(report.runs.map((run) => run.state)).toEqual(["promoted", "promoted"]);
    const newest = report.runs[0] as Report["runs"][number];
    expect(newest.steps).toEqual(RUN_STEPS.map((step) => `${step}:done`));
    expect(report.engineSteps[0]).toBeGreaterThanOrEqual(8);
    expect(report.versions.map((version) => version.name).sort()).toEqual(["v1", "v2"]);
    expect(report.versions.filter((version) => version.role === "champion").map((version) => version.name)).toEqual([
      "v2",
    ]);
    expect(report.versions.every((version) => version.whole)).toBe(true);
    expect(report).toMatchObject({ serving: "v2", routing: 2, alerts: [], jobFolders: 0 });
    expect(report.promotions).toBeLessThanOrEqual(2);
    await rm(directory, { recursive: true, force: true });
  });
});

describe("kill -9 between two candidates of the strategy best", () => {
  it("goes on with the next candidate and keeps what the first one came to", async () => {
    const directory = await mkdtemp(join(tmpdir(), "retrain-best-kill-"));
    const undisturbed = (await runChild(join(directory, "a"), "seed", undefined, "best")) as Report;
    expect(await runChild(join(directory, "b"), "seed", "best.trained", "best")).toBe("killed");
    const resumed = (await runChild(join(directory, "b"), "finish", undefined, "best")) as Report;
    expect(resumed.runs[0]?.state).toBe("promoted");
    expect(resumed.runs[0]?.candidates).toEqual(undisturbed.runs[0]?.candidates);
    expect(resumed.runs[0]?.candidates).toEqual(["linear full: chosen, 5 points", "majority full: trained, 1 points"]);
    expect(resumed).toMatchObject({ serving: "v1", alerts: [], jobFolders: 0 });
    await rm(directory, { recursive: true, force: true });
  });
});

describe("kill -9 while the worker learns example by example", () => {
  it.each(["incremental.learned", "incremental.kept"])(
    "comes to the same weights after a kill at %s",
    async (point) => {
      const home = await mkdtemp(join(tmpdir(), "retrain-incremental-kill-"));
      await runChild(join(home, "a"), "seed", undefined, "incremental");
      await cp(join(home, "a"), join(home, "b"), { recursive: true });
      const undisturbed = (await runChild(join(home, "a"), "run", undefined, "incremental")) as Report;
      expect(undisturbed.learned?.rows).toBeGreaterThan(400);
      expect(await runChild(join(home, "b"), "run", point, "incremental")).toBe("killed");
      const resumed = (await runChild(join(home, "b"), "run", undefined, "incremental")) as Report;
      expect(resumed.learned).toEqual(undisturbed.learned);
      expect(resumed).toMatchObject({ alerts: [], jobFolders: 0 });
      await rm(home, { recursive: true, force: true });
    },
  );
});
