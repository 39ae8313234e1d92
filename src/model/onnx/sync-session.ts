/**
 * A session that answers at once: a worker thread runs the model while this thread sleeps on a shared word. For training
 * processes only, whose steps are written for predictors that answer in place, and which may be killed at any time; the server
 * asks its own child process instead (`ModelHost`).
 */
import { MessageChannel, receiveMessageOnPort, Worker } from "node:worker_threads";
import { fail } from "../../core/index.ts";
import type { Feed } from "./feeds.ts";
import { findRuntime, SESSION_OPTIONS } from "./runtime.ts";

/** A model that has not answered a block of rows by then hangs. */
const ANSWER_LIMIT_MS = 120_000;

export interface SyncSession {
  /** @throws MODEL_INVALID when the model does not load, OUTPUT_INVALID when it refuses the rows, TRAINER_TIMEOUT when it hangs. */
  run(feeds: readonly Feed[], output: string): ArrayLike<number>;
  /** Ends its thread. Never while a question is open: that would abort the process. */
  close(): void;
}

/** Runs from text, so that no second file has to be found after bundling. */
const SOURCE = `
const { workerData } = require("node:worker_threads");
const { port, word, runtimePath, options } = workerData;
const runtime = require(runtimePath);
let session;
const answer = (message) => {
  port.postMessage(message);
  Atomics.store(word, 0, 1);
  Atomics.notify(word, 0);
};
port.on("message", async (request) => {
  try {
    if (request.model) {
      runtime.env.wasm.numThreads = 1;
      session = await runtime.InferenceSession.create(request.model, options);
      return answer({});
    }
    const feeds = {};
    for (const { name, type, dims, data } of request.feeds) feeds[name] = new runtime.Tensor(type, data, dims);
    const found = (await session.run(feeds, [request.output]))[request.output];
    answer({ data: found.data });
  } catch (error) {
    answer({ error: String((error && error.message) || error) });
  }
});`;

interface Answer {
  readonly data?: ArrayLike<number>;
  readonly error?: string;
}

export function openSyncSession(model: Uint8Array): SyncSession {
  const word = new Int32Array(new SharedArrayBuffer(4));
  const { port1, port2 } = new MessageChannel();
  const worker = new Worker(SOURCE, {
    eval: true,
    workerData: { port: port2, word, runtimePath: findRuntime(), options: SESSION_OPTIONS },
    transferList: [port2],
    execArgv: [],
  });
  // An open session must not keep a finished process alive.
  worker.unref();
  port1.unref();
  const ask = (request: object): Answer => {
    Atomics.store(word, 0, 0);
    port1.postMessage(request);
    if (Atomics.wait(word, 0, 0, ANSWER_LIMIT_MS) === "timed-out") {
      throw fail("TRAINER_TIMEOUT", {
        message: `The ONNX model did not answer within ${ANSWER_LIMIT_MS / 1000} s.`,
        remedy: "Make the model smaller, or look for a loop in it.",
      });
    }
    return (receiveMessageOnPort(port1)?.message ?? {}) as Answer;
  };
  const opened = ask({ model });
  if (opened.error !== undefined) {
    throw fail("MODEL_INVALID", {
      message: `The ONNX runtime does not load the model: ${opened.error}`,
      remedy: "Export it for opset 21 or older, with operators that the CPU provider has.",
    });
  }
  return {
    run(feeds, output) {
      const { data, error } = ask({ feeds, output });
      if (data !== undefined) return data;
      throw fail("OUTPUT_INVALID", {
        message: `The ONNX model refused the rows: ${error ?? "no answer"}`,
        remedy: "Export the model with a dynamic batch dimension, and inputs as documented for external trainers.",
      });
    },
    close: () => void worker.terminate(),
  };
}
