import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { Webhook } from "standardwebhooks";
import { afterEach, describe, expect, it } from "vitest";
import { type AlertChannelSpec, deliverDue, isPrivateAddress, RETRY_WAITS_MS } from "../../src/alert/index.ts";
import { post } from "../../src/alert/post.ts";
import {
  type AlertDelivery,
  type AlertRecord,
  type AlertStore,
  DAY_MS,
  silentLogger,
  systemClock,
} from "../../src/core/index.ts";

const SECRET = `whsec_${Buffer.alloc(24, 7).toString("base64")}`;
const alert: AlertRecord = {
  id: "a1",
  model: "fraud",
  key: "gate.rejected:fraud",
  type: "gate.rejected",
  severity: "warning",
  title: "Candidate of fraud refused <b>",
  message: "logLoss 0.5 against 0.4",
  evidence: { runId: "r1" },
  state: "open",
  firstAt: 1_000,
  lastAt: 1_000,
  count: 1,
};

/** The outbox of one delivery, as the store keeps it. */
function outbox(attempt = 1, event: AlertDelivery["event"] = "opened", evidence = alert.evidence) {
  const finished: { ok: boolean; error?: string; retryAt?: number }[] = [];
  const delivery: AlertDelivery = { id: "d1", alert: { ...alert, evidence }, event, attempt, createdAt: 0 };
  const store = {
    claimDeliveries: async () => [delivery],
    finishDelivery: async (_id: string, result: { ok: boolean }) => void finished.push(result),
  } as unknown as AlertStore;
  return { store, finished };
}

