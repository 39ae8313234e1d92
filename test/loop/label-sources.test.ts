// Four sources state labels in any order, late, twice, about ids nobody knows, and take them back; every reader of labels must
// agree with a plain computation of what counts, as of every instant.
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import {
  createRandom,
  HOUR_MS,
  type Instant,
  LABEL_PRECEDENCE,
  type LabelSource,
  type LabelingTask,
} from "../../src/core/index.ts";
import { logSchemaOf } from "../../src/loop/context.ts";
import type { LabelHistory, LabelingStats, PredictManyAnswer } from "../../src/server/contract.ts";
import { labelledRows, openTestServer, type TestServer, trainFirstVersion } from "../server/support.ts";

const BASE = "/api/v1/models/purchases";
const EXAMPLES = 60;
const ROUNDS = 6;

interface Statement {
  readonly exampleId: string;
  readonly source: LabelSource;
  readonly label: boolean | null;
  readonly receivedAt: Instant;
  readonly order: number;
}
interface Asked {
  readonly predictionId: string;
  readonly decision: boolean;
}

let place: TestServer;
const asked = new Map<string, Asked>();
const said: Statement[] = [];
const instants: Instant[] = [];

async function post<T>(path: string, payload: unknown): Promise<T> {
  const { app } = place.server;
  const answer = await app.inject({ method: "POST", url: `${BASE}/${path}`, payload: payload as object });
  expect(answer.statusCode, answer.body).toBeLessThan(300);
  return answer.json<T>();
}
async function get<T>(path: string): Promise<T> {
  const answer = await place.server.app.inject({ method: "GET", url: `${BASE}/${path}` });
  expect(answer.statusCode, answer.body).toBe(200);
  return answer.json<T>();
}

/** What counts, from the words of the rule: strongest source first; its last word; a null takes the source's word back. */
function whatCounts(exampleId: string, asOf: Instant): { value: boolean; source: LabelSource } | undefined {
  for (const source of LABEL_PRECEDENCE) {
    const own = said.filter((one) => one.exampleId === exampleId && one.source === source && one.receivedAt <= asOf);
    const last = own.sort((left, right) => left.receivedAt - right.receivedAt || left.order - right.order).at(-1);
    if (last !== undefined && last.label !== null) return { value: last.label, source };
  }
  return undefined;
}

beforeAll(async () => {
  place = await openTestServer();
  await trainFirstVersion(place);
  const { test } = place;
  const rows = labelledRows(EXAMPLES, test.clock.now(), 5).map(({ label: _, ...row }) => row);
  const { predictions } = await post<PredictManyAnswer>("predict", { rows });
  for (const { exampleId, predictionId, decision } of predictions)
    asked.set(exampleId, { predictionId: predictionId as string, decision: decision as boolean });
  const random = createRandom(11);
  const ids = [...asked.keys()];
  let order = 0;
  for (let round = 0; round < ROUNDS; round++) {
    await test.loop.advance(test.clock.now() + HOUR_MS);
    const receivedAt = test.clock.now();
    const labels: object[] = [];
    for (let i = 0; i < 40; i++) {
      const exampleId = ids[random.nextInt(ids.length)] as string;
      const source = LABEL_PRECEDENCE[random.nextInt(4)] as LabelSource;
      const label = random.nextFloat() < 0.2 ? null : random.nextFloat() < 0.5;
      const { predictionId } = asked.get(exampleId) as Asked;
      const named = random.nextFloat() < 0.5 ? { exampleId } : { predictionId };
      // Delivered twice now and then: the second changes nothing.
      for (let copies = random.nextFloat() < 0.2 ? 2 : 1; copies > 0; copies--) {
        labels.push({ ...named, label, source, at: receivedAt - HOUR_MS });
        said.push({ exampleId, source, label, receivedAt, order: order++ });
      }
    }
    // Nobody knows these: they wait, and count for nothing.
    labels.push({ exampleId: `nobody-${round}`, label: true });
    labels.push({ predictionId: `0190aaaa-0000-7000-8000-00000000000${round}`, label: true });
    await post("labels", { labels });
    instants.push(receivedAt);
  }
  // A mass relabel: an expert overrules every second example at once.
  await test.loop.advance(test.clock.now() + HOUR_MS);
  const receivedAt = test.clock.now();
  const half = ids.filter((_, i) => i % 2 === 0);
  await post(
    "labels?labelSource=expert",
    half.map((exampleId) => ({ exampleId, label: true })),
  );
  for (const exampleId of half) said.push({ exampleId, source: "expert", label: true, receivedAt, order: order++ });
  instants.push(receivedAt);
  await test.loop.advance(test.clock.now() + HOUR_MS);
}, 60_000);
afterAll(() => place?.dispose());

