/** A child whose jobs do everything a trainer may do to us. */
import { spawn } from "node:child_process";
import { getPriority } from "node:os";
import process from "node:process";
import { fail, type JsonObject, serveJobs } from "../../../src/core/index.ts";

/** While its modules load. */
const firstPriority = getPriority();
let served = 0;
const kept: Uint8Array[] = [];

serveJobs({
  echo: async (input) => ({ input, pid: process.pid, served: ++served, firstPriority }),
  environment: async () => ({ names: Object.keys(process.env) }),
  epochs: async (input, control) => {
    for (let epoch = 1; epoch <= Number(input.epochs); epoch++) control.progress({ epoch, loss: 1 / epoch });
    return {};
  },
  refuse: async () => {
    throw fail("CLASS_MISSING", {
      message: "The training split lacks the class true.",
      remedy: "Widen the window.",
      details: { classes: ["false"] },
    });
  },
  bug: async () => {
    throw new TypeError("x is not a function");
  },
  crash: async (input) => {
    process.stderr.write("loading the data\nMatrixError: singular\n");
    process.exit(Number(input.code));
  },
  signal: async () => {
    process.kill(process.pid, "SIGSEGV");
    return new Promise(() => {});
  },
  spin: () => {
    for (;;);
  },
  deaf: () => new Promise(() => {}),
  obey: (_input, control) =>
    new Promise((_resolve, reject) => {
      control.progress({ began: true });
      control.signal.addEventListener("abort", () => reject(new Error("stopped by request")));
    }),
  hog: async (input) => {
    for (;;) {
      kept.push(new Uint8Array(Number(input.bytes)).fill(1));
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
  },
  garbage: async () => {
    for (let i = 0; i < 500; i++)
      process.stdout.write(`{"kind":"done","id":"1","result":{"fake":true}} ${"x".repeat(300)}\n`);
    process.stdout.write(Buffer.from([0xff, 0xfe, 0x00, 0x80]));
    return { fine: true };
  },
  nan: async () => ({ metrics: { logLoss: [0.5, Number.NaN] } }) as JsonObject,
  "nan-progress": async (_input, control) => {
    control.progress({ loss: Number.POSITIVE_INFINITY });
    control.progress({ loss: 1 });
    return {};
  },
  /** Starts a process of its own, as an external trainer would, and blocks. */
  grandchild: async (_input, control) => {
    const child = spawn(process.execPath, ["-e", "setInterval(() => {}, 1000)"], { stdio: "ignore" });
    control.progress({ pid: process.pid, grandchild: child.pid ?? 0 });
    await new Promise((resolve) => setTimeout(resolve, 50));
    for (;;);
  },
});
