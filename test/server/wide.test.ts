/** Texts, vectors and images over HTTP: rows in JSON and CSV, quarantine, prediction with its trace. */
import { encode as encodePng } from "fast-png";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { defineConfig, defineModel, f, gate, mlp, when } from "../../src/config/index.ts";
import { createRandom, DAY_MS, silentLogger, systemClock } from "../../src/core/index.ts";
import { inspectOnnx } from "../../src/model/index.ts";
import { createServer, type Server } from "../../src/server/index.ts";
import { openTestLoop, type TestLoop } from "../../src/testing/loop.ts";
import { checkAnswers } from "./checked-answers.ts";

const START = Date.UTC(2026, 0, 5);
const reviews = defineModel({
  name: "reviews",
  task: "binary",
  id: "review",
  time: "at",
  features: { note: f.text({ buckets: 64 }), place: f.vector(2), photo: f.image({ width: 2, height: 2 }) },
  label: f.boolean(),
  trainer: mlp({ hidden: [8], epochs: 10 }),
  data: { minRows: 300 },
  retrain: { when: when.newLabels(300), cooldown: "1h", maxPerDay: 10 },
  gates: [gate.betterThanBaseline("logLoss")],
});
const random = createRandom(3);
const photo = Buffer.from(encodePng({ width: 4, height: 4, channels: 1, data: new Uint8Array(16).fill(90) })).toString(
  "base64",
);
const row = (i: number) => {
  const good = random.nextInt(2) === 1;
  const note = good ? "works well, thanks" : "stopped working";
  const at = START - 20 * DAY_MS + i * 30 * 60_000;
  return { review: `r${i}`, at, note, place: [random.nextFloat(), 1], photo, label: good };
};

describe("wide features over HTTP", () => {
  let test: TestLoop;
  let server: Server;
  beforeAll(async () => {
    test = await openTestLoop(defineConfig({ models: [reviews], alerts: [] }), START);
    server = await createServer({ loop: test.loop, systemClock, logger: silentLogger, replay: true });
    checkAnswers(server);
  }, 60_000);
  afterAll(async () => {
    await server.close();
    await test.dispose();
  });
  const post = async (path: string, payload: string | object, type = "application/json") => {
    const url = `/api/v1/models/reviews/${path}`;
    const answer = await server.app.inject({ method: "POST", url, payload, headers: { "content-type": type } });
    return { status: answer.statusCode, body: answer.json() as Record<string, unknown> };
  };

  it("takes them in JSON and in CSV, and puts broken ones into quarantine", async () => {
    const rows = Array.from({ length: 600 }, (_, i) => row(i));
    const sent = await post("examples", [...rows, { ...row(600), photo: "AAAA" }]);
    expect(sent).toMatchObject({ status: 200, body: { accepted: 600, quarantined: 1 } });
    const csv = `review,at,note,place,photo,label\nc1,2026-01-04,"works, well","[0.5, 1]",${photo},true\n`;
    expect(await post("examples", csv, "text/csv")).toMatchObject({
      status: 200,
      body: { accepted: 1, quarantined: 0 },
    });
  });

  it("answers rows of them, with the terms of a text in the trace, and refuses a wrong length by name", async () => {
    const { runs } = await test.loop.advance(START + 2 * 3_600_000);
    const run = await test.store.runs.get(runs[0] as string);
    expect(run?.error).toBeUndefined();
    expect(run).toMatchObject({ state: "promoted" });
    const asked = { note: "works well", place: [0.5, 1], photo: `data:image/png;base64,${photo}` };
    const answer = await post("predict?trace=1&log=0", asked);
    expect(answer.status).toBe(200);
    expect(answer.body["score"]).toBeGreaterThan(0.5);
    const { prepared } = answer.body["trace"] as {
      prepared: readonly { column: string; raw: unknown; columns?: number }[];
    };
    expect(prepared.some(({ raw }) => String(raw).includes("works"))).toBe(true);
    expect(prepared.find(({ column }) => column === "photo#0")).toMatchObject({ columns: 4 });
    const wrong = await post("predict", { ...asked, place: [1] });
    expect(wrong.status).toBe(422);
    expect(JSON.stringify(wrong.body)).toContain("VECTOR_INVALID");
  }, 60_000);

  it("leave as ONNX with the counts of a text's terms, and without them the answer says so", async () => {
    const get = (format: string) =>
      server.app.inject({ method: "GET", url: `/api/v1/models/reviews/versions/v1/export?format=${format}` });
    const refused = await get("onnx");
    expect(refused.statusCode).toBe(422);
    expect(refused.json()).toMatchObject({
      code: "EXPORT_UNSUPPORTED",
      detail: expect.stringContaining('"note" is a text'),
    });
    expect(refused.body).toContain("?format=onnx-counts");
    const { inputs } = inspectOnnx(new Uint8Array((await get("onnx-counts")).rawPayload));
    expect(inputs).toContainEqual({ name: "note", type: "float32", dims: [-1, 64] });
  });
});
