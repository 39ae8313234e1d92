// The queue fills itself within its daily budget, people work at it from the command line, and the learning curve is drawn.
import { mkdtemp, readFile, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel } from "../../src/config/index.ts";
import { DAY_MS, HOUR_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import { createServer } from "../../src/server/index.ts";
import type { LabelingStats, LearningCurve } from "../../src/server/contract.ts";
import { openTestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "../cli/support.ts";
import { labelledRows, purchases, START, type TestServer, trainFirstVersion } from "./support.ts";
import { checkAnswers } from "./checked-answers.ts";

const BASE = "/api/v1/models/purchases";
const PER_DAY = 30;
let place: TestServer;
let url: readonly string[];

async function predict(count: number, seed: number): Promise<void> {
  const rows = labelledRows(count, place.test.clock.now(), seed).map(({ label: _, ...row }) => row);
  const answer = await place.server.app.inject({ method: "POST", url: `${BASE}/predict`, payload: { rows } });
  expect(answer.statusCode).toBe(200);
}
const batches = () => place.test.store.labeling.batches({ model: "purchases", limit: 100 });
const command = (...words: string[]) => runCommand("tasks", ...words, ...url);
const json = async <T>(...words: string[]) =>
  (JSON.parse((await command(...words, "--json")).stdout) as { data: T }).data;

beforeAll(async () => {
  const labeling = { perDay: PER_DAY, strategy: "entropy", overlap: 0 };
  const model = defineModel({ ...purchases, labeling } as never);
  const test = await openTestLoop(defineConfig({ models: [model], alerts: [] }), START);
  const server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
  checkAnswers(server);
  place = {
    test,
    server,
    dispose: async () => {
      await server.close();
      await test.dispose();
    },
  };
  await trainFirstVersion(place);
  const { port } = await server.listen({ host: "127.0.0.1", port: 0 });
  url = ["--url", `http://127.0.0.1:${port}`];
}, 60_000);
afterAll(() => place?.dispose());

describe("the queue's own batches", () => {
  it("take what the day's budget leaves, at most half of what there is to choose from", async () => {
    await predict(20, 61);
    await place.test.loop.advance(place.test.clock.now() + HOUR_MS);
    expect(await batches()).toMatchObject([{ picked: 10, poolSize: 20, strategy: "entropy" }]);
    await predict(200, 62);
    await place.test.loop.advance(place.test.clock.now() + HOUR_MS);
    expect((await batches()).map(({ picked }) => picked)).toEqual([20, 10]);
    await predict(50, 63);
    await place.test.loop.advance(place.test.clock.now() + 3 * HOUR_MS);
    expect(await batches()).toHaveLength(2);
  });

  it("go on a day later, and never exceed the budget of any 24 hours", async () => {
    for (let i = 0; i < 5; i++) {
      await predict(20, 70 + i);
      await place.test.loop.advance(place.test.clock.now() + 7 * HOUR_MS);
    }
    const all = await batches();
    expect(all.length).toBeGreaterThan(2);
    for (const { createdAt } of all) {
      const within = all.filter((one) => one.createdAt > createdAt - DAY_MS && one.createdAt <= createdAt);
      expect(within.reduce((sum, one) => sum + one.picked, 0)).toBeLessThanOrEqual(PER_DAY);
    }
  }, 30_000);
});

describe("retrain tasks", () => {
  it("lists, claims, answers, skips, flags and takes back", async () => {
    const listed = await command("purchases", "--state", "open", "--limit", "3");
    expect(listed.stdout.split("\n").filter((line) => line.includes(" open "))).toHaveLength(3);
    const claimed = await command("claim", "purchases", "--count", "2");
    expect(claimed.stdout).toContain("Answer with: retrain tasks answer purchases <task> <value>   (false, true)");
    const { tasks } = await json<{ tasks: { id: string }[] }>("claim", "purchases", "--count", "4");
    expect(tasks).toHaveLength(4);
    const [one, two, three] = tasks.map(({ id }) => id) as [string, string, string];
    expect((await command("answer", "purchases", one, "true")).stdout).toBe("answer kept; the task is done.\n");
    expect((await command("answer", "purchases", two, "--skip")).stdout).toMatch(/^skip kept; the task is open/);
    expect((await command("answer", "purchases", three, "--flag", "--comment", "odd")).stdout).toMatch(/adjudicate/);
    expect((await command("undo", "purchases")).stdout).toContain(three);
    expect(await command("answer", "purchases", one, "maybe")).toMatchObject({ code: 1, stdout: "" });
    expect(await command("answer", "purchases", three)).toMatchObject({ code: 2 });
    expect((await command("answer", "purchases", "nobody", "true")).code).toBe(5);
    expect((await command("stats", "purchases")).stdout).toMatch(/\d+ open, 0 to adjudicate, 1 done/);
  });

  it("writes a spreadsheet and reads its answers", async () => {
    const file = join(await mkdtemp(join(tmpdir(), "retrain-")), "to-label.csv");
    const exported = await command("export", "purchases", file);
    expect(exported.stdout).toMatch(/tasks in .*fill in the column "answer"/);
    const [header = "", ...lines] = (await readFile(file, "utf8")).trim().split("\n");
    expect(header).toBe("task,example,age,balance,job,answer");
    const answered = lines.map((line, i) => (i === 0 ? line : `${line}${Number(line.split(",")[2]) > 50}`));
    await writeFile(file, [header, ...answered].join("\n"));
    const imported = await command("import", "purchases", file);
    expect(imported.stdout).toBe(`${lines.length - 1} answers kept, 1 row without an answer.\n`);
    await writeFile(file, `${header}\n${(lines[1] as string).split(",")[0]},x,1,1,clerk,maybe\n`);
    const refused = await command("import", "purchases", file);
    expect(refused.code).toBe(1);
    expect(refused.stdout).toContain("row 1:");
    const { states } = await json<LabelingStats>("stats", "purchases");
    expect(states).toMatchObject({ done: lines.length });
    // A spreadsheet writes what it takes for truth in capitals.
    await writeFile(file, `\uFEFFtask;answer\r\n${(lines[1] as string).split(",")[0]};TRUE\r\n`);
    expect((await command("import", "purchases", file)).stdout).toBe("1 answer kept, 0 rows without an answer.\n");
    await writeFile(file, "example,label\n1,true\n");
    const foreign = await command("import", "purchases", file);
    expect(foreign.code).toBe(2);
    expect(foreign.stderr).toMatch(/has no column "task" and no column "answer"; it has example, label/);
    const missing = await command("import", "purchases", join(file, "..", "missing.csv"));
    expect(missing.code).toBe(5);
    expect(missing.stderr).toMatch(/missing\.csv cannot be read/);
  });

  it("draws the learning curve, keeps it for the page, and advises by it", async () => {
    // Labels of rows younger than the label delay do not count yet.
    place.test.clock.advanceTo(place.test.clock.now() + 2 * DAY_MS);
    const drawn = await json<LearningCurve>("curve", "purchases");
    expect(drawn.metric).toBe("logLoss");
    expect(drawn.random.length).toBeGreaterThan(3);
    const stats = await json<LabelingStats>("stats", "purchases");
    expect(stats.curve).toEqual(drawn);
    expect(stats.advice.reason).toMatch(/The last three rounds (brought no measurable gain in|improved) log loss/);
    const table = await command("curve", "purchases");
    expect(table.stdout).toContain("logLoss, chosen by score");
  });
});