describe("labels of several sources", () => {
  it("are in conflict here, so that the rule has something to decide", () => {
    const last = instants.at(-1) as Instant;
    const sources = new Set([...asked.keys()].map((id) => whatCounts(id, last)?.source));
    expect([...sources]).toEqual(expect.arrayContaining(["expert", "rule", "system", "user"]));
  });

  it("are shown with their whole history, as of any instant", async () => {
    for (const asOf of instants) {
      for (const exampleId of [...asked.keys()].slice(0, 12)) {
        const history = await get<LabelHistory>(`examples/${exampleId}/labels?asOf=${asOf}`);
        expect(history.effective ?? undefined).toEqual(whatCounts(exampleId, asOf));
        const heard = said.filter((one) => one.exampleId === exampleId && one.receivedAt <= asOf);
        expect(history.statements).toHaveLength(heard.length);
        expect(history.statements.filter((one) => one.isEffective)).toHaveLength(history.effective === null ? 0 : 1);
      }
    }
  });

  it("train by what counted at the instant of the snapshot", async () => {
    const { test } = place;
    const instance = await DuckDBInstance.create(":memory:");
    const connection = await instance.connect();
    for (const asOf of instants) {
      const path = join(test.directory, `as-of-${asOf}.parquet`);
      await test.store.log.writeDataset({ schema: logSchemaOf(test.loop.model("purchases")), asOf, path });
      const reader = await connection.runAndReadAll(`select example_id, label, label_source from '${path}'`);
      const found = new Map(reader.getRows().map(([id, value, source]) => [id as string, { value, source }]));
      for (const exampleId of asked.keys()) expect(found.get(exampleId)).toEqual(whatCounts(exampleId, asOf));
      expect([...found.keys()].filter((id) => id.startsWith("nobody"))).toEqual([]);
    }
    connection.closeSync();
  });

  it("judge the model by what counted, as of every instant", async () => {
    for (const asOf of [...instants, place.test.clock.now()]) {
      const series = await place.test.loop.performance({ model: "purchases", metric: "accuracy", asOf });
      const right = series.points.reduce((sum, point) => sum + (point.value ?? 0) * point.labelled, 0);
      const labelled = series.points.reduce((sum, point) => sum + point.labelled, 0);
      const expected = [...asked].flatMap(([exampleId, { decision }]) => {
        const label = whatCounts(exampleId, asOf);
        return label === undefined ? [] : [label.value === decision];
      });
      expect(labelled).toBe(expected.length);
      expect(right).toBeCloseTo(expected.filter(Boolean).length, 9);
    }
  });

  it("wait where their prediction is unknown, and count once it arrives", async () => {
    const { test } = place;
    const before = await test.loop.performance({ model: "purchases", metric: "accuracy" });
    const total = (points: typeof before.points) => points.reduce((sum, point) => sum + point.labelled, 0);
    const [row] = labelledRows(1, test.clock.now(), 6).map(({ label: _, ...rest }) => rest);
    await post("predict", { ...row, customer: "nobody-0" });
    await test.loop.advance(test.clock.now() + HOUR_MS);
    const after = await test.loop.performance({ model: "purchases", metric: "accuracy" });
    expect(total(after.points)).toBe(total(before.points) + 1);
  });

  it("overrule an answer of the queue in its estimate when the ground truth comes later", async () => {
    const { test } = place;
    const rows = labelledRows(80, test.clock.now(), 9).map(({ label: _, ...row }) => row);
    await post("predict", { rows });
    await post("tasks/build", { count: 40, strategy: "random" });
    const { items } = await get<{ items: LabelingTask[] }>("tasks?limit=500");
    const drawn = items.filter((task) => task.origin === "random" && task.decision !== undefined);
    expect(drawn.length).toBeGreaterThan(20);
    for (const { id, decision } of drawn) await post(`tasks/${id}/adjudicate`, { value: decision });
    const errorRate = async () => (await get<LabelingStats>("tasks/stats")).performance[0];
    expect(await errorRate()).toMatchObject({ value: 0, labels: drawn.length });
    const wrong = drawn.slice(0, 5);
    await post("labels", { labels: wrong.map(({ exampleId, decision }) => ({ exampleId, label: decision !== true })) });
    expect((await errorRate())?.value).toBeCloseTo(5 / drawn.length, 9);
  });
});
