/** What a version costs to serve: the time of one prediction, and the bytes of its artifact. */
import { durationField, type GateCheck, numberField, plural } from "../../core/index.ts";
import type { GateSpec } from "../spec.ts";
import { type GateContext, type GateKind, sampleContext, showCount } from "./gate.ts";

type Latency = Extract<GateSpec, { kind: "latency" }>;
type Size = Extract<GateSpec, { kind: "size" }>;

const showMs = (us: number) => `${(us / 1000).toPrecision(3)} ms`;
const latencyFields = { max: durationField("Longest time of one prediction in 99 of 100, without the network.") };

function judgeLatency({ maxMs }: Latency, { report, clock }: GateContext): GateCheck {
  const gate = `latency(${maxMs} ms)`;
  const found = report.latency;
  const base = { gate, threshold: maxMs, rows: found?.calls ?? 0 };
  if (clock === "virtual" || found === undefined) {
    // Evidence of the machine's clock would make a replay depend on the machine.
    const reason =
      clock === "virtual"
        ? "Not measured on a virtual clock: it decides on a live server only."
        : "Not measured: the version was not timed.";
    return { ...base, outcome: clock === "virtual" ? "yes" : "cannot-tell", notMeasured: true, reason };
  }
  const maxUs = maxMs * 1000;
  const times = `99 of 100 predictions take at most ${showMs(found.p99Us)} (bound ${showMs(found.p99UpperUs)}) over ${plural(found.calls, "call")}, the middle one ${showMs(found.p50Us)}`;
  const outcome = found.p99UpperUs <= maxUs ? "yes" : found.p99Us > maxUs ? "no" : "cannot-tell";
  const verdict = {
    yes: `within ${maxMs} ms`,
    no: `over ${maxMs} ms`,
    "cannot-tell": `too near to ${maxMs} ms to tell; run it again on a quieter machine`,
  }[outcome];
  return { ...base, outcome, value: found.p99Us / 1000, reason: `${times}: ${verdict}.` };
}

const times = { calls: 1_000, p50Us: 20, p95Us: 60 };
export const latency: GateKind<Latency, typeof latencyFields> = {
  kind: "latency",
  description: "The 99 % quantile of the time of one prediction, by its upper bound. Not judged on a virtual clock.",
  fields: () => latencyFields,
  resolve: ({ max }) => ({ kind: "latency", maxMs: max }),
  subject: ({ maxMs }) => `latency(${maxMs} ms)`,
  rule: ({ maxMs }) => `99 of 100 predictions take at most ${maxMs} ms.`,
  metrics: () => [],
  judge: judgeLatency,
  samples: [
    {
      spec: { kind: "latency", maxMs: 5 },
      passes: sampleContext({ latency: { ...times, p99Us: 100, p99UpperUs: 120 } }),
      refuses: sampleContext({ latency: { ...times, p99Us: 6_000, p99UpperUs: 7_000 } }),
    },
  ],
};

const MIB = 1_048_576;
const sizeFields = { maxMiB: numberField("Largest artifact, all its files.", { min: 0.001, max: 1e6, unit: "MiB" }) };

function judgeSize({ maxBytes }: Size, { report }: GateContext): GateCheck {
  const gate = `size(${maxBytes / MIB} MiB)`;
  const { sizeBytes } = report;
  if (sizeBytes === undefined) {
    return {
      gate,
      outcome: "cannot-tell",
      threshold: maxBytes,
      rows: 0,
      reason: "The size of the artifact is not known.",
    };
  }
  const fits = sizeBytes <= maxBytes;
  const reason = `The artifact has ${plural(sizeBytes, "byte")}: ${fits ? "at most" : "more than"} ${showCount(maxBytes)}.`;
  return { gate, outcome: fits ? "yes" : "no", value: sizeBytes, threshold: maxBytes, rows: 0, reason };
}

export const size: GateKind<Size, typeof sizeFields> = {
  kind: "size",
  description: "The artifact is no larger than the given number of MiB.",
  fields: () => sizeFields,
  resolve: ({ maxMiB }) => ({ kind: "size", maxBytes: Math.round(maxMiB * MIB) }),
  subject: ({ maxBytes }) => `size(${maxBytes / MIB} MiB)`,
  rule: ({ maxBytes }) => `The artifact has at most ${plural(maxBytes, "byte")}.`,
  metrics: () => [],
  judge: judgeSize,
  samples: [
    {
      spec: { kind: "size", maxBytes: MIB },
      passes: sampleContext({ sizeBytes: 20_000 }),
      refuses: sampleContext({ sizeBytes: 2 * MIB }),
    },
  ],
};
