/** A log that commits only when the test says so. */
import { expect, vi } from "vitest";
import type { EventLog } from "../../src/core/index.ts";

/** More turns of the event loop than an answer takes that waits for nothing. */
const TURNS = 200;

/** Sends the request, sees that it is not answered while its append waits for the commit, then lets it commit. */
export async function answeredOnceCommitted<T>(log: EventLog, send: () => Promise<T>): Promise<T> {
  const append = log.append.bind(log);
  const submit = log.submit.bind(log);
  let commit = () => {};
  const committed = new Promise<void>((resolve) => (commit = resolve));
  let isAnswered = false;
  let answer: Promise<T> | undefined;
  try {
    await new Promise<void>((asked) => {
      vi.spyOn(log, "append").mockImplementationOnce(async (request) => {
        asked();
        await committed;
        return append(request);
      });
      // What predictions call.
      vi.spyOn(log, "submit").mockImplementationOnce((...asking) => {
        asked();
        void committed.then(() => submit(...asking));
      });
      answer = send();
      answer.then(
        () => (isAnswered = true),
        () => (isAnswered = true),
      );
    });
    for (let turn = 0; turn < TURNS; turn++) await new Promise((resolve) => setImmediate(resolve));
    expect(isAnswered).toBe(false);
  } finally {
    commit();
    vi.restoreAllMocks();
  }
  return answer as Promise<T>;
}
