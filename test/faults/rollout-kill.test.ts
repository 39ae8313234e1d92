/** One rollout after the other, killed at every stop point on the way, against the same story undisturbed. */
import { execFile } from "node:child_process";
import { cp, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { programFile } from "./support/programs.ts";

const child = programFile("rollout-child");

interface Report {
  readonly versions: readonly string[];
  readonly rollouts: readonly { readonly state: string; readonly phases: readonly { readonly kind: string }[] }[];
  readonly assignment: readonly string[];
}

/** Runs the child to its end. @returns its report, or undefined when it was killed where it should be */
function runChild(directory: string, mode: string, stopAt?: string): Promise<Report | undefined> {
  const env = { ...process.env, ...(stopAt === undefined ? {} : { RETRAIN_STOP_AT: stopAt }) };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [child, directory, mode], { env, timeout: 120_000 }, (error, stdout, stderr) => {
      if (error !== null && error.signal === "SIGKILL" && stderr.includes(`stop point ${stopAt}`)) resolve(undefined);
      else if (error === null && stopAt !== undefined) reject(new Error(`never came to ${stopAt}`));
      else if (error !== null)
        reject(new Error(`${mode} at ${stopAt ?? "no stop"}: ${error.message}\n${stderr.slice(-2_000)}`));
      else resolve(JSON.parse(stdout.trim().split("\n").at(-1) as string) as Report);
    });
  });
}

const around = (...actions: readonly string[]) =>
  actions.flatMap((action) => [`rollout.${action}.before`, `rollout.${action}.committed`]);
/** In the order the story comes to them. */
const points = [
  "rollout.loaded",
  ...around("start", "advance", "pause", "resume", "promote", "rollback", "finish"),
  "promote.loaded",
  "promote.committed",
  "rollout.replaying",
  "rollout.replayed",
  ...around("replay"),
];

describe("kill -9 at every named stop point of rollouts", () => {
  let home: string;
  let undisturbed: Report;
  const starts = async () =>
    (await readFile(join(home, "killed", "starts.ndjson"), "utf8"))
      .trim()
      .split("\n")
      .map((line) => JSON.parse(line) as { champions: readonly string[]; serving: string });

  beforeAll(async () => {
    home = await mkdtemp(join(tmpdir(), "retrain-rollout-kill-"));
    await runChild(join(home, "killed"), "seed");
    await cp(join(home, "killed"), join(home, "undisturbed"), { recursive: true });
    undisturbed = (await runChild(join(home, "undisturbed"), "story")) as Report;
    expect(undisturbed.rollouts.slice(2).map(({ state }) => state)).toEqual(["rolled-back", "aborted", "open"]);
    expect(undisturbed.rollouts[2]?.phases.map(({ kind }) => kind)).toEqual(["shadow", "canary", "watch"]);
  });
  afterAll(async () => rm(home, { recursive: true, force: true }));

  it.each(points.map((point, i) => [point, i] as const))("goes on after a kill at %s", async (point, i) => {
    await runChild(join(home, "killed"), i === 0 ? "story" : "again", point);
    const { champions, serving } = (await starts())[i] as Awaited<ReturnType<typeof starts>>[number];
    expect(champions).toEqual([serving]);
  });

  it("ends with the assignment, the statistics and the champion of the undisturbed story", async () => {
    const report = await runChild(join(home, "killed"), "again");
    expect(report).toEqual(undisturbed);
    expect(undisturbed.versions.filter((one) => one.endsWith(" champion"))).toHaveLength(1);
    expect((await starts()).map(({ champions }) => champions.length)).toEqual([...points, "end"].map(() => 1));
  });
});
