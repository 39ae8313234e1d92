// `npm start`, as it runs: the built command, the real server over HTTP, two and a half years of a bank's calls.
import { spawn } from "node:child_process";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { beforeAll, describe, expect, it } from "vitest";

const MAIN = join(fileURLToPath(new URL("../..", import.meta.url)), "dist", "src", "cli", "main.js");
/** The replay takes a minute and a half of two cores; shared machines take several times as long. */
const LIMIT_MS = 900_000;

interface Story {
  readonly versions: readonly { name: string; role: string | null; state: string }[];
  readonly runs: readonly {
    trigger: string;
    reason: string;
    state: string;
    version: string | null;
    steps: readonly { step: string; state: string }[];
    gate: { outcome: string; reason: string; checks: readonly { reason: string }[] } | null;
  }[];
  readonly quarters: readonly { quarter: string; staticLogLoss: number; liveLogLoss: number; rows: number }[];
  readonly eventsIngested: number;
  readonly seconds: number;
}

function run(words: readonly string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [MAIN, ...words], { stdio: ["ignore", "pipe", "pipe"] });
    let stdout = "";
    let stderr = "";
    child.stdout.on("data", (chunk: Buffer) => (stdout += chunk.toString()));
    child.stderr.on("data", (chunk: Buffer) => (stderr += chunk.toString()));
    child.on("close", (code) => resolve({ code, stdout, stderr }));
  });
}

// Set by .ci/run. A minute is too long for the suite that runs at every save.
const isSkipped = process.env["CI"] === undefined;
if (isSkipped) console.error("The bank's story runs where CI is set: it takes a minute.");

describe.skipIf(isSkipped)("the bank's story", () => {
  let story: Story;
  let printed: { code: number | null; stdout: string; stderr: string };
  beforeAll(async () => {
    printed = await run(["demo", "--bank", "--once", "--json"]);
    expect([printed.code, printed.code === 0 ? "" : printed.stderr.slice(-2000)]).toEqual([0, ""]);
    story = JSON.parse(printed.stdout) as Story;
  }, LIMIT_MS);

  it("prints exactly one line of JSON with its five keys, and the console's address beside it", () => {
    expect(printed.stdout.trimEnd().split("\n")).toHaveLength(1);
    expect(Object.keys(story)).toEqual(["versions", "runs", "quarters", "eventsIngested", "seconds"]);
    expect(printed.stderr).toMatch(/Console {2}http:\/\/127\.0\.0\.1:\d+/);
  });

  it("sends every row, and every label two weeks late", () => {
    // 45,211 rows; those of the first eight weeks that were known by then came with their labels.
    expect(story.eventsIngested).toBeGreaterThan(75_000);
    expect(story.eventsIngested).toBeLessThanOrEqual(2 * 45_211);
    const answered = story.quarters.reduce((sum, { rows }) => sum + rows, 0);
    expect(answered).toBeGreaterThan(30_000);
    expect(story.quarters[0]?.quarter).toBe("2008 Q3");
    expect(story.quarters.at(-1)?.quarter).toBe("2010 Q4");
  });

  it("shows the first version going stale, and the live model staying at most 0.85 of its loss from 2009 Q3 on", () => {
    const late = story.quarters.filter(({ quarter }) => quarter >= "2009 Q3");
    const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const fixed = mean(late.map(({ staticLogLoss }) => staticLogLoss));
    const live = mean(late.map(({ liveLogLoss }) => liveLogLoss));
    expect(fixed).toBeGreaterThan(2 * (story.quarters[0]?.staticLogLoss ?? Number.POSITIVE_INFINITY));
    expect(live / fixed).toBeLessThanOrEqual(0.85);
  });

  it("trains v1 first, promotes several, and refuses or holds at least one for a stated reason", () => {
    expect(story.runs[0]).toMatchObject({ state: "promoted", version: "v1" });
    const states = story.runs.map(({ state }) => state);
    expect(states.filter((state) => state === "promoted").length).toBeGreaterThan(3);
    const refused = story.runs.filter(({ state }) => state === "rejected" || state === "held");
    expect(refused.length).toBeGreaterThan(0);
    for (const { gate } of refused) {
      expect(["reject", "hold"]).toContain(gate?.outcome);
      expect(gate?.reason.length).toBeGreaterThan(20);
    }
    expect(story.versions.filter(({ role }) => role === "champion")).toHaveLength(1);
  });

  it("records why each run began and what each of its steps did", () => {
    for (const one of story.runs) {
      expect(one.reason.length).toBeGreaterThan(10);
      if (one.gate !== null) expect(one.steps).toHaveLength(8);
    }
    const triggers = new Set(story.runs.map(({ trigger }) => trigger));
    expect(triggers).toContain("performanceDrop");
    expect(triggers).toContain("schedule");
  });
});
