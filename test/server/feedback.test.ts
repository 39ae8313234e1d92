// What users of an application say about single answers, over HTTP and from the command line.
import type { InjectOptions } from "fastify";
import { mkdtemp, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HOUR_MS } from "../../src/core/index.ts";
import type {
  FeedbackAnswer,
  FeedbackRecord,
  FeedbackSummary,
  LabelHistory,
  Page,
  PredictedRow,
  PredictManyAnswer,
} from "../../src/server/contract.ts";
import { runCommand } from "../cli/support.ts";
import { labelledRows, openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

const BASE = "/api/v1/models/purchases";
let place: TestServer;
let answers: readonly PredictedRow[] = [];
const idOf = (i: number) => answers[i]?.predictionId as string;
const decisionOf = (i: number) => answers[i]?.decision as boolean;

async function ask<T>(method: "GET" | "POST", path: string, payload?: unknown, headers: Record<string, string> = {}) {
  const request: InjectOptions = { method, url: `${BASE}/${path}`, headers };
  if (payload !== undefined) request.payload = payload as object;
  const answer = await place.server.app.inject(request);
  return { status: answer.statusCode, body: answer.json<T & { code: string; detail: string; hint: string }>() };
}
const give = (payload: unknown, headers?: Record<string, string>) =>
  ask<FeedbackAnswer>("POST", "feedback", payload, headers);
const history = async (i: number) =>
  (await ask<LabelHistory>("GET", `examples/${answers[i]?.exampleId}/labels`)).body as LabelHistory;

beforeAll(async () => {
  place = await openTestServer();
  await trainFirstVersion(place);
  const rows = labelledRows(60, place.test.clock.now(), 31).map(({ label: _, ...row }) => row);
  const { body } = await ask<PredictManyAnswer>("POST", "predict", { rows });
  answers = body.predictions;
}, 60_000);
afterAll(() => place?.dispose());

describe("feedback on one answer", () => {
  it.each<[string, object, number, () => boolean]>([
    ["a thumb up, the decision", { thumb: "up" }, 0, () => decisionOf(0)],
    ["a thumb down, the other answer", { thumb: "down" }, 1, () => !decisionOf(1)],
    ["a corrected value, that value", { value: true, comment: "bought by phone" }, 2, () => true],
  ])("makes of %s", async (_title, said, i, expected) => {
    const { status, body } = await give({ predictionId: idOf(i), user: "ada", ...said });
    expect([status, body]).toEqual([200, { accepted: 1, labels: 1, refusedCount: 0, refused: [] }]);
    expect(await history(i)).toMatchObject({
      effective: { value: expected(), source: "user" },
      statements: [{ predictionId: idOf(i), selective: true }],
    });
  });

  it("makes no label of a comment alone", async () => {
    expect((await give({ predictionId: idOf(3), comment: "too slow" })).body).toMatchObject({ accepted: 1, labels: 0 });
    expect((await history(3)).statements).toEqual([]);
  });

  it("lets an expert and the ground truth overrule a user, and a user take their word back", async () => {
    await give({ predictionId: idOf(4), value: true });
    await ask("POST", "labels", { exampleId: answers[4]?.exampleId, label: false, source: "expert" });
    expect((await history(4)).effective).toEqual({ value: false, source: "expert" });
    await give({ predictionId: idOf(5), value: true });
    await give({ predictionId: idOf(5), value: null });
    const taken = await history(5);
    expect(taken.effective).toBeNull();
    expect(taken.statements.map(({ value }) => value)).toEqual([true, null]);
  });

  it.each<[string, () => unknown, number, string, RegExp]>([
    [
      "an unknown answer",
      () => ({ predictionId: "nobody", thumb: "up" }),
      404,
      "NOT_FOUND",
      /has logged no answer "nobody"/,
    ],
    ["nothing said", () => ({ predictionId: idOf(6) }), 422, "ROW_INVALID", /says something/],
    ["no answer named", () => ({ thumb: "up" }), 422, "ROW_INVALID", /predictionId/],
    ["another finger", () => ({ predictionId: idOf(6), thumb: "sideways" }), 422, "ROW_INVALID", /"up" or "down"/],
    ["a value that is no label", () => ({ predictionId: idOf(6), value: "maybe" }), 422, "ROW_INVALID", /label/i],
    ["an unknown field", () => ({ predictionId: idOf(6), stars: 5 }), 422, "ROW_INVALID", /no field "stars"/],
    [
      "a thumb that contradicts its value",
      () => ({ predictionId: idOf(6), thumb: "up", value: !decisionOf(6) }),
      422,
      "ROW_INVALID",
      /not what the model answered/,
    ],
    [
      "a comment of a megabyte",
      () => ({ predictionId: idOf(6), comment: "x".repeat(5000) }),
      422,
      "ROW_INVALID",
      /4096/,
    ],
  ])("refuses %s, and says what to do", async (_title, said, status, code, message) => {
    const refused = await give(said());
    expect(refused.body.detail).toMatch(message);
    expect([refused.status, refused.body.code]).toEqual([status, code]);
    expect(refused.body.hint).toMatch(/predictionId/);
    expect((await history(6)).statements).toEqual([]);
  });
});

describe("feedback in bulk", () => {
  it("keeps the good rows of JSON and NDJSON, and lists the bad ones", async () => {
    const rows = Array.from({ length: 30 }, (_, i) => ({
      predictionId: idOf(20 + i),
      thumb: i % 3 === 0 ? "down" : "up",
    }));
    const json = await give({ feedback: [...rows.slice(0, 15), { predictionId: "nobody", thumb: "up" }, 7] });
    expect(json.body).toMatchObject({ accepted: 15, labels: 15, refusedCount: 2 });
    expect(json.body.refused.map(({ rowNumber, code }) => [rowNumber, code])).toEqual([
      [17, "ROW_INVALID"],
      [16, "NOT_FOUND"],
    ]);
    const lines = [...rows.slice(15).map((row) => JSON.stringify(row)), "{not json"].join("\n");
    const ndjson = await give(lines, { "content-type": "application/x-ndjson" });
    expect(ndjson.body).toMatchObject({ accepted: 15, labels: 15, refusedCount: 1 });
  });

  it("takes a repeated delivery once, and refuses the key with another body", async () => {
    const before = (await ask<Page<FeedbackRecord>>("GET", "feedback?limit=500")).body.items.length;
    const headers = { "idempotency-key": "one-delivery", "content-type": "application/x-ndjson" };
    const body = JSON.stringify({ predictionId: idOf(50), comment: "once" });
    const [first, second] = [await give(body, headers), await give(body, headers)];
    expect(second.body).toEqual(first.body);
    expect((await ask<Page<FeedbackRecord>>("GET", "feedback?limit=500")).body.items).toHaveLength(before + 1);
    const other = await give(JSON.stringify({ predictionId: idOf(51), comment: "twice" }), headers);
    expect([other.status, other.body.code]).toEqual([422, "IDEMPOTENCY_MISMATCH"]);
  });
});

describe("looking at feedback", () => {
  it("filters, pages, and sums by version", async () => {
    const down = await ask<Page<FeedbackRecord>>("GET", "feedback?thumb=down&limit=4");
    expect(down.body.items.map(({ thumb }) => thumb)).toEqual(["down", "down", "down", "down"]);
    const next = await ask<Page<FeedbackRecord>>("GET", `feedback?thumb=down&limit=500&cursor=${down.body.nextCursor}`);
    expect(next.body.items).toHaveLength(11 - 4);
    const corrected = await ask<Page<FeedbackRecord>>("GET", "feedback?has=value");
    expect(corrected.body.items.map(({ predictionId }) => predictionId)).toEqual([idOf(5), idOf(5), idOf(4), idOf(2)]);
    const one = await ask<Page<FeedbackRecord>>("GET", `feedback?exampleId=${answers[2]?.exampleId}`);
    expect(one.body.items).toMatchObject([
      { user: "ada", actor: "local", version: "v1", decision: decisionOf(2), value: true, label: true },
    ]);
    const { body } = await ask<FeedbackSummary>("GET", "feedback/summary");
    expect(body.versions).toMatchObject([{ version: "v1", up: 21, down: 11, corrected: 4, commented: 3, labels: 36 }]);
    expect(body.thumbs).toMatch(/thumb down states the other one/);
    expect(
      (await ask<FeedbackSummary>("GET", `feedback/summary?since=${place.test.clock.now() + 1}`)).body.versions,
    ).toEqual([]);
  });

  it("judges nothing by it: who speaks up is no fair sample", async () => {
    const { test } = place;
    await test.loop.advance(test.clock.now() + HOUR_MS);
    const series = await test.loop.performance({ model: "purchases", metric: "accuracy" });
    expect(series.points.reduce((sum, point) => sum + point.labelled, 0)).toBe(1);
    expect(await test.store.labeling.effects(10)).toEqual([]);
  });

  it("is asked of a token that may label", async () => {
    const create = async (role: string, scopes: string[]): Promise<string> => {
      const payload = { name: `${role}-fb`, role, scopes };
      const made = await place.server.app.inject({ method: "POST", url: "/api/v1/tokens", payload });
      return made.json<{ secret: string }>().secret;
    };
    const viewer = { authorization: `Bearer ${await create("viewer", [])}` };
    const labeler = { authorization: `Bearer ${await create("labeler", ["label"])}` };
    expect((await give({ predictionId: idOf(55), thumb: "up" }, viewer)).status).toBe(403);
    expect((await ask("GET", "feedback", undefined, viewer)).status).toBe(200);
    expect((await give({ predictionId: idOf(55), thumb: "up" }, labeler)).status).toBe(200);
  });
});

describe("retrain feedback", () => {
  it("gives, sends, lists and sums", async () => {
    const { port } = await place.server.listen({ host: "127.0.0.1", port: 0 });
    const url = ["--url", `http://127.0.0.1:${port}`];
    const given = await runCommand("feedback", "give", "purchases", idOf(56), "--down", "--comment", "wrong", ...url);
    expect(given.stdout).toBe("1 kept, 1 of them as labels.\n");
    const both = await runCommand("feedback", "give", "purchases", idOf(56), "--down", "--up", ...url);
    expect([both.code, both.stderr]).toEqual([2, expect.stringContaining("not both")]);
    const file = join(await mkdtemp(join(tmpdir(), "retrain-")), "feedback.ndjson");
    await writeFile(
      file,
      `${JSON.stringify({ predictionId: idOf(57), value: null })}\n{"predictionId":"x","thumb":"up"}\n`,
    );
    const sent = await runCommand("feedback", "send", "purchases", file, ...url);
    expect(sent.code).toBe(1);
    expect(sent.stdout).toContain("row 2:");
    expect(sent.stderr).toContain("1 of 2 rows was refused");
    const listed = await runCommand("feedback", "list", "purchases", "--has", "comment", "--limit", "1", ...url);
    expect(listed.stdout).toContain(idOf(56));
    const summed = await runCommand("feedback", "summary", "purchases", "--json", ...url);
    expect(JSON.parse(summed.stdout)).toMatchObject({ data: { versions: [{ version: "v1", down: 12 }] } });
    const past = await runCommand("tasks", "history", "purchases", answers[2]?.exampleId as string, ...url);
    expect(past.stdout).toMatch(/counts +true +user/);
    const earlier = await runCommand("tasks", "history", "purchases", "x", "--as-of", "whenever", ...url);
    expect([earlier.code, earlier.stderr]).toEqual([2, expect.stringContaining("is no time")]);
  });
});
