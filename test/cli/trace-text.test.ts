// What `predict --trace` prints: the steps from the row to the decision, each following from the one before.
import { expect, it } from "vitest";
import { traceText } from "../../src/cli/commands/predict.ts";
import type { PredictionTrace } from "../../src/server/contract.ts";

const prepared = [
  { column: "length", from: "length", raw: 1.1, filled: Math.fround(1.1), scaled: -0.997, contribution: 2.25 },
  { column: "place=b", from: "place", raw: null, filled: "b", scaled: 1, contribution: -0.5 },
];

it("names the classes of the scores, and shows values as they were written", () => {
  const trace: PredictionTrace = {
    prepared,
    intercept: 0.25,
    link: "softmax",
    raw: [0, 2, 1],
    scores: [0.09, 0.6652, 0.2447],
    decision: "gold",
  };
  const lines = traceText(trace, ["bronze", "gold", "silver"]).split("\n");
  expect(lines[1]).toMatch(/^length +length +1\.1 +1\.1 +-0\.9970 +2\.2500$/);
  expect(lines[2]).toMatch(/^place=b +place +missing +b /);
  expect(lines.at(-1)).toBe(
    "base value 0.2500 + columns 1.7500  →  raw score bronze 0.0000, gold 2.0000, silver 1.0000  →  " +
      "softmax → bronze 0.0900, gold 0.6652, silver 0.2447  →  decision gold",
  );
});

it("shows one raw score for two classes, and of an amount no class", () => {
  const binary = {
    prepared,
    intercept: -2,
    link: "logistic",
    raw: [-0.25],
    scores: [0.5622, 0.4378],
    threshold: 0.3,
    decision: true,
  };
  expect(traceText(binary, ["false", "true"])).toContain(
    "raw score -0.2500  →  logistic → false 0.5622, true 0.4378  →  threshold 0.3000  →  decision true",
  );
  const amount = {
    prepared,
    intercept: 190.3412345,
    link: "identity",
    raw: [192.0912345],
    scores: [192.0912345],
    decision: 192.0912345,
  };
  expect(traceText(amount, [])).toContain("raw score 192.0912  →  identity → 192.0912  →  decision 192.091");
});
