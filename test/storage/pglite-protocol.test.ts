import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Request, RequestSplitter, summarizeReply } from "../../src/storage/pglite/protocol.ts";
import { SessionScheduler } from "../../src/storage/pglite/session-scheduler.ts";

function message(type: string, body: Buffer | string = ""): Buffer {
  const content = Buffer.from(body);
  const head = Buffer.alloc(5);
  head.write(type, 0);
  head.writeUInt32BE(content.length + 4, 1);
  return Buffer.concat([head, content]);
}
const query = (text: string) => message("Q", `${text}\0`);
const ready = (status: string) => message("Z", status);
const bytesOf = (request: Request | undefined) => (request?.kind === "batch" ? Buffer.from(request.bytes) : undefined);

describe("cutting a client's bytes into requests", () => {
  const extended = [message("P", "\0select 1\0\0\0"), message("B", "\0\0\0\0\0\0\0\0"), message("E", "\0\0\0\0\0")];
  const request = Buffer.concat([...extended, message("S")]);

  it("ends a request at Query, Sync and Flush", () => {
    const all = Buffer.concat([query("select 1"), request, message("P", "\0x\0\0\0"), message("H"), message("X")]);
    const requests = new RequestSplitter("c1_").push(all);
    expect(requests.map(({ kind }) => kind)).toEqual(["batch", "batch", "batch", "terminate"]);
    expect(bytesOf(requests[1])).toEqual(request);
  });

  it("gives the same requests however the bytes are cut", () => {
    const all = Buffer.concat([query("select 'ä'"), request, query("x".repeat(300)), request]);
    const expected = new RequestSplitter("c1_").push(all).map(bytesOf);
    fc.assert(
      fc.property(fc.array(fc.integer({ min: 0, max: all.length })), (cuts) => {
        const splitter = new RequestSplitter("c1_");
        const edges = [0, ...cuts.sort((left, right) => left - right), all.length];
        const requests = edges.slice(1).flatMap((end, i) => splitter.push(all.subarray(edges[i], end)));
        expect(requests.map(bytesOf)).toEqual(expected);
      }),
      { seed: 7, numRuns: 200 },
    );
  });

  it("prefixes statement names in Parse, Bind, Describe and Close, and nothing else", () => {
    const all = Buffer.concat([
      message("P", "same\0select 1\0\0\0"),
      message("D", "Ssame\0"),
      message("B", "same\0same\0\0\0\0\0\0\0"),
      message("D", "Psame\0"),
      message("C", "Ssame\0"),
      message("S"),
    ]);
    const [batch] = new RequestSplitter("c9_").push(all);
    expect(bytesOf(batch)).toEqual(
      Buffer.concat([
        message("P", "c9_same\0select 1\0\0\0"),
        message("D", "Sc9_same\0"),
        message("B", "same\0c9_same\0\0\0\0\0\0\0"),
        message("D", "Psame\0"),
        message("C", "Sc9_same\0"),
        message("S"),
      ]),
    );
    expect(batch).toMatchObject({ prepares: ["c9_same"] });
  });

  it("notices who listens", () => {
    const [listens, other] = new RequestSplitter("c1_").push(
      Buffer.concat([query(" LISTEN a"), query("select 'listen'")]),
    );
    expect([listens, other]).toMatchObject([{ listens: true }, { listens: false }]);
  });
});

describe("reading a reply", () => {
  it("tells the last transaction status and the notifications", () => {
    const news = message("A", "\0\0\0\x01news\0one\0");
    const summary = summarizeReply(Buffer.concat([message("C", "BEGIN\0"), ready("T"), news, ready("I")]));
    expect(summary).toMatchObject({ status: "I", fatal: undefined });
    expect(summary.notifications.map((bytes) => Buffer.from(bytes))).toEqual([news]);
  });
  it.each([
    ["PANIC", "PANIC: no space"],
    ["FATAL", "FATAL: no space"],
    ["ERROR", undefined],
  ])("takes an error of severity %s for %s", (severity, expected) => {
    const error = message("E", `S${severity}\0V${severity}\0C53100\0Mno space\0\0`);
    expect(summarizeReply(Buffer.concat([error, ready("I")])).fatal).toBe(expected);
  });
});

describe("sharing one session", () => {
  /** A database that answers with the status named in the query, and remembers what it was asked. */
  function session() {
    const asked: string[] = [];
    const delivered: [number, string][] = [];
    const fatal: string[] = [];
    const scheduler = new SessionScheduler({
      execute: (bytes) => {
        const text = Buffer.from(bytes).toString("latin1");
        const words = /(\w+):([ITE])/.exec(text);
        asked.push(words?.[1] ?? (text.includes("ROLLBACK") ? "ROLLBACK" : "other"));
        if (words?.[1] === "panic") return message("E", "VPANIC\0Mdisk\0\0");
        return ready(words?.[2] ?? "I");
      },
      deliver: (connection, reply) => delivered.push([connection, Buffer.from(reply).toString("latin1").slice(-1)]),
      onFatal: (reason) => fatal.push(reason),
    });
    const send = (connection: number, text: string) =>
      scheduler.submit(connection, query(text), { prepares: [], listens: false });
    return { scheduler, send, asked, delivered, fatal };
  }

  it("lets nobody between BEGIN and COMMIT of a connection", () => {
    const { send, asked } = session();
    send(1, "begin1:T");
    send(2, "begin2:T");
    send(3, "read3:I");
    send(1, "write1:T");
    send(1, "commit1:I");
    send(2, "commit2:I");
    expect(asked).toEqual(["begin1", "write1", "commit1", "begin2", "commit2", "read3"]);
  });

  it("rolls back what a dead connection left open and forgets what it still wanted", () => {
    const { scheduler, send, asked } = session();
    send(1, "begin1:T");
    send(2, "begin2:T");
    send(2, "never:T");
    send(3, "read3:I");
    scheduler.drop(2);
    scheduler.drop(1);
    expect(asked).toEqual(["begin1", "ROLLBACK", "read3"]);
  });

  it("delivers no reply from a PANIC on", () => {
    const { scheduler, send, asked, delivered, fatal } = session();
    send(1, "one:I");
    send(2, "panic:I");
    send(3, "three:I");
    scheduler.drop(1);
    expect(asked).toEqual(["one", "panic"]);
    expect(delivered).toEqual([[1, "I"]]);
    expect(fatal).toEqual(["PANIC: disk"]);
  });
});
