import { connect } from "node:net";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { openTestServer, type TestServer, trainFirstVersion } from "./support.ts";

const ADMIN = "an-admin-secret-of-more-than-32-characters";
let open: TestServer;
let url: string;
beforeAll(async () => {
  open = await openTestServer({ requireTokens: true, adminSecret: ADMIN });
  const { app } = open.server;
  await trainFirstVersion({ ...open, server: { ...open.server, app: withToken(app) } });
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
}, 60_000);
afterAll(async () => open.dispose());

/** The same app, asked with the admin's token. */
function withToken(app: TestServer["server"]["app"]): TestServer["server"]["app"] {
  const inject = (options: { headers?: object }) =>
    app.inject({ ...options, headers: { authorization: `Bearer ${ADMIN}`, ...options.headers } });
  return { inject } as unknown as TestServer["server"]["app"];
}

const PATH = "/api/v1/models/purchases/predict";
const ROW = { age: 61, balance: 120, job: "nurse" };

interface Case {
  readonly title: string;
  readonly path?: string;
  readonly body: string;
  readonly headers?: Record<string, string>;
}
const CASES: readonly Case[] = [
  { title: "one row", body: JSON.stringify(ROW) },
  { title: "many rows", body: JSON.stringify({ rows: [ROW, { ...ROW, age: 20 }] }) },
  { title: "a trace", path: `${PATH}?trace=1`, body: JSON.stringify(ROW) },
  { title: "a pinned version", path: `${PATH}?version=v1`, body: JSON.stringify(ROW) },
  { title: "no log", path: `${PATH}?log=0`, body: JSON.stringify(ROW) },
  { title: "an unknown version", path: `${PATH}?version=v9`, body: JSON.stringify(ROW) },
  { title: "an unknown query key", path: `${PATH}?verbose=1`, body: JSON.stringify(ROW) },
  { title: "a repeated query key", path: `${PATH}?log=0&log=1`, body: JSON.stringify(ROW) },
  { title: "an unknown model", path: "/api/v1/models/nobody/predict", body: JSON.stringify(ROW) },
  { title: "a name in capitals", path: "/api/v1/models/Nobody/predict", body: JSON.stringify(ROW) },
  { title: "an unknown column", body: '{"agee":1}' },
  { title: "a number out of doubles", body: '{"age":1e999,"balance":1,"job":"nurse"}' },
  { title: "a prototype", body: '{"__proto__":{"x":1},"age":1}' },
  { title: "an escaped prototype", body: '{"\\u005f_proto__":{"x":1},"age":1}' },
  { title: "broken JSON", body: '{"age":' },
  { title: "a list", body: "[1]" },
  { title: "a text", body: '"x"' },
  { title: "another content type", body: "age\n1\n", headers: { "content-type": "text/csv" } },
  { title: "a charset", body: JSON.stringify(ROW), headers: { "content-type": "application/json; charset=utf-8" } },
  { title: "a wrong token", body: JSON.stringify(ROW), headers: { authorization: "Bearer rt_wrong" } },
  { title: "no token", body: JSON.stringify(ROW), headers: { authorization: "" } },
  { title: "a foreign origin", body: JSON.stringify(ROW), headers: { origin: "https://evil.example" } },
];

/** Without what differs from request to request: ids, and whose request it was. */
function comparable(body: Record<string, unknown>) {
  const text = JSON.stringify(body).replaceAll(/[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f-]{21}/g, "ID");
  const read = JSON.parse(text) as Record<string, unknown>;
  // The router's parser and ours say in different words where JSON breaks.
  return { ...read, requestId: undefined, ...(read["code"] === "BODY_INVALID" ? { detail: undefined } : {}) };
}

describe("a prediction over a socket", () => {
  it.each(CASES)("answers $title as the router does", async ({ path = PATH, body, headers = {} }) => {
    const sent = { "content-type": "application/json", authorization: `Bearer ${ADMIN}`, ...headers };
    const routed = await open.server.app.inject({ method: "POST", url: path, headers: sent, payload: body });
    const fast = await fetch(`${url}${path}`, { method: "POST", headers: sent, body });
    expect(fast.status).toBe(routed.statusCode);
    expect(fast.headers.get("content-type")).toBe(routed.headers["content-type"]);
    expect(fast.headers.get("x-content-type-options")).toBe("nosniff");
    expect(fast.headers.get("cache-control")).toBe("no-store");
    const answer = (await fast.json()) as Record<string, unknown>;
    expect(comparable(answer)).toEqual(comparable(routed.json()));
    expect(Object.keys(answer)).toEqual(Object.keys(routed.json<object>()));
  });

  it("reads a body that arrives in pieces, chunked or of stated length, with characters cut in half", async () => {
    const text = JSON.stringify({ ...ROW, job: null, übermäßig: 1 });
    const bytes = Buffer.from(text);
    const cut = bytes.indexOf(Buffer.from("ü")) + 1;
    const address = new URL(url);
    for (const isChunked of [false, true]) {
      const socket = connect({ host: address.hostname, port: Number(address.port) });
      const head = `POST ${PATH} HTTP/1.1\r\nhost: ${address.host}\r\nauthorization: Bearer ${ADMIN}\r\ncontent-type: application/json\r\n`;
      const pieces = [bytes.subarray(0, cut), bytes.subarray(cut)];
      const framed = isChunked
        ? [
            ...pieces.map((piece) =>
              Buffer.concat([Buffer.from(`${piece.length.toString(16)}\r\n`), piece, Buffer.from("\r\n")]),
            ),
            Buffer.from("0\r\n\r\n"),
          ]
        : pieces;
      const length = isChunked ? "transfer-encoding: chunked\r\n" : `content-length: ${bytes.length}\r\n`;
      socket.write(`${head}${length}\r\n`);
      for (const piece of framed) {
        await new Promise<void>((resolve) => socket.write(piece, () => setImmediate(resolve)));
      }
      const answer = await new Promise<string>((resolve) =>
        socket.once("data", (chunk: Buffer) => resolve(chunk.toString())),
      );
      socket.destroy();
      expect(answer).toContain("422");
      expect(answer).toContain("übermäßig");
    }
  });

  it("goes on answering on one connection, and ends it when the server drains", async () => {
    for (let i = 0; i < 3; i++) {
      const headers = { "content-type": "application/json", authorization: `Bearer ${ADMIN}` };
      const answer = await fetch(`${url}${PATH}`, { method: "POST", headers, body: JSON.stringify(ROW) });
      expect(((await answer.json()) as { version: string }).version).toBe("v1");
    }
  });
});