describe("delivery of alerts", () => {
  let server: Server | undefined;
  afterEach(() => server?.close());

  async function receiver(status: number | (() => number)) {
    const requests: { headers: Record<string, string>; body: string }[] = [];
    server = createServer((request, response) => {
      let body = "";
      request.on("data", (chunk: Buffer) => {
        body += chunk.toString();
      });
      request.on("end", () => {
        requests.push({ headers: request.headers as Record<string, string>, body });
        response
          .writeHead(typeof status === "number" ? status : status(), { location: "http://127.0.0.1/elsewhere" })
          .end("answer");
      });
    });
    await new Promise<void>((resolve) => server?.listen(0, "127.0.0.1", resolve));
    return { requests, url: `http://127.0.0.1:${((server as Server).address() as AddressInfo).port}/hook` };
  }
  const tools = () => ({ systemClock, logger: silentLogger, sent: new Map<string, Set<number>>() });
  const webhook = (url: string, allowPrivate = true): AlertChannelSpec => ({
    kind: "webhook",
    url,
    secret: SECRET,
    allowPrivate,
  });

  it("signs the payload so that the standard's own library accepts it", async () => {
    const { requests, url } = await receiver(204);
    const { store, finished } = outbox();
    await deliverDue(store, [webhook(url)], tools());
    expect(finished).toEqual([{ ok: true }]);
    const { body, headers } = requests[0] as (typeof requests)[0];
    expect(new Webhook(SECRET).verify(body, headers)).toMatchObject({
      type: "retrain.gate.rejected",
      data: { id: "a1", evidence: { runId: "r1" } },
    });
    expect(() => new Webhook(SECRET).verify(body.replace("0.4", "0.3"), headers)).toThrow();
  });

  it("keeps the id over retries, backs off for more than a day, then gives up", async () => {
    const { url, requests } = await receiver(500);
    for (const attempt of [1, 2, RETRY_WAITS_MS.length + 1]) {
      const { store, finished } = outbox(attempt);
      await deliverDue(store, [webhook(url)], tools());
      expect(finished[0]?.ok).toBe(false);
      expect(finished[0]?.retryAt === undefined).toBe(attempt > RETRY_WAITS_MS.length);
    }
    expect(new Set(requests.map((request) => request.headers["webhook-id"]))).toEqual(new Set(["d1"]));
    expect(RETRY_WAITS_MS.reduce((sum, wait) => sum + wait, 0)).toBeGreaterThan(DAY_MS);
  });

  it("does not follow a redirect", async () => {
    const { url, requests } = await receiver(302);
    const { store, finished } = outbox();
    await deliverDue(store, [webhook(url)], tools());
    expect(requests).toHaveLength(1);
    expect(finished[0]?.error).toMatch(/302/);
  });

  it("does not repeat on one channel what only another one failed to take", async () => {
    let answer = 500;
    const { url, requests } = await receiver(() => (requests.at(-1)?.body.includes('"text"') ? 200 : answer));
    const channels: AlertChannelSpec[] = [{ kind: "slack", url, allowPrivate: true }, webhook(url)];
    const shared = tools();
    await deliverDue(outbox().store, channels, shared);
    answer = 200;
    const second = outbox(2);
    await deliverDue(second.store, channels, shared);
    expect(second.finished).toEqual([{ ok: true }]);
    expect(requests.filter((request) => request.body.includes('"text"'))).toHaveLength(1);
    expect(requests[0]?.body).toContain("&lt;b&gt;");
  });

  it("tells Slack what resolved an alert, and no more what was wrong", async () => {
    const { requests, url } = await receiver(200);
    const evidence = { diagnosis: ["age moved."] };
    const channels: AlertChannelSpec[] = [{ kind: "slack", url, allowPrivate: true }];
    await deliverDue(outbox(1, "resolved", evidence).store, channels, tools());
    const { text, blocks } = JSON.parse(requests[0]?.body as string);
    expect(text).toMatch(/^:white_check_mark: Resolved: /);
    expect(blocks[0].text.text).toBe(`${text}\n${blocks[0].text.text.split("\n")[1]}`);
    expect(blocks[0].text.text.split("\n")[1]).not.toBe("");
    expect(blocks[0].text.text).not.toContain("age moved");
  });

  it("sends a resolved message of its own type", async () => {
    const { requests, url } = await receiver(200);
    await deliverDue(outbox(1, "resolved").store, [webhook(url)], tools());
    expect(JSON.parse(requests[0]?.body as string)).toMatchObject({ type: "retrain.gate.rejected.resolved" });
  });

  it("refuses private addresses unless the channel allows them", async () => {
    const { url, requests } = await receiver(200);
    for (const address of [
      url,
      url.replace("127.0.0.1", "localhost"),
      "http://[::ffff:127.0.0.1]/",
      "http://2130706433/",
      "http://169.254.169.254/",
    ]) {
      const { store, finished } = outbox();
      await deliverDue(store, [webhook(address, false)], tools());
      expect(finished[0]?.error).toMatch(/private/);
    }
    const request = { url: "http://10.0.0.1/", body: "{}", headers: {}, allowPrivate: false };
    await expect(post(request)).rejects.toMatchObject({
      code: "WEBHOOK_REFUSED",
      remedy: expect.stringContaining("allowPrivate"),
    });
    expect(requests).toHaveLength(0);
  });

  it("gives up on a receiver that never answers, and takes the status of one whose answer never ends", async () => {
    const { url } = await receiver(200);
    server?.removeAllListeners("request");
    const request = { url, body: "{}", headers: {}, allowPrivate: true, timeoutMs: 200 };
    await expect(post(request)).rejects.toThrow("no answer within 200 ms");
    server?.on("request", (_, response) => {
      response.writeHead(202).write("a");
      const more = setInterval(() => response.write("x".repeat(65_536)), 1);
      response.on("close", () => clearInterval(more));
    });
    await expect(post(request)).resolves.toBe(202);
  });

  it("does not let a dead receiver hold the deliveries of a living one", async () => {
    const { url, requests } = await receiver(200);
    const { store, finished } = outbox();
    const dead: AlertChannelSpec = { kind: "slack", url: "http://127.0.0.1:1/", allowPrivate: true };
    await deliverDue(store, [dead, webhook(url)], tools());
    expect(requests).toHaveLength(1);
    expect(finished[0]?.error).toMatch(/^slack: .*ECONNREFUSED/);
  });

  it("escapes what Slack would read as a link or a mention", async () => {
    const { url, requests } = await receiver(200);
    await deliverDue(outbox().store, [{ kind: "slack", url, allowPrivate: true }], tools());
    expect(requests[0]?.body).toContain("refused &lt;b&gt;");
    expect(requests[0]?.body).not.toContain("<b>");
  });

  it("tells Slack the diagnosis where a monitor found one", async () => {
    const { url, requests } = await receiver(200);
    const evidence = { diagnosis: ["age moved.", "First sign: data drift P(x), 2026-03-01."] };
    await deliverDue(outbox(1, "opened", evidence).store, [{ kind: "slack", url, allowPrivate: true }], tools());
    expect(requests[0]?.body).toContain("against 0.4\\n• age moved.\\n• First sign: data drift P(x), 2026-03-01.");
  });

  it.each([
    ["8.8.8.8", false],
    ["2606:4700::1111", false],
    ["10.1.2.3", true],
    ["172.31.0.1", true],
    ["100.64.0.1", true],
    ["0.0.0.0", true],
    ["::1", true],
    ["fd00::1", true],
    ["fe80::1", true],
    ["::ffff:10.0.0.1", true],
    ["::127.0.0.1", true],
    ["fec0::1", true],
    ["not an address", true],
  ])("takes %s as private: %s", (address, expected) => {
    expect(isPrivateAddress(address)).toBe(expected);
  });
});
