/**
 * Recommendations as a team uses them. Generated tastes go through HTTP, the command line and the inference protocol; real movie
 * ratings (MovieTweetings; Dooms, De Pessemier and Martens 2013) go through train, gate, slates, new ratings, fold-in, retrain.
 */
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { gunzipSync } from "node:zlib";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient } from "../../src/client/index.ts";
import { defineConfig, defineModel, f, gate, matrixFactorization, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, HOUR_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import { loadRuntime } from "../../src/model/onnx/runtime.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { runCommand } from "../cli/support.ts";

const START = Date.UTC(2026, 3, 1);
const base = {
  task: "recommend",
  features: {},
  retrain: { when: when.newLabels(1_000_000), cooldown: "1h" },
} as const;

describe("a shop's recommendations over HTTP and the command line", () => {
  const GROUPS = 3;
  const shop = defineModel({
    ...base,
    name: "shop",
    user: "customer",
    item: "article",
    time: "at",
    k: 4,
    label: f.number(),
    labelColumn: "pieces",
    trainer: matrixFactorization({ method: "bpr", factors: 8, epochs: 40 }),
    data: { holdout: { minRows: 100 } },
  });
  let test: TestLoop;
  let server: Server;
  let url: string;
  let folder: string;
  /** Pieces by customer and article, in the order they were first bought. */
  const bought = new Map<string, Map<string, number>>();

  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [shop] }), START);
    server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
    ({ url } = await server.listen({ host: "127.0.0.1", port: 0 }));
    folder = mkdtempSync(join(tmpdir(), "retrain-shop-"));
    const random = createRandom(4);
    const lines = Array.from({ length: 1500 }, (_, i) => {
      const customer = random.nextInt(90);
      const drawn = random.nextInt(60);
      const article = random.nextInt(8) > 0 ? drawn - (drawn % GROUPS) + (customer % GROUPS) : drawn;
      const own = bought.get(`c${customer}`) ?? new Map<string, number>();
      bought.set(`c${customer}`, own.set(`a${article}`, (own.get(`a${article}`) ?? 0) + 1));
      return `c${customer},a${article},${new Date(START - 40 * DAY_MS + i * 2_000_000).toISOString()},1`;
    });
    writeFileSync(join(folder, "bought.csv"), `customer,article,at,pieces\n${lines.join("\n")}\n`);
  }, 60_000);
  afterAll(async () => {
    await server.close();
    await test.dispose();
    rmSync(folder, { recursive: true, force: true });
  });
  const command = (...words: readonly string[]) => runCommand(...words, "--url", url);

  it("says that nothing is live yet, then ingests a file and trains", async () => {
    const early = await command("predict", "shop", '{"customer":"c1"}');
    expect(early).toMatchObject({ code: expect.any(Number), stdout: "" });
    expect(early.stderr).toContain("no live version");
    expect((await command("ingest", "shop", join(folder, "bought.csv"))).code).toBe(0);
    const run = await command("run", "shop");
    expect([run.code, run.stderr]).toEqual([0, expect.any(String)]);
    expect(run.stdout).toContain("ndcg");
  }, 120_000);

  it("prints a slate, many slates, and JSON", async () => {
    const one = await command("predict", "shop", '{"customer":"c1","k":2}');
    expect([one.code, one.stderr]).toEqual([0, ""]);
    expect(one.stdout).toMatch(/user\s+place\s+item\s+score\s+by/);
    expect(one.stdout.match(/\bc1\b/g)).toHaveLength(2);
    const many = await command("predict", "shop", '[{"customer":"c1"},{"customer":"nobody"}]');
    expect(many.stdout).toContain("popularity");
    const none = await command("predict", "shop", '{"customer":"c1","candidates":["unheard of"]}');
    expect(none.stdout).toContain("Nothing is left to offer c1.");
    const json = JSON.parse((await command("predict", "shop", '{"customer":"c1"}', "--json")).stdout) as {
      data: { recommend: { items: unknown[] } };
    };
    expect(json.data.recommend.items).toHaveLength(4);
    const wrong = await command("predict", "shop", '{"customer":"c1","K":3}');
    expect(wrong.code).not.toBe(0);
    expect(wrong.stderr).toContain('no field "K"');
  });

  it("answers the client and the inference protocol alike", async () => {
    const client = createClient({ url });
    const asked = await client.recommend("shop", { customer: "c2" }, { log: false });
    const items = asked.recommend?.items.map(({ item }) => item);
    expect(items).toHaveLength(4);
    const described = await fetch(`${url}/v2/models/shop`);
    expect(await described.json()).toMatchObject({
      inputs: [{ name: "customer", datatype: "BYTES" }],
      outputs: [{ name: "items", datatype: "BYTES", shape: [-1, -1] }, { name: "prediction_id" }],
    });
    const answer = await fetch(`${url}/v2/models/shop/infer`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({
        inputs: [{ name: "customer", datatype: "BYTES", shape: [2], data: ["c2", "nobody"] }],
        parameters: { log: false },
      }),
    });
    const { outputs } = (await answer.json()) as { outputs: { name: string; shape: number[]; data: string[] }[] };
    const slates = outputs.find(({ name }) => name === "items");
    expect(slates?.shape).toEqual([2, 4]);
    expect(slates?.data.slice(0, 4)).toEqual(items);
  });

  it("writes the version as ONNX, which offers everyone what the server offers", async () => {
    const file = join(folder, "shop.onnx");
    const out = await command("export", "shop", "v1", "--format", "onnx", "--out", file);
    expect([out.code, out.stderr]).toEqual([0, ""]);
    expect(out.stdout).toMatch(
      /in +history +string +any × any\n *in +strengths +float32 +any × any\n *in +k +int64 +one number/,
    );
    const customers = [...bought.keys(), "nobody"];
    const taken = Math.max(...[...bought.values()].map((articles) => articles.size));
    const names = new Array<string>(customers.length * taken).fill("");
    const strengths = new Float32Array(names.length);
    customers.forEach((customer, row) => {
      [...(bought.get(customer) ?? [])].forEach(([article, pieces], i) => {
        names[row * taken + i] = article;
        strengths[row * taken + i] = pieces;
      });
    });
    const { Tensor, InferenceSession } = await loadRuntime();
    const session = await InferenceSession.create(readFileSync(file), {});
    const answer = await session.run(
      {
        history: new Tensor("string", names, [customers.length, taken]),
        strengths: new Tensor("float32", strengths, [customers.length, taken]),
        k: new Tensor("int64", BigInt64Array.of(4n), []),
      },
      undefined as never,
    );
    const slates = await test.loop.predict({
      model: "shop",
      rows: customers.map((customer) => ({ customer })),
      log: false,
    });
    const offered = slates.predictions.flatMap(({ recommend }) => recommend?.items ?? []);
    expect(answer["items"]?.data).toEqual(offered.map(({ item }) => item));
    const scores = answer["scores"]?.data as Float32Array;
    offered.forEach(({ score }, i) => expect(scores[i]).toBeCloseTo(score, 5));
  });
});

