import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { labelledRows, openTestServer, START, type TestServer, trainFirstVersion } from "./support.ts";

let open: TestServer;
beforeAll(async () => {
  open = await openTestServer();
  await trainFirstVersion(open);
}, 60_000);
afterAll(async () => open.dispose());

const MODEL = "/api/v1/models/purchases";
const NDJSON = { "content-type": "application/x-ndjson" };
const CSV = { "content-type": "text/csv" };
const JSON_TYPE = { "content-type": "application/json" };
const GOOD = { customer: "good", at: START, age: 30, balance: 1, job: "clerk", label: true };

async function send(payload: string | Buffer, headers: Record<string, string>, url = `${MODEL}/examples`) {
  const response = await open.server.app.inject({ method: "POST", url, payload, headers });
  return { status: response.statusCode, body: response.json() };
}
const line = (change: object) => JSON.stringify({ ...GOOD, ...change });

describe("rows that are poison", () => {
  /** Each is one NDJSON line that is no row of the model; the good row beside it must get through. */
  const BAD: readonly (readonly [string, string])[] = [
    ["NaN as a text", line({ age: "NaN" })],
    ["a number too large for a double", line({}).replace('"age":30', '"age":1e999')],
    ["minus infinity by overflow", line({}).replace('"balance":1', '"balance":-1e999')],
    ["a number out of the range", line({ age: 1e308 })],
    ["a text for a number", line({ age: "thirty" })],
    ["a boolean for a number", line({ age: true })],
    ["an object for a category", line({ job: { name: "clerk" } })],
    ["a list for a category", line({ job: ["clerk"] })],
    ["a category the schema does not list", line({ job: "astronaut" })],
    ["an unknown column", line({ salary: 3 })],
    ["a column named __proto__", line({}).replace('"age"', '"__proto__":{"admin":true},"age"')],
    ["a column named constructor", line({}).replace('"age"', '"constructor":1,"age"')],
    ["a label of another kind", line({ label: "perhaps" })],
    ["an id that is a list", line({ customer: [1] })],
    ["a time that is none", line({ at: "the day after tomorrow" })],
    ["a list instead of a row", "[1,2,3]"],
    ["null instead of a row", "null"],
    ["broken JSON", '{"age":'],
    ["a bare NaN", '{"age":NaN}'],
    ["a very long text", line({ job: "x".repeat(2_000_000) })],
    ["deep nesting", `{"age":${"[".repeat(20_000)}${"]".repeat(20_000)}}`],
  ];
  it.each(BAD)("quarantine %s and keep the good row beside it", async (_title, bad) => {
    const { status, body } = await send(`${bad}\n${line({})}\n`, NDJSON);
    expect(status).toBe(200);
    expect(body).toMatchObject({ received: 2, accepted: 1, quarantined: 1 });
    expect(body.problems[0].reasons[0].message.length).toBeGreaterThan(10);
    expect(({} as { admin?: unknown }).admin).toBeUndefined();
  });

  it("keeps -0, a lone surrogate's row and a NUL from changing silently", async () => {
    const { body } = await send(`${line({ balance: -0 }).replace('"balance":0', '"balance":-0')}\n`, NDJSON);
    expect(body.accepted).toBe(1);
  });

  it("reads CSV with a byte order mark, and refuses duplicate headers and 10,000 columns", async () => {
    const csv = "customer,at,age,balance,job,label\nbom,2026-01-01T00:00:00Z,30,1,clerk,true\n";
    expect((await send(Buffer.from(`\ufeff${csv}`), CSV)).body).toMatchObject({ accepted: 1, quarantined: 0 });
    expect((await send(csv.replace("balance", "age"), CSV)).body.code).toBe("HEADER_DUPLICATE");
    const wide = `${Array.from({ length: 10_000 }, (_, i) => `c${i}`).join(",")}\n${"1,".repeat(9999)}1\n`;
    const refused = await send(wide, CSV);
    expect(refused.status).toBeGreaterThanOrEqual(400);
    expect(refused.body.detail).toContain("10,000 columns");
    expect((await send(csv.replace("2026-01-01T00:00:00Z,", ""), CSV)).body).toMatchObject({ quarantined: 1 });
    expect((await send(csv.replace("30", "=1+1"), CSV)).body).toMatchObject({ quarantined: 1 });
  });

  it("refuses JSON that would set a prototype, and JSON that is none", async () => {
    expect((await send('{"__proto__":{"admin":true},"age":1}', JSON_TYPE)).body.code).toBe("BODY_INVALID");
    expect((await send("[NaN]", JSON_TYPE)).body.code).toBe("BODY_INVALID");
    expect((await send("", JSON_TYPE)).body.code).toBe("BODY_INVALID");
    expect((await send('"a text"', JSON_TYPE)).body.code).toBe("BODY_INVALID");
    expect((await send('[1,"a",null]', JSON_TYPE)).body).toMatchObject({ received: 3, quarantined: 3 });
  });

  it("quarantines a row of JSON however deep it is nested, and keeps the good row beside it", async () => {
    const deep = `${"[".repeat(50_000)}${"]".repeat(50_000)}`;
    const { status, body } = await send(`[${line({}).replace("30", deep)},${line({})}]`, JSON_TYPE);
    expect([status, body.accepted, body.quarantined]).toEqual([200, 1, 1]);
  });

  it("refuses forms it does not read, pickles and archives among them", async () => {
    for (const type of ["application/octet-stream", "application/zip", "application/x-pickle", "text/yaml"]) {
      const answer = await send("anything", { "content-type": type });
      expect([type, answer.status, answer.body.code]).toEqual([type, 415, "FORMAT_UNSUPPORTED"]);
    }
    const predict = `${MODEL}/predict`;
    const text = await send(
      JSON.stringify({ age: 30, balance: 1, job: "clerk" }),
      { "content-type": "text/csv" },
      predict,
    );
    expect([text.status, text.body.code]).toEqual([415, "FORMAT_UNSUPPORTED"]);
    const none = await send('{"rows":[]}', JSON_TYPE, predict);
    expect(none.body).toMatchObject({ code: "BODY_INVALID", detail: expect.stringContaining("this one holds none") });
    expect((await send("not parquet at all", { "content-type": "application/vnd.apache.parquet" })).body.code).toBe(
      "FILE_INVALID",
    );
  });

  it("takes one uploaded file by its ending", async () => {
    const csv = "customer,at,age,balance,job,label\nform,2026-01-01T00:00:00Z,30,1,clerk,true\n";
    const form = (name: string) =>
      `--b\r\ncontent-disposition: form-data; name="file"; filename="${name}"\r\ncontent-type: text/plain\r\n\r\n${csv}\r\n--b--\r\n`;
    const headers = { "content-type": "multipart/form-data; boundary=b" };
    expect((await send(form("rows.csv"), headers)).body).toMatchObject({ accepted: 1, quarantined: 0 });
    expect((await send(form("rows.pkl"), headers)).body.code).toBe("FORMAT_UNSUPPORTED");
    expect((await send(form("../../etc/rows.csv"), headers)).body).toMatchObject({ accepted: 1 });
  });

  it("refuses poison in a prediction without a crash or a changed value", async () => {
    const url = `${MODEL}/predict`;
    for (const body of ['{"age":1e999,"balance":1,"job":"clerk"}', '{"age":"1","balance":1,"job":"clerk"}']) {
      const answer = await send(body, JSON_TYPE, url);
      expect([body, answer.status, answer.body.code]).toEqual([body, 422, "ROW_INVALID"]);
    }
    expect((await send('{"__proto__":1}', JSON_TYPE, url)).status).toBe(400);
    expect((await send('{"age":30,"balance":1,"job":"clerk"}', JSON_TYPE, url)).status).toBe(200);
  });

  it("never opens a file for a name that walks the tree", async () => {
    const names = [
      "..",
      "../x",
      "..%2f..%2fetc",
      "%2e%2e",
      "a%00b",
      "a\\b",
      "A",
      "a#b",
      "a".repeat(65),
      "%252e%252e",
      "file:",
      "ä",
    ];
    for (const name of names) {
      for (const url of [
        `/api/v1/models/${name}/status`,
        `/api/v1/models/${name}/versions/v1`,
        `/api/v1/runs/${name}`,
      ]) {
        const response = await open.server.app.inject({ method: "GET", url });
        expect([url, Math.floor(response.statusCode / 100)]).toEqual([url, 4]);
      }
    }
  });

  it("accepts history that says when it was known, and refuses what was known in the future", async () => {
    const url = `${MODEL}/examples?knownAt=at%2BlabelDelay`;
    const [old] = labelledRows(1, START - 5 * 86_400_000, 77);
    const [young] = labelledRows(1, open.test.clock.now(), 78);
    const answer = await send(`${JSON.stringify(old)}\n${JSON.stringify(young)}\n`, NDJSON, url);
    expect(answer.body).toMatchObject({ accepted: 1, quarantined: 1 });
    expect(answer.body.problems[0].reasons[0].code).toBe("KNOWN_AT_INVALID");
  });
});
