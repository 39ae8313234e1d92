import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { LabelEvent, LoggedEvent, PredictionEvent } from "../../src/core/index.ts";
import { isKnown, joinExample } from "../../src/feedback/label-join.ts";

let seq = 0n;
function position(receivedAt: number) {
  return { transactionId: 1n, seq: seq++, receivedAt };
}
function prediction(
  version: string,
  receivedAt: number,
  origin: PredictionEvent["origin"] = "live",
): LoggedEvent<PredictionEvent> {
  const scores = [0.4, 0.6];
  return {
    kind: "prediction",
    predictionId: `p${seq}`,
    exampleId: "x",
    at: receivedAt,
    version,
    features: {},
    scores,
    decision: true,
    origin,
    ...position(receivedAt),
  };
}
function label(
  value: boolean | null,
  receivedAt: number,
  labelSource: LabelEvent["labelSource"] = "system",
): LoggedEvent<LabelEvent> {
  return { kind: "label", exampleId: "x", at: receivedAt, value, labelSource, ...position(receivedAt) };
}

describe("joining labels with predictions", () => {
  it("counts the last prediction of each version before the label", () => {
    const early = prediction("v1", 10);
    const late = prediction("v1", 20);
    const other = prediction("v2", 15);
    const joined = joinExample({ predictions: [late, early, other], labels: [label(true, 30)] });
    expect(joined.get("v1")?.prediction).toBe(late);
    expect(joined.get("v2")?.prediction).toBe(other);
  });

  it("leaves out predictions made after the answer was known", () => {
    const before = prediction("v1", 10);
    const joined = joinExample({
      predictions: [before, prediction("v1", 40), prediction("v2", 40)],
      labels: [label(true, 30)],
    });
    expect([...joined.keys()]).toEqual(["v1"]);
    expect(joined.get("v1")?.prediction).toBe(before);
  });

  it("gives a label that came before every prediction the earliest one", () => {
    const first = prediction("v1", 40);
    const joined = joinExample({ predictions: [prediction("v1", 50), first], labels: [label(false, 30)] });
    expect(joined.get("v1")).toEqual({ prediction: first, label: false });
  });

  it("keeps the prediction when a correction arrives, and takes the new answer", () => {
    const first = prediction("v1", 10);
    const facts = { predictions: [first, prediction("v1", 35)], labels: [label(true, 30), label(false, 60)] };
    expect(joinExample(facts).get("v1")).toEqual({ prediction: first, label: false });
  });

  it("leaves out an example that was labelled because of its score, until the truth arrives from elsewhere", () => {
    const first = prediction("v1", 10);
    const asked = { ...label(true, 30, "expert"), selective: true as const };
    expect(joinExample({ predictions: [first], labels: [asked] }).size).toBe(0);
    const joined = joinExample({ predictions: [first], labels: [asked, label(false, 40)] });
    expect(joined.get("v1")).toEqual({ prediction: first, label: false });
    expect(joinExample({ predictions: [first], labels: [label(true, 30, "expert")] }).size).toBe(1);
  });

  it("ignores shadow predictions and retracted labels", () => {
    expect(joinExample({ predictions: [prediction("v2", 10, "shadow")], labels: [label(true, 30)] }).size).toBe(0);
    expect(joinExample({ predictions: [prediction("v1", 10)], labels: [label(true, 30), label(null, 40)] }).size).toBe(
      0,
    );
  });

  it("does not depend on the order in which the facts are given", () => {
    const predictions = [prediction("v1", 10), prediction("v1", 20), prediction("v2", 12), prediction("v2", 45)];
    const labels = [label(true, 30), label(false, 50, "expert"), label(true, 55, "user")];
    const expected = joinExample({ predictions, labels });
    fc.assert(
      fc.property(
        fc.shuffledSubarray(predictions, { minLength: 4 }),
        fc.shuffledSubarray(labels, { minLength: 3 }),
        (p, l) => {
          expect(joinExample({ predictions: p, labels: l })).toEqual(expected);
        },
      ),
    );
  });
});

describe("the position of a fact", () => {
  it("is known up to and including the cursor", () => {
    const at = (transactionId: bigint, one: bigint) => ({ transactionId, seq: one, receivedAt: 0 });
    const cursor = { transactionId: 5n, seq: 9n };
    expect([at(4n, 99n), at(5n, 9n), at(5n, 10n), at(6n, 1n)].map((fact) => isKnown(fact, cursor))).toEqual([
      true,
      true,
      false,
      false,
    ]);
  });
});