const RATINGS = fileURLToPath(new URL("../../../shared/data/movietweetings/ratings-first-80k.csv.gz", import.meta.url));
const hasRatings = existsSync(RATINGS);

describe.skipIf(!hasRatings)(`movie ratings${hasRatings ? "" : " (no data at ../shared/data/movietweetings)"}`, () => {
  const TRAINED = 30_000;
  const LATER = 3_000;
  const movies = defineModel({
    ...base,
    name: "movies",
    user: "user_id",
    item: "movie_id",
    time: "timestamp",
    label: f.number({ min: 0, max: 10 }),
    labelColumn: "rating",
    trainer: matrixFactorization(),
    gates: [gate.betterThanBaseline("ndcg"), gate.noWorseThanChampion("ndcg", { margin: 0.01 })],
  });
  let test: TestLoop;
  let rows: { user_id: string; movie_id: string; rating: number; timestamp: string }[];
  const ingest = (part: typeof rows) =>
    test.loop.ingest({
      model: "movies",
      form: "observation",
      origin: "http",
      rows: part.map((row, i) => ({ rowNumber: i + 1, row })),
    });
  const timeOf = (i: number) => Date.parse(rows[i]?.timestamp as string);
  const train = async () => {
    const { run } = await test.loop.requestRun("movies", { reason: "test", actor: "test" });
    await test.engine.wait(run.id);
    const last = await test.store.runs.last("movies");
    expect(last?.error).toBeUndefined();
    return { run: last, report: await test.loop.evaluation(run.id) };
  };

  beforeAll(async () => {
    rows = gunzipSync(readFileSync(RATINGS))
      .toString()
      .trim()
      .split("\n")
      .slice(1, TRAINED + LATER + 1)
      .map((line) => {
        const [user, movie, rating, seconds] = line.split(",") as [string, string, string, string];
        const timestamp = new Date(Number(seconds) * 1000).toISOString();
        return { user_id: user, movie_id: movie, rating: Number(rating), timestamp };
      });
    test = await openTestLoop(defineConfig({ models: [movies] }), timeOf(TRAINED));
    await ingest(rows.slice(0, TRAINED));
  }, 120_000);
  afterAll(async () => test.dispose());

  it("trains a version that beats popularity for held-out users", async () => {
    const { run, report } = await train();
    expect(run).toMatchObject({ state: "promoted", version: "v1" });
    const difference = report?.baselineDifferences.find(({ metric }) => metric === "ndcg");
    expect(difference?.interval[0] as number).toBeGreaterThan(0);
    expect(report?.recommend?.coverage.candidate as number).toBeGreaterThan(
      report?.recommend?.coverage.baseline as number,
    );
  }, 120_000);

  it("follows later ratings without retraining: who rated is known, what was rated is not offered again", async () => {
    const later = rows.slice(TRAINED);
    const known = new Set(rows.slice(0, TRAINED).map((row) => row.user_id));
    const fresh = later.find(({ user_id }) => !known.has(user_id)) as (typeof rows)[number];
    const ask = async (user: string) =>
      (await test.loop.predict({ model: "movies", log: false, rows: [{ user_id: user }] })).predictions[0]?.recommend;
    expect((await ask(fresh.user_id))?.by).toBe("popularity");
    await test.loop.advance(timeOf(TRAINED + LATER - 1));
    await ingest(later);
    const answer = await ask(fresh.user_id);
    expect(answer?.seen).toBeGreaterThan(0);
    const own = new Set(later.filter((row) => row.user_id === fresh.user_id).map((row) => row.movie_id));
    for (const { item } of answer?.items ?? []) expect(own).not.toContain(item);
    await test.loop.advance(timeOf(TRAINED + LATER - 1) + HOUR_MS);
    const series = await test.loop.performance({ model: "movies", bucketMs: 365 * DAY_MS });
    expect(series.metric).toBe("hitShare");
    const [point] = series.points;
    expect(point?.labelled as number).toBeGreaterThan(LATER / 2);
    // As good live, one rating at a time, as on the holdout.
    expect(point?.value as number).toBeGreaterThan((series.reference?.value as number) * 0.5);
  }, 120_000);

  it("retrains on all of it and judges the new version against the champion by user", async () => {
    const { run, report } = await train();
    expect(run?.version).toBe("v2");
    expect(report?.championVersion).toBe("v1");
    expect(report?.differences[0]).toMatchObject({ metric: "ndcg", rows: report?.rows });
  }, 120_000);
});
