import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { createClient, type RetrainClient, type StreamItem } from "../../src/client/index.ts";
import { frames } from "../../src/client/stream.ts";
import { labelledRows, openTestServer, START, type TestServer } from "./support.ts";

let open: TestServer;
let url: string;
let client: RetrainClient;
beforeAll(async () => {
  open = await openTestServer();
  ({ url } = await open.server.listen({ host: "127.0.0.1", port: 0 }));
  client = createClient({ url });
}, 60_000);
afterAll(async () => open.dispose());

const ingest = (seed: number) => client.ingest("purchases", labelledRows(2, START, seed));
/** Connects, and resolves when the stream is open. */
async function connect(headers: Record<string, string> = {}) {
  const aborting = new AbortController();
  const response = await fetch(`${url}/api/v1/stream`, { headers, signal: aborting.signal });
  expect(response.headers.get("content-type")).toContain("text/event-stream");
  const walking = frames(response.body as ReadableStream<Uint8Array>);
  return {
    // oxlint-disable-next-line typescript/no-unsafe-return
    next: async () => (await walking.next()).value,
    close: () => aborting.abort(),
  };
}

describe("GET /stream", () => {
  it("tells what happens as it happens, with ids that count up", async () => {
    const stream = await connect();
    await ingest(1);
    const first = await stream.next();
    expect(first).toMatchObject({ type: "ingest" });
    expect(JSON.parse(first?.data ?? "")).toMatchObject({ type: "ingest", model: "purchases", data: { accepted: 2 } });
    await ingest(2);
    const second = await stream.next();
    expect(Number(second?.id?.split("-")[1])).toBeGreaterThan(Number(first?.id?.split("-")[1]));
    stream.close();
  });

  it("gives a listener that comes back what it missed", async () => {
    const stream = await connect();
    await ingest(3);
    const seen = await stream.next();
    stream.close();
    await ingest(4);
    const back = await connect({ "last-event-id": seen?.id ?? "" });
    const missed = await back.next();
    expect(missed?.type).toBe("ingest");
    expect(missed?.id).not.toBe(seen?.id);
    back.close();
  });

  it("says reset to a listener whose place is lost or was never ours", async () => {
    for (const id of ["ffffffff-12", "nonsense", "🙂"].filter((text) => /^[\x20-\x7e]+$/.test(text))) {
      const stream = await connect({ "last-event-id": id });
      expect((await stream.next())?.type).toBe("reset");
      stream.close();
    }
  });

  it("is read by the client as an async iterator that ends on abort", async () => {
    const aborting = new AbortController();
    const seen: StreamItem[] = [];
    const reading = (async () => {
      for await (const item of client.stream({ signal: aborting.signal })) {
        seen.push(item);
        aborting.abort();
      }
    })();
    // The stream may open after the first event: send until one has come.
    for (let seed = 100; seen.length === 0; seed++) await ingest(seed);
    await reading;
    expect(seen[0]?.type).toBe("ingest");
  });
});

describe("the client", () => {
  it("names the address when nobody answers there", async () => {
    const nobody = createClient({ url: "http://127.0.0.1:9", retries: 0 });
    await expect(nobody.models()).rejects.toMatchObject({ code: "SERVER_UNREACHABLE", status: 0 });
  });

  it("repeats a POST with the same key until it is answered, so that the work is done once", async () => {
    const keys: (string | null)[] = [];
    const flaky: typeof fetch = async (input, init) => {
      keys.push(new Headers(init?.headers).get("idempotency-key"));
      const response = await fetch(input, init);
      // The first answer is lost on the way, after the server did its work.
      if (keys.length === 1) throw new TypeError("socket hang up");
      return response;
    };
    const before = (await client.batches("purchases", { limit: 500 })).items.length;
    const answer = await createClient({ url, fetch: flaky }).ingest("purchases", labelledRows(2, START, 55));
    expect(answer.accepted).toBe(2);
    expect(keys).toHaveLength(2);
    expect(keys[0]).toBe(keys[1]);
    expect((await client.batches("purchases", { limit: 500 })).items.length).toBe(before + 1);
  });

  it("gives up after its retries, and never repeats a prediction by itself", async () => {
    let calls = 0;
    const busy: typeof fetch = async () => {
      calls++;
      return new Response("{}", { status: 503 });
    };
    await expect(createClient({ url, fetch: busy, retries: 1 }).models()).rejects.toMatchObject({ status: 503 });
    expect(calls).toBe(2);
    await expect(createClient({ url, fetch: busy }).predict("purchases", {})).rejects.toMatchObject({ status: 503 });
    expect(calls).toBe(3);
  });

  it("carries the server's code, hint and details in its errors", async () => {
    await expect(client.model("purchase")).rejects.toMatchObject({
      code: "MODEL_UNKNOWN",
      status: 404,
      hint: 'Did you mean "purchases"?',
    });
  });
});

describe("closing", () => {
  it("turns unready, ends streams and closes the port", async () => {
    const other = await openTestServer();
    const { url: address } = await other.server.listen({ host: "127.0.0.1", port: 0 });
    const response = await fetch(`${address}/api/v1/stream`);
    await other.server.close();
    const reader = (response.body as ReadableStream<Uint8Array>).getReader();
    for (let done = false; !done; ) ({ done } = await reader.read());
    await expect(fetch(`${address}/livez`)).rejects.toThrow();
    await other.test.dispose();
  }, 60_000);
});
